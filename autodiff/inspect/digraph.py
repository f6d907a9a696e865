"""`Drawing`: what the boxes and arrows of a graph look like, as a `graphviz.Digraph` that needs no system Graphviz."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path
from shutil import which
from typing import Any

import graphviz

from autodiff.files import write
from autodiff.inspect.render import RenderError, render
from autodiff.inspect.structure import Box, Role, Structure

FONT = "Helvetica,Arial,sans-serif"
GREY = "#5f6b7a"
GRAPH = {"fontname": FONT, "nodesep": "0.3", "ranksep": "0.35", "pad": "0.2"}
# ordering=in: the operands of an operation stand from left to right as they stand in the call.
NODE = {"ordering": "in", "fontname": FONT, "fontsize": "12", "height": "0.35", "margin": "0.12,0.05"}
EDGE = {"fontname": FONT, "fontsize": "10", "fontcolor": GREY, "color": "#7b8794", "arrowsize": "0.6"}
# A shape, a fill and a line for each role, so that they differ in print and to colour-blind eyes as well.
LOOKS = {
    Role.LEAF: {"shape": "box", "style": "filled", "fillcolor": "#fdf0d5", "color": "#b7791f"},
    Role.INPUT: {"shape": "invhouse", "style": "filled", "fillcolor": "#e9e4f7", "color": "#6b4fa8"},
    Role.CONSTANT: {"shape": "box", "style": "dashed", "color": "#9aa5b1", "fontcolor": GREY, "fontsize": "10"},
    Role.OPERATION: {"shape": "ellipse", "style": "filled", "fillcolor": "#e1ecf9", "color": "#2f6db5"},
    Role.OUTPUT: {"shape": "doubleoctagon", "style": "filled", "fillcolor": "#dcf2e3", "color": "#2b8a57"},
}


class Drawing(graphviz.Digraph):
    """A `graphviz.Digraph` of a recorded graph, which notebooks show as it is.

    `render`, `pipe` and the display in notebooks use a system Graphviz where there is one, else pygraphviz.
    ``source`` is the text in Graphviz's language; `autodiff.inspect.save` writes a file.
    """

    def pipe(self, format: str | None = None, *args: Any, **options: Any) -> Any:
        """The picture as bytes, or as text in `encoding`; the format is by default "pdf", as graphviz has it."""
        if which(self.engine):
            return super().pipe(format, *args, **options)
        return self._pipe_without_dot(format, *args, **options)

    def _pipe_without_dot(
        self, format: str | None, *, encoding: str | None = None, engine: str | None = None, quiet: bool = False
    ) -> bytes | str:
        picture = render(self.source, format or self.format, engine or self.engine)
        return picture if encoding is None else picture.decode(encoding)

    def render(self, *args: Any, **options: Any) -> str:
        """Write the source and the picture beside it; returns the picture's path. Parameters as graphviz has them."""
        if which(self.engine):
            return str(super().render(*args, **options))
        return self._render_without_dot(*args, **options)

    def _render_without_dot(
        self, filename: Any = None, directory: Any = None, view: bool = False, cleanup: bool = False,
        format: str | None = None, *, outfile: Any = None, engine: str | None = None, quiet: bool = False,
    ) -> str:  # fmt: skip
        if outfile is not None:
            filename = filename or Path(outfile).with_suffix(".gv")
            format = format or Path(outfile).suffix[1:]
        picture = render(self.source, format or self.format, engine or self.engine)
        source = self.save(filename, directory=directory)
        target = str(outfile or f"{source}.{format or self.format}")
        write(Path(target), picture)
        if cleanup:
            os.remove(source)
        if view:
            graphviz.view(target)
        return target

    def _repr_mimebundle_(self, *args: Any, **options: Any) -> dict[str, Any]:
        try:
            return super()._repr_mimebundle_(*args, **options)
        except RenderError as error:
            return {"text/plain": str(error)}


def drawing_of(structure: Structure) -> Drawing:
    """The boxes and arrows with their looks."""
    drawing: Drawing = Drawing("graph", graph_attr=GRAPH, node_attr=NODE, edge_attr=EDGE)
    for key, box in structure.boxes.items():
        drawing.node(key, _label(box), tooltip=_plain(box.about or box.role), **LOOKS[box.role])
    for arrow in structure.arrows:
        # A heavier arrow is kept straighter: what flows through the operations is the trunk, parameters are branches.
        trunk = structure.boxes[arrow.tail].role in (Role.OPERATION, Role.INPUT)
        label = "" if arrow.shape is None else f" {arrow.shape} "
        drawing.edge(arrow.tail, arrow.head, label, tooltip=label, weight="4" if trunk else "1")
    return drawing


def _plain(text: str) -> str:
    """Text that Graphviz shows as it is: no escapes, entities or markup."""
    return graphviz.nohtml(text.replace("&", "&amp;").replace("\\", "\\\\").replace("\n", "\\n"))


def _label(box: Box) -> str:
    if not box.note:
        return _plain(box.label)
    return f'<{escape(box.label)}<br/><font point-size="10" color="{GREY}">{escape(box.note)}</font>>'

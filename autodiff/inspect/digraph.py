"""`Drawing`: what the boxes and arrows of a graph look like, as a `graphviz.Digraph` that needs no system Graphviz."""

from __future__ import annotations

import os
from collections.abc import Sequence
from html import escape
from pathlib import Path
from shutil import which
from typing import Any

import graphviz

from autodiff.dtypes import get_default_dtype
from autodiff.files import write
from autodiff.inspect.render import RenderError, render
from autodiff.inspect.room import ROW, extent
from autodiff.inspect.structure import Arrow, Box, Cluster, Role, Structure, size

FONT = "Helvetica,Arial,sans-serif"
GREY, DARK = "#5f6b7a", "#1f2933"
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
    Role.FOLDED: {
        "shape": "box3d",
        "margin": "0.15,0.08",
        "style": "filled",
        "fillcolor": "#eef1f4",
        "color": "#4a5563",
    },
    Role.OUTPUT: {"shape": "doubleoctagon", "style": "filled", "fillcolor": "#dcf2e3", "color": "#2b8a57"},
}

FRAME = {
    "style": "rounded",
    "color": "#b8c2cc",
    "fontsize": "11",
    "fontcolor": "#3d4752",
    "margin": "12",
    "labeljust": "l",
    "labelloc": "t",
}
# From a part of the graph to the next of its kind, where one stands for all.
AGAIN = {"style": "dashed", "constraint": "false"}


class Drawing(graphviz.Digraph):
    """A `graphviz.Digraph` of a recorded graph, which notebooks show as it is.

    `render`, `pipe` and the display in notebooks use a system Graphviz where there is one, else a package that has one.
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
    """The boxes and arrows with their looks, in the frames where they stand."""
    drawing: Drawing = Drawing("graph", graph_attr=GRAPH, node_attr=NODE, edge_attr=EDGE)
    rows, width = extent(structure)
    if width > 2 * rows * ROW:
        # Graphviz moves the rows apart until the picture has this height for its width.
        drawing.attr(ratio="0.5")
    if structure.advice:
        drawing.attr(label=_plain(structure.advice), labelloc="b", fontsize="10", fontcolor=GREY)
    if structure.legend:
        drawing.node("legend", _legend(*structure.legend), shape="plain", tooltip="legend")
    _add_boxes(drawing, structure, "", _inside(structure))
    # Frames stand below each other if the parameters of the next begin below what the last ends in, and else side by
    # side, as a staircase.
    boxes = structure.boxes
    beside = {arrow.head for arrow in structure.arrows if boxes[arrow.tail].role in (Role.LEAF, Role.CONSTANT)}
    for arrow in structure.arrows:
        # A heavier arrow is kept straighter: what flows through the operations is the trunk, parameters are branches.
        trunk = boxes[arrow.tail].role in (Role.OPERATION, Role.INPUT, Role.FOLDED)
        label = _arrow_label(arrow)
        looks = AGAIN if arrow.again else {"weight": "4" if trunk else "1"}
        if trunk and boxes[arrow.tail].inside != boxes[arrow.head].inside and arrow.head in beside:
            looks["minlen"] = "2"
        drawing.edge(arrow.tail, arrow.head, "" if arrow.again else label, tooltip=label, **looks)
    return drawing


def _inside(structure: Structure) -> dict[str, list[str]]:
    """The keys of the boxes and frames that stand in each frame."""
    inside: dict[str, list[str]] = {}
    for key, thing in (structure.clusters | structure.boxes).items():
        inside.setdefault(thing.inside, []).append(key)
    return inside


def _add_boxes(drawing: graphviz.Digraph, structure: Structure, frame: str, inside: dict[str, list[str]]) -> None:
    for key in inside.get(frame, ()):
        if key in structure.boxes:
            box = structure.boxes[key]
            looks = LOOKS[box.role] | ({"fillcolor": box.fill, "style": "filled"} if box.fill else {})
            drawing.node(key, _label(box), tooltip=_plain(box.about or box.role), **looks)
            continue
        cluster = structure.clusters[key]
        with drawing.subgraph(name=key) as part:
            part.attr(label=_html(cluster.label, [cluster.note, *_totals(cluster)], "left"), **FRAME)
            _add_boxes(part, structure, key, inside)


def _arrow_label(arrow: Arrow) -> str:
    """The shape of a tensor, and its dtype where it is not the default."""
    if arrow.count > 1:
        return f" {arrow.count} tensors "
    dtype = "" if arrow.dtype in ("", str(get_default_dtype())) else f" {arrow.dtype}"
    return "" if arrow.shape is None else f" {arrow.shape}{dtype} "


def _plain(text: str) -> str:
    """Text that Graphviz shows as it is: no escapes, entities or markup."""
    return graphviz.nohtml(text.replace("&", "&amp;").replace("\\", "\\\\").replace("\n", "\\n"))


def _label(box: Box) -> str:
    lines = [box.note, *(_totals(box) if box.role is Role.FOLDED else ()), box.reading]
    return _html(box.label, lines, colour=DARK if box.fill else GREY) if any(lines) else _plain(box.label)


def _html(label: str, lines: Sequence[str], align: str = "center", colour: str = GREY) -> str:
    end = f'<br align="{align}"/>'
    small = [f'<font point-size="10" color="{colour}">{escape(line)}</font>' for line in lines if line]
    return f"<{end.join([escape(label), *small])}{end if align != 'center' else ''}>"


def _legend(title: str, *colours: tuple[str, str]) -> str:
    """A table of colours with what they stand for."""
    cells = "".join(f'<td bgcolor="{colour}">{escape(text)}</td>' for colour, text in colours)
    return (
        f'<<table border="0" cellborder="1" cellspacing="0" cellpadding="5" color="{GREY}">'
        f'<tr><td border="0" colspan="{len(colours)}">{escape(title)}</td></tr><tr>{cells}</tr></table>>'
    )


def _totals(thing: Box | Cluster) -> list[str]:
    """How many numbers are learned in a part of the graph, and how many bytes wait in it for the backward pass.

    Inside a frame that stands for several copies these are those of one copy.
    """
    parameters = f"{thing.parameters // thing.times:,} parameters" if thing.parameters else ""
    saved = f"{size(thing.saved / thing.times)} saved" if thing.saved else ""
    return [" · ".join(filter(None, [parameters, saved])) + (" in all" if "×" in thing.label else "")]

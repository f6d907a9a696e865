"""From DOT text to pictures and files, with a system Graphviz or the one that the package pygraphviz carries."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from shutil import which
from typing import Any

import graphviz

from autodiff.files import write


class RenderError(RuntimeError):
    """A picture could not be made; the message says what to install or to do instead."""


def available() -> bool:
    """Whether pictures can be made here at all."""
    try:
        render("digraph {}", "svg")
    except RenderError:
        return False
    return True


def render(source: str, format: str, engine: str = "dot") -> bytes:
    """The picture of DOT text in one of Graphviz's formats, such as "svg", "png" or "pdf".

    Uses the program `engine` on PATH, else pygraphviz; RenderError if there is neither, or if Graphviz fails.
    """
    if format not in graphviz.FORMATS:
        raise RenderError(f"expected a format that Graphviz knows, such as svg, png or pdf; got {format!r}")
    try:
        picture: bytes
        if which(engine):
            picture = graphviz.pipe(engine, format, source.encode(), quiet=True)
        else:
            picture = _pygraphviz().AGraph(string=source).draw(format=format, prog=engine)
        return picture
    except graphviz.CalledProcessError as error:
        raise RenderError(f"Graphviz could not draw {format}: {error.stderr.decode(errors='replace')}") from error
    except (ValueError, TypeError, OSError) as error:
        # pygraphviz raises TypeError for a format that its Graphviz was built without.
        raise RenderError(f"Graphviz could not draw {format}: {error}") from error


def _pygraphviz() -> Any:
    try:
        return import_module("pygraphviz")
    except ImportError:
        raise RenderError(
            "drawing needs Graphviz: there is neither a program `dot` on PATH nor the package pygraphviz. Install the "
            "package, which carries Graphviz itself: pip install 'autodiff-numpy[viz]'. Or write the graph as text, "
            "autodiff.inspect.save(graph, 'graph.dot'), and open that in any Graphviz viewer"
        ) from None


def save(graph: graphviz.Digraph, path: str | os.PathLike[str]) -> Path:
    """Write a graph to a file whose suffix says how: .svg, .png, .pdf and Graphviz's others, or .dot for its text.

    Returns the path. RenderError if the suffix is unknown, or if a picture is asked for and there is no Graphviz.

    >>> import autodiff as ad
    >>> from autodiff.inspect import draw, save
    >>> from tempfile import TemporaryDirectory
    >>> loss = (ad.ones(2, requires_grad=True) * 3).sum()
    >>> with TemporaryDirectory() as folder:
    ...     save(draw(loss), f"{folder}/loss.dot").name
    'loss.dot'
    """
    path = Path(path)
    format = path.suffix[1:].lower()
    if not format:
        raise RenderError(f"expected a file name with a suffix such as .svg, .png or .dot; got {str(path)!r}")
    write(path, graph.source.encode() if format in ("dot", "gv") else render(graph.source, format, graph.engine))
    return path

"""From DOT text to pictures and files, with a system Graphviz or with one that a package carries."""

from __future__ import annotations

import os
import subprocess
from importlib import import_module
from pathlib import Path
from shutil import which
from sysconfig import get_path
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

    Uses the program `engine` on PATH, else the package pygraphviz, else graphviz-pure, which has no pdf; RenderError if
    there is none of these, or if Graphviz fails.
    """
    if format not in graphviz.FORMATS:
        raise RenderError(f"expected a format that Graphviz knows, such as svg, png or pdf; got {format!r}")
    try:
        picture: bytes
        if which(engine):
            picture = graphviz.pipe(engine, format, source.encode(), quiet=True)
        elif pygraphviz := _pygraphviz():
            picture = pygraphviz.AGraph(string=source).draw(format=format, prog=engine)
        else:
            picture = _by_graphviz_pure(source, format, engine)
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
        return None


def _by_graphviz_pure(source: str, format: str, engine: str) -> bytes:
    # The package is one program, which need not be on PATH: an environment may be used without being activated.
    program = which("graphviz-pure") or which("graphviz-pure", path=get_path("scripts"))
    if program is None:
        raise RenderError(
            "drawing needs Graphviz: there is no program `dot` on PATH, and neither of the packages pygraphviz and "
            "graphviz-pure. Install the first, which carries Graphviz itself: pip install 'autodiff-numpy[viz]', or, "
            "where there is none for the system, pip install graphviz-pure. Or write the graph as text, "
            "autodiff.inspect.save(graph, 'graph.dot'), and open that in any Graphviz viewer"
        )
    command = [program, f"-K{engine}", f"-T{format}"]
    done = subprocess.run(command, input=source.encode(), capture_output=True, check=False)
    if done.returncode:
        raise RenderError(
            f"graphviz-pure could not draw {format}: {done.stderr.decode(errors='replace').strip()}. It makes svg and "
            f"png; for other formats install Graphviz, or pip install 'autodiff-numpy[viz]'"
        )
    return done.stdout


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

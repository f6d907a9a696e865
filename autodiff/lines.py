"""Which line of the user's program recorded a node: `trace_lines`.

Off, this costs nothing: the recorders make their nodes by the name `Node` of their module, and only while lines are
traced that name means a subclass which looks at the stack. No recorder asks whether it is on.
"""

from __future__ import annotations

import sys
import threading
from contextlib import ContextDecorator
from linecache import getline
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import numpy as np

from autodiff import function, graph, recorders, views
from autodiff.function_node import FunctionNode
from autodiff.transforms import region

# The modules that make nodes, each with the name by which it does.
_MAKERS = ((recorders, "Node"), (views, "Node"), (region, "Node"), (function, "FunctionNode"))
_here = Path(__file__).parent
# What lies in these is not the user's; `nn` and `optim` are installed beside this package.
LIBRARY = tuple(
    f"{folder}/" for folder in (_here, _here.parent / "nn", _here.parent / "optim", Path(np.__file__).parent)
)
_lock = threading.Lock()
_scopes = 0


class Line(NamedTuple):
    """A line of a program, and the function in which it stands."""

    file: str
    number: int
    function: str

    def __str__(self) -> str:
        path = Path(self.file)
        shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
        text = getline(self.file, self.number).strip()
        inside = "" if self.function == "<module>" else f", in {self.function}"
        return f"{shown}:{self.number}{inside}" + (f": {text}" if text else "")


def user_line(frame: FrameType | None) -> Line | None:
    """The innermost line of the stack from `frame` outwards that is not the library's."""
    while frame is not None and frame.f_code.co_filename.startswith(LIBRARY):
        frame = frame.f_back
    return None if frame is None else Line(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)


class _LinedNode(graph.Node):
    __slots__ = ("line",)

    def __init__(self) -> None:
        self.line = user_line(sys._getframe(1))


class _LinedFunctionNode(FunctionNode):
    __slots__ = ("line",)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.line = user_line(sys._getframe(1))


_LINED: dict[str, type] = {"Node": _LinedNode, "FunctionNode": _LinedFunctionNode}
_PLAIN: dict[str, type] = {"Node": graph.Node, "FunctionNode": FunctionNode}


def switch(change: int) -> None:
    """Open (1) or close (-1) one scope in which lines are traced, in all threads."""
    global _scopes
    with _lock:
        _scopes += change
        classes = _LINED if _scopes else _PLAIN
        for module, name in _MAKERS:
            setattr(module, name, classes[name])


class trace_lines(ContextDecorator):
    """Remember, for each op recorded inside, the line of your program that called it, in all threads.

    Errors of the backward pass, `explain`, `autopsy` and their kin then name it; ``y.grad_fn.line`` is it, None for
    what was recorded outside. Use as ``with ad.trace_lines():`` or ``@ad.trace_lines()``.

    >>> import autodiff as ad
    >>> x = ad.ones(2, requires_grad=True)
    >>> with ad.trace_lines():
    ...     y = x.exp()
    >>> y.grad_fn.line.number
    2
    >>> (y * 2).grad_fn.line is None
    True
    """

    def __enter__(self) -> None:
        switch(1)

    def __exit__(self, *exception: object) -> None:
        switch(-1)

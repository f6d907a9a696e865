"""Runs programs, lines of Python, in two libraries, and says where they disagree."""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from types import CodeType
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
STALE = re.compile("modified by an inplace|has been modified inplace")


@functools.lru_cache(maxsize=1000)
def compiled(line: str) -> CodeType:
    return compile(line, line, "exec")


class Run:
    """A program under way in a library, `m`, whose derivatives are taken by `grad`."""

    def __init__(self, m: Any, grad: Callable[..., Any]) -> None:
        self.m, self.grad = m, grad
        self.names: dict[str, Any] = {"m": m, "leaf": self.leaf, "derivative": self.derivative}
        self.failed = self.derived = False
        self.errors: list[str] = []

    def leaf(self, seed: int, shape: tuple[int, ...]) -> Any:
        return self.m.from_numpy(np.asarray(np.random.default_rng(seed).uniform(-1, 1, shape)))

    def derivative(self, output: Any, input: Any) -> Any:
        self.derived = True
        (found,) = self.grad(output, [input], create_graph=True, allow_unused=True)
        return self.leaf(0, ()) * 0 if found is None else found

    def step(self, line: str) -> str:
        """Run a line: "ok", "stale", "error", or "undefined" if it needs what an error left out. A backward may fail
        once only: how far it came before its error is nobody's promise."""
        if self.failed:
            return "stopped"
        try:
            exec(compiled(line), self.names)
            # PyTorch refuses to write to a view whose base got its history later, unless somebody looked at it.
            for name, x in self.tensors():
                assert name[0] != "w" or x.is_leaf is not None
        except NameError:
            return "undefined"
        except RuntimeError as error:
            self.failed = ".backward(" in line or "derivative(" in line
            return self.error(error, differentiating=self.failed)
        return "ok"

    def error(self, error: RuntimeError, differentiating: bool) -> str:
        self.errors.append(str(error))
        return "stale" if differentiating and STALE.search(str(error)) else "error"

    def tensors(self) -> Iterator[tuple[str, Any]]:
        return ((name, x) for name, x in self.names.items() if name[0] in "vwph" and name[1:].isdigit())

    def state(self) -> dict[str, Any]:
        """Of each tensor the values; of those without quirks whether it requires grad; of leaves .grad too."""
        found: dict[str, Any] = {}
        for name, x in self.tensors():
            found[name] = [values(x)]
            if name[0] in "vw":
                found[name] += [x.requires_grad, x.is_leaf]
                if x.is_leaf and not self.failed:
                    found[name].append(None if x.grad is None else values(x.grad))
        return found

    def gradients(self) -> dict[str, Any]:
        """Derivatives of the last three tensors by all that own their history; derivatives of derivatives by leaves
        only, since by what lies between they depend on how a rule is written: with its input or with its output."""
        if self.failed:
            return {}
        inputs = [x for name, x in self.tensors() if name[0] == "v" and x.requires_grad]
        inputs = [x for x in inputs if x.is_leaf or not self.derived]
        inputs.sort(key=lambda x: not x.is_leaf)
        outputs = [(name, x) for name, x in self.tensors() if name[0] in "vw" and x.requires_grad][-3:]
        return {name: self.derivatives(x, inputs) for name, x in outputs}

    def derivatives(self, output: Any, inputs: list[Any]) -> Any:
        shape = tuple(output.shape)
        weights = self.m.from_numpy(np.cos(np.arange(1.0, 1 + np.prod(shape))).reshape(shape))
        try:
            leaves = [x for x in inputs if x.is_leaf]
            first = self.grad(output, inputs, weights, create_graph=True, allow_unused=True)
            squares = [(g * g).sum() for x, g in zip(inputs, first, strict=True) if x.is_leaf and g is not None]
            second = [None] * len(leaves)
            if squares and (slope := functools.reduce(operator.add, squares)).requires_grad:
                second = self.grad(slope, leaves, retain_graph=True, allow_unused=True)
        except RuntimeError as error:
            return self.error(error, differentiating=True)
        return [
            np.zeros(tuple(x.shape)) if g is None else values(g.detach().clone())
            for x, g in zip([*inputs, *leaves], [*first, *second], strict=True)
        ]


def values(x: Any) -> Array:
    return np.array(x.detach().numpy())


def disagreement(expected: Any, found: Any, path: str = "") -> str:
    """Where two results differ, or nothing. What is None in one may be zeros in the other."""
    if isinstance(expected, dict | list | tuple) and type(expected) is type(found) and len(expected) == len(found):
        pairs = (
            ((key, expected[key], found.get(key)) for key in expected)
            if isinstance(expected, dict)
            else ((i, a, b) for i, (a, b) in enumerate(zip(expected, found, strict=True)))
        )
        return next((text for key, a, b in pairs if (text := disagreement(a, b, f"{path}[{key}]"))), "")
    arrays = [np.zeros(()) if x is None else x for x in (expected, found)]
    if isinstance(arrays[0], np.ndarray) and isinstance(arrays[1], np.ndarray):
        a, b = arrays
        same_shape = a.shape == b.shape or expected is None or found is None
        # Sums of a few dozen terms in another order; second derivatives may be large.
        if same_shape and np.allclose(a, b, rtol=1e-9, atol=1e-10 * (1 + np.max(np.abs(a), initial=0)), equal_nan=True):
            return ""
    elif type(expected) is type(found) and expected == found:
        return ""
    return f"{path}: expected {expected}, found {found}"


def compare(lines: Sequence[str], *libraries: tuple[Any, Callable[..., Any]]) -> tuple[str, list[Run], list[str]]:
    """A program in two libraries: the first disagreement, if any; the two runs; what became of each line."""
    with np.errstate(all="ignore"):
        runs, outcomes = [Run(*library) for library in libraries], []
        for line in lines:
            expected, found = (each.step(line) for each in runs)
            outcomes.append(expected)
            if expected != found:
                return f"{line}: expected {expected}, found {found}", runs, outcomes
        expected, found = (each.state() for each in runs)
        text = disagreement(expected, found, "state")
        if not text:
            expected, found = (each.gradients() for each in runs)
            text = disagreement(expected, found, "gradients")
    return text, runs, outcomes


def shrunk(lines: Sequence[str], fails: Callable[[Sequence[str]], bool]) -> list[str]:
    """The program without the lines that its failure does not need."""
    lines, length = list(lines), None
    while length != len(lines):
        length = len(lines)
        for i in reversed(range(length)):
            if fails(shorter := lines[:i] + lines[i + 1 :]):
                lines = shorter
    return lines

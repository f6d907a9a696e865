"""The naive reference engine: every element is a number of its own, and everything that is read is copied.

A tensor is an array of places in a memory of floats; its base knows, for each place, the number that derivatives go to.
A write replaces the numbers. What PyTorch refuses (saved values that were overwritten; writes to leaves, to pieces of
`unbind`, to views made under `no_grad`) follows the rules that PyTorch states for whole tensors: one version counter for
each memory, and for each derivative the operands that it reads.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

float64 = np.float64
clock = itertools.count()
recording = [True]


class Number:
    """A value, and for each number that it was computed from its derivative, a number made when it is asked for."""

    def __init__(self, value: float, *links: tuple[Number, Callable[[], Number]], tracked: bool = False) -> None:
        self.value, self.order = float(value), next(clock)
        self.links = [(number, slope) for number, slope in links if number.tracked]
        self.tracked = tracked or bool(self.links)

    def copy(self, value: float, tracked: bool = False) -> Number:
        return Number(value, (self, one), tracked=tracked)

    def __add__(self, other: Number) -> Number:
        return Number(self.value + other.value, (self, one), (other, one))

    def __mul__(self, other: Number) -> Number:
        return Number(self.value * other.value, (self, lambda: other), (other, lambda: self))

    def __neg__(self) -> Number:
        return Number(-self.value, (self, lambda: Number(-1)))


def one() -> Number:
    return Number(1)


def copied(numbers: Iterable[Number]) -> list[Number]:
    return [number.copy(number.value, tracked=True) for number in numbers]


def function(value: Callable[[float], float], slope: Callable[[Number, Number], Number]) -> Callable[[Number], Number]:
    """An elementary function and its derivative, given the input and the output."""

    def apply(a: Number) -> Number:
        y = Number(value(a.value), (a, lambda: slope(a, y)))
        return y

    return apply


def clamp(a: Number, low: float, high: float) -> Number:
    return Number(min(max(a.value, low), high), (a, lambda: Number(low <= a.value <= high)))


def maximum_of_two(a: Number, b: Number) -> Number:
    share = (1 + np.sign(a.value - b.value)) / 2
    return Number(max(a.value, b.value), (a, lambda: Number(share)), (b, lambda: Number(1 - share)))


sine = function(math.sin, lambda a, y: cosine(a))
cosine = function(math.cos, lambda a, y: -sine(a))
inverse = function(lambda a: 1 / a, lambda a, y: -(y * y))

# Each function of elements, and what the derivative by each operand reads: operands a and b, the output y.
ELEMENTWISE: dict[str, tuple[Callable[..., Number], tuple[str, ...]]] = {
    "sin": (sine, ("a",)),
    "cos": (cosine, ("a",)),
    "abs": (function(abs, lambda a, y: Number(np.sign(a.value))), ("a",)),
    "square": (function(lambda a: a * a, lambda a, y: a + a), ("a",)),
    "clamp": (clamp, ("a",)),
    "exp": (function(math.exp, lambda a, y: y), ("y",)),
    "tanh": (function(math.tanh, lambda a, y: Number(1) + -(y * y)), ("y",)),
    "sigmoid": (function(lambda a: 1 / (1 + math.exp(-a)), lambda a, y: y * (Number(1) + -y)), ("y",)),
    "relu": (function(lambda a: max(a, 0.0), lambda a, y: Number(a.value > 0)), ("y",)),
    "neg": (lambda a: -a, ("",)),
    "clone": (lambda a: a, ("",)),
    "zero": (lambda a: Number(0), ("",)),
    "fill": (lambda a, b: b, ("", "")),
    "copy": (lambda a, b: b, ("", "")),
    "add": (lambda a, b, alpha=1: a + b * Number(alpha), ("", "")),
    "sub": (lambda a, b, alpha=1: a + -b * Number(alpha), ("", "")),
    "mul": (lambda a, b: a * b, ("b", "a")),
    "div": (lambda a, b: a * inverse(b), ("b", "ab")),
    "maximum": (maximum_of_two, ("ab", "ab")),
}


# What each view does to the array of places.
VIEWS: dict[str, Callable[..., Any]] = {
    "view": lambda places, *shape: places.reshape(shape),
    "reshape": lambda places, *shape: places.reshape(shape),
    "transpose": np.swapaxes,
    "permute": lambda places, *dims: places.transpose(dims),
    "unsqueeze": np.expand_dims,
    "squeeze": np.squeeze,
    "select": lambda places, dim, index: np.moveaxis(places, dim, 0)[index],
    "narrow": lambda places, dim, start, length: places.swapaxes(0, dim)[start : start + length].swapaxes(0, dim),
    "diagonal": np.diagonal,
    "expand": lambda places, *shape: np.broadcast_to(places, shape),
}


class Memory:
    """Floats that any number of tensors lie on, and how often they were written to."""

    def __init__(self, values: Any) -> None:
        self.values, self.version = np.array(values, float).ravel(), 0


class Step:
    """What PyTorch knows of an operation: the steps before it and the memories, at a version, that it will read."""

    def __init__(self, before: Iterable[Step | None], saved: Iterable[tuple[Memory, int]], leaf: Any = None) -> None:
        self.before = [step for step in before if step is not None]
        self.saved, self.leaf, self.order = list(saved), leaf, next(clock)


class Base:
    """What has a history: a number for each float of a memory, and the last step. All views of a tensor share it."""

    def __init__(self, numbers: Iterable[Number], step: Step | None = None) -> None:
        self.numbers, self.step = list(numbers), step


class Tensor:
    """Places in a memory, of any shape, with their base; `made` as a "piece" of a tensor, under "no_grad", or ""."""

    def __init__(self, memory: Memory, places: Any, base: Base, made: str = "") -> None:
        self.memory, self.places, self.base, self.made = memory, places, base, made
        self.shape, self.seen, self.grad = places.shape, memory.version, None

    requires_grad = property(lambda self: self.base.step is not None)
    is_leaf = property(lambda self: not self.requires_grad or self.base.step.leaf is self)

    def numpy(self) -> Any:
        return np.asarray(self.memory.values[self.places])

    def requires_grad_(self) -> Tensor:
        if not self.requires_grad:
            self.base = Base([Number(0, tracked=True) for _ in self.memory.values], Step([], [], leaf=self))
        return self

    def detach(self) -> Tensor:
        return Tensor(self.memory, self.places, Base(map(Number, self.memory.values)))

    def check_use(self) -> None:
        if self.made and self.requires_grad and self.seen != self.memory.version:
            raise RuntimeError("a piece, or a view made under no_grad, of what has been written to since")

    def read(self) -> Any:
        """Copies: the values that lie in memory, the derivatives that go to the numbers of the base."""
        values = self.numpy().ravel()
        if not (recording[0] and self.requires_grad):
            return objects(map(Number, values), self.shape)
        self.check_use()
        numbers = (self.base.numbers[place] for place in self.places.flat)
        return objects((n.copy(value) for n, value in zip(numbers, values, strict=True)), self.shape)

    def view_at(self, places: Any, piece: bool = False) -> Tensor:
        if recording[0]:
            self.check_use()
        made = "no_grad" if not recording[0] else "piece" if piece else self.made
        return Tensor(self.memory, np.asarray(places), self.base, made)

    def write(self, compute: Callable[..., Any], *operands: Any, reads: Sequence[str] = ("", "")) -> Tensor:
        """Replace the numbers at these places by what `compute` makes of them and of the operands."""
        tensors = [operand for operand in operands if isinstance(operand, Tensor)]
        recorded = recording[0] and any(x.requires_grad for x in (self, *tensors))
        if recorded and self.made:
            raise RuntimeError("a write to a piece, or to a view made under no_grad")
        if recorded and self.requires_grad and self.base.step.leaf is not None:
            raise RuntimeError("a write to a leaf that requires grad, or to a view of it")
        if len(set(self.places.flat)) < self.places.size:
            raise RuntimeError("a write to elements that share memory")
        numbers = np.broadcast_to(as_objects(compute(self.read(), *map(numbers_of, operands))), self.shape)
        saved = stamps((self, *operands), reads)[1:]
        self.memory.values[self.places] = values_of(numbers)
        self.memory.version += 1
        if recorded:
            self.base.numbers = copied(self.base.numbers)
            for place, number in zip(self.places.flat, copied(numbers.flat), strict=True):
                self.base.numbers[place] = number
            saved.append([(self.memory, self.memory.version)] if "y" in reads[0] else [])
            self.base.step = Step([self.base.step, *(x.base.step for x in tensors)], itertools.chain(*saved))
        return self

    def __getitem__(self, index: Any) -> Tensor:
        if isinstance(index, list | np.ndarray):
            return made_by(lambda a: a[index], self)
        return self.view_at(self.places[index])

    def __setitem__(self, index: Any, value: Any) -> None:
        self.view_at(self.places[index]).write(lambda a, b: b, value)

    def __matmul__(self, other: Tensor) -> Tensor:
        return made_by(np.matmul, self, other, reads=("b", "a"))

    def __gt__(self, other: float) -> Any:
        return self.numpy() > other

    def backward(self, retain_graph: bool = False) -> None:
        leaves = [step.leaf for step in ancestors(self.base.step) if step.leaf is not None]
        for leaf, gradient in zip(leaves, grad(self, leaves), strict=True):
            leaf.grad = gradient if leaf.grad is None else from_numpy(leaf.grad.numpy() + gradient.numpy())

    def split(self, size: int, dim: int) -> list[Tensor]:
        bounds = list(range(size, self.shape[dim], size))
        return [self.view_at(places, piece=True) for places in np.split(self.places, bounds, dim)]

    def chunk(self, count: int, dim: int) -> list[Tensor]:
        return self.split(max(1, -(-self.shape[dim] // count)), dim)

    def unbind(self, dim: int) -> list[Tensor]:
        return [self.view_at(places, piece=True) for places in np.moveaxis(self.places, dim, 0)]

    def sum(self, dim: int | None = None, keepdim: bool = False) -> Tensor:
        return made_by(lambda a: a.sum(axis=dim, keepdims=keepdim), self)

    def cumsum(self, dim: int) -> Tensor:
        return made_by(lambda a: a.cumsum(dim), self)

    def masked_fill_(self, mask: Any, value: Any) -> Tensor:
        return self.write(lambda a, b: np.where(mask, b, a), value)

    def index_add_(self, dim: int, index: Any, source: Tensor) -> Tensor:
        return self.write(lambda a, b: with_slices(np.add.at, a, dim, index, b), source)

    def index_copy_(self, dim: int, index: Any, source: Tensor) -> Tensor:
        return self.write(lambda a, b: with_slices(np.ndarray.__setitem__, a, dim, index, b), source)

    T = property(lambda self: self.view_at(self.places.T))


def as_objects(numbers: Any) -> Any:
    """An array of numbers, where NumPy left a single one, or the 0 of an empty sum."""
    array = np.empty(np.shape(numbers), object)
    array[...] = numbers
    return objects((n if isinstance(n, Number) else Number(n) for n in array.flat), array.shape)


def objects(numbers: Iterable[Number], shape: tuple[int, ...]) -> Any:
    return np.fromiter(numbers, object).reshape(shape)


def values_of(numbers: Any) -> Any:
    return np.array([number.value for number in numbers.flat]).reshape(numbers.shape)


def numbers_of(operand: Any) -> Any:
    return operand.read() if isinstance(operand, Tensor) else as_objects(Number(operand))


def stamps(operands: Sequence[Any], reads: Sequence[str]) -> list[list[tuple[Memory, int]]]:
    """For each operand its memory and version, if a derivative that somebody needs reads it."""
    tensors = [x if isinstance(x, Tensor) else None for x in operands]
    read = "".join(names for names, x in zip(reads, tensors, strict=False) if x is not None and x.requires_grad)
    return [[(x.memory, x.memory.version)] if x and name in read else [] for name, x in zip("abc", tensors, strict=False)]


def made_by(compute: Callable[..., Any], *operands: Any, reads: Sequence[str] = ("", "")) -> Tensor:
    """A new tensor from arrays of numbers."""
    numbers = as_objects(compute(*map(numbers_of, operands)))
    memory, base = Memory(values_of(numbers)), Base(numbers.flat)
    if recording[0] and any(isinstance(x, Tensor) and x.requires_grad for x in operands):
        saved = [*stamps(operands, reads), [(memory, 0)] if "y" in reads[0] else []]
        before = [x.base.step for x in operands if isinstance(x, Tensor)]
        base.numbers = copied(base.numbers)
        base.step = Step(before, itertools.chain(*saved))
    return Tensor(memory, np.arange(numbers.size).reshape(numbers.shape), base)


def with_slices(change: Callable[[Any, Any, Any], None], a: Any, dim: int, index: Any, b: Any) -> Any:
    result = a.copy()
    change(np.moveaxis(result, dim, 0), index, np.moveaxis(b, dim, 0))
    return result


def declare(name: str, function: Callable[..., Number], reads: tuple[str, ...]) -> None:
    """The method `name` that makes a new tensor, and the method `name_` that writes."""

    def split_at_params(args: tuple[Any, ...], options: dict[str, Any]) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        operands, params = args[: len(reads)], args[len(reads) :]
        return lambda *a: np.frompyfunc(lambda *n: function(*n, *params, **options), len(a), 1)(*a), operands

    def method(*args: Any, **options: Any) -> Tensor:
        compute, operands = split_at_params(args, options)
        return made_by(compute, *operands, reads=reads)

    def method_in_place(*args: Any, **options: Any) -> Tensor:
        compute, (x, *operands) = split_at_params(args, options)
        return x.write(compute, *operands, reads=reads)

    setattr(Tensor, name, method)
    setattr(Tensor, f"{name}_", method_in_place)


for name, view in VIEWS.items():
    setattr(Tensor, name, lambda x, *params, view=view: x.view_at(view(x.places, *params)))
for name, (number_function, what_it_reads) in ELEMENTWISE.items():
    declare(name, number_function, what_it_reads)
for name, symbol in [("add", "add"), ("sub", "sub"), ("mul", "mul"), ("div", "truediv")]:
    setattr(Tensor, f"__{symbol}__", getattr(Tensor, name))
    setattr(Tensor, f"__i{symbol}__", getattr(Tensor, f"{name}_"))
Tensor.__neg__ = Tensor.neg


def from_numpy(array: Any) -> Tensor:
    return Tensor(Memory(array), np.arange(array.size).reshape(array.shape), Base(map(Number, array.flat)))


def tensor(data: Any) -> Any:
    return np.array(data)


def maximum(a: Tensor, b: Tensor) -> Tensor:
    return a.maximum(b)


def where(mask: Any, a: Any, b: Any) -> Tensor:
    return made_by(lambda a, b: np.where(mask, a, b), a, b)


def cat(tensors: Sequence[Tensor]) -> Tensor:
    return made_by(lambda *arrays: np.concatenate(arrays), *tensors)


def stack(tensors: Sequence[Tensor]) -> Tensor:
    return made_by(lambda *arrays: np.stack(arrays), *tensors)


@contextlib.contextmanager
def no_grad() -> Iterator[None]:
    before, recording[0] = recording[0], False
    try:
        yield
    finally:
        recording[0] = before


def ancestors(step: Step | None) -> list[Step]:
    """The step and all before it, oldest first."""
    found, waiting = set(), [step] if step else []
    while waiting:
        step = waiting.pop()
        if step not in found:
            found.add(step)
            waiting.extend(step.before)
    return sorted(found, key=lambda step: step.order)


def grad(
    output: Tensor,
    inputs: Sequence[Tensor],
    weights: Tensor | None = None,
    retain_graph: bool = False,
    create_graph: bool = False,
    allow_unused: bool = True,
) -> list[Tensor]:
    """The derivatives of the sum of weights * output by every element of `inputs`."""
    if output.base.step is None:
        raise RuntimeError("the output does not require grad")
    targets, leading = {x.base.step for x in inputs}, set()
    for step in ancestors(output.base.step):
        if any(earlier in targets or earlier in leading for earlier in step.before):
            leading.add(step)
            if any(memory.version != version for memory, version in step.saved):
                raise RuntimeError("a saved value was overwritten")
    totals: dict[Number, Number] = {}
    seeds = numbers_of(weights) if weights is not None else objects([Number(1)] * output.places.size, output.shape)
    for place, seed in zip(output.places.flat, seeds.flat, strict=True):
        number = output.base.numbers[place]
        totals[number] = totals[number] + seed if number in totals else seed
    waiting = [(-number.order, number) for number in totals]
    heapq.heapify(waiting)
    while waiting:
        _, number = heapq.heappop(waiting)
        for earlier, slope in number.links:
            share = totals[number] * slope()
            share = share if create_graph else Number(share.value)
            if earlier in totals:
                totals[earlier] = totals[earlier] + share
            else:
                totals[earlier] = share
                heapq.heappush(waiting, (-earlier.order, earlier))
    results = []
    for x in inputs:
        numbers = [totals.get(x.base.numbers[place], Number(0)) for place in x.places.flat]
        results.append(made_by(lambda numbers=numbers, shape=x.shape: objects(numbers, shape)))
        if create_graph:
            results[-1].base.step = Step(leading, [])
    return results

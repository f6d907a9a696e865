"""The naive reference engine: every element is a number of its own, and everything that is read is copied.

A tensor is an array of places in a memory of floats; its base knows, for each place, the number that derivatives go to.
A write replaces the numbers. What PyTorch refuses (saved values that were overwritten; writes to leaves, to pieces of
`unbind`, to views made under `no_grad`) follows the rules that PyTorch states for whole tensors: a version counter for
each memory, and for each derivative the operands that it reads.
"""

from __future__ import annotations

import contextlib
import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from tests.engine.numbers import ELEMENTWISE, Number, clock, copied

recording = [True]


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

    def __init__(self, before: Iterable[Step], saved: list[tuple[Memory, int]], leaf: Any = None) -> None:
        self.before, self.saved, self.leaf, self.order = list(before), saved, leaf, next(clock)


class Base:
    """What has a history: a number for each float of a memory, and the last step. All views of a tensor share it."""

    def __init__(self, numbers: Iterable[Number], step: Step | None = None) -> None:
        self.numbers, self.step = list(numbers), step


class Tensor:
    """Places in a memory, of any shape, with their base; `made` as a "piece" of a tensor, under "no_grad", or ""."""

    def __init__(self, memory: Memory, places: Any, base: Base, made: str = "") -> None:
        self.memory, self.places, self.base, self.made = memory, places, base, made
        self.shape, self.grad = places.shape, None

    requires_grad = property(lambda self: self.base.step is not None)
    is_leaf = property(lambda self: not self.requires_grad or self.base.step.leaf is self)
    T = property(lambda self: self.view_at(self.places.T))

    def numpy(self) -> Any:
        return np.asarray(self.memory.values[self.places])

    def requires_grad_(self) -> Tensor:
        if not self.requires_grad:
            self.base = Base([Number(0, tracked=True) for _ in self.memory.values], Step([], [], leaf=self))
        return self

    def detach(self) -> Tensor:
        return Tensor(self.memory, self.places, Base(map(Number, self.memory.values)))

    def read(self) -> Any:
        """Copies: the values that lie in memory, the derivatives that go to the numbers of the base."""
        values = self.numpy().ravel()
        if not (recording[0] and self.requires_grad):
            return objects(map(Number, values), self.shape)
        numbers = (self.base.numbers[place] for place in self.places.flat)
        return objects((n.copy(value) for n, value in zip(numbers, values, strict=True)), self.shape)

    def view_at(self, places: Any, piece: bool = False) -> Tensor:
        made = "no_grad" if not recording[0] else "piece" if piece else self.made
        return Tensor(self.memory, np.asarray(places), self.base, made)

    def write(self, compute: Callable[..., Any], *operands: Any, reads: Sequence[str] = ("", "")) -> Tensor:
        """Replace the numbers at these places by what `compute` makes of them and of the operands."""
        everything = (self, *operands)
        recorded = recording[0] and any(map(needs_grad, everything))
        if recorded and self.made:
            raise RuntimeError("a write to a piece, or to a view made under no_grad")
        if recorded and self.requires_grad and self.base.step.leaf is not None:
            raise RuntimeError("a write to a leaf that requires grad, or to a view of it")
        if len(set(self.places.flat)) < self.places.size:
            raise RuntimeError("a write to elements that share memory")
        numbers = np.broadcast_to(as_objects(compute(*map(numbers_of, everything))), self.shape)
        # Of what is overwritten a derivative gets a copy: it cannot be stale.
        saved = stamps(everything, reads, kept="b")
        self.memory.values[self.places] = values_of(numbers)
        self.memory.version += 1
        if recorded:
            saved += [(self.memory, self.memory.version)] * ("y" in reads[0])
            self.base.numbers = copied(self.base.numbers)
            for place, number in zip(self.places.flat, copied(numbers.flat), strict=True):
                self.base.numbers[place] = number
            self.base.step = Step(steps(everything), saved)
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

    def backward(self, retain_graph: bool) -> None:
        if self.base.step is None:
            raise RuntimeError("a tensor that does not require grad")
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
        return self.write(lambda a, b: changed(np.add.at, a, index, b), source)

    def index_copy_(self, dim: int, index: Any, source: Tensor) -> Tensor:
        return self.write(lambda a, b: changed(np.ndarray.__setitem__, a, index, b), source)


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


def needs_grad(operand: Any) -> bool:
    return isinstance(operand, Tensor) and operand.requires_grad


def stamps(operands: Sequence[Any], reads: Sequence[str], kept: str) -> list[tuple[Memory, int]]:
    """The memory and version of those operands, among `kept`, that the derivative by one that needs it reads."""
    read = "".join(names for names, x in zip(reads, operands, strict=False) if needs_grad(x))
    named = zip("ab", operands, strict=False)
    return [
        (x.memory, x.memory.version) for name, x in named if name in kept and name in read and isinstance(x, Tensor)
    ]


def made_by(compute: Callable[..., Any], *operands: Any, reads: Sequence[str] = ("", "")) -> Tensor:
    """A new tensor from arrays of numbers."""
    numbers = as_objects(compute(*map(numbers_of, operands)))
    memory, base = Memory(values_of(numbers)), Base(numbers.flat)
    if recording[0] and any(map(needs_grad, operands)):
        saved = stamps(operands, reads, kept="ab") + [(memory, 0)] * ("y" in reads[0])
        base = Base(copied(numbers.flat), Step(steps(operands), saved))
    return Tensor(memory, np.arange(numbers.size).reshape(numbers.shape), base)


def steps(operands: Iterable[Any]) -> list[Step]:
    return [operand.base.step for operand in operands if needs_grad(operand)]


def changed(change: Callable[[Any, Any, Any], None], a: Any, index: Any, b: Any) -> Any:
    result = a.copy()
    change(result, index, b)
    return result


def by_element(function: Callable[..., Number], params: Any, options: Any) -> Callable[..., Any]:
    return lambda *arrays: np.frompyfunc(lambda *n: function(*n, *params, **options), len(arrays), 1)(*arrays)


def declare(name: str, function: Callable[..., Number], reads: tuple[str, ...]) -> None:
    """The method `name` that makes a new tensor, and the method `name_` that writes; their params come last."""
    count = len(reads)

    def method(*args: Any, **options: Any) -> Tensor:
        return made_by(by_element(function, args[count:], options), *args[:count], reads=reads)

    def method_in_place(x: Tensor, *args: Any, **options: Any) -> Tensor:
        return x.write(by_element(function, args[count - 1 :], options), *args[: count - 1], reads=reads)

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


tensor, maximum = np.array, Tensor.maximum


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


def ancestors(step: Step) -> list[Step]:
    """The step and all before it, oldest first."""
    found, waiting = set(), [step]
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
    create_graph: bool = False,
    **options: bool,
) -> list[Tensor]:
    """The derivatives of the sum of weights * output by every element of `inputs`."""
    targets, leading = {x.base.step for x in inputs}, set()
    for step in ancestors(output.base.step):
        if any(earlier in targets or earlier in leading for earlier in step.before):
            leading.add(step)
            if any(memory.version != version for memory, version in step.saved):
                raise RuntimeError("a saved value was modified by an inplace operation")
    totals: dict[Number, Number] = {}
    waiting: list[tuple[int, Number]] = []

    def add(number: Number, share: Number) -> None:
        if number not in totals:
            heapq.heappush(waiting, (-number.order, number))
        total = totals[number] + share if number in totals else share
        totals[number] = total if create_graph else Number(total.value)

    seeds = np.ones(output.shape) if weights is None else weights.numpy()
    for place, seed in zip(output.places.flat, seeds.flat, strict=True):
        add(output.base.numbers[place], Number(seed))
    while waiting:
        _, number = heapq.heappop(waiting)
        for earlier, slope in number.links:
            add(earlier, totals[number] * slope())
    return [result(x, totals, Step(leading, []) if create_graph else None) for x in inputs]


def result(x: Tensor, totals: dict[Number, Number], step: Step | None) -> Tensor:
    numbers = [totals.get(x.base.numbers[place], Number(0)) for place in x.places.flat]
    memory = Memory([number.value for number in numbers])
    return Tensor(memory, np.arange(len(numbers)).reshape(x.shape), Base(numbers, step))

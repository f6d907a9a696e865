"""Optimizers whose update treats every number by itself, so that one update serves many parameters at once."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from operator import is_
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.array_utils import byte_bounds

from autodiff.tensor import Array, Tensor, wrap
from autodiff.threads import get_num_threads, share
from autodiff.writes import owner, record_write
from optim.compiled import Loop
from optim.gradients import check_gradients
from optim.options import Group
from optim.per_parameter import PerParameter, State, counter_dtype

# How many numbers one call of `update` works on: so many that NumPy's cost per call does not count, so few that the
# temporaries stay in the cache. Adam over 10M numbers takes 16.8 ms; with half as many 17.1, with twice as many 17.5,
# with temporaries of the parameter's size 50.
BLOCK = 1 << 16
# Threads meet at the interpreter's lock between NumPy's calls: two take up to 17 ms for these 10M numbers in short
# blocks, and 11 in long ones. Compiled loops have no temporaries.
LONG_BLOCK = 1 << 19
# Up to so many numbers the threads would wait for each other longer than they work: over 1M Adam takes 1.4 ms in one
# thread and 1.4 in two, over 1.3M 2.0 and 1.6.
FEW = 20 * BLOCK
# Up to this size, copying a parameter to a buffer and back costs less than an update of its own (30 of them, SGD with
# momentum: 6.8 against 10.4 µs each; at twice the size 13.2 against 12.8).
SMALL = 1 << 13


class Elementwise(PerParameter):
    """An optimizer given by `update`, a formula in place on flat arrays that treats every number by itself.

    Small parameters are gathered into one buffer, where their state stays, and updated together, large ones where they
    lie, block by block. None of it shows: a parameter keeps its memory, and its state consists of tensors of its shape.

    >>> import autodiff as ad
    >>> class SignDescent(Elementwise):
    ...     def update(self, p, g, state, group):
    ...         p -= group["lr"] * np.sign(g)
    >>> w = ad.tensor([3.0, -1.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> SignDescent([w], {"lr": 0.5}).step()
    >>> w.tolist()
    [2.5, -0.5]
    """

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._plans: dict[int, _Plan] = {}

    def loop(self, p: Any, group: Group) -> Loop | None:
        """The compiled loop that `update` calls for arrays like `p`, where there is one."""
        return None

    def update_group(self, group: Group) -> None:
        """Update the parameters of `group` that have a gradient; ValueError for one of another shape or not finite."""
        if self.differentiable:
            super().update_group(group)
            return
        params = [p for p in group["params"] if p.grad is not None]
        arrays = [p.array for p in params]
        plan = self._plans.get(id(group["params"]))
        if plan is None or not plan.fits(params, arrays):
            plan = self._plans[id(group["params"])] = _Plan(params, arrays, [*map(owner, arrays)], _batches(params))
        gradients = [batch.gradient() for batch in plan.batches]
        if not all(map(_finite, gradients)):
            check_gradients(params, self.label)
        for batch, g in zip(plan.batches, gradients, strict=True):
            states = [self.state[p] for p in batch.params]
            if _alike(states, self.numbers):
                self._update_batch(batch, g, states, group)
            else:
                # Some had no gradient for a while, or joined later.
                for p, state in zip(batch.params, states, strict=True):
                    alone = _Batch([p])
                    self._update_batch(alone, alone.gradient(), [state], group)
        record_write(*plan.roots)

    def _update_batch(self, batch: _Batch, g: Any, states: list[State], group: Group) -> None:
        p, known, climb = batch.parameter(), states[0], group.get("maximize")
        numbers = {name: known[name].array.item() for name in self.numbers if name in known}
        before = {name: batch.entry(name, states) for name in known if name not in numbers}
        after = dict(before)

        def update(block: slice) -> None:
            views = {name: values[block] for name, values in before.items()}
            state: State = {**numbers, **views}
            self.update(p[block], -g[block] if climb else g[block], state, group)
            if block.start == 0:
                self._store_numbers(state, batch, states)
                new = [name for name in known if name not in after and name not in self.numbers]
                after.update({name: batch.entry(name, states) for name in new})
            for name, values in after.items():
                if state[name] is not views.get(name):
                    values[block] = state[name]

        # The first block shows which entries the state has; the others have a place for theirs then.
        long = self.loop(p, group) or (p.size > FEW and get_num_threads() > 1)
        first, *others = _blocks(p.size, LONG_BLOCK if long else BLOCK)
        update(first)
        _for_all(update, others, p.size)
        batch.write_back(p)

    def _store_numbers(self, state: State, batch: _Batch, states: list[State]) -> None:
        """Keep the numbers of `state` for each parameter; arrays that are new in it get their memory."""
        for name, value in state.items():
            if name not in states[0]:
                for array, own in zip(batch.arrays, states, strict=True):
                    number = name in self.numbers
                    own[name] = wrap(np.empty((), counter_dtype()) if number else np.empty(array.shape, array.dtype))
            if name in self.numbers:
                for own in states:
                    own[name].array[...] = value


class _Batch:
    """Parameters that one update treats as one flat array: a single one of any size, or small ones of one dtype."""

    def __init__(self, params: list[Tensor]) -> None:
        self.params = params
        self.arrays = [p.array for p in params]
        self._shapes = [array.shape for array in self.arrays]
        self._rows: dict[str, tuple[Array, list[Array]]] = {}

    def gradient(self) -> Array | None:
        """The gradients of the parameters as one flat array; None if one has another shape than its parameter."""
        gradients = [p.grad.array for p in self.params]  # type: ignore[union-attr]
        return self._gathered("the gradient", gradients) if [g.shape for g in gradients] == self._shapes else None

    def parameter(self) -> Array:
        """The parameters as one flat array, which may be a copy: see `write_back`."""
        return self._gathered("the parameter", self.arrays)

    def write_back(self, p: Array) -> None:
        """Store what `parameter` gave, and an update has changed since, in the parameters."""
        if len(self.arrays) > 1:
            _copy(self._row("the parameter")[1], self.arrays)
        elif not np.may_share_memory(p, self.arrays[0]):
            # The array is not contiguous, so that its flat form was a copy.
            self.arrays[0][...] = p.reshape(self.arrays[0].shape)

    def entry(self, name: str, states: list[State]) -> Array:
        """An entry of the states as one flat array, in which the states have their memory from now on."""
        arrays: list[Array] = [state[name].array for state in states]
        if len(arrays) == 1 and arrays[0].flags.c_contiguous:
            return arrays[0].reshape(-1)
        row, parts = self._row(name)
        if not all(map(is_, arrays, parts)):
            _copy(arrays, parts)
            for state, part in zip(states, parts, strict=True):
                state[name].array = part
        return row

    def _gathered(self, name: str, arrays: Sequence[Array]) -> Array:
        if len(arrays) == 1:
            return arrays[0].reshape(-1)
        row, parts = self._row(name)
        _copy(arrays, parts)
        return row

    def _row(self, name: str) -> tuple[Array, list[Array]]:
        """A flat buffer for an entry of the states, or "the gradient", and its views in the parameters' shapes."""
        if name not in self._rows:
            stops = list(accumulate(array.size for array in self.arrays))
            row = np.empty(stops[-1], self.arrays[0].dtype)
            parts = [row[stop - a.size : stop].reshape(a.shape) for a, stop in zip(self.arrays, stops, strict=True)]
            self._rows[name] = row, parts
        return self._rows[name]


class _Plan(NamedTuple):
    """How the parameters of a group that have gradients, and lie in these arrays, are put into batches."""

    params: list[Tensor]
    arrays: list[Array]
    roots: list[Array]
    batches: list[_Batch]

    def fits(self, params: list[Tensor], arrays: list[Array]) -> bool:
        """Whether nothing changed: the same parameters have a gradient, and none was given other memory."""
        same = len(params) == len(self.params) and all(map(is_, params, self.params))
        return same and all(map(is_, arrays, self.arrays))


def _batches(params: list[Tensor]) -> list[_Batch]:
    if _overlap([p.array for p in params]):
        # Those that share memory are updated one after the other, each from what the one before has left.
        return [_Batch([p]) for p in params]
    together: defaultdict[Any, list[Tensor]] = defaultdict(list)
    total = 0
    for p in params:
        if p.array.size > SMALL:
            together[p].append(p)
        else:
            total += p.array.size
            together[p.array.dtype, total // BLOCK].append(p)
    return [_Batch(some) for some in together.values()]


def _overlap(arrays: list[Array]) -> bool:
    """Whether two of the arrays may share memory."""
    ends = sorted(byte_bounds(array) for array in arrays if array.size)
    return any(second[0] < first[1] for first, second in pairwise(ends))


def _alike(states: list[State], numbers: tuple[str, ...]) -> bool:
    """Whether the states have the same entries and their numbers, such as the count of steps, are equal."""
    known = states[0]
    return (
        len(states) == 1
        or not any(states)
        or (
            all(state.keys() == known.keys() for state in states)
            and all(len({state[name].array.item() for state in states}) == 1 for name in numbers if name in known)
        )
    )


def _copy(sources: Sequence[Array], targets: Sequence[Array]) -> None:
    # For 6 arrays of 16 to 256 numbers 0.6 µs; np.concatenate takes 1.3 µs, np.copyto in the place of this 1.5 µs.
    for source, target in zip(sources, targets, strict=True):
        target[...] = source


def _finite(g: Array | None) -> bool:
    """Whether all numbers are finite, so far as sums of their squares show, which may overflow."""
    if g is None:
        return False
    if g.size <= FEW:
        # np.dot would warn of an overflow.
        return math.isfinite(np.vdot(g, g))
    blocks = _blocks(g.size, LONG_BLOCK)
    squares = [0.0] * len(blocks)

    def look(i: int) -> None:
        squares[i] = float(np.vdot(g[blocks[i]], g[blocks[i]]))

    share(look, len(blocks))
    return all(map(math.isfinite, squares))


def _blocks(size: int, most: int) -> list[slice]:
    """The parts in which an array of `size` numbers is updated: the first is short, as the others wait for it."""
    if size <= most:
        return [slice(0, size)]
    left = size - BLOCK
    # Of equal length, in whole vector registers and, where the memory starts at one, whole lines of the cache.
    length = -(-left // (16 * -(-left // most))) * 16
    return [slice(0, BLOCK), *(slice(start, start + length) for start in range(BLOCK, size, length))]


def _for_all(work: Callable[[slice], None], blocks: list[slice], size: int) -> None:
    """Call `work` with each of `blocks`, in several threads where `size`, of the whole array, makes that faster."""
    if size > FEW:
        share(lambda i: work(blocks[i]), len(blocks))
    else:
        for block in blocks:
            work(block)

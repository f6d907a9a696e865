"""Optimizers whose update treats every number by itself, so that one update serves many parameters at once."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from itertools import accumulate, pairwise
from operator import is_
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.array_utils import byte_bounds

from autodiff.tensor import Array, Tensor, wrap
from autodiff.threads import share
from autodiff.writes import record_write
from optim.gradients import check_gradients, gradient
from optim.options import Group
from optim.per_parameter import PerParameter, State, counter_dtype

Buffers = dict[tuple[str, np.dtype[Any]], Array]

# How many numbers one call of `update` works on: so many that NumPy's cost per call does not count, so few that the
# temporaries stay in the cache. Adam over 10M numbers takes 14 ms, 8 with two threads; half as many 14 and 11, twice as
# many 15 and 8; with temporaries of the parameter's size it takes 50.
BLOCK = 1 << 16
# Up to so many blocks the threads would wait for each other longer than they work: over the 235,146 numbers of an MLP
# Adam takes 0.27 ms in one thread and 0.28 in two.
FEW_BLOCKS = 15
# Up to this size, copying a parameter to a buffer and back costs less than an update of its own (30 of them, SGD: 4.2
# against 5.1 µs each; at twice the size 7.3 against 6.4).
SMALL = 1 << 13


class Elementwise(PerParameter):
    """An optimizer given by `update`, a formula in place on flat arrays that treats every number by itself.

    Small parameters are gathered into one buffer and updated together, large ones where they lie, block by block. None
    of it shows: a parameter keeps its memory, and its state consists of tensors of its shape.

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
        self._buffers: Buffers = {}

    def update_group(self, group: Group) -> None:
        """Update the parameters of `group` that have a gradient; ValueError for one of another shape or not finite."""
        if self.differentiable:
            super().update_group(group)
            return
        params = [p for p in group["params"] if p.grad is not None]
        arrays = [p.array for p in params]
        plan = self._plans.get(id(group["params"]))
        if plan is None or not plan.fits(params, arrays):
            plan = self._plans[id(group["params"])] = _Plan(params, arrays, _batches(params, self._buffers))
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
                    alone = _Batch([p], self._buffers)
                    self._update_batch(alone, alone.gradient(), [state], group)
        record_write(*arrays)

    def _update_batch(self, batch: _Batch, g: Any, states: list[State], group: Group) -> None:
        p = batch.flat("parameter", batch.arrays)
        known = states[0]
        numbers = {name: known[name].array.item() for name in self.numbers if name in known}
        before = {name: batch.flat(name, _arrays(states, name)) for name in known if name not in numbers}
        after = dict(before)

        def update(i: int) -> None:
            block = slice(i * BLOCK, (i + 1) * BLOCK)
            views = {name: values[block] for name, values in before.items()}
            state: State = {**numbers, **views}
            self.update(p[block], -g[block] if group.get("maximize") else g[block], state, group)
            if i == 0:
                self._store_numbers(state, batch, states)
                new = [name for name in states[0] if name not in after and name not in self.numbers]
                after.update({name: batch.flat(name, _arrays(states, name)) for name in new})
            for name, values in after.items():
                if state[name] is not views.get(name):
                    values[block] = state[name]

        # The first block shows which entries the state has; the others have a place for theirs then.
        update(0)
        _for_blocks(lambda i: update(i + 1), (p.size - 1) // BLOCK)
        batch.write_back("parameter", p, batch.arrays)
        for name, values in after.items():
            batch.write_back(name, values, _arrays(states, name))

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

    def __init__(self, params: list[Tensor], buffers: Buffers) -> None:
        self.params = params
        self.arrays = [p.array for p in params]
        self._shapes = [array.shape for array in self.arrays]
        self._buffers = buffers
        self._rows: dict[str, tuple[Array, list[Array]]] = {}

    def gradient(self) -> Array | None:
        """The gradients of the parameters as one flat array; None if one has another shape than its parameter."""
        gradients = [gradient(p) for p in self.params]
        return self.flat("gradient", gradients) if [g.shape for g in gradients] == self._shapes else None

    def flat(self, name: str, arrays: Sequence[Array]) -> Array:
        """`arrays`, one for each parameter, as one flat array: the memory of the only one, or the buffer for `name`."""
        if len(arrays) == 1:
            return arrays[0].reshape(-1)
        row, parts = self._row(name)
        _copy(arrays, parts)
        return row

    def write_back(self, name: str, values: Array, arrays: Sequence[Array]) -> None:
        """Store what `flat` gave, and an update has changed since, in `arrays`."""
        if len(arrays) > 1:
            _copy(self._row(name)[1], arrays)
        elif not np.may_share_memory(values, arrays[0]):
            # The array is not contiguous, so that its flat form was a copy.
            arrays[0][...] = values.reshape(arrays[0].shape)

    def _row(self, name: str) -> tuple[Array, list[Array]]:
        """The buffer for `name`, which all batches of a dtype share, and its views in the parameters' shapes."""
        if name not in self._rows:
            dtype = self.arrays[0].dtype
            stops = list(accumulate(array.size for array in self.arrays))
            # Gradients are gathered for all batches before the first is updated.
            shared = None if name == "gradient" else self._buffers.get((name, dtype))
            buffer = np.empty(BLOCK + SMALL, dtype) if shared is None else shared
            self._buffers[name, dtype] = buffer
            parts = [buffer[stop - a.size : stop].reshape(a.shape) for a, stop in zip(self.arrays, stops, strict=True)]
            self._rows[name] = buffer[: stops[-1]], parts
        return self._rows[name]


class _Plan(NamedTuple):
    """How the parameters of a group that have gradients, and lie in these arrays, are put into batches."""

    params: list[Tensor]
    arrays: list[Array]
    batches: Collection[_Batch]

    def fits(self, params: list[Tensor], arrays: list[Array]) -> bool:
        """Whether nothing changed: the same parameters have a gradient, and none was given other memory."""
        same = len(params) == len(self.params) and all(map(is_, params, self.params))
        return same and all(map(is_, arrays, self.arrays))


def _batches(params: list[Tensor], buffers: Buffers) -> list[_Batch]:
    if _overlap([p.array for p in params]):
        # Those that share memory are updated one after the other, each from what the one before has left.
        return [_Batch([p], buffers) for p in params]
    together: defaultdict[Any, list[Tensor]] = defaultdict(list)
    total = 0
    for p in params:
        if p.array.size > SMALL:
            together[p].append(p)
        else:
            total += p.array.size
            together[p.array.dtype, total // BLOCK].append(p)
    return [_Batch(some, buffers) for some in together.values()]


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


def _finite(gradient: Array | None) -> bool:
    """Whether all numbers are finite, so far as sums of their squares show, which may overflow."""
    if gradient is None:
        return False
    wrong: list[int] = []

    def look(i: int) -> None:
        block = gradient[i * BLOCK : (i + 1) * BLOCK]
        if not math.isfinite(np.dot(block, block)):
            wrong.append(i)

    with np.errstate(over="ignore", invalid="ignore"):
        _for_blocks(look, -(-gradient.size // BLOCK))
    return not wrong


def _for_blocks(work: Callable[[int], None], count: int) -> None:
    """Call work(0), ..., work(count - 1), in several threads where that is faster."""
    if count > FEW_BLOCKS:
        share(work, count)
    else:
        for i in range(count):
            work(i)


def _arrays(states: list[State], name: str) -> list[Array]:
    return [state[name].array for state in states]

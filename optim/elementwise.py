"""Optimizers whose update treats every number by itself, so that one update serves many parameters at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from itertools import accumulate, pairwise
from operator import is_
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.lib.array_utils import byte_bounds

from autodiff.dtypes import float32, float64, get_default_dtype
from autodiff.tensor import Array, Tensor, wrap
from autodiff.writes import record_write
from optim.optimizer import Group, Optimizer

State = dict[str, Any]
Buffers = dict[tuple[str, np.dtype[Any]], Array]

# How many numbers one call of `update` works on: so many that NumPy's cost per call does not count, so few that the
# temporaries stay in the cache. Adam over 10M numbers takes 15 ms; with temporaries of the parameter's size, 50 ms.
BLOCK = 1 << 15
# Up to this size, copying a parameter to a buffer and back costs less than an update of its own (30 of them, SGD: 4.2
# against 5.1 µs each; at twice the size 7.3 against 6.4).
SMALL = 1 << 13


class Elementwise(Optimizer):
    """An optimizer given by `update`, a formula in place on flat arrays.

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

    # The entries of the state that are one number for a parameter; all others have the parameter's shape.
    numbers: ClassVar[tuple[str, ...]] = ("step",)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._plans: dict[int, _Plan] = {}
        self._buffers: Buffers = {}

    def update(self, p: Array, g: Array, state: State, group: Group) -> None:
        """Change `p` in place, and `state`, which is empty the first time; the gradient `g` stays as it is."""
        raise NotImplementedError(f"{type(self).__name__} has no formula: define update(self, p, g, state, group)")

    def update_group(self, group: Group) -> None:
        """Update the parameters of `group` that have a gradient; ValueError for a gradient of another shape."""
        params = [p for p in group["params"] if p.grad is not None]
        arrays = [p.array for p in params]
        plan = self._plans.get(id(group))
        if plan is None or not plan.fits(params, arrays):
            plan = self._plans[id(group)] = _Plan(params, arrays, _batches(params, self._buffers))
        for batch in plan.batches:
            states = [self.state[p] for p in batch.params]
            if _alike(states, self.numbers):
                self._update_batch(batch, states, group)
            else:
                # Some had no gradient for a while, or joined later.
                for p, state in zip(batch.params, states, strict=True):
                    self._update_batch(_Batch([p], self._buffers), [state], group)
        record_write(*arrays)

    def _update_batch(self, batch: _Batch, states: list[State], group: Group) -> None:
        p = batch.flat("parameter", batch.arrays)
        g = batch.flat("gradient", batch.gradients())
        known = states[0]
        numbers = {name: known[name].array.item() for name in self.numbers if name in known}
        kept = {name: batch.flat(name, _arrays(states, name)) for name in known if name not in numbers}
        names = tuple(kept)
        for start in range(0, max(p.size, 1), BLOCK):
            block = slice(start, start + BLOCK)
            views = {name: kept[name][block] for name in names}
            state: State = {**numbers, **views}
            self.update(p[block], -g[block] if group.get("maximize") else g[block], state, group)
            for name, value in state.items():
                if name not in known:
                    self._add_entry(name, batch, states)
                if name in self.numbers:
                    for own in states:
                        own[name].array[...] = value
                elif value is not views.get(name):
                    if name not in kept:
                        kept[name] = batch.flat(name, _arrays(states, name))
                    kept[name][block] = value
        batch.write_back("parameter", p, batch.arrays)
        for name, values in kept.items():
            batch.write_back(name, values, _arrays(states, name))

    def _add_entry(self, name: str, batch: _Batch, states: list[State]) -> None:
        # PyTorch's dtype for counters: float32, which counts to 16,777,216, unless the default is float64.
        counter = float64 if get_default_dtype() == float64 else float32
        for array, own in zip(batch.arrays, states, strict=True):
            own[name] = wrap(np.empty((), counter) if name in self.numbers else np.empty(array.shape, array.dtype))

    def restored_state(self, p: Tensor, label: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """A copy of `values`, the saved state of `p`, in its dtype; ValueError if a shape is not that of `p`."""
        state = {}
        for name, value in values.items():
            array = np.array(value.detach() if isinstance(value, Tensor) else value, order="C")
            if name not in self.numbers:
                array = array.astype(p.dtype, copy=False)
            expected = () if name in self.numbers else p.shape
            if array.shape != expected:
                raise ValueError(
                    f"{name!r} of {label} does not fit: expected shape {expected}, the loaded state has {array.shape}"
                )
            state[name] = wrap(array)
        return state


class _Batch:
    """Parameters that one update treats as one flat array: a single one of any size, or small ones of one dtype."""

    def __init__(self, params: list[Tensor], buffers: Buffers) -> None:
        self.params = params
        self.arrays = [p.array for p in params]
        self._shapes = [array.shape for array in self.arrays]
        self._buffers = buffers
        self._rows: dict[str, tuple[Array, list[Array]]] = {}

    def gradients(self) -> list[Array]:
        """The gradients of the parameters; ValueError for one of another shape."""
        gradients = [p.grad.array for p in self.params if p.grad is not None]
        if [g.shape for g in gradients] != self._shapes:
            wrong = next(i for i, g in enumerate(gradients) if g.shape != self._shapes[i])
            raise ValueError(
                f"expected the gradient of a parameter of shape {self._shapes[wrong]} to have that shape, "
                f"got {gradients[wrong].shape}: check what was assigned to its .grad"
            )
        return gradients

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
            buffer = self._buffers.setdefault((name, dtype), np.empty(BLOCK + SMALL, dtype))
            stops = list(accumulate(array.size for array in self.arrays))
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


def _arrays(states: list[State], name: str) -> list[Array]:
    return [state[name].array for state in states]

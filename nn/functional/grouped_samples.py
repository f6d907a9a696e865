"""Convolutions of many samples at once, as `vmap` asks for them: the axis of the samples becomes a part of another.

The input x of a convolution is (N, g, C, *), its weight w (g, O, C, *window) and its output y (N, g, O, *), with g
groups. Where both that are given differ between samples, each sample has groups of its own; where one does, the axis of
the samples belongs to the one that it alone shares with the result: weights of many samples on one x have more outputs.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autodiff.tensor import Array

X, W, Y = "NgC", "gOC", "NgO"


def of_samples(kernel: Callable[..., Array], a_axes: str, b_axes: str, result_axes: str) -> Callable[..., Array]:
    """The form of `kernel`, a function of a, b and perhaps a bias, for those with samples along a first axis."""

    def form(a: Array, b: Array, *bias: Any, size: tuple[int, ...], groups: int, **steps: Any) -> Array:
        in_a, in_b = (x.ndim > len(size) + 2 for x in (a, b))
        samples, where = len(a) if in_a else len(b), "g"
        if in_a and not in_b:
            (where,) = {*a_axes} & {*result_axes} - {*b_axes}
        elif in_b and not in_a:
            (where,) = {*b_axes} & {*result_axes} - {*a_axes}
        a = _joined(a, a_axes, where, groups) if in_a else a
        b = _joined(b, b_axes, where, groups) if in_b else b
        alone = [None for _ in bias]
        if in_a or in_b:
            found = kernel(a, b, *alone, size=size, groups=groups * (samples if where == "g" else 1), **steps)
            y = _parted(found, result_axes, where, groups, samples)
        else:
            # Only the bias differs.
            y = np.stack([kernel(a, b, *alone, size=size, groups=groups, **steps)] * len(bias[0]))
        if bias and bias[0] is not None:
            y += bias[0].reshape(-1, 1, y.shape[2], *(1 for _ in size))
        return y

    return form


def _split(shape: Sequence[int], axes: str, groups: int) -> list[int]:
    """The lengths along three `axes` of what has two, groups and what follows them being one."""
    at = axes.index("g")
    return [*shape[:at], groups, shape[at] // max(groups, 1), *shape[at + 1 : 2]]


def _merged(lengths: Sequence[int], axes: str) -> list[int]:
    at = axes.index("g")
    return [*lengths[:at], lengths[at] * lengths[at + 1], *lengths[at + 2 :]]


def _joined(x: Array, axes: str, where: str, groups: int) -> Array:
    """`x` with its first axis, that of the samples, in front of the one called `where`, and both as one."""
    lengths, at = _split(x.shape[1:], axes, groups), axes.index(where)
    moved = np.moveaxis(x.reshape(len(x), *lengths, *x.shape[3:]), 0, at)
    lengths[at] *= len(x)
    return moved.reshape(*_merged(lengths, axes), *x.shape[3:])


def _parted(y: Array, axes: str, where: str, groups: int, samples: int) -> Array:
    """What `_joined` has joined, with the samples along the first axis again."""
    lengths, at = _split(y.shape, axes, groups * (samples if where == "g" else 1)), axes.index(where)
    lengths[at] //= max(samples, 1)
    apart = y.reshape(*lengths[:at], samples, *lengths[at:], *y.shape[2:])
    return np.moveaxis(apart, at, 0).reshape(samples, *_merged(lengths, axes), *y.shape[2:])

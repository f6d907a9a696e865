"""The rows of windows over which a convolution slides, as matrices that overlap in memory."""

import math
from collections.abc import Iterator
from functools import lru_cache
from itertools import product

import numpy as np

from autodiff.tensor import Array
from nn.functional.window_sums import taps
from nn.functional.windows import BUDGET, reach

Size = tuple[int, ...]


class Rows:
    """Windows on arrays (N, C, *size), `count` of them along each of at least two spatial axes, a row of them a matrix.

    The buffer (samples, groups, rows, C, entries but along the first axis, windows of a row) has each row of the array
    once, with what its windows reach. So the matrix (entries, windows) of k rows is one run of memory, and those of
    neighbours overlap: 3 by 3 windows take three times the memory of the array, not nine.
    """

    def __init__(
        self, shape: Size, window: Size, count: Size,
        *, stride: Size, padding: Size, groups: int, dilation: Size,
    ) -> None:  # fmt: skip
        channels, *size = shape
        self.groups, self.channels, self.step, self.count = groups, channels // groups, stride[0], count[0]
        rows, self.row = reach(count[:1], window[:1], stride[:1], (1,))[0], math.prod(count[1:])
        self.entries = self.channels * math.prod(window)
        self.shape = (groups, rows, self.channels, *window[1:], *count[1:])
        self.moves = []
        axes = [*zip(size, window, stride, padding, dilation, count, strict=True)][1:]
        source, target = taps(size[0], 1, 1, padding[0], 1, rows)[0]
        for parts in product(*([(i, *tap) for i, tap in enumerate(taps(*axis))] for axis in axes)):
            entry, sources, targets = zip(*parts, strict=True)
            self.moves.append(((..., *entry, *targets), (slice(None), slice(None), source, slice(None), *sources)))
        self.inside = target

    def outputs(self, y: Array) -> Array:
        """`y` (N, outputs, *count) as (N, groups, outputs of one, rows, row)."""
        return y.reshape(len(y), self.groups, -1, self.count, self.row)

    def gather(self, x: Array) -> Iterator[tuple[slice, Array]]:
        """For some samples of `x` at a time: which they are, and their matrices.

        These are (samples, groups, rows, entries, row); of the entries those along the first axis come first.
        """
        batch = max(1, min(len(x), BUDGET // (math.prod(self.shape) * x.itemsize)))
        buffer = np.zeros((batch, *self.shape), x.dtype)
        size, steps = x.itemsize, buffer.strides
        matrices = np.ndarray(
            (batch, self.groups, self.count, self.entries, self.row), x.dtype, buffer, 0,
            (*steps[:2], steps[2] * self.step, self.row * size, size),
        )  # fmt: skip
        x = np.moveaxis(x.reshape(len(x), self.groups, self.channels, *x.shape[2:]), 2, 3)
        target = buffer[:, :, self.inside]
        for start in range(0, len(x), batch):
            some = x[start : start + batch]
            for to, source in self.moves:
                target[: len(some)][to] = some[source]
            yield slice(start, start + len(some)), matrices[: len(some)]


rows_of = lru_cache(maxsize=256)(Rows)

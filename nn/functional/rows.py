"""The windows over which a convolution slides, as matrices that overlap in memory."""

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
    """Windows on arrays (N, C, *size), `count` of them along each of at least two spatial axes.

    A buffer has each row of the array once, with the entries of its windows along all axes but the first. Along that
    the windows overlap there as they do in the array, so that 3 by 3 windows take three times its memory, not nine.
    BLAS reads matrices whose rows lie equally far apart, and there are two orders in which these are some:

    - (groups, rows, C, entries, row): k rows are one run of memory, the entries of a row of windows.
    - `by_entry`, (groups, C, entries, rows, row), for stride 1: for each entry along the first axis there is a matrix
      of C times the other entries by all windows. `span` is the highest number of windows in one.
    """

    def __init__(
        self, shape: Size, window: Size, count: Size,
        *, stride: Size, padding: Size, dilation: Size, groups: int, by_entry: bool = False, span: int = 0,
    ) -> None:  # fmt: skip
        (channels, *size), self.groups, self.by_entry = shape, groups, by_entry
        self.channels, row, first = channels // groups, math.prod(count[1:]), window[0] if by_entry else 1
        (rows,) = reach(count[:1], window[:1], stride[:1], dilation[:1])
        lengths = (self.channels, *window[1:], *count[1:])
        entries = self.channels * math.prod(window) // first
        self.shape = (groups, *lengths[: len(window)], rows, *count[1:]) if by_entry else (groups, rows, *lengths)
        together = max((n for n in range(1, count[0] + 1) if count[0] % n == 0 and n * row <= span), default=1)
        self.size = (first, count[0] // together, entries, together * row)
        steps = (dilation[0] * row, together * row, rows * row, 1)
        self.steps = steps if by_entry else (0, math.prod(lengths) * stride[0], row, 1)
        axes = [*zip(size, window, stride, padding, dilation, count, strict=True)][1:]
        source, self.inside = taps(size[0], 1, 1, padding[0], 1, rows)[0]
        self.moves = []
        for parts in product(*([(i, *tap) for i, tap in enumerate(taps(*axis))] for axis in axes)):
            entry, sources, targets = zip(*parts, strict=True)
            self.moves.append(((..., *entry, *targets), (slice(None), slice(None), source, slice(None), *sources)))

    def gather(self, x: Array) -> Iterator[tuple[slice, Array]]:
        """For some samples of `x` at a time: which they are, and their matrices (samples, groups, *size).

        `size` is (first, parts, entries, windows), where the entries of windows along the first axis are either `first`
        or, before all others, among the entries; and the parts have equally many rows of windows.
        """
        batch = max(1, min(len(x), BUDGET // (math.prod(self.shape) * x.itemsize)))
        buffer = np.zeros((batch, *self.shape), x.dtype)
        strides = (*buffer.strides[:2], *(step * x.itemsize for step in self.steps))
        matrices = np.ndarray((batch, self.groups, *self.size), x.dtype, buffer, 0, strides)
        x = np.moveaxis(x.reshape(len(x), self.groups, self.channels, *x.shape[2:]), 2, 3)
        target = np.moveaxis(buffer, x.ndim - 1, 2) if self.by_entry else buffer
        for start in range(0, len(x), batch):
            some = x[start : start + batch]
            for to, source in self.moves:
                target[: len(some), :, self.inside][to] = some[source]
            yield slice(start, start + len(some)), matrices[: len(some)]


rows_of = lru_cache(maxsize=256)(Rows)

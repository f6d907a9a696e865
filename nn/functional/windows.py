"""The windows over which a convolution slides, laid out as columns of matrices: what it does beside multiplying."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from autodiff.tensor import Array

Lengths = Sequence[int]
# So many bytes of columns at a time are made, multiplied and forgotten while they are in the cache.
BUDGET = 1 << 19


def reach(count: Lengths, kernel: Lengths, stride: Lengths, dilation: Lengths) -> tuple[int, ...]:
    """How far `count` windows reach along each axis."""
    return tuple((o - 1) * s + (k - 1) * d + 1 for o, k, s, d in zip(count, kernel, stride, dilation, strict=True))


class Windows:
    """Windows on arrays (N, C, *size), `count` of them along each spatial axis, and buffers for their columns.

    The columns of a sample are the matrix (C * entries of a window, windows), in `groups` of channels. They are built
    an axis at a time, the last one first, where alone the runs of memory are short: 3 by 3 windows on 32 by 32
    entries in two steps take half as long as in one. Entries that the windows reach outside of the array are 0.
    """

    def __init__(
        self, shape: Lengths, kernel: Lengths, count: Lengths, dtype: Any,
        *, stride: Lengths, padding: Lengths, dilation: Lengths, groups: int,
    ) -> None:  # fmt: skip
        samples, channels, *size = shape
        self.samples, self.channels, self.groups, self.count = samples, channels, groups, tuple(count)
        self.rows = channels // groups * math.prod(kernel)
        frame = reach(count, kernel, stride, dilation)
        starts = [max(0, -p) for p in padding]
        stops = [max(a, min(n, f - p)) for a, n, f, p in zip(starts, size, frame, padding, strict=True)]
        spans = [*zip(starts, stops, padding, strict=True)]
        self.inside: tuple[Any, ...] = (..., *(slice(a, b) for a, b, _ in spans))
        self.place: tuple[Any, ...] = (..., *(slice(a + p, b + p) for a, b, p in spans))
        self.covered = all(a == 0 and b == n for (a, b, _), n in zip(spans, size, strict=True))
        nbytes = channels * math.prod(kernel) * math.prod(count) * dtype.itemsize
        self.batch = max(1, min(samples, BUDGET // nbytes))
        self.tile = max(1, min(count[0], count[0] * BUDGET // nbytes))
        self._make_buffers((self.batch, channels, *frame), [*zip(kernel, stride, dilation, strict=True)], dtype)
        # Where windows are single entries side by side, the array is its own columns.
        self.direct = not self.stages and self.first is None and self.covered and frame == tuple(size)

    def _make_buffers(self, shape: Lengths, steps: Sequence[tuple[int, int, int]], dtype: Any) -> None:
        """The frame, and for each axis with windows a buffer, the windows' view of it, and the next buffer."""
        self.frame = source = np.zeros(shape, dtype)
        self.stages: list[tuple[Array, Array, Array]] = []
        axis = source.ndim - 1
        for i in reversed(range(len(steps))):
            (k, s, d), lengths, strides = steps[i], [*source.shape], [*source.strides]
            strides.insert(2, strides[axis] * d)
            strides[axis + 1] *= s
            lengths[axis] = self.count[i]
            lengths.insert(2, k)
            view = np.ndarray(lengths, dtype, source, 0, strides)
            if (k, s) == (1, 1):
                source = view
                continue
            if i == 0:
                lengths[axis + 1] = self.tile
            self.stages.append((source, view, np.empty(lengths, dtype)))
            source = self.stages[-1][2]
        # The windows along the first axis are built a tile of them at a time.
        self.first = self.stages.pop() if steps[0][:2] != (1, 1) else None
        if self.first is None:
            self.tile = self.count[0]
        self.columns = source

    def _batches(self) -> Iterator[tuple[slice, int]]:
        for start in range(0, self.samples, self.batch):
            stop = min(start + self.batch, self.samples)
            yield slice(start, stop), stop - start

    def _tiles(self, batch: int) -> Iterator[tuple[slice, Array, Array, Array]]:
        """Some windows of some samples: which, their view, their buffer, and this as a matrix (rows, windows)."""
        each = math.prod(self.count[1:])
        view = self.columns if self.first is None else self.first[1]
        before = (slice(batch), *(slice(None),) * (view.ndim // 2))
        for start in range(0, self.count[0], self.tile):
            stop = min(start + self.tile, self.count[0])
            buffer = self.columns[(*before, slice(stop - start))]
            matrix = buffer.reshape(batch, self.groups, self.rows, (stop - start) * each)
            yield slice(start * each, stop * each), view[(*before, slice(start, stop))], buffer, matrix

    def gather(self, x: Array) -> Iterator[tuple[slice, slice, Array]]:
        """For some samples and some windows of `x` at a time: which they are, and their columns."""
        for samples, batch in self._batches():
            if self.direct:
                yield samples, slice(None), x[samples].reshape(batch, self.groups, self.rows, -1)
                continue
            self.frame[:batch][self.place] = x[samples][self.inside]
            for _, view, columns in self.stages:
                columns[:batch] = view[:batch]
            for part, view, columns, matrix in self._tiles(batch):
                if self.first is not None:
                    columns[...] = view
                yield samples, part, matrix

"""Resampling along an axis: each entry of the result is a weighted sum of some of the entries."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from autodiff.op import Recorder
from autodiff.recorders import multilinear
from autodiff.tensor import Array


@dataclass(frozen=True, eq=False)
class Table:
    """Which entries of an axis of some `length`, `index`, and by which `weights`, both (terms, entries of the result).

    Terms with the weight 0 are left out: an infinite entry, or a NaN, reaches only results that it is a part of.
    """

    index: Array
    weights: Array
    length: int

    @cached_property
    def adjoint(self) -> "Table":
        """The table of the transposed matrix."""
        used = self.weights != 0
        source, weights = self.index[used], self.weights[used]
        target = np.broadcast_to(np.arange(self.index.shape[1]), self.index.shape)[used]
        order = np.argsort(source, kind="stable")
        counts = np.bincount(source, minlength=self.length)
        source = source[order]
        term = np.arange(len(source)) - (np.cumsum(counts) - counts)[source]
        shape = (counts.max(initial=0), self.length)
        table = Table(np.zeros(shape, np.int64), np.zeros(shape), self.index.shape[1])
        table.index[term, source], table.weights[term, source] = target[order], weights[order]
        return table

    @cached_property
    def copies(self) -> bool:
        """Whether each entry of the result is one entry as it is."""
        return len(self.weights) == 1 and bool((self.weights == 1).all())


def _resample_kernel(x: Array, axis: int, table: Table) -> Array:
    """Along `axis`, counted from the last one, -1."""
    if table.copies:
        return np.asarray(x.take(table.index[0], axis))
    # Sums of numbers in float16 are added up in float32.
    dtype = np.result_type(x, np.float32)
    axis %= x.ndim
    out: Array = np.zeros((*x.shape[:axis], table.index.shape[1], *x.shape[axis + 1 :]), dtype)
    for index, weights in zip(table.index, table.weights.astype(dtype), strict=True):
        used: Any = slice(None) if weights.all() else np.flatnonzero(weights)
        part, weights = x.take(index[used], axis), weights[used]
        if not (weights == 1).all():
            part = part * weights.reshape(-1, *(1,) * (x.ndim - 1 - axis))
        out[(*(slice(None),) * axis, used)] += part
    rounded: Array = out.astype(x.dtype, copy=False)
    return rounded


resample: Recorder = multilinear(
    "resample",
    _resample_kernel,
    vjp=lambda g, y, x, axis, table: resample.rule(g, axis=axis, table=table.adjoint),
    batched=_resample_kernel,
    doc="Weighted sums of entries along an axis, which a table names; the derivative is that of the adjoint table.",
)

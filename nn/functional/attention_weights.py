"""The op behind attention: the softmax of the scaled products of all queries and keys, with its derivatives.

What is computed at once is a few entries of the leading axis, so that scores stay in the cache between the product, the
mask and the softmax. On 16 · 4 heads of 256 positions that takes two thirds of the time of the same steps as ops.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from autodiff.domain import Interval
from autodiff.op import Recorder
from autodiff.ops.products import matmul
from autodiff.ops.reduction import wide
from autodiff.recorders import operation
from autodiff.tensor import Array

MODERATE = Interval(-3, 3)
# The scores that are computed at once: 1 MB of float32.
BLOCK = 262144
# Scores in ±40 need no maximum subtracted: their exponentials, from 4e-18 to 2e17, and sums of them fit in a float32.
SMALL = 40.0


def _parts(shape: tuple[int, ...]) -> Iterator[Any]:
    """Indices of parts along the first axis of an array that has leading axes and more than a block of numbers."""
    size = math.prod(shape)
    if len(shape) < 3 or size <= BLOCK:
        yield ...
        return
    step = max(1, BLOCK * shape[0] // size)
    for start in range(0, shape[0], step):
        yield slice(start, start + step)


def _part(x: Array, part: Any, shape: tuple[int, ...]) -> Array:
    """The part of an operand that broadcasts to `shape`."""
    return x[part] if x.ndim == len(shape) and x.shape[0] == shape[0] else x


def _are_small(q: Array, k: Array, mask: Array | None) -> bool:
    """Whether no score can be beyond ±40, other than -inf by the mask; by |q · k| ≤ ‖q‖ ‖k‖."""
    if q.dtype.kind == "c" or k.dtype.kind == "c":
        return False
    bound = math.prod(math.sqrt(np.max(np.einsum("...i,...i->...", x, x))) for x in (q, k))
    if mask is not None and bound <= SMALL:
        bound += float(np.max(np.abs(np.where(mask == -np.inf, 0, mask))))
    return bound <= SMALL


def _softmax_in_place(s: Array, small: bool, safe: bool) -> None:
    if not small:
        peak = np.max(s, -1, keepdims=True)
        if s.dtype.kind == "f":
            # A row all -inf stays so, and has the sum 0.
            peak = np.maximum(peak, np.finfo(s.dtype).min)
        np.subtract(s, peak, out=s)
    np.exp(s, out=s)
    # As a product of BLAS: a third of the time of np.sum.
    sums = np.dot(s, np.ones(s.shape[-1], s.dtype))[..., None]
    if safe:
        sums[sums == 0] = 1
    with np.errstate(invalid="ignore"):
        s /= sums


def _kernel(q: Array, k: Array, mask: Array | None, scale: float, safe: bool) -> Array:
    dtype = np.result_type(q, k)
    q, k = wide(q) * scale, wide(k)
    shape = (*np.broadcast_shapes(q.shape[:-2], k.shape[:-2]), q.shape[-2], k.shape[-2])
    y = np.empty(shape, q.dtype if mask is None else np.result_type(q, wide(mask)))
    if y.size:
        small = _are_small(q, k, mask)
        for part in _parts(shape):
            s = y[part]
            np.matmul(_part(q, part, shape), _part(k, part, shape).mT, out=s)
            if mask is not None:
                s += _part(mask, part, shape)
            _softmax_in_place(s, small, safe)
    return y.astype(dtype) if dtype.char == "e" else y


def _slope_kernel(g: Array, y: Array) -> Array:
    dtype, g, y = g.dtype, wide(g), wide(y)
    out = np.empty(np.broadcast_shapes(g.shape, y.shape), np.result_type(g, y))
    for part in _parts(out.shape):
        h, p, to = (_part(x, part, out.shape) for x in (g, y, out))
        np.multiply(h, p, out=to)
        sums = np.dot(to, np.ones(to.shape[-1], to.dtype))[..., None]
        np.subtract(h, sums, out=to)
        np.multiply(to, p, out=to)
    return out.astype(dtype) if dtype.char == "e" else out


def _slope_by_weights(g: Any, y: Any, a: Any, b: Any) -> Any:
    """By the weights b of b (a - Σ a b)."""
    return g * (a - np.sum(a * b, axis=-1, keepdims=True)) - a * np.sum(g * b, axis=-1, keepdims=True)


softmax_slope: Recorder = operation(
    "softmax_slope",
    _slope_kernel,
    vjp=(lambda g, y, a, b: softmax_slope.rule(g, b), _slope_by_weights),
    batched=_slope_kernel,
    saves=("b", "a b"),
    domain=MODERATE,
    doc="b (a - Σ a b) along the last axis: the gradient of what a softmax b was taken of, given that of b.",
)


def _rule(g: Any, y: Any, q: Any, k: Any, mask: Any, needs: Any, scale: float, safe: bool) -> Any:
    g = softmax_slope.rule(g, y)
    by_q = matmul.rule(g, k) * scale if needs[0] else None
    by_k = matmul.rule(np.swapaxes(g, -1, -2), q) * scale if needs[1] else None
    return by_q, by_k, g


attention_weights: Recorder = operation(
    "attention_weights",
    _kernel,
    arity=3,
    joint=_rule,
    batched=_kernel,
    saves="y q k",
    domain=MODERATE,
    analytic=False,
    doc="softmax(scale q kᵀ + mask) for q (..., L, E), k (..., S, E) and a mask that broadcasts to (..., L, S), "
    "or None. If `safe`, a row that the mask makes -inf all along has the weights 0, else NaN.",
)

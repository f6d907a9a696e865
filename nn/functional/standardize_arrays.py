"""`standardize` on plain arrays: its kernel, and its rule with what the kernel has computed.

What is taken together is a column of a matrix (samples, channels), or what one index in the middle of (samples,
channels, inner) selects, or, if the channels of a sample are in groups, a row of a matrix. Statistics are vectors.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from autodiff.ops.reduction import ROW, wide
from autodiff.ops.shape import sum_rows
from autodiff.tensor import Array
from autodiff.threads import share

View = tuple[int, int, int]
# The deviations, which of large arrays are computed again: memory for them costs more time; the factors; the means.
Memo = tuple[Array | None, Array, Array | None]
# Up to so many numbers what counts is the number of calls.
LARGE = 4096
# Larger arrays are computed in parts of so many numbers, which threads share.
PART = 2**19
# From so many numbers, and rows so long, on NumPy broadcasts faster without its buffers.
MANY, LONG = 2**15, 512


class Layout(NamedTuple):
    """How the numbers of a view lie."""

    shape: tuple[int, ...]  # in which they are taken together
    groups: int | None  # the rows of a sample; None if it is not cut into rows
    each: float  # 1 / the numbers that are taken together
    sample: tuple[int, ...]  # the shape of one
    parameter: tuple[int, ...]  # of one number a channel, beside a sample
    long: bool  # whether one number is broadcast along many


@lru_cache(maxsize=256)
def layout(view: View, groups: int | None) -> Layout:
    """The layout of (samples, channels, inner) with the channels of a sample in `groups`, or all samples together."""
    samples, channels, inner = view
    sample, parameter = ((channels,), (channels,)) if inner == 1 else ((channels, inner), (channels, 1))
    count = samples * inner if groups is None else channels // groups * inner
    shape = (samples, *sample) if groups is None else (samples * groups, count)
    return Layout(shape, groups, 1 / max(count, 1), sample, parameter, min(shape[-1], sample[-1]) >= LONG)


@lru_cache(maxsize=256)
def number(value: float, dtype: Any) -> Array:
    """An array of one number: times 128 others it takes 0.3 µs, where a float takes 0.9."""
    return np.array(value, dtype)


@lru_cache(maxsize=64)
def _filled(count: int, value: float, dtype: Any) -> Array:
    return np.full(count, value, dtype)


def _row_sums(x: Array, each: float = 1.0) -> Array:
    """The sums over the last axis times `each`, of long rows by blocks, since a running sum loses digits."""
    n = x.shape[-1]
    if n < 2 * ROW:
        weights = _filled(n, each, x.dtype)
        found: Array = x.dot(weights) if x.ndim == 2 else np.vecdot(x, weights)
        return found
    whole = n // ROW * ROW
    found = _row_sums(_row_sums(x[..., :whole].reshape(*x.shape[:-1], -1, ROW), each))
    return found + _row_sums(x[..., whole:], each) if whole < n else found


def sums(x: Array, own: Layout, each: float = 1.0) -> Array:
    """The sums of what is taken together, times `each`."""
    if own.groups is None and x.ndim == 2:
        columns: Array = _filled(len(x), each, x.dtype).dot(x)
        return columns
    rows = _row_sums(x, each)
    return sum_rows(rows) if own.groups is None else rows


def sums_of_products(a: Array, b: Array, own: Layout, each: float = 1.0) -> Array:
    """`sums` of a · b, which are not put into memory where they are many."""
    columns = own.groups is None and a.ndim == 2
    if a.ndim == 2 and a.size <= LARGE:
        return sums(a * b, own, each)
    found: Array = np.einsum("oc,oc->c", a, b) if columns else np.vecdot(a, b)
    if own.groups is None and not columns:
        found = sum_rows(found)
    return found if each == 1 else np.multiply(found, number(each, found.dtype), out=found)


def _beside(statistic: Array, x: Array, own: Layout) -> Array:
    """A statistic in a shape that broadcasts with the data `x`."""
    return statistic if own.groups is None and x.ndim == 2 else statistic[:, None]


def _scaled(x: Array, factor: Array, weight: Any, own: Layout, out: Any) -> Array:
    """x · factor · weight, for a factor for what is taken together and a weight a channel, in the shape of samples."""
    if own.groups is None or weight is None:
        scaled: Array = np.multiply(x, _beside(factor if weight is None else factor * weight, x, own), out)
        return scaled if own.groups is None else scaled.reshape(-1, *own.sample)
    if own.groups == 1 and x.size <= LARGE:
        # As a product of matrices these take 0.8 µs for 32 and 64 numbers, by broadcasting 1.6.
        both = factor[:, None].dot(weight[None])
    else:
        both = factor.reshape(-1, own.groups, 1) * weight.reshape(own.groups, -1)
    out = out if out is None else out.reshape(-1, *own.sample)
    scaled = np.multiply(x.reshape(-1, *own.sample), both.reshape(-1, *own.parameter), out)
    return scaled


def _at_once(size: int, own: Layout) -> bool:
    return size <= MANY or (size <= PART and not own.long)


def _in_parts(work: Callable[[slice, Any], Any], own: Layout) -> list[Any]:
    """What `work` gives for a part of the statistics, and the index of the data from which they are, for all parts."""
    together = own.groups or 1
    length = own.shape[0] // together if own.groups else own.shape[1]
    # Columns of a matrix lie too far apart for the cache.
    columns = own.groups is None and len(own.shape) == 2
    step = length if columns else min(length, max(1, PART * length // math.prod(own.shape)))
    found: list[Any] = [None] * -(-length // step)

    def take(i: int) -> None:
        part = slice(i * step * together, (i + 1) * step * together)
        with _unbuffered(own.long):
            found[i] = work(part, part if own.groups else (slice(None), part))

    share(take, len(found))
    return found


def _joined(parts: Sequence[Any]) -> Any:
    return None if parts[0] is None else np.concatenate(parts)


@contextmanager
def _unbuffered(long: bool) -> Iterator[None]:
    """A block in which NumPy, if rows are `long`, does not copy what it broadcasts to its buffer first.

    (1024, 1024) minus (1024, 1) takes 0.11 ms so, where it takes 0.2 with NumPy 2.4; (16384, 64) minus (64,) 0.53 and
    0.14, because each row is then a call of the inner loop.
    """
    before = np.setbufsize(16) if long else np.getbufsize()
    try:
        yield
    finally:
        np.setbufsize(before)


def standardized(
    x: Array, weight: Any, bias: Any, view: View, groups: int | None, eps: float, centred: bool
) -> tuple[Array, Memo, tuple[Any, Array]]:
    """The output; what the rule needs; the means, None if not `centred`, and the biased variances."""
    own = layout(view, groups)
    numbers = wide(x).reshape(own.shape)
    weight = weight if weight is None else wide(weight).reshape(-1)
    bias = bias if bias is None else wide(bias).reshape(own.parameter)
    if _at_once(numbers.size, own):
        y, factors, mean, var, deviations = _forward(numbers, weight, bias, own, eps, centred)
    else:
        y = np.empty(own.shape, numbers.dtype)

        def work(part: slice, at: Any) -> tuple[Any, ...]:
            w, b = (a if a is None or groups else a[part] for a in (weight, bias))
            return _forward(numbers[at], w, b, own, eps, centred, y[at])[1:4]

        deviations = None
        factors, mean, var = map(_joined, zip(*_in_parts(work, own), strict=True))
    return y.reshape(x.shape).astype(x.dtype, copy=False), (deviations, factors, mean), (mean, var)


def _forward(
    x: Array, weight: Any, bias: Any, own: Layout, eps: float, centred: bool, out: Any = None
) -> tuple[Array, Array, Any, Array, Any]:
    d, mean = x, None
    if centred:
        mean = sums(x, own, own.each)
        d = np.subtract(x, _beside(mean, x, own), out)
    var = sums_of_products(d, d, own, own.each)
    factor = np.sqrt(var + number(eps, var.dtype))
    np.divide(number(1.0, var.dtype), factor, factor)
    y = _scaled(d, factor, weight, own, out)
    if bias is not None:
        y += bias
    return y, factor, mean, var, d


def slopes(
    g: Array, x: Array, memo: Memo, weight: Any, view: View, groups: int | None, needed: bool
) -> tuple[Any, Array, Array]:
    """The gradients of the input, unless it is not `needed`, of the weight and of the bias."""
    deviations, factors, means = memo
    centred = means is not None
    own = layout(view, groups)
    gradient = wide(g).reshape(own.shape)
    weight = weight if weight is None else wide(weight).reshape(-1)
    if deviations is not None:
        slope, of_weight, of_bias = _backward(gradient, deviations, factors, weight, own, centred, needed)
    else:
        slope, numbers = np.empty(own.shape, gradient.dtype), wide(x).reshape(own.shape)

        def work(part: slice, at: Any) -> tuple[Array, Array]:
            w = weight if weight is None or groups else weight[part]
            d = numbers[at] if means is None else numbers[at] - _beside(means[part], numbers, own)
            return _backward(gradient[at], d, factors[part], w, own, centred, needed, slope[at])[1:]

        of_weight, of_bias = map(sum if groups else _joined, zip(*_in_parts(work, own), strict=True))
    return slope if slope is None else slope.reshape(g.shape), of_weight, of_bias


def _backward(
    g: Array, d: Array, factor: Array, weight: Any, own: Layout, centred: bool, needed: bool, out: Any = None
) -> tuple[Any, Array, Array]:
    size = factor
    if own.groups is None:
        of_weight = two = sums_of_products(g, d, own) * factor
        of_bias = one = sums(g, own)
        if weight is not None:
            size, weight = factor * weight, None
    else:
        of_weight, of_bias, one, two = _sums_by_group(g, d, factor, weight, own)
        two *= factor
    if not needed:
        return None, of_weight, of_bias
    slope = _scaled(g, size, weight, own, out).reshape(g.shape)
    mean = size * number(own.each, size.dtype)
    bend = two * factor
    bend *= mean
    slope -= d * _beside(bend, d, own)
    if centred:
        slope -= _beside(one * mean, d, own)
    return slope, of_weight, of_bias


def _sums_by_group(g: Array, d: Array, factor: Array, weight: Any, own: Layout) -> tuple[Array, ...]:
    """The gradients of weight and bias, and the sums over each row of g · weight and of g · weight · d."""
    g, d = g.reshape(-1, *own.sample), d.reshape(-1, *own.sample)
    each, products = (g, g * d) if g.ndim == 2 else (_row_sums(g), np.vecdot(g, d))
    weight = _filled(each.shape[1], 1.0, g.dtype) if weight is None else weight
    if own.groups == 1:
        return factor.dot(products), sum_rows(each), each.dot(weight), products.dot(weight)
    groups = own.groups or 1
    shape, weight = (len(each), groups, -1), weight.reshape(groups, -1)
    one, two = (np.vecdot(a.reshape(shape), weight).reshape(-1) for a in (each, products))
    of_weight = np.add.reduce(products.reshape(shape) * factor.reshape(-1, groups, 1), 0)
    return of_weight.reshape(-1), sum_rows(each), one, two

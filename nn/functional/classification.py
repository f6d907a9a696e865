"""Losses of class scores: `nll_loss` and `cross_entropy`."""

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

import autodiff as ad
from autodiff.op import OpError, describe
from autodiff.tensor import Array, Tensor, as_array, wrap
from nn.functional.class_ops import cross_entropy_at, weighted_sum_at
from nn.functional.linear import linear
from nn.functional.operands import arrays_of
from nn.functional.reduction import check_reduction, chosen, reduced

_UNSIGNED = {size: np.dtype(f"u{size}") for size in (1, 2, 4, 8)}


class Targets(NamedTuple):
    """Where the scores of the target classes are, and what each target counts for."""

    at: Array  # counted in row-major order
    kept: Any  # False for the targets that are ignored; True alone if none is
    weights: Any  # the weight of each target's class, 0 for those ignored; 1.0 alone if it is the same for all
    total: Any  # what the sum of the losses is divided by: a number, an array where it differs inside vmap


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Minus the log-probability of the target class, of log-probabilities (C), (N, C) or (N, C, d1, ...).

    `target` holds class indices of shape (), (N) or (N, d1, ...); `weight` (C) multiplies the losses of each class, and
    "mean" divides by the sum of the weights used. Targets equal to `ignore_index` count nothing. OpError for other
    shapes and dtypes, IndexError for indices outside 0 to C - 1.

    >>> import autodiff as ad
    >>> nll_loss(ad.tensor([[-0.5, -1.5], [-2.0, -0.1]]), ad.tensor([0, 1]))
    tensor(0.3000)
    """
    reduction = chosen(reduction, size_average, reduce)
    x, t = arrays_of("nll_loss", input, target)
    targets = _targets("nll_loss", x, t, weight, ignore_index, reduction)
    if reduction == "none":
        return _losses(input, targets)
    return _total(weighted_sum_at(input, at=targets.at, weights=_factors(targets)), targets)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Minus the log-probability of the target class, of scores (C), (N, C) or (N, C, d1, ...) before softmax.

    `target` holds class indices as in `nll_loss`, or probabilities in the shape of the input, whose "mean" divides by
    their number N · d1 · .... `label_smoothing` spreads that part of each target evenly over all classes. Errors as in
    `nll_loss`, and ValueError for a `label_smoothing` outside 0 to 1.

    >>> import autodiff as ad
    >>> cross_entropy(ad.tensor([[2.0, 0.0], [0.0, 2.0]]), ad.tensor([0, 1]))
    tensor(0.1269)
    """
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy expected label_smoothing from 0 to 1, got {label_smoothing!r}")
    reduction = chosen(reduction, size_average, reduce)
    x, t = arrays_of("cross_entropy", input, target)
    axis = _class_axis(x)
    if t.dtype.kind == "f" and t.shape == x.shape:
        if ignore_index >= 0:
            raise ValueError("cross_entropy: ignore_index is for targets that are class indices, not probabilities")
        target = target * (1 - label_smoothing) + label_smoothing / x.shape[axis] if label_smoothing else target
        return reduced(-(_weighted(ad.log_softmax(input, axis), weight, axis) * target).sum(axis), reduction)
    targets = _targets("cross_entropy", x, t, weight, ignore_index, reduction)
    if reduction != "none" and not label_smoothing:
        return _total(cross_entropy_at(input, axis=axis, at=targets.at, weights=_factors(targets)), targets)
    scores = ad.log_softmax(input, axis)
    losses = _losses(scores, targets)
    if label_smoothing:
        even = -_weighted(scores, weight, axis).mean(axis) * _constant(targets.kept, input)
        losses = (1 - label_smoothing) * losses + label_smoothing * even
    return losses if reduction == "none" else _total(losses.sum() / _constant(_divisor(targets), input), targets)


def _class_axis(x: Array) -> int:
    return 0 if x.ndim == 1 else 1


def _targets(name: str, x: Array, t: Array, weight: Tensor | None, ignore_index: int, reduction: str) -> Targets:
    axis = _class_axis(x)
    if t.dtype.kind not in "iu" or not x.ndim or t.shape != x.shape[:axis] + x.shape[axis + 1 :]:
        raise _bad_target(name, x, t)
    check_reduction(reduction)
    classes = x.shape[axis]
    kept: Any = True
    weights: Any = 1.0
    if ignore_index >= 0 or _largest(t) >= classes:
        kept = as_array(t != ignore_index)
        t = np.where(kept, t, 0)
        if t.size and not 0 <= t.min() <= t.max() < classes:
            raise IndexError(
                f"{name} expected class indices from 0 to {classes - 1}, for the {classes} classes along dim {axis} of "
                f"the input {x.shape}, or ignore_index {ignore_index}; got {t.min()} to {t.max()}"
            )
        weights = kept.astype(x.dtype)
    if weight is not None:
        # Unlike weight[t] this also works where only the targets differ inside vmap.
        weights = weights * np.take_along_axis(_class_weights(name, weight, x), t.reshape(-1), 0).reshape(t.shape)
    total = 1.0 if reduction != "mean" else t.size if type(weights) is float else np.sum(weights)
    total = total if hasattr(total, "each_sample") else float(total)
    return Targets(_places(t, classes, axis), kept, weights, total)


def _largest(t: Array) -> int:
    """The largest of the indices, inside vmap those of all samples; negative ones are larger than any other."""
    every: Any = t.base if hasattr(t, "each_sample") else t
    # As unsigned numbers: a single comparison finds all that is not a class.
    largest: int = np.maximum.reduce(every.view(_UNSIGNED[t.itemsize]), axis=None, initial=0)
    return largest


def _bad_target(name: str, x: Array, t: Array) -> OpError:
    axis = _class_axis(x)
    wanted = (*x.shape[:axis], *x.shape[axis + 1 :])
    if not x.ndim:
        return OpError(f"{name} expected scores of shape (C), (N, C) or (N, C, d1, ...), got {describe(x)}")
    if t.shape != wanted:
        fix = f"use target.reshape({wanted})" if t.size == math.prod(wanted) else "check both shapes"
        return OpError(
            f"{name} expected class indices of shape {wanted} for an input of shape {x.shape}, whose classes are along "
            f"dim {axis}, or probabilities of the input's shape; got {describe(t)}: {fix}"
        )
    return OpError(f"{name} expected class indices of an integer dtype, got {describe(t)}: use target.long()")


def _class_weights(name: str, weight: Tensor, x: Array) -> Array:
    axis = _class_axis(x)
    if weight.shape != (x.shape[axis],):
        raise OpError(
            f"{name} expected a weight of shape ({x.shape[axis]},), one for each class along dim {axis} of the input "
            f"{x.shape}; got {describe(weight)}"
        )
    return weight.array.astype(x.dtype, copy=False)


def _places(t: Array, classes: int, axis: int) -> Array:
    """Where the class of each target is, counted through all scores in row-major order."""
    if t.dtype is not ad.int64:
        t = t.astype(np.int64)
    if t.ndim == 1:
        return _rows(t.size, classes) + t
    inner = math.prod(t.shape[axis:])
    outer = np.arange(math.prod(t.shape[:axis]))[:, None] * (inner * classes)
    places: Array = (outer + np.arange(inner)).reshape(t.shape) + t * inner
    return places


@lru_cache(maxsize=8)
def _rows(count: int, classes: int) -> Array:
    """Where each row of scores starts; kept, because it is the same for every batch."""
    return np.arange(count) * classes


def _factors(targets: Targets) -> Any:
    return -targets.weights / _divisor(targets)


def _divisor(targets: Targets) -> Any:
    return targets.total + (targets.total == 0)


def _total(loss: Tensor, targets: Targets) -> Tensor:
    """The loss; NaN, with a gradient of 0, if all targets were ignored and the mean is over nothing."""
    if isinstance(targets.total, float):
        return loss if targets.total else loss + math.nan
    return loss + wrap(np.where(targets.total == 0, math.nan, 0.0).astype(loss.dtype))


def _losses(scores: Tensor, targets: Targets) -> Tensor:
    """The loss of each target."""
    return -scores.reshape(-1)[wrap(targets.at)] * _constant(targets.weights, scores)


def _constant(value: Any, like: Tensor) -> Tensor:
    return wrap(as_array(value, like.dtype))


def _weighted(scores: Tensor, weight: Tensor | None, axis: int) -> Tensor:
    if weight is None:
        return scores
    weights = _class_weights("cross_entropy", weight, scores.array)
    return scores * wrap(weights.reshape(-1, *(1,) * (scores.ndim - axis - 1)))


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
) -> Tensor:
    """`cross_entropy` of the scores that a linear map of the input (N, in) or (in) gives.

    The map has a weight (C, in), or (C, d1, ..., in) for scores (N, C, d1, ...), and a bias (C) or (C, d1, ...).
    OpError for other shapes.

    >>> import autodiff as ad
    >>> linear_cross_entropy(ad.ones(1, 2), ad.zeros(3, 2), ad.tensor([0]))
    tensor(1.0986)
    """
    shape = (*input.shape[:-1], *linear_weight.shape[:-1])
    several = linear_weight.ndim > 2
    if (
        input.ndim not in ((2,) if several else (1, 2))
        or linear_weight.shape[-1:] != input.shape[-1:]
        or len(shape) < 1
    ):
        raise OpError(
            f"linear_cross_entropy expected an input (N, in) and a weight (C, in) or (C, d1, ..., in), got "
            f"{describe(input)} and {describe(linear_weight)}"
        )
    if linear_bias is not None and linear_bias.shape != linear_weight.shape[:-1]:
        raise OpError(
            f"linear_cross_entropy expected a bias of shape {linear_weight.shape[:-1]}, got {describe(linear_bias)}"
        )
    bias = None if linear_bias is None else linear_bias.reshape(-1)
    scores = linear(input, linear_weight.reshape(-1, input.shape[-1]), bias).reshape(shape)
    if ignore_index is not None and target.shape == shape:
        raise ValueError("linear_cross_entropy: ignore_index is for class indices, not probabilities")
    return cross_entropy(
        scores,
        target,
        weight,
        ignore_index=-100 if ignore_index is None else ignore_index,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )

"""Losses of yes-or-no targets: the binary cross-entropies, and what is written by them.

Input and target must have the same shape. `reduction` is "mean", "sum" or "none".
"""

from typing import Any

import numpy as np

from autodiff.domain import Interval
from autodiff.op import OpError
from autodiff.ops.exponential import sigmoid
from autodiff.recorders import elementwise
from autodiff.tensor import Tensor
from nn.functional.operands import check_same_shape
from nn.functional.reduction import reduced

PROBABILITIES = Interval(0.05, 0.95)


def _log(x: Any) -> Any:
    with np.errstate(divide="ignore"):
        return np.maximum(np.log(x), -100.0)


# PyTorch's conventions at probabilities 0 and 1: no logarithm below -100, no denominator below 1e-12.
_binary_cross_entropy = elementwise(
    "binary_cross_entropy",
    lambda a, b: -(b * _log(a) + (1 - b) * _log(1 - a)),
    vjp=(
        lambda g, y, a, b: g * (a - b) / np.maximum(a * (1 - a), 1e-12),
        lambda g, y, a, b: g * (np.log(1 - a) - np.log(a)),
    ),
    saves=("a b", "a"),
    domain=PROBABILITIES,
    analytic=False,
    doc="-(b log a + (1 - b) log(1 - a)) of a probability a and a target b in [0, 1].",
)
_with_logits = elementwise(
    "binary_cross_entropy_with_logits",
    lambda a, b: np.logaddexp(0, -a) + (1 - b) * a,
    vjp=(
        lambda g, y, a, b: g * (sigmoid.rule(a) - b),
        lambda g, y, a, b: -g * a,
    ),
    saves=("a b", "a"),
    domain=(Interval(-20, 20), PROBABILITIES),
    analytic=False,
    doc="The binary cross-entropy of sigmoid(a) and a target b in [0, 1], without overflow.",
)


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """-(t log x + (1 - t) log(1 - x)) of probabilities x and targets t in [0, 1], times `weight`, which broadcasts.

    Logarithms are not below -100. OpError if the shapes differ or an x or t is outside [0, 1].

    >>> import autodiff as ad
    >>> binary_cross_entropy(ad.tensor([0.9, 0.2]), ad.tensor([1.0, 0.0]))
    tensor(0.1643)
    """
    check_same_shape("binary_cross_entropy", input, target)
    x = input.array
    if not ((x >= 0) & (x <= 1)).all():
        raise OpError(
            f"binary_cross_entropy expected probabilities from 0 to 1, got {x.min():g} to {x.max():g}; apply "
            f"sigmoid() first, or give the scores to binary_cross_entropy_with_logits (nn.BCEWithLogitsLoss)"
        )
    t = target.array
    if not ((t >= 0) & (t <= 1)).all():
        raise OpError(f"binary_cross_entropy expected targets from 0 to 1, got {t.min():g} to {t.max():g}")
    loss = _binary_cross_entropy(input, target)
    return reduced(loss if weight is None else loss * weight, reduction, size_average, reduce)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """The binary cross-entropy of sigmoid(x) and targets t in [0, 1], without overflow.

    `weight` multiplies each loss, and `pos_weight` the part of the positive class, t log sigmoid(x); both broadcast.
    OpError if the shapes of input and target differ.

    >>> import autodiff as ad
    >>> binary_cross_entropy_with_logits(ad.tensor([2.0, -1.0]), ad.tensor([1.0, 0.0]))
    tensor(0.2201)
    """
    check_same_shape("binary_cross_entropy_with_logits", input, target)
    loss = _with_logits(input, target)
    if pos_weight is not None:
        loss = loss + (pos_weight - 1) * target * _with_logits(input, 1.0)
    return reduced(loss if weight is None else loss * weight, reduction, size_average, reduce)


def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """log(1 + exp(-t x)) of scores x and targets t of -1 or 1, without overflow. OpError if the shapes differ.

    >>> import autodiff as ad
    >>> soft_margin_loss(ad.tensor([2.0, -1.0]), ad.tensor([1.0, 1.0]))
    tensor(0.7201)
    """
    check_same_shape("soft_margin_loss", input, target)
    return reduced(_with_logits(input * target, 1.0), reduction, size_average, reduce)


def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The binary cross-entropy of sigmoid(x) and t, averaged over the classes, which are the last dimension.

    Scores and targets (C) or (N, C); `weight` (C) multiplies the losses of each class. OpError if the shapes differ.

    >>> import autodiff as ad
    >>> multilabel_soft_margin_loss(ad.tensor([[2.0, -1.0]]), ad.tensor([[1.0, 0.0]]))
    tensor(0.2201)
    """
    check_same_shape("multilabel_soft_margin_loss", input, target)
    losses = _with_logits(input, target)
    losses = losses if weight is None else losses * weight
    return reduced(losses.mean(-1), reduction, size_average, reduce)

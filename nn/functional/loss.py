"""Losses of numbers and of distributions, an element at a time.

Input and target must have the same shape: broadcasting would average over pairs that nobody meant. `reduction` is
"mean", "sum" or "none", which gives the loss of each element.
"""

import math
import warnings

import autodiff as ad
from autodiff.op import OpError
from autodiff.tensor import Tensor
from nn.functional.operands import at_least, check_positive, check_same_shape
from nn.functional.reduction import chosen, reduced


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """(input - target)², averaged or summed as `reduction` says. OpError if the shapes differ.

    With `weight`, of the same shape, the mean is the weighted one.

    >>> import autodiff as ad
    >>> mse_loss(ad.tensor([1.0, 2.0]), ad.tensor([1.0, 4.0]))
    tensor(2.)
    """
    check_same_shape("mse_loss", input, target)
    return _weighted("mse_loss", (input - target).square(), weight, reduction, size_average, reduce)


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """|input - target|, averaged or summed as `reduction` says. OpError if the shapes differ.

    With `weight`, of the same shape, the mean is the weighted one.

    >>> import autodiff as ad
    >>> l1_loss(ad.tensor([1.0, 2.0]), ad.tensor([1.0, 4.0]))
    tensor(1.)
    """
    check_same_shape("l1_loss", input, target)
    return _weighted("l1_loss", (input - target).abs(), weight, reduction, size_average, reduce)


def _weighted(
    name: str,
    losses: Tensor,
    weight: Tensor | None,
    reduction: str,
    size_average: bool | None,
    reduce: bool | None,
) -> Tensor:
    if weight is None:
        return reduced(losses, reduction, size_average, reduce)
    check_same_shape(name, losses, weight, "weight")
    return reduced(losses * weight, reduction, size_average, reduce, total=weight.sum())


def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """½ z² for z = input - target up to `delta` in size, and delta (|z| - ½ delta) beyond.

    `weight`, of the same shape, multiplies each loss. OpError if the shapes differ, ValueError unless delta > 0.
    Source: Huber 1964.

    >>> import autodiff as ad
    >>> huber_loss(ad.tensor([0.5, 3.0]), ad.zeros(2), reduction="none")
    tensor([0.1250, 2.5000])
    """
    check_same_shape("huber_loss", input, target)
    check_positive("huber_loss", "delta", delta)
    losses = _huber(input - target, delta)
    if weight is not None:
        check_same_shape("huber_loss", losses, weight, "weight")
        losses = losses * weight
    return reduced(losses, reduction)


def _huber(z: Tensor, delta: float) -> Tensor:
    near = z.clamp(-delta, delta)
    return near * (z - 0.5 * near)


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """½ z² / beta for z = input - target up to `beta` in size, and |z| - ½ beta beyond; |z| for a beta of 0.

    OpError if the shapes differ, ValueError for a negative beta. Source: Girshick 2015.

    >>> import autodiff as ad
    >>> smooth_l1_loss(ad.tensor([0.5, 3.0]), ad.zeros(2), reduction="none")
    tensor([0.1250, 2.5000])
    """
    check_same_shape("smooth_l1_loss", input, target)
    if beta < 0:
        raise ValueError(f"smooth_l1_loss expected a beta of at least 0, got {beta!r}")
    z = input - target
    return reduced(_huber(z, beta) / beta if beta else z.abs(), reduction, size_average, reduce)


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Minus the log-likelihood of counts t drawn from a Poisson distribution: exp(x) - t x, of the logarithm x of its
    mean.

    Without `log_input`, x is the mean itself: x - t log(x + eps). `full` adds Stirling's approximation of log t! where
    t > 1. OpError if the shapes differ.

    >>> import autodiff as ad
    >>> poisson_nll_loss(ad.tensor([0.0, 1.0]), ad.tensor([1.0, 2.0]))
    tensor(0.8591)
    """
    check_same_shape("poisson_nll_loss", input, target)
    losses = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        large = target.detach() > 1
        count = ad.where(large, target, 1.0)
        stirling = count * count.log() - count + 0.5 * (2 * math.pi * count).log()
        losses = losses + ad.where(large, stirling, 0.0)
    return reduced(losses, reduction, size_average, reduce)


def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """Minus the log-likelihood of targets drawn from normal distributions: ½ (log var + (input - target)² / var).

    `var` has the input's shape, or that with a last dimension of 1 or none, for one variance a row, or is a number;
    less than `eps` counts as that, with the gradient of var itself. `full` adds ½ log 2π. OpError for other shapes,
    ValueError for a negative variance. Source: Nix and Weigend 1994.

    >>> import autodiff as ad
    >>> gaussian_nll_loss(ad.tensor([1.0, 2.0]), ad.tensor([1.0, 4.0]), ad.ones(2))
    tensor(1.)
    """
    check_same_shape("gaussian_nll_loss", input, target)
    if not isinstance(var, Tensor):
        var = ad.full(input.shape, float(var), dtype=input.dtype)
    if (var.array < 0).any():
        raise ValueError(f"gaussian_nll_loss expected variances of at least 0, got {var.array.min():g}")
    if var.shape == input.shape[:-1] and input.ndim:
        var = var.unsqueeze(-1)
    others = [v for n, v in zip(input.shape, var.shape, strict=False) if n != v]
    if var.ndim != input.ndim or others not in ([], [1]):
        raise OpError(
            f"gaussian_nll_loss expected a var of the input's shape {input.shape}, or with one dimension of length 1, "
            f"or without the last; got {var.shape}"
        )
    var = at_least(var, eps)
    losses = 0.5 * (var.log() + (input - target).square() / var)
    return reduced(losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction)


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """t (log t - x), of log-probabilities x and the probabilities t that they should be: summed, the divergence of t
    from exp(x).

    With `log_target` the target holds log-probabilities too. "batchmean" divides the sum by the length of the first
    dimension, as the definition wants; "mean" divides by the number of elements, and warns. OpError if the shapes
    differ. Source: Kullback and Leibler 1951.

    >>> import autodiff as ad
    >>> kl_div(ad.tensor([[0.5, 0.5]]).log(), ad.tensor([[0.9, 0.1]]), reduction="batchmean")
    tensor(0.3681)
    """
    check_same_shape("kl_div", input, target)
    if size_average is not None or reduce is not None:
        reduction = chosen(reduction, size_average, reduce)
    elif reduction == "mean":
        warnings.warn(
            'reduction "mean" divides by the number of elements, not by that of the samples; '
            'use reduction="batchmean" for the divergence',
            stacklevel=2,
        )
    losses = target.exp() * (target - input) if log_target else ad.xlogy(target, target) - target * input
    if reduction == "batchmean":
        return losses.sum() / (input.shape[0] if input.ndim else 1)
    return reduced(losses, reduction)

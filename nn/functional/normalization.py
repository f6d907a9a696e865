"""Normalisation by the statistics of a batch."""

import math
from typing import Any

import numpy as np

from autodiff import writes
from autodiff.domain import POSITIVE, REALS
from autodiff.op import OpError, describe
from autodiff.recorders import operation
from autodiff.tensor import Array, Tensor


def _scale(var: Any, weight: Any, eps: float) -> Any:
    scale = 1 / np.sqrt(var + eps)
    return scale if weight is None else weight * scale


def _normalize(x: Any, mean: Any, var: Any, weight: Any, bias: Any, eps: float) -> Any:
    y = (x - mean) * _scale(var, weight, eps)
    return y if bias is None else y + bias


# What is normalised is a function of the statistics too; in training these are computed from x by ops of their own.
_normalized = operation(
    "batch_norm",
    _normalize,
    vjp=(
        lambda g, y, x, mean, var, weight, bias, eps: g * _scale(var, weight, eps),
        lambda g, y, x, mean, var, weight, bias, eps: -g * _scale(var, weight, eps),
        lambda g, y, x, mean, var, weight, bias, eps: g * (x - mean) * (-0.5 * _scale(var, weight, eps) / (var + eps)),
        lambda g, y, x, mean, var, weight, bias, eps: g * ((x - mean) / np.sqrt(var + eps)),
        lambda g, y, x, mean, var, weight, bias, eps: g,
    ),
    saves=("var weight", "var weight", "x mean var weight", "x mean var", ""),
    domain=(REALS, REALS, POSITIVE, REALS, REALS),
    doc="(x - mean) / √(var + eps) · weight + bias.",
)


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Each channel of (N, C) or (N, C, d1, ...) to mean 0 and variance 1, then times `weight` (C) plus `bias` (C).

    If `training`, with the mean and the biased variance of this batch, and the running ones, unless None, are moved
    to the batch's (the variance unbiased): ``running = (1 - momentum) * running + momentum * batch``. If not, with the
    running ones. OpError for another number of channels, for a single value per channel in training, and for running
    statistics missing in evaluation. Source: Ioffe and Szegedy 2015.

    >>> import autodiff as ad
    >>> batch_norm(ad.tensor([[1.0], [3.0]]), None, None, training=True)
    tensor([[-1.0000],
            [ 1.0000]])
    """
    if eps < 0 or (eps == 0 and training):
        raise ValueError(f"batch_norm expected a positive eps, got {eps}")
    channels = input.shape[1] if input.ndim > 1 else None
    given_by_name = {"running_mean": running_mean, "running_var": running_var, "weight": weight, "bias": bias}
    for name, given in given_by_name.items():
        if given is not None and (given.shape != (channels,) or given.dtype != input.dtype):
            raise OpError(
                f"batch_norm expected an input (N, {given.numel()}, *) of {given.dtype}, to which its {name} belongs; "
                f"got {describe(input)}"
            )
    beside = (1, -1, *(1,) * (input.ndim - 2))
    if training:
        mean, var = _batch_statistics(input, running_mean, running_var, momentum)
    elif running_mean is None or running_var is None:
        raise OpError("batch_norm expected running_mean and running_var, because it is not training; got None")
    else:
        mean, var = running_mean.reshape(beside), running_var.reshape(beside)
    if input.ndim > 2:
        weight, bias = (None if given is None else given.reshape(beside) for given in (weight, bias))
    output: Tensor = _normalized(input, mean, var, weight, bias, eps=eps)
    return output


def _batch_statistics(
    input: Tensor, running_mean: Tensor | None, running_var: Tensor | None, momentum: float
) -> tuple[Tensor, Tensor]:
    """The mean and the biased variance of each channel, beside which the running ones are moved."""
    axes = tuple(axis for axis in range(input.ndim) if axis != 1)
    count = math.prod(input.shape[axis] for axis in axes)
    if count <= 1:
        raise OpError(
            f"batch_norm expected more than one value per channel in training, got an input of shape {input.shape}; "
            f"use a larger batch, or evaluation mode (model.eval())"
        )
    mean, var = input.mean(axes, keepdim=True), input.var(axes, correction=0, keepdim=True)
    _move(running_mean, mean.array, momentum)
    _move(running_var, var.array * (count / (count - 1)), momentum)
    return mean, var


def _move(running: Tensor | None, batch: Array, momentum: float) -> None:
    if running is not None:
        array = running.array
        array *= 1 - momentum
        array += momentum * batch.reshape(-1)
        writes.record_write(array)

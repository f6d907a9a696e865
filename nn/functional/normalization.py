"""Normalisation: by the statistics of a batch, a sample, a group of channels, or of what lies around."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

import autodiff as ad
from autodiff.op import OpError, describe
from autodiff.ops.conversion import floating
from autodiff.tensor import Array, Tensor, wrap
from autodiff.writes import record_write_if_shared
from nn.functional.standardize import scale_and_shift, standardize
from nn.functional.standardize_arrays import View, number


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
    shape = input.shape
    channels = shape[1] if len(shape) > 1 else None
    _check_channels("batch_norm", input, channels, running_mean, running_var, weight, bias)
    view = (shape[0] if shape else 0, channels or 0, math.prod(shape[2:]))
    if not training:
        return _by_running_statistics("batch_norm", input, running_mean, running_var, weight, bias, eps, view)
    count = view[0] * view[2]
    if count <= 1:
        raise OpError(
            f"batch_norm expected more than one value per channel in training, got an input of shape {shape}; "
            f"use a larger batch, or evaluation mode (model.eval())"
        )
    moments: list[Array] | None = None if running_mean is None and running_var is None else []
    y: Tensor = standardize(input, weight, bias, view=view, groups=None, eps=eps, centred=True, moments=moments)
    if moments:
        _move(running_mean, moments[0], momentum)
        _move(running_var, moments[1], momentum, count / (count - 1))
    return y


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """`batch_norm` of each sample by itself: each channel of each sample of (N, C, d1, ...) to mean 0 and variance 1.

    The running statistics are moved to the means of the samples' over the batch; without `use_input_stats` they are
    what is normalised with. OpError for another number of channels, and for a single value in each channel of a sample.
    Source: Ulyanov, Vedaldi and Lempitsky 2016.

    >>> import autodiff as ad
    >>> instance_norm(ad.tensor([[[1.0, 3.0], [0.0, 8.0]]]))
    tensor([[[-1.0000,  1.0000],
             [-1.0000,  1.0000]]])
    """
    shape = input.shape
    if len(shape) < 2:
        raise OpError(f"instance_norm expected an input (N, C, ...), got shape {shape}")
    samples, channels, inner = shape[0], shape[1], math.prod(shape[2:])
    _check_channels("instance_norm", input, channels, running_mean, running_var, weight, bias)
    view = (samples, channels, inner)
    if not use_input_stats:
        return _by_running_statistics("instance_norm", input, running_mean, running_var, weight, bias, eps, view)
    if inner == 1:
        raise ValueError(
            f"instance_norm expected more than one value in each channel of a sample, got an input of shape {shape}"
        )
    moments: list[Array] | None = None if running_mean is None and running_var is None else []
    y: Tensor = standardize(input, weight, bias, view=view, groups=channels, eps=eps, centred=True, moments=moments)
    if moments:
        mean, var = (statistic.reshape(samples, channels).mean(0) for statistic in moments)
        _move(running_mean, mean, momentum)
        _move(running_var, var, momentum, inner / (inner - 1))
    return y


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Each of `num_groups` groups of channels of each sample of (N, C, ...) to mean 0 and variance 1.

    Then times `weight` (C) plus `bias` (C). OpError for channels that the groups do not divide, ValueError for a single
    value in each group. Source: Wu and He 2018.

    >>> import autodiff as ad
    >>> group_norm(ad.tensor([[1.0, 3.0, 0.0, 8.0]]), 2)
    tensor([[-1.0000,  1.0000, -1.0000,  1.0000]])
    """
    shape = input.shape
    if len(shape) < 2 or num_groups < 1 or shape[1] % num_groups:
        raise OpError(f"group_norm expected an input (N, C, ...) with C a multiple of {num_groups}, got shape {shape}")
    samples, channels, inner = shape[0], shape[1], math.prod(shape[2:])
    _check_channels("group_norm", input, channels, None, None, weight, bias)
    if samples * (channels // num_groups) * inner == 1:
        raise ValueError(f"group_norm expected more than one value in each group, got an input of shape {shape}")
    x, view = floating("group_norm", input), (samples, channels, inner)
    y: Tensor = standardize(x, weight, bias, view=view, groups=num_groups, eps=eps, centred=True, moments=None)
    return y


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """All numbers of the last dimensions, which are `normalized_shape`, to mean 0 and variance 1.

    Then times `weight` plus `bias`, both of `normalized_shape`. OpError for other shapes.
    Source: Ba, Kiros and Hinton 2016.

    >>> import autodiff as ad
    >>> layer_norm(ad.tensor([[1.0, 3.0], [0.0, 8.0]]), [2])
    tensor([[-1.0000,  1.0000],
            [-1.0000,  1.0000]])
    """
    rows, size = _rows_and_size("layer_norm", input, normalized_shape, weight, bias)
    y: Tensor = standardize(input, weight, bias, view=(rows, size, 1), groups=1, eps=eps, centred=True, moments=None)
    return y


def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """x / √(mean(x²) + eps) · weight over the last dimensions, which are `normalized_shape`.

    By default `eps` is the distance from 1 to the next number of the dtype. OpError for other shapes.
    Source: Zhang and Sennrich 2019.

    >>> import autodiff as ad
    >>> rms_norm(ad.tensor([3.0, 4.0]), [2])
    tensor([0.8485, 1.1314])
    """
    rows, size = _rows_and_size("rms_norm", input, normalized_shape, weight, None)
    if eps is None:
        eps = float(np.finfo(input.dtype).eps)
    y: Tensor = standardize(input, weight, None, view=(rows, size, 1), groups=1, eps=eps, centred=False, moments=None)
    return y


def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """x / (k + alpha · mean of x² over the `size` channels around)^beta, for x of shape (N, C, d1, ...).

    Channels beyond the first and the last count as 0. OpError for fewer than three dimensions or a size below 1.
    Source: Krizhevsky, Sutskever and Hinton 2012.

    >>> import autodiff as ad
    >>> local_response_norm(ad.tensor([[[1.0], [2.0]]]), size=2, alpha=2.0, beta=1.0)
    tensor([[[0.5000],
             [0.3333]]])
    """
    if input.ndim < 3 or size < 1:
        raise OpError(
            f"local_response_norm expected an input (N, C, d1, ...) and a size of at least 1, got shape {input.shape} "
            f"and size {size}"
        )
    if not input.numel():
        return input
    before, after = (wrap(np.zeros((input.shape[0], n, *input.shape[2:]), input.dtype))
                     for n in (size // 2, (size - 1) // 2))  # fmt: skip
    windows = ad.cat([before, input * input, after], 1).unfold(1, size, 1)
    output: Tensor = input / (windows.mean(-1) * alpha + k) ** beta
    return output


def normalize(input: Tensor, p: float = 2.0, dim: int | tuple[int, ...] = 1, eps: float = 1e-12) -> Tensor:
    """x / max(‖x‖, eps), with the p-norm over `dim`: vectors of length 1.

    >>> import autodiff as ad
    >>> normalize(ad.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """
    output: Tensor = input / ad.linalg.vector_norm(input, p, dim, keepdim=True).clamp(min=eps)
    return output


def _check_channels(
    name: str, input: Tensor, channels: int | None, running_mean: Any, running_var: Any, weight: Any, bias: Any
) -> None:
    """OpError unless all that is given has a number for each channel, in the input's dtype."""
    dtype, shape = input.array.dtype, (channels,)
    for given, what in (
        (running_mean, "running_mean"),
        (running_var, "running_var"),
        (weight, "weight"),
        (bias, "bias"),
    ):
        if given is not None and (given.array.shape != shape or given.array.dtype != dtype):
            raise OpError(
                f"{name} expected an input (N, {given.numel()}, *) of {given.dtype}, to which its {what} belongs; "
                f"got {describe(input)}"
            )


def _rows_and_size(
    name: str, input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None, bias: Tensor | None
) -> tuple[int, int]:
    """How many times `normalized_shape` stands in the input, and its size; OpError where a shape or dtype differs."""
    last = tuple(normalized_shape)
    shape = floating(name, input).shape
    if not last or shape[-len(last) :] != last:
        raise OpError(f"{name} expected an input whose last dimensions are {last}, got {describe(input)}")
    for given, what in ((weight, "weight"), (bias, "bias")):
        if given is not None and (given.array.shape != last or given.array.dtype != input.array.dtype):
            raise OpError(f"{name} expected a {what} of {input.dtype} {last}, as the input has, got {describe(given)}")
    return math.prod(shape[: -len(last)]), math.prod(last)


def _by_running_statistics(
    name: str, input: Tensor, mean: Tensor | None, var: Tensor | None, weight: Any, bias: Any, eps: float, view: View
) -> Tensor:
    if mean is None or var is None:
        raise OpError(f"{name} expected running_mean and running_var, because it is not training; got None")
    beside = (-1, *(1,) * (input.ndim - 2))
    factor = wrap(1 / np.sqrt(var.array + eps).astype(input.dtype, copy=False))
    if weight is not None:
        factor = factor * weight
    y: Tensor = scale_and_shift(input - wrap(mean.array.reshape(beside)), factor, bias, view=view)
    return y


def _move(running: Tensor | None, batch: Array, momentum: float, factor: float = 1.0) -> None:
    """Move running statistics towards those of a batch times `factor`."""
    if running is not None:
        array = running.array
        array *= number(1 - momentum, array.dtype)
        array += batch * number(momentum * factor, batch.dtype)
        record_write_if_shared(array)

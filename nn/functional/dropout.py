"""Dropout: of elements, of whole channels, and the forms that keep mean and variance."""

import math
from typing import Any

import numpy as np

from autodiff.op import OpError
from autodiff.random import default_generator, laid_out
from autodiff.tensor import Tensor, wrap
from nn.functional.inplace import write_into
from nn.functional.standardize_arrays import number


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """If `training`, each element set to 0 with probability `p`, the others multiplied by 1 / (1 - p).

    The mask comes from the default generator and is PyTorch's after the same seed; `inplace` writes into the input.
    ValueError unless 0 ≤ p ≤ 1. Source: Srivastava et al. 2014.

    >>> import autodiff as ad
    >>> _ = ad.manual_seed(0)
    >>> dropout(ad.ones(4), 0.5)
    tensor([0., 0., 2., 0.])
    """
    return _dropout(input, input.shape, p, training, inplace)


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """`dropout` of whole channels of (N, C, L) or (C, L), each dropped or kept as one. Source: Tompson et al. 2014.

    >>> import autodiff as ad
    >>> _ = ad.manual_seed(0)
    >>> dropout1d(ad.ones(3, 2), 0.5)
    tensor([[0., 0.],
            [0., 0.],
            [2., 2.]])
    """
    return _dropout(input, _channels("dropout1d", input, batched=3, unbatched=2), p, training, inplace)


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """`dropout` of whole channels of (N, C, H, W) or (N, C, L), each dropped or kept as one.

    >>> import autodiff as ad
    >>> dropout2d(ad.ones(2, 3, 4, 4), training=False).shape
    (2, 3, 4, 4)
    """
    return _dropout(input, _channels("dropout2d", input, batched=4, other=3), p, training, inplace)


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """`dropout` of whole channels of (N, C, D, H, W) or (C, D, H, W), each dropped or kept as one.

    >>> import autodiff as ad
    >>> dropout3d(ad.ones(2, 3, 4, 4, 4), training=False).shape
    (2, 3, 4, 4, 4)
    """
    return _dropout(input, _channels("dropout3d", input, batched=5, unbatched=4), p, training, inplace)


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """If `training`, each element set to the limit of `selu` at -∞ with probability `p`, then all scaled and shifted.

    So what has mean 0 and variance 1 keeps them. ValueError unless 0 ≤ p ≤ 1. Source: Klambauer et al. 2017.

    >>> import autodiff as ad
    >>> _ = ad.manual_seed(0)
    >>> alpha_dropout(ad.zeros(4), 0.5, training=True)
    tensor([-0.7792, -0.7792,  0.7792, -0.7792])
    """
    return _alpha_dropout(input, input.shape, p, training, inplace)


def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """`alpha_dropout` of whole channels of (N, C, ...), each dropped or kept as one. OpError for one dimension.

    >>> import autodiff as ad
    >>> feature_alpha_dropout(ad.ones(2, 3, 4)).shape
    (2, 3, 4)
    """
    if training and p and input.ndim < 2:
        raise OpError(f"feature_alpha_dropout expected an input (N, C, ...), got shape {input.shape}")
    return _alpha_dropout(input, _one_a_channel(input.shape, 2), p, training, inplace)


def check_probability(p: float) -> None:
    """ValueError unless `p` is a probability of dropping an element."""
    if not 0 <= p <= 1:
        raise ValueError(f"dropout expected the probability of dropping an element, from 0 to 1; got {p!r}")


def _one_a_channel(shape: tuple[int, ...], leading: int) -> tuple[int, ...]:
    return (*shape[:leading], *(1,) * (len(shape) - leading))


def _channels(name: str, input: Tensor, batched: int, unbatched: int = 0, other: int = 0) -> tuple[int, ...]:
    """The shape of a mask with a number a channel; OpError for another number of dimensions."""
    if input.ndim in (batched, other):
        return _one_a_channel(input.shape, 2)
    if input.ndim == unbatched:
        return _one_a_channel(input.shape, 1)
    raise OpError(
        f"{name} expected an input of {unbatched or other} or {batched} dimensions, got shape {input.shape}; "
        f"use dropout for elements"
    )


def _dropout(input: Tensor, mask_shape: tuple[int, ...], p: float, training: bool, inplace: bool) -> Tensor:
    check_probability(p)
    if not training or p == 0:
        return input
    keep = 1.0 - p
    mask = _drawn(input, mask_shape, keep) if keep else np.zeros(mask_shape, np.bool_)
    dtype = input.array.dtype
    output = input * wrap(np.divide(mask, number(keep or 1.0, dtype), dtype=dtype))
    return write_into(input, output) if inplace else output


def _drawn(input: Tensor, mask_shape: tuple[int, ...], keep: float) -> Any:
    """What is kept: of elements in the order in which they lie in memory, of channels in that of their numbers."""
    if mask_shape != input.shape:
        return default_generator.bernoulli(mask_shape, keep)
    return laid_out(input.array, lambda shape: default_generator.bernoulli(shape, keep))


def _alpha_dropout(input: Tensor, mask_shape: tuple[int, ...], p: float, training: bool, inplace: bool) -> Tensor:
    check_probability(p)
    if not training or p == 0 or not input.numel():
        return input
    if p == 1:
        output = input * 0.0
    else:
        alpha = 1.7580993408473766  # the product of selu's two constants
        scale = 1 / math.sqrt((alpha * alpha * p + 1) * (1 - p))
        mask = _drawn(input, mask_shape, 1 - p).astype(input.dtype)
        shift = (mask - 1) * (alpha * scale) + alpha * scale * p
        output = input * wrap(mask * scale) + wrap(shift)
    return write_into(input, output) if inplace else output

"""Channels turned into pixels, pixels into channels, and groups of channels dealt out."""

import math

from autodiff.op import OpError
from autodiff.tensor import Tensor


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """(*, C r², H, W) as (*, C, H r, W r): each r² channels are the r by r pixels of one. Source: Shi et al. 2016.

    OpError for fewer dimensions, or channels that are no multiple of r².

    >>> import autodiff as ad
    >>> pixel_shuffle(ad.arange(4.0).reshape(4, 1, 1), 2)
    tensor([[[0., 1.],
             [2., 3.]]])
    """
    r = upscale_factor
    if r < 1 or input.ndim < 3 or input.shape[-3] % r**2:
        raise OpError(f"pixel_shuffle: expected an input (*, C * {r}², H, W), got {input.shape}")
    *lead, c, h, w = input.shape
    x = input.reshape(math.prod(lead), c // r**2, r, r, h, w).permute(0, 1, 4, 2, 5, 3)
    return x.reshape(*lead, c // r**2, h * r, w * r)


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """(*, C, H r, W r) as (*, C r², H, W): the inverse of `pixel_shuffle`.

    OpError for fewer dimensions, or a height or width that is no multiple of r.

    >>> import autodiff as ad
    >>> pixel_unshuffle(ad.arange(4.0).reshape(1, 2, 2), 2).shape
    (4, 1, 1)
    """
    r = downscale_factor
    if r < 1 or input.ndim < 3 or input.shape[-1] % r or input.shape[-2] % r:
        raise OpError(f"pixel_unshuffle: expected an input (*, C, H * {r}, W * {r}), got {input.shape}")
    *lead, c, h, w = input.shape
    x = input.reshape(math.prod(lead), c, h // r, r, w // r, r).permute(0, 1, 3, 5, 2, 4)
    return x.reshape(*lead, c * r**2, h // r, w // r)


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """(N, C, *) with the channels dealt out from `groups` groups in turn. Source: Zhang et al. 2018.

    OpError for fewer than three dimensions, or channels that are no multiple of `groups`.

    >>> import autodiff as ad
    >>> channel_shuffle(ad.arange(4).reshape(1, 4, 1), 2).flatten()
    tensor([0, 2, 1, 3])
    """
    if groups < 1 or input.ndim < 3 or input.shape[1] % groups:
        raise OpError(f"channel_shuffle: expected an input (N, C * {groups}, *), got {input.shape}")
    n, c, *rest = input.shape
    return input.reshape(n, groups, c // groups, *rest).transpose(1, 2).reshape(input.shape)

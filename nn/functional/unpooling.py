"""The inverse of max-pooling: the largest entries back at their places, zeros elsewhere."""

import math
from collections.abc import Sequence

import autodiff as ad
from autodiff.op import OpError
from autodiff.tensor import Tensor
from nn.functional.conv import Lengths, lengths
from nn.functional.pooling import check_spatial
from nn.functional.window_sums import Shape


def _output_size(
    name: str, size: Shape, kernel: Shape, stride: Shape, padding: Shape, wanted: Sequence[int] | None
) -> Shape:
    least = tuple((n - 1) * s - 2 * p + k for n, k, s, p in zip(size, kernel, stride, padding, strict=True))
    if wanted is None:
        return least
    ndim = len(size)
    given = tuple(wanted)[-ndim:]
    if len(wanted) not in (ndim, ndim + 1, ndim + 2) or not all(
        abs(n - m) < s for n, m, s in zip(given, least, stride, strict=True)
    ):
        raise ValueError(
            f"{name}: expected an output_size of {ndim} numbers, or one for each axis, each less than the stride "
            f"{stride} away from {least}, got {tuple(wanted)}"
        )
    return given


def _max_unpool(
    ndim: int, input: Tensor, indices: Tensor, kernel_size: Lengths, stride: Lengths | None, padding: Lengths,
    output_size: Sequence[int] | None,
) -> Tensor:  # fmt: skip
    name = f"max_unpool{ndim}d"
    size, lead = check_spatial(name, input, ndim), input.shape[: input.ndim - ndim]
    if indices.dtype != ad.int64 or indices.shape != input.shape:
        raise OpError(
            f"{name}: expected indices of dtype int64 and of the input's shape {input.shape}, got {indices.dtype} "
            f"{indices.shape}"
        )
    kernel = lengths(name, "kernel_size", kernel_size, ndim, 1)
    stride = lengths(name, "stride", kernel if stride is None else stride, ndim, 1)
    out = _output_size(name, size, kernel, stride, lengths(name, "padding", padding, ndim, 0), output_size)
    places = math.prod(out)
    if indices.array.size and not 0 <= indices.array.min() <= indices.array.max() < places:
        raise OpError(
            f"{name}: expected indices from 0 to {places - 1}, for an output {out}, got {indices.array.min()} to "
            f"{indices.array.max()}; say output_size=... if the pooled input was larger"
        )
    flat = ad.zeros(*lead, places, dtype=input.dtype)
    rows = (*lead, math.prod(size))
    return flat.scatter(-1, indices.reshape(rows), input.reshape(rows)).reshape(*lead, *out)


def max_unpool1d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Lengths,
    stride: Lengths | None = None,
    padding: Lengths = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Zeros of (N, C, L) or (C, L) with the entries of `input` at `indices`, both from `max_pool1d`.

    `output_size` tells inputs of one pooled length apart. OpError for indices that do not fit, ValueError for an
    `output_size` out of reach.

    >>> import autodiff as ad
    >>> max_unpool1d(ad.tensor([[5.0, 3.0]]), ad.tensor([[1, 3]]), 2)
    tensor([[0., 5., 0., 3.]])
    """
    return _max_unpool(1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Lengths,
    stride: Lengths | None = None,
    padding: Lengths = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Zeros of (N, C, H, W) or (C, H, W) with the entries of `input` at `indices`, both from `max_pool2d`.

    `output_size` tells inputs of one pooled size apart. OpError for indices that do not fit, ValueError for an
    `output_size` out of reach.

    >>> import autodiff as ad
    >>> max_unpool2d(ad.tensor([[[5.0]]]), ad.tensor([[[2]]]), 2)
    tensor([[[0., 0.],
             [5., 0.]]])
    """
    return _max_unpool(2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Lengths,
    stride: Lengths | None = None,
    padding: Lengths = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Zeros of (N, C, D, H, W) or (C, D, H, W) with the entries of `input` at `indices`, both from `max_pool3d`.

    `output_size` tells inputs of one pooled size apart. OpError for indices that do not fit, ValueError for an
    `output_size` out of reach.

    >>> import autodiff as ad
    >>> max_unpool3d(ad.tensor([[[[5.0]]]]), ad.tensor([[[[7]]]]), 2).sum()
    tensor(5.)
    """
    return _max_unpool(3, input, indices, kernel_size, stride, padding, output_size)

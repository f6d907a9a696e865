"""Convolutions and their adjoints, transposed convolutions, in one, two and three dimensions."""

from collections.abc import Sequence
from typing import Any

from autodiff.op import OpError, Recorder, describe
from autodiff.tensor import Tensor
from nn.functional.convolution import conv_transpose, convolution

Lengths = int | Sequence[int]
AXES = {1: "L", 2: "H, W", 3: "D, H, W"}


def lengths(name: str, what: str, value: Any, ndim: int, least: int) -> tuple[int, ...]:
    """A number for each of `ndim` axes, of one for all or one for each; OpError for anything else or below `least`."""
    each = (value,) if isinstance(value, int) else tuple(value)
    each = each * ndim if len(each) == 1 else each
    if len(each) != ndim or not all(isinstance(n, int) and n >= least for n in each):
        raise OpError(f"{name}: expected {what} as an int of at least {least}, or {ndim} of them, got {value!r}")
    return each


def _check(
    name: str, input: Any, weight: Any, bias: Tensor | None, groups: int, ndim: int, transposed: bool
) -> tuple[int, ...]:
    """The spatial lengths of the input; TypeError or OpError for what does not fit together."""
    for x in (input, weight) if bias is None else (input, weight, bias):
        if not isinstance(x, Tensor):
            raise TypeError(f"{name}: expected a Tensor, got {describe(x)}; make one with ad.tensor(...)")
        if x.dtype != weight.dtype:
            raise OpError(
                f"{name}: expected input, weight and bias of one dtype, got {input.dtype}, {weight.dtype} and "
                f"{x.dtype}; convert the input with x.to({weight.dtype}), or the model with model.to({input.dtype})"
            )
    axes, first = AXES[ndim], "in, out / groups" if transposed else "out, in / groups"
    if input.ndim not in (ndim + 1, ndim + 2) or weight.ndim != ndim + 2:
        raise OpError(
            f"{name}: expected an input (N, C, {axes}) or (C, {axes}) and a weight ({first}, window of {ndim}), got "
            f"{input.shape} and {weight.shape}"
        )
    if groups < 1 or weight.shape[0] % groups:
        raise OpError(
            f"{name}: expected groups that divide {weight.shape[0]}, the first length of the weight, got {groups}"
        )
    channels = weight.shape[0] if transposed else weight.shape[1] * groups
    outputs = weight.shape[1] * groups if transposed else weight.shape[0]
    if input.shape[-ndim - 1] != channels:
        raise OpError(
            f"{name}: expected {channels} channels, (N, {channels}, {axes}) or ({channels}, {axes}), for weight "
            f"{weight.shape} with groups={groups}, got input {input.shape}"
        )
    if bias is not None and bias.shape != (outputs,):
        raise OpError(f"{name}: expected a bias ({outputs},) for weight {weight.shape}, got {bias.shape}")
    return tuple(input.shape[-ndim:])


def _batched(op: Recorder, input: Tensor, ndim: int, *others: Any, **params: Any) -> Tensor:
    if input.ndim == ndim + 2:
        return op(input, *others, **params)
    return op(input.unsqueeze(0), *others, **params).squeeze(0)


def _conv(
    ndim: int, input: Tensor, weight: Tensor, bias: Tensor | None, stride: Lengths, padding: Any, dilation: Lengths,
    groups: int,
) -> Tensor:  # fmt: skip
    name = f"conv{ndim}d"
    shape, window = _check(name, input, weight, bias, groups, ndim, False), weight.shape[2:]
    stride, dilation = lengths(name, "stride", stride, ndim, 1), lengths(name, "dilation", dilation, ndim, 1)
    spans = [d * (k - 1) for d, k in zip(dilation, window, strict=True)]
    if isinstance(padding, str):
        both = padding_of(name, padding, spans, stride)
        before = tuple(total // 2 for total in both)
    else:
        before = lengths(name, "padding", padding, ndim, 0)
        both = [2 * p for p in before]
    room = [n + p - span - 1 for n, p, span in zip(shape, both, spans, strict=True)]
    if min(room) < 0:
        raise OpError(
            f"{name}: expected an input no smaller than the window {tuple(s + 1 for s in spans)} (kernel {window}, "
            f"dilation {dilation}), got {shape}, with padding {tuple(n + p for n, p in zip(shape, both, strict=True))}"
        )
    size = tuple(r // s + 1 for r, s in zip(room, stride, strict=True))
    return _batched(
        convolution, input, ndim, weight, bias, size=size, stride=stride, padding=before, dilation=dilation,
        groups=groups,
    )  # fmt: skip


def padding_of(name: str, padding: str, spans: Sequence[int], stride: Sequence[int]) -> list[int]:
    """The padding on both sides together that "same" or "valid" stands for."""
    if padding == "valid":
        return [0] * len(spans)
    if padding != "same":
        raise ValueError(f'{name}: expected padding as numbers, "same" or "valid", got {padding!r}')
    if any(s != 1 for s in stride):
        raise OpError(f'{name}: padding="same" keeps the lengths of the input, which a stride of {stride} does not')
    return list(spans)


def _conv_transpose(
    ndim: int, input: Tensor, weight: Tensor, bias: Tensor | None, stride: Lengths, padding: Lengths,
    output_padding: Lengths, groups: int, dilation: Lengths,
) -> Tensor:  # fmt: skip
    name = f"conv_transpose{ndim}d"
    shape, window = _check(name, input, weight, bias, groups, ndim, True), weight.shape[2:]
    stride, dilation = lengths(name, "stride", stride, ndim, 1), lengths(name, "dilation", dilation, ndim, 1)
    padding = lengths(name, "padding", padding, ndim, 0)
    more = lengths(name, "output_padding", output_padding, ndim, 0)
    if any(m >= max(s, d) for m, s, d in zip(more, stride, dilation, strict=True)):
        raise OpError(
            f"{name}: expected an output_padding less than the stride {stride} or the dilation {dilation}, got {more}"
        )
    size = tuple(
        (n - 1) * s - 2 * p + d * (k - 1) + m + 1
        for n, s, p, d, k, m in zip(shape, stride, padding, dilation, window, more, strict=True)
    )
    if min(size) < 1:
        raise OpError(f"{name}: no output is left of input {shape}, but {size}: expected a padding less than {padding}")
    return _batched(
        conv_transpose, input, ndim, weight, bias, size=size, stride=stride, padding=padding, dilation=dilation,
        groups=groups,
    )  # fmt: skip


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Lengths = 1,
    padding: str | Lengths = 0,
    dilation: Lengths = 1,
    groups: int = 1,
) -> Tensor:
    """The windows of (N, C, L) or (C, L) times a weight (O, C / groups, k), plus a bias (O,).

    Windows start `stride` apart, and their entries lie `dilation` apart. `padding` zeros are put on both sides, or as
    many as keep the lengths with "same". OpError for shapes that do not fit.

    >>> import autodiff as ad
    >>> conv1d(ad.ones(1, 1, 4), ad.ones(1, 1, 2))
    tensor([[[2., 2., 2.]]])
    """
    return _conv(1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Lengths = 1,
    padding: str | Lengths = 0,
    dilation: Lengths = 1,
    groups: int = 1,
) -> Tensor:
    """The windows of (N, C, H, W) or (C, H, W) times a weight (O, C / groups, kH, kW), plus a bias (O,).

    Windows start `stride` apart, and their entries lie `dilation` apart. `padding` zeros are put on both sides, or as
    many as keep the lengths with "same". OpError for shapes that do not fit.

    >>> import autodiff as ad
    >>> conv2d(ad.ones(1, 1, 2, 3), ad.ones(1, 1, 2, 2))
    tensor([[[[4., 4.]]]])
    """
    return _conv(2, input, weight, bias, stride, padding, dilation, groups)


def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Lengths = 1,
    padding: str | Lengths = 0,
    dilation: Lengths = 1,
    groups: int = 1,
) -> Tensor:
    """The windows of (N, C, D, H, W) or (C, D, H, W) times a weight (O, C / groups, kD, kH, kW), plus a bias (O,).

    Windows start `stride` apart, and their entries lie `dilation` apart. `padding` zeros are put on both sides, or as
    many as keep the lengths with "same". OpError for shapes that do not fit.

    >>> import autodiff as ad
    >>> conv3d(ad.ones(1, 1, 2, 2, 2), ad.ones(1, 1, 2, 2, 1))
    tensor([[[[[4., 4.]]]]])
    """
    return _conv(3, input, weight, bias, stride, padding, dilation, groups)


def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Lengths = 1,
    padding: Lengths = 0,
    output_padding: Lengths = 0,
    groups: int = 1,
    dilation: Lengths = 1,
) -> Tensor:
    """Each entry of (N, C, L) or (C, L) times a weight (C, O / groups, k), summed where it lies.

    The adjoint of `conv1d` with the same weight: its gradient by the input. Of the result `padding` is cut off on
    both sides, less `output_padding` at the end. OpError for shapes that do not fit.

    >>> import autodiff as ad
    >>> conv_transpose1d(ad.ones(1, 1, 2), ad.ones(1, 1, 2))
    tensor([[[1., 2., 1.]]])
    """
    return _conv_transpose(1, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Lengths = 1,
    padding: Lengths = 0,
    output_padding: Lengths = 0,
    groups: int = 1,
    dilation: Lengths = 1,
) -> Tensor:
    """Each entry of (N, C, H, W) or (C, H, W) times a weight (C, O / groups, kH, kW), summed where it lies.

    The adjoint of `conv2d` with the same weight: its gradient by the input. Of the result `padding` is cut off on
    both sides, less `output_padding` at the end. OpError for shapes that do not fit.

    >>> import autodiff as ad
    >>> conv_transpose2d(ad.ones(1, 1, 1, 2), ad.ones(1, 1, 1, 2))
    tensor([[[[1., 2., 1.]]]])
    """
    return _conv_transpose(2, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Lengths = 1,
    padding: Lengths = 0,
    output_padding: Lengths = 0,
    groups: int = 1,
    dilation: Lengths = 1,
) -> Tensor:
    """Each entry of (N, C, D, H, W) or (C, D, H, W) times a weight (C, O / groups, kD, kH, kW), summed where it lies.

    The adjoint of `conv3d` with the same weight: its gradient by the input. Of the result `padding` is cut off on
    both sides, less `output_padding` at the end. OpError for shapes that do not fit.

    >>> import autodiff as ad
    >>> conv_transpose3d(ad.ones(1, 1, 1, 1, 2), ad.ones(1, 1, 1, 1, 2))
    tensor([[[[[1., 2., 1.]]]]])
    """
    return _conv_transpose(3, input, weight, bias, stride, padding, output_padding, groups, dilation)

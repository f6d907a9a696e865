"""Layers that add entries at the ends of the last axes."""

from collections.abc import Sequence
from typing import ClassVar

from autodiff.op import OpError
from autodiff.tensor import Tensor
from nn import functional as F
from nn.functional.conv import AXES, Lengths, lengths
from nn.module import Module


class _Pad(Module):
    """What these layers share: `padding` is (before, after) for the last axis, the one before, …, or one number."""

    ndim: ClassVar[int]
    mode: ClassVar[str] = "constant"
    value: float = 0.0
    padding: Sequence[int]

    def __init__(self, padding: Lengths) -> None:
        super().__init__()
        each = (padding,) * (2 * self.ndim) if isinstance(padding, int) else padding
        self.padding = lengths(type(self).__name__, "padding", each, 2 * self.ndim, -(1 << 62))

    def forward(self, input: Tensor) -> Tensor:
        if self.mode != "constant" and input.ndim not in (self.ndim + 1, self.ndim + 2):
            axes = AXES[self.ndim]
            raise OpError(f"expected input (N, C, {axes}) or (C, {axes}), got {input.shape}")
        value = self.value if self.mode == "constant" else None
        return F.pad(input, self.padding, self.mode, value)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPad(_Pad):
    def __init__(self, padding: Lengths, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    """(N, C, L) or (C, L) with `value` added at the ends.

    `padding` is (before, after), or one number for all; negative numbers leave entries out.

    >>> import autodiff as ad, nn
    >>> nn.ConstantPad1d(1, 7.0)(ad.tensor([[1.0, 2.0]]))
    tensor([[7., 1., 2., 7.]])
    """

    ndim = 1


class ConstantPad2d(_ConstantPad):
    """(N, C, H, W) or (C, H, W) with `value` added at the ends.

    `padding` is (left, right, top, bottom), or one number for all; negative numbers leave entries out.

    >>> import autodiff as ad, nn
    >>> nn.ConstantPad2d(1, 7.0)(ad.ones(1, 2, 2)).shape
    (1, 4, 4)
    """

    ndim = 2


class ConstantPad3d(_ConstantPad):
    """(N, C, D, H, W) or (C, D, H, W) with `value` added at the ends.

    `padding` is (left, right, top, bottom, front, back), or one number for all; negative numbers leave entries out.

    >>> import autodiff as ad, nn
    >>> nn.ConstantPad3d(1, 7.0)(ad.ones(1, 2, 2, 2)).shape
    (1, 4, 4, 4)
    """

    ndim = 3


class ZeroPad1d(_Pad):
    """(N, C, L) or (C, L) with zeros added at the ends.

    `padding` is (before, after), or one number for all; negative numbers leave entries out.

    >>> import autodiff as ad, nn
    >>> nn.ZeroPad1d(1)(ad.tensor([[1.0, 2.0]]))
    tensor([[0., 1., 2., 0.]])
    """

    ndim = 1


class ZeroPad2d(_Pad):
    """(N, C, H, W) or (C, H, W) with zeros added at the ends.

    `padding` is (left, right, top, bottom), or one number for all; negative numbers leave entries out.

    >>> import autodiff as ad, nn
    >>> nn.ZeroPad2d(1)(ad.ones(1, 2, 2)).shape
    (1, 4, 4)
    """

    ndim = 2


class ZeroPad3d(_Pad):
    """(N, C, D, H, W) or (C, D, H, W) with zeros added at the ends.

    `padding` is (left, right, top, bottom, front, back), or one number for all; negative numbers leave entries out.

    >>> import autodiff as ad, nn
    >>> nn.ZeroPad3d(1)(ad.ones(1, 2, 2, 2)).shape
    (1, 4, 4, 4)
    """

    ndim = 3


class ReflectionPad1d(_Pad):
    """(N, C, L) or (C, L) with the entries mirrored at the ends added at the ends.

    `padding` is (before, after), or one number for all; negative numbers leave entries
    out. OpError for more than there are to add.

    >>> import autodiff as ad, nn
    >>> nn.ReflectionPad1d(1)(ad.tensor([[1.0, 2.0]]))
    tensor([[2., 1., 2., 1.]])
    """

    ndim, mode = 1, "reflect"


class ReflectionPad2d(_Pad):
    """(N, C, H, W) or (C, H, W) with the entries mirrored at the ends added at the ends.

    `padding` is (left, right, top, bottom), or one number for all; negative numbers leave entries
    out. OpError for more than there are to add.

    >>> import autodiff as ad, nn
    >>> nn.ReflectionPad2d(1)(ad.ones(1, 2, 2)).shape
    (1, 4, 4)
    """

    ndim, mode = 2, "reflect"


class ReflectionPad3d(_Pad):
    """(N, C, D, H, W) or (C, D, H, W) with the entries mirrored at the ends added at the ends.

    `padding` is (left, right, top, bottom, front, back), or one number for all; negative numbers leave entries
    out. OpError for more than there are to add.

    >>> import autodiff as ad, nn
    >>> nn.ReflectionPad3d(1)(ad.ones(1, 2, 2, 2)).shape
    (1, 4, 4, 4)
    """

    ndim, mode = 3, "reflect"


class ReplicationPad1d(_Pad):
    """(N, C, L) or (C, L) with the first and the last entry added at the ends.

    `padding` is (before, after), or one number for all; negative numbers leave entries out.

    >>> import autodiff as ad, nn
    >>> nn.ReplicationPad1d(1)(ad.tensor([[1.0, 2.0]]))
    tensor([[1., 1., 2., 2.]])
    """

    ndim, mode = 1, "replicate"


class ReplicationPad2d(_Pad):
    """(N, C, H, W) or (C, H, W) with the first and the last entry added at the ends.

    `padding` is (left, right, top, bottom), or one number for all; negative numbers leave entries out.

    >>> import autodiff as ad, nn
    >>> nn.ReplicationPad2d(1)(ad.ones(1, 2, 2)).shape
    (1, 4, 4)
    """

    ndim, mode = 2, "replicate"


class ReplicationPad3d(_Pad):
    """(N, C, D, H, W) or (C, D, H, W) with the first and the last entry added at the ends.

    `padding` is (left, right, top, bottom, front, back), or one number for all; negative numbers leave entries out.

    >>> import autodiff as ad, nn
    >>> nn.ReplicationPad3d(1)(ad.ones(1, 2, 2, 2)).shape
    (1, 4, 4, 4)
    """

    ndim, mode = 3, "replicate"


class CircularPad1d(_Pad):
    """(N, C, L) or (C, L) with the entries from the other end added at the ends.

    `padding` is (before, after), or one number for all; negative numbers leave entries
    out. OpError for more than there are to add.

    >>> import autodiff as ad, nn
    >>> nn.CircularPad1d(1)(ad.tensor([[1.0, 2.0]]))
    tensor([[2., 1., 2., 1.]])
    """

    ndim, mode = 1, "circular"


class CircularPad2d(_Pad):
    """(N, C, H, W) or (C, H, W) with the entries from the other end added at the ends.

    `padding` is (left, right, top, bottom), or one number for all; negative numbers leave entries
    out. OpError for more than there are to add.

    >>> import autodiff as ad, nn
    >>> nn.CircularPad2d(1)(ad.ones(1, 2, 2)).shape
    (1, 4, 4)
    """

    ndim, mode = 2, "circular"


class CircularPad3d(_Pad):
    """(N, C, D, H, W) or (C, D, H, W) with the entries from the other end added at the ends.

    `padding` is (left, right, top, bottom, front, back), or one number for all; negative numbers leave entries
    out. OpError for more than there are to add.

    >>> import autodiff as ad, nn
    >>> nn.CircularPad3d(1)(ad.ones(1, 2, 2, 2)).shape
    (1, 4, 4, 4)
    """

    ndim, mode = 3, "circular"

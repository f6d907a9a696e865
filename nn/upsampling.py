"""Layers that resample images and signals."""

from collections.abc import Sequence

from autodiff.tensor import Tensor
from nn import functional as F
from nn.module import Module

Factor = float | Sequence[float] | None


class Upsample(Module):
    """(N, C, *) resampled to `size`, or by `scale_factor`, as `nn.functional.interpolate` does.

    `mode` is "nearest", "nearest-exact", "area", "linear", "bilinear", "bicubic" or "trilinear". ValueError for
    arguments that do not fit together, OpError for other dimensions.

    >>> import autodiff as ad, nn
    >>> nn.Upsample(scale_factor=2)(ad.tensor([[[1.0, 2.0]]]))
    tensor([[[1., 1., 2., 2.]]])
    """

    def __init__(
        self,
        size: int | Sequence[int] | None = None,
        scale_factor: Factor = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        self.size, self.mode, self.align_corners = size, mode, align_corners
        self.scale_factor: Factor = scale_factor
        if isinstance(scale_factor, Sequence):
            self.scale_factor = tuple(map(float, scale_factor))
        elif scale_factor:
            self.scale_factor = float(scale_factor)
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.interpolate(
            input, self.size, self.scale_factor, self.mode, self.align_corners, self.recompute_scale_factor
        )

    def extra_repr(self) -> str:
        first = f"size={self.size!r}" if self.scale_factor is None else f"scale_factor={self.scale_factor!r}"
        return f"{first}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """(N, C, H, W) resampled to `size`, or by `scale_factor`: each entry the nearest one.

    >>> import autodiff as ad, nn
    >>> nn.UpsamplingNearest2d(scale_factor=2)(ad.ones(1, 1, 1, 1)).shape
    (1, 1, 2, 2)
    """

    def __init__(self, size: int | Sequence[int] | None = None, scale_factor: Factor = None) -> None:
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """(N, C, H, W) resampled to `size`, or by `scale_factor`, bilinearly between the entries, the corners in place.

    >>> import autodiff as ad, nn
    >>> nn.UpsamplingBilinear2d(size=3)(ad.tensor([[[[1.0, 3.0]]]]))
    tensor([[[[1., 2., 3.],
              [1., 2., 3.],
              [1., 2., 3.]]]])
    """

    def __init__(self, size: int | Sequence[int] | None = None, scale_factor: Factor = None) -> None:
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)

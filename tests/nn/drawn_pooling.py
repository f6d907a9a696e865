"""Pooling, padding and resampling layers with inputs for them, by the name of the module."""

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

import autodiff as ad
import nn
from autodiff.tensor import Tensor

Draw = Callable[[st.SearchStrategy[Any]], Any]
Built = tuple[nn.Module, list[Tensor], list[Tensor]]


def _apart(draw: Draw, *shape: int, low: float = -2.0) -> Tensor:
    """Numbers of which no two are near each other: which is the largest is beyond doubt."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = rng.permutation(np.linspace(low, 2, int(np.prod(shape)))).reshape(shape)
    return ad.tensor(values, dtype=ad.float64, requires_grad=True)


def _input(draw: Draw, ndim: int, low: float = -2.0) -> Tensor:
    lead = draw(st.sampled_from([(1,), (1, 2)]))
    return _apart(draw, *lead, *(2 if ndim == 3 else 4,) * ndim, low=low)


def _sliding(name: str) -> Callable[[Draw], Built]:
    def built(draw: Draw) -> Built:
        given = draw(st.sampled_from([{}, {"stride": 1, "ceil_mode": True}, {"stride": 3, "padding": 1}]))
        if name.startswith("LP"):
            given.pop("padding", None)
            return getattr(nn, name)(3, 2, **given), [_input(draw, int(name[-2]), low=0.5)], []
        return getattr(nn, name)(2, **given), [_input(draw, int(name[-2]))], []

    return built


def _unpooled(name: str) -> Callable[[Draw], Built]:
    def built(draw: Draw) -> Built:
        x = _input(draw, int(name[-2]))
        largest, indices = getattr(nn, name.replace("Unpool", "Pool"))(2, return_indices=True)(x.detach())
        return getattr(nn, name)(2), [largest.requires_grad_()], [indices]

    return built


def _adaptive(name: str) -> Callable[[Draw], Built]:
    return lambda draw: (getattr(nn, name)(draw(st.sampled_from([1, 2, 3]))), [_input(draw, int(name[-2]))], [])


def _fractional(name: str) -> Callable[[Draw], Built]:
    def built(draw: Draw) -> Built:
        ndim = int(name[-2])
        samples = ad.rand(1, 1, ndim, dtype=ad.float64)
        return getattr(nn, name)(2, output_size=2, _random_samples=samples), [_apart(draw, 1, *(3,) * ndim)], []

    return built


def _padded(name: str) -> Callable[[Draw], Built]:
    def built(draw: Draw) -> Built:
        widths = draw(st.sampled_from([1, (1, 0), (-1, 1)]))
        widths = widths * int(name[-2]) if isinstance(widths, tuple) else widths
        value = (1.5,) if name.startswith("Constant") else ()
        return getattr(nn, name)(widths, *value), [_input(draw, int(name[-2]))], []

    return built


def _upsampled(draw: Draw) -> Built:
    mode, ndim = draw(
        st.sampled_from([("nearest", 2), ("area", 1), ("linear", 1), ("bilinear", 2), ("bicubic", 2), ("trilinear", 3)])
    )
    given = draw(st.sampled_from([{"size": 3}, {"scale_factor": 1.5}, {"scale_factor": 2}]))
    return nn.Upsample(mode=mode, **given), [_apart(draw, 1, 1, *(2,) * ndim)], []


def _of_images(name: str, channels: int, *args: Any, **kwargs: Any) -> Callable[[Draw], Built]:
    return lambda draw: (getattr(nn, name)(*args, **kwargs), [_apart(draw, 1, channels, 2, 2)], [])


DRAWN: dict[str, Callable[[Draw], Built]] = {
    **{name: _sliding(name) for name in nn.__all__ if name[:-2] in ("MaxPool", "AvgPool", "LPPool")},
    **{name: _unpooled(name) for name in nn.__all__ if name.startswith("MaxUnpool")},
    **{name: _adaptive(name) for name in nn.__all__ if name.startswith("Adaptive") and "Pool" in name},
    **{name: _fractional(name) for name in nn.__all__ if name.startswith("Fractional")},
    **{name: _padded(name) for name in nn.__all__ if name[:-2].endswith("Pad")},
    "PixelShuffle": _of_images("PixelShuffle", 4, 2),
    "PixelUnshuffle": _of_images("PixelUnshuffle", 1, 2),
    "ChannelShuffle": _of_images("ChannelShuffle", 4, 2),
    "Upsample": _upsampled,
    "UpsamplingNearest2d": _of_images("UpsamplingNearest2d", 1, scale_factor=1.5),
    "UpsamplingBilinear2d": _of_images("UpsamplingBilinear2d", 1, size=(3, 4)),
}

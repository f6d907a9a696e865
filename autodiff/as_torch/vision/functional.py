"""`torchvision.transforms.functional`: one image, or tensors of shape (..., C, H, W), changed in a stated way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autodiff.creation import from_numpy, tensor
from autodiff.dtypes import get_default_dtype
from autodiff.tensor import Tensor
from nn.functional import interpolate
from nn.functional import pad as pad_tensor

# Pillow's numbers for its filters.
FILTERS = {"nearest": 0, "bilinear": 2, "bicubic": 3}


def pil_to_tensor(pic: Any) -> Tensor:
    """A Pillow image as a uint8 tensor of shape (C, H, W)."""
    pixels = np.array(pic)
    pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
    return from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))


def to_tensor(pic: Any) -> Tensor:
    """A Pillow image, or an array of shape (H, W) or (H, W, C), as a tensor (C, H, W); bytes become floats in [0, 1].

    >>> to_tensor(np.array([[0, 51], [255, 0]], np.uint8))
    tensor([[[0.0000, 0.2000],
             [1.0000, 0.0000]]])
    """
    found = pil_to_tensor(pic)
    return found.to(get_default_dtype()).div(255) if found.dtype == np.uint8 else found


def to_pil_image(pic: Any, mode: str | None = None) -> Any:
    """A tensor (C, H, W), floats in [0, 1] or bytes, as a Pillow image."""
    from PIL import Image

    pixels = pic.detach().array if isinstance(pic, Tensor) else np.asarray(pic)
    if isinstance(pic, Tensor):
        pixels = pixels.transpose(1, 2, 0) if pixels.ndim == 3 else pixels[:, :, None]
    if pixels.dtype.kind == "f":
        pixels = (pixels * 255).astype(np.uint8)
    made = Image.fromarray(pixels[:, :, 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels)
    return made if mode is None else made.convert(mode)


def normalize(tensor: Tensor, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> Tensor:
    """(x - mean) / std for each channel of a tensor (..., C, H, W); ValueError for a deviation of zero."""
    centre, scale = (_of_channels(numbers, tensor) for numbers in (mean, std))
    if (scale.array == 0).any():
        raise ValueError(f"expected deviations other than 0 in {tensor.dtype}, got std={std}")
    return tensor.sub_(centre).div_(scale) if inplace else (tensor - centre) / scale


def _of_channels(numbers: Sequence[float], like: Tensor) -> Tensor:
    found = tensor(numbers, dtype=like.dtype)
    return found.reshape(-1, 1, 1) if found.ndim == 1 else found


def size_of(image: Any) -> tuple[int, int]:
    """The height and width of an image."""
    height, width = image.shape[-2:] if isinstance(image, Tensor) else (image.height, image.width)
    return height, width


def resize(
    img: Any, size: Any, interpolation: Any = "bilinear", max_size: int | None = None, antialias: bool | None = True
) -> Any:
    """The image with this height and width, or with this length of its shorter side."""
    height, width = size_of(img)
    if isinstance(size, int) or len(size) == 1:
        shorter = size if isinstance(size, int) else size[0]
        tall = width <= height
        size = (int(shorter * height / width), shorter) if tall else (shorter, int(shorter * width / height))
    how = getattr(interpolation, "value", interpolation)
    if not isinstance(img, Tensor):
        return img.resize(tuple(size[::-1]), FILTERS.get(how, how))
    options: dict[str, Any] = {} if how == "nearest" else {"align_corners": False, "antialias": bool(antialias)}
    batch = img if img.ndim == 4 else img[None]
    found = interpolate(batch.float(), tuple(size), mode=how, **options)
    found = found if img.dtype.kind == "f" else found.round().to(img.dtype)
    return found if img.ndim == 4 else found[0]


def crop(img: Any, top: int, left: int, height: int, width: int) -> Any:
    """The part of the image that begins at (top, left)."""
    if isinstance(img, Tensor):
        return img[..., top : top + height, left : left + width]
    return img.crop((left, top, left + width, top + height))


def center_crop(img: Any, output_size: Any) -> Any:
    """The middle of the image."""
    height, width = _pair(output_size)
    rows, columns = size_of(img)
    return crop(img, round((rows - height) / 2.0), round((columns - width) / 2.0), height, width)


def pad(img: Any, padding: Any, fill: float = 0, padding_mode: str = "constant") -> Any:
    """The image with a margin: the same on all sides, or (left and right, top and bottom), or (l, t, r, b)."""
    left, top, right, bottom = _margins(padding)
    if isinstance(img, Tensor):
        return pad_tensor(img, (left, right, top, bottom), padding_mode, fill)
    pixels = np.asarray(img)
    widths = [(top, bottom), (left, right), (0, 0)][: pixels.ndim]
    options: dict[str, Any] = {"constant_values": fill} if padding_mode == "constant" else {}
    modes: dict[str, Any] = {"replicate": "edge"}
    return to_pil_image(np.pad(pixels, widths, modes.get(padding_mode, padding_mode), **options))


def hflip(img: Any) -> Any:
    """The image mirrored left to right."""
    return img.flip(-1) if isinstance(img, Tensor) else img.transpose(0)


def vflip(img: Any) -> Any:
    """The image mirrored top to bottom."""
    return img.flip(-2) if isinstance(img, Tensor) else img.transpose(1)


def _pair(size: Any) -> tuple[int, int]:
    return (int(size), int(size)) if isinstance(size, int | float) else (size[0], size[-1])


def _margins(padding: Any) -> tuple[int, int, int, int]:
    sides = [padding] if isinstance(padding, int) else list(padding)
    left, top, right, bottom = {1: sides * 4, 2: sides * 2, 4: sides}[len(sides)]
    return left, top, right, bottom


__all__ = [
    "center_crop", "crop", "hflip", "normalize", "pad", "pil_to_tensor", "resize", "to_pil_image", "to_tensor", "vflip",
]  # fmt: skip

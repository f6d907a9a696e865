"""`torchvision.utils`: images side by side, and in a file."""

from __future__ import annotations

import math
from io import BytesIO
from pathlib import Path
from typing import Any

from autodiff import cat, clamp, full, stack
from autodiff.as_torch.vision.functional import to_pil_image
from autodiff.files import write
from autodiff.tensor import Tensor


def make_grid(
    tensor: Any, nrow: int = 8, padding: int = 2, normalize: bool = False,
    value_range: tuple[float, float] | None = None, scale_each: bool = False, pad_value: float = 0.0,
) -> Tensor:  # fmt: skip
    """Images (N, C, H, W) as one image (3, H', W') with `nrow` in a row and `padding` pixels between them.

    With ``normalize`` they are shifted and scaled from ``value_range``, or the least and largest number, to [0, 1].

    >>> import autodiff as ad
    >>> make_grid(ad.zeros(5, 1, 4, 4), nrow=3).shape
    (3, 14, 20)
    """
    images = stack(list(tensor), 0) if isinstance(tensor, list) else tensor
    images = images[(None,) * (4 - images.ndim)]
    if images.shape[1] == 1:
        images = cat((images, images, images), 1)
    if normalize:
        parts = images if scale_each else [images]
        images = stack([_scaled(part, value_range) for part in parts]).reshape(images.shape)
    count, channels, height, width = images.shape
    if count == 1:
        return images[0]
    columns = min(nrow, count)
    rows = math.ceil(count / columns)
    height, width = height + padding, width + padding
    grid = full((channels, height * rows + padding, width * columns + padding), pad_value, dtype=images.dtype)
    for number in range(count):
        top, left = number // columns * height + padding, number % columns * width + padding
        grid[:, top : top + height - padding, left : left + width - padding] = images[number]
    return grid


def _scaled(x: Tensor, value_range: tuple[float, float] | None) -> Tensor:
    low, high = (x.min().item(), x.max().item()) if value_range is None else value_range
    return clamp(x, low, high).sub(low).div(max(high - low, 1e-5))


def save_image(tensor: Any, fp: Any, format: str | None = None, **options: Any) -> None:
    """Write images with numbers in [0, 1] into one file, laid out by `make_grid`, which takes the ``options``."""
    grid = make_grid(tensor, **options).detach()
    image = to_pil_image(grid.mul(255).add(0.5).clamp(0, 255).to("uint8"))
    if hasattr(fp, "write"):
        image.save(fp, format=format)
        return
    content = BytesIO()
    image.save(content, format=format or _format(Path(fp)))
    write(Path(fp), content.getvalue())


def _format(path: Path) -> str:
    from PIL import Image

    Image.init()
    if path.suffix.lower() not in Image.EXTENSION:
        raise ValueError(f"expected the name of an image file such as samples.png, got {path.name!r}")
    return str(Image.EXTENSION[path.suffix.lower()])


__all__ = ["make_grid", "save_image"]

"""One's own pictures as a network that was trained on MNIST expects them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from autodiff.creation import from_numpy
from autodiff.tensor import Array, Tensor

SIZE, BOX = 28, 20


def read_digit(path: str | Path, invert: bool | None = None) -> Tensor:
    """The digit in a picture file, prepared as those of MNIST were: float32 (1, 1, 28, 28), ink 1 on paper 0.

    The picture becomes grey; dark ink on light paper is inverted, which is told by the edges of the picture unless
    `invert` says; what is fainter than a quarter of the ink is paper. The digit is scaled to fit a box of 20 by 20
    pixels, its sides in proportion, and its centre of mass becomes the centre of 28 by 28. ModuleNotFoundError without
    Pillow, ValueError for a picture without any ink.
    Source: LeCun et al., "Gradient-based learning applied to document recognition", 1998.

        model.load_state_dict(ad.load("model.safetensors"))
        model.eval()
        probabilities = model(read_digit("seven.png")).softmax(dim=1)
    """
    try:
        from PIL import Image
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "read_digit reads pictures with Pillow, which is not installed: pip install pillow", name="PIL"
        ) from error
    with Image.open(path) as file:
        # What is transparent shows the paper.
        paper = Image.new("RGBA", file.size, "white")
        grey = np.asarray(Image.alpha_composite(paper, file.convert("RGBA")).convert("L"), np.float32)
    ink = _ink(grey, invert)
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    if not rows.size:
        raise ValueError(f"read_digit: expected a digit in {path}, got a picture of one grey only")
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = BOX / max(ink.shape)
    height, width = (max(1, round(scale * length)) for length in ink.shape)
    smooth = Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR
    box = np.asarray(Image.fromarray(ink).resize((width, height), smooth))
    return from_numpy(_centred(np.clip(box, 0, 1))[None, None])


def _ink(grey: Array, invert: bool | None) -> Array:
    """How much ink there is at each pixel, from 0 to 1."""
    edges = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    paper = np.median(edges)
    if invert is None:
        invert = bool(paper > (grey.min() + grey.max()) / 2)
    distance = np.maximum(paper - grey if invert else grey - paper, 0)
    ink: Array = distance / max(distance.max(), 1)
    return np.where(ink < 0.25, np.float32(0), ink).astype(np.float32)


def _centred(box: Array) -> Array:
    """The box on 28 by 28 pixels, its centre of mass within half a pixel of (14, 14), where MNIST's are, if it fits."""
    image = np.zeros((SIZE, SIZE), np.float32)
    places = []
    for axis, length in enumerate(box.shape):
        mass = (box.sum(1 - axis) * np.arange(length)).sum() / box.sum()
        places.append(int(np.clip(round(SIZE / 2 - mass), 0, SIZE - length)))
    image[places[0] : places[0] + box.shape[0], places[1] : places[1] + box.shape[1]] = box
    return image

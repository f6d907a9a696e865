"""`torchvision.transforms`: what is done to each image as it is taken, with torchvision's draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

from autodiff import rand, randint
from autodiff.as_torch.vision import functional
from autodiff.as_torch.vision.functional import _pair, size_of
from autodiff.tensor import Tensor


class InterpolationMode(Enum):
    """Names of the ways to resize."""

    NEAREST = "nearest"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"


class Compose:
    """Transforms one after the other."""

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        self.transforms = transforms

    def __call__(self, img: Any) -> Any:
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self) -> str:
        return "\n".join(["Compose(", *(f"    {transform}" for transform in self.transforms), ")"])


class Lambda:
    """A function as a transform."""

    def __init__(self, lambd: Callable[[Any], Any]) -> None:
        self.lambd = lambd

    def __call__(self, img: Any) -> Any:
        return self.lambd(img)


class ToTensor:
    """`functional.to_tensor` as a transform."""

    def __call__(self, pic: Any) -> Tensor:
        return functional.to_tensor(pic)

    def __repr__(self) -> str:
        return "ToTensor()"


class PILToTensor:
    """`functional.pil_to_tensor` as a transform."""

    def __call__(self, pic: Any) -> Tensor:
        return functional.pil_to_tensor(pic)


class ToPILImage:
    """`functional.to_pil_image` as a transform."""

    def __init__(self, mode: str | None = None) -> None:
        self.mode = mode

    def __call__(self, pic: Any) -> Any:
        return functional.to_pil_image(pic, self.mode)


class Normalize:
    """`functional.normalize` as a transform."""

    def __init__(self, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> None:
        self.mean, self.std, self.inplace = mean, std, inplace

    def __call__(self, tensor: Tensor) -> Tensor:
        return functional.normalize(tensor, self.mean, self.std, self.inplace)

    def __repr__(self) -> str:
        return f"Normalize(mean={self.mean}, std={self.std})"


class Resize:
    """`functional.resize` as a transform."""

    def __init__(self, size: Any, interpolation: Any = InterpolationMode.BILINEAR, **options: Any) -> None:
        self.size, self.interpolation, self.options = size, interpolation, options

    def __call__(self, img: Any) -> Any:
        return functional.resize(img, self.size, self.interpolation, **self.options)


Scale = Resize


class CenterCrop:
    """`functional.center_crop` as a transform."""

    def __init__(self, size: Any) -> None:
        self.size = size

    def __call__(self, img: Any) -> Any:
        return functional.center_crop(img, self.size)


class Pad:
    """`functional.pad` as a transform."""

    def __init__(self, padding: Any, fill: float = 0, padding_mode: str = "constant") -> None:
        self.padding, self.fill, self.padding_mode = padding, fill, padding_mode

    def __call__(self, img: Any) -> Any:
        return functional.pad(img, self.padding, self.fill, self.padding_mode)


class Grayscale:
    """Shades of grey, in one channel or three equal ones."""

    def __init__(self, num_output_channels: int = 1) -> None:
        self.num_output_channels = num_output_channels

    def __call__(self, img: Any) -> Any:
        grey = img.convert("L")
        return grey if self.num_output_channels == 1 else grey.convert("RGB")


class RandomCrop:
    """A part of the image at a random place, after a margin was added; ValueError if the image is too small."""

    def __init__(
        self, size: Any, padding: Any = None, pad_if_needed: bool = False, fill: float = 0,
        padding_mode: str = "constant",
    ) -> None:  # fmt: skip
        self.size, self.padding, self.pad_if_needed = _pair(size), padding, pad_if_needed
        self.fill, self.padding_mode = fill, padding_mode

    def __call__(self, img: Any) -> Any:
        height, width = self.size
        if self.padding is not None:
            img = functional.pad(img, self.padding, self.fill, self.padding_mode)
        rows, columns = size_of(img)
        if self.pad_if_needed and (rows < height or columns < width):
            margin = [max(width - columns, 0), max(height - rows, 0)]
            img = functional.pad(img, margin, self.fill, self.padding_mode)
            rows, columns = size_of(img)
        if rows < height or columns < width:
            raise ValueError(f"Required crop size {self.size} is larger than input image size {(rows, columns)}")
        if (rows, columns) == (height, width):
            return img
        top = int(randint(0, rows - height + 1, size=(1,)).item())
        left = int(randint(0, columns - width + 1, size=(1,)).item())
        return functional.crop(img, top, left, height, width)


class RandomHorizontalFlip:
    """The image, or with probability `p` its mirror image."""

    mirrored: Callable[[Any], Any] = staticmethod(functional.hflip)

    def __init__(self, p: float = 0.5) -> None:
        self.p = p

    def __call__(self, img: Any) -> Any:
        return self.mirrored(img) if rand(1).item() < self.p else img


class RandomVerticalFlip(RandomHorizontalFlip):
    """The image, or with probability `p` upside down."""

    mirrored = staticmethod(functional.vflip)


__all__ = [
    "CenterCrop", "Compose", "Grayscale", "InterpolationMode", "Lambda", "Normalize", "PILToTensor", "Pad",
    "RandomCrop", "RandomHorizontalFlip", "RandomVerticalFlip", "Resize", "Scale", "ToPILImage", "ToTensor",
]  # fmt: skip

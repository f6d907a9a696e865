"""A picture of a digit becomes what MNIST would have made of it."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import autodiff as ad
from autodiff.data import mnist_5k, read_digit


def saved(pixels: np.ndarray, path: Path, mode: str = "L") -> Path:
    Image.fromarray(np.asarray(pixels, np.uint8)).convert(mode).save(path)
    return path


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return np.rint(mnist_5k().test.images.numpy()[:40, 0] * 255)


def test_images_of_mnist_come_back(digits: np.ndarray, tmp_path: Path) -> None:
    same = 0
    for digit in digits:
        read = read_digit(saved(255 - digit, tmp_path / "digit.png"))
        assert (read.shape, read.dtype) == ((1, 1, 28, 28), ad.float32)
        difference = {
            (i, j): np.abs(np.roll(read.numpy()[0, 0], (i, j), (0, 1)) - digit / 255).mean()
            for i in (-1, 0, 1)
            for j in (-1, 0, 1)
        }
        # Faint edges that count as paper here can change the box, and so the rounding, by a pixel.
        assert min(difference.values()) < 0.05
        same += difference[0, 0] < 0.02
    assert same > 0.75 * len(digits)


def test_large_moved_coloured_inverted_and_transparent_pictures_give_the_same(
    digits: np.ndarray, tmp_path: Path
) -> None:
    for digit in digits[:10]:
        expected = read_digit(saved(255 - digit, tmp_path / "digit.png")).numpy()
        large = np.pad(np.kron(digit, np.ones((5, 5))), ((30, 90), (200, 10)))
        noise = ad.Generator().manual_seed(0).integers(0, 12, large.shape)
        transparent = np.stack([np.zeros_like(large)] * 3 + [large], -1)
        for pixels in (255 - large, large, 230 - 0.8 * large + noise, 20 + 0.8 * large + noise, transparent):
            read = read_digit(saved(pixels, tmp_path / "other.png", "RGBA" if pixels.ndim == 3 else "RGB")).numpy()
            assert np.abs(read - expected).mean() < 0.02


def test_the_digit_is_20_pixels_long_and_its_mass_in_the_centre(tmp_path: Path) -> None:
    bar = np.full((100, 60), 255)
    bar[10:90, 5:10] = 0
    image = read_digit(saved(bar, tmp_path / "one.png")).numpy()[0, 0]
    assert np.ptp(np.flatnonzero(image.any(1))) == 19
    rows, columns = ((image.sum(1 - axis) * np.arange(28)).sum() / image.sum() for axis in (0, 1))
    assert 13.4 < rows < 14.6
    assert 13.4 < columns < 14.6


def test_the_ink_can_be_said_to_be_light_or_dark(tmp_path: Path) -> None:
    framed = np.zeros((60, 60))
    framed[2:-2, 2:-2] = 255  # light paper on a dark table
    framed[20:40, 28:32] = 0
    path = saved(framed, tmp_path / "framed.png")
    assert read_digit(path).sum() > 200, "the edges are taken for paper"
    plain = saved(framed[2:-2, 2:-2], tmp_path / "plain.png")
    assert read_digit(plain).equal(read_digit(plain, invert=True))


def test_pictures_without_ink_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a picture of one grey only"):
        read_digit(saved(np.full((9, 9), 200), tmp_path / "empty.png"))


def test_without_pillow_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ModuleNotFoundError, match="pip install pillow"):
        read_digit(tmp_path / "digit.png")

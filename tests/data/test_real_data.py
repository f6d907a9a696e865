"""The loaders of real data: what they give, and what they say where it is missing or damaged."""

import gzip
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import autodiff as ad
from autodiff.data import census_names, digits_8x8, fashion_mnist, idx_images


def idx(numbers: np.ndarray) -> bytes:
    lengths = b"".join(length.to_bytes(4) for length in numbers.shape)
    return b"\0\0\x08" + bytes([numbers.ndim]) + lengths + numbers.astype(np.uint8).tobytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Forty images to train, ten to test, each filled with its number; labels are the last decimal."""
    for part, count in (("train", 40), ("t10k", 10)):
        numbers = np.arange(count)
        images = np.broadcast_to(numbers[:, None, None], (count, 3, 4))
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(idx(numbers % 10))
    return tmp_path


@pytest.mark.parametrize("load", [idx_images, fashion_mnist])
def test_images_of_a_folder_keep_their_labels(load: Callable[..., object], folder: Path) -> None:
    splits = idx_images(folder, dev=10) if load is idx_images else fashion_mnist(folder, dev=0.25)
    assert [part.images.shape for part in splits] == [(30, 1, 3, 4), (10, 1, 3, 4), (10, 1, 3, 4)]
    for part in splits:
        assert part.images.dtype == ad.float32
        assert part.labels.dtype == ad.int64
        numbers = (part.images[:, 0, 1, 1] * 255).round().to(ad.int64)
        assert (numbers % 10).equal(part.labels)
    assert splits.dev.labels.bincount().tolist() == [1] * 10
    assert splits.test.images[9, 0, 2, 3] == np.float32(9) / np.float32(255)


def test_the_split_is_the_same_in_every_run_and_draws_nothing(folder: Path) -> None:
    ad.manual_seed(0)
    first = idx_images(folder, dev=10).dev.images
    ad.manual_seed(1)
    expected = ad.rand(3)
    ad.manual_seed(1)
    assert idx_images(str(folder), dev=10).dev.images.equal(first)
    assert ad.rand(3).equal(expected)


def test_missing_files_are_named_with_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"train-images-idx3-ubyte\.gz.*apt install dataset-fashion-mnist"):
        fashion_mnist(tmp_path)


def test_damaged_files_are_refused(folder: Path) -> None:
    file = folder / "train-images-idx3-ubyte.gz"
    whole = file.read_bytes()
    for damaged in (whole[:-20], whole[:30] + b"\xff" * 8 + whole[38:], b"no gzip", b""):
        file.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"train-images-idx3-ubyte\.gz"):
            idx_images(folder)
    file.write_bytes(gzip.compress(gzip.decompress(whole)[:-1]))
    with pytest.raises(ValueError, match="copy the file again"):
        idx_images(folder)


def test_images_and_labels_of_different_lengths_are_refused(folder: Path) -> None:
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(np.zeros(39)))
    with pytest.raises(ValueError, match=r"as many labels, got \(40, 3, 4\).*\(39,\)"):
        idx_images(folder)


def test_a_dev_set_that_cannot_be_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="at least one example in each part"):
        idx_images(folder, dev=40)


def test_digits_are_the_package_s_in_stratified_parts() -> None:
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    splits = digits_8x8()
    found = {(image.numpy() * 16).tobytes(): int(label) for part in splits for image, label in zip(*part, strict=True)}
    assert found == {row.astype(np.float32).tobytes(): label for row, label in zip(pixels, labels, strict=True)}
    counts = np.bincount(labels)
    for part in splits:
        share = counts * len(part.labels) / len(labels)
        assert (np.abs(part.labels.bincount().numpy() - share) < 1).all()
        assert part.images.min() == 0
        assert part.images.max() == 1


def test_names_are_each_once_in_small_letters() -> None:
    first, female, male = census_names(), census_names("female"), census_names("male")
    assert (len(female), len(male), len(census_names("last"))) == (4275, 1219, 88799)
    assert set(first) == set(female) | set(male)
    assert len(set(first)) == len(first)
    assert set("".join(first)) == set("abcdefghijklmnopqrstuvwxyz")
    assert first[:2] == ["james", "john"]


def test_names_of_another_kind_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one of \['female', 'first', 'last', 'male'\], got 'dogs'"):
        census_names("dogs")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("package", "load", "command"),
    [("sklearn.datasets", digits_8x8, "pip install scikit-learn"), ("names", census_names, "pip install names")],
)
def test_without_the_package_the_error_says_what_to_install(
    package: str, load: Callable[[], object], command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModuleNotFoundError, match=command):
        load()

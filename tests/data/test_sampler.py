"""Samplers and what data sets are made of: lazy, and refusing what does not fit. Their numbers are in tests/parity."""

import tracemalloc
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
from autodiff import data
from autodiff.data import sampler

ENDLESS = 10**10


@pytest.mark.parametrize(
    "make",
    [
        lambda: data.SequentialSampler(range(ENDLESS)),
        lambda: data.RandomSampler(range(10), num_samples=ENDLESS),
        lambda: data.RandomSampler(range(10), replacement=True, num_samples=ENDLESS),
        lambda: data.RandomSampler(range(ENDLESS), replacement=True),
        lambda: data.WeightedRandomSampler([1.0, 2.0], ENDLESS),
        lambda: data.BatchSampler(range(ENDLESS), 4, True),
        lambda: data.BatchSampler(data.RandomSampler(range(10), num_samples=ENDLESS), 4, False),
    ],
)
def test_a_long_order_costs_nothing(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampler, "AT_ONCE", 1000)
    tracemalloc.start()
    try:
        made = make()
        assert len(made) in (ENDLESS, ENDLESS // 4)
        assert len(list(islice(made, 50))) == 50
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_weighted_samples_are_the_same_when_drawn_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn() -> list[int]:
        return list(data.WeightedRandomSampler([1.0, 2.0, 3.0], 25, generator=ad.Generator().manual_seed(0)))

    whole = drawn()
    # The last part has 4, and would have 1.
    for part in (7, 8):
        monkeypatch.setattr(sampler, "AT_ONCE", part)
        assert drawn() == whole


@given(st.integers(1, 30), st.integers(1, 100))
def test_random_orders_are_permutations(length: int, count: int) -> None:
    order = list(data.RandomSampler(range(length), num_samples=count))
    assert len(order) == count
    for start in range(0, count, length):
        part = order[start : start + length]
        assert len(set(part)) == len(part)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=5))
def test_splits_deal_every_example_once(lengths: list[int]) -> None:
    parts = data.random_split(range(sum(lengths)), lengths) if sum(lengths) != 1 else []
    assert [len(part) for part in parts] == (lengths if parts else [])
    assert sorted(example for part in parts for example in part) == list(range(sum(lengths) if parts else 0))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: data.RandomSampler([]), ValueError, "num_samples, .* above 0, got 0"),
        (lambda: data.RandomSampler([1], num_samples=1.5), ValueError, r"above 0, got 1\.5"),
        (lambda: data.RandomSampler([1], "yes"), TypeError, "replacement to be True or False, got 'yes'"),
        (lambda: data.BatchSampler([1], True, False), ValueError, "batch_size to be a whole number above 0, got True"),
        (lambda: data.BatchSampler([1], 1, None), ValueError, "drop_last to be True or False"),
        (lambda: data.WeightedRandomSampler([[1.0]], 1), ValueError, r"in shape \(1, 1\)"),
        (lambda: list(data.WeightedRandomSampler([1.0, -1.0], 1)), RuntimeError, "finite weights of at least 0"),
        (lambda: list(data.WeightedRandomSampler([0.0], 1)), RuntimeError, "some of each row above 0"),
        (
            lambda: list(data.WeightedRandomSampler([1.0, 0.0], 2, False)),
            RuntimeError,
            "draw 2 of 1 places with weights above 0",
        ),
        (lambda: data.DistributedSampler([1]), ValueError, "expected num_replicas and 0 <= rank"),
        (lambda: data.DistributedSampler([1], 2, 2), ValueError, "got 2 and 2"),
        (lambda: data.TensorDataset(ad.ones(2), ad.ones(3)), ValueError, r"the lengths \[2, 3\]"),
        (lambda: data.StackDataset([1], [1, 2]), ValueError, r"the lengths \[1, 2\]"),
        (lambda: data.StackDataset(), ValueError, "one dataset or more"),
        (lambda: data.StackDataset([1], x=[1]), ValueError, "all by position or all by name"),
        (lambda: data.ConcatDataset([]), ValueError, "at least one dataset"),
        (lambda: data.ConcatDataset([data.IterableDataset()]), TypeError, "use.*|join streams with ChainDataset"),
        (lambda: data.ConcatDataset([[1], [2]])[2], IndexError, "index 2 is out of range for 2 examples"),
        (lambda: list(data.ChainDataset([[1]])), TypeError, "expected streams, got list; use ConcatDataset"),
        (lambda: data.random_split([1, 2], [3]), ValueError, "add up to 2, the length of the dataset"),
        (lambda: data.random_split([1, 2], [1.5, -0.5]), ValueError, "fractions from 0 to 1"),
        (lambda: data.Dataset()[0], NotImplementedError, "needs a method __getitem__"),
        (lambda: iter(data.IterableDataset()), NotImplementedError, "needs a method __iter__"),
        (lambda: iter(data.Sampler()), NotImplementedError, "needs a method __iter__"),
    ],
)
def test_what_does_not_fit_is_refused(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_a_subset_that_changes_its_examples_must_change_them_in_batches_too() -> None:
    class Doubled(data.Subset[int]):
        def __getitem__(self, idx: Any) -> int:
            return 2 * super().__getitem__(idx)

    with pytest.raises(NotImplementedError, match="needs a __getitems__ too"):
        Doubled([1, 2], [0])


def test_an_empty_part_is_mentioned() -> None:
    with pytest.warns(UserWarning, match=r"some subset gets none: \[2, 0\]"):
        data.random_split([1, 2], [0.99, 0.01])

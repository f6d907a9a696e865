"""Every draw beside PyTorch's: same seed, same numbers, in any order of draws."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from autodiff.random import Generator

# An empty array, a number alone, and both sides of every multiple of 16, where the normal draw changes its rule.
SIZES = [(0,), (), (1,), (7,), (15,), (16,), (17,), (4, 5), (31,), (32,), (2, 3, 8), (63,), (1000,), (3, 333)]
SEEDS = [0, 1, -1, -(2**63), 2**32, 2**32 + 12345, 2**63 + 7, 2**64 - 1]
FLOATS = ["float16", "float32", "float64"]

Draw = tuple[Callable[[Generator], np.ndarray[Any, Any]], Callable[[torch.Generator], torch.Tensor]]


def empty(shape: tuple[int, ...], dtype: str) -> torch.Tensor:
    return torch.empty(shape, dtype=getattr(torch, dtype))


def uniform(shape: tuple[int, ...], dtype: str, low: float, high: float) -> Draw:
    return (
        lambda ours: ours.uniform(shape, dtype, low, high),
        lambda theirs: empty(shape, dtype).uniform_(low, high, generator=theirs),
    )


def normal(shape: tuple[int, ...], dtype: str, mean: float, std: float) -> Draw:
    return (
        lambda ours: ours.normal(shape, dtype, mean, std),
        lambda theirs: empty(shape, dtype).normal_(mean, std, generator=theirs),
    )


def exponential(shape: tuple[int, ...], dtype: str, rate: float) -> Draw:
    return (
        lambda ours: ours.exponential(shape, dtype, rate),
        lambda theirs: empty(shape, dtype).exponential_(rate, generator=theirs),
    )


def bernoulli(shape: tuple[int, ...], dtype: str, p: float) -> Draw:
    return (
        lambda ours: ours.bernoulli(shape, p).astype(dtype),
        lambda theirs: empty(shape, dtype).bernoulli_(p, generator=theirs),
    )


def bernoulli_like(shape: tuple[int, ...], dtype: str, seed: int) -> Draw:
    p = np.random.default_rng(seed).random(shape).astype(dtype)
    return (
        lambda ours: ours.bernoulli_like(np.asarray(p)).astype(dtype),
        lambda theirs: torch.bernoulli(torch.tensor(p), generator=theirs),
    )


def integers(shape: tuple[int, ...], dtype: str, low: int, high: int) -> Draw:
    return (
        lambda ours: ours.integers(low, high, shape, dtype),
        lambda theirs: torch.randint(low, high, shape, dtype=getattr(torch, dtype), generator=theirs),
    )


def integers64(shape: tuple[int, ...]) -> Draw:
    return (
        lambda ours: ours.integers(0, 2**63, shape),
        lambda theirs: empty(shape, "int64").random_(generator=theirs),
    )


def permutation(n: int) -> Draw:
    return lambda ours: ours.permutation(n), lambda theirs: torch.randperm(n, generator=theirs)


bounds = st.tuples(st.floats(-1e4, 1e4, width=16), st.floats(-1e4, 1e4, width=16)).map(sorted)
ranges = st.sampled_from([(0, 10), (-7, 8), (0, 2**28 - 1), (0, 2**28), (-(2**31), 2**31), (-(2**40), 2**62), (5, 6)])
shapes, floats = st.sampled_from(SIZES), st.sampled_from(FLOATS)
exact_draws = st.one_of(
    st.builds(uniform, shapes, floats, st.just(0), st.just(1)),
    st.builds(lambda shape, dtype, ends: uniform(shape, dtype, *ends), shapes, st.sampled_from(FLOATS[:2]), bounds),
    st.builds(normal, shapes, floats, st.just(0), st.sampled_from([1, 0.02, 3])),
    st.builds(normal, shapes, st.sampled_from(FLOATS[:2]), st.floats(-5, 5), st.floats(0, 9)),
    st.builds(exponential, shapes, floats, st.floats(0.01, 100)),
    st.builds(bernoulli, shapes, st.sampled_from(["float32", "float64", "bool"]), st.floats(0, 1)),
    st.builds(bernoulli_like, shapes, floats, st.integers(0, 99)),
    st.builds(lambda shape, ends: integers(shape, "int64", *ends), shapes, ranges),
    st.builds(integers64, shapes),
    st.builds(permutation, st.integers(0, 300)),
)


@given(st.sampled_from(SEEDS), st.lists(exact_draws, min_size=1, max_size=12))
def test_interleaved_draws_are_equal_and_so_is_the_state_after_them(seed: int, draws: list[Draw]) -> None:
    ours, theirs = Generator().manual_seed(seed), torch.Generator().manual_seed(seed)
    assert ours.initial_seed() == theirs.initial_seed()
    for our_draw, their_draw in draws:
        np.testing.assert_array_equal(our_draw(ours), their_draw(theirs).numpy(), strict=True)
    follow_each_other(ours, theirs)


def follow_each_other(ours: Generator, theirs: torch.Generator) -> None:
    """Each continues from the state of the other."""
    continued = Generator()
    continued.set_state(theirs.get_state().numpy())
    theirs.set_state(torch.from_numpy(ours.get_state()))
    expected = torch.empty(5, dtype=torch.float64).normal_(generator=theirs).numpy()
    np.testing.assert_array_equal(continued.normal((5,), "float64"), expected)


@pytest.mark.parametrize("dtype", FLOATS)
def test_many_numbers_are_equal(dtype: str) -> None:
    # A million numbers reach corners of the logarithm, the sine and the rounding that a thousand miss.
    for our_draw, their_draw in (
        uniform((1_000_003,), dtype, 0, 1),
        uniform((1_000_003,), dtype, 0, 0.1),
        normal((1_000_003,), dtype, 0, 1),
        exponential((200_003,), dtype, 1.7),
    ):
        ours, theirs = Generator().manual_seed(11), torch.Generator().manual_seed(11)
        np.testing.assert_array_equal(our_draw(ours), their_draw(theirs).numpy(), strict=True)


def test_float16_is_rounded_by_way_of_float32() -> None:
    # Rounding float64 to float16 at once would change about one number in 10,000.
    our_draw, their_draw = normal((15,), "float16", 0, 1)
    ours, theirs = Generator().manual_seed(1), torch.Generator().manual_seed(1)
    for _ in range(5000):
        np.testing.assert_array_equal(our_draw(ours), their_draw(theirs).numpy())


@pytest.mark.parametrize(("low", "high"), [(-0.1, 0.1), (1000, 1001), (-1 / 3, 1 / 7), (2, 2), (-3e38, 0)])
def test_float32_between_bounds_is_equal(low: float, high: float) -> None:
    our_draw, their_draw = uniform((1_000_000,), "float32", low, high)
    ours, theirs = Generator().manual_seed(3), torch.Generator().manual_seed(3)
    np.testing.assert_array_equal(our_draw(ours), their_draw(theirs).numpy())


@pytest.mark.parametrize("size", [9, 100_000])
@pytest.mark.parametrize(("offset", "scale"), [(-0.1, 0.2), (2.1, 0.3), (1000, 1)])
def test_float64_with_an_offset_is_within_a_rounding_error(size: int, offset: float, scale: float) -> None:
    # PyTorch multiplies and adds with one rounding, NumPy with a second, which costs at most one unit in the last
    # place of the largest of product, offset and sum; where the first two cancel, that is many units of the sum.
    for our_draw, their_draw in (
        uniform((size,), "float64", offset, offset + scale),
        normal((size,), "float64", offset, scale),
    ):
        ours, theirs = Generator().manual_seed(5), torch.Generator().manual_seed(5)
        drawn, expected = our_draw(ours), their_draw(theirs).numpy()
        largest = np.maximum(np.maximum(abs(expected - offset), abs(expected)), abs(offset))
        assert (abs(drawn - expected) <= np.spacing(largest)).all()
        if np.finfo(np.longdouble).nmant > 52:  # with a wider long double the second rounding is rare
            assert (drawn != expected).mean() < 0.005


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64", "bool"])
def test_integers_of_every_dtype(dtype: str) -> None:
    high = 2 if dtype == "bool" else {"uint8": 256, "int8": 128, "float16": 2000}.get(dtype, 32768)
    our_draw, their_draw = integers((50,), dtype, 0, high)
    ours, theirs = Generator().manual_seed(5), torch.Generator().manual_seed(5)
    np.testing.assert_array_equal(our_draw(ours), their_draw(theirs).numpy(), strict=True)


@pytest.mark.parametrize("span", [2**27, 2**28 - 1, 2**28, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**62, 2**63 - 1])
def test_integers_of_every_span(span: int) -> None:
    for low in (0, -5, -(2**63)):
        our_draw, their_draw = integers((20,), "int64", low, low + span)
        ours, theirs = Generator().manual_seed(5), torch.Generator().manual_seed(5)
        np.testing.assert_array_equal(our_draw(ours), their_draw(theirs).numpy(), strict=True)


@pytest.mark.parametrize("n", [2, 1000, 65537, 200_000])
def test_long_permutations(n: int) -> None:
    ours, theirs = Generator().manual_seed(9), torch.Generator().manual_seed(9)
    np.testing.assert_array_equal(ours.permutation(n), torch.randperm(n, generator=theirs).numpy())


def test_the_state_has_the_same_bytes() -> None:
    ours, theirs = Generator().manual_seed(6), torch.Generator().manual_seed(6)
    np.testing.assert_array_equal(ours.get_state(), theirs.get_state().numpy())
    ours.normal((3,), "float32"), torch.empty(3).normal_(generator=theirs)
    np.testing.assert_array_equal(ours.get_state(), theirs.get_state().numpy())

"""Every draw beside PyTorch's: same seed, same numbers, in any order of draws."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
import nn
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
    st.builds(lambda shape, dtype, ends: uniform(shape, dtype, *ends), shapes, floats, bounds),
    st.builds(normal, shapes, floats, st.just(0), st.sampled_from([1, 0.02, 3])),
    st.builds(normal, shapes, floats, st.floats(-5, 5), st.floats(0, 9)),
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
    theirs.set_state(torch.from_numpy(ours.get_state().numpy()))
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


@pytest.mark.parametrize("size", [9, 300_000])
@pytest.mark.parametrize(("offset", "scale"), [(-0.1, 0.2), (2.1, 0.3), (1000, 1), (1e-5, 1e9), (-1e300, 1e300)])
def test_float64_with_an_offset_is_equal(size: int, offset: float, scale: float) -> None:
    for our_draw, their_draw in (
        uniform((size,), "float64", offset, offset + scale),
        normal((size,), "float64", offset, scale),
    ):
        ours, theirs = Generator().manual_seed(5), torch.Generator().manual_seed(5)
        np.testing.assert_array_equal(our_draw(ours), their_draw(theirs).numpy(), strict=True)


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


# What programs call: the functions, methods and layers that draw, of a place to draw into or to be like.
CALLS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "rand_like": lambda m, lib, x: m.rand_like(x),
    "randn_like": lambda m, lib, x: m.randn_like(x),
    "randint_like": lambda m, lib, x: m.randint_like(x, -3, 7),
    "randint_like below": lambda m, lib, x: m.randint_like(x, 7),
    "uniform_": lambda m, lib, x: x.uniform_(-1, 2),
    "normal_": lambda m, lib, x: x.normal_(1, 2),
    "log_normal_": lambda m, lib, x: x.log_normal_(0.5, 0.3),
    "cauchy_": lambda m, lib, x: x.cauchy_(1, 0.5),
    "exponential_": lambda m, lib, x: x.exponential_(2.5),
    "geometric_": lambda m, lib, x: x.geometric_(0.3),
    "random_": lambda m, lib, x: x.random_(),
    "random_ below": lambda m, lib, x: x.random_(5),
    "random_ between": lambda m, lib, x: x.random_(-3, 9),
    "bernoulli_": lambda m, lib, x: x.bernoulli_(0.3),
    "bernoulli_ of tensors": lambda m, lib, x: x.bernoulli_(m.full(tuple(x.shape), 0.3)),
    "bernoulli": lambda m, lib, x: m.bernoulli(x.abs() % 1),
    "bernoulli of a number": lambda m, lib, x: m.bernoulli(x, 0.4),
    "normal of means": lambda m, lib, x: m.normal(x, 2.0),
    "normal of deviations": lambda m, lib, x: m.normal(1.5, x.abs()),
    "normal of both": lambda m, lib, x: m.normal(x, x.abs()),
    "poisson": lambda m, lib, x: m.poisson(x.abs()),
    "Dropout": lambda m, lib, x: lib.Dropout(0.3)(x),
    "AlphaDropout": lambda m, lib, x: lib.AlphaDropout(0.3)(x),
    "RReLU": lambda m, lib, x: lib.RReLU()(x),
}
LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "in order": lambda x: x,
    "transposed": lambda x: x.t(),
    "cut": lambda x: x[:, 1:],
    "with steps": lambda x: x[:, ::2],
}


def same_after(seed: int, call: Callable[[Any, Any], Any]) -> None:
    """Equal values from the same seed, and equal draws after them."""
    ad.manual_seed(seed)
    torch.manual_seed(seed)
    ours, theirs = call(ad, nn), call(torch, torch.nn)
    np.testing.assert_array_equal(ours.detach().numpy(), theirs.detach().numpy(), strict=True)
    assert ad.rand(1).item() == torch.rand(1).item()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", FLOATS[1:])
@pytest.mark.parametrize("name", CALLS)
def test_every_call_that_draws(name: str, dtype: str, layout: str) -> None:
    """In the order in which the elements lie in memory, for fewer than 16 numbers and for more."""
    for shape in ((0, 3), (1, 1), (3, 5), (4, 4), (3, 6), (25, 41)):
        values = np.random.default_rng(0).normal(size=shape).astype(dtype) * 9
        if name == "AlphaDropout":
            # Its sum is rounded in another order; only the mask is random.
            values = np.zeros_like(values)
        same_after(7, lambda m, lib, v=values: CALLS[name](m, lib, LAYOUTS[layout](m.from_numpy(v.copy()))))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "int64", "bool", "float16"])
@pytest.mark.parametrize("name", ["random_", "bernoulli_", "geometric_", "bernoulli of a number"])
def test_calls_that_draw_other_numbers(name: str, dtype: str) -> None:
    if (name, dtype) == ("geometric_", "bool"):
        for m in (ad, torch):
            with pytest.raises(RuntimeError):
                m.zeros(3, dtype=m.bool).geometric_(0.5)
        return
    for n in (1, 15, 16, 40):
        same_after(3, lambda m, lib, n=n: CALLS[name](m, lib, m.zeros(n, dtype=getattr(m, dtype))))


@pytest.mark.parametrize("shape", [(7,), (4, 50)])
def test_bernoulli_of_float16(shape: tuple[int, ...]) -> None:
    same_after(2, lambda m, lib: m.bernoulli(m.linspace(0, 1, shape[-1], dtype=m.float16).expand(shape)))
    same_after(2, lambda m, lib: m.bernoulli(m.zeros(*shape, dtype=m.float16), 0.3))
    same_after(2, lambda m, lib: m.zeros(*shape, dtype=m.float16).bernoulli_(0.3))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("size", [1, 2, 15, 17, 200])
def test_multinomial(size: int, dtype: str) -> None:
    weights = np.random.default_rng(size).random((3, size)).astype(dtype)
    weights[1, 1:] = 0
    for count in (1, 2, size // 2, size, 3 * size):
        for replacement in (False, True):
            if count and (replacement or count == 1):
                same_after(1, lambda m, lib, n=count, r=replacement: m.multinomial(m.from_numpy(weights), n, r))
            # Quotients of float16 tie, and PyTorch's topk sorts them in any order.
            if 0 < count <= size and dtype != "float16":
                same_after(1, lambda m, lib, n=count: m.from_numpy(weights[0]).multinomial(n))


@pytest.mark.parametrize("rate", [0.0, 0.3, 9.99, 10.0, 55.5, 1e6])
def test_poisson(rate: float) -> None:
    same_after(2, lambda m, lib: m.poisson(m.full((500,), rate, dtype=m.float64)))


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32", "float64"])
def test_permutations_of_other_dtypes(dtype: str) -> None:
    same_after(4, lambda m, lib: m.randperm(100, dtype=getattr(m, dtype)))


GENERATED: list[Callable[[Any, Any, Any], Any]] = [
    lambda m, lib, g: m.rand(20, generator=g),
    lambda m, lib, g: m.randn(20, generator=g),
    lambda m, lib, g: m.randint(9, (20,), generator=g),
    lambda m, lib, g: m.randperm(20, generator=g),
    lambda m, lib, g: m.rand_like(m.zeros(20), generator=g),
    lambda m, lib, g: m.randn_like(m.zeros(20), generator=g),
    lambda m, lib, g: m.randint_like(m.zeros(20), 9, generator=g),
    lambda m, lib, g: m.normal(m.zeros(20), 1.0, generator=g),
    lambda m, lib, g: m.normal(1.0, 2.0, (20,), generator=g),
    lambda m, lib, g: m.bernoulli(m.full((20,), 0.5), generator=g),
    lambda m, lib, g: m.multinomial(m.ones(20), 5, generator=g),
    lambda m, lib, g: m.poisson(m.ones(20), generator=g),
    *(
        lambda m, lib, g, n=name: getattr(m.zeros(20), n)(generator=g)
        for name in ("uniform_", "normal_", "log_normal_", "cauchy_", "exponential_", "random_", "bernoulli_")
    ),
    lambda m, lib, g: m.zeros(20).geometric_(0.5, generator=g),
    *(
        lambda m, lib, g, n=name: getattr(lib.init, n)(m.zeros(5, 6), generator=g)
        for name in (
            "uniform_",
            "normal_",
            "trunc_normal_",
            "xavier_uniform_",
            "xavier_normal_",
            "kaiming_uniform_",
            "kaiming_normal_",
        )
    ),
]


@pytest.mark.parametrize("call", GENERATED)
def test_generators_of_one_s_own(call: Callable[[Any, Any, Any], Any]) -> None:
    """They are drawn from, and the default one is not."""
    ad.manual_seed(0)
    torch.manual_seed(0)
    before = ad.get_rng_state()
    generators = ad.Generator().manual_seed(9), torch.Generator().manual_seed(9)
    ours, theirs = (call(m, lib, g) for m, lib, g in zip((ad, torch), (nn, torch.nn), generators, strict=True))
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy(), strict=True)
    assert generators[0].get_state().tolist() == generators[1].get_state().tolist()
    assert ad.equal(ad.get_rng_state(), before)


def test_states_and_seeds() -> None:
    """The same program in both."""
    found = []
    for m in (ad, torch):
        m.manual_seed(3)
        assert m.initial_seed() == m.random.initial_seed() == 3
        state = m.get_rng_state()
        assert (state.dtype, state.shape[0]) == (m.uint8, 5056)
        drawn = [m.rand(3).tolist()]
        with m.random.fork_rng():
            drawn.append(m.randn(20).tolist())
        drawn.append(m.rand(3).tolist())
        with m.random.fork_rng(enabled=False):
            m.rand(3)
        drawn.append(m.rand(3).tolist())
        m.set_rng_state(state.clone())
        drawn.append(m.rand(3).tolist())
        generator = m.Generator()
        generator.manual_seed(8)
        other = generator.clone_state()
        drawn.append(m.rand(2, generator=generator).tolist() + m.rand(2, generator=other).tolist())
        generator.set_state(state)
        drawn.append(m.rand(2, generator=generator).tolist())
        assert m.seed() == m.initial_seed() != 3
        assert generator.seed() == generator.initial_seed()
        found.append((drawn, state.tolist()))
    assert found[0] == found[1]


REFUSED: list[Callable[[Any], Any]] = [
    lambda m: m.multinomial(m.ones(3), 4),
    lambda m: m.multinomial(m.ones(3), 0),
    lambda m: m.multinomial(m.zeros(3), 1),
    lambda m: m.multinomial(m.tensor([1.0, -1.0]), 1),
    lambda m: m.multinomial(m.tensor([1.0, float("nan")]), 1),
    lambda m: m.multinomial(m.tensor([1, 2]), 1),
    lambda m: m.multinomial(m.ones(1, 1, 1), 1),
    lambda m: m.poisson(-m.ones(1)),
    lambda m: m.normal(m.zeros(2), -1.0),
    lambda m: m.normal(m.zeros(2), -m.ones(2)),
    lambda m: m.normal(0.0, 1.0),
    lambda m: m.normal(m.zeros(2), m.ones(3)),
    lambda m: m.randperm(300, dtype=m.uint8),
    lambda m: m.randperm(-1),
    lambda m: m.zeros(3, dtype=m.int64).log_normal_(),
    lambda m: m.zeros(3).bernoulli_(1.5),
    lambda m: m.Generator("meta" if m is torch else "cuda").manual_seed("1"),
]


@pytest.mark.parametrize("call", REFUSED)
def test_what_both_refuse(call: Callable[[Any], Any]) -> None:
    for m in (ad, torch):
        with pytest.raises((RuntimeError, ValueError, TypeError)):
            call(m)

"""Constructors: values, dtypes, memory, and what they refuse."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import autodiff as ad
from autodiff.dtypes import SUPPORTED
from autodiff.tensor import Tensor


@pytest.mark.parametrize("make", [ad.zeros_like, ad.ones_like, ad.empty_like])
def test_what_is_like_a_transposed_tensor_has_its_strides(make: Callable[[Tensor], Tensor]) -> None:
    x = ad.zeros(2, 3, 4).permute(2, 0, 1)
    assert make(x).stride() == x.stride()


@pytest.mark.parametrize(
    ("data", "dtype", "shape"),
    [
        (1, "int64", ()),
        (1.5, "float32", ()),
        (True, "bool", ()),
        ([], "float32", (0,)),
        ([[], []], "float32", (2, 0)),
        ([1, 2.5], "float32", (2,)),
        ([True, 2], "int64", (2,)),
        ([True, 0.5], "float32", (2,)),
        ((1, 2), "int64", (2,)),
        (range(3), "int64", (3,)),
        ([[1], [2]], "int64", (2, 1)),
        (np.arange(3), "int64", (3,)),
        (np.ones(2), "float64", (2,)),
        (np.float32(2), "float32", ()),
        (np.int8(2), "int8", ()),
        (np.zeros((0, 3), np.float16), "float16", (0, 3)),
        ([np.arange(2), np.arange(2)], "int64", (2, 2)),
        (float("nan"), "float32", ()),
    ],
)
def test_tensor_takes_the_dtype_of_its_data(data: Any, dtype: str, shape: tuple[int, ...]) -> None:
    x = ad.tensor(data)
    assert (x.dtype, x.shape) == (dtype, shape)
    assert not x.requires_grad


@given(hnp.arrays(st.sampled_from(SUPPORTED), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)))
def test_arrays_go_in_and_out_unchanged(array: np.ndarray) -> None:
    for x in (ad.tensor(array), ad.as_tensor(array), ad.from_numpy(array)):
        assert x.dtype == array.dtype
        np.testing.assert_array_equal(x.numpy(), array)
    if array.size:
        np.testing.assert_array_equal(ad.tensor(array.tolist(), dtype=array.dtype).numpy(), array)


def test_tensor_copies_and_as_tensor_and_from_numpy_share() -> None:
    array = np.zeros(2)
    assert not np.shares_memory(ad.tensor(array).array, array)
    assert np.shares_memory(ad.as_tensor(array).array, array)
    assert np.shares_memory(ad.from_numpy(array).array, array)
    assert not np.shares_memory(ad.as_tensor(array, dtype=ad.float32).array, array)


def test_as_tensor_keeps_a_tensor_with_its_history() -> None:
    x = ad.ones(2, requires_grad=True)
    assert ad.as_tensor(x) is x
    assert ad.as_tensor(x, dtype=ad.float64).requires_grad


def test_tensor_of_a_tensor_copies_without_history_and_warns() -> None:
    x = ad.ones(2, requires_grad=True)
    with pytest.warns(UserWarning, match=r"x\.clone\(\)"):
        y = ad.tensor(x)
    assert not y.requires_grad
    assert not np.shares_memory(x.array, y.array)


def test_tensors_inside_a_list() -> None:
    assert ad.tensor([ad.tensor(1.0), ad.tensor(2.0)]).tolist() == [1.0, 2.0]
    assert ad.tensor([[ad.tensor(1), 2.5]]).tolist() == [[1.0, 2.5]]


@pytest.mark.parametrize("bad", [[[1, 2], [3]], "text", ["a"], None, {1: 2}, object(), 2**70, [1, None]])
def test_what_holds_no_numbers_is_an_error(bad: Any) -> None:
    with pytest.raises((ValueError, TypeError), match=r"expected (numbers|a dtype)"):
        ad.tensor(bad)


def test_numbers_out_of_range_of_the_dtype_are_an_error() -> None:
    with pytest.raises((OverflowError, ValueError, RuntimeError), match="300"):
        ad.tensor([300], dtype=ad.int8)


@pytest.mark.parametrize(
    "make",
    [lambda **k: ad.tensor([1], **k), lambda **k: ad.zeros(2, dtype=ad.int64, **k), lambda **k: ad.arange(3, **k)],
)
def test_integers_cannot_require_grad(make: Callable[..., Tensor]) -> None:
    with pytest.raises(RuntimeError, match=r"floating-point dtype.*int64.*x\.float\(\)"):
        make(requires_grad=True)


MAKERS: dict[str, Callable[..., Tensor]] = {
    "tensor": lambda **k: ad.tensor([1.0], **k),
    "zeros": lambda **k: ad.zeros(2, **k),
    "ones": lambda **k: ad.ones(2, **k),
    "full": lambda **k: ad.full((2,), 1.0, **k),
    "empty": lambda **k: ad.empty(2, **k),
    "arange": lambda **k: ad.arange(3.0, **k),
    "linspace": lambda **k: ad.linspace(0, 1, 3, **k),
    "logspace": lambda **k: ad.logspace(0, 1, 3, **k),
    "eye": lambda **k: ad.eye(2, **k),
    "rand": lambda **k: ad.rand(2, **k),
    "randn": lambda **k: ad.randn(2, **k),
    "zeros_like": lambda **k: ad.zeros_like(ad.ones(2), **k),
    "ones_like": lambda **k: ad.ones_like(ad.ones(2), **k),
    "full_like": lambda **k: ad.full_like(ad.ones(2), 3, **k),
    "empty_like": lambda **k: ad.empty_like(ad.ones(2), **k),
    "rand_like": lambda **k: ad.rand_like(ad.ones(2), **k),
    "randn_like": lambda **k: ad.randn_like(ad.ones(2), **k),
}


@pytest.mark.parametrize("name", MAKERS)
def test_options_of_every_constructor(name: str) -> None:
    make = MAKERS[name]
    assert make().dtype == ad.float32
    assert not make().requires_grad
    x = make(dtype=ad.float64, requires_grad=True, device="cpu")
    assert (x.dtype, x.requires_grad, x.is_leaf) == (ad.float64, True, True)
    with pytest.raises(RuntimeError, match=r"expected device 'cpu'.*got 'cuda:0'"):
        make(device="cuda:0")
    with pytest.raises(TypeError, match=r"expected a dtype among"):
        make(dtype="nonsense")


@pytest.mark.parametrize("make", [ad.zeros, ad.ones, ad.empty, ad.rand, ad.randn])
def test_shapes_are_given_as_numbers_or_as_one_sequence(make: Callable[..., Tensor]) -> None:
    for shape in ((2, 3), [2, 3]):
        assert make(shape).shape == make(*shape).shape == (2, 3)
    assert make(()).shape == ()
    assert make(0, 2).shape == (0, 2)
    assert make(np.int64(2)).shape == make(ad.tensor(2)).shape == (2,)


@pytest.mark.parametrize("make", [ad.zeros, ad.ones, ad.empty, ad.rand, ad.randn, lambda *s: ad.full(s, 1.0)])
def test_bad_shapes_are_errors(make: Callable[..., Tensor]) -> None:
    with pytest.raises(RuntimeError, match=r"at least 0, got shape \(2, -1\)"):
        make(2, -1)
    for bad in (1.5, "a", True):
        with pytest.raises(TypeError, match="whole numbers for the shape"):
            make(2, bad)


def test_values() -> None:
    assert ad.zeros(2).tolist() == [0.0, 0.0]
    assert ad.ones(2).tolist() == [1.0, 1.0]
    assert ad.eye(2, 3).tolist() == [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    assert ad.full((2,), 2.5).tolist() == [2.5, 2.5]
    assert ad.full_like(ad.tensor([1, 2]), 7).tolist() == [7, 7]


def test_full_takes_the_dtype_of_its_value() -> None:
    assert [ad.full((1,), v).dtype for v in (1, 1.5, True)] == [ad.int64, ad.float32, ad.bool]
    assert ad.full((1,), 1, dtype=ad.float64).dtype == ad.float64
    assert ad.full((1,), ad.tensor(3.0)).tolist() == [3.0]


def test_arange() -> None:
    assert ad.arange(3).tolist() == [0, 1, 2]
    assert ad.arange(3).dtype == ad.int64
    assert ad.arange(1, 7, 2).tolist() == [1, 3, 5]
    assert ad.arange(5, 1, -2).tolist() == [5, 3]
    assert ad.arange(0, 1, 0.25).tolist() == [0.0, 0.25, 0.5, 0.75]
    assert ad.arange(0, 1, 0.25).dtype == ad.float32
    assert ad.arange(3, dtype=ad.float64).dtype == ad.float64
    assert ad.arange(0).shape == (0,)


@given(st.integers(-5, 5), st.integers(-5, 5), st.integers(-3, 3).filter(bool))
def test_arange_is_range_where_the_step_leads_to_the_end(start: int, end: int, step: int) -> None:
    if (end - start) * step < 0:
        with pytest.raises(RuntimeError, match="step"):
            ad.arange(start, end, step)
    else:
        assert ad.arange(start, end, step).tolist() == list(range(start, end, step))


def test_arange_with_step_zero_is_an_error() -> None:
    with pytest.raises(RuntimeError, match=r"step.*got 0"):
        ad.arange(0, 3, 0)


def test_linspace_and_logspace() -> None:
    assert ad.linspace(0, 1, 5).tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert ad.linspace(3, 4, 1).tolist() == [3.0]
    assert ad.linspace(0, 1, 0).shape == (0,)
    assert ad.linspace(0, 10, 3, dtype=ad.int64).tolist() == [0, 5, 10]
    assert ad.logspace(0, 3, 4, base=2).tolist() == [1.0, 2.0, 4.0, 8.0]


@pytest.mark.parametrize(
    "make", [lambda: ad.linspace(0, 1, -1), lambda: ad.eye(-1), lambda: ad.eye(2, -3), lambda: ad.randperm(-1)]
)
def test_negative_counts_are_errors(make: Callable[[], Tensor]) -> None:
    with pytest.raises((RuntimeError, ValueError), match=r"negative|>= 0|at least 0|non-negative"):
        make()


def test_like_constructors_keep_shape_and_dtype() -> None:
    x = ad.ones(2, 3, dtype=ad.float16)
    for make in (ad.zeros_like, ad.ones_like, ad.empty_like, ad.rand_like, ad.randn_like, lambda x: ad.full_like(x, 2)):
        assert (make(x).shape, make(x).dtype) == ((2, 3), ad.float16)
    assert ad.zeros_like(x, dtype=ad.int64).dtype == ad.int64


@pytest.mark.parametrize("bad", [[1.0], 1.0, None, ad.ones(1)])
def test_from_numpy_takes_arrays_only(bad: Any) -> None:
    with pytest.raises(TypeError, match=r"expected a NumPy array, got \w+; use ad\.tensor"):
        ad.from_numpy(bad)


@pytest.mark.parametrize("array", [np.array(["a"]), np.ones(1, complex), np.array([None]), np.ones(1, np.uint16)])
def test_arrays_of_other_dtypes_are_errors(array: np.ndarray) -> None:
    for make in (ad.tensor, ad.as_tensor, ad.from_numpy):
        with pytest.raises(TypeError, match=r"expected (a dtype among|numbers)"):
            make(array)


def test_random_constructors_are_reproducible_and_in_range() -> None:
    draws = []
    for _ in range(2):
        ad.manual_seed(3)
        draws.append(
            [ad.rand(5), ad.randn(5), ad.randint(2, 9, (5,)), ad.randperm(5), ad.bernoulli(ad.full((5,), 0.5))]
        )
    for a, b in zip(*draws, strict=True):
        assert ad.equal(a, b)
    uniform, _, integers, permutation, coins = draws[0]
    assert bool(((uniform >= 0) & (uniform < 1)).all())
    assert bool(((integers >= 2) & (integers < 9)).all())
    assert sorted(permutation.tolist()) == [0, 1, 2, 3, 4]
    assert set(coins.tolist()) <= {0.0, 1.0}


def test_a_generator_of_its_own_leaves_the_default_one_alone() -> None:
    ad.manual_seed(0)
    expected = ad.rand(3)
    ad.manual_seed(0)
    ad.rand(100, generator=ad.Generator().manual_seed(1))
    assert ad.equal(ad.rand(3), expected)


def test_shapes_out_of_range_of_random_draws() -> None:
    with pytest.raises((RuntimeError, ValueError), match="low < high"):
        ad.randint(5, 2, (2,))
    with pytest.raises((RuntimeError, ValueError), match=r"\[0, 1\]"):
        ad.bernoulli(ad.tensor([2.0]))

"""dtype promotion: Python numbers and 0-d tensors are weak within a category, integers never widen floats."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
from autodiff.dtypes import SUPPORTED
from autodiff.tensor import Tensor

# PyTorch's table for tensors with dimensions: row and column in the order of the header.
TABLE = """
         bool    uint8   int8    int16   int32   int64   float16 float32 float64
bool     bool    uint8   int8    int16   int32   int64   float16 float32 float64
uint8    uint8   uint8   int16   int16   int32   int64   float16 float32 float64
int8     int8    int16   int8    int16   int32   int64   float16 float32 float64
int16    int16   int16   int16   int16   int32   int64   float16 float32 float64
int32    int32   int32   int32   int32   int32   int64   float16 float32 float64
int64    int64   int64   int64   int64   int64   int64   float16 float32 float64
float16  float16 float16 float16 float16 float16 float16 float16 float32 float64
float32  float32 float32 float32 float32 float32 float32 float32 float32 float64
float64  float64 float64 float64 float64 float64 float64 float64 float64 float64
"""
_rows = [line.split() for line in TABLE.strip().splitlines()]
PROMOTED = {(row[0], column): cell for row in _rows[1:] for column, cell in zip(_rows[0], row[1:], strict=True)}
CATEGORY = {"b": 0, "u": 1, "i": 1, "f": 2}

dtypes = st.sampled_from(SUPPORTED)
numbers = st.sampled_from([True, 3, 2.5])


@pytest.fixture(autouse=True)
def _restore_default_dtype() -> object:
    yield
    ad.set_default_dtype(ad.float32)


@pytest.mark.parametrize(("a", "b"), list(PROMOTED))
def test_two_tensors_follow_the_table(a: str, b: str) -> None:
    expected = PROMOTED[a, b]
    assert ad.promote_types(np.dtype(a), np.dtype(b)) == expected
    assert (ad.ones(2, dtype=a) * ad.ones(2, dtype=b)).dtype == expected
    assert ad.where(ad.tensor([True, False]), ad.ones(2, dtype=a), ad.ones(2, dtype=b)).dtype == expected
    assert ad.cat([ad.ones(2, dtype=a), ad.ones(2, dtype=b)]).dtype == expected


def expected_with_weak(strong: np.dtype, weak: np.dtype) -> np.dtype:
    """The weak operand decides only where its category is higher."""
    if CATEGORY[weak.kind] > CATEGORY[strong.kind]:
        return ad.promote_types(strong, weak)
    return strong


@given(dtypes, dtypes)
def test_a_zero_dimensional_tensor_is_weak_within_its_category(strong: np.dtype, weak: np.dtype) -> None:
    expected = expected_with_weak(strong, weak)
    a, b = ad.ones(2, dtype=strong), ad.ones((), dtype=weak)
    assert (a + b).dtype == (b + a).dtype == (a * b).dtype == ad.maximum(a, b).dtype == expected


@given(dtypes, numbers)
def test_a_python_number_is_weak_within_its_category(dtype: np.dtype, number: float) -> None:
    kind = {bool: ad.bool, int: ad.int64, float: ad.get_default_dtype()}[type(number)]
    expected = expected_with_weak(dtype, kind)
    for x in (ad.ones(2, dtype=dtype), ad.ones((), dtype=dtype)):
        assert (x + number).dtype == (number + x).dtype == (x * number).dtype == expected


@given(dtypes, dtypes, numbers)
def test_tensors_come_before_scalars_and_scalars_before_numbers(a: np.dtype, b: np.dtype, number: float) -> None:
    """The result of a three-way sum does not depend on the order when each rank only adds its category."""
    x, y = ad.ones(2, dtype=a), ad.ones((), dtype=b)
    if CATEGORY[a.kind] == 2:
        assert ((x + y) + number).dtype == (x + (y + number)).dtype == a


@given(st.lists(dtypes, min_size=1, max_size=4))
def test_promotion_is_commutative_and_associative_in_the_category(kinds: list[np.dtype]) -> None:
    result = kinds[0]
    for dtype in kinds[1:]:
        result = ad.promote_types(result, dtype)
    backwards = kinds[-1]
    for dtype in reversed(kinds[:-1]):
        backwards = ad.promote_types(backwards, dtype)
    assert CATEGORY[result.kind] == CATEGORY[backwards.kind] == max(CATEGORY[d.kind] for d in kinds)


def test_a_float32_tensor_stays_float32() -> None:
    x = ad.ones(3)
    for y in (
        x + 1,
        2 * x,
        x / 3,
        x**2,
        x**0.5,
        1 - x,
        x + np.float64(1),
        x * ad.tensor(2, dtype=ad.int64),
        x * ad.tensor(2.0, dtype=ad.float64),
        x.clamp(0, 1),
        x.masked_fill(x > 0, 2.0),
        ad.where(x > 0, x, 0.0),
        x.mean(),
        x.sum(),
        x.var(),
        x.softmax(0),
        x.exp(),
    ):
        assert y.dtype == ad.float32


FLOATING = ["exp", "log", "sqrt", "sin", "tanh", "sigmoid", "reciprocal", "rsqrt", "log1p", "expm1", "atan"]


@pytest.mark.parametrize("name", FLOATING)
@pytest.mark.parametrize("dtype", [d for d in SUPPORTED if d.kind != "f"])
def test_integers_become_the_default_dtype_in_functions_of_reals(name: str, dtype: np.dtype) -> None:
    assert getattr(ad.ones(2, dtype=dtype), name)().dtype == ad.float32
    ad.set_default_dtype(ad.float64)
    assert getattr(ad.ones(2, dtype=dtype), name)().dtype == ad.float64


@pytest.mark.parametrize(("a", "b"), list(product([d for d in SUPPORTED if d.kind != "f"], repeat=2)))
def test_division_of_integers_gives_the_default_dtype(a: np.dtype, b: np.dtype) -> None:
    assert (ad.ones(2, dtype=a) / ad.ones(2, dtype=b)).dtype == ad.float32


def test_rounded_division_keeps_integers() -> None:
    x = ad.tensor([-7, 7])
    assert ad.div(x, 2, rounding_mode="floor").tolist() == [-4, 3]
    assert ad.div(x, 2, rounding_mode="trunc").tolist() == [-3, 3]
    assert ad.div(x, 2, rounding_mode="floor").dtype == ad.div(x, 2, rounding_mode="trunc").dtype == ad.int64


@pytest.mark.parametrize("dtype", SUPPORTED)
def test_reductions(dtype: np.dtype) -> None:
    x = ad.ones(3, dtype=dtype)
    counted = ad.int64 if dtype.kind != "f" else dtype
    assert x.sum().dtype == x.cumsum(0).dtype == counted
    assert x.amax().dtype == x.max().dtype == dtype
    assert x.argmax().dtype == ad.int64
    assert x.any().dtype == x.all().dtype == ad.bool
    assert x.sum(dtype=ad.float64).dtype == ad.float64


@pytest.mark.parametrize("name", ["mean", "var", "std"])
@pytest.mark.parametrize("dtype", [ad.bool, ad.uint8, ad.int64])
def test_averages_of_integers_are_refused_with_advice(name: str, dtype: np.dtype) -> None:
    with pytest.raises(RuntimeError, match=rf"{name}: expected a floating-point tensor, got {dtype}.*x\.float\(\)"):
        getattr(ad.ones(3, dtype=dtype), name)()


def test_mean_of_integers_with_a_dtype() -> None:
    assert ad.mean(ad.tensor([1, 2]), dtype=ad.float64).item() == 1.5


def test_sums_in_the_dtype_asked_for() -> None:
    x = ad.tensor([100, 100, 100], dtype=ad.int32)
    assert x.sum(dtype=ad.int32).dtype == ad.int32
    assert x.cumsum(0, dtype=ad.int32).dtype == ad.int32
    assert ad.tensor([1.7, 1.7]).sum(dtype=ad.int64).item() == 2


def test_comparisons_give_bool() -> None:
    for y in (ad.ones(2) > 0, ad.ones(2, dtype=ad.int8) == 1.0, ad.ones(2).isnan(), ad.ones(2).logical_not()):
        assert y.dtype == ad.bool


def test_the_default_dtype_is_that_of_new_floats() -> None:
    ad.set_default_dtype(ad.float64)
    assert ad.get_default_dtype() == ad.float64
    for x in (
        ad.tensor(1.0),
        ad.tensor([1, 2.5]),
        ad.zeros(2),
        ad.rand(2),
        ad.linspace(0, 1, 3),
        ad.eye(2),
        ad.Tensor([1]),
    ):
        assert x.dtype == ad.float64
    assert ad.tensor([1, 2]).dtype == ad.int64
    assert repr(ad.ones(1)) == "tensor([1.])"
    assert (ad.ones(2, dtype=ad.int64) * 0.5).dtype == ad.float64


@pytest.mark.parametrize("bad", [ad.int64, "int32", ad.bool, "nonsense", object, complex, 3])
def test_the_default_dtype_must_be_a_float(bad: object) -> None:
    with pytest.raises(TypeError, match=r"expected a .*dtype"):
        ad.set_default_dtype(bad)
    assert ad.get_default_dtype() == ad.float32


@pytest.mark.parametrize("bad", ["nonsense", object, complex, "U3", np.uint16, np.longdouble, "datetime64[s]", 3])
def test_unknown_dtypes_are_errors_that_list_the_known(bad: object) -> None:
    with pytest.raises(TypeError, match=r"float32.*got"):
        ad.zeros(2, dtype=bad)
    with pytest.raises((TypeError, RuntimeError), match="got"):
        ad.zeros(2).to(bad)


def test_dtypes_go_by_many_names() -> None:
    for name in (ad.float64, "float64", np.float64, float, "double", np.dtype("float64")):
        assert ad.zeros(1, dtype=name).dtype == ad.float64
    assert ad.zeros(1, dtype=int).dtype == ad.int64
    assert ad.zeros(1, dtype=bool).dtype == ad.bool
    assert (ad.float, ad.double, ad.half, ad.long, ad.int) == (ad.float32, ad.float64, ad.float16, ad.int64, ad.int32)


def test_can_cast_refuses_only_a_lower_category() -> None:
    for a, b in product(SUPPORTED, repeat=2):
        assert ad.can_cast(a, b) == (CATEGORY[a.kind] <= CATEGORY[b.kind])


def test_limits() -> None:
    assert ad.finfo().eps == np.finfo(np.float32).eps
    assert ad.finfo(ad.float64).max == np.finfo(np.float64).max
    assert ad.iinfo(ad.int8).max == 127


def test_conversions() -> None:
    x = ad.tensor([1.7, -1.7, 0.0])
    assert x.long().tolist() == x.int().tolist() == [1, -1, 0]
    assert x.bool().tolist() == [True, True, False]
    assert x.half().dtype == ad.float16
    assert x.to("cpu") is x
    assert x.to(ad.float32) is x
    assert x.to(ad.float32, copy=True) is not x
    assert x.to(ad.tensor([1])).dtype == ad.int64
    assert x.type_as(ad.ones(1, dtype=ad.float64)).dtype == ad.float64


@given(st.sampled_from([ad.float16, ad.float32, ad.float64]), st.sampled_from([ad.float16, ad.float32, ad.float64]))
def test_gradients_have_the_dtype_of_what_they_belong_to(a: np.dtype, b: np.dtype) -> None:
    x, y = ad.ones(2, dtype=a, requires_grad=True), ad.ones(2, dtype=b, requires_grad=True)
    ((x * y).to(a) + x).sum().backward()
    assert x.grad is not None
    assert y.grad is not None
    assert (x.grad.dtype, y.grad.dtype) == (a, b)


def test_integer_results_of_a_conversion_carry_no_gradient() -> None:
    x = ad.ones(2, requires_grad=True)
    assert not x.long().requires_grad
    assert x.double().requires_grad


def test_complex_numbers_are_refused() -> None:
    for make in (
        lambda: ad.tensor(1j),
        lambda: ad.ones(2) * 1j,
        lambda: ad.zeros(2, dtype=complex),
        lambda: ad.from_numpy(np.ones(1, complex)),
    ):
        with pytest.raises(TypeError, match="complex"):
            make()


def small(dtype: np.dtype) -> Tensor:
    return ad.tensor([1, 2], dtype=dtype)


@pytest.mark.parametrize("dtype", [d for d in SUPPORTED if d.kind in "ui"])
def test_integer_powers_and_negative_numbers_wrap_as_in_pytorch(dtype: np.dtype) -> None:
    assert (small(dtype) ** 2).tolist() == [1, 4]
    assert (small(dtype) ** 2).dtype == dtype
    assert (small(dtype) + -1).tolist() == [0, 1]
    assert (small(dtype) + -1).dtype == dtype

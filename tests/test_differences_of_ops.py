"""Rows of docs/differences.md about ops: what happens here. The functions are named after the rows."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autodiff as ad
from autodiff.op import OpError


def gradients(function: Callable[..., ad.Tensor], *inputs: Any) -> list[Any]:
    """Those of the sum of a function, one for each input."""
    leaves = [ad.tensor(x, dtype=ad.float64, requires_grad=True) for x in inputs]
    return [g.tolist() for g in ad.grad(function(*leaves).sum(), leaves)]


def grad_at(function: Callable[[ad.Tensor], ad.Tensor], *values: float) -> list[float]:
    return gradients(function, values)[0]


SINGULAR = [[1.0, 2.0], [2.0, 4.0]]
COFACTORS = [[4.0, -2.0], [-2.0, 1.0]]


# Values.


def test_numpy_warnings() -> None:
    for call, value in (
        (lambda: ad.log(ad.tensor(0.0)), -np.inf),
        (lambda: ad.exp(ad.tensor(1000.0)), np.inf),
        (lambda: ad.tensor(1.0) / 0, np.inf),
    ):
        with pytest.warns(RuntimeWarning, match=r"divide by zero|overflow"):
            assert call().item() == value
        with np.errstate(all="ignore"):
            assert call().item() == value


def test_nan_stays() -> None:
    assert np.isnan(ad.sign(ad.tensor(np.nan)).item())
    assert np.isnan(grad_at(ad.abs, np.nan)[0])
    assert grad_at(lambda x: x.clamp(0, 1), np.nan) == [1.0]
    assert grad_at(ad.amax, 1.0, np.nan) == grad_at(ad.max, 1.0, np.nan) == [0.0, 1.0]
    assert np.isnan(ad.sgn(ad.tensor(np.nan)).item())
    limits = ad.tensor([0.0, 1.0], dtype=ad.float64)
    assert grad_at(lambda x: x.clamp(limits[0], limits[1]), np.nan) == [1.0]
    for order, other in ((1, 1.0), (np.inf, 0.0), (-np.inf, 0.0)):
        gradient = grad_at(lambda x, order=order: ad.linalg.vector_norm(x, order), np.nan, 1.0)
        np.testing.assert_array_equal(gradient, [np.nan, other])
    for function in (ad.special.i1, ad.special.i1e):
        assert np.isnan(grad_at(function, np.nan)[0])


def test_outside_the_domain() -> None:
    with np.errstate(invalid="ignore"):
        assert np.isnan(ad.acosh(ad.tensor(-2.0)).item())
        assert np.isnan(grad_at(ad.acosh, -2.0)[0])


def test_inverse_roots() -> None:
    with np.errstate(divide="ignore"):
        assert (ad.tensor([-0.0, -np.inf]) ** -0.5).tolist() == [np.inf, 0.0]
    with np.errstate(all="ignore"):
        assert grad_at(lambda x: x**0.5, -0.0, -np.inf) == [np.inf, 0.0]


def test_arithmetic_of_bools() -> None:
    mask = ad.tensor([False, True])
    assert (ad.tensor([1.0, 2.0]) - True).tolist() == [0.0, 1.0]
    assert (mask - 1).tolist() == [-1, 0]
    for function in (ad.abs, ad.floor, ad.ceil, ad.round, ad.trunc, ad.relu):
        assert function(mask).tolist() == [False, True]
    assert mask.argmax().item() == 1
    assert mask.clamp(max=True).tolist() == [0, 1]
    assert (mask**True).dtype == (mask**mask).dtype == ad.int8
    for call in (lambda: mask - mask, lambda: -mask):
        with pytest.raises((TypeError, RuntimeError), match="bool"):
            call()


def test_more_dtypes() -> None:
    whole, mask, half = ad.tensor([3]), ad.tensor([True]), ad.tensor([0.5], dtype=ad.float16)
    assert ad.hypot(whole, ad.tensor([4])).item() == 5.0
    assert ad.logaddexp2(whole, whole).item() == 4.0
    assert ad.frac(whole).item() == 0
    np.testing.assert_allclose(ad.special.gammainc(ad.tensor([1]), ad.tensor([2])).item(), 1 - np.exp(-2), rtol=1e-6)
    assert ad.isin(mask, mask).tolist() == ad.addcmul(mask, mask, mask).tolist() == [True]
    assert (mask << mask).item() == 2
    assert ad.ldexp(ad.tensor([1.0]), mask).item() == 2.0
    assert ad.tensor([3.0]).float_power_(2).tolist() == [9.0]
    special = ad.special
    for function in (special.erfcx, special.log_ndtr, special.ndtri, special.bessel_j0, special.bessel_j1):
        # A unit in the last place of float16.
        np.testing.assert_allclose(function(half).item(), function(half.double()).item(), rtol=1e-3)
        assert function(half).dtype == ad.float16
    assert special.zeta(half + 2, half).dtype == ad.cdist(half[None], half[None]).dtype == ad.float16


def test_numbers_for_tensors() -> None:
    x = ad.tensor([3.0, -4.0])
    for function in (ad.maximum, ad.fmax, ad.fmin, ad.hypot, ad.atan2, ad.logaddexp2):
        assert ad.equal(function(x, 1.0), function(x, ad.ones(2)))
    for function in (ad.fmod, ad.copysign):
        assert ad.equal(function(7.0, x), function(ad.full((2,), 7.0), x))
    assert x.clamp(0.0, ad.ones(2)).tolist() == [1.0, 0.0]


def test_places_without_weight() -> None:
    with pytest.raises(OpError, match="draw 2 of 1 places with weights above 0"):
        ad.multinomial(ad.tensor([[1.0, 1.0], [1.0, 0.0]]), 2)


def test_lerp_of_integers() -> None:
    for weight in (0.5, ad.tensor(0.5), ad.tensor([1])):
        with pytest.raises(RuntimeError, match=r"int64.*x\.float\(\)"):
            ad.lerp(ad.tensor([1]), ad.tensor([5]), weight)


def test_alpha_of_integers() -> None:
    x, y = ad.tensor([[1, 2]]), ad.tensor([[3]])
    for call in (
        lambda **factor: ad.addmm(x, y, x, **factor),
        lambda **factor: ad.baddbmm(x[None], y[None], x[None], **factor),
        lambda **factor: ad.addmv(y[0], x, x[0], **factor),
        lambda **factor: ad.addr(x, y[0], x[0], **factor),
    ):
        for name in ("alpha", "beta"):
            with pytest.raises(OpError, match=r"alpha.*int64.*1\.5"):
                call(**{name: 1.5})
    for call in (lambda: ad.index_add(x, 0, ad.tensor([0]), x, alpha=1.5), lambda: ad.add(x, x, alpha=1.5)):
        with pytest.raises(OpError, match=r"alpha.*int64.*1\.5"):
            call()


def test_any_and_all() -> None:
    x = ad.tensor([[True, False]])
    assert x.any(dim=()).shape == x.all(dim=()).shape == ()
    assert ad.ones(2, dtype=ad.uint8).all().dtype == ad.ones(2, dtype=ad.uint8).any(0).dtype == ad.bool


def test_steps_have_slope_0() -> None:
    assert grad_at(lambda x: x // 2, 3.0) == [0.0]
    assert grad_at(lambda x: 7 % x, 3.0) == [-2.0]


def test_compared_dtypes() -> None:
    assert ad.allclose(ad.tensor([1]), ad.tensor([1.0]))


def test_conditions_are_bool() -> None:
    with pytest.raises(OpError, match=r"uint8.*condition != 0"):
        ad.where(ad.ones(1, dtype=ad.uint8), 1.0, 2.0)


def test_float16_matrix_exp() -> None:
    assert ad.linalg.matrix_exp(ad.eye(2, dtype=ad.float16)).tolist() == [[2.71875, 0.0], [0.0, 2.71875]]


def test_coordinates_of_gradient() -> None:
    for count in (3, 5):
        with pytest.raises(OpError, match="expected 4 coordinates"):
            ad.gradient(ad.tensor([1.0, 2.0, 4.0, 8.0]), spacing=(ad.arange(count),))


# Indices and joins.


def test_negative_steps() -> None:
    x = ad.arange(3)
    assert x[::-1].tolist() == [2, 1, 0]
    assert np.shares_memory(x[::-1].array, x.array)


def test_small_integers_as_index() -> None:
    for dtype in (ad.uint8, ad.int8, ad.int16):
        with pytest.raises(IndexError, match=rf"{dtype}.*(long|bool)"):
            ad.arange(3)[ad.tensor([0, 1], dtype=dtype)]


def test_int32_indices() -> None:
    index, one = ad.tensor([1], dtype=ad.int32), ad.ones(1)
    x = ad.zeros(3)
    assert ad.arange(3).take(index).tolist() == [1]
    for y in (x.put(index, one), x.index_copy(0, index, one), x.index_fill(0, index, 1.0)):
        assert y.tolist() == [0.0, 1.0, 0.0]
    assert [part.shape for part in ad.tensor_split(x, index)] == [(1,), (2,)]
    assert x.gather(0, index).tolist() == x[index].tolist() == [0.0]


def test_lists_as_index() -> None:
    x = ad.arange(9).reshape(3, 3)
    assert x[[[0, 1], [1, 2]]].shape == (2, 2, 3)
    assert x[[0, 1], [1, 2]].tolist() == [1, 5]
    for index in ([0, slice(1, 2)], (..., ...)):
        with pytest.raises(IndexError):
            x[index]


def test_assigned_dtypes() -> None:
    x = ad.zeros(3)
    x[[0, 1]] = ad.tensor([1, 2])
    x[2:] = ad.tensor(3, dtype=ad.float64)
    assert x.tolist() == [1.0, 2.0, 3.0]


def test_gather_dimensions() -> None:
    x, index, one = ad.zeros(3), ad.tensor(1), ad.tensor(1.0)
    for call in (
        lambda: x.gather(0, index),
        lambda: x.scatter(0, index, one),
        lambda: x.scatter_add(0, index, one),
        lambda: x.scatter_reduce(0, index, one, "sum"),
    ):
        with pytest.raises(RuntimeError, match="1 dimensions"):
            call()


def test_names_of_reductions() -> None:
    with pytest.raises(OpError, match=r"amax.*got 'max'"):
        ad.zeros(2).scatter_reduce(0, ad.tensor([0]), ad.ones(1), "max")


def test_checks_of_nothing() -> None:
    for call in (
        lambda: ad.roll(ad.ones(0), 1, 5),
        lambda: ad.cummax(ad.ones(0), 5),
        lambda: ad.cummin(ad.ones(0), 5),
        lambda: ad.diff(ad.ones(3), 0, 5),
    ):
        with pytest.raises(IndexError, match="got 5"):
            call()
    with pytest.raises(OpError, match="each of 0 samples, got 3"):
        ad.trapezoid(ad.ones(0), ad.ones(3))


def test_empty_vectors_in_cat() -> None:
    empty, x = ad.ones(0, requires_grad=True), ad.ones(2, 3, requires_grad=True)
    joined = ad.cat([empty, x])
    assert joined.shape == (2, 3)
    with pytest.raises(RuntimeError, match="not used"):
        ad.grad(joined.sum(), [empty, x])


# Reductions and order.


def test_medians_of_nothing() -> None:
    for function in (ad.median, ad.nanmedian):
        with pytest.raises(OpError, match="at least one integer"):
            function(ad.tensor([], dtype=ad.int64))
        assert np.isnan(function(ad.tensor([])).item())


def test_equal_elements() -> None:
    assert ad.median(ad.ones(5), 0).indices.item() == 0
    gradient = grad_at(lambda x: ad.quantile(x, 0.5), *[1.0] * 101)
    assert np.flatnonzero(gradient).tolist() == [50]


def test_modes_beside_nan() -> None:
    for values in ([np.nan, 2.0, 1.0], [2.0, np.nan, 1.0], [2.0, 1.0, np.nan]):
        assert ad.mode(ad.tensor(values)).values.item() == 1.0


def test_nan_among_boundaries() -> None:
    boundaries, x = ad.tensor([1.0, 2.0, np.nan]), ad.tensor([0.5, 1.5, 3.0, np.nan])
    assert ad.searchsorted(boundaries, x).tolist() == ad.bucketize(x, boundaries).tolist() == [0, 1, 2, 2]
    assert ad.searchsorted(boundaries, x, right=True).tolist() == [0, 1, 2, 3]
    assert ad.searchsorted(ad.tensor([1.0, np.nan, np.nan]), 0.5).item() == 0
    assert np.isnan(ad.sort(x).values.tolist()[-1])


def test_unique_consecutive_by_position() -> None:
    x = ad.tensor([1, 1, 2])
    for _, inverse in (ad.unique_consecutive(x, True), x.unique_consecutive(True)):
        assert inverse.tolist() == [0, 0, 1]


def test_edges_of_histograms() -> None:
    with pytest.raises(OpError, match="ascending edges"):
        ad.histogram(ad.tensor([0.5, 1.5]), ad.tensor([2.0, 1.0, 0.0]))


# Linear algebra.


def test_det_of_singular_matrices() -> None:
    x = ad.tensor(SINGULAR, dtype=ad.float64, requires_grad=True)
    for create_graph in (False, True):
        (gradient,) = ad.grad(ad.linalg.det(x), x, create_graph=create_graph)
        np.testing.assert_allclose(gradient.detach().numpy(), COFACTORS, rtol=1e-14)


def test_logdet_of_singular_matrices() -> None:
    for function in (ad.logdet, lambda x: ad.linalg.slogdet(x).logabsdet):
        assert function(ad.tensor(SINGULAR)).item() == -np.inf
        with pytest.raises(RuntimeError, match="expected an invertible matrix"):
            gradients(function, SINGULAR)


def test_zeros_on_the_diagonal() -> None:
    a, b = ad.tensor([[1.0, 2.0], [0.0, 0.0]]), ad.ones(2, 1)
    for call in (lambda: ad.linalg.solve_triangular(a, b, upper=True), lambda: ad.linalg.solve(a, b)):
        with pytest.raises(ad.linalg.LinAlgError):
            call()


def test_triangles_never_read() -> None:
    lower = [[2.0, 0.0], [1.0, 3.0]]
    ones = ad.ones(2, 1, dtype=ad.float64)
    for function in (ad.cholesky_inverse, lambda x: ad.cholesky_solve(ones, x)):
        (gradient,) = gradients(function, lower)
        assert gradient[0][1] == 0.0
        assert gradient[1][0] != 0.0


def test_distances_of_near_points() -> None:
    x = ad.full((30, 3), 1000.0)
    for mode in ("use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist"):
        # 1000.01 in float32 is 0.00005 from it.
        np.testing.assert_allclose(ad.cdist(x, x + 0.01, compute_mode=mode).numpy(), 0.01 * np.sqrt(3), rtol=5e-3)


def test_order_in_memory() -> None:
    x = ad.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(ad.kron(x.t(), x).numpy(), np.kron(x.numpy().T, x.numpy()))
    assert ad.take_along_dim(x.t(), ad.tensor([0, 1])).tolist() == [0.0, 3.0]


def test_dtypes_of_einsum() -> None:
    for equation in ("i,i->i", "i,j->ij", "i,i"):
        with pytest.raises(OpError, match="one dtype"):
            ad.einsum(equation, ad.ones(2), ad.tensor([1, 2]))


def test_addr_of_bools() -> None:
    mask = ad.tensor([True])
    for call in (lambda: ad.addr(mask[None], mask, mask), lambda: ad.addmm(mask[None], mask[None], mask[None])):
        with pytest.raises(OpError, match="got bools"):
            call()


def test_vander_of_a_number() -> None:
    with pytest.raises(OpError, match="expected vectors"):
        ad.linalg.vander(ad.tensor(2.0), N=3)

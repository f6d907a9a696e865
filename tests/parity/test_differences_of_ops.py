"""Rows of docs/differences.md about ops: what PyTorch does, so that a row goes when the difference goes."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch


def gradients(function: Callable[..., torch.Tensor], *inputs: Any) -> list[Any]:
    """Those of the sum of a function, one for each input."""
    leaves = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in inputs]
    return [g.tolist() for g in torch.autograd.grad(function(*leaves).sum(), leaves)]


def grad_at(function: Callable[[torch.Tensor], torch.Tensor], *values: float) -> list[float]:
    return gradients(function, values)[0]


SINGULAR = [[1.0, 2.0], [2.0, 4.0]]


# Values.


def test_numpy_warnings() -> None:
    # The suite turns warnings into errors.
    assert torch.log(torch.tensor(0.0)).item() == -np.inf
    assert torch.exp(torch.tensor(1000.0)).item() == np.inf
    assert (torch.tensor(1.0) / 0).item() == np.inf


def test_nan_stays() -> None:
    assert torch.sign(torch.tensor(np.nan)).item() == 0
    assert grad_at(torch.abs, np.nan) == grad_at(lambda x: x.clamp(0, 1), np.nan) == [0.0]
    assert np.isnan(grad_at(torch.amax, 1.0, np.nan)).all()
    assert grad_at(torch.max, 1.0, np.nan) == [0.0, 1.0]
    assert torch.sgn(torch.tensor(np.nan)).item() == 0
    limits = torch.tensor([0.0, 1.0], dtype=torch.float64)
    assert grad_at(lambda x: x.clamp(limits[0], limits[1]), np.nan) == [0.0]
    for order, other in ((1, 1.0), (np.inf, 0.0), (-np.inf, 0.0)):
        assert grad_at(lambda x, order=order: torch.linalg.vector_norm(x, order), np.nan, 1.0) == [0.0, other]
    assert grad_at(torch.special.i1, np.nan) == grad_at(torch.special.i1e, np.nan) == [0.5]


def test_outside_the_domain() -> None:
    assert np.isfinite(grad_at(torch.acosh, -2.0)[0])


def test_inverse_roots() -> None:
    roots = torch.tensor([-0.0, -np.inf]) ** -0.5
    assert roots[0].item() == -np.inf
    assert roots[1].isnan()
    np.testing.assert_array_equal(grad_at(lambda x: x**0.5, -0.0, -np.inf), [-np.inf, np.nan])


def test_arithmetic_of_bools() -> None:
    mask = torch.tensor([False, True])
    for call in (
        lambda: torch.ones(2) - True,
        lambda: mask - mask,
        lambda: -mask,
        lambda: mask**mask,
        lambda: mask // mask,
        lambda: mask.argmax(),
        lambda: mask.clamp(max=True),
        *(lambda name=name: getattr(mask, name)() for name in ("abs", "floor", "ceil", "round", "trunc", "relu")),
    ):
        with pytest.raises((RuntimeError, NotImplementedError)):
            call()
    assert (mask**True).dtype == torch.bool


def test_more_dtypes() -> None:
    whole, mask, half = torch.tensor([3]), torch.tensor([True]), torch.tensor([0.5], dtype=torch.float16)
    special = torch.special
    for call in (
        lambda: torch.hypot(whole, whole),
        lambda: torch.logaddexp2(whole, whole),
        lambda: torch.frac(whole),
        lambda: special.gammainc(whole, whole),
        lambda: torch.isin(mask, mask),
        lambda: torch.addcmul(mask, mask, mask),
        lambda: mask << mask,
        lambda: torch.ldexp(torch.tensor([1.0]), mask),
        lambda: torch.tensor([3.0]).float_power_(2),
        lambda: torch.cdist(half[None], half[None]),
        lambda: special.erfcx(half),
        lambda: special.log_ndtr(half),
        lambda: special.ndtri(half),
        lambda: special.zeta(half + 2, half),
        lambda: special.bessel_j0(half),
        lambda: special.bessel_j1(half),
    ):
        with pytest.raises((NotImplementedError, RuntimeError), match=r"not implemented|Bool|requires dtype Double"):
            call()


def test_numbers_for_tensors() -> None:
    x: Any = torch.tensor([3.0, -4.0])
    functions = (torch.maximum, torch.fmax, torch.fmin, torch.hypot, torch.atan2, torch.logaddexp2)
    for call in (
        *(lambda function=function: function(x, 1.0) for function in functions),
        lambda: torch.fmod(7.0, x),
        lambda: torch.copysign(7.0, x),
        lambda: x.clamp(0.0, torch.ones(2)),
    ):
        with pytest.raises(TypeError):
            call()


def test_places_without_weight() -> None:
    assert torch.multinomial(torch.tensor([1.0, 0.0]), 2).tolist() == [0, 1]


def test_lerp_of_integers() -> None:
    x, y = torch.tensor([1]), torch.tensor([5])
    assert torch.lerp(x, y, torch.tensor(0.5)).tolist() == [3.0]
    for weight in (0.5, torch.tensor([1])):
        with pytest.raises(NotImplementedError):
            torch.lerp(x, y, weight)


def test_alpha_of_integers() -> None:
    x, y = torch.tensor([[1, 2]]), torch.tensor([[3]])
    for call in (
        lambda **factor: torch.addmm(x, y, x, **factor),
        lambda **factor: torch.baddbmm(x[None], y[None], x[None], **factor),
        lambda **factor: torch.addmv(y[0], x, x[0], **factor),
    ):
        assert torch.equal(call(alpha=1.5), call())
        assert torch.equal(call(beta=1.5), call())
    assert torch.index_add(x, 0, torch.tensor([0]), x, alpha=1.5).tolist() == [[2, 4]]
    for call in (lambda: torch.add(x, x, alpha=1.5), lambda: torch.addr(x, y[0], x[0], alpha=1.5)):
        with pytest.raises(RuntimeError, match="alpha"):
            call()


def test_any_and_all() -> None:
    x = torch.tensor([[True, False]])
    assert x.any(dim=()).shape == x.all(dim=()).shape == (1, 2)
    assert torch.ones(2, dtype=torch.uint8).all().dtype == torch.uint8


def test_steps_have_slope_0() -> None:
    for function in (lambda x: x // 2, lambda x: 7 % x):
        with pytest.raises(RuntimeError, match="not implemented"):
            grad_at(function, 3.0)


def test_compared_dtypes() -> None:
    for function in (torch.allclose, torch.isclose):
        with pytest.raises(RuntimeError):
            function(torch.tensor([1]), torch.tensor([1.0]))


def test_conditions_are_bool() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert torch.where(torch.ones(1, dtype=torch.uint8), 1.0, 2.0).item() == 1.0


def test_float16_matrix_exp() -> None:
    # Right would be 2.71875; nan is as wrong as another number.
    assert torch.linalg.matrix_exp(torch.eye(2, dtype=torch.float16))[0, 0] != 2.71875


def test_coordinates_of_gradient() -> None:
    (gradient,) = torch.gradient(torch.tensor([1.0, 2.0, 4.0, 8.0]), spacing=(torch.arange(3.0),))
    assert gradient.shape == (4,)


# Indices and joins.


def test_negative_steps() -> None:
    with pytest.raises(ValueError, match="step"):
        torch.arange(3)[::-1]


def test_small_integers_as_index() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert torch.arange(3)[torch.tensor([0, 1, 0], dtype=torch.uint8)].tolist() == [1]


def test_int32_indices() -> None:
    index, one, x = torch.tensor([1], dtype=torch.int32), torch.ones(1), torch.zeros(3)
    for call in (
        lambda: x.take(index),
        lambda: x.put(index, one),
        lambda: x.index_copy(0, index, one),
        lambda: x.index_fill(0, index, 1.0),
        lambda: torch.tensor_split(x, index),
    ):
        with pytest.raises((RuntimeError, IndexError), match=r"long|int64"):
            call()
    assert x.gather(0, index).tolist() == x[index].tolist() == [0.0]


def test_lists_as_index() -> None:
    x: Any = torch.arange(9).reshape(3, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert x[[[0, 1], [1, 2]]].tolist() == [1, 5]
        assert x[[0, slice(1, 2)]].tolist() == [1]
    assert torch.equal(x[..., ...], x)


def test_assigned_dtypes() -> None:
    x = torch.zeros(3)
    x[0:2] = torch.tensor([1, 2])
    with pytest.raises(RuntimeError, match="dtypes match"):
        x[[0, 1]] = torch.tensor([1, 2])


def test_gather_dimensions() -> None:
    x, index, one = torch.zeros(3), torch.tensor(1), torch.tensor(1.0)
    assert x.gather(0, index).item() == 0.0
    for y in (x.scatter(0, index, one), x.scatter_add(0, index, one), x.scatter_reduce(0, index, one, "sum")):
        assert y.tolist() == [0.0, 1.0, 0.0]


def test_names_of_reductions() -> None:
    x: Any = torch.zeros(2)
    index, one = torch.tensor([0]), torch.ones(1)
    assert x.scatter_reduce(0, index, one, "max").tolist() == x.scatter_reduce(0, index, one, "amax").tolist()
    with pytest.raises(RuntimeError, match="got max"):
        x.index_reduce(0, index, one, "max")


def test_checks_of_nothing() -> None:
    for y in (torch.roll(torch.ones(0), 1, 5), torch.cummax(torch.ones(0), 5)[0], torch.cummin(torch.ones(0), 5)[0]):
        assert y.shape == (0,)
    assert torch.diff(torch.ones(3), 0, 5).shape == (3,)
    assert torch.trapezoid(torch.ones(0), torch.ones(3)).item() == 0.0
    for call in (lambda: torch.roll(torch.ones(2), 1, 5), lambda: torch.diff(torch.ones(3), 1, 5)):
        with pytest.raises(IndexError):
            call()


def test_empty_vectors_in_cat() -> None:
    empty, x = torch.ones(0, requires_grad=True), torch.ones(2, 3, requires_grad=True)
    assert torch.autograd.grad(torch.cat([empty, x]).sum(), [empty, x])[0].shape == (0,)


# Reductions and order.


def test_medians_of_nothing() -> None:
    for function in (torch.median, torch.nanmedian):
        assert function(torch.tensor([], dtype=torch.int64)).item() == -(2**63)


def test_equal_elements() -> None:
    assert torch.median(torch.ones(5), 0).indices.item() != 0
    gradient = grad_at(lambda x: torch.quantile(x, 0.5), *[1.0] * 101)
    assert np.flatnonzero(gradient).tolist() != [50]


def test_modes_beside_nan() -> None:
    assert torch.mode(torch.tensor([np.nan, 2.0, 1.0])).values.isnan()
    assert torch.mode(torch.tensor([2.0, 1.0, np.nan])).values.item() == 1.0


def test_nan_among_boundaries() -> None:
    boundaries, x = torch.tensor([1.0, np.nan, np.nan]), torch.tensor([0.5])
    assert torch.searchsorted(boundaries, x).item() == torch.bucketize(x, boundaries).item() == 3
    assert torch.sort(boundaries).values.isnan().tolist() == [False, True, True]


def test_unique_consecutive_by_position() -> None:
    x: Any = torch.tensor([1, 1, 2])
    assert torch.unique_consecutive(x, True)[1].shape == (0,)
    assert x.unique_consecutive(True)[1].tolist() == [0, 0, 1]


def test_edges_of_histograms() -> None:
    found = torch.histogram(torch.tensor([0.5, 1.5]), torch.tensor([2.0, 1.0, 0.0]))
    assert found.hist.tolist() == [0.0, 0.0]


# Linear algebra.


def test_det_of_singular_matrices() -> None:
    x = torch.tensor(SINGULAR, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.grad(torch.linalg.det(x), x)[0].count_nonzero() == 0
    (gradient,) = torch.autograd.grad(torch.linalg.det(x), x, create_graph=True)
    np.testing.assert_allclose(gradient.detach().numpy(), [[4.0, -2.0], [-2.0, 1.0]], rtol=1e-14)


def test_logdet_of_singular_matrices() -> None:
    for function in (torch.logdet, lambda x: torch.linalg.slogdet(x).logabsdet):
        assert function(torch.tensor(SINGULAR)).item() == -np.inf
        assert np.isinf(gradients(function, SINGULAR)).all()


def test_zeros_on_the_diagonal() -> None:
    a, b = torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.ones(2, 1)
    assert not torch.linalg.solve_triangular(a, b, upper=True).isfinite().any()
    with pytest.raises(torch.linalg.LinAlgError):
        torch.linalg.solve(a, b)


def test_triangles_never_read() -> None:
    ones = torch.ones(2, 1, dtype=torch.float64)
    for function in (torch.cholesky_inverse, lambda x: torch.cholesky_solve(ones, x)):
        (gradient,) = gradients(function, [[2.0, 0.0], [1.0, 3.0]])
        assert gradient[0][1] != 0.0
        (below, above) = (function(torch.tensor([[2.0, z], [1.0, 3.0]]).double()) for z in (0.0, 7.0))
        assert torch.equal(below, above)


def test_distances_of_near_points() -> None:
    x = torch.full((30, 3), 1000.0)
    assert torch.cdist(x, x + 0.01)[0, 0].item() == 0.0
    assert torch.cdist(x[:2], x[:2] + 0.01)[0, 0].item() > 0.01


def test_order_in_memory() -> None:
    x = torch.arange(6.0).reshape(2, 3)
    for call in (lambda: torch.kron(x.t(), x), lambda: torch.take_along_dim(x.t(), torch.tensor([0, 1]))):
        with pytest.raises(RuntimeError, match="view size"):
            call()


def test_dtypes_of_einsum() -> None:
    x, y = torch.ones(2), torch.tensor([1, 2])
    assert torch.einsum("i,i->i", x, y).tolist() == [1.0, 2.0]
    assert torch.einsum("i,j->ij", x, y).shape == (2, 2)
    with pytest.raises(RuntimeError, match="scalar type"):
        torch.einsum("i,i", x, y)


def test_addr_of_bools() -> None:
    mask = torch.tensor([True])
    assert torch.addr(mask[None], mask, mask).item() is True
    with pytest.raises(NotImplementedError):
        torch.addmm(mask[None], mask[None], mask[None])


def test_vander_of_a_number() -> None:
    assert torch.linalg.vander(torch.tensor(2.0), N=3).tolist() == [[1.0, 2.0, 4.0]]

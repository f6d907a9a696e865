"""Rows of docs/differences.md about derivatives of ops: what PyTorch does."""

import warnings

import numpy as np
import pytest
import torch

from tests.parity.test_differences_of_ops import grad_at, gradients


def test_missing_derivatives() -> None:
    matrix, pair, origin = [[4.0, 1.0], [2.0, 3.5]], [1.0, 2.0], torch.zeros(2, dtype=torch.float64)
    twice, once = torch.tensor([0, 0]), torch.tensor([0])
    for function, *inputs in (
        (torch.special.bessel_j0, pair),
        (torch.special.bessel_j1, pair),
        *((lambda x, p=p: torch.linalg.cond(x, p), matrix) for p in (1, -1, np.inf, -np.inf, "fro")),
        (lambda x: torch.norm(x, 0), pair),
        (lambda x: torch.dist(x, origin, 0), pair),
        (torch.nn.functional.soft_margin_loss, pair, [0.5, -1.0]),
        (torch.clamp, [0.5, -2.0], [-1.0], [[1.0], [2.0]]),
        (lambda x, source: x.scatter(0, twice, source, reduce="add"), pair, pair),
        (lambda x, source: x.scatter(0, twice, source, reduce="multiply"), pair, pair),
        (lambda x, source: x.scatter(0, once, source), pair, pair),
        (lambda x, source: x.scatter_add(0, once, source), pair, pair),
        (lambda x, y: x.index_fill(0, torch.tensor([-1]), y), pair, 2.5),
        *((lambda x, name=name: getattr(x * 1, name)(), [0.5]) for name in ("acosh_", "asinh_", "atanh_")),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # reduce is deprecated there
            with pytest.raises((RuntimeError, IndexError)):
                gradients(function, *inputs)
    x, source = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in ([5.0, 2.0], [0.0, 0.0]))
    first = torch.autograd.grad(x.scatter_reduce(0, twice, source, "prod").sum(), source, create_graph=True)
    with pytest.raises(RuntimeError, match="Double backward"):
        torch.autograd.grad(first[0].sum(), source)


def test_wrong_derivatives() -> None:
    for exponent in (-1, 63, 100):
        assert grad_at(lambda x, n=exponent: torch.ldexp(x, torch.tensor([n])), 1.0) != [2.0**exponent]
    places = torch.arange(12.0, dtype=torch.float64).reshape(3, 4)
    blocks = gradients(lambda *xs: torch.block_diag(*xs) * places, [[1.0, 2.0]], [], [[3.0, 4.0]])
    assert blocks == [[[0.0, 1.0]], [], [[6.0, 7.0]]]
    w = torch.ones(3, requires_grad=True)
    base = w * 1
    view = base[1:]
    base.as_strided_((2,), (1,))
    assert torch.autograd.grad(view.sum(), w)[0].tolist() == [0.0, 1.0, 0.0]


def test_second_derivatives_of_copies() -> None:
    F = torch.nn.functional
    for function in (
        lambda x: F.max_pool1d(x, 2),
        lambda x: F.avg_pool1d(x, 2),
        lambda x: F.adaptive_avg_pool1d(x, 2),
        lambda x: F.pad(x, (1, 1), mode="reflect"),
        lambda x: F.pad(x, (1, 1), mode="replicate"),
        lambda x: F.nll_loss(x[0], torch.tensor([0, 1])),
        lambda x: F.rrelu(x, training=True),
        lambda x: F.conv1d(x, torch.ones(3, 2, 2)),
    ):
        x = torch.arange(8.0).reshape(1, 2, 4).requires_grad_()
        (slope,) = torch.autograd.grad(function(x).sum(), x, create_graph=True)
        assert slope.requires_grad
        slope.sum().backward()
        assert x.grad is None or not x.grad.any()


def test_derivatives_at_the_edges() -> None:
    assert np.isnan([*grad_at(torch.digamma, -np.inf), *grad_at(torch.special.log_ndtr, -np.inf)]).all()
    assert 6e32 < grad_at(torch.digamma, -1.0)[0] < 7e32
    x = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(torch.sinc(x).sum(), x, create_graph=True)
    assert torch.autograd.grad(first.sum(), x)[0].isnan()


def test_infinity_over_infinity() -> None:
    for edge in (np.inf, np.nan):
        assert np.isnan(grad_at(torch.prod, edge, 2.0, 3.0)[0])
    assert np.isnan(grad_at(lambda x: torch.copysign(x, -1.0), np.inf, -np.inf)).all()
    assert np.isnan(grad_at(lambda x: torch.linalg.vector_norm(x, 3), 1e200, 1.0)[0])
    x = torch.tensor([1e-310, 2.0, 3.0], dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(torch.cumprod(x, 0).sum(), x, create_graph=True)
    assert torch.autograd.grad(first.sum(), x)[0][0].isnan()


def test_replaced_numbers() -> None:
    assert np.isnan(grad_at(lambda x: torch.nan_to_num(x) * np.inf, np.nan, np.inf)).all()


def test_old_values_that_tie() -> None:
    first = torch.tensor([0])
    found = gradients(lambda x, y: x.scatter_reduce(0, first, y, "amax", include_self=False), [3.0, 2.0], [3.0])
    assert found == [[0.0, 1.0], [0.5]]


def test_coordinates_that_tie() -> None:
    origin = torch.zeros(1, 2, dtype=torch.float64)
    assert gradients(lambda x: torch.cdist(x, origin, np.inf), [[1.0, -1.0]]) == [[[1.0, -1.0]]]
    assert grad_at(lambda x: torch.linalg.vector_norm(x, np.inf), 1.0, -1.0) == [0.5, -0.5]


def test_norms_of_empty_matrices() -> None:
    for order, there in ((2, False), (np.inf, False), (1, True), ("nuc", True), ("fro", True)):
        norm = torch.linalg.matrix_norm(torch.zeros(0, 3, requires_grad=True), order)
        assert norm.requires_grad == there


def test_counts_require_no_grad() -> None:
    x = torch.ones(3, requires_grad=True)
    for counted in (torch.bincount(torch.tensor([0, 1, 1]), x), torch.histogram(x, 2).hist, torch.unique(x)):
        assert counted.requires_grad
        with pytest.raises((RuntimeError, NotImplementedError), match="not implemented"):
            counted.sum().backward()


def test_memory_of_strides() -> None:
    values = [1.0, 2.0, 3.0, 4.0]
    assert gradients(lambda x: x[::2].as_strided((2,), (1,)), values) == [[1.0, 0.0, 0.0, 0.0]]
    assert gradients(lambda x: x[:2].as_strided((3,), (1,)), values) == [[1.0, 1.0, 0.0, 0.0]]
    # The number 1.0 at the start is in the result, but x[2:] does not reach it.
    assert gradients(lambda x: x[2:].as_strided((1,), (1,), 0), values) == [[0.0] * 4]


def test_anomaly_warnings() -> None:
    with pytest.warns(UserWarning, match="Anomaly Detection has been enabled"):
        anomaly = torch.autograd.detect_anomaly()
    with anomaly, pytest.warns(UserWarning, match="Traceback of forward call"), pytest.raises(RuntimeError) as error:
        (torch.zeros(1, requires_grad=True).sqrt() * 0).sum().backward()
    assert "test_differences" not in str(error.value)

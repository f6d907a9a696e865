"""Rows of docs/differences.md about derivatives of ops: what happens here. The functions are named after the rows."""

import numpy as np
import pytest

import autodiff as ad
import nn
from autodiff.op import OpError
from nn import functional as F
from tests.test_differences_of_ops import grad_at, gradients


def test_missing_derivatives() -> None:
    for function in (ad.special.bessel_j0, ad.special.bessel_j1):
        assert ad.gradcheck(function, ad.tensor([0.5], dtype=ad.float64, requires_grad=True))
    for p in (1, -1, np.inf, -np.inf, "fro"):
        x = ad.tensor([[4.0, 1.0], [2.0, 3.5]], dtype=ad.float64, requires_grad=True)
        assert ad.gradcheck(lambda x, p=p: ad.linalg.cond(x, p), x)
    origin = ad.zeros(2, dtype=ad.float64)
    for function in (lambda x: ad.norm(x, 0), lambda x: ad.dist(x, origin, 0)):
        assert grad_at(function, 1.0, 2.0) == [0.0, 0.0]
    assert gradients(ad.clamp, [0.5, -2.0], [-1.0], [[1.0], [2.0]]) == [[2.0, 0.0], [2.0], [[0.0], [0.0]]]
    soft_margin = nn.functional.soft_margin_loss
    assert ad.gradcheck(
        soft_margin, [ad.tensor(x, dtype=ad.float64).requires_grad_() for x in ([1.0, 2.0], [0.5, -1.0])]
    )
    twice, once = ad.tensor([0, 0]), ad.tensor([0])
    added = gradients(lambda x, source: x.scatter(0, twice, source, reduce="add"), [1.0, 2.0], [3.0, 4.0])
    assert added == [[1.0, 1.0], [1.0, 1.0]]
    multiplied = gradients(lambda x, source: x.scatter(0, twice, source, reduce="multiply"), [1.0, 2.0], [3.0, 4.0])
    assert multiplied == [[12.0, 1.0], [4.0, 3.0]]
    assert gradients(lambda x, source: x.scatter(0, once, source), [1.0, 2.0], [3.0, 4.0]) == [[0.0, 1.0], [1.0, 0.0]]
    assert gradients(lambda x, source: x.scatter_add(0, once, source), [1.0, 2.0], [3.0, 4.0])[1] == [1.0, 0.0]
    assert gradients(lambda x, y: x.index_fill(0, ad.tensor([-1]), y), [1.0, 2.0], 2.5) == [[1.0, 0.0], 1.0]
    x, source = (ad.tensor(v, dtype=ad.float64, requires_grad=True) for v in ([5.0, 2.0], [0.0, 0.0]))
    assert ad.gradgradcheck(lambda x, source: x.scatter_reduce(0, twice, source, "prod"), (x, source))
    for name, slope in (("acosh_", 3**-0.5), ("asinh_", 5**-0.5)):
        np.testing.assert_allclose(grad_at(lambda x, name=name: getattr(x * 1, name)(), 2.0), [slope], rtol=1e-12)
    np.testing.assert_allclose(grad_at(lambda x: (x * 1).atanh_(), 0.5), [1 / 0.75], rtol=1e-12)


def test_wrong_derivatives() -> None:
    for exponent in (-1, 63, 100):
        assert grad_at(lambda x, n=exponent: ad.ldexp(x, ad.tensor([n])), 1.0) == [2.0**exponent]
    places = ad.arange(12.0, dtype=ad.float64).reshape(3, 4)
    blocks = gradients(lambda *xs: ad.block_diag(*xs) * places, [[1.0, 2.0]], [], [[3.0, 4.0]])
    assert blocks == [[[0.0, 1.0]], [], [[10.0, 11.0]]]
    w = ad.ones(3, requires_grad=True)
    base = w * 1
    view = base[1:]
    base.as_strided_((2,), (1,))
    assert ad.grad(view.sum(), w)[0].tolist() == [0.0, 1.0, 1.0]


def test_second_derivatives_of_copies() -> None:
    for function in (
        lambda x: F.max_pool1d(x, 2),
        lambda x: F.avg_pool1d(x, 2),
        lambda x: F.adaptive_avg_pool1d(x, 2),
        lambda x: F.pad(x, (1, 1), mode="reflect"),
        lambda x: F.pad(x, (1, 1), mode="replicate"),
        lambda x: F.nll_loss(x[0], ad.tensor([0, 1])),
        lambda x: F.rrelu(x, training=True),
        lambda x: F.conv1d(x, ad.ones(3, 2, 2)),
    ):
        x = ad.arange(8.0).reshape(1, 2, 4).requires_grad_()
        assert not ad.grad(function(x).sum(), x, create_graph=True)[0].requires_grad


def test_derivatives_at_the_edges() -> None:
    with np.errstate(all="ignore"):
        assert grad_at(ad.digamma, -np.inf, -1.0) == [np.inf, np.inf]
        assert grad_at(ad.special.log_ndtr, -np.inf) == [np.inf]
    x = ad.zeros(1, dtype=ad.float64, requires_grad=True)
    (first,) = ad.grad(ad.sinc(x).sum(), x, create_graph=True)
    np.testing.assert_allclose(ad.grad(first.sum(), x)[0].numpy(), -(np.pi**2) / 3, rtol=1e-14)


def test_infinity_over_infinity() -> None:
    with np.errstate(all="ignore"):
        for edge in (np.inf, np.nan):
            assert grad_at(ad.prod, edge, 2.0, 3.0)[0] == 6.0
        assert grad_at(lambda x: ad.copysign(x, -1.0), np.inf, -np.inf) == [-1.0, 1.0]
        assert grad_at(lambda x: ad.linalg.vector_norm(x, 3), 1e200, 1.0) == [0.0, 0.0]
    x = ad.tensor([1e-310, 2.0, 3.0], dtype=ad.float64, requires_grad=True)
    (first,) = ad.grad(ad.cumprod(x, 0).sum(), x, create_graph=True)
    # The sum x + xy + xyz has the gradient (1 + y + yz, x + xz, xy).
    assert ad.grad(first.sum(), x)[0].tolist() == [6.0, 4.0, 2.0]


def test_replaced_numbers() -> None:
    with np.errstate(all="ignore"):
        assert grad_at(lambda x: ad.nan_to_num(x) * np.inf, np.nan, np.inf, 1.0) == [0.0, 0.0, np.inf]


def test_old_values_that_tie() -> None:
    first = ad.tensor([0])
    found = gradients(lambda x, y: x.scatter_reduce(0, first, y, "amax", include_self=False), [3.0, 2.0], [3.0])
    assert found == [[0.0, 1.0], [1.0]]


def test_coordinates_that_tie() -> None:
    origin = ad.zeros(1, 2, dtype=ad.float64)
    assert gradients(lambda x: ad.cdist(x, origin, np.inf), [[1.0, -1.0]]) == [[[0.5, -0.5]]]
    assert grad_at(lambda x: ad.linalg.vector_norm(x, np.inf), 1.0, -1.0) == [0.5, -0.5]


def test_norms_of_empty_matrices() -> None:
    for order in (2, np.inf, 1, "nuc", "fro"):
        assert ad.linalg.matrix_norm(ad.zeros(0, 3, requires_grad=True), order).requires_grad


def test_counts_require_no_grad() -> None:
    x = ad.ones(3, requires_grad=True)
    for counted in (ad.bincount(ad.tensor([0, 1, 1]), x), ad.histogram(x, 2).hist, ad.unique(x)):
        assert not counted.requires_grad


def test_memory_of_strides() -> None:
    assert gradients(lambda x: x.as_strided((2, 2), (1, 1)), [1.0, 2.0, 3.0]) == [[1.0, 2.0, 1.0]]
    for call in (
        lambda x: x[::2].as_strided((2,), (1,)),
        lambda x: x[:2].as_strided((3,), (1,)),
        lambda x: x[2:].as_strided((1,), (1,), 0),
    ):
        with pytest.raises(OpError, match="without gaps"):
            gradients(call, [1.0, 2.0, 3.0, 4.0])
        assert call(ad.arange(4)).shape


def test_anomaly_warnings() -> None:
    @ad.autograd.detect_anomaly()
    def step() -> None:
        with np.errstate(invalid="ignore"):
            (ad.zeros(1, requires_grad=True).sqrt() * 0).sum().backward()

    with pytest.raises(RuntimeError, match=r"SqrtBackward0.*recorded at .*test_differences_of_derivatives.py:\d+"):
        step()

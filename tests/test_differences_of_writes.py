"""Rows of docs/differences.md about writing in place: what happens here. The functions are named after the rows."""

import pytest

import autodiff as ad
from autodiff.op import OpError


def test_writes_to_expanded_tensors() -> None:
    mask = ad.tensor([[True, False]] * 2)
    for tensor in (ad.zeros(1, 2).expand(2, 2), ad.zeros(3).unfold(0, 2, 1), ad.zeros(3).as_strided((2, 2), (1, 1))):
        for write in (
            lambda x: x.fill_(1.0),
            lambda x: x.masked_fill_(mask, 1.0),
            lambda x: x.tril_(),
            lambda x: x.index_put_((ad.tensor([0]),), ad.tensor(1.0)),
            lambda x: x.add_(1.0),
        ):
            with pytest.raises(RuntimeError, match=r"share places in memory.*clone\(\)"):
                write(tensor)


def test_writes_that_overlap() -> None:
    x = ad.arange(4.0)
    x[1:] = x[:-1]
    assert x.tolist() == [0.0, 0.0, 1.0, 2.0]
    x[:-1].copy_(x[1:])
    assert x.tolist() == [0.0, 1.0, 2.0, 2.0]
    reverse = ad.tensor([3, 2, 1, 0])
    assert x.index_add_(0, reverse, x).tolist() == [2.0, 3.0, 3.0, 2.0]
    assert x.scatter_(0, ad.tensor([0, 1]), x).tolist() == [2.0, 3.0, 3.0, 2.0]
    mask = ad.tensor([False, True, True, False])
    assert x.masked_scatter_(mask, x).tolist() == [2.0, 2.0, 3.0, 2.0]
    with pytest.raises(RuntimeError, match=r"share some of their memory; clone\(\)"):
        x[1:].masked_scatter_(mask[1:], x[:-1])
    matrix = ad.ones(3, 3)
    with pytest.raises(RuntimeError, match="share some"):
        matrix[:2].addmm_(ad.eye(2), matrix[1:])


def test_what_is_saved() -> None:
    w = ad.tensor([0.25, 0.5], dtype=ad.float64, requires_grad=True)
    for function in (ad.erfinv, ad.sinc):
        y = function(w)
        y.mul_(2)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.sum().backward()
    for function in (ad.sgn, lambda x: (x * 1).pow_(w), lambda x: (x * 1).cumprod_(0)):
        y = function(w)
        y.mul_(2)
        y.sum().backward()


def test_logical_forms_in_place() -> None:
    w = ad.tensor([0.25, 0.5], requires_grad=True)
    for write in (ad.Tensor.logical_and_, ad.Tensor.logical_or_, ad.Tensor.logical_xor_):
        x = w * 1
        write(x, w)
        assert ad.grad(x.sum(), w, materialize_grads=True)[0].tolist() == [0.0, 0.0]
    assert ad.grad((w * 1).logical_not_().sum(), w)[0].tolist() == [0.0, 0.0]
    assert ad.grad((w * 1).heaviside_(ad.ones(2)).sum(), w)[0].tolist() == [0.0, 0.0]
    with pytest.raises(RuntimeError, match="leaf tensor that requires grad"):
        w.logical_not_()


def test_writes_through_data() -> None:
    w = ad.ones(2, requires_grad=True)
    y = (w * w).sum()
    w.data.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_no_resizing() -> None:
    x = ad.ones(3)
    with pytest.raises(OpError, match=r"out=.*\(3,\).*\(2,\)"):
        ad.add(x, x, out=ad.empty(2))
    empty = ad.empty(0)
    assert ad.add(x, x, out=empty) is empty
    assert empty.tolist() == [2.0, 2.0, 2.0]

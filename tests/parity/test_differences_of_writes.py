"""Rows of docs/differences.md about writing in place: what PyTorch does, so that a row goes with the difference."""

import warnings

import pytest
import torch


def test_writes_to_expanded_tensors() -> None:
    mask = torch.tensor([[True, False]] * 2)
    for write in (
        lambda x: x.fill_(1.0),
        lambda x: x.masked_fill_(mask, 1.0),
        lambda x: x.tril_(),
        lambda x: x.index_put_((torch.tensor([0]),), torch.tensor(1.0)),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            write(torch.zeros(1, 2).expand(2, 2))
    with pytest.raises(RuntimeError):
        torch.zeros(1, 2).expand(2, 2).add_(1.0)
    assert torch.ones(3).unfold(0, 2, 1).mul_(3).tolist() != [[3.0, 3.0], [3.0, 3.0]]


def test_writes_that_overlap() -> None:
    x, order = torch.arange(4.0), torch.tensor([3, 2, 1, 0])
    for write in (
        lambda: x.__setitem__(slice(1, None), x[:-1]),
        lambda: x[:-1].copy_(x[1:]),
        lambda: x.index_add_(0, order, x),
        lambda: x.scatter_(0, order, x),
    ):
        with pytest.raises(RuntimeError, match="refer to a single memory location"):
            write()
    mask = torch.tensor([False, True, True, False])
    assert x.masked_scatter_(mask, x).tolist() == [0.0, 0.0, 0.0, 3.0]


def test_what_is_saved() -> None:
    w = torch.tensor([0.25, 0.5], dtype=torch.float64, requires_grad=True)
    for function in (torch.erfinv, torch.sinc):
        y = function(w)
        y.mul_(2)
        y.sum().backward()
    for function in (torch.sgn, lambda x: (x * 1).pow_(w), lambda x: (x * 1).cumprod_(0)):
        y = function(w)
        y.mul_(2)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.sum().backward()


def test_logical_forms_in_place() -> None:
    w = torch.tensor([0.25, 0.5], requires_grad=True)
    assert torch.autograd.grad((w * 1).logical_not_().sum(), w)[0].tolist() == [1.0, 1.0]
    with pytest.raises(RuntimeError, match="not implemented"):
        (w * 1).heaviside_(torch.ones(2)).sum().backward()
    w.logical_not_()
    assert w.tolist() == [0.0, 0.0]


def test_writes_through_data() -> None:
    w = torch.ones(2, requires_grad=True)
    y = (w * w).sum()
    w.data.add_(1)
    y.backward()
    w.grad = None
    y = (w * w).sum()
    w.detach().add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_no_resizing() -> None:
    x, out = torch.ones(3), torch.empty(2)
    with pytest.warns(UserWarning, match="resized"):
        assert torch.add(x, x, out=out) is out
    assert out.tolist() == [2.0, 2.0, 2.0]

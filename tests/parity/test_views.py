"""Which functions share memory, and what becomes of views, their bases and their gradients, beside PyTorch."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

import autodiff as ad

Scenario = Callable[[Any], Iterator[Any]]

# Expressions of x (2, 3, 4), v (3), q (3, 3), s (2, 2, 3), z (1, 3, 4), a mask and an index i.
SHARING = """
x.reshape(4,6) x.reshape(-1) x.view(24) x.transpose(0,1).reshape(-1) x.transpose(0,1) x.permute(2,0,1) x.mT q.T q.H
x.expand(5,2,3,4) x.expand(2,3,4) x.broadcast_to((2,3,4)) x.narrow(1,0,2) x.select(0,1) x[0] x[0,1] x[0,1,2] x[:,1:]
x[...,0] x[None] x[[0]] x[i] x[mask] x[:] x[...] x.squeeze() x.squeeze(0) z.squeeze(0) x.squeeze((0,1)) x.unsqueeze(0)
x.diagonal() x.diagonal(0,1,2) x.unbind()[0] x.split(1)[0] x.split([1,1])[0] x.chunk(2)[0] x.tensor_split(2)[0]
x.hsplit(3)[0] x.vsplit(2)[0] x.dsplit(2)[0] x.flatten() x.flatten(1) x.flatten(0,0) x.ravel() x.unflatten(2,(2,2))
x.unfold(0,2,1) x.as_strided((2,2),(1,2)) x.movedim(0,1) x.moveaxis(0,1) x.swapaxes(0,1) x.swapdims(0,2) x.adjoint()
x.contiguous() x.transpose(0,1).contiguous() x.clone() x.flip(0) x.flipud() x.fliplr() x.rot90() x.roll(1,0)
x.repeat(1,1,1) x.tile((1,)) x.tril() x.triu() x.diag_embed() v.diag() q.diag() q.t() v.t() q.trace() v.diagflat()
x.view_as(x) x.reshape_as(x) x.expand_as(x) x.to(x.dtype) x.float() x.double() x.type_as(x) x.cpu() x.detach() x.data
x.abs() x.positive() x.nan_to_num() x.index_select(0,i) x.take(i) x.gather(0,x.long()*0) x.sum(()) x.sum(0) z.sum(0)
x.mean((0,)) x.sort()[0] x.topk(1)[0] x.cumsum(0) m.atleast_1d(x) m.atleast_3d(v) m.atleast_2d(x) m.atleast_2d(v)
m.broadcast_tensors(x,z)[0] m.broadcast_tensors(x,z)[1] m.meshgrid(v,v,indexing='ij')[0] m.cat([x]) m.stack([x])
m.hstack([x]) m.block_diag(q) m.cartesian_prod(v) m.combinations(v,1) m.squeeze(x,0) m.asarray(x) m.as_tensor(x)
m.maximum(x,x) m.where(mask,x,x) x.masked_fill(mask,0) x.masked_select(mask) x.amax(()) z.max(0)[0] z.prod(0)
z.cumsum(0) z.mean(0) z.amax(0) z.logsumexp(0) z.norm(dim=0) x.round(decimals=0) m.pow(x,1) x.pow(1) x*1 x+0
m.einsum('abc->abc',x) m.einsum('abc->cba',x) m.einsum('aab->ab',s) q.matrix_power(1) m.linalg.diagonal(q) m.diff(x,n=0)
x.new_tensor(x) m.clone(x) m.empty_like(x) m.moveaxis(x,0,0) m.permute(x,(0,1,2)) x.repeat_interleave(1)
"""


def shared(m: Any, expression: str) -> bool:
    """Whether the result lies in the memory of an operand."""
    numbers = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    operands = {
        "x": numbers,
        "v": np.arange(3, dtype=np.float32),
        "q": np.eye(3, dtype=np.float32),
        "z": numbers[:1].copy(),
        "s": np.ones((2, 2, 3), np.float32),
    }
    given = {name: m.from_numpy(array) for name, array in operands.items()}
    y = eval(expression, given | {"m": m, "i": m.tensor([0]), "mask": m.tensor(numbers > 5)})
    return any(np.may_share_memory(y.detach().numpy(), array) for array in operands.values())


@pytest.mark.parametrize("expression", SHARING.split())
def test_memory_is_shared_where_pytorch_shares_it(expression: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert shared(ad, expression) == shared(torch, expression)


def leaf(m: Any, *shape: int) -> Any:
    shape = shape or (2, 3)
    return m.tensor(np.arange(float(np.prod(shape))).reshape(shape), requires_grad=True)


def slopes(m: Any, w: Any, *tensors: Any) -> Iterator[Any]:
    """Each tensor, and the gradient of the sum of its squares."""
    for x in tensors:
        yield x
        yield (torch.autograd.grad if m is torch else ad.grad)((x * x).sum(), w, retain_graph=True)[0]


def names_of_views(m: Any) -> Iterator[Any]:
    x = leaf(m)
    y = x * 1
    for v in (
        x[0], x[0][1:], x.T, x.detach(), x * 1, x.view(6).view(3, 2), x.reshape(6), x.T.reshape(6), x.unbind()[0],
        x.expand(2, 2, 3), x[[0]], x.contiguous(), x.data, x,
    ):  # fmt: skip
        yield [v._is_view(), v._base is x, v._base is None]
    yield [y[0][:1]._base is y, y.detach()[0]._base is y]


def writes_to_views(m: Any) -> Iterator[Any]:
    for view in (
        lambda x: x.as_strided((2, 2), (1, 3)),
        lambda x: x.as_strided((4,), (1,), 1),
        lambda x: x.diagonal(),
        lambda x: x.diagonal(1),
        lambda x: x.unfold(1, 2, 2),
        lambda x: x.movedim(0, 1),
        lambda x: x.flatten(),
        lambda x: x.view(3, 2),
        lambda x: x.expand(2, 3),
        lambda x: x.expand(1, 2, 3),
        lambda x: x.narrow(1, 1, 2),
        lambda x: x.mT,
        lambda x: x.unflatten(1, (3, 1)),
        lambda x: x.view_as(x),
        lambda x: x.squeeze(),
        lambda x: x.ravel(),
        lambda x: x.reshape(-1),
        lambda x: x.contiguous(),
        lambda x: x.to(m.float64),
        lambda x: x.swapaxes(0, 1)[1:],
        lambda x: x.atleast_2d() if hasattr(x, "atleast_2d") else m.atleast_2d(x),
        lambda x: m.einsum("ab->ba", x),
    ):
        w = leaf(m)
        x = w * 1
        part, sibling = view(x), x[:, 1]
        part.mul_(3)
        yield from slopes(m, w, x, part, sibling)
        x = w * 1
        part = view(x)
        x.mul_(w)
        yield from slopes(m, w, x, part)
    yield lambda: (leaf(m) * 1).expand(2, 2, 3).mul_(2)


def views_of_views_of_views(m: Any) -> Iterator[Any]:
    w = leaf(m, 2, 3, 4)
    x = w * 1
    a = x.transpose(0, 2)
    b = a[1:3]
    c = b.unsqueeze(1)
    d = c.select(2, 1)
    d.mul_(w[:, 0, :2].T.unsqueeze(1))
    yield from slopes(m, w, x, a, b, c, d)
    x.mul_(2)
    b.add_(1)
    yield from slopes(m, w, x, a, b, c, d)


def views_made_without_grad(m: Any) -> Iterator[Any]:
    x = leaf(m)
    with m.no_grad():
        of_leaf = x[0]
        of_leaf.add_(1)
    yield x
    yield lambda: of_leaf.add_(1)
    result = leaf(m) * 1
    with m.no_grad():
        of_result = result[0]
    yield lambda: of_result.add_(1)
    yield result
    result.add_(1)
    yield result
    with m.inference_mode():
        seen = result[0]
    yield seen.is_inference()
    yield lambda: seen.add_(1)
    constant = m.zeros(2, 3, dtype=m.float64)
    with m.no_grad():
        of_constant = constant[0]
    of_constant.add_(1)
    yield lambda: of_constant.add_(leaf(m)[0])
    yield constant


def tensors_made_in_inference_mode(m: Any) -> Iterator[Any]:
    w = leaf(m)
    with m.inference_mode():
        made = m.ones(2, 3, dtype=m.float64)
        part = made[0]
        made.add_(1)
        own = m.ones(3).requires_grad_()
        computed = own * 2
        w.add_(1)
    yield [made.is_inference(), part.is_inference(), own.is_leaf, computed.requires_grad]
    yield [made[0].is_inference(), (made * 2).is_inference(), made.clone().is_inference()]
    yield from (
        lambda: made * w,
        lambda: made + w,
        lambda: made.clone().add_(1),
        lambda: made.requires_grad_(),
        lambda: m.ones(3, dtype=m.float64).add_(part),
        lambda: w * made.clone(),
        lambda: made.exp() + w,
        # PyTorch refuses these once it has done them.
        lambda: made.add_(1),
        lambda: part.add_(1),
    )


def views_made_together(m: Any) -> Iterator[Any]:
    for cut in (
        lambda x: x.unbind(), lambda x: x.split(1), lambda x: x.chunk(2), lambda x: x.tensor_split(2), list,
        lambda x: x.vsplit(2), lambda x: x.split([1, 1]), lambda x: x.hsplit(3), lambda x: x.unbind(1),
        lambda x: x.split_with_sizes([1, 1]), lambda x: x.dsplit(1) if x.ndim > 2 else x.unbind(),
    ):  # fmt: skip
        x = leaf(m) * 1
        part = cut(x)[0]
        yield lambda part=part: part.add_(1)
        yield x
        x.add_(1)
        yield x
        yield lambda part=part: part.sum().backward()
        yield lambda x=x: x.sum().backward()
        constant = m.zeros(2, 3, dtype=m.float64)
        part = cut(constant)[1]
        part.add_(1)
        yield constant
        yield lambda part=part: part.add_(leaf(m)[0, 0])
        yield lambda cut=cut: cut(leaf(m))[0].add_(1)
        y = leaf(m) * 1
        with m.no_grad():
            cut(y)[0].add_(1)
        yield y


def iteration(m: Any) -> Iterator[Any]:
    x = m.zeros(2, 3)
    for row in x:
        row.add_(1)
    for i, row in enumerate(x):
        row[i] = 7.0
    yield x


def detaching_in_place(m: Any) -> Iterator[Any]:
    x = leaf(m) * 1
    view = x[0]
    yield lambda: view.detach_()
    x.detach_()
    yield [x.requires_grad, x.is_leaf, view.requires_grad]
    yield lambda: m.ones(2)[0].detach_()
    yield lambda: leaf(m)[0].detach_()
    yield lambda: leaf(m)[0].requires_grad_(False)


def changed_in_place(m: Any) -> Iterator[Any]:
    for change in (
        lambda x: x.unsqueeze_(0),
        lambda x: x.transpose_(0, 1),
        lambda x: x.t_(),
        lambda x: x.squeeze_(),
        lambda x: x.swapaxes_(0, 1),
    ):
        w = leaf(m)
        x = w * 1
        view = x[0]
        change(x)
        yield from slopes(m, w, x, view)
        view.mul_(2)
        yield from slopes(m, w, x, view)
        x.mul_(3)
        yield from slopes(m, w, x, view)
        x = w * 1
        view = x[:]
        change(view)
        view.mul_(2)
        yield from slopes(m, w, x, view)
        yield lambda change=change: change(leaf(m))
        with m.no_grad():
            change(w)
        yield w
        constant = m.zeros(2, 3)
        view = constant[0]
        change(constant)
        view.add_(1)
        yield constant
        yield view


def data(m: Any) -> Iterator[Any]:
    w = leaf(m)
    x = w * 1
    view = x[0]
    x.data = m.zeros(2, 3, dtype=m.float64)
    view.add_(1)
    yield from (view, x)
    view = w.view(6)
    w.data = m.ones(2, 3, dtype=m.float64)
    yield view
    view.sum().backward()
    yield w.grad
    x = m.ones(2, 3)
    view = x[0]
    view.data = m.zeros(3)
    view.add_(1)
    yield from (x, view)
    w.data[0] = 5.0
    w.data.mul_(2)
    w.data[0, 0] = 9
    yield w


def detached(m: Any) -> Iterator[Any]:
    w = leaf(m)
    x = w * 1
    shared_ = x.detach()
    shared_.add_(1)
    yield from (x, shared_)
    y = x.exp()
    z = y.sum()
    y.detach().add_(1)
    yield z.backward
    w.detach().zero_()
    yield w
    twin = w.detach().requires_grad_()
    yield twin
    yield lambda: twin.add_(1)
    part = x.detach()[0]
    part.add_(w[0])
    yield from (x, part)


def views_that_require_grad(m: Any) -> Iterator[Any]:
    base = m.zeros(2, 3, dtype=m.float64)
    view = base[0]
    view.requires_grad_()
    yield [view.is_leaf, base.requires_grad]
    yield lambda: view.add_(1)
    base.add_(1)
    yield base
    view.sum().backward()
    yield view.grad
    base = m.zeros(2, 3, dtype=m.float64)
    view = base[0]
    base.requires_grad_()
    yield lambda: base.add_(1)
    yield lambda: base[0].add_(1)


def buffers(m: Any) -> Iterator[Any]:
    """Results collected in a buffer, row by row and through views."""
    w = leaf(m, 3)
    buffer = m.zeros(4, 3, dtype=m.float64)
    whole = buffer.view(2, 6)
    state = w
    for i in range(4):
        state = (state * w).sin()
        buffer[i] = state
        buffer[i, 1:] *= 2
    yield from slopes(m, w, buffer, whole, buffer[2])
    total = m.zeros(3, dtype=m.float64)
    for row in range(4):
        total += buffer[row] * w
    yield from slopes(m, w, total)


SCENARIOS: list[Scenario] = [
    names_of_views, writes_to_views, views_of_views_of_views, views_made_without_grad, tensors_made_in_inference_mode,
    views_made_together, iteration, detaching_in_place, changed_in_place, data, detached, views_that_require_grad,
    buffers,
]  # fmt: skip


def outcome(value: Any) -> Any:
    """What can be compared: a callable is called, and what matters is whether it raises."""
    if callable(value):
        try:
            value = value()
        except RuntimeError:
            return "raises"
    if isinstance(value, torch.Tensor | ad.Tensor):
        return value.detach().tolist(), value.requires_grad, value.is_leaf
    return value


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_scenarios(scenario: Scenario) -> None:
    for step, (a, b) in enumerate(zip(scenario(torch), scenario(ad), strict=True)):
        theirs, ours = outcome(a), outcome(b)
        if theirs == ours:
            continue
        assert isinstance(theirs, tuple), (step, theirs, ours)
        assert isinstance(ours, tuple), (step, theirs, ours)
        assert theirs[1:] == ours[1:], (step, theirs, ours)
        np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-12, err_msg=str(step))

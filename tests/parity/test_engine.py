"""The engine's manners beside PyTorch's: accumulation, freeing, switching off, leaves, writes, random programs."""

from __future__ import annotations

import contextlib
import copy
import pickle
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import autodiff as ad
from tests.parity.beside_torch import agree, name, same

EXAMPLES = max(200, settings().max_examples)

# Scenarios: each is written once and run on both libraries; what it yields must agree, exceptions included.
Scenario = Callable[[Any], Iterator[Any]]


def leaf(m: Any, *values: float) -> Any:
    return m.tensor(values or (1.0, 2.0, 3.0), dtype=m.float64, requires_grad=True)


def grad_of(m: Any) -> Any:
    return torch.autograd.grad if m is torch else ad.grad


def backward_of(m: Any) -> Any:
    return torch.autograd.backward if m is torch else ad.backward


def accumulation(m: Any) -> Iterator[Any]:
    x = leaf(m)
    (x * 2).sum().backward()
    kept = x.grad
    yield kept.clone()
    (x * x).sum().backward()
    yield kept
    yield x.grad is kept
    x.grad = None
    (x * 3).sum().backward()
    yield kept
    yield x.grad


def freeing(m: Any) -> Iterator[Any]:
    x = leaf(m)
    for f in (lambda x: x.exp(), lambda x: x * x, lambda x: x + 1, lambda x: x.sum(), lambda x: x[0], lambda x: -x):
        y = f(x).sum()
        y.backward()
        yield y.backward
    y = x.exp().sum()
    y.backward(retain_graph=True)
    y.backward()
    yield x.grad
    yield y.backward


def shared_parts(m: Any) -> Iterator[Any]:
    x = leaf(m)
    shared = x.exp()
    a, b = (shared * 2).sum(), (shared * 3).sum()
    a.backward()
    yield b.backward


def options_of_grad(m: Any) -> Iterator[Any]:
    grad, x, unused = grad_of(m), leaf(m), leaf(m, 5.0)
    y = (x * x).sum()
    yield lambda: grad(y, [x, unused], retain_graph=True)
    yield grad(y, [x, unused], retain_graph=True, allow_unused=True)
    yield grad(y, [x, unused], retain_graph=True, materialize_grads=True)
    yield lambda: grad(y, x.detach())
    yield lambda: grad(x * 2, x)
    yield lambda: grad(x * 2, x, m.ones(2, dtype=m.float64))
    yield grad(x * 2, x, x.detach())
    yield grad([y, (x * 3).sum()], [x], retain_graph=True)
    yield grad(y, [x, x], retain_graph=True)
    yield grad(y, [y, x], retain_graph=True)
    named = grad(y, {"y": y, "x": x}, retain_graph=True)
    yield list(named)
    yield named["x"]
    yield lambda: grad(y, {}, retain_graph=True)
    y.backward(inputs={"x": x}, retain_graph=True)
    yield x.grad
    yield lambda: grad(m.ones(1), x)
    yield lambda: grad(y, [])


def batched_gradients(m: Any) -> Iterator[Any]:
    grad, x, unused = grad_of(m), leaf(m), leaf(m, 5.0)
    rows = m.tensor([[1.0, 0.0, 0.0], [0.0, -2.0, 0.5]], dtype=m.float64, requires_grad=True)
    batched, kept = {"is_grads_batched": True}, {"is_grads_batched": True, "retain_graph": True}
    y = x.exp()
    total = (y * y).sum()
    yield grad(y, x, rows.detach(), **kept)
    yield grad(y, [y, x], rows.detach(), **kept)
    yield grad([y, total], [x, y], [rows.detach(), rows.detach()[:, 1]], **kept)
    yield grad(y, x, rows.detach().float() if m is torch else rows.detach().to(ad.float32), **kept)
    yield lambda: grad(y, [x, unused], rows.detach(), **kept)
    yield grad(y, [x, unused], rows.detach(), allow_unused=True, **kept)
    yield grad(y, [x, unused], rows.detach(), materialize_grads=True, **kept)
    (first,) = grad(y, x, rows, create_graph=True, **batched)
    yield first.requires_grad
    yield grad((first * first).sum(), [x, rows], retain_graph=True)
    with m.no_grad():
        yield grad(y, x, rows, create_graph=True, **batched)[0].requires_grad
    yield lambda: grad(y, x, rows.detach()[:, :2], **kept)
    yield lambda: grad(y, x, rows.detach()[:0], **kept)
    yield lambda: grad([y, y], x, [rows.detach(), rows.detach()[:1]], **kept)
    yield lambda: grad([y, total], x, [rows.detach(), None], **kept)
    yield lambda: grad(total, x, **kept)
    yield grad(y, x, rows.detach(), **batched)
    yield lambda: grad(y, x, rows.detach(), **batched)
    yield x.grad


def undefined_gradients(m: Any) -> Iterator[Any]:
    grad, backward, x, unused = grad_of(m), backward_of(m), leaf(m), leaf(m, 5.0)
    y = x * x
    one, total, ones = m.ones(3, dtype=m.float64), y.sum(), m.ones((), dtype=m.float64)
    yield grad([y, total], x, [one, None], retain_graph=True)
    yield lambda: grad([y, total], x, [None, None], retain_graph=True)
    yield lambda: grad([y, total], x, one, retain_graph=True)
    yield grad([y, y], x, [one, one * 2], retain_graph=True)
    yield grad(x, x, one)
    yield grad(y, x, one.long() if m is torch else one.to(ad.int64), retain_graph=True)
    yield lambda: grad(total, unused, materialize_grads=True, allow_unused=False, retain_graph=True)
    yield lambda: grad(total, unused, materialize_grads=True, allow_unused=True, retain_graph=True)
    yield lambda: grad(total, unused, allow_unused=False, retain_graph=True)
    yield [g.requires_grad for g in grad(total, [x, unused], materialize_grads=True, create_graph=True)]
    yield lambda: grad(total, [x, 3.0], retain_graph=True)
    yield lambda: grad(total, m.ones(2, dtype=m.int64), retain_graph=True)
    yield lambda: grad(m.ones((), dtype=m.int64), x, retain_graph=True)
    yield lambda: grad([], x)
    yield lambda: total.backward(inputs=[m.ones(2, dtype=m.int64)], retain_graph=True)
    yield lambda: total.backward(inputs=[x.detach()], retain_graph=True)
    yield lambda: backward([total, x.detach().sum()], retain_graph=True)
    yield lambda: backward([total, x.detach().sum()], [None, ones], retain_graph=True)
    yield lambda: backward([total, y], [None], retain_graph=True)
    yield x.grad
    total.backward(inputs=[unused], retain_graph=True)
    yield [x.grad, unused.grad]
    total.backward(inputs=[x, x], retain_graph=True)
    yield x.grad
    backward((total, y), (None, one), inputs=(y, x), retain_graph=True)
    yield [x.grad.tolist(), y.grad.tolist()]
    backward(y, one, inputs=y, retain_graph=True)
    yield [x.grad.tolist(), y.grad.tolist()]
    backward([], [])
    total.backward(inputs=x)
    yield x.grad
    yield total.backward


def inner_inputs(m: Any) -> Iterator[Any]:
    grad, x = grad_of(m), leaf(m)
    middle = x.exp()
    y = (middle * middle).sum()
    yield grad(y, [middle, x], retain_graph=True)
    yield grad(y, middle)
    middle.sum().backward()
    yield x.grad


def inputs_of_backward(m: Any) -> Iterator[Any]:
    x, w = leaf(m), leaf(m)
    middle = x * w
    (middle * middle).sum().backward(inputs=[x, middle], retain_graph=True)
    yield x.grad
    yield w.grad
    yield lambda: middle.sum().backward(inputs=[])
    backward_of(m)([middle.sum(), middle], [None, m.ones(3, dtype=m.float64)])
    yield x.grad
    yield w.grad


def create_graph(m: Any) -> Iterator[Any]:
    grad, x = grad_of(m), leaf(m)
    (first,) = grad((x**4).sum(), x, create_graph=True)
    yield first
    (second,) = grad((first * first.detach()).sum(), x, create_graph=True)
    yield second
    yield grad(second.sum(), x)
    v = m.ones(3, dtype=m.float64, requires_grad=True)
    (slope,) = grad(x * x, x, v, create_graph=True)
    yield grad(slope.sum(), [v, x])
    (x**3).sum().backward(create_graph=True)
    yield x.grad
    yield grad(x.grad.sum(), x)


def switching(m: Any) -> Iterator[Any]:
    x = leaf(m)
    with m.no_grad():
        y = x * 2
        yield y.requires_grad
        yield y.is_leaf
        with m.enable_grad():
            yield (x * 2).requires_grad
        made = m.ones(2, requires_grad=True)
        yield made.requires_grad
    yield (made * 2).requires_grad
    m.set_grad_enabled(False)
    yield (x * 2).requires_grad
    m.set_grad_enabled(True)
    yield (x * 2).requires_grad
    with m.inference_mode():
        yield (x * 2).requires_grad


def leaves(m: Any) -> Iterator[Any]:
    x = leaf(m)
    y = x * 2
    yield [t.is_leaf for t in (x, y, x.detach(), y.detach(), m.ones(2) * 2)]
    yield lambda: y.requires_grad_(False)
    yield lambda: m.ones(2, dtype=m.int64).requires_grad_()
    y.sum().backward()
    yield x.grad
    x.requires_grad_(False)
    yield (x * 2).requires_grad
    yield lambda: copy.deepcopy(y)
    twin = copy.deepcopy(x.requires_grad_())
    yield [twin.requires_grad, twin.grad.tolist()]
    yield pickle.loads(pickle.dumps(leaf(m)))
    x.data = m.zeros(2, dtype=m.float64)
    yield x


def conversions(m: Any) -> Iterator[Any]:
    x = leaf(m)
    yield [
        float(x.sum()),
        int(x.sum()),
        bool(x.sum()),
        x.sum().item(),
        x[1].tolist(),
        f"{x.sum().detach()}",
        f"{x.detach().sum():.2f}",
    ]
    for convert in (float, int, bool, len, iter):
        yield lambda convert=convert: convert(x if convert in (float, int, bool) else x.sum())
    yield lambda: format(x, ".2f")
    yield [len(x), [row.item() for row in x], 2.0 in x, 7 in x, x == None, x != "a"]  # noqa: E711
    yield lambda: np.asarray(x)
    yield np.asarray(x.detach()).tolist()
    yield lambda: x + "a"
    yield lambda: x < None
    yield +x
    yield tuple(row.item() for row in reversed(x))


def writes(m: Any) -> Iterator[Any]:
    x = leaf(m)
    yield lambda: x.add_(1)
    yield lambda: x.__setitem__(0, 5.0)
    with m.no_grad():
        x.add_(1)
        x[0] = 7
        x -= 0.5
        x *= 2
        x /= 3
    yield x
    y = (x * x).sum()
    with m.no_grad():
        x.mul_(2)
    yield y.backward
    z = x.exp().sum()
    with m.no_grad():
        x.zero_()
    z.backward()
    yield x.grad
    constant = m.zeros(2, dtype=m.int64)
    yield lambda: constant.add_(0.5)
    yield lambda: constant.div_(2)
    yield constant.add_(3, alpha=2)
    yield constant.copy_(m.tensor([1.7, -1.7]))
    yield lambda: m.zeros(3).copy_(m.zeros(2))
    yield lambda: m.zeros(3).add_(m.zeros(2, 3))
    yield m.zeros(2).fill_(3)
    yield m.ones(2).zero_()
    yield m.ones(2).sub_(m.tensor([1.0, 2.0]), alpha=3)


def views(m: Any) -> Iterator[Any]:
    x = m.zeros(2, 3)
    for view in (
        x.view(3, 2),
        x[0],
        x.T,
        x.unsqueeze(0),
        x.narrow(1, 1, 2),
        x.split(1)[1],
        x.detach(),
        x.data,
        x.squeeze(),
    ):
        view.add_(1)
        yield x.clone()
    for value in (x.clone(), x[[0, 1]], x[x > 0], x.flip(0), x.double(), x.T.reshape(6)):
        value.add_(1)
        yield x.clone()


SCENARIOS: list[Scenario] = [
    accumulation,
    freeing,
    shared_parts,
    options_of_grad,
    batched_gradients,
    undefined_gradients,
    inner_inputs,
    inputs_of_backward,
    create_graph,
    switching,
    leaves,
    conversions,
    writes,
    views,
]


def outcome(value: Any) -> Any:
    """A callable is called: what matters is whether it raises."""
    if not callable(value) or isinstance(value, torch.Tensor | ad.Tensor):
        return value
    try:
        return value()
    except Exception:
        return "raises"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_scenarios(scenario: Scenario) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs, ours = scenario(torch), scenario(ad)
        for step, (a, b) in enumerate(zip(theirs, ours, strict=True)):
            a, b = outcome(a), outcome(b)
            for left, right in zip(*(v if isinstance(v, tuple) else (v,) for v in (a, b)), strict=True):
                try:
                    same(left, right)
                except AssertionError as error:
                    raise AssertionError(f"step {step} of {scenario.__name__}: PyTorch {a!r}, here {b!r}") from error


OPS: list[tuple[int, Callable[..., Any]]] = [
    (1, lambda m, a: a.exp() * 0.1),
    (1, lambda m, a: a.tanh()),
    (1, lambda m, a: a.relu()),
    (1, lambda m, a: -a),
    (1, lambda m, a: a.abs()),
    (1, lambda m, a: a.sum() / 3),
    (1, lambda m, a: a.reshape(-1)[:1]),
    (1, lambda m, a: a.flip(0) if a.ndim else a),
    (1, lambda m, a: a.unsqueeze(0)),
    (1, lambda m, a: a.detach()),
    (1, lambda m, a: m.cat([a.reshape(-1), a.reshape(-1)])[:3]),
    (1, lambda m, a: a.amax()),
    (1, lambda m, a: (a * a + 1).log()),
    (2, lambda m, a, b: a + b),
    (2, lambda m, a, b: a * b),
    (2, lambda m, a, b: a - b),
    (2, lambda m, a, b: a / (b * b + 1)),
    (2, lambda m, a, b: m.maximum(a, b)),
    (2, lambda m, a, b: m.where(a > b, a, b * 0.5)),
    (2, lambda m, a, b: m.stack([a.sum(), b.sum()])),
    (2, lambda m, a, b: a.sigmoid() ** 2 * b),
]

VIEWS = {6, 8}


@st.composite
def programs(draw: st.DrawFn) -> tuple[list[tuple[int, ...]], list[tuple[int, list[int]]]]:
    leaves_ = draw(st.lists(st.sampled_from([(), (1,), (3,), (2, 3), (2, 1)]), min_size=1, max_size=3))
    steps = []
    for i in range(draw(st.integers(1, 10))):
        op = draw(st.integers(0, len(OPS) - 1))
        steps.append((op, [draw(st.integers(0, len(leaves_) + i - 1)) for _ in range(OPS[op][0])]))
    return leaves_, steps


def execute(m: Any, program: Any, arrays: list[np.ndarray], needs: list[bool], hidden: set[int]) -> list[Any]:
    """The leaves and then what each step makes; steps in `hidden` run under no_grad."""
    _, steps = program
    values = [m.from_numpy(a.copy()).requires_grad_(need) for a, need in zip(arrays, needs, strict=True)]
    for i, (op, places) in enumerate(steps):
        with m.no_grad() if i in hidden else contextlib.nullcontext():
            try:
                values.append(OPS[op][1](m, *(values[p] for p in places)))
            except RuntimeError:
                values.append("refused")
                return values
    return values


@settings(max_examples=EXAMPLES)
@given(programs(), st.integers(0, 2**32 - 1), st.data())
def test_random_programs(program: Any, seed: int, data: st.DataObject) -> None:
    """Broadcasting, mixed needs, hidden parts: values, then first and second derivatives by every leaf."""
    shapes, steps = program
    rng = np.random.default_rng(seed)
    arrays = [np.asarray(rng.integers(-4, 5, shape) / 2) for shape in shapes]
    needs = data.draw(st.lists(st.booleans(), min_size=len(shapes), max_size=len(shapes)))
    # A view of a leaf made under no_grad claims to require grad in PyTorch (a row of docs/differences.md).
    hidden = {i for i in data.draw(st.lists(st.integers(0, len(steps) - 1), max_size=1)) if steps[i][0] not in VIEWS}
    results = [execute(m, program, arrays, needs, hidden) for m in (torch, ad)]
    for a, b in zip(*results, strict=True):
        same(a, b)
    outcomes = []
    for m, values in zip((torch, ad), results, strict=True):
        xs = [v for v, need in zip(values, needs, strict=False) if need]
        y = values[-1] if not isinstance(values[-1], str) else values[0]
        if not y.requires_grad or not xs:
            return
        first = grad_of(m)((y * y).sum(), xs, create_graph=True, allow_unused=True)
        slope = sum((g * g).sum() for g in first if g is not None)
        second = ()
        if isinstance(slope, m.Tensor) and slope.requires_grad:
            second = grad_of(m)(slope, xs, allow_unused=True)
        outcomes.append((first, second))
    for order in (0, 1):
        for a, b in zip(outcomes[0][order], outcomes[1][order], strict=True):
            # What does not depend on a leaf is None in one library and may be an exact zero in the other.
            if a is None or b is None:
                known = b if a is None else a
                assert known is None or float(abs(known.detach()).sum()) == 0.0
                continue
            np.testing.assert_allclose(
                b.detach().numpy(), a.detach().numpy(), rtol=1e-9, atol=1e-9 * (1 + float(abs(a.detach()).max()))
            )


EVENTS = ["read", "read output", "read nothing", "write", "write a view", "write a copy"]


@given(st.lists(st.sampled_from(EVENTS), max_size=7))
def test_stale_reads_are_noticed_exactly_where_pytorch_notices_them(events: list[str]) -> None:
    verdicts = []
    for m in (torch, ad):
        x = leaf(m)
        total = x.sum() * 0
        for event in events:
            with m.no_grad() if event.startswith("write") else contextlib.nullcontext():
                if event == "read":
                    total = total + (x * x).sum()
                elif event == "read output":
                    total = total + x.exp().sum()
                elif event == "read nothing":
                    total = total + (x + 1).sum()
                else:
                    {"write": x, "write a view": x[1:], "write a copy": x.clone()}[event].add_(1)
        try:
            total.backward()
            verdicts.append(x.grad.tolist())
        except RuntimeError:
            verdicts.append("stale")
    assert verdicts[1] == verdicts[0] or np.allclose(verdicts[0], verdicts[1], rtol=1e-12)


def test_dtype_names_are_pytorchs() -> None:
    for kind in [
        "bool",
        "uint8",
        "int8",
        "int16",
        "int32",
        "int64",
        "float16",
        "float32",
        "float64",
        "float",
        "double",
        "half",
        "int",
        "long",
    ]:
        assert name(getattr(ad, kind)) == name(getattr(torch, kind))


def test_gradcheck_gives_the_same_verdicts() -> None:
    x = np.array([[0.3, -0.7], [0.9, 0.2]])
    cases: list[Callable[[Any, Any], Any]] = [
        lambda m, x: (x.tanh() @ x).sum(),
        lambda m, x: x * x.detach(),
        lambda m, x: (x.exp(), x.sum()),
    ]
    for call in cases:
        theirs = torch.autograd.gradcheck(
            lambda x, call=call: call(torch, x), torch.tensor(x, requires_grad=True), raise_exception=False
        )
        assert (
            ad.gradcheck(lambda x, call=call: call(ad, x), ad.tensor(x, requires_grad=True), raise_exception=False)
            == theirs
        )
    agree(lambda m, x: x * 2, x)

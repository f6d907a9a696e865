"""`torch.func` and `torch.autograd.functional` beside ours: names, argument order, values, trees and errors."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import autodiff as ad
import nn
from tests.parity.beside_torch import same

# About tracing PyTorch's own graphs; and einops' notation, for which there are reshape, permute and repeat.
ABSENT = {"functionalize", "debug_unwrap", "rearrange"}
# PyTorch's forward mode loads its decompositions by what it warns about itself.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Attempted to insert a get_attr:UserWarning"),
]
NAMES = [name for name in dir(torch.func) if not name.startswith("_") and callable(getattr(torch.func, name))]
RNG = np.random.default_rng(0)
X, Y, W, S = (RNG.uniform(-1, 1, shape) for shape in ((4, 3), (4, 3), (3, 3), (2, 4, 3)))
Call = Callable[..., Any]


def leaves(tree: Any) -> list[Any]:
    if isinstance(tree, dict):
        return [leaf for key in sorted(tree) for leaf in leaves(tree[key])]
    if isinstance(tree, tuple | list):
        return [leaf for part in tree for leaf in leaves(part)]
    return [tree]


def form(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: form(part) for key, part in tree.items()}
    if isinstance(tree, tuple | list):
        return type(tree)(form(part) for part in tree)
    return None


def both(call: Call, *arrays: Any) -> None:
    """Fail unless the call gives the same tree of tensors in both libraries, `m` and `f` being either's namespaces."""
    theirs = call(torch, torch.func, *[torch.from_numpy(x.copy()) for x in arrays])
    ours = call(ad, ad.func, *[ad.from_numpy(x.copy()) for x in arrays])
    assert form(ours) == form(theirs)
    for a, b in zip(leaves(theirs), leaves(ours), strict=True):
        same(a, b)


def test_all_names_are_here() -> None:
    assert sorted(set(NAMES) - ABSENT - set(dir(ad.func))) == []
    assert callable(ad.vmap)


@pytest.mark.parametrize("name", sorted(set(NAMES) - ABSENT))
def test_arguments_stand_in_the_same_order(name: str) -> None:
    theirs, ours = (list(inspect.signature(getattr(m.func, name)).parameters.values()) for m in (torch, ad))
    if name == "jacfwd":
        # As jacrev's: PyTorch has none.
        ours = [p for p in ours if p.name != "chunk_size"]
    expected = [(p.name, p.kind, p.default) for p in theirs if not p.name.startswith("_")]
    assert [(p.name, p.kind, p.default) for p in ours] == expected


def scalar(m: Any) -> Call:
    return lambda x: (m.tanh(x) * x).sum() + m.logsumexp(x, 0) ** 2


def vector(m: Any) -> Call:
    return lambda x: m.cat([m.softmax(x, 0), (x * x)[1:], x.cumsum(0)])


TRANSFORMS: dict[str, Call] = {
    "grad": lambda m, f, x: f.grad(scalar(m))(x[0]),
    "grad_and_value": lambda m, f, x: f.grad_and_value(scalar(m))(x[0]),
    "grad of grad": lambda m, f, x: f.grad(lambda x: f.grad(scalar(m))(x).sum())(x[0]),
    "argnums": lambda m, f, x: f.grad(lambda a, b: (a * b.sin()).sum(), argnums=(1, 0))(x[0], x[1]),
    "one of argnums": lambda m, f, x: f.grad(lambda a, b: (a * b.sin()).sum(), argnums=(1,))(x[0], x[1]),
    "dict": lambda m, f, x: f.grad(lambda p: (p["a"] * p["b"][0]).sum())({"a": x[0], "b": [x[1]]}),
    "aux": lambda m, f, x: f.grad(lambda x: (x.sum(), {"y": x * 2}), has_aux=True)(x[0]),
    "vjp": lambda m, f, x: (lambda y, pull: (y, pull(y)))(*f.vjp(vector(m), x[0])),
    "vjp of several": lambda m, f, x: f.vjp(lambda a, b: (a * b, a.sum()), x[0], x[1])[1]((x[2], x[0, 0])),
    "vjp with aux": lambda m, f, x: (lambda y, pull, aux: (y, pull(y), aux))(
        *f.vjp(lambda x: (x * x, x + 1), x[0], has_aux=True)
    ),
    "jvp": lambda m, f, x: f.jvp(vector(m), (x[0],), (x[1],)),
    "jvp of several": lambda m, f, x: f.jvp(lambda a, b: (a * b, a.sum()), (x[0], x[1]), (x[2], x[3])),
    "jvp with aux": lambda m, f, x: f.jvp(lambda x: (x * x, x + 1), (x[0],), (x[1],), has_aux=True),
    "linearize": lambda m, f, x: (lambda y, push: (y, push(x[1])))(*f.linearize(vector(m), x[0])),
    "jacrev": lambda m, f, x: f.jacrev(vector(m))(x[0]),
    "jacfwd": lambda m, f, x: f.jacfwd(vector(m))(x[0]),
    "jacrev of a tree": lambda m, f, x: f.jacrev(lambda p: {"a": p["u"] * 2, "b": (p["v"].sum(),)})(
        {"u": x[0], "v": x[1]}
    ),
    "jacfwd of a tree": lambda m, f, x: f.jacfwd(lambda a, b: {"a": a * b, "b": (b.sum(),)}, argnums=(0, 1))(
        x[0], x[1]
    ),
    "jacrev with aux": lambda m, f, x: f.jacrev(lambda x: (x * x, x + 1), has_aux=True)(x[0]),
    "jacfwd with aux": lambda m, f, x: f.jacfwd(lambda x: (x * x, x + 1), has_aux=True)(x[0]),
    "jacrev in chunks": lambda m, f, x: f.jacrev(vector(m), chunk_size=2)(x[0]),
    "hessian": lambda m, f, x: f.hessian(scalar(m))(x[0]),
    "hessian of two": lambda m, f, x: f.hessian(lambda a, b: (a * b.sin() * a).sum(), argnums=(0, 1))(x[0], x[1]),
    "vmap": lambda m, f, x: f.vmap(vector(m))(x),
    "vmap of grad": lambda m, f, x: f.vmap(f.grad(scalar(m)))(x),
    "vmap of hessian": lambda m, f, x: f.vmap(f.hessian(scalar(m)))(x),
    "grad of vmap": lambda m, f, x: f.grad(lambda x: f.vmap(scalar(m))(x).sum())(x),
    "jvp of grad": lambda m, f, x: f.jvp(f.grad(scalar(m)), (x[0],), (x[1],)),
    "jacrev of jacfwd": lambda m, f, x: f.jacrev(f.jacfwd(vector(m)))(x[0]),
    "jacfwd of jacrev": lambda m, f, x: f.jacfwd(f.jacrev(vector(m)))(x[0]),
    "vmap of vmap of vjp": lambda m, f, x: f.vmap(f.vmap(lambda a: f.vjp(m.sin, a)[1](a)))(x),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transform(name: str) -> None:
    both(TRANSFORMS[name], X)


AXES: dict[str, Call] = {
    "in_dims": lambda m, f, s, x: f.vmap(lambda a, b: a * b, in_dims=(1, 0))(s, x),
    "in_dims negative": lambda m, f, s, x: f.vmap(lambda a, b: a * b, in_dims=(-2, 0), out_dims=-1)(s, x),
    "in_dims None": lambda m, f, s, x: f.vmap(lambda a, b: a @ b.T, in_dims=(0, None), out_dims=2)(s, x),
    "in_dims dict": lambda m, f, s, x: f.vmap(lambda p, b: p["a"] + p["c"][0] * b, in_dims=({"a": 1, "c": 0}, None))(
        {"a": s, "c": [x]}, 2.0
    ),
    "out_dims": lambda m, f, s, x: f.vmap(lambda a: (a, a.sum(), a.T), in_dims=1, out_dims=(2, 0, 1))(s),
    "out_dims one": lambda m, f, s, x: f.vmap(lambda a: {"u": a, "v": [a * 2]}, in_dims=1, out_dims=1)(s),
    "keywords": lambda m, f, s, x: f.vmap(lambda a, *, k: a * k)(x, k=x[0]),
    "nested": lambda m, f, s, x: f.vmap(f.vmap(lambda a, b: a * b.sum(), (0, None)), (1, 0), 2)(s, x),
    "chunks": lambda m, f, s, x: f.vmap(lambda a: a.exp(), in_dims=1, chunk_size=3)(s),
    "closure": lambda m, f, s, x: f.vmap(lambda a: a @ x.T)(s),
}


@pytest.mark.parametrize("name", AXES)
def test_axes(name: str) -> None:
    both(AXES[name], S, X)


ERRORS: dict[str, Call] = {
    "no inputs": lambda m, f, x: f.vmap(lambda: x)(),
    "in_dims type": lambda m, f, x: f.vmap(m.sin, in_dims="0")(x),
    "in_dims too many": lambda m, f, x: f.vmap(m.sin, in_dims=(0, 0))(x),
    "in_dims float": lambda m, f, x: f.vmap(m.sin, in_dims=(0.5,))(x),
    "in_dims of a number": lambda m, f, x: f.vmap(m.mul)(x, 2.0),
    "in_dims too large": lambda m, f, x: f.vmap(m.sin, in_dims=2)(x),
    "sizes": lambda m, f, x: f.vmap(m.mul)(x, x[:2]),
    "all None": lambda m, f, x: f.vmap(m.sin, in_dims=(None,))(x),
    "no tensor": lambda m, f, x: f.vmap(lambda x: 1.0)(x),
    "out_dims None": lambda m, f, x: f.vmap(m.sin, out_dims=None)(x),
    "out_dims too many": lambda m, f, x: f.vmap(m.sin, out_dims=(0, 0))(x),
    "out_dims too large": lambda m, f, x: f.vmap(m.sin, out_dims=5)(x),
    "randomness": lambda m, f, x: f.vmap(m.sin, randomness="x")(x),
    "random": lambda m, f, x: f.vmap(lambda x: m.rand(2))(x),
    "item": lambda m, f, x: f.vmap(lambda x: x.sum().item())(x),
    "if": lambda m, f, x: f.vmap(lambda x: x if x.sum() > 0 else -x)(x),
    "grad of a vector": lambda m, f, x: f.grad(m.sin)(x),
    "grad of a number": lambda m, f, x: f.grad(lambda x: 1.0)(x),
    "grad argnums": lambda m, f, x: f.grad(lambda x: x.sum(), argnums=1)(x),
    "grad aux": lambda m, f, x: f.grad(lambda x: x.sum(), has_aux=True)(x),
    "grad of integers": lambda m, f, x: f.grad(lambda x: x.sum())((x * 2).long()),
    "jvp primals": lambda m, f, x: f.jvp(m.sin, x, x),
    "jvp tangents": lambda m, f, x: f.jvp(m.sin, (x,), (x, x)),
    "jvp shapes": lambda m, f, x: f.jvp(m.sin, (x,), (x[0],)),
    "vjp cotangents": lambda m, f, x: f.vjp(m.sin, x)[1]((x, x)),
    "vjp shapes": lambda m, f, x: f.vjp(m.sin, x)[1](x[0]),
}


@pytest.mark.parametrize("name", ERRORS)
def test_both_refuse(name: str) -> None:
    with pytest.raises(Exception) as theirs:  # noqa: PT011
        ERRORS[name](torch, torch.func, torch.from_numpy(X))
    with pytest.raises(Exception) as ours:  # noqa: PT011
        ERRORS[name](ad, ad.func, ad.from_numpy(X))
    kinds = [RuntimeError if isinstance(error.value, RuntimeError) else error.type for error in (theirs, ours)]
    assert kinds[0] is kinds[1]


@pytest.mark.parametrize("randomness", ["different", "same"])
def test_random_draws_are_the_same_numbers(randomness: str) -> None:
    def draw(m: Any, f: Any, x: Any) -> Any:
        m.manual_seed(3)
        return f.vmap(lambda x: x + m.rand(3, dtype=m.float64), randomness=randomness)(x)

    both(draw, X)


def module(m: Any, layers: Any) -> Any:
    m.manual_seed(0)
    return layers.Sequential(layers.Linear(3, 4), layers.Tanh(), layers.BatchNorm1d(4), layers.Linear(4, 2))


def libraries() -> list[tuple[Any, Any, Any]]:
    return [(torch, torch.func, module(torch, torch.nn)), (ad, ad.func, module(ad, nn))]


def test_per_sample_gradients_of_a_module() -> None:
    x = X.astype(np.float32)
    results = []
    for m, f, model in libraries():
        model.eval()
        parameters = {k: v.detach() for k, v in model.named_parameters()}
        buffers = dict(model.named_buffers())

        def loss(p: Any, b: Any, x: Any, f: Any = f, model: Any = model) -> Any:
            return (f.functional_call(model, (p, b), (x.unsqueeze(0),)) ** 2).sum()

        results.append(f.vmap(f.grad(loss), (None, None, 0))(parameters, buffers, m.from_numpy(x)))
    for name, theirs in results[0].items():
        same(theirs, results[1][name])


def test_functional_call_and_stack_module_state_refuse_the_same() -> None:
    calls: list[Call] = [
        lambda m, f, model: f.functional_call(model, {"nothing": m.ones(2)}, (m.ones(2, 3),), strict=True),
        lambda m, f, model: f.functional_call(model, {"0.bias": m.ones(4)}, (m.ones(2, 3),), strict=True),
        lambda m, f, model: f.functional_call(model, ({"0.bias": m.ones(4)}, {"0.bias": m.ones(4)}), (m.ones(2, 3),)),
        lambda m, f, model: f.stack_module_state([]),
        lambda m, f, model: f.stack_module_state([model, model[0]]),
    ]
    for call in calls:
        kinds = []
        for m, f, model in libraries():
            with pytest.raises(Exception) as error:  # noqa: PT011
                call(m, f, model)
            kinds.append(error.type)
        assert kinds[0] is kinds[1]


FUNCTIONAL: dict[str, Call] = {
    "jacobian": lambda m, g, x: g.jacobian(vector(m), x[0]),
    "jacobian of several": lambda m, g, x: g.jacobian(lambda a, b: (a * b, a.sum()), (x[0], x[1])),
    "hessian": lambda m, g, x: g.hessian(scalar(m), x[0]),
    "hessian of several": lambda m, g, x: g.hessian(lambda a, b: (a * b.sin()).sum(), (x[0], x[1])),
    "vjp": lambda m, g, x: g.vjp(m.sin, x[0], x[1]),
    "vjp of several": lambda m, g, x: g.vjp(lambda a, b: (a * b).sum(), (x[0], x[1])),
    "jvp": lambda m, g, x: g.jvp(m.sin, x[0], x[1]),
    "jvp of several": lambda m, g, x: g.jvp(lambda a, b: a * b, (x[0], x[1]), (x[2], x[3])),
    "hvp": lambda m, g, x: g.hvp(scalar(m), x[0], x[1]),
    "vhp": lambda m, g, x: g.vhp(lambda a, b: (a * b.sin()).sum(), (x[0], x[1]), (x[2], x[3])),
}


@pytest.mark.parametrize("name", FUNCTIONAL)
def test_autograd_functional(name: str) -> None:
    call = FUNCTIONAL[name]
    both(lambda m, f, x: call(m, torch.autograd.functional if m is torch else ad.autograd.functional, x), X)


def test_checkpoint_gives_the_same_gradients() -> None:
    from torch.utils.checkpoint import checkpoint, checkpoint_sequential

    results = []
    for (m, _, model), single, sequential in zip(
        libraries(), (checkpoint, ad.checkpoint), (checkpoint_sequential, ad.checkpoint_sequential), strict=True
    ):
        x = m.from_numpy(X.astype(np.float32)).requires_grad_()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            y = sequential(model, 2, x, use_reentrant=False) + single(model[0], x, use_reentrant=False).sum()
        (y * y).sum().backward()
        results.append([x.grad, *[p.grad for p in model.parameters()]])
    for theirs, ours in zip(*results, strict=True):
        same(theirs, ours)

"""Reverse mode as transforms: `grad`, `grad_and_value`, `vjp`, `jacrev`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from math import prod
from typing import Any

import numpy as np

from autodiff import grad_mode
from autodiff.backpropagation import backpropagate, hooked
from autodiff.graph import Leaf
from autodiff.op import describe
from autodiff.ops.shape import reshape
from autodiff.tensor import Tensor, as_array, wrap
from autodiff.transforms.calls import Argnums, Call, positions, shaped_as_arguments
from autodiff.transforms.trees import leaves, mapped, rebuilt, same_form
from autodiff.transforms.vmap import vmap


def pulled(call: Call, cotangents: Sequence[Tensor], keep: bool) -> list[Tensor]:
    """The gradients of the inputs of a call, given one for each of its outputs; zeros where nothing depends."""
    pairs = [(y.node, g) for y, g in zip(call.outputs, cotangents, strict=True) if y.node is not None]
    roots = [node for node, _ in pairs]
    targets = {x.node for x in call.inputs if x.node is not None}
    recorded = grad_mode.state.enabled and (any(g.node is not None for _, g in pairs) or call.depends(roots))
    seeds = [g if recorded else g.array for _, g in pairs]
    with grad_mode.enable_grad():
        before, grad_mode.state.in_rule = grad_mode.state.in_rule, recorded
        try:
            arrived = backpropagate(roots, seeds, targets, keep or recorded, recorded)
        finally:
            grad_mode.state.in_rule = before
    found = []
    for x in call.inputs:
        g = None if x.node is None else arrived.get(x.node)
        if g is None:
            g = wrap(np.zeros(x.shape, x.dtype))
        elif isinstance(x.node, Leaf):
            g = hooked(x.node, g, recorded)
        found.append(call.released(g) if isinstance(g, Tensor) else wrap(_writable(g)))
    return found


def _writable(g: Any) -> Any:
    """The array of a gradient, not spread over the same memory as that of a sum is."""
    g = as_array(g)
    return g if g.flags.writeable else g.copy()


def _differentiated(
    name: str, func: Callable[..., Any], argnums: Any, has_aux: bool, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, Call]:
    moving = positions(name, argnums, len(args))
    call = Call(name, func, args, moving, kwargs, has_aux)
    y = call.result
    if not isinstance(y, Tensor):
        raise RuntimeError(f"{name}: expected the function to return one tensor, got {type(y).__name__}")
    if y.ndim:
        raise RuntimeError(
            f"{name}: expected the function to return a scalar, got shape {y.shape}; reduce it, or use jacrev"
        )
    if y.dtype.kind != "f":
        raise RuntimeError(f"{name}: expected the function to return a floating-point tensor, got {y.dtype}")
    gradients = pulled(call, [wrap(np.ones((), y.dtype))], keep=False)
    return shaped_as_arguments(argnums, args, moving, gradients), call


def grad(func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The function that gives the gradient of `func`, which returns a scalar, by the arguments `argnums`.

    A gradient has the form of its argument, which may be a tree of tensors; of several argnums it is a tuple. With
    `has_aux`, `func` returns (scalar, aux) and the new function (gradient, aux). RuntimeError for anything else.

    >>> import autodiff as ad
    >>> ad.func.grad(ad.func.grad(lambda x: x**3))(ad.tensor(2.0))
    tensor(12.)
    """

    @wraps(func)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        found, call = _differentiated("grad", func, argnums, has_aux, args, kwargs)
        return (found, call.aux) if has_aux else found

    return gradient


def grad_and_value(func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """As `grad`, of a function that returns (gradient, value), or (gradient, (value, aux)) with `has_aux`.

    >>> import autodiff as ad
    >>> ad.func.grad_and_value(lambda x: (x * x).sum())(ad.tensor([1.0, 2.0]))
    (tensor([2., 4.]), tensor(5.))
    """

    @wraps(func)
    def both(*args: Any, **kwargs: Any) -> Any:
        found, call = _differentiated("grad_and_value", func, argnums, has_aux, args, kwargs)
        return found, ((call.value(), call.aux) if has_aux else call.value())

    return both


def value_and_grad(func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """`grad_and_value` with the value first: (value, gradient), or ((value, aux), gradient) with `has_aux`.

    >>> import autodiff as ad
    >>> ad.func.value_and_grad(lambda x: (x * x).sum())(ad.tensor([1.0, 2.0]))
    (tensor(5.), tensor([2., 4.]))
    """
    both = grad_and_value(func, argnums, has_aux)
    return wraps(func)(lambda *args, **kwargs: both(*args, **kwargs)[::-1])


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """``func(*primals)``, and the function that takes cotangents like it to gradients of the primals.

    That function returns a tuple, a gradient for each primal; it may be called again, also inside vmap. With `has_aux`,
    `func` returns (output, aux), and aux comes third. RuntimeError for cotangents of another form.

    >>> import autodiff as ad
    >>> value, pull = ad.func.vjp(ad.sin, ad.tensor([0.0]))
    >>> pull(ad.tensor([2.0]))
    (tensor([2.]),)
    """
    if not primals:
        raise RuntimeError("vjp: expected at least one primal to differentiate by, got none")
    moving = range(len(primals))
    call = Call("vjp", func, primals, moving, {}, has_aux)

    def pull(cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> tuple[Any, ...]:
        checked_like("vjp", "cotangents", cotangents, call.result)
        found = pulled(call, leaves(cotangents), keep=retain_graph)
        gradients: tuple[Any, ...] = shaped_as_arguments((), primals, moving, found)
        return gradients

    return (call.value(), pull, call.aux) if has_aux else (call.value(), pull)


def checked_like(name: str, what: str, given: Any, wanted: Any) -> None:
    """RuntimeError unless `given` is a tree of tensors with the form, shapes and dtypes of `wanted`."""
    if not same_form(given, wanted):
        raise RuntimeError(f"{name}: expected {what} with the structure of {_form(wanted)}, got {_form(given)}")
    for a, b in zip(leaves(given), leaves(wanted), strict=True):
        if not isinstance(a, Tensor) or a.shape != b.shape:
            raise RuntimeError(f"{name}: expected {what} of shape {b.shape}, got {describe(a)}")
        if a.dtype != b.dtype:
            raise RuntimeError(f"{name}: expected {what} of dtype {b.dtype}, got {a.dtype}; convert with to()")


def _form(tree: Any) -> str:
    return str(mapped(lambda x: tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__, tree))


def basis(like: Sequence[Tensor]) -> list[Tensor]:
    """For each tensor a stack of as many as all have elements together: in all of them, one element at a time is 1."""
    total = sum(x.numel() for x in like)
    stacks, start = [], 0
    for x in like:
        size = x.numel()
        stack = np.zeros((total, size), x.dtype)
        stack[range(start, start + size), range(size)] = 1
        stacks.append(wrap(stack.reshape(total, *x.shape)))
        start += size
    return stacks


def jacrev(
    func: Callable[..., Any], argnums: Argnums = 0, *, has_aux: bool = False, chunk_size: int | None = None
) -> Callable[..., Any]:
    """The function that gives the Jacobians of `func` by the arguments `argnums`, in reverse mode.

    For each output a Jacobian of shape output.shape + input.shape, in the form of the output, and inside it in that of
    the argument, or a tuple of several. Its rows are computed all at once, or `chunk_size` of them at a time: best
    where there are fewer outputs than inputs. With `has_aux` as in `grad`.

    >>> import autodiff as ad
    >>> ad.func.jacrev(ad.sin)(ad.tensor([0.0, 0.0]))
    tensor([[1., 0.],
            [0., 1.]])
    """

    @wraps(func)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        moving = positions("jacrev", argnums, len(args))
        call = Call("jacrev", func, args, moving, kwargs, has_aux)
        seeds = basis(call.outputs)
        if sum(y.numel() for y in call.outputs) == 1 and chunk_size is None:
            rows = [g.unsqueeze(0) for g in pulled(call, [seed[0] for seed in seeds], keep=False)]
        else:
            rows = vmap(lambda *gs: pulled(call, gs, keep=True), chunk_size=chunk_size)(*seeds)
        jacobians, start = [], 0
        for y in call.outputs:
            size = prod(y.shape)
            blocks = [reshape(g[start : start + size], (*y.shape, *g.shape[1:])) for g in rows]
            jacobians.append(shaped_as_arguments(argnums, args, moving, blocks))
            start += size
        found = rebuilt(call.result, iter(jacobians))
        return (found, call.aux) if has_aux else found

    return jacobian

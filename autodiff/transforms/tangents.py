"""Forward mode as transforms: `jvp`, `linearize`, `jacfwd`, and what is built of both modes: `hessian`, `hvp`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from autodiff import grad_mode
from autodiff.ops.shape import reshape
from autodiff.tensor import Tensor, as_array, wrap
from autodiff.transforms.calls import Argnums, Call, positions, shaped_as_arguments
from autodiff.transforms.forward import swept
from autodiff.transforms.reverse import basis, checked_like, grad, jacrev
from autodiff.transforms.trees import leaves, rebuilt
from autodiff.transforms.vmap import vmap


def pushed(call: Call, tangents: Sequence[Tensor]) -> list[Tensor]:
    """The tangents of the outputs of a call, given one for each of its inputs; zeros where nothing depends."""
    roots = [y.node for y in call.outputs if y.node is not None]
    recorded = grad_mode.state.enabled and (any(t.node is not None for t in tangents) or call.depends(roots))
    inside = {x.node: t if recorded else t.array for x, t in zip(call.inputs, tangents, strict=True)}
    with grad_mode.enable_grad():
        before, grad_mode.state.in_rule = grad_mode.state.in_rule, recorded
        try:
            each = iter(swept(roots, inside, recorded))  # type: ignore[arg-type]
        finally:
            grad_mode.state.in_rule = before
    found = []
    for y in call.outputs:
        t = None if y.node is None else next(each)
        if t is None:
            t = wrap(np.zeros(y.shape, y.dtype))
        found.append(call.released(t) if isinstance(t, Tensor) else wrap(as_array(t)))
    return found


def jvp(
    func: Callable[..., Any], primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False
) -> tuple[Any, ...]:
    """``func(*primals)``, and its derivative along `tangents`, a tuple like `primals`: the Jacobian times them.

    With `strict`, an output that depends on no primal is a RuntimeError. With `has_aux`, `func` returns (output, aux),
    and aux comes third. RuntimeError for tangents of another form.

    >>> import autodiff as ad
    >>> ad.func.jvp(ad.sin, (ad.tensor(0.0),), (ad.tensor(2.0),))
    (tensor(0.), tensor(2.))
    """
    _check("jvp", primals, tangents)
    call = Call("jvp", func, tuple(primals), range(len(primals)), {}, has_aux)
    if strict and any(y.node is None for y in call.outputs):
        raise RuntimeError("jvp: an output does not depend on the primals, which strict=True forbids")
    out = rebuilt(call.result, iter(pushed(call, leaves(tuple(tangents)))))
    return (call.value(), out, call.aux) if has_aux else (call.value(), out)


def _check(name: str, primals: Any, tangents: Any) -> None:
    for what, given in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given, tuple | list) or not given:
            raise RuntimeError(
                f"{name}: expected {what} in a tuple with at least one tensor, got {type(given).__name__}"
            )
    checked_like(name, "tangents", tuple(tangents), tuple(primals))


def linearize(func: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """``func(*primals)``, and the function that takes tangents of the primals to that of the output.

    `func` runs once; the derivative may then be asked for many times, also inside vmap.

    >>> import autodiff as ad
    >>> value, push = ad.func.linearize(ad.exp, ad.tensor([0.0]))
    >>> push(ad.tensor([3.0]))
    tensor([3.])
    """
    if not primals:
        raise RuntimeError("linearize: expected at least one primal, got none")
    call = Call("linearize", func, primals, range(len(primals)), {}, False)

    def push(*tangents: Any) -> Any:
        _check("linearize", primals, tangents)
        return rebuilt(call.result, iter(pushed(call, leaves(tangents))))

    return call.value(), push


def jacfwd(
    func: Callable[..., Any],
    argnums: Argnums = 0,
    has_aux: bool = False,
    *,
    chunk_size: int | None = None,
    randomness: str = "error",
) -> Callable[..., Any]:
    """The function that gives the Jacobians of `func` by the arguments `argnums`, in forward mode.

    As `jacrev`, column by column, all at once or `chunk_size` at a time: best where there are fewer inputs than
    outputs. `func` runs once, outside vmap, so that `randomness` has nothing to decide.

    >>> import autodiff as ad
    >>> ad.func.jacfwd(lambda x: x * x)(ad.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """

    @wraps(func)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        moving = positions("jacfwd", argnums, len(args))
        call = Call("jacfwd", func, args, moving, kwargs, has_aux)
        columns = vmap(lambda *ts: pushed(call, ts), out_dims=-1, chunk_size=chunk_size)(*basis(call.inputs))
        jacobians = []
        for y, block in zip(call.outputs, columns, strict=True):
            parts, start = [], 0
            for x in call.inputs:
                parts.append(reshape(block[..., start : start + x.numel()], (*y.shape, *x.shape)))
                start += x.numel()
            jacobians.append(shaped_as_arguments(argnums, args, moving, parts))
        found = rebuilt(call.result, iter(jacobians))
        return (found, call.aux) if has_aux else found

    return jacobian


def hessian(func: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """The function that gives the second derivatives of `func`: forward over reverse mode.

    Of a scalar they have shape x.shape + x.shape; of several argnums a tuple of tuples.

    >>> import autodiff as ad
    >>> ad.func.hessian(lambda x: (x**3).sum())(ad.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacfwd(jacrev(func, argnums), argnums)


def hvp(func: Callable[..., Any], primals: Any, tangents: Any) -> Any:
    """The Hessian of `func`, which returns a scalar, times `tangents`, a tuple like `primals`; forward over reverse.

    One tensor for one primal, else a tuple. It costs a few gradients, whatever the number of inputs.
    Source: Pearlmutter, "Fast exact multiplication by the Hessian", 1994.

    >>> import autodiff as ad
    >>> ad.func.hvp(lambda x: (x**3).sum(), (ad.tensor([1.0, 2.0]),), (ad.tensor([1.0, 0.0]),))
    tensor([6., 0.])
    """
    argnums = 0 if len(primals) == 1 else tuple(range(len(primals)))
    return jvp(grad(func, argnums), primals, tangents)[1]

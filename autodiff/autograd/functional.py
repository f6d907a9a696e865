"""`ad.autograd.functional`: derivatives of a function at a point, under the names of `torch.autograd.functional`.

Thin forms of `ad.func`: `inputs` is one tensor or a tuple, and the results have that form. With `create_graph` they can
be differentiated again. With `strict`, an output or input that nothing depends on is a RuntimeError.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autodiff.ops.shape import reshape
from autodiff.tensor import Tensor, wrap
from autodiff.transforms.calls import Call
from autodiff.transforms.reverse import basis, checked_like, jacrev, pulled
from autodiff.transforms.tangents import hessian as hessians
from autodiff.transforms.tangents import jacfwd, pushed
from autodiff.transforms.trees import mapped

Function = Callable[..., Any]
__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]


def _tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def _as_given(values: Any, inputs: Any) -> Any:
    return tuple(values) if isinstance(inputs, tuple | list) else values[0]


def _finished(values: Any, create_graph: bool) -> Any:
    return values if create_graph else mapped(lambda x: wrap(x.array), values)


def _call(name: str, func: Function, inputs: Any, strict: bool) -> Call:
    xs = _tuple(inputs)
    call = Call(name, func, xs, range(len(xs)), {}, has_aux=False)
    if strict and any(y.node is None for y in call.outputs):
        raise RuntimeError(f"{name}: an output does not depend on the inputs, which strict=True forbids")
    return call


def _direction(name: str, v: Any, like: Any) -> tuple[Tensor, ...]:
    """`v`, or 1 where `like` is a single number and `v` was left out."""
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise RuntimeError(f"{name}: expected v, which may be left out only for a single element")
        return (wrap(basis(like)[0].array[0]),)
    checked_like(name, "v", _tuple(v), like)
    return _tuple(v)


def jacobian(
    func: Function, inputs: Any, create_graph: bool = False, strict: bool = False, vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:  # fmt: skip
    """The Jacobian of each output by each input, of shape output.shape + input.shape.

    `strategy` is "reverse-mode" or "forward-mode"; all rows are computed at once, whether or not `vectorize`.

    >>> import autodiff as ad
    >>> ad.autograd.functional.jacobian(ad.exp, ad.zeros(2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    if strategy not in ("reverse-mode", "forward-mode"):
        raise ValueError(f"jacobian: expected strategy 'reverse-mode' or 'forward-mode', got {strategy!r}")
    if strict:
        _call("jacobian", func, inputs, strict)
    xs = _tuple(inputs)
    argnums: Any = tuple(range(len(xs))) if isinstance(inputs, tuple | list) else 0
    transform = jacrev if strategy == "reverse-mode" else jacfwd
    return _finished(transform(func, argnums)(*xs), create_graph)


def hessian(
    func: Function, inputs: Any, create_graph: bool = False, strict: bool = False, vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:  # fmt: skip
    """The second derivatives of a scalar `func`, of shape input.shape + input.shape; a tuple of tuples for several.

    >>> import autodiff as ad
    >>> ad.autograd.functional.hessian(lambda x: (x**3).sum(), ad.ones(2))
    tensor([[6., 0.],
            [0., 6.]])
    """
    argnums: Any = tuple(range(len(inputs))) if isinstance(inputs, tuple | list) else 0
    found = hessians(_scalar("hessian", func, strict, inputs), argnums)(*_tuple(inputs))
    return _finished(found, create_graph)


def _scalar(name: str, func: Function, strict: bool, inputs: Any) -> Function:
    if strict:
        _call(name, func, inputs, strict)

    def checked(*xs: Tensor) -> Tensor:
        y = func(*xs)
        if not isinstance(y, Tensor) or y.numel() != 1:
            came = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
            raise RuntimeError(f"{name}: expected the function to return one tensor with a single element, got {came}")
        return reshape(y, ())

    return checked


def vjp(func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """The output of `func`, and the product of `v`, in its form, with the Jacobian: one gradient for each input.

    >>> import autodiff as ad
    >>> ad.autograd.functional.vjp(ad.exp, ad.zeros(2), ad.tensor([1.0, 2.0]))
    (tensor([1., 1.]), tensor([1., 2.]))
    """
    call = _call("vjp", func, inputs, strict)
    found = pulled(call, _direction("vjp", v, tuple(call.outputs)), keep=False)
    return _finished((call.value(), _as_given(found, inputs)), create_graph)


def jvp(func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """The output of `func`, and the product of the Jacobian with `v`, in the form of the inputs.

    >>> import autodiff as ad
    >>> ad.autograd.functional.jvp(ad.exp, ad.zeros(2), ad.tensor([1.0, 2.0]))
    (tensor([1., 1.]), tensor([1., 2.]))
    """
    call = _call("jvp", func, inputs, strict)
    found = pushed(call, _direction("jvp", v, _tuple(inputs)))
    return _finished((call.value(), _as_given(found, call.result)), create_graph)


def hvp(func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """The output of a scalar `func`, and the product of its Hessian with `v`, in the form of the inputs.

    >>> import autodiff as ad
    >>> ad.autograd.functional.hvp(lambda x: (x**3).sum(), ad.ones(2), ad.tensor([1.0, 0.0]))
    (tensor(2.), tensor([6., 0.]))
    """
    checked = _scalar("hvp", func, strict, inputs)
    one = wrap(basis([checked(*_tuple(inputs))])[0].array[0])

    def gradient(*xs: Tensor) -> Any:
        call = _call("hvp", checked, xs, strict=False)
        return (*pulled(call, (one,), keep=False), call.value())

    call = _call("hvp", gradient, inputs, strict=False)
    found = pushed(call, _direction("hvp", v, _tuple(inputs)))[:-1]
    return _finished((call.value()[-1], _as_given(found, inputs)), create_graph)


# The Hessian is symmetric, so that the product from the left is the one from the right, which costs less.
def vhp(func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """The output of a scalar `func`, and the product of `v`, in the form of the inputs, with its Hessian: as `hvp`."""
    return hvp(func, inputs, v, create_graph, strict)

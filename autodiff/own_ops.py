"""Ops of your own, declared as this library declares its own: the kernel and a rule for each input.

The kernel computes on NumPy arrays. A rule ``vjp(g, y, x)`` (``g, y, a, b`` for two inputs, params as keywords) gives
the gradient of an input from that of the output `y`. It is written once, with operators and NumPy's functions, and
serves arrays, and tensors when a gradient is itself differentiated. What was broadcast is summed by the engine.

>>> import numpy as np, autodiff as ad
>>> @ad.elementwise(vjp=lambda g, y, x: g * (1 - y * y))
... def bend(x):
...     return np.tanh(x)
>>> x = ad.tensor(0.5, dtype=ad.float64, requires_grad=True)
>>> (slope,) = ad.grad(bend(x), x, create_graph=True)
>>> slope, ad.grad(slope, x)[0]
(tensor(0.7864, dtype=float64, grad_fn=<MulBackward0>), tensor(-0.7269, dtype=float64))

`autodiff.testing.check_op` holds it to every property that the library's own ops are held to:

>>> from autodiff.testing import check_op
>>> all(finding.worst < 1e-6 for finding in check_op(bend, examples=5) if finding.property == "second order")
True
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

from autodiff import recorders
from autodiff.op import NUMPY, OPS, Recorder
from autodiff.recorders import Kernel, Vjp


def elementwise(name: str | None = None, kernel: Kernel | None = None, *, vjp: Vjp = None, **declaration: Any) -> Any:
    """Declare an op that works entry by entry on inputs that broadcast, with PyTorch's dtype promotion.

    As ``elementwise("name", kernel, vjp=...)`` or as a decorator of the kernel; `vjp` is a rule, or one for each input.
    `saves` names what the rules read, such as ``"y"`` (else all is kept for them); `domain` where `check_op` draws
    inputs; ``result="float"`` turns integers into floats first. ValueError for the name of an op of the library.

    >>> import numpy as np, autodiff as ad
    >>> area = ad.elementwise("area", np.multiply, vjp=(lambda g, y, a, b: g * b, lambda g, y, a, b: g * a))
    >>> side = ad.tensor([1.0, 2.0], requires_grad=True)
    >>> ad.grad(area(side, 3).sum(), side)
    (tensor([3., 3.]),)
    """
    return _own(recorders.elementwise, name, kernel, vjp, declaration)


def multilinear(name: str | None = None, kernel: Kernel | None = None, *, vjp: Vjp = None, **declaration: Any) -> Any:
    """Declare an op that is linear in each input, as `elementwise` declares one; `check_op` tests that it is.

    >>> import autodiff as ad
    >>> @ad.multilinear(vjp=lambda g, y, x: flipped.rule(g))
    ... def flipped(x):
    ...     return x[::-1]
    >>> flipped(ad.tensor([1, 2, 3]))
    tensor([3, 2, 1])
    """
    return _own(recorders.multilinear, name, kernel, vjp, declaration)


def operation(name: str | None = None, kernel: Kernel | None = None, *, vjp: Vjp = None, **declaration: Any) -> Any:
    """Declare an op of any other form, as `elementwise` declares one.

    ``joint=`` with ``arity=`` is one rule for all inputs that share work: ``joint(g, y, a, b, needs)`` returns a
    gradient for each, `needs` telling which are wanted.

    >>> import numpy as np, autodiff as ad
    >>> @ad.operation(vjp=lambda g, y, x: g * 2 * x)
    ... def energy(x):
    ...     return np.sum(x * x)
    >>> x = ad.tensor([1.0, 2.0], requires_grad=True)
    >>> energy(x).backward(); x.grad
    tensor([2., 4.])
    """
    return _own(recorders.operation, name, kernel, vjp, declaration)


def _own(
    constructor: Callable[..., Recorder], name: str | None, kernel: Kernel | None, vjp: Vjp, declaration: dict[str, Any]
) -> Any:
    if kernel is None:
        return lambda function: _own(constructor, name or function.__name__, function, vjp, declaration)
    if not isinstance(name, str):
        raise TypeError(f"expected a name and a kernel, or a decorator with parentheses, got {name!r} as the name")
    _make_room(name)
    rules = [rule for rule in (*recorders._rules(vjp), declaration.get("joint")) if rule is not None]
    if not rules:
        raise TypeError(f"{name}: expected vjp=, a rule for each input, or joint= with arity=, got neither")
    arity = declaration.setdefault("arity", len(recorders._rules(vjp)))
    if not arity:
        raise TypeError(f"{name}: joint= needs arity=, the number of inputs")
    saves = " ".join(rules[0].__code__.co_varnames[1 : 2 + max(arity, 1)])
    doc = (kernel.__doc__ or "").strip() if isinstance(kernel, FunctionType) else ""
    record = constructor(name, kernel, vjp=vjp, **{"saves": saves, "doc": doc, **declaration})
    record.__module__ = getattr(rules[0], "__module__", __name__)
    return record


def _make_room(name: str) -> None:
    """Take an earlier op of this name out of the table, as when a notebook's cell runs again."""
    known = OPS.get(name)
    if known is None:
        return
    if known.record.__module__.partition(".")[0] in ("autodiff", "nn"):
        raise ValueError(f"{name} is an op of the library; choose another name")
    del OPS[name]
    for function in [function for function, record in NUMPY.items() if getattr(record, "op", None) is known]:
        del NUMPY[function]

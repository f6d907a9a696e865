"""The recorders, one an arity, and the constructors by which ops are declared.

A recorder runs the kernel and, if an input requires grad, adds a node. The cost of this code is the engine's
overhead per op: a recorder per arity with slots on the node, no validation on the success path (NumPy raises, then the
error is explained), and the thread's grad mode read only while some thread has switched recording off.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from autodiff import dtypes, grad_mode, views
from autodiff.grad_mode import INFERENCE
from autodiff.graph import Node, tick
from autodiff.op import VARIADIC, Op, OpError, Recorder, Rule, declare, describe, explain, not_a_tensor, recovered
from autodiff.out import put
from autodiff.tensor import Tensor, as_array, wrap

Kernel: TypeAlias = Callable[..., Any]
Vjp: TypeAlias = Rule | Sequence[Rule | None] | None

_new_tensor: Callable[[type[Tensor]], Tensor] = object.__new__
_state = grad_mode.state
_ndarray = np.ndarray


def _unary(op: Op) -> Callable[..., Tensor]:
    """Recorder of an op with one input and keyword params."""
    kernel = op.kernel
    keep_x, keep_y = op.keeps([True])
    to_float, differentiable, has_memo = op.result == "float", op.differentiable, op.memo

    def record(input: Tensor, **params: Any) -> Tensor:
        if params and "out" in params:
            return _written(record, op, (input,), params)
        try:
            array = input.array
        except AttributeError:
            raise not_a_tensor(op, input) from None
        if to_float and array.dtype.kind in "iub":
            array = array.astype(dtypes.get_default_dtype())
        try:
            y = kernel(array, **params)
        except Exception as error:
            y = _recovered(op, error, (array,), params, [input])
        if has_memo:
            y, memo = y
        if type(y) is not _ndarray:
            y = as_array(y)
        parent = input.node
        if parent is None or not differentiable or (grad_mode.disabled and not _recording((input,), (keep_x,))):
            return wrap(y)
        node = Node()
        node.op = op
        node.time = tick()
        node.shape = y.shape
        node.dtype = y.dtype
        node.p0 = parent
        node.s0 = array if keep_x else parent
        node.y = y if keep_y else None
        if has_memo:
            node.memo = memo
        node.params = params or None
        out = _new_tensor(Tensor)
        out.array = y
        out.node = node
        out.alias = None
        return out

    if not op.view:
        return record

    def record_view(input: Tensor, **params: Any) -> Tensor:
        out = record(input, **params)
        views.track(out, input, op, params)
        return out

    return record_view


def _written(record: Callable[..., Tensor], op: Op, inputs: Sequence[Any], params: dict[str, Any]) -> Tensor:
    """The result of an op in the tensor that ``out=`` names."""
    out = params.pop("out")
    result = record(*inputs, **params)
    return result if out is None else put(out, result, op.name)


def _recording(inputs: Sequence[Any], keeps: Sequence[bool]) -> bool:
    """Whether this thread records; asked only while some thread does not, or tensors of inference_mode may exist."""
    if not _state.enabled:
        return False
    for x, kept in zip(inputs, keeps, strict=False):
        if kept and isinstance(x, Tensor) and x.alias is INFERENCE:
            raise RuntimeError(
                "a tensor made inside inference_mode cannot be saved for a backward pass; clone() it first, or make "
                "it inside no_grad instead"
            )
    return True


def _operands(op: Op, inputs: Sequence[Any]) -> list[Any]:
    """The arrays, or Python numbers, that an elementwise kernel computes on, in PyTorch's common dtype."""
    dtype = getattr(inputs[0], "dtype", None)
    if dtype is not None and dtype.kind == "f" and all(type(x) is _ndarray and x.dtype is dtype for x in inputs):
        # The plain case of three inputs and more: 3 µs less.
        return list(inputs)
    values = [_value(x) for x in inputs]
    common = dtypes.result_dtype(*values)
    complex_step = any(hasattr(x, "dtype") and x.dtype.kind == "c" for x in values)
    if op.result == "strict" and not complex_step and any(getattr(x, "dtype", None) != common for x in values):
        raise OpError("expected tensors of the same dtype; convert one of them with x.to(dtype)")
    if op.result == "float" and common.kind in "iub":
        common = dtypes.get_default_dtype()
    if common.kind == "c" and not complex_step:
        raise TypeError("complex numbers are outside what this engine does")
    return [_converted(x, common) for x in values]


def _converted(x: Any, dtype: dtypes.DType) -> Any:
    if hasattr(x, "dtype"):
        return x.astype(dtype, copy=False)
    # A Python number stays one, NumPy giving it the dtype of the array beside it, but integers wrap as in PyTorch.
    return np.asarray(x).astype(dtype) if dtype.kind in "iu" else x


def _value(x: Any) -> Any:
    if isinstance(x, Tensor):
        return x.array
    if isinstance(x, np.generic):
        return np.asarray(x)
    if isinstance(x, _ndarray | int | float | complex) or hasattr(x, "each_sample"):
        return x
    raise TypeError(f"expected a Tensor, an array or a number, got {describe(x)}; make one with ad.tensor(...)")


def _binary(op: Op) -> Callable[..., Tensor]:
    """Recorder of an elementwise op with two inputs, each a Tensor, an array or a Python number."""
    kernel = op.kernel
    differentiable = op.differentiable
    # Indexed by which of the inputs need a gradient: bit 0 for a, bit 1 for b.
    keeps = [op.keeps([bool(need & 1), bool(need & 2)]) for need in range(4)]
    to_float = op.result == "float"

    def record(input: Any, other: Any, *, out: Tensor | None = None) -> Tensor:
        if out is not None:
            return _written(record, op, (input, other), {"out": out})
        na = nb = None
        try:
            if type(input) is Tensor and type(other) is Tensor:
                xa = input.array
                xb = other.array
                na = input.node
                nb = other.node
                dtype = xa.dtype
                if dtype is not xb.dtype or (to_float and dtype.kind in "iub"):
                    xa, xb = _operands(op, (xa, xb))
            else:
                xa, xb, na, nb = _mixed(op, input, other)
            y = kernel(xa, xb)
        except Exception as error:
            y = _recovered(op, error, _pair(op, error, input, other), {}, [input, other])
        if type(y) is not _ndarray:
            y = as_array(y)
        need = (na is not None) + 2 * (nb is not None)
        if not need or not differentiable or (grad_mode.disabled and not _recording((input, other), keeps[need])):
            return wrap(y)
        keep_a, keep_b, keep_y = keeps[need]
        node = Node()
        node.op = op
        node.time = tick()
        node.shape = y.shape
        node.dtype = y.dtype
        node.p0 = na
        node.p1 = nb
        node.s0 = xa if keep_a else na
        node.s1 = xb if keep_b else nb
        node.y = y if keep_y else None
        node.params = None
        result = _new_tensor(Tensor)
        result.array = y
        result.node = node
        result.alias = None
        return result

    return record


def _pair(op: Op, error: Exception, a: Any, b: Any) -> tuple[Any, Any]:
    """The operands on which the kernel failed; the error, explained, if they were not to be had."""
    try:
        return _mixed(op, a, b)[:2]
    except Exception:
        raise explain(op, error, [a, b]) from error


def _mixed(op: Op, a: Any, b: Any) -> tuple[Any, Any, Node | None, Node | None]:
    """The kernel's operands and the nodes of inputs that are not both exactly Tensors."""
    xa, na = (a.array, a.node) if isinstance(a, Tensor) else (a, None)
    xb, nb = (b.array, b.node) if isinstance(b, Tensor) else (b, None)
    # The plain case is a floating-point tensor with a Python number: NumPy keeps the tensor's dtype by itself.
    array, number = (xa, xb) if type(xa) is _ndarray else (xb, xa)
    plain = type(number) is float or (type(number) is int and op.result != "strict")
    if not plain or type(array) is not _ndarray or array.dtype.kind != "f":
        xa, xb = _operands(op, (xa, xb))
    return xa, xb, na, nb


class Spec:
    """What a rule may know of an input that it does not read and that needs no gradient."""

    __slots__ = ("dtype", "ndim", "shape")

    def __init__(self, value: Any) -> None:
        self.shape, self.ndim, self.dtype = np.shape(value), np.ndim(value), getattr(value, "dtype", None)


def _spec(value: Any) -> Spec | None:
    return None if value is None else Spec(value)


def _ternary(op: Op) -> Callable[..., Tensor]:
    """Recorder of an op with three inputs (None for one that is absent) and keyword params."""
    kernel = op.kernel
    differentiable, has_memo = op.differentiable, op.memo
    elementwise = op.kind == "elementwise"
    # Indexed by which of the inputs need a gradient, a bit each.
    keeps = [op.keeps([bool(need & 1), bool(need & 2), bool(need & 4)]) for need in range(8)]

    def record(a: Any, b: Any, c: Any = None, **params: Any) -> Tensor:
        if params and "out" in params:
            return _written(record, op, (a, b, c), params)
        xa, na = (a.array, a.node) if isinstance(a, Tensor) else (a, None)
        xb, nb = (b.array, b.node) if isinstance(b, Tensor) else (b, None)
        xc, nc = (c.array, c.node) if isinstance(c, Tensor) else (c, None)
        try:
            if elementwise:
                xa, xb, xc = _operands(op, (xa, xb, xc))
            y = kernel(xa, xb, xc, **params)
        except Exception as error:
            y = _recovered(op, error, (xa, xb, xc), params, [a, b, c])
        if has_memo:
            y, memo = y
        if type(y) is not _ndarray:
            y = as_array(y)
        need = (na is not None) + 2 * (nb is not None) + 4 * (nc is not None)
        if not need or not differentiable or (grad_mode.disabled and not _recording((a, b, c), keeps[need])):
            return wrap(y)
        keep_a, keep_b, keep_c, keep_y = keeps[need]
        node = Node()
        node.op = op
        node.time = tick()
        node.shape = y.shape
        node.dtype = y.dtype
        node.p0 = na
        node.p1 = nb
        node.p2 = nc
        node.s0 = xa if keep_a else na or _spec(xa)
        node.s1 = xb if keep_b else nb or _spec(xb)
        node.s2 = xc if keep_c else nc or _spec(xc)
        node.y = y if keep_y else None
        if has_memo:
            node.memo = memo
        node.params = params or None
        return wrap(y, node)

    return record


def _nary(op: Op) -> Callable[..., Tensor]:
    """Recorder of an op with any inputs (None for one that is absent) and keyword params."""
    kernel = op.kernel
    differentiable, has_memo = op.differentiable, op.memo
    elementwise = op.kind == "elementwise"
    known: dict[int, tuple[bool, ...]] = {}

    def keeps_for(need: int, count: int) -> tuple[bool, ...]:
        flags = [bool(need >> i & 1) for i in range(count)]
        keeps = op.keeps(flags)
        # A variadic op reads all of its inputs or none.
        return (*(keeps[:1] * count), keeps[-1]) if op.arity == VARIADIC else keeps

    def record(*inputs: Any, **params: Any) -> Tensor:
        if params and "out" in params:
            return _written(record, op, inputs, params)
        arrays: list[Any] = []
        parents: list[Node | None] = []
        need = 0
        bit = 1
        for x in inputs:
            if isinstance(x, Tensor):
                arrays.append(x.array)
                parents.append(x.node)
                if x.node is not None:
                    need |= bit
            else:
                arrays.append(x)
                parents.append(None)
            bit <<= 1
        try:
            if elementwise:
                arrays = _operands(op, arrays)
            y = kernel(*arrays, **params)
        except Exception as error:
            y = _recovered(op, error, arrays, params, inputs)
        if has_memo:
            y, memo = y
        if type(y) is not _ndarray:
            y = as_array(y)
        if not need or not differentiable:
            return wrap(y)
        # A leading bit tells calls with different numbers of inputs apart.
        keeps = known.get(need | bit)
        if keeps is None:
            keeps = known[need | bit] = keeps_for(need, len(inputs))
        if grad_mode.disabled and not _recording(inputs, keeps):
            return wrap(y)
        for i, parent in enumerate(parents):
            if not keeps[i]:
                arrays[i] = _spec(arrays[i]) if parent is None else parent
        node = Node()
        node.op = op
        node.time = tick()
        node.shape = y.shape
        node.dtype = y.dtype
        if op.arity == 2:
            node.p0, node.p1 = parents
            node.s0, node.s1 = arrays
        else:
            node.rest = parents, arrays
        node.y = y if keeps[-1] else None
        if has_memo:
            node.memo = memo
        node.params = params or None
        return wrap(y, node)

    return record


def _recovered(op: Op, error: Exception, arrays: Sequence[Any], params: dict[str, Any], inputs: Sequence[Any]) -> Any:
    """What the kernel gives for arrays inside vmap that it cannot take as they are; else the error, explained.

    A kernel with a memo gives none then: the backward pass inside vmap uses the rules that do without.
    """
    try:
        y = recovered(op, op.kernel, error, arrays, params)
    except Exception as again:
        raise explain(op, again, inputs, params) from error
    return (y, None) if op.memo and not isinstance(y, tuple) else y


def _rules(vjp: Vjp) -> tuple[Rule | None, ...]:
    return (vjp,) if callable(vjp) else tuple(vjp or ())


def elementwise(name: str, kernel: Kernel, *, vjp: Vjp = None, arity: int = 0, **declaration: Any) -> Recorder:
    """Declare an op that works entry by entry on inputs that broadcast, with PyTorch's dtype promotion."""
    rules = _rules(vjp)
    arity = arity or len(rules)
    binary = _nary if declaration.get("memo") else _binary
    make = _unary if arity == 1 else binary if arity == 2 else _ternary if arity == 3 else _nary
    return declare(name, kernel, make, kind="elementwise", arity=arity, rules=rules, **declaration)


def multilinear(name: str, kernel: Kernel, *, vjp: Vjp = None, arity: int = 0, **declaration: Any) -> Recorder:
    """Declare an op that is linear in each input: it is its own tangent rule, and exact on small integers."""
    rules = _rules(vjp)
    arity = arity or len(rules)
    make = _unary if arity == 1 else _binary if arity == 2 else _ternary if arity == 3 else _nary
    return declare(name, kernel, make, kind="multilinear", arity=arity, rules=rules, **declaration)


def operation(name: str, kernel: Kernel, *, vjp: Vjp = None, arity: int = 0, **declaration: Any) -> Recorder:
    """Declare an op of any other form; `joint=` is one rule for all inputs, where they share work."""
    rules = _rules(vjp)
    arity = arity or len(rules)
    make = _unary if arity == 1 else _ternary if arity == 3 else _nary
    return declare(name, kernel, make, kind="other", arity=arity, rules=rules, **declaration)

"""The calls of ops behind a loss: read off its graph, or watched while the function that computes it runs.

What a graph holds is what the rules of its ops read, and no more, so from a loss alone some operands are unknown. Given
the function, every call is seen as it happens, with all operands and before anything is overwritten, also of ops that
were not recorded. It is watched through Python's hook for profilers: nothing in the engine knows of it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import cache
from types import CodeType, FrameType
from typing import Any, NamedTuple

from autodiff.function import Function
from autodiff.function_node import PICK
from autodiff.grad_mode import no_grad, state
from autodiff.graph import FREED, Node, ancestors
from autodiff.lines import Line, user_line
from autodiff.op import OPS
from autodiff.random import get_rng_state, set_rng_state
from autodiff.recorders import Spec
from autodiff.tensor import Tensor, wrap
from autodiff.writes import written_since


class Call(NamedTuple):
    """One call: what was called with what, what it returned, and what was recorded of it.

    An input is a Tensor, a number or array, None, or UNKNOWN. `again` computes the same of other inputs; None for what
    is no op, such as a conversion, or cannot be called so. `module` is the innermost module that was being called.
    """

    name: str
    inputs: tuple[Any, ...]
    params: dict[str, Any]
    output: Any
    node: Node | None
    line: Line | None
    enabled: bool
    again: Callable[..., Any] | None
    module: Any = None


# The methods by which values leave for Python and NumPy.
LEAVING = ("item", "numpy", "tolist", "__array__", "__float__", "__int__", "__bool__", "__index__")


class Unknown:
    """What stands for an operand of which the graph kept no values."""

    def __repr__(self) -> str:
        return "<not kept>"


UNKNOWN = Unknown()
_APPLY = Function.apply.__func__.__code__  # type: ignore[attr-defined]


def recorded_calls(loss: Tensor) -> list[Call]:
    """The calls that the graph of `loss` recorded, oldest first.

    An operand is what the graph kept of it, or what is computed again of what it kept of older ones.
    """
    nodes = ancestors([loss.node] if loss.node is not None else [])
    known: dict[Node, Any] = {node: _value(node, loss) for node in nodes}
    for node in nodes:
        for parent, kept in zip(node.parents(), node.operands() if node.op is not None else (), strict=False):
            if parent is not None and hasattr(kept, "itemsize") and known.get(parent) is None:
                known[parent] = wrap(kept, parent)
    calls = []
    for node in nodes:
        if node.op is None:
            continue
        both = zip(node.operands(), node.parents(), strict=True)
        inputs = tuple(_input(kept, parent, known, node.time) for kept, parent in both)
        params, again = node.params or {}, getattr(node.op, "record", None)
        if known[node] is None and again is not None and not any(x is UNKNOWN for x in inputs):
            known[node] = _replayed(again, inputs, params, node)
        y = UNKNOWN if known[node] is None else known[node]
        name = node.name if node.op is not PICK else node.p0.name  # type: ignore[union-attr]
        calls.append(Call(name, inputs, params, y, node, node.line, True, again))
    return calls


def _replayed(again: Callable[..., Tensor], inputs: Sequence[Any], params: dict[str, Any], node: Node) -> Tensor | None:
    """What a call gives that nothing holds any more, by computing it again; None if it cannot be."""
    try:
        with no_grad():
            y = again(*inputs, **params)
    except Exception:
        return None
    return wrap(y.array, node) if y.shape == node.shape else None


def _value(node: Node, loss: Tensor) -> Tensor | None:
    """The output of a node where something still holds it."""
    if node is loss.node:
        return loss
    if node.op is None:
        tensor: Tensor | None = node.tensor()  # type: ignore[attr-defined]
        return tensor
    y = node.y
    return wrap(y, node) if hasattr(y, "itemsize") else None


def _input(kept: Any, parent: Node | None, known: dict[Node, Any], time: int) -> Any:
    """An operand of the call at `time`, if nothing has written to its memory since."""
    if hasattr(kept, "itemsize"):
        return UNKNOWN if written_since(kept, time) else wrap(kept, parent)
    if parent is not None:
        value = known.get(parent)
        return UNKNOWN if value is None or written_since(value.array, time) else value
    # What is kept of an op of two inputs whose second is a number that no rule reads is nothing.
    return UNKNOWN if isinstance(kept, Spec) or kept is None else kept


def was_freed(loss: Tensor) -> bool:
    """Whether a backward pass has released what the graph of `loss` saved."""
    nodes = ancestors([loss.node] if loss.node is not None else [])
    return any(node.op is not None and (node.y is FREED or getattr(node, "kept", None) is FREED) for node in nodes)


@cache
def _recorder_codes() -> set[CodeType]:
    """The code of the recorders, one an arity, which all ops share; that of a view op stands around one."""
    codes = set()
    for op in OPS.values():
        record: Any = op.record
        code: CodeType = record.__code__
        if "record" in code.co_freevars:
            nested = record.__closure__[code.co_freevars.index("record")].cell_contents
            code = code if nested is record else nested.__code__
        codes.add(code)
    return codes


def watched(function: Callable[[], Any], told: Callable[[Call], None]) -> Any:
    """What `function` returns; `told` hears of each call of an op in it, and of functions that leave the graph.

    The default generator is afterwards where it was, so that the next run draws the same.
    """
    if sys.getprofile() is not None:
        raise RuntimeError("another profiler is active in this thread; leave it, since calls are watched by its hook")
    codes, random_state = _recorder_codes(), get_rng_state()
    inside = 0

    def hook(frame: FrameType, event: str, result: Any) -> None:
        nonlocal inside
        code = frame.f_code
        if code is _APPLY:
            inside += (event == "call") - (event == "return")
        if event != "return" or result is None or inside:
            # What the forward of a Function calls is part of one op.
            return
        call = None
        if code in codes:
            call = _recorded(frame, result)
        elif code is _APPLY:
            call = _applied(frame, result)
        elif _converts(frame, code):
            call = _conversion(frame, result)
        if call is not None:
            sys.setprofile(None)
            try:
                told(call)
            finally:
                sys.setprofile(hook)

    sys.setprofile(hook)
    try:
        return function()
    finally:
        sys.setprofile(None)
        set_rng_state(random_state)


def calls_behind(loss: Any, told: Callable[[Call], None], asked: str) -> Tensor:
    """The loss, after `told` has heard of the calls that led to it: those of a function as they happen."""
    if isinstance(loss, Tensor):
        if was_freed(loss):
            raise RuntimeError(
                f"{asked}: a backward pass has freed what this graph saved. Call it before backward(), pass "
                f"retain_graph=True to that, or give a function that computes the loss: {asked}(lambda: loss_of(...))"
            )
        for call in recorded_calls(loss):
            told(call)
        return loss
    if not callable(loss):
        raise TypeError(f"{asked}: expected the loss, or a function that computes it, got {type(loss).__name__}")
    result = watched(loss, told)
    if not isinstance(result, Tensor):
        raise TypeError(f"{asked}: expected a function that returns the loss, got {type(result).__name__} from it")
    if was_freed(result):
        raise RuntimeError(
            f"{asked}: the function has called backward() on the loss; let it return the loss before that"
        )
    return result


def _recorded(frame: FrameType, result: Tensor) -> Call | None:
    values = frame.f_locals
    if "y" not in values:
        # The outer of two frames where the op was told to write into `out`.
        return None
    op, node = values["op"], values.get("node")
    names = [name for name in ("input", "other", "a", "b", "c") if name in values]
    inputs = values["inputs"] if "inputs" in values else tuple(values[name] for name in names)
    return Call(
        op.name,
        tuple(inputs),
        values.get("params") or {},
        result,
        node,
        user_line(frame),
        state.enabled,
        op.record,
        _module(frame),
    )


def _applied(frame: FrameType, result: Any) -> Call:
    values = frame.f_locals
    node = values["outputs"] and next((y.node for y in values["made"] if isinstance(y, Tensor) and y.node), None)
    return Call(
        values["cls"].__name__, tuple(values["args"]), {}, result, node, user_line(frame), state.enabled,
        values["cls"].apply, _module(frame),
    )  # fmt: skip


def _module(frame: FrameType | None) -> Any:
    """The innermost module on the stack whose forward is being called: what has named_parameters()."""
    while frame is not None:
        owner = frame.f_locals.get("self") if frame.f_code.co_name == "forward" else None
        if hasattr(owner, "named_parameters"):
            return owner
        frame = frame.f_back
    return None


def _has_tensor(result: Any) -> bool:
    return isinstance(result, Tensor) or (isinstance(result, tuple) and any(isinstance(y, Tensor) for y in result))


def _converts(frame: FrameType, code: CodeType) -> bool:
    """Whether a frame is a function of this library with arguments: what it returns may be cut off from the graph."""
    return bool(code.co_argcount) and frame.f_globals.get("__name__", "").startswith("autodiff.")


def _conversion(frame: FrameType, result: Any) -> Call | None:
    code = frame.f_code
    first = frame.f_locals.get(code.co_varnames[0])
    if not isinstance(first, Tensor) or (code.co_name not in LEAVING and not _has_tensor(result)):
        return None
    return Call(code.co_name, (first,), {}, result, None, user_line(frame), state.enabled, None)

"""The declaration of an op and the registry of all ops.

An op is declared once: kernel, derivative rules, domain and documentation stand together, and the function, the
method, the NumPy dispatch, the picture's label and the gradient check all come from that declaration.

A rule has the signature ``rule(g, y, x)`` (``g, y, a, b`` for two inputs, and so on; then the params as keywords):
`g` is the gradient of the output `y`, and it returns the gradient of one input. It is written in plain NumPy and runs
on arrays, and, for the gradient of a gradient, on Tensors, through NumPy's two protocols. ``saves`` names what a rule
reads the values of; all else arrives as something that has only ``shape``, ``dtype`` and ``ndim``. Rules do not
mention broadcasting: the engine sums what flows along an edge to the shape of what it flows to.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np

from autodiff.domain import REALS, Domain
from autodiff.tensor import Tensor

Rule: TypeAlias = Callable[..., Any]
Domains: TypeAlias = Domain | Sequence[Domain]
VARIADIC = -1


class Recorder(Protocol):
    """The function that an op is called by: computes on Tensors and records.

    `rule` is its dual-mode entry for use in rules: the kernel on arrays, the recorder on Tensors.
    """

    op: Op
    rule: Callable[..., Any]
    __name__: str
    __qualname__: str

    def __call__(self, *args: Any, **kwargs: Any) -> Tensor: ...


class OpError(RuntimeError, ValueError):
    """An op got inputs that it cannot take; the message says what was expected, what came and what to do."""


class Op:
    """A declared operation: its kernel on arrays, a rule an input, and what the checks and the docs need to know.

    `kind` is "elementwise", "multilinear" or "other"; `result` the dtype policy: "same", "float" (integers become the
    default dtype first) or "strict" (dtypes that differ are refused); `analytic` whether complex-step differences
    apply; `view` whether the output shares memory with the input. `fast` are forms of the rules, or of the joint one,
    for plain arrays alone, for ops whose time matters. With `memo` the kernel returns ``(y, memo)``, and the fast form
    ``fast(g, y, x, memo)`` (``g, y, a, b, memo`` for two inputs, and so on) reuses what it has computed.
    ``into(total, g, **params)``, for ops of one input that take a piece of it, adds the gradient of the input into an
    array, so that many pieces of one tensor fill zeros only once.

    ``batched(a, b, **params)`` is the form of a kernel that cannot run on the arrays inside vmap, which have no memory
    of their own: what differs between samples comes with an axis of them in front, and as many axes as each other such
    input. Where the kernel takes any axes in front, which broadcast, it is the kernel itself.
    """

    __slots__ = (
        "analytic", "arity", "array_joint", "array_rules", "batched", "doc", "domain", "hooks", "into", "joint",
        "kernel", "kind", "memo", "name", "reads", "record", "result", "rule0", "rule1", "rule2", "rules", "saves",
        "unrolled", "view", "with_params",
    )  # fmt: skip
    record: Recorder
    # The subclass of `Function` that this op runs, if it does.
    function: Any = None

    def __init__(
        self, name: str, kernel: Callable[..., Any], kind: str, arity: int, rules: Sequence[Rule | None],
        joint: Rule | None, saves: str | Sequence[str], domain: Domains, doc: str, view: bool, analytic: bool,
        result: str, fast: Sequence[Rule | None], memo: bool, into: Callable[..., None] | None = None,
        batched: Callable[..., Any] | None = None,
    ) -> None:  # fmt: skip
        self.name, self.kernel, self.kind, self.arity, self.doc = name, kernel, kind, arity, doc
        self.rules, self.joint, self.view, self.analytic, self.result = tuple(rules), joint, view, analytic, result
        self.memo, self.into = memo, into
        self.batched = kernel if kind == "elementwise" else batched
        # What `hooks` put on one node: the node then has a copy of its op.
        self.hooks: Any = None
        self.array_rules = tuple(fast) if fast and joint is None else self.rules
        self.array_joint = fast[0] if fast and joint is not None else joint
        # The number of inputs if the backward pass has an unrolled form for such an op, else 0.
        plain = joint is None and into is None and not (memo and arity > 1)
        self.unrolled = arity * (plain and arity in (1, 2, 3))
        # Two inputs with params have a form of their own.
        self.with_params = arity == 2 and kind == "other"
        self.rule0, self.rule1, self.rule2 = (*self.array_rules, None, None, None)[:3]
        self.domain = (domain,) * max(arity, 1) if isinstance(domain, Domain) else tuple(domain)
        each = (saves,) * max(arity, 1) if isinstance(saves, str) else tuple(saves)
        self.saves = tuple(frozenset(names.split()) for names in each)
        self.reads = any(self.saves)

    @property
    def differentiable(self) -> bool:
        return self.joint is not None or any(rule is not None for rule in self.rules)

    @property
    def input_names(self) -> tuple[str, ...]:
        """What the rules call the inputs."""
        for rule in (*self.rules, self.joint):
            if rule is not None:
                return tuple(rule.__code__.co_varnames[2 : 2 + max(self.arity, 1)])
        return ("x",) if self.arity == 1 else ("a", "b")

    def keeps(self, needs: Sequence[bool]) -> tuple[bool, ...]:
        """Which inputs, and last whether the output, must be saved when the inputs marked in `needs` need gradients."""
        read = frozenset[str]().union(*(names for names, need in zip(self.saves, needs, strict=False) if need))
        if self.joint is not None:
            read = self.saves[0]
        return (*(name in read for name in self.input_names), "y" in read)

    def __repr__(self) -> str:
        return f"<op {self.name}>"


# Every declared op by name, and the NumPy function or ufunc that each stands for.
OPS: dict[str, Op] = {}
NUMPY: dict[Any, Callable[..., Any]] = {}


def declare(
    name: str,
    kernel: Callable[..., Any],
    make_recorder: Callable[[Op], Any],
    *,
    kind: str,
    arity: int,
    rules: Sequence[Rule | None] = (),
    joint: Rule | None = None,
    saves: str | Sequence[str] = "",
    domain: Domains = REALS,
    doc: str = "",
    example: str = "",
    view: bool = False,
    analytic: bool = True,
    result: str = "same",
    numpy: Any = None,
    fast: Rule | Sequence[Rule | None] = (),
    memo: bool = False,
    into: Callable[..., None] | None = None,
    batched: Callable[..., Any] | None = None,
) -> Recorder:
    """Enter an op into the table and return its recorder; the constructors of `recorders` call this."""
    forms = (fast,) if callable(fast) else fast
    op = Op(
        name, kernel, kind, arity, rules, joint, saves, domain, doc, view, analytic, result, forms, memo, into, batched
    )  # fmt: skip
    record: Recorder = make_recorder(op)

    def rule(*inputs: Any, **params: Any) -> Any:
        if any(isinstance(x, Tensor) for x in inputs):
            return record(*inputs, **params)
        try:
            y = kernel(*inputs, **params)
        except Exception as error:
            y = recovered(op, kernel, error, inputs, params)
        return y[0] if memo and isinstance(y, tuple) else y

    record.op, record.rule, record.__name__, record.__qualname__ = op, rule, name, name
    # The file that declares the op, so that doctests and `help` find it there: past declare and the constructor.
    record.__module__ = sys._getframe(2).f_globals["__name__"]
    call, _, shown = example.partition(" -> ")
    record.__doc__ = f"{doc}\n\n>>> import autodiff as ad\n>>> {call}\n{shown}\n" if example else doc
    op.record = OPS.setdefault(name, op).record = record
    for function in (kernel if isinstance(kernel, np.ufunc) else None, numpy):
        if function is not None:
            NUMPY.setdefault(function, record)
    return record


def implements(*functions: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make the decorated function what the given NumPy functions do on Tensors (NumPy's semantics)."""

    def register(ours: Callable[..., Any]) -> Callable[..., Any]:
        for function in functions:
            NUMPY[function] = ours
        return ours

    return register


def describe(value: Any) -> str:
    """An input in an error message: its dtype and shape."""
    if isinstance(value, Tensor | np.ndarray):
        return f"{value.dtype} {tuple(value.shape)}"
    return f"{type(value).__name__} {value!r:.40}"


def explain(op: Op, error: Exception, inputs: Sequence[Any], params: dict[str, Any] | None = None) -> Exception:
    """The error that a failing kernel becomes: which op, what came, what was expected."""
    came = ", ".join(map(describe, inputs))
    if params:
        came += " with " + ", ".join(f"{key}={value!r:.60}" for key, value in params.items())
    text = str(error)
    if "broadcast" in text:
        text = (
            "the shapes do not broadcast: expected equal lengths, or 1, in each dimension counted from the right; "
            "reshape or unsqueeze one of them"
        )
    elif "core dimension" in text:
        text = (
            "the inner lengths differ: expected a tensor (..., n) times one (n,) or (..., n, m); transpose one of them"
        )
    message = f"{op.name}: {text} (got {came})"
    if isinstance(error, IndexError):
        return IndexError(message)
    if isinstance(error, OpError):
        # A kernel's own error keeps its class, such as LinAlgError.
        return type(error)(message)
    return TypeError(message) if isinstance(error, TypeError) else OpError(message)


def recovered(
    op: Op, function: Callable[..., Any], error: Exception, arrays: Sequence[Any], params: dict[str, Any]
) -> Any:
    """What an array inside vmap makes of a kernel or rule that cannot take it; else `error` again."""
    if isinstance(error, OpError):
        # Inputs that are wrong for any kind of array.
        raise error
    x = _inside_vmap((arrays, params))
    if x is None:
        raise error
    # Where the kernel takes any axes in front, so do the rules.
    form = op.batched if function is op.kernel else function if op.batched is op.kernel else None
    return x.each_sample(op.name, form, function, arrays, params)


def _inside_vmap(value: Any) -> Any:
    """The first array inside vmap among nested values, or None."""
    if hasattr(value, "each_sample"):
        return value
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, tuple | list) else ()
    return next((found for part in parts if (found := _inside_vmap(part)) is not None), None)


def not_a_tensor(op: Op, value: Any) -> TypeError:
    """The error for an argument of a kind that ops do not take."""
    return TypeError(f"{op.name}: expected a Tensor, got {describe(value)}; make one with ad.tensor(...)")

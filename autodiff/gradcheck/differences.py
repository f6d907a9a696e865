"""Gradient checking: derivatives by backward against derivatives by differences.

`gradcheck` and `gradgradcheck` answer yes or raise, as in PyTorch; `compare_gradients` returns the figures. Three
numerical methods, all of float64: central differences, (f(x + ε) - f(x - ε)) / 2ε, with an error O(ε²); Richardson
extrapolation of central differences (about 1e-11, for smooth functions); and the complex step, Im f(x + iε) / ε, which
subtracts nothing and is exact to rounding, for functions that are analytic and written in such ops.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from autodiff import grad_mode
from autodiff.backward import grad
from autodiff.tensor import Array, Tensor, wrap

METHODS = ("central", "richardson", "complex")


class GradcheckError(RuntimeError):
    """Analytic and numerical derivatives disagree; the message names the worst element."""


class Kink(NamedTuple):
    """A place where the slopes from the left and the right differ, and the analytic derivative lies between them."""

    input: int
    element: tuple[int, ...]
    output_element: tuple[int, ...]
    left: float
    right: float
    analytic: float


class Comparison(NamedTuple):
    """What a gradient check found; `str` of it is a readable report.

    `relative_difference` is the course's ‖a - b‖ / (‖a‖ + ‖b‖) over all derivatives. `worst_input`, `worst_element`
    and `worst_output_element` say where |a - b| exceeds its allowance most, or comes nearest to it.
    """

    passed: bool
    method: str
    relative_difference: float
    worst_input: int
    worst_element: tuple[int, ...]
    worst_output: int
    worst_output_element: tuple[int, ...]
    analytic: float
    numeric: float
    allowed: float
    kinks: tuple[Kink, ...]

    def __str__(self) -> str:
        verdict = "agree" if self.passed else "DISAGREE"
        lines = [
            f"analytic and numerical derivatives {verdict} ({self.method} differences)",
            f"  relative difference |a-b| / (|a|+|b|) = {self.relative_difference:.1e}   "
            f"(about 1e-7 is right, 1e-5 suspicious, 1e-3 a bug)",
            f"  {'worst' if self.passed else 'wrong'} at input {self.worst_input} {list(self.worst_element)}, "
            f"output {self.worst_output} {list(self.worst_output_element)}: "
            f"analytic {self.analytic:.10g}, numeric {self.numeric:.10g}, "
            f"difference {abs(self.analytic - self.numeric):.1e}, allowed {self.allowed:.1e}",
        ]
        lines += [
            f"  kink at input {k.input} {list(k.element)}: slope {k.left:.4g} from the left, {k.right:.4g} from the "
            f"right, analytic {k.analytic:.4g} (a derivative between the two is accepted)"
            for k in self.kinks
        ]
        return "\n".join(lines)


Function = Callable[..., Any]


def _outputs(function: Function, inputs: Sequence[Any]) -> list[Tensor]:
    result = function(*inputs)
    outputs = [result] if isinstance(result, Tensor) else list(result)
    return [y for y in outputs if isinstance(y, Tensor) and y.array.dtype.kind in "fc"]


def _values(function: Function, inputs: Sequence[Any]) -> list[Array]:
    return [y.array.copy() for y in _outputs(function, inputs)]


def _values_at(function: Function, inputs: Sequence[Any], x: Tensor, array: Array) -> list[Array]:
    """The outputs with the array of `x` exchanged; the tensor stays, so that models that hold it see the change."""
    before, x.array = x.array, array
    try:
        return _values(function, inputs)
    finally:
        x.array = before


def _moved(array: Array, element: tuple[int, ...], step: Any) -> Array:
    moved = np.array(array, np.result_type(array, step))
    moved[element] += step
    return moved


def _central(function: Function, inputs: Sequence[Any], x: Tensor, element: tuple[int, ...], eps: float) -> list[Array]:
    up = _values_at(function, inputs, x, _moved(x.array, element, eps))
    down = _values_at(function, inputs, x, _moved(x.array, element, -eps))
    return [(a - b) / (2 * eps) for a, b in zip(up, down, strict=True)]


def _richardson(
    function: Function, inputs: Sequence[Any], x: Tensor, element: tuple[int, ...], eps: float
) -> list[Array]:
    """Central differences at steps h, h/2, h/4, h/8, combined so that the errors in h², h⁴ and h⁶ cancel."""
    step = 1e-2 * max(1.0, abs(float(x.array[element])))
    rows = [_central(function, inputs, x, element, step / 2**k) for k in range(4)]
    for order in range(1, 4):
        factor = 4**order
        rows = [
            [(factor * fine - coarse) / (factor - 1) for coarse, fine in zip(a, b, strict=True)]
            for a, b in pairwise(rows)
        ]
    return rows[0]


def _complex_step(
    function: Function, inputs: Sequence[Any], x: Tensor, element: tuple[int, ...], eps: float
) -> list[Array]:
    tiny = 1e-100
    values = _values_at(function, inputs, x, _moved(x.array, element, 1j * tiny))
    for value in values:
        if value.dtype.kind != "c":
            raise GradcheckError(
                "the complex step needs a function that carries complex numbers through to its output; one of its ops "
                'drops the imaginary part (abs, comparisons, maximum, ...): use method="richardson" or "central"'
            )
    return [value.imag / tiny for value in values]


_NUMERIC = {"central": _central, "richardson": _richardson, "complex": _complex_step}


def _check_inputs(function: Function, inputs: Sequence[Any]) -> list[tuple[int, Tensor]]:
    """The inputs to differentiate by, with their positions."""
    chosen = [(i, x) for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]
    if not chosen:
        raise ValueError("expected at least one input Tensor with requires_grad=True")
    for i, x in chosen:
        if x.dtype != np.float64:
            raise ValueError(
                f"expected float64 inputs, because differences of {x.dtype} numbers are mostly rounding; input {i} is "
                f"{x.dtype}: convert it with x.double(), a model with model.double()"
            )
    first, second = _values(function, inputs), _values(function, inputs)
    if not all(np.array_equal(a, b, equal_nan=True) for a, b in zip(first, second, strict=True)):
        raise GradcheckError(
            "the function gives different outputs for the same inputs, so differences mean nothing; is dropout in "
            "training mode (call model.eval()), or is a random number drawn inside (draw it once, outside)?"
        )
    return chosen


def _analytic_rows(
    function: Function, inputs: Sequence[Any], xs: Sequence[Tensor], sizes: Sequence[int]
) -> list[list[Array]]:
    """For each output and input the matrix of derivatives, (outputs' elements, inputs' elements)."""
    outputs = _outputs(function, inputs)
    matrices: list[list[Array]] = []
    for y, size in zip(outputs, sizes, strict=True):
        rows: list[Array] = [np.zeros((size, x.numel())) for x in xs]
        for j in range(size if y.requires_grad else 0):
            seed = np.zeros(y.shape)
            seed.reshape(-1)[j] = 1
            gradients = grad(y, list(xs), wrap(seed), retain_graph=True, materialize_grads=True)
            for row, gradient in zip(rows, gradients, strict=True):
                row[j] = gradient.array.reshape(-1)
        matrices.append(rows)
    return matrices


def _kink(
    function: Function, inputs: Sequence[Any], x: Tensor, element: tuple[int, ...], place: tuple[int, int], eps: float
) -> tuple[float, float] | None:
    """The slopes on both sides of a kink; None where the function is smooth."""
    output, flat = place

    def at(step: float) -> float:
        values = _values_at(function, inputs, x, _moved(x.array, element, step))
        return float(values[output].reshape(-1)[flat])

    middle = at(0.0)
    # The two slopes of a smooth function approach each other with the step; those at a kink keep their distance.
    wide, narrow = ((-(at(-h) - middle) / h, (at(h) - middle) / h) for h in (10 * eps, eps))
    gap, wide_gap = abs(narrow[1] - narrow[0]), abs(wide[1] - wide[0])
    significant = 1e-3 * max(1.0, abs(narrow[0]), abs(narrow[1]))
    return narrow if gap > significant and gap > 0.5 * wide_gap else None


def compare_gradients(
    function: Function,
    inputs: Any,
    *,
    method: str = "central",
    eps: float = 1e-7,
    atol: float = 1e-5,
    rtol: float = 1e-3,
) -> Comparison:
    """Every derivative of `function` at `inputs` (float64 Tensors, others are passed on) against a numerical one.

    An element is right if |analytic - numeric| <= atol + rtol * |numeric|, or if it stands at a kink and lies between
    the slopes of the two sides. ValueError for inputs that cannot be checked, GradcheckError for a function that is
    not deterministic. The relative difference, and its scale, are those of Ng's deep learning course.

    >>> import autodiff as ad
    >>> x = ad.tensor([0.5, 2.0], dtype=ad.float64, requires_grad=True)
    >>> ad.compare_gradients(ad.log, x).relative_difference < 1e-7
    True
    """
    if method not in METHODS:
        raise ValueError(f"expected a method among {', '.join(METHODS)}; got {method!r}")
    inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    chosen = _check_inputs(function, inputs)
    sizes = [value.size for value in _values(function, inputs)]
    analytic = _analytic_rows(function, inputs, [x for _, x in chosen], sizes)
    worst: tuple[Any, ...] = (-np.inf,)
    kinks: list[Kink] = []
    squares = np.zeros(3)
    for k, (i, x) in enumerate(chosen):
        for column, element in enumerate(np.ndindex(x.shape)):
            numeric = _NUMERIC[method](function, inputs, x, element, eps)
            for o, value in enumerate(numeric):
                a, b = analytic[o][k][:, column], value.reshape(-1)
                excess = _excess(a, b, atol, rtol)
                for j in np.flatnonzero(excess > 0).tolist():
                    slopes = _kink(function, inputs, x, element, (o, j), 1e-6)
                    if slopes and min(slopes) - atol <= a[j] <= max(slopes) + atol:
                        place = tuple(map(int, np.unravel_index(j, value.shape)))
                        kinks.append(Kink(i, element, place, *slopes, float(a[j])))
                        excess[j], b[j] = -np.inf, a[j]
                squares += (np.sum((a - b) ** 2), np.sum(a**2), np.sum(b**2))
                if len(excess) and excess.max() > worst[0]:
                    j = int(excess.argmax())
                    place = tuple(map(int, np.unravel_index(j, value.shape)))
                    worst = excess[j], i, element, o, place, float(a[j]), float(b[j]), atol + rtol * abs(float(b[j]))
    difference, size_a, size_b = np.sqrt(squares)
    relative = float(difference / (size_a + size_b)) if difference else 0.0
    if len(worst) == 1:
        # Nothing to compare: the inputs or the outputs have no elements.
        worst = (-np.inf, chosen[0][0], (), 0, (), 0.0, 0.0, atol)
    left_over, i, element, o, place, a_worst, b_worst, allowed = worst
    passed = bool(left_over <= 0)
    return Comparison(passed, method, relative, i, element, o, place, a_worst, b_worst, allowed, tuple(kinks))


def _excess(a: Array, b: Array, atol: float, rtol: float) -> Array:
    """How far |a - b| is beyond what is allowed; where either is not finite both must be the same."""
    finite = np.isfinite(a) & np.isfinite(b)
    with np.errstate(invalid="ignore"):
        over = np.abs(a - b) - (atol + rtol * np.abs(b))
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    return np.where(finite, over, np.where(same, -np.inf, np.inf))


def gradcheck(
    func: Function,
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    method: str = "central",
) -> bool:
    """Whether the gradients of `func` at `inputs` (float64, requires_grad=True) agree with numerical ones.

    Raises GradcheckError with the worst element if they do not, or returns False without `raise_exception`.

    >>> import autodiff as ad
    >>> x = ad.randn(3, dtype=ad.float64, requires_grad=True)
    >>> ad.gradcheck(lambda x: (x * x).sum(), x)
    True
    """
    found = compare_gradients(func, inputs, method=method, eps=eps, atol=atol, rtol=rtol)
    if not found.passed and raise_exception:
        raise GradcheckError(str(found))
    return found.passed


def gradgradcheck(
    func: Function,
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    method: str = "central",
) -> bool:
    """`gradcheck` of the gradient itself: second derivatives, and the derivative by `grad_outputs` (random if None).

    >>> import autodiff as ad
    >>> x = ad.randn(3, dtype=ad.float64, requires_grad=True)
    >>> ad.gradgradcheck(lambda x: (x * x * x).sum(), x)
    True
    """
    inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    outputs = [y for y in _outputs(func, inputs) if y.requires_grad]
    if grad_outputs is None:
        draw = np.random.default_rng(0)
        weights = [wrap(draw.standard_normal(y.shape)).requires_grad_() for y in outputs]
    else:
        weights = [grad_outputs] if isinstance(grad_outputs, Tensor) else list(grad_outputs)
    count = len(inputs)

    def gradient(*both: Any) -> tuple[Tensor, ...]:
        xs, gs = both[:count], both[count:]
        with grad_mode.enable_grad():
            ys = [y for y in _outputs(func, xs) if y.requires_grad]
            wanted = [x for x in xs if isinstance(x, Tensor) and x.requires_grad]
            return grad(ys, wanted, gs, create_graph=True, materialize_grads=True)

    checked = [*inputs, *weights]
    return gradcheck(gradient, checked, eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception, method=method)

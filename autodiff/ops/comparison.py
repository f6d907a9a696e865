"""Comparisons and logic, elementwise, giving bool; they carry no gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.domain import BOOLEANS, integers
from autodiff.dtypes import float64, result_dtype
from autodiff.op import OpError, Recorder, describe, implements
from autodiff.ops.masking import LARGE
from autodiff.recorders import elementwise
from autodiff.tensor import Tensor, as_array, wrap


def _pair(name: str, kernel: Any, doc: str, example: str, **declaration: Any) -> Recorder:
    return elementwise(name, kernel, arity=2, doc=doc, example=example, **declaration)


def _test(name: str, kernel: Any, doc: str, example: str, **declaration: Any) -> Recorder:
    return elementwise(name, kernel, arity=1, doc=doc, example=example, **declaration)


def _logical(kernel: np.ufunc, of_bools: np.ufunc) -> Any:
    """`kernel`; NumPy is slow to tell which numbers are true: of a million pairs in 0.9 ms, instead of 0.15."""

    def logical(a: Any, b: Any) -> Any:
        # A number has no size.
        if getattr(a, "size", 1) + getattr(b, "size", 1) < LARGE:
            return kernel(a, b)
        return of_bools(*(x if x.dtype.kind == "b" else x != 0 for x in (np.asarray(a), np.asarray(b))))

    return logical


eq = _pair("eq", np.equal, "Whether a = b.", "ad.eq(ad.tensor([1, 2]), 2) -> tensor([False,  True])")
ne = _pair("ne", np.not_equal, "Whether a differs from b.", "ad.ne(ad.tensor([1, 2]), 2) -> tensor([ True, False])")
lt = _pair("lt", np.less, "Whether a < b.", "ad.lt(ad.tensor([1, 2]), 2) -> tensor([ True, False])")
le = _pair("le", np.less_equal, "Whether a <= b.", "ad.le(ad.tensor([1, 3]), 2) -> tensor([ True, False])")
gt = _pair("gt", np.greater, "Whether a > b.", "ad.gt(ad.tensor([1, 3]), 2) -> tensor([False,  True])")
ge = _pair("ge", np.greater_equal, "Whether a >= b.", "ad.ge(ad.tensor([1, 2]), 2) -> tensor([False,  True])")
logical_and = _pair(
    "logical_and", _logical(np.logical_and, np.bitwise_and), "Whether both are true.",
    "ad.logical_and(ad.tensor([True, False]), True) -> tensor([ True, False])", domain=BOOLEANS, numpy=np.logical_and,
)  # fmt: skip
logical_or = _pair(
    "logical_or", _logical(np.logical_or, np.bitwise_or), "Whether either is true.",
    "ad.logical_or(ad.tensor([True, False]), False) -> tensor([ True, False])", domain=BOOLEANS, numpy=np.logical_or,
)  # fmt: skip
logical_xor = _pair(
    "logical_xor", _logical(np.logical_xor, np.bitwise_xor), "Whether exactly one is true.",
    "ad.logical_xor(ad.tensor([True, False]), True) -> tensor([False,  True])", domain=BOOLEANS, numpy=np.logical_xor,
)  # fmt: skip
logical_not = _test(
    "logical_not",
    lambda x: np.logical_not(x) if x.size < LARGE or x.dtype.kind == "b" else x == 0,
    "Whether x is false (0).",
    "ad.logical_not(ad.tensor([0, 2])) -> tensor([ True, False])",
    numpy=np.logical_not,
)
bitwise_and = _pair(
    "bitwise_and", np.bitwise_and, "The bitwise and of integers or bools.",
    "ad.bitwise_and(ad.tensor([6, 3]), 2) -> tensor([2, 2])", domain=BOOLEANS,
)  # fmt: skip
bitwise_or = _pair(
    "bitwise_or", np.bitwise_or, "The bitwise or of integers or bools.",
    "ad.bitwise_or(ad.tensor([4, 1]), 2) -> tensor([6, 3])", domain=BOOLEANS,
)  # fmt: skip
bitwise_xor = _pair(
    "bitwise_xor", np.bitwise_xor, "The bitwise exclusive or of integers or bools.",
    "ad.bitwise_xor(ad.tensor([6, 3]), 2) -> tensor([4, 1])", domain=BOOLEANS,
)  # fmt: skip
bitwise_not = elementwise(
    "bitwise_not", np.bitwise_not, arity=1, domain=BOOLEANS, doc="The bitwise complement of integers or bools.",
    example="ad.bitwise_not(ad.tensor([True, False])) -> tensor([False,  True])",
)  # fmt: skip
bitwise_left_shift = _pair(
    "bitwise_left_shift", np.left_shift, "The integer a · 2ᵇ, its high bits dropped.",
    "ad.bitwise_left_shift(ad.tensor([1, 3]), 2) -> tensor([ 4, 12])", domain=integers(0, 8),
)  # fmt: skip
bitwise_right_shift = _pair(
    "bitwise_right_shift", np.right_shift, "The integer a / 2ᵇ, rounded down.",
    "ad.bitwise_right_shift(ad.tensor([4, -3]), 1) -> tensor([ 2, -2])", domain=integers(0, 8),
)  # fmt: skip
isnan = _test(
    "isnan",
    np.isnan,
    "Whether x is not a number.",
    'ad.isnan(ad.tensor([1.0, float("nan")])) -> tensor([False,  True])',
)
isinf = _test(
    "isinf", np.isinf, "Whether x is infinite.", 'ad.isinf(ad.tensor([1.0, float("inf")])) -> tensor([False,  True])'
)
isfinite = _test(
    "isfinite",
    np.isfinite,
    "Whether x is a finite number.",
    'ad.isfinite(ad.tensor([1.0, float("inf")])) -> tensor([ True, False])',
)
isposinf = _test(
    "isposinf",
    lambda x: x == np.inf,
    "Whether x is positive infinity.",
    'ad.isposinf(ad.tensor([1.0, float("inf")])) -> tensor([False,  True])',
    numpy=np.isposinf,
)
isneginf = _test(
    "isneginf",
    lambda x: x == -np.inf,
    "Whether x is negative infinity.",
    'ad.isneginf(ad.tensor([1.0, float("-inf")])) -> tensor([False,  True])',
    numpy=np.isneginf,
)
isreal = _test(
    "isreal",
    lambda x: np.ones(x.shape, bool),
    "Whether x has no imaginary part: always, as tensors here are real.",
    "ad.isreal(ad.tensor([1.0, 2.0])) -> tensor([True, True])",
    numpy=np.isreal,
)
not_equal, less, less_equal, greater, greater_equal = ne, lt, le, gt, ge


def _operand(name: str, x: Any) -> Any:
    if isinstance(x, Tensor | np.ndarray):
        return x.array if isinstance(x, Tensor) else x
    raise TypeError(f"{name}: expected a Tensor, got {describe(x)}; make one with ad.tensor(...)")


def _close(name: str, a: Any, b: Any, rtol: float, atol: float, equal_nan: bool) -> Any:
    if rtol < 0 or atol < 0:
        raise OpError(f"{name}: expected tolerances of 0 or more, got rtol={rtol}, atol={atol}")
    a, b = _operand(name, a), _operand(name, b)
    dtype = result_dtype(a, b)
    a, b = (x.astype(float64 if dtype.kind != "f" else dtype, copy=False) for x in (a, b))
    try:
        close = a == b
        with np.errstate(invalid="ignore", over="ignore"):
            error = np.abs(a - b)
            close = close | ((error <= atol + np.abs(rtol * b)) & np.isfinite(error))
    except ValueError:
        raise OpError(f"{name}: the shapes {a.shape} and {b.shape} do not broadcast") from None
    return close | ((a != a) & (b != b)) if equal_nan else close


def isclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Whether |x - other| <= atol + rtol * |other|, elementwise; equal infinities are close, NaN only if `equal_nan`.

    >>> import autodiff as ad
    >>> ad.isclose(ad.tensor([1.0, 2.0]), ad.tensor([1.0 + 1e-7, 2.1]))
    tensor([ True, False])
    """
    return wrap(as_array(_close("isclose", input, other, rtol, atol, equal_nan)))


def allclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether |x - other| <= atol + rtol * |other| holds everywhere.

    >>> import autodiff as ad
    >>> ad.allclose(ad.tensor([1.0]), ad.tensor([1.0 + 1e-7]))
    True
    """
    return bool(np.all(_close("allclose", input, other, rtol, atol, equal_nan)))


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether both have the same shape and the same elements.

    >>> import autodiff as ad
    >>> ad.equal(ad.tensor([1, 2]), ad.tensor([1, 2]))
    True
    """
    a, b = _operand("equal", input), _operand("equal", other)
    return a.shape == b.shape and bool((a == b).all())


def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False) -> Tensor:
    """Whether each of `elements` is among `test_elements`, or with `invert` is not; one of them may be a number.

    >>> import autodiff as ad
    >>> ad.isin(ad.tensor([[1, 2], [3, 4]]), ad.tensor([2, 3]))
    tensor([[False,  True],
            [ True, False]])
    """
    if not isinstance(elements, Tensor) and not isinstance(test_elements, Tensor):
        raise TypeError(f"isin: expected a Tensor, got {describe(elements)} and {describe(test_elements)}")
    a, b = (x.array if isinstance(x, Tensor) else np.asarray(x) for x in (elements, test_elements))
    if a.size * b.size < 10_000:
        # One comparison of all pairs, where the general method sorts.
        found = (a[..., None] == b.reshape(-1)).any(-1)
        return wrap(np.asarray(~found if invert else found))
    return wrap(np.isin(a, b, assume_unique=assume_unique, invert=invert))


for _theirs, _ours in ((np.isclose, isclose), (np.allclose, allclose), (np.array_equal, equal), (np.isin, isin)):
    implements(_theirs)(_ours)

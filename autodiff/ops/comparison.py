"""Comparisons and logic, elementwise, giving bool; they carry no gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.domain import BOOLEANS
from autodiff.op import Recorder, implements
from autodiff.recorders import elementwise
from autodiff.tensor import Tensor


def _pair(name: str, kernel: Any, doc: str, example: str, **declaration: Any) -> Recorder:
    return elementwise(name, kernel, arity=2, doc=doc, example=example, **declaration)


def _test(name: str, kernel: Any, doc: str, example: str) -> Recorder:
    return elementwise(name, kernel, arity=1, doc=doc, example=example)


eq = _pair("eq", np.equal, "Whether a = b.", "ad.eq(ad.tensor([1, 2]), 2) -> tensor([False,  True])")
ne = _pair("ne", np.not_equal, "Whether a differs from b.", "ad.ne(ad.tensor([1, 2]), 2) -> tensor([ True, False])")
lt = _pair("lt", np.less, "Whether a < b.", "ad.lt(ad.tensor([1, 2]), 2) -> tensor([ True, False])")
le = _pair("le", np.less_equal, "Whether a <= b.", "ad.le(ad.tensor([1, 3]), 2) -> tensor([ True, False])")
gt = _pair("gt", np.greater, "Whether a > b.", "ad.gt(ad.tensor([1, 3]), 2) -> tensor([False,  True])")
ge = _pair("ge", np.greater_equal, "Whether a >= b.", "ad.ge(ad.tensor([1, 2]), 2) -> tensor([False,  True])")
logical_and = _pair(
    "logical_and", np.logical_and, "Whether both are true.",
    "ad.logical_and(ad.tensor([True, False]), True) -> tensor([ True, False])", domain=BOOLEANS,
)  # fmt: skip
logical_or = _pair(
    "logical_or", np.logical_or, "Whether either is true.",
    "ad.logical_or(ad.tensor([True, False]), False) -> tensor([ True, False])", domain=BOOLEANS,
)  # fmt: skip
logical_xor = _pair(
    "logical_xor", np.logical_xor, "Whether exactly one is true.",
    "ad.logical_xor(ad.tensor([True, False]), True) -> tensor([False,  True])", domain=BOOLEANS,
)  # fmt: skip
logical_not = _test(
    "logical_not",
    np.logical_not,
    "Whether x is false (0).",
    "ad.logical_not(ad.tensor([0, 2])) -> tensor([ True, False])",
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


def allclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether |x - other| <= atol + rtol * |other| holds everywhere.

    >>> import autodiff as ad
    >>> ad.allclose(ad.tensor([1.0]), ad.tensor([1.0 + 1e-7]))
    True
    """
    return bool(np.allclose(_plain(input), _plain(other), rtol, atol, equal_nan))


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether both have the same shape and the same elements.

    >>> import autodiff as ad
    >>> ad.equal(ad.tensor([1, 2]), ad.tensor([1, 2]))
    True
    """
    return bool(np.array_equal(_plain(input), _plain(other)))


implements(np.allclose)(allclose)
implements(np.array_equal)(equal)


def _plain(x: Any) -> Any:
    return x.array if isinstance(x, Tensor) else x

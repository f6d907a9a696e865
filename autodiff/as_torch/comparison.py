"""`torch.testing`: whether two results agree."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from autodiff.tensor import Tensor

# PyTorch's tolerances, relative and absolute.
TOLERANCES = {"float16": (1e-3, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7)}
# What is compared with its like only.
KINDS = (Tensor, np.ndarray, bool, int | float | np.generic)


def assert_close(
    actual: Any, expected: Any, *, allow_subclasses: bool = True, rtol: float | None = None, atol: float | None = None,
    equal_nan: bool = False, check_dtype: bool = True, msg: str | Callable[[str], str] | None = None, **options: Any,
) -> None:  # fmt: skip
    """AssertionError, with the largest difference, unless two tensors, numbers, lists or dicts of them agree.

    `msg` takes the place of that text, or makes another of it. TypeError for results of different kinds.

    >>> import autodiff as ad
    >>> assert_close(ad.ones(2), ad.ones(2) + 1e-7)
    """
    try:
        for one, other in _pairs(actual, expected):
            kinds = [next((kind for kind in KINDS if isinstance(x, kind)), type(x)) for x in (one, other)]
            if kinds[0] not in KINDS or kinds[0] is not kinds[1] or not (allow_subclasses or type(one) is type(other)):
                raise TypeError(
                    f"assert_close: expected two tensors, two arrays or two numbers, got {type(one).__name__} and "
                    f"{type(other).__name__}; convert one of them"
                )
            _assert_arrays_close(_array(one), _array(other), rtol, atol, equal_nan, check_dtype)
    except AssertionError as error:
        if msg is None:
            raise
        raise AssertionError(msg(str(error)) if callable(msg) else msg) from None


def _pairs(actual: Any, expected: Any) -> list[tuple[Any, Any]]:
    """What stands at the same places of the two."""
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        if actual.keys() != expected.keys():
            raise AssertionError(f"expected the keys {sorted(expected)}, got {sorted(actual)}")
        return [pair for key in expected for pair in _pairs(actual[key], expected[key])]
    if isinstance(expected, Sequence) and isinstance(actual, Sequence) and not isinstance(expected, str):
        if len(actual) != len(expected):
            raise AssertionError(f"expected {len(expected)} elements, got {len(actual)}")
        return [pair for entries in zip(actual, expected, strict=True) for pair in _pairs(*entries)]
    return [(actual, expected)]


def _array(x: Any) -> Any:
    return x.array if isinstance(x, Tensor) else np.asarray(x)


def _assert_arrays_close(
    actual: Any, expected: Any, rtol: float | None, atol: float | None, equal_nan: bool, check_dtype: bool
) -> None:
    if actual.shape != expected.shape:
        raise AssertionError(f"expected the shape {expected.shape}, got {actual.shape}")
    if check_dtype and actual.dtype != expected.dtype:
        raise AssertionError(f"expected the dtype {expected.dtype}, got {actual.dtype}")
    if (rtol is None) != (atol is None):
        raise ValueError(f"assert_close: expected both rtol and atol, or neither, got rtol={rtol} and atol={atol}")
    known = np.max([TOLERANCES.get(array.dtype.name, (0.0, 0.0)) for array in (actual, expected)], axis=0)
    relative, absolute = known if rtol is None or atol is None else (rtol, atol)
    np.testing.assert_allclose(actual, expected, relative, absolute, equal_nan)


__all__ = ["assert_close"]

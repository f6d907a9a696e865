"""`torch.testing`: whether two results agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autodiff.tensor import Tensor

# PyTorch's tolerances, relative and absolute.
TOLERANCES = {"float16": (1e-3, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7)}


def assert_close(
    actual: Any, expected: Any, *, rtol: float | None = None, atol: float | None = None, equal_nan: bool = False,
    check_dtype: bool = True, msg: str | None = None, **options: Any,
) -> None:  # fmt: skip
    """AssertionError, with the largest difference, unless two tensors, numbers, lists or dicts of them agree.

    >>> import autodiff as ad
    >>> assert_close(ad.ones(2), ad.ones(2) + 1e-7)
    """
    options |= {"rtol": rtol, "atol": atol, "equal_nan": equal_nan, "check_dtype": check_dtype, "msg": msg}
    if isinstance(expected, Mapping):
        if actual.keys() != expected.keys():
            raise AssertionError(f"expected the keys {sorted(expected)}, got {sorted(actual)}")
        for key in expected:
            assert_close(actual[key], expected[key], **options)
    elif isinstance(expected, Sequence) and not isinstance(expected, str):
        if len(actual) != len(expected):
            raise AssertionError(f"expected {len(expected)} elements, got {len(actual)}")
        for one, other in zip(actual, expected, strict=True):
            assert_close(one, other, **options)
    else:
        _assert_arrays_close(_array(actual), _array(expected), rtol, atol, equal_nan, check_dtype, msg)


def _array(x: Any) -> Any:
    return x.array if isinstance(x, Tensor) else np.asarray(x)


def _assert_arrays_close(
    actual: Any, expected: Any, rtol: float | None, atol: float | None, equal_nan: bool, check_dtype: bool,
    msg: str | None,
) -> None:  # fmt: skip
    if actual.shape != expected.shape:
        raise AssertionError(msg or f"expected the shape {expected.shape}, got {actual.shape}")
    if check_dtype and actual.dtype != expected.dtype:
        raise AssertionError(msg or f"expected the dtype {expected.dtype}, got {actual.dtype}")
    known = [TOLERANCES.get(array.dtype.name, (0.0, 0.0)) for array in (actual, expected)]
    relative, absolute = np.max(known, axis=0)
    np.testing.assert_allclose(
        actual, expected, relative if rtol is None else rtol, absolute if atol is None else atol, equal_nan, msg or ""
    )


__all__ = ["assert_close"]

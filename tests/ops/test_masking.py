"""Choosing without branches is np.where, bit for bit."""

from __future__ import annotations

from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodiff.ops.masking import LARGE, choose, keep, sign

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]
shapes = hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=3, min_side=0, max_side=3)


def same_bits(found: Any, expected: Any) -> None:
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    assert found.tobytes() == expected.tobytes()


def drawn(rng: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    """Any bits at all: all the kinds of NaN, infinities, subnormals; of bools only two."""
    size = np.dtype(dtype).itemsize
    if dtype == "bool":
        return rng.random(shape) < 0.5
    return rng.integers(0, 256, (*shape, size), dtype=np.uint8).view(dtype).reshape(shape)


@given(shapes=shapes, dtype=st.sampled_from(DTYPES), seed=st.integers(0, 1000))
def test_keep(shapes: Any, dtype: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask, g = rng.random(shapes.input_shapes[0]) < 0.5, drawn(rng, dtype, shapes.input_shapes[1])
    same_bits(keep(mask, g), np.where(mask, g, np.zeros((), dtype)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [3, LARGE + 1])
def test_choose(dtype: str, size: int) -> None:
    rng = np.random.default_rng(0)
    mask, a, b = rng.random(size) < 0.5, drawn(rng, dtype, (size,)), drawn(rng, dtype, (size,))
    for x, y in ((a, b), (a, b[:1]), (a[0], b), (a[::-1], np.asarray(b[0]))):
        same_bits(choose(mask, x, y), np.where(mask, x, y))
    same_bits(choose(mask[:, None], a[:2], b[:1]), np.where(mask[:, None], a[:2], b[:1]))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64"])
@pytest.mark.parametrize("special", [(), (0.0, -0.0), (np.inf, -np.inf), (np.nan,), (0.0, np.inf, np.nan)])
@pytest.mark.parametrize("size", [8, LARGE + 1])
def test_sign(dtype: str, special: tuple[float, ...], size: int) -> None:
    x = np.random.default_rng(0).choice([-1, 1], size).astype(dtype)
    if x.dtype.kind == "f":
        # Subnormal numbers too.
        x[:4] *= np.array([np.finfo(dtype).smallest_subnormal, np.finfo(dtype).tiny, np.finfo(dtype).max, 0.5])
        x[4 : 4 + len(special)] = special
    found = sign(x)
    assert found.dtype == x.dtype
    np.testing.assert_array_equal(found, np.sign(x))

"""The same call on this engine and on PyTorch: values, dtypes, shapes, gradients and errors side by side."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

import autodiff as ad

Array = np.ndarray[Any, Any]
Call = Callable[..., Any]
DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]
# What 11, 24 and 53 bits of mantissa leave after a few operations in another order or with another polynomial.
TOLERANCE = {"float16": 4e-3, "float32": 2e-5, "float64": 1e-10}


def laid_out(array: Array, layout: str) -> Array:
    """The same elements with other strides."""
    if layout == "transposed" and array.ndim > 1:
        return np.ascontiguousarray(array.T).T
    if layout == "strided" and array.ndim:
        spaced = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
        spaced[..., ::2] = array
        return spaced[..., ::2]
    return array


def tensors(m: Any, inputs: Sequence[Any], needs: Sequence[bool]) -> list[Any]:
    """Leaves of the library `m` on the memory of the arrays, strides and all; anything else as it is."""
    made = [m.from_numpy(x) if isinstance(x, np.ndarray) else x for x in inputs]
    for x, need in zip(made, needs, strict=True):
        if need:
            x.requires_grad_()
    return made


def flat(result: Any) -> list[Any]:
    return [y for part in result for y in flat(part)] if isinstance(result, tuple | list) else [result]


def run(m: Any, call: Call, inputs: Sequence[Any], needs: Sequence[bool]) -> tuple[list[Any], list[Any]]:
    """The outputs of a call and the gradients of the inputs, with weights that no symmetry can hide behind."""
    xs = tensors(m, inputs, needs)
    outputs = flat(call(m, *xs))
    roots = [y for y in outputs if isinstance(y, m.Tensor) and y.requires_grad]
    wanted = [x for x, need in zip(xs, needs, strict=True) if need]
    if not roots:
        return outputs, [None] * len(wanted)
    seeds = [m.from_numpy(weights(tuple(y.shape)).astype(name(y.dtype))) for y in roots]
    grad = torch.autograd.grad if m is torch else ad.grad
    return outputs, list(grad(roots, wanted, seeds, allow_unused=True))


def weights(shape: tuple[int, ...]) -> Array:
    return np.cos(np.arange(1.0, 1 + int(np.prod(shape)))).reshape(shape)


def name(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")


def same(theirs: Any, ours: Any, tolerance: float | None = None) -> None:
    """Fail unless two outputs are equal: tensors to a tolerance, anything else exactly."""
    if theirs is None:
        assert ours is None
        return
    if not isinstance(theirs, torch.Tensor):
        assert ours == theirs, (theirs, ours)
        return
    assert isinstance(ours, ad.Tensor), type(ours)
    assert (name(ours.dtype), ours.shape) == (name(theirs.dtype), tuple(theirs.shape))
    assert ours.requires_grad == theirs.requires_grad
    close = TOLERANCE.get(name(ours.dtype), 0.0) if tolerance is None else tolerance
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=close, atol=close)


def agree(
    call: Call, *inputs: Any, needs: Sequence[bool] | None = None, tolerance: float | None = None, errors: bool = True
) -> None:
    """Fail unless both libraries give the same outputs and gradients, or both raise.

    All floating-point arrays require grad unless `needs` says otherwise. Without `errors`, neither may raise.
    """
    if needs is None:
        needs = [isinstance(x, np.ndarray) and x.dtype.kind == "f" for x in inputs]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        refused = theirs = ours = None
        try:
            theirs = run(torch, call, inputs, needs)
        except Exception as error:
            if not errors:
                raise
            refused = error
        try:
            ours = run(ad, call, inputs, needs)
        except Exception as error:
            if refused is None:
                raise AssertionError(f"only this engine refuses {describe(inputs)}") from error
            return
    if refused is not None:
        raise AssertionError(f"only PyTorch refuses {describe(inputs)}: {refused}")
    assert theirs is not None
    assert ours is not None
    for a, b in zip(theirs[0], ours[0], strict=True):
        same(a, b, tolerance)
    for a, b in zip(theirs[1], ours[1], strict=True):
        same(a, b, tolerance)


def describe(inputs: Sequence[Any]) -> str:
    return ", ".join(f"{x.dtype}{x.shape}" if isinstance(x, np.ndarray) else repr(x) for x in inputs)

"""``out=``: the result of a function is written into a tensor that exists already."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from autodiff import dtypes
from autodiff.grad_mode import state
from autodiff.op import OpError, describe
from autodiff.tensor import Tensor
from autodiff.views import shared_places
from autodiff.writes import record_write


def put(out: Any, result: Any, name: str) -> Any:
    """Write `result`, a tensor or a tuple of them, into `out` and return that; nothing is recorded.

    RuntimeError if a gradient would be lost, OpError if shape or dtype do not fit; a tensor without elements takes any
    shape.
    """
    if isinstance(result, tuple):
        if not isinstance(out, tuple | list) or len(out) != len(result):
            raise TypeError(f"{name}: expected a tuple of {len(result)} tensors as out=, got {describe(out)}")
        parts = tuple(put(single, part, name) for single, part in zip(out, result, strict=True))
        return type(result)._make(parts) if hasattr(result, "_make") else parts
    if not isinstance(out, Tensor):
        raise TypeError(f"{name}: expected a Tensor as out=, got {describe(out)}; make one with ad.empty(...)")
    if state.enabled and (out.node is not None or result.node is not None):
        raise RuntimeError(
            f"{name}: out= has no gradient, but an argument requires grad; leave out= away, or call it inside "
            f"`with ad.no_grad():`"
        )
    if not dtypes.can_cast(result.dtype, out.dtype):
        raise OpError(f"{name}: a result of dtype {result.dtype} cannot be written into an out= of dtype {out.dtype}")
    if out.shape != result.shape:
        if out.array.size:
            raise OpError(
                f"{name}: expected out= of the shape {result.shape} of the result, or without elements, got {out.shape}"
            )
        out.array, out.alias = np.empty(result.shape, out.dtype), None
    if not out.array.flags.writeable or shared_places(out.array):
        raise RuntimeError(f"{name}: elements of out= share places in memory, as after expand(); write to a clone()")
    np.copyto(out.array, result.array, casting="unsafe")
    record_write(out.array, by=f"{name}(..., out=...)")
    return out


# The functions that take ``out=`` in PyTorch and are composed of ops; recorders take it themselves.
COMPOSED = (
    "add addbmm addcdiv addcmul addmm addmv addr all amax amin aminmax any argmax argmin baddbmm bernoulli "
    "bitwise_left_shift bitwise_not bitwise_right_shift bmm bucketize cat chain_matmul cholesky cholesky_inverse "
    "cholesky_solve clamp clamp_max clamp_min clip column_stack concat concatenate cond cross cummax cummin cumprod "
    "cumsum det diag diff div divide dot dstack eigh eigvalsh fix float_power floor floor_divide fmod frac gather ger "
    "histc hstack index_select inner inv inverse kron kthvalue ldexp lerp log_softmax logcumsumexp logit logsumexp "
    "lstsq masked_select matmul matrix_norm matrix_power matrix_rank max maximum mean median min minimum mm mode msort "
    "multi_dot multinomial mv mvlgamma nan_to_num nanmean nanmedian nanquantile nansum nonzero norm outer pinv "
    "polygamma pow prod qr quantile remainder renorm round row_stack searchsorted slogdet softmax solve "
    "solve_triangular sort stack std sub subtract sum svd svdvals take take_along_dim tensordot tensorinv tensorsolve "
    "topk tril triu true_divide trunc var vdot vecdot vector_norm vstack where"
)

# Constructors, which make what they write in the dtype of ``out=``.
CONSTRUCTORS = "arange empty eye full linspace logspace normal ones rand randint randn randperm zeros"


def accept(namespace: dict[str, Any]) -> None:
    """Let the functions of a public namespace take ``out=`` where PyTorch's do; the methods do not."""
    for names, form in ((COMPOSED, with_out), (CONSTRUCTORS, made_in_out)):
        for name in names.split():
            if name in namespace and not hasattr(namespace[name], "op"):
                namespace[name] = form(namespace[name])


def with_out(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with ``out=``."""

    @wraps(function)
    def call(*args: Any, out: Any = None, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        return result if out is None else put(out, result, function.__name__)

    return call


def made_in_out(function: Callable[..., Any]) -> Callable[..., Any]:
    """The constructor with ``out=``, which decides the dtype."""

    @wraps(function)
    def call(*args: Any, out: Any = None, dtype: Any = None, requires_grad: bool = False, **kwargs: Any) -> Any:
        if out is None:
            return function(*args, dtype=dtype, requires_grad=requires_grad, **kwargs)
        name = function.__name__
        if dtype is not None and isinstance(out, Tensor) and dtypes.as_dtype(dtype) != out.dtype:
            raise OpError(f"{name}: expected an out= of dtype {dtypes.as_dtype(dtype)}, got {out.dtype}")
        made = put(out, function(*args, dtype=getattr(out, "dtype", None), **kwargs), name)
        return made.requires_grad_() if requires_grad else made

    return call

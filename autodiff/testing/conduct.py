"""Properties beside the derivatives: what an op must leave alone, and what must not matter."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from autodiff.backward import backward, grad
from autodiff.tensor import Tensor, wrap
from autodiff.testing.broken import require
from autodiff.testing.drawing import Array, Case
from autodiff.testing.subject import Subject, leaves, live


def _cotangent(y: Tensor) -> Tensor:
    """Unequal numbers, none of them 1: a rule that forgets its `g` somewhere gives something else."""
    return wrap(np.linspace(1.5, 2.5, y.numel(), dtype=y.dtype).reshape(y.shape))


def _gradients(subject: Subject, case: Case, inputs: Sequence[Any], **options: Any) -> list[Any]:
    """The output, and the gradients of the live inputs; nothing if there is no derivative."""
    y = subject.apply(inputs, case.params)
    if not y.requires_grad:
        return []
    return [y, *grad(y, live(inputs), _cotangent(y), materialize_grads=True, **options)]


def _same(found: Sequence[Any], expected: Sequence[Any], what: str) -> None:
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a.array, b.array, err_msg=what)


def no_mutation_no_aliasing(subject: Subject, case: Case, rng: np.random.Generator) -> float | None:
    """Neither pass changes an input or the seed; gradients share no memory; runs are equal bit for bit.

    `backward` goes through the unrolled form of the pass, `grad` through the general one: both give the same bits.
    """
    before = [None if x is None else x.copy() for x in case.inputs]
    xs = leaves(case.inputs)
    y = subject.apply(xs, case.params)
    if not y.requires_grad:
        return None
    seed = _cotangent(y)
    backward(y, [seed])
    np.testing.assert_array_equal(seed.array, _cotangent(y).array, err_msg="backward changed its seed")
    for x, old in zip(case.inputs, before, strict=True):
        np.testing.assert_array_equal(x, old, err_msg="an input was changed")
    accumulated = [x.grad if x.grad is not None else wrap(np.zeros(x.shape)) for x in live(xs)]
    for _ in range(2):
        _same(_gradients(subject, case, leaves(case.inputs))[1:], accumulated, "two runs differ")
    arrays = [x.grad.array for x in live(xs) if x.grad is not None]
    others = [x for x in case.inputs if x is not None] + [seed.array, y.array]
    for i, array in enumerate(arrays):
        require(not any(np.shares_memory(array, other) for other in [*arrays[:i], *others]), "a gradient shares memory")
    return 0.0


def repeated_partial_accumulated(subject: Subject, case: Case, rng: np.random.Generator) -> float | None:
    """A gradient does not depend on who else wants one; the same tensor twice gets the sum; two passes accumulate."""
    full = _gradients(subject, case, leaves(case.inputs))[1:]
    floats = [i for i, x in enumerate(case.inputs) if x is not None and x.dtype.kind == "f"]
    if not full:
        return None
    for position, i in enumerate(floats):
        xs = [None if x is None else wrap(x) for x in case.inputs]
        xs[i] = wrap(case.inputs[i]).requires_grad_()
        _same(_gradients(subject, case, xs)[1:], full[position : position + 1], f"input {i} alone has another gradient")
    for i, j in pairwise(floats):
        if case.inputs[i].shape == case.inputs[j].shape and subject.kind == "elementwise":
            inputs = list(case.inputs)
            inputs[j] = inputs[i]
            apart = _gradients(subject, case, leaves(inputs))[1:]
            xs = leaves(inputs)
            xs[j] = xs[i]
            y = subject.apply(xs, case.params)
            (shared,) = grad(y, live(xs[i : i + 1]), _cotangent(y), materialize_grads=True)
            total = apart[floats.index(i)].array + apart[floats.index(j)].array
            np.testing.assert_allclose(shared.array, total, rtol=1e-12, atol=1e-12, err_msg="the same tensor twice")
    xs = leaves(case.inputs)
    for _ in range(2):
        y = subject.apply(xs, case.params)
        backward(y, [_cotangent(y)])
    twice = [wrap(2 * g.array) for g in full]
    accumulated = [x.grad if x.grad is not None else wrap(np.zeros(x.shape)) for x in live(xs)]
    _same(accumulated, twice, "two passes do not add up")
    return 0.0


def dtypes_stay(subject: Subject, case: Case, rng: np.random.Generator) -> float | None:
    """float32 in gives float32 out and back; so does float16 through elementwise ops."""
    if any(isinstance(value, np.dtype) for value in case.params.values()):
        return None
    for dtype in (np.dtype(np.float32), np.dtype(np.float16)):
        if dtype == np.float16 and subject.kind != "elementwise":
            continue
        inputs = [x.astype(dtype) if x is not None and x.dtype.kind == "f" else x for x in case.inputs]
        params = {k: v.astype(dtype) if isinstance(v, np.ndarray) and v.dtype.kind == "f" else v
                  for k, v in case.params.items()}  # fmt: skip
        # Large float64 values overflow in float16, and 0 * inf is not what is looked at here.
        with np.errstate(all="ignore"):
            found = _gradients(subject, Case(inputs, params), leaves(inputs))
        dtypes = {part.dtype for part in found}
        require(dtypes <= {dtype}, f"{dtype} in, {sorted(map(str, dtypes))} out and back")
    return 0.0


def _odd(x: Array) -> Array:
    """The same values in Fortran order with negative strides, read-only."""
    odd = np.flip(np.asfortranarray(np.flip(x.copy()))) if x.ndim else x.copy()
    odd.flags.writeable = False
    return odd


def layouts_do_not_matter(subject: Subject, case: Case, rng: np.random.Generator) -> float | None:
    """Strides and read-only memory do not matter; the raw and the recorded pass agree."""
    results = []
    for inputs in (case.inputs, [None if x is None else _odd(x) for x in case.inputs]):
        recorded = _gradients(subject, case, leaves(inputs), create_graph=True)
        raw = _gradients(subject, case, leaves(inputs))
        for a, b in zip(recorded, raw, strict=True):
            # The pass on tensors may multiply in another order than a fast form on arrays.
            np.testing.assert_allclose(a.array, b.array, rtol=1e-12, atol=1e-13, err_msg="raw and recorded pass differ")
        results.append(raw)
    for a, b in zip(*results, strict=True):
        # Another order of summation may round differently.
        np.testing.assert_allclose(a.array, b.array, rtol=1e-11, atol=1e-11, err_msg="the memory layout matters")
    return 0.0


def precision(subject: Subject, case: Case, rng: np.random.Generator) -> float | None:
    """What an elementwise op makes of float32 numbers differs little from what it makes of the same ones in float64.

    A formula that cancels, as log(1 + x) does for small x, loses many digits more. The figure is relative.
    """
    if subject.kind != "elementwise" or any(isinstance(value, np.dtype) for value in case.params.values()):
        return None
    singles = [x.astype(np.float32) if x is not None and x.dtype.kind == "f" else x for x in case.inputs]
    doubles = [x.astype(np.float64) if x is not None and x.dtype.kind == "f" else x for x in singles]
    rough, fine = (subject.apply(leaves(inputs), case.params).array for inputs in (singles, doubles))
    if rough.dtype != np.float32 or not rough.size:
        return None
    both = np.isfinite(rough) & np.isfinite(fine)
    # float32 ends at 1e38, and has fewer digits below 1e-38.
    worst = float(
        np.max(np.abs(rough - fine) / (np.abs(fine) + 1e-37), where=both & (np.abs(fine) < 1e37), initial=0.0)
    )
    # 16 times the rounding of float32: NumPy's own functions stay within 4, and an op may join a few of them.
    require(worst <= 16 * 2**-23, f"of float32 inputs the result is wrong by {worst:.1e}, relatively")
    return worst

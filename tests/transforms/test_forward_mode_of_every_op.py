"""Forward mode, derived from the kind of each op, against the complex step and against reverse mode."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autodiff as ad
import nn.testing
from autodiff.op import OPS
from autodiff.tensor import Tensor, wrap
from autodiff.testing.cases import case

assert nn.testing  # imported for the ops of nn and what is drawn for them
DIFFERENTIABLE = sorted(name for name, op in OPS.items() if op.differentiable)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_op(name: str) -> None:
    op = OPS[name]

    @settings(max_examples=25)
    @given(st.data(), st.integers(0, 2**32 - 1))
    def run(data: st.DataObject, seed: int) -> None:
        drawn = case(data.draw, op)
        rng = np.random.default_rng(seed)
        floats = [i for i, x in enumerate(drawn.inputs) if x is not None and x.dtype.kind == "f"]
        moving = [i for i in floats if len(floats) == 1 or rng.random() < 0.8]
        if not moving:
            return
        fixed: list[Any] = [None if x is None else wrap(np.asarray(x)) for x in drawn.inputs]

        def function(*xs: Tensor) -> Tensor:
            every = dict(zip(moving, xs, strict=True))
            return op.record(*[every.get(i, x) for i, x in enumerate(fixed)], **drawn.params)

        primals = tuple(fixed[i] for i in moving)
        tangents = tuple(wrap(rng.uniform(-1, 1, x.shape)) for x in primals)
        with np.errstate(all="ignore"):
            check(function, primals, tangents, op.analytic, rng)

    run()


def check(function: Any, primals: Any, tangents: Any, analytic: bool, rng: np.random.Generator) -> None:
    y, t = ad.func.jvp(function, primals, tangents)
    assert (t.shape, t.dtype, t.requires_grad, y.requires_grad) == (y.shape, y.dtype, False, False)
    u = wrap(rng.uniform(-1, 1, y.shape))
    everything = tuple(range(len(primals)))

    def pulled(*xs: Tensor) -> Tensor:
        """⟨Jᵀu, v⟩."""
        found = ad.func.vjp(function, *xs)[1](u)
        pairs = zip(found, tangents, strict=True)
        return sum(((g * v).sum() for g, v in pairs), start=ad.tensor(0.0, dtype=ad.float64))

    def pushed(*xs: Tensor) -> Tensor:
        """⟨u, Jv⟩."""
        return (u * ad.func.jvp(function, xs, tangents)[1]).sum()

    forward, backward = pushed(*primals).item(), pulled(*primals).item()
    size = 1 + float(np.abs(u.array * t.array).sum())
    # Some 1e5 roundings of the terms that are summed.
    assert abs(forward - backward) <= 1e-10 * size + 1e-9 * abs(backward) or not np.isfinite(backward)
    if analytic:
        moved = [wrap(x.array + 1e-100j * v.array) for x, v in zip(primals, tangents, strict=True)]
        exact = function(*moved).array.imag / 1e-100
        np.testing.assert_allclose(t.array, exact, rtol=1e-9, atol=1e-10 * size)
    # Both can be differentiated again, and then agree too.
    for a, b in zip(
        ad.func.grad(pushed, everything)(*primals), ad.func.grad(pulled, everything)(*primals), strict=True
    ):
        largest = float(np.abs(b.array).max(initial=1.0))
        if np.isfinite(largest):
            np.testing.assert_allclose(a.array, b.array, rtol=1e-7, atol=1e-8 * largest)

"""vmap over every module, with inputs and parameters that differ between samples or not, against a loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autodiff as ad
from autodiff.tensor import Tensor, wrap
from tests.nn.test_gradients import MODULES
from tests.transforms.test_vmap_of_every_op import SAMPLES, looped, same_as_a_loop


def several(x: Tensor, rng: np.random.Generator) -> Tensor:
    """Samples that move away from `x` less than from the kinks that are near it."""
    moved = x.array * (1 - 0.01 * rng.random((SAMPLES, *x.shape)))
    return wrap(moved.astype(x.dtype))


@pytest.mark.parametrize("name", MODULES)
def test_module(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The values, and the gradients by a vjp inside vmap."""
    in_a_loop = looped(monkeypatch)

    @settings(max_examples=6)
    @given(data=st.data(), seed=st.integers(0, 2**32 - 1))
    def run(data: st.DataObject, seed: int) -> None:
        module, moving, targets = MODULES[name](data.draw)
        module.double()
        rng = np.random.default_rng(seed)
        weights = dict(module.named_parameters())
        # Where the inputs differ, so do statistics that move.
        statistics = dict(module.named_buffers()) if hasattr(module, "running_mean") and module.training else {}
        given = [*moving, *weights.values()]
        axes: list[Any] = [data.draw(st.sampled_from([None, 0])) for _ in given] + [0 for _ in statistics]
        inputs = [
            x.detach() if axis is None else several(x, rng)
            for x, axis in zip([*given, *statistics.values()], axes, strict=True)
        ]
        if not any(axis == 0 for axis in axes):
            return

        def function(*xs: Tensor) -> Any:
            state = dict(zip([*weights, *statistics], xs[len(moving) :], strict=True))
            return ad.func.functional_call(module, state, (*xs[: len(moving)], *targets))

        def pulled(u: Tensor, *xs: Tensor) -> Any:
            more = xs[len(given) :]
            return ad.func.vjp(lambda *floats: function(*floats, *more), *xs[: len(given)])[1](u)

        y = same_as_a_loop(function, inputs, axes)
        same_as_a_loop(pulled, [wrap(rng.uniform(-1, 1, y.shape)), *inputs], [0, *axes])

    run()
    assert in_a_loop == set()

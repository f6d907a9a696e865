"""The loops that numba compiles: their formulas run here as Python; compiled they run where the extra is installed."""

from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

import autodiff as ad
import optim
from optim import compiled

MAKES: dict[str, Any] = {
    "Adam": lambda p, **o: optim.Adam(p, lr=0.1, weight_decay=0.1, **o),
    "AdamW": lambda p, **o: optim.AdamW(p, lr=0.1, maximize=True, **o),
    "SGD": lambda p, **o: optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.3, **o),
    "SGD, Nesterov": lambda p, **o: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, **o),
}
LOOPS: dict[str, Any] = {"adam": compiled._adam, "sgd": compiled._sgd}


def bits(make: Any, size: int, dtype: Any, **options: Any) -> list[bytes]:
    rng = np.random.default_rng(0)
    p = ad.from_numpy(rng.standard_normal(size).astype(dtype)).requires_grad_()
    optimizer = make([p], **options)
    for _ in range(3):
        p.grad = ad.from_numpy(rng.standard_normal(size).astype(dtype))
        optimizer.step()
    return [p.array.tobytes(), *(value.array.tobytes() for value in optimizer.state[p].values())]


@pytest.mark.parametrize("name", MAKES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_loops_give_the_bits_of_the_formulas(name: str, dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "LARGE", 1)
    used: list[str] = []
    monkeypatch.setattr(compiled, "_loop", lambda loop: used.append(loop) or LOOPS[loop])
    looped = bits(MAKES[name], 50, dtype)
    assert used
    used.clear()
    assert looped == bits(MAKES[name], 50, dtype, fused=False)
    assert not used


@pytest.mark.skipif(find_spec("numba") is None, reason="the extra accel is not installed")
@pytest.mark.parametrize("name", MAKES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_compiled_they_give_the_same_bits(name: str, dtype: Any) -> None:
    size = 2 * compiled.LARGE + 1
    assert bits(MAKES[name], size, dtype) == bits(MAKES[name], size, dtype, fused=False)

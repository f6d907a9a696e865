"""What special functions say when they are called wrongly, or without SciPy."""

from __future__ import annotations

import subprocess
import sys

import pytest

import autodiff as ad


def test_orders_and_dimensions() -> None:
    x = ad.tensor([1.0])
    with pytest.raises(ValueError, match="polygamma: expected an order n from 0, got -1"):
        ad.polygamma(-1, x)
    with pytest.raises(ValueError, match="mvlgamma: expected a dimension p from 1, got 0"):
        ad.mvlgamma(x, 0)


def test_inputs_that_are_no_tensors() -> None:
    for call in (ad.erf, ad.lgamma, ad.special.i0e):
        with pytest.raises(TypeError, match="expected a Tensor"):
            call([1.0])


@pytest.mark.parametrize("name", ["zeta", "gammainc", "gammaincc"])
def test_inputs_without_a_derivative(name: str) -> None:
    a = ad.tensor([2.5], requires_grad=True)
    with pytest.raises(RuntimeError, match=rf"{name} failed .*first input has no derivative here; detach\(\) it"):
        getattr(ad.special, name)(a, ad.tensor([1.0])).backward()


WITHOUT_SCIPY = """
import sys
sys.modules["scipy"] = None
import autodiff as ad
x = ad.tensor([0.5], requires_grad=True)
for name in ("erf", "erfc", "erfcx", "erfinv", "ndtr", "log_ndtr", "ndtri", "sinc", "logit", "entr"):
    getattr(ad.special, name)(x).backward()
try:
    ad.lgamma(x)
except RuntimeError as error:
    print(error)
"""


def test_what_needs_scipy_says_so_and_nothing_else_does() -> None:
    result = subprocess.run([sys.executable, "-c", WITHOUT_SCIPY], capture_output=True, text=True, check=True)
    assert 'lgamma: expected SciPy to be installed; run: pip install "autodiff-numpy[special]"' in result.stdout

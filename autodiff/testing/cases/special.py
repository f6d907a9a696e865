"""Special functions with params, and those composed of others."""

from __future__ import annotations

from hypothesis import strategies as st

from autodiff.testing.drawing import Strategy, one_input

CASES: dict[str, Strategy] = {
    "logit": one_input(lambda draw, shape: {"eps": draw(st.sampled_from([None, 1e-3]))}),
    "polygamma": one_input(lambda draw, shape: {"n": draw(st.integers(0, 2))}),
}
EXPRESSIONS: dict[str, tuple[str, ...]] = {
    "logit": ("ad.logit(x)", "ad.logit(x, eps=0.2)", "x.logit(0.1)"),
    "polygamma": ("ad.special.polygamma(0, x)", "ad.special.polygamma(2, x)", "x.polygamma(1)"),
    "expit": ("ad.special.expit(x)",),
    "gammaln": ("ad.special.gammaln(x)",),
    "psi": ("ad.special.psi(x)",),
    "multigammaln": ("ad.special.multigammaln(x, 1)", "ad.special.multigammaln(x + 1, 3)"),
    "mvlgamma": ("ad.mvlgamma(x, 1)", "(x + 1).mvlgamma(2)"),
}

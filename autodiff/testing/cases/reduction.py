"""Reductions, and softmax."""

from __future__ import annotations

import hypothesis.extra.numpy as hnp
import numpy as np
from hypothesis import strategies as st

from autodiff.op import Op
from autodiff.testing.drawing import (
    Case,
    Draw,
    Shape,
    Strategy,
    axes,
    inputs_for,
    one_axis,
    one_input,
    one_of,
    places,
    reduced,
    reduction,
    with_params,
)


def _spread(draw: Draw, op: Op) -> Case:
    """Variances of at least three entries, so that n - correction stays positive."""
    shape = (*draw(hnp.array_shapes(min_dims=0, max_dims=2, max_side=3)), draw(st.integers(3, 4)))
    chosen = tuple(sorted({*axes(draw, len(shape)), len(shape) - 1}))
    correction = draw(st.sampled_from([0, 1, 2]))
    params = {"axis": chosen, "keepdims": draw(st.booleans()), "correction": correction}
    return Case(inputs_for(draw, op, [shape]), params)


def _planted(value: float) -> Strategy:
    """Reductions in which `value` stands at some places, or none."""

    def build(draw: Draw, op: Op) -> Case:
        (x,), params = reduction()(draw, op)
        return Case([np.where(places(draw, x.shape), value, x)], params)

    return build


def _factors(draw: Draw, op: Op) -> Case:
    """Up to nine factors, of which none, one or several are 0."""
    m, n = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    shape: Shape = one_of(draw, [(), (m,), (m, n), (m, n)])
    (x,) = inputs_for(draw, op, [shape])
    return Case([np.where(places(draw, shape), 0.0, x)], reduced(draw, shape))


CASES: dict[str, Strategy] = {
    "sum": reduction(),
    "nansum": _planted(np.nan),
    "mean": reduction(),
    "prod": _factors,
    "amax": reduction(),
    "amin": reduction(),
    "logsumexp": reduction(),
    "var": _spread,
    "std": _spread,
    "softmax": one_input(one_axis, min_dims=1),
    "log_softmax": one_input(one_axis, min_dims=1),
    "median": with_params(),
    "nanmedian": with_params(),
}
# At 0.6 and 0.3 of the ranks no two ranks are equally near.
EXPRESSIONS: dict[str, tuple[str, ...]] = {
    "sum": ("ad.sum(x)", "ad.sum(s, (0, -1), True)"),
    "nansum": ("ad.nansum(x)", "ad.nansum((ad.where(mask, x, float('nan'))), 1)"),
    "mean": ("ad.mean(x)", "ad.mean(s, (0, -1), True)"),
    "nanmean": ("ad.nanmean(x)", "ad.nanmean((ad.where(mask, x, float('nan'))), 0)", "ad.nanmean(s, (0, -1), True)"),
    "prod": ("ad.prod(x)", "ad.prod(s, 1, True)", "ad.prod((x * mask), 0)"),
    "logsumexp": ("ad.logsumexp(x, 0)", "ad.logsumexp(s, (0, -1), True)"),
    "var": ("ad.var(x)", "ad.var(s, (0, -1), keepdim=True, correction=0)", "ad.var(x, False)"),
    "std": ("ad.std(x)", "ad.std(s, (0, -1), keepdim=True, correction=0)", "ad.std(x, False)"),
    "var_mean": ("ad.var_mean(x)", "ad.var_mean(s, (0, -1), keepdim=True, correction=0)", "ad.var_mean(x, False)"),
    "std_mean": ("ad.std_mean(x)", "ad.std_mean(s, (0, -1), keepdim=True, correction=0)", "ad.std_mean(x, False)"),
    "amax": ("ad.amax(x)", "ad.amax(s, (0, -1), True)"),
    "amin": ("ad.amin(x)", "ad.amin(s, (0, -1), True)"),
    "aminmax": ("ad.aminmax(x)", "ad.aminmax(s, dim=1, keepdim=True)"),
    "max": ("ad.max(x)", "ad.max(x, 0)", "ad.max(s, 1, True)", "ad.max(x, x.T * 1.01)"),
    "min": ("ad.min(x)", "ad.min(x, 0)", "ad.min(s, 1, True)", "ad.min(x, other=x.T * 1.01)"),
    "median": ("ad.median(s)", "ad.median(x, 0)", "ad.median(s, 1, True)"),
    "nanmedian": ("ad.nanmedian(s)", "ad.nanmedian(x, 0)", "ad.nanmedian((ad.where(mask, x, float('nan'))), 1, True)"),
    "mode": ("ad.mode(x)", "ad.mode(s, 1, True)"),
    "quantile": (
        "ad.quantile(x, 0.3)", "ad.quantile(s, ad.tensor([0.6, 0.3], dtype=ad.float64), 1, True)",
        "ad.quantile(v, v * 0.9)", "ad.quantile(x, 0.6, 0, interpolation='midpoint')",
        "ad.quantile(x, 0.6, 0, interpolation='nearest')", "ad.quantile(x, 0.6, interpolation='higher')",
        "ad.quantile(x, 0.6, interpolation='lower', keepdim=True)",
    ),
    "nanquantile": ("ad.nanquantile(x, 0.3)", "ad.nanquantile((ad.where(mask, x, float('nan'))), 0.6, 1)"),
    "norm": ("ad.norm(x)", "ad.norm(s, 3, 1)", "ad.norm(x, 'nuc')", "ad.norm(s, p=1, dim=(0, 2), keepdim=True)"),
    "renorm": ("ad.renorm(x, 2, 0, 0.5)", "ad.renorm(s, 1, 1, 0.1)", "ad.renorm(x, 3, 1, 100.0)"),
    "cov": (
        "ad.cov(x)", "ad.cov(v)", "ad.cov(x, correction=0, fweights=ad.tensor([1, 0, 3]))",
        "ad.cov(x, aweights=v)", "ad.cov(x, fweights=ad.tensor([1, 2, 3]), aweights=v)",
    ),
    "corrcoef": ("ad.corrcoef(x)", "ad.corrcoef((s[0]))"),
}  # fmt: skip
NOT_DIFFERENTIABLE = {
    "all", "any", "argmax", "argmin", "bincount", "count_nonzero", "histc", "histogram", "unique", "unique_consecutive",
}  # fmt: skip

"""What reductions say about bad input: what was expected, what came, what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import autodiff as ad

X = ad.arange(6.0).reshape(2, 3)
CASES: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "not a tensor": (lambda: ad.sum([1.0]), TypeError, "sum: expected a Tensor, got list.*ad.tensor"),
    "no such dim": (lambda: X.prod(2), IndexError, "expected -2 to 1 for a 2-d tensor, got 2"),
    "a dim twice": (lambda: X.sum((0, -2)), RuntimeError, "names an axis twice"),
    "mean of integers": (lambda: X.int().mean(), RuntimeError, "expected a floating-point tensor.*float()"),
    "both corrections": (lambda: X.var(0, True, correction=0), TypeError, "either unbiased or correction"),
    "keepdim alone": (lambda: ad.max(X, keepdim=True), TypeError, "only together with dim"),
    "nothing to choose": (lambda: X[:, :0].median(1), IndexError, r"at least one entry along dim 1.*\(2, 0\)"),
    "median of bools": (lambda: (X > 0).median(), TypeError, "got bools; convert"),
    "median of no integers": (lambda: ad.tensor([], dtype=ad.int64).median(), RuntimeError, "at least one integer"),
    "q beyond 1": (lambda: X.quantile(1.5), RuntimeError, "expected q from 0 to 1, got 1.5"),
    "q of another dtype": (lambda: X.quantile(ad.ones(1, dtype=ad.float64)), RuntimeError, "of dtype float32, got"),
    "interpolation": (lambda: X.quantile(0.5, interpolation="cubic"), ValueError, "linear, lower.*got 'cubic'"),
    "matrix norm": (lambda: X.norm("spectral"), RuntimeError, "'spectral'"),
    "norm of integers": (lambda: X.int().norm(), RuntimeError, "floating-point.*float()"),
    "empty slices": (lambda: X[:0].unique(dim=1), RuntimeError, r"not empty along dim 1, got shape \(0, 3\)"),
    "negative integers": (lambda: ad.tensor([-1]).bincount(), RuntimeError, "at least 0, got -1"),
    "floats to count": (lambda: X.bincount(), RuntimeError, "vector of integers.*long()"),
    "weights": (lambda: ad.tensor([1]).bincount(ad.ones(2)), RuntimeError, r"shape \(1,\) like the input, got \(2,\)"),
    "no bins": (lambda: X.histc(0), RuntimeError, "at least 1 bin, got 0"),
    "crossed limits": (lambda: X.histc(3, 2, 1), RuntimeError, "from the smaller to the larger number, got 2 to 1"),
    "infinite range": (lambda: (X / 0).histc(3), RuntimeError, "finite range"),
    "edges": (lambda: X.histogram(ad.tensor([2.0, 1.0])), RuntimeError, "ascending edges"),
    "dims of cov": (lambda: ad.ones(2, 2, 2).cov(), RuntimeError, "at most two dimensions"),
    "weights of cov": (lambda: X.cov(aweights=ad.ones(2)), RuntimeError, r"aweights of floating-point.*\(3,\)"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning", "ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("name", CASES)
def test_errors_say_what_was_expected(name: str) -> None:
    call, kind, words = CASES[name]
    with pytest.raises(kind, match=words):
        call()

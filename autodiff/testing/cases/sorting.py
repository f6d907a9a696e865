"""Sorting and searching."""

from __future__ import annotations

from autodiff.testing.drawing import Strategy

CASES: dict[str, Strategy] = {}
EXPRESSIONS = {
    "sort": ("ad.sort(x)", "ad.sort(s, 1, descending=True)"),
    "msort": ("ad.msort(x)",),
    "topk": ("ad.topk(x, 2)", "ad.topk(s, 1, 1, largest=False)"),
    "kthvalue": ("ad.kthvalue(x, 2)", "ad.kthvalue(s, 1, 0, keepdim=True)"),
}
NOT_DIFFERENTIABLE = {"argsort", "bucketize", "searchsorted"}

"""Bad input to scans, sorting and searching: each error says what was expected, what came, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import autodiff as ad
from autodiff.op import OpError

X = ad.ones(2, 3)
BAD: dict[str, tuple[Callable[[], Any], type[Exception], tuple[str, ...]]] = {
    "axis": (lambda: X.cumsum(2), IndexError, ("expected -2 to 1", "got 2")),
    "bool sums": (lambda: X.cumprod(0, dtype=ad.bool), TypeError, ("cumprod:", "expected dtype", "got bool")),
    "integers": (lambda: ad.arange(3).logcumsumexp(0), RuntimeError, ("logcumsumexp:", "int64", "x.float()")),
    "diff of a number": (lambda: ad.tensor(1.0).diff(), OpError, ("diff:", "at least one dimension", "float32 ()")),
    "negative differences": (lambda: X.diff(-1), OpError, ("diff:", "n >= 0", "n=-1")),
    "x and dx": (lambda: ad.trapezoid(X, X, dx=1), TypeError, ("trapezoid:", "x", "dx", "both")),
    "places": (lambda: ad.trapezoid(X, ad.ones(2)), OpError, ("trapezoid:", "each of 3 samples", "got 2")),
    "bool areas": (lambda: ad.cumulative_trapezoid(X > 0), RuntimeError, ("cumulative_trapezoid:", ".float()")),
    "area of a number": (lambda: ad.trapezoid(ad.tensor(1.0)), IndexError, ("trapezoid:", "0-d tensor")),
    "k of topk": (lambda: X.topk(4), OpError, ("topk:", "from 0 to 3", "(2, 3)", "got 4")),
    "k of kthvalue": (lambda: X.kthvalue(0), OpError, ("kthvalue:", "from 1 to 3", "(2, 3)", "got 0")),
    "topk of bools": (lambda: (X > 0).topk(1), RuntimeError, ("topk:", "bool", "x.int()")),
    "shapes": (lambda: ad.searchsorted(X, ad.ones(3, 4)), OpError, ("searchsorted:", "(2, 3)", "(3, 4)")),
    "side": (lambda: ad.searchsorted(X[0], X, side="top"), ValueError, ('"left" or "right"', "'top'")),
    "list": (lambda: ad.searchsorted(X[0], [1.0]), TypeError, ("searchsorted:", "list", "ad.tensor(...)")),
    "bools": (lambda: ad.searchsorted(X[0] > 0, X > 0), TypeError, ("searchsorted:", "bools", "x.int()")),
    "sorter": (lambda: ad.searchsorted(X[0], 1, sorter=ad.ones(3)), OpError, ("int64", "(3,)", "float32")),
    "sorter's range": (lambda: ad.searchsorted(X[0], 1, sorter=ad.tensor([0, 1, 3])), IndexError, ("0 to 2", "to 3")),
    "boundaries": (lambda: ad.bucketize(1.0, X), OpError, ("bucketize:", "(n,)", "(2, 3)")),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_explained(name: str) -> None:
    call, error, words = BAD[name]
    with pytest.raises(error) as caught:
        call()
    assert [word for word in words if word not in str(caught.value)] == []

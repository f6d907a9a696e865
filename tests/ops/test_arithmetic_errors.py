"""What arithmetic and selection refuse, and how they say so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import autodiff as ad

x, k, mask = ad.ones(3), ad.tensor([1, 2, 3]), ad.tensor([True, False, True])
CALLS: list[tuple[Callable[[], object], type[Exception], str]] = [
    (lambda: k.add(k, alpha=0.5), ValueError, "add: expected an integer alpha for a result of dtype int64, got 0.5"),
    (lambda: x.addcdiv(k, k), ValueError, r"addcdiv: expected a floating-point tensor1 or tensor2.*x\.float\(\)"),
    (lambda: x.lerp(x.double(), 0.5), ValueError, r"lerp: expected tensors of the same dtype; convert one of them"),
    (lambda: k.lerp(k, 0.5), RuntimeError, r"lerp: expected a floating-point tensor, got int64"),
    (lambda: k.round(decimals=1), ValueError, "round: expected a floating-point tensor for decimals=1, got int64"),
    (lambda: x.clamp(), ValueError, "clamp: expected min, max or both, got neither"),
    (lambda: ad.gradient(x[:1]), ValueError, r"gradient: expected at least 2 samples along dim 0, got shape \(1,\)"),
    (lambda: ad.gradient(x, spacing=(1, 2)), ValueError, "gradient: expected a spacing for each of 1 dim"),
    (lambda: ad.gradient(x, spacing=(x[:2],)), ValueError, "gradient: expected 3 coordinates along dim 0"),
    (lambda: ad.gradient(x, edge_order=3), ValueError, "gradient: expected edge_order 1 or 2, got 3"),
    (lambda: ad.where(mask, x), TypeError, "where: expected a condition alone, or with both input and other"),
    (lambda: ad.where(k, x, x), ValueError, "where: expected a condition of dtype bool.*use condition != 0"),
    (lambda: x.masked_fill(k, 0), ValueError, "masked_fill: expected a mask of dtype bool.*use mask != 0"),
    (lambda: x.masked_fill(mask, x), ValueError, r"masked_fill: expected a number or a 0-d tensor.*use where\(\)"),
    (lambda: k.to(ad.uint8).masked_fill(mask, 300), ValueError, "masked_fill: 300 is beyond the dtype uint8"),
    (lambda: x.masked_select(mask[:2]), ValueError, r"masked_select: a mask of shape \(2,\) does not broadcast"),
    (lambda: x.masked_scatter(mask, x[:1]), ValueError, r"expected a source of 2 elements or more, got shape \(1,\)"),
    (lambda: x.masked_scatter(mask, k), ValueError, "masked_scatter: expected a source of dtype float32, got int64"),
    (lambda: x.isclose(1.0), TypeError, r"isclose: expected a Tensor, got float 1.0; make one with ad.tensor"),
    (lambda: x.isclose(x, rtol=-1), ValueError, "isclose: expected tolerances of 0 or more, got rtol=-1"),
    (lambda: x.isclose(ad.ones(2)), ValueError, r"isclose: the shapes \(3,\) and \(2,\) do not broadcast"),
    (lambda: ad.isin(1, 2), TypeError, "isin: expected a Tensor, got int 1 and int 2"),
    (lambda: x.heaviside(k), ValueError, "heaviside: expected tensors of the same dtype"),
    (lambda: x << 1, TypeError, "bitwise_left_shift"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "message"), CALLS, ids=[message for *_, message in CALLS])
def test_errors(call: Callable[[], object], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call()

"""`detect_anomaly` beside PyTorch: when it raises, and the first sentence of the error."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch

import autodiff as ad

Case = Callable[[Any], Any]


def leaf(m: Any, *numbers: float) -> Any:
    return m.tensor(list(numbers), requires_grad=True)


CASES: dict[str, Case] = {
    "root of zero": lambda m: (leaf(m, 0.0, 1.0).sqrt() * m.tensor([0.0, 1.0])).sum(),
    "root below zero": lambda m: leaf(m, -1.0).sqrt().sum(),
    "logarithm": lambda m: (leaf(m, 0.0).log() * 0).sum(),
    "infinity only": lambda m: leaf(m, 0.0).sqrt().sum(),
    "healthy": lambda m: leaf(m, 1.0).sqrt().sum(),
    "division": lambda m: (leaf(m, 0.0) / leaf(m, 0.0)).sum(),
    "second operand": lambda m: (m.tensor([1.0]) / leaf(m, 0.0) * 0).sum(),
    "unselected branch": lambda m: (lambda x: m.where(x > 0, x.sqrt(), m.zeros(2)).sum())(leaf(m, 0.0, 4.0)),
    "exponential": lambda m: (leaf(m, 1000.0).exp() * 0).sum(),
}


def message(m: Any, case: Case, scope: Callable[[], Any]) -> str:
    anomaly = scope()
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        with anomaly:
            try:
                case(m).backward()
            except RuntimeError as error:
                return str(error).partition(". It was")[0].rstrip(".")
    return ""


@pytest.mark.filterwarnings("ignore:Anomaly Detection")
@pytest.mark.parametrize("name", CASES)
def test_the_error(name: str) -> None:
    case = CASES[name]
    assert message(ad, case, ad.autograd.detect_anomaly) == message(torch, case, torch.autograd.detect_anomaly)


@pytest.mark.filterwarnings("ignore:Anomaly Detection")
@pytest.mark.parametrize("mode", [(True,), (False,), (True, False), (True, True)])
def test_the_modes(mode: tuple[bool, ...]) -> None:
    case = CASES["root of zero"]
    expected = message(torch, case, lambda: torch.autograd.set_detect_anomaly(*mode))
    assert message(ad, case, lambda: ad.autograd.set_detect_anomaly(*mode)) == expected
    expected = message(torch, case, lambda: torch.autograd.detect_anomaly(check_nan=mode[-1]))
    assert message(ad, case, lambda: ad.autograd.detect_anomaly(check_nan=mode[-1])) == expected
    assert message(ad, case, nullcontext) == message(torch, case, nullcontext) == ""


@pytest.mark.filterwarnings("ignore:Anomaly Detection")
def test_inside_and_after_scopes() -> None:
    case = CASES["root of zero"]
    for m in (torch, ad):
        with m.autograd.detect_anomaly():
            with m.autograd.set_detect_anomaly(False):
                assert message(m, case, nullcontext) == ""
            assert message(m, case, nullcontext) != ""
        assert message(m, case, nullcontext) == ""

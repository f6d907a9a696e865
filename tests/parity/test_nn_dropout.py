"""Dropout beside PyTorch's: the same masks after the same seed, bit for bit."""

from typing import Any

import numpy as np
import pytest
import torch

import autodiff as ad
import nn
from nn import functional as F
from tests.parity.test_nn import DTYPES, assert_close, assert_same_gradients, pair

MODULES: list[tuple[str, tuple[int, ...]]] = [
    ("Dropout", (5, 7)),
    ("Dropout1d", (4, 5, 3)),
    ("Dropout1d", (9, 3)),
    ("Dropout2d", (4, 5, 3, 2)),
    ("Dropout2d", (4, 5, 3)),
    ("Dropout3d", (4, 5, 3, 2, 2)),
    ("Dropout3d", (9, 3, 2, 2)),
    ("AlphaDropout", (5, 7)),
    ("FeatureAlphaDropout", (4, 5, 3)),
    ("FeatureAlphaDropout", (4, 5)),
]


@pytest.mark.filterwarnings("ignore:dropout2d")  # PyTorch warns of (N, C, L)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize(("name", "shape"), MODULES)
def test_masks_values_and_gradients(name: str, shape: tuple[int, ...], p: float, dtype: str) -> None:
    """Twice, so that the generators are left in the same place too; then in evaluation mode."""
    ours, theirs = getattr(nn, name)(p), getattr(torch.nn, name)(p)
    assert repr(ours) == repr(theirs)
    ad.manual_seed(5)
    torch.manual_seed(5)
    for _ in range(2):
        x, torch_x = pair(np.random.default_rng(0).normal(size=shape).astype(dtype), grad=True)
        y, torch_y = ours(x), theirs(torch_x)
        if "Alpha" in name:
            # PyTorch rounds the sum of the shift in another order.
            assert_close(y, torch_y, dtype)
        else:
            np.testing.assert_array_equal(y.detach().numpy(), torch_y.detach().numpy())
        assert_same_gradients(y, torch_y, dtype, (x, torch_x))
    assert ad.rand(2).tolist() == torch.rand(2).tolist()
    assert ours.eval()(x) is x


@pytest.mark.filterwarnings("ignore:dropout2d")
@pytest.mark.parametrize("name", ["dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout",
                                  "feature_alpha_dropout"])  # fmt: skip
def test_functions(name: str) -> None:
    """By default those that keep the variance are off and the others on, as in PyTorch; written into the input."""
    shape = (4, 5, 3, 2) if name != "dropout1d" else (4, 5, 3)
    T = torch.nn.functional
    for options in (
        {},
        {"p": 0.3, "training": True},
        {"p": 0.3, "training": False},
        {"training": True, "inplace": True},
    ):
        x, torch_x = pair(np.random.default_rng(0).normal(size=shape).astype(np.float32))
        ad.manual_seed(2)
        torch.manual_seed(2)
        given: dict[str, Any] = dict(options)
        y = getattr(F, name)(x, **given)
        assert_close(y, getattr(T, name)(torch_x, **given), "float32")
        if "inplace" in options:
            assert y is x


@pytest.mark.parametrize(
    "call",
    [
        lambda lib, f: f.dropout1d(lib.ones(4), 0.5),
        lambda lib, f: f.feature_alpha_dropout(lib.ones(4), 0.5, True),
        lambda lib, f: f.dropout2d(lib.ones(4, 3, 2, 2), 1.5),
        lambda lib, f: f.alpha_dropout(lib.ones(4), -0.1, True),
        lambda lib, f: (nn if lib is ad else torch.nn).AlphaDropout(1.1),
    ],
)
def test_errors_in_both(call: Any) -> None:
    with pytest.raises((RuntimeError, ValueError)):
        call(torch, torch.nn.functional)
    with pytest.raises((RuntimeError, ValueError), match="expected"):
        call(ad, F)

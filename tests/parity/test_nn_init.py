"""Initialisers beside PyTorch's: the same values from the same seed, bit for bit."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import autodiff as ad
import nn

CALLS: dict[str, Callable[[Any, Any], Any]] = {
    "uniform_": lambda init, x: init.uniform_(x, -1.5, 0.5),
    "normal_": lambda init, x: init.normal_(x, 0.3, 2.0),
    "trunc_normal_": lambda init, x: init.trunc_normal_(x),
    "trunc_normal_ std 0.02": lambda init, x: init.trunc_normal_(x, std=0.02, a=-0.03, b=0.04),
    "trunc_normal_ far out": lambda init, x: init.trunc_normal_(x, 0.0, 1.0, 1.5, 2.5),
    "trunc_normal_ narrow": lambda init, x: init.trunc_normal_(x, 0.2, 5.0, -1.0, 1.0),
    "constant_": lambda init, x: init.constant_(x, 0.3),
    "ones_": lambda init, x: init.ones_(x),
    "zeros_": lambda init, x: init.zeros_(x),
    "eye_": lambda init, x: init.eye_(x),
    "xavier_uniform_": lambda init, x: init.xavier_uniform_(x, gain=1.7),
    "xavier_normal_": lambda init, x: init.xavier_normal_(x),
    "kaiming_uniform_": lambda init, x: init.kaiming_uniform_(x, math.sqrt(5)),
    "kaiming_normal_": lambda init, x: init.kaiming_normal_(x, mode="fan_out", nonlinearity="relu"),
    "sparse_": lambda init, x: init.sparse_(x, 0.3, std=0.1),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("shape", [(5, 3), (7, 11), (20, 30)])
def test_values(name: str, dtype: str, shape: tuple[int, ...]) -> None:
    ad.manual_seed(3)
    torch.manual_seed(3)
    ours = CALLS[name](nn.init, ad.empty(shape, dtype=getattr(ad, dtype)))
    theirs = CALLS[name](torch.nn.init, torch.empty(shape, dtype=getattr(torch, dtype)))
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    # As many numbers have been drawn.
    assert ad.rand(1).item() == torch.rand(1).item()


@pytest.mark.parametrize("args", [(), (0.0, 1.0, 1.5, 2.5)])
def test_a_generator_of_one_s_own(args: tuple[float, ...]) -> None:
    ours = nn.init.trunc_normal_(ad.empty(50), *args, generator=ad.Generator().manual_seed(5))
    theirs = torch.nn.init.trunc_normal_(torch.empty(50), *args, generator=torch.Generator().manual_seed(5))
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


@pytest.mark.parametrize("shape", [(4, 4), (3, 7), (8, 2), (4, 3, 2, 2), (1, 5), (0, 3)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    ad.manual_seed(1)
    torch.manual_seed(1)
    ours, theirs = nn.init.orthogonal_(ad.empty(shape), 1.5), torch.nn.init.orthogonal_(torch.empty(shape), 1.5)
    # Q is found to rounding: by other libraries, in other blocks.
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=0, atol=2e-6)


@pytest.mark.parametrize("shape", [(3, 16, 5), (4, 2, 3, 4), (6, 3, 3, 3, 2)])
@pytest.mark.parametrize("groups", [1, 2])
def test_dirac(shape: tuple[int, ...], groups: int) -> None:
    if shape[0] % groups:
        for lib, x in ((nn, ad.empty(shape)), (torch.nn, torch.empty(shape))):
            with pytest.raises(ValueError, match="groups"):
                lib.init.dirac_(x, groups)
        return
    ours, theirs = nn.init.dirac_(ad.empty(shape), groups), torch.nn.init.dirac_(torch.empty(shape), groups)
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


@pytest.mark.parametrize(
    "wrong",
    [
        lambda init, e: init.eye_(e(3)),
        lambda init, e: init.dirac_(e(3, 3)),
        lambda init, e: init.xavier_normal_(e(3)),
        lambda init, e: init.kaiming_normal_(e(3, 2), mode="fan"),
        lambda init, e: init.orthogonal_(e(3)),
        lambda init, e: init.sparse_(e(3), 0.1),
        lambda init, e: init.calculate_gain("swish"),
        lambda init, e: init.calculate_gain("leaky_relu", True),
    ],
)
def test_errors(wrong: Callable[[Any, Any], Any]) -> None:
    for init, empty in ((nn.init, ad.empty), (torch.nn.init, torch.empty)):
        with pytest.raises(ValueError, match=r"."):
            wrong(init, empty)


def test_every_public_name_of_pytorch_is_there() -> None:
    assert not [name for name in torch.nn.init.__all__ if not hasattr(nn.init, name)]


def test_old_names_warn() -> None:
    for init, x in ((nn.init, ad.empty(2, 2)), (torch.nn.init, torch.empty(2, 2))):
        with pytest.warns(FutureWarning, match="deprecated"):
            assert init.constant(x, 2.0).tolist() == [[2.0, 2.0], [2.0, 2.0]]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            init.trunc_normal_(x, mean=10.0, a=11.9, b=12.0)
            init.trunc_normal_(x, mean=9.0, a=11.9, b=12.0)
        assert len(caught) == 1

"""Files of weights exchanged with PyTorch, in both directions."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import autodiff as ad
import nn


def make_models() -> tuple[nn.Module, torch.nn.Module]:
    ours, theirs = (
        (net.Sequential(net.Linear(6, 4), net.BatchNorm1d(4), net.ReLU(), net.Linear(4, 3))) for net in (nn, torch.nn)
    )
    return ours, theirs


def assert_same_answers(ours: nn.Module, theirs: torch.nn.Module) -> None:
    x = np.random.default_rng(0).standard_normal((5, 6)).astype(np.float32)
    with ad.no_grad(), torch.no_grad():
        # The two sum in another order: a few units in the last place of float32, 1.2e-7 each.
        np.testing.assert_allclose(ours.eval()(ad.tensor(x)).numpy(), theirs.eval()(torch.tensor(x)).numpy(), atol=1e-6)


def test_pytorch_loads_what_we_save(tmp_path: Path) -> None:
    ours, theirs = make_models()
    ours(ad.randn(8, 6))
    ad.save(ours.state_dict(), tmp_path / "model.safetensors")
    theirs.load_state_dict(load_file(tmp_path / "model.safetensors"))
    assert_same_answers(ours, theirs)


def test_we_load_what_pytorch_saves(tmp_path: Path) -> None:
    ours, theirs = make_models()
    theirs(torch.randn(8, 6))
    save_file(theirs.state_dict(), tmp_path / "model.safetensors")
    ours.load_state_dict(ad.load(tmp_path / "model.safetensors"))
    assert_same_answers(ours, theirs)


def test_numbers_that_numpy_lacks_are_an_error(tmp_path: Path) -> None:
    save_file({"x": torch.ones(2, dtype=torch.bfloat16)}, tmp_path / "x.safetensors")
    with pytest.raises(TypeError, match=r"bfloat16.*convert them to float32"):
        ad.load(tmp_path / "x.safetensors")

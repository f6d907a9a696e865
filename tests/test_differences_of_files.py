"""Rows of docs/differences.md about data and files: what happens here."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import autodiff as ad
import nn
from autodiff.data import ConcatDataset, DataLoader, TensorDataset
from autodiff.serialization.bfloat16 import widened
from tests.test_damaged_files import legacy, load, name, zipped


def saved(state: Any) -> bytes:
    file = io.BytesIO()
    ad.save(state, file)
    return file.getvalue()


def test_errors_of_data_sets() -> None:
    with pytest.raises(ValueError, match="one length"):
        TensorDataset(ad.ones(2), ad.ones(3))
    with pytest.raises(ValueError, match="at least one dataset"):
        ConcatDataset([])
    with pytest.raises(ValueError, match="prefetch_factor to be at least 1"):
        DataLoader([1], num_workers=1, prefetch_factor=0)


def test_warnings_of_loaders() -> None:
    assert len(list(DataLoader([1, 2], pin_memory=True))) == 2
    DataLoader([1, 2], num_workers=1000)


def test_code_in_files() -> None:
    with pytest.raises(ValueError, match=r"asks for builtins\.print"):
        ad.load(io.BytesIO(zipped(b"\x80\x02" + name("builtins.print") + b")R.")), weights_only=False)


def test_objects_in_files() -> None:
    with pytest.raises(TypeError, match="a Linear is no part of a state; save its state_dict"):
        saved(nn.Linear(1, 1))


def test_parameters_in_files() -> None:
    found = load(saved(nn.Parameter(ad.ones(2))))
    assert type(found) is ad.Tensor
    assert found.requires_grad


def test_bfloat16_in_files() -> None:
    assert widened(np.array([0x3F80], np.uint16)).dtype == ad.float32


def test_devices_in_files() -> None:
    on_gpu = legacy().replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0")
    assert on_gpu != legacy()
    assert load(on_gpu)["row"].tolist() == [4, 5, 6, 7]


def test_views_in_files() -> None:
    assert len(saved(ad.zeros(100_000)[:10])) < 2000


def test_suffix_of_files(tmp_path: Path) -> None:
    ad.save({"x": ad.ones(2)}, tmp_path / "x.safetensors")
    assert load_file(tmp_path / "x.safetensors")["x"].tolist() == [1, 1]

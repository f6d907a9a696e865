"""Rows of docs/differences.md about data and files: what PyTorch does."""

import io
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import ConcatDataset, DataLoader, TensorDataset

from tests.test_damaged_files import legacy, name, zipped


def saved(state: Any) -> bytes:
    file = io.BytesIO()
    torch.save(state, file)
    return file.getvalue()


# Of PyTorch: the iterator that was not made is torn down, too.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_errors_of_data_sets() -> None:
    with pytest.raises(AssertionError):
        TensorDataset(torch.ones(2), torch.ones(3))
    with pytest.raises(AssertionError):
        ConcatDataset([])
    loader = DataLoader([1], num_workers=1, prefetch_factor=0)
    with pytest.raises(AssertionError):
        list(loader)


def test_warnings_of_loaders() -> None:
    with pytest.warns(UserWarning, match="no accelerator is found"):
        list(DataLoader([1, 2], pin_memory=True))
    with pytest.warns(UserWarning, match="1000 worker processes"):
        DataLoader([1, 2], num_workers=1000)


def test_code_in_files(capsys: pytest.CaptureFixture[str]) -> None:
    entries = {"x/version": b"3\n", "x/byteorder": b"little"}
    body = b"\x80\x02" + name("builtins.print") + b"X\x08\x00\x00\x00executed\x85R."
    torch.load(io.BytesIO(zipped(body, **entries)), weights_only=False)
    assert capsys.readouterr().out == "executed\n"


def test_objects_in_files() -> None:
    found = torch.load(io.BytesIO(saved(torch.nn.Linear(1, 1))), weights_only=False)
    assert isinstance(found, torch.nn.Linear)


def test_parameters_in_files() -> None:
    assert type(torch.load(io.BytesIO(saved(torch.nn.Parameter(torch.ones(2)))))) is torch.nn.Parameter


def test_bfloat16_in_files() -> None:
    assert torch.load(io.BytesIO(saved(torch.ones(2, dtype=torch.bfloat16)))).dtype == torch.bfloat16


def test_devices_in_files() -> None:
    on_gpu = legacy().replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0")
    with pytest.raises(RuntimeError, match="CUDA device"):
        torch.load(io.BytesIO(on_gpu))


def test_views_in_files() -> None:
    assert len(saved(torch.zeros(100_000)[:10])) > 400_000


def test_suffix_of_files(tmp_path: Path) -> None:
    torch.save({"x": torch.ones(2)}, tmp_path / "x.safetensors")
    assert (tmp_path / "x.safetensors").read_bytes().startswith(b"PK")

"""States of every kind, in both formats: what is saved comes back, with its types, its order and its sharing."""

import io
import math
import tarfile
from collections import OrderedDict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file

import autodiff as ad
import nn
import optim

SUFFIXES = ["safetensors", "pt"]


def plain(value: Any) -> Any:
    """A state with tensors as what they are made of, and numbers as what tells 1, 1.0 and True apart."""
    if isinstance(value, ad.Tensor):
        return "tensor", str(value.dtype), value.shape, value.detach().numpy().tobytes()
    if isinstance(value, dict):
        return type(value), [(plain(key), plain(entry)) for key, entry in value.items()]
    if isinstance(value, list | tuple):
        return type(value), [plain(entry) for entry in value]
    return type(value), repr(value)


def there_and_back(state: Any, suffix: str) -> Any:
    if suffix == "pt":
        file = io.BytesIO()
        ad.save(state, file)
        return ad.load(io.BytesIO(file.getvalue()))
    with TemporaryDirectory() as folder:
        ad.save(state, f"{folder}/state.safetensors")
        return ad.load(f"{folder}/state.safetensors")


numbers = st.booleans() | st.integers() | st.floats() | st.none()
texts = st.text(max_size=5)
keys = texts | st.integers() | st.none() | st.floats(allow_nan=False) | st.tuples(texts, st.integers())
tensors = st.builds(
    lambda shape, dtype: ad.arange(math.prod(shape)).reshape(shape).to(dtype),
    st.lists(st.integers(0, 3), max_size=3).map(tuple),
    st.sampled_from([ad.float32, ad.float64, ad.float16, ad.int64, ad.int8, ad.uint8, ad.bool]),
)
leaves = numbers | texts | tensors | st.just(ad.float32)
states = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(keys, inner, max_size=4)
        | st.dictionaries(keys, inner, max_size=4).map(OrderedDict)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(states)
def test_every_state_comes_back(suffix: str, state: Any) -> None:
    assert plain(there_and_back(state, suffix)) == plain(state)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop"])
def test_a_training_that_is_resumed_goes_on_as_if_it_had_not_stopped(name: str, suffix: str) -> None:
    def start() -> Any:
        ad.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
        optimizer = getattr(optim, name)(model.parameters(), lr=0.01)
        return model, optimizer, optim.lr_scheduler.StepLR(optimizer, 2)

    def run(parts: Any, steps: range) -> list[float]:
        model, optimizer, schedule = parts
        losses = []
        for step in steps:
            x = ad.randn(6, 3, generator=ad.Generator().manual_seed(step))
            optimizer.zero_grad()
            loss = model(x).square().mean()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        return losses

    parts = start()
    run(parts, range(3))
    checkpoint = there_and_back([part.state_dict() for part in parts], suffix)
    resumed = start()
    for part, state in zip(resumed, checkpoint, strict=True):
        part.load_state_dict(state)
    assert run(resumed, range(3, 7)) == run(parts, range(3, 7))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_memory_stays_the_same(suffix: str) -> None:
    x = ad.zeros(2, 3)
    found = there_and_back({"a": x, "b": [x.detach()], "c": x.clone()}, suffix)
    found["a"][0, 0] = 1
    assert found["b"][0][0, 0] == 1
    assert found["c"][0, 0] == 0


def test_other_readers_find_every_tensor_by_its_place(tmp_path: Path) -> None:
    x = ad.arange(3)
    ad.save({"net": {"w": x, "tied": x}, "all": [x + 1], "epoch": 3}, tmp_path / "x.safetensors")
    found = load_file(tmp_path / "x.safetensors")
    assert {name: array.tolist() for name, array in found.items()} == {
        "net.w": [0, 1, 2],
        "net.tied": [0, 1, 2],
        "all.0": [1, 2, 3],
    }


def test_places_that_are_spelt_alike_do_not_collide() -> None:
    state = {"a": {"b": ad.tensor(1)}, "a.b": ad.tensor(2), 1: ad.tensor(3), "1": ad.tensor(4)}
    assert plain(there_and_back(state, "safetensors")) == plain(state)


def test_the_tree_is_json_in_the_metadata(tmp_path: Path) -> None:
    ad.save({"x": ad.ones(1), 1: (float("nan"), ad.int8)}, tmp_path / "x.safetensors")
    with safe_open(tmp_path / "x.safetensors", "np") as file:
        tree = file.metadata()["autodiff.tree"]
    assert tree == '{"dict": [["x", {"tensor": "x"}], [1, {"tuple": [{"float": "nan"}, {"dtype": "int8"}]}]]}'


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_numbers_of_numpy_become_numbers(suffix: str) -> None:
    found = there_and_back([np.float32(0.5), np.int64(3), np.bool_(True), np.float64("inf")], suffix)
    assert [(type(value), value) for value in found] == [(float, 0.5), (int, 3), (bool, True), (float, math.inf)]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_content_says_which_format_it_is(suffix: str, tmp_path: Path) -> None:
    ad.save({"x": ad.ones(2)}, tmp_path / f"x.{suffix}")
    (tmp_path / f"x.{suffix}").rename(tmp_path / "weights")
    assert ad.load(tmp_path / "weights")["x"].tolist() == [1, 1]
    with (tmp_path / "weights").open("rb") as file:
        assert ad.load(file)["x"].tolist() == [1, 1]


def test_tensors_that_require_grad_do_so_again_in_pytorchs_format() -> None:
    x, y = there_and_back([ad.ones(2, requires_grad=True), ad.ones(2, requires_grad=True) * 2], "pt")
    assert (x.requires_grad, x.is_leaf, y.requires_grad, y.is_leaf) == (True, True, True, True)


def test_options_of_loading() -> None:
    file = io.BytesIO()
    ad.save(ad.ones(2), file)
    for location in ("cpu", lambda storage, location: storage, {"cuda:0": "cpu"}, None):
        assert ad.load(io.BytesIO(file.getvalue()), location, weights_only=False, mmap=True).tolist() == [1, 1]
    with pytest.raises(RuntimeError, match=r"cpu.*cuda"):
        ad.load(io.BytesIO(file.getvalue()), map_location="cuda:0")


def test_what_is_no_file_is_refused() -> None:
    with pytest.raises(TypeError, match="expected a file name or an open file, got int"):
        ad.load(5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="expected a file name or an open file, got dict"):
        ad.save("x.pt", {})  # type: ignore[arg-type]


def test_a_tar_archive_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.pth", "w") as archive:
        archive.addfile(tarfile.TarInfo("storages"))
    with pytest.raises(ValueError, match="is a tar archive, PyTorch's format of 2016"):
        ad.load(tmp_path / "x.pth")

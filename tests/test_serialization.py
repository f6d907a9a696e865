"""Files of tensors: written whole or not at all, and read back bit for bit, by safetensors' own reader too."""

import resource
from collections import OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import autodiff as ad
import nn

DTYPES = (ad.float16, ad.float32, ad.float64, ad.uint8, ad.int8, ad.int16, ad.int32, ad.int64, ad.bool)


def assert_same(loaded: dict[str, Any], expected: dict[str, ad.Tensor]) -> None:
    assert loaded.keys() == expected.keys()
    for name, tensor in expected.items():
        array = np.asarray(loaded[name])
        assert array.dtype == tensor.dtype, name
        assert array.shape == tensor.shape, name
        assert array.tobytes() == tensor.detach().numpy().tobytes(), name


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_values_shapes_and_dtypes_come_back(dtype: np.dtype, tmp_path: Path) -> None:
    state = {name: ad.ones(*shape).to(dtype) for name, shape in {"a.b": (2, 3), "": (1,), "empty": (0, 4)}.items()}
    state["scalar"] = ad.tensor(1).to(dtype)
    ad.save(state, tmp_path / "state.safetensors")
    assert_same(ad.load(tmp_path / "state.safetensors"), state)
    assert_same(load_file(tmp_path / "state.safetensors"), state)


def test_special_values_come_back_bit_for_bit(tmp_path: Path) -> None:
    state = {"x": ad.tensor([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45])}
    ad.save(state, str(tmp_path / "state.safetensors"))
    assert_same(ad.load(str(tmp_path / "state.safetensors")), state)


@pytest.mark.parametrize(
    "arrange",
    [
        lambda x: x.T,
        lambda x: x[::-1],
        lambda x: x[:, ::2],
        lambda x: np.asfortranarray(x),
        lambda x: np.broadcast_to(x[0], (5, 4)),
        lambda x: x[1:, 1:],
    ],
    ids=["transposed", "reversed", "every second", "Fortran", "broadcast", "part"],
)
def test_any_layout_in_memory_is_written_right(arrange: Any, tmp_path: Path) -> None:
    array = arrange(np.arange(12.0).reshape(3, 4))
    assert not array.flags.c_contiguous
    ad.save({"x": ad.from_numpy(array)}, tmp_path / "state.safetensors")
    np.testing.assert_array_equal(ad.load(tmp_path / "state.safetensors")["x"].numpy(), array, strict=True)
    np.testing.assert_array_equal(load_file(tmp_path / "state.safetensors")["x"], array, strict=True)


def test_a_model_comes_back_with_its_running_averages(tmp_path: Path) -> None:
    def make_model() -> nn.Module:
        return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 2))

    model, other = make_model(), make_model()
    model(ad.randn(5, 4))
    ad.save(model.state_dict(), tmp_path / "model.safetensors")
    other.load_state_dict(ad.load(tmp_path / "model.safetensors"))
    assert_same(other.state_dict(), model.state_dict())
    x = ad.randn(5, 4)
    assert other.eval()(x).equal(model.eval()(x))


def test_parameters_are_saved_and_load_as_plain_tensors(tmp_path: Path) -> None:
    parameters = dict(nn.Linear(2, 3).named_parameters())
    ad.save(OrderedDict(parameters), tmp_path / "parameters.safetensors")
    loaded = ad.load(tmp_path / "parameters.safetensors")
    assert_same(loaded, dict(parameters))
    assert not any(tensor.requires_grad for tensor in loaded.values())


def test_loaded_tensors_can_be_written_to(tmp_path: Path) -> None:
    ad.save({"x": ad.ones(2)}, tmp_path / "x.safetensors")
    x = ad.load(tmp_path / "x.safetensors")["x"]
    x += 1
    assert x.tolist() == [2.0, 2.0]


def test_a_file_is_replaced_and_has_ordinary_permissions(tmp_path: Path) -> None:
    path, plain = tmp_path / "x.safetensors", tmp_path / "plain"
    plain.touch()
    for value in (1.0, 2.0):
        ad.save({"x": ad.tensor(value)}, path)
    assert ad.load(path)["x"].item() == 2.0
    assert sorted(tmp_path.iterdir()) == [plain, path]
    assert path.stat().st_mode == plain.stat().st_mode


def refuse_to_rename(self: Path, target: Path) -> None:
    raise OSError("No space left on device")


@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
def test_what_cannot_be_renamed_leaves_the_old_file_and_nothing_else(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"x.{suffix}"
    ad.save({"x": ad.tensor(1.0)}, path)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", refuse_to_rename)
        with pytest.raises(OSError, match="No space left"):
            ad.save({"x": ad.tensor(2.0)}, path)
    assert ad.load(path)["x"].item() == 1.0
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
def test_what_fails_half_way_leaves_the_old_file_and_nothing_else(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"x.{suffix}"
    ad.save({"x": ad.tensor(1.0)}, path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            ad.save({"x": ad.zeros(2**16)}, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert ad.load(path)["x"].item() == 1.0
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
@pytest.mark.parametrize(
    ("state", "error", "message"),
    [
        (nn.Linear(1, 1), TypeError, r"a Linear is no part of a state; save its state_dict\(\)"),
        ({"net": [nn.Linear(1, 1)]}, TypeError, r"a Linear at net\.0 is no part of a state; save its state_dict\(\)"),
        ({"x": np.ones(2)}, TypeError, r"a ndarray at x is no part .*; save from_numpy of this array of shape \(2,\)"),
        ({"x": defaultdict(list)}, TypeError, "a defaultdict at x .* save a plain dict"),
        ({"x": open}, TypeError, "a builtin_function_or_method at x is no part"),
        ({"x": 1j}, TypeError, "a complex at x is no part"),
        ({frozenset(): 1}, TypeError, "key"),
    ],
)
def test_states_that_do_not_fit_are_refused(
    state: Any, error: type[Exception], message: str, suffix: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        ad.save(state, tmp_path / f"x.{suffix}")
    assert not list(tmp_path.iterdir())


def test_the_reserved_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'__metadata__' is reserved"):
        ad.save({"__metadata__": ad.ones(2)}, tmp_path / "x.safetensors")


@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
def test_a_list_inside_itself_is_refused(suffix: str, tmp_path: Path) -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(ValueError, match="inside more than 200 containers, or a container in itself"):
        ad.save(endless, tmp_path / f"x.{suffix}")


def test_missing_folders_and_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"folder .*absent does not exist; make it"):
        ad.save({"x": ad.ones(2)}, tmp_path / "absent" / "x.safetensors")
    with pytest.raises(FileNotFoundError, match=r"x\.safetensors"):
        ad.load(tmp_path / "x.safetensors")


@pytest.mark.parametrize("kept", [0, 5, 20, -1])
def test_half_a_file_is_an_error_that_names_it(kept: int, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    ad.save({"x": ad.ones(2)}, path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"x\.safetensors is not a complete safetensors file .*save it again"):
        ad.load(path)


def test_dtypes_that_the_engine_lacks_are_named(tmp_path: Path) -> None:
    save_file({"x": np.ones(2, np.uint32)}, tmp_path / "x.safetensors")
    with pytest.raises(TypeError, match="uint32"):
        ad.load(tmp_path / "x.safetensors")

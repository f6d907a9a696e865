"""Files of weights and checkpoints exchanged with PyTorch, in both directions and in every format."""

import io
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings

import autodiff as ad
import nn
import optim
from tests.test_checkpoints import plain as in_detail
from tests.test_checkpoints import states

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]
SUFFIXES = ["safetensors", "pt"]


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


def plain(value: Any) -> Any:
    """A state with tensors as what they are made of, so that both sides compare."""
    if isinstance(value, ad.Tensor | torch.Tensor):
        array = value.detach().numpy()
        steps = value.stride() if array.size else None  # which nothing depends on
        return "tensor", str(array.dtype), array.shape, array.tobytes(), steps, value.requires_grad
    if isinstance(value, dict):
        return type(value), [(key, plain(entry)) for key, entry in value.items()]
    if isinstance(value, torch.dtype | np.dtype):
        return str(value).removeprefix("torch.")
    if isinstance(value, list | tuple):
        return list if isinstance(value, list) else tuple, [plain(entry) for entry in value]
    return type(value), repr(value)


def saved_by_torch(state: Any, legacy: bool, protocol: int = 2) -> io.BytesIO:
    file = io.BytesIO()
    torch.save(state, file, _use_new_zipfile_serialization=not legacy, pickle_protocol=protocol)
    file.seek(0)
    return file


def saved_by_us(state: Any) -> io.BytesIO:
    file = io.BytesIO()
    ad.save(state, file)
    file.seek(0)
    return file


def state(m: Any) -> Any:
    """A checkpoint with everything in it that both sides can save."""
    matrix = m.arange(12.0).reshape(3, 4)
    return {
        "dtypes": [m.arange(5).to(getattr(m, dtype)) for dtype in DTYPES],
        "views": (matrix, matrix.t(), matrix[1], matrix[:, 1:3], matrix[1:2].expand(5, 4), matrix[::2]),
        "shapes": [m.tensor(1.5), m.zeros(0), m.zeros(2, 0, 3), m.ones(1, 1)],
        "grads": [m.ones(2, requires_grad=True), m.ones(2)],
        "special": m.tensor([float("inf"), float("nan"), -0.0, 1e-45]),
        "ordered": OrderedDict([("b", m.ones(1)), ("a", OrderedDict())]),
        "numbers": [0, -1, 255, 65536, 2**31, -(2**31), 2**40, -(2**70), 2**2100, True, False, None],
        "floats": [0.1, -0.0, float("inf"), 1e300],
        "texts": ["", "é", "\n", "x" * 300, {"nested": {1: [2, (3, ())], 0.5: {}, None: [[]], (1, "a"): 1}}],
        "dtype": m.float32,
        7: "an int as a key",
    }


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_we_read_what_pytorch_saves(legacy: bool, protocol: int) -> None:
    theirs = state(torch)
    theirs["size"], theirs["bytes"], theirs["set"] = theirs["dtypes"][0].shape, [b"a\xff", b""], {1, 2}
    found = ad.load(saved_by_torch(theirs, legacy, protocol))
    assert type(found["size"]) is tuple
    assert plain(found) == plain(theirs)


def test_pytorch_reads_what_we_save() -> None:
    ours = state(ad)
    # Of a number of more than 255 bytes PyTorch's reader does not know the opcode.
    ours["numbers"].remove(2**2100)
    found = torch.load(saved_by_us(ours), weights_only=True)
    assert plain(found) == plain(ours) == plain(ad.load(saved_by_us(ours)))


@pytest.mark.parametrize("legacy", [False, True])
def test_memory_that_was_shared_is_shared_when_read(legacy: bool) -> None:
    def check(first: Any, row: Any, again: Any, column: Any) -> None:
        first[1, 0] = 7.0
        assert row[0] == again[1, 0] == column[1] == 7.0
        assert again is first

    matrix = torch.zeros(3, 4)
    check(*ad.load(saved_by_torch([matrix, matrix[1], matrix, matrix[:, 0]], legacy)))
    ours = ad.zeros(3, 4)
    check(*torch.load(saved_by_us([ours, ours[1], ours, ours[:, 0]]), weights_only=True))


def test_a_part_of_a_large_tensor_is_saved_alone() -> None:
    assert len(saved_by_us(ad.zeros(1_000_000)[500:510]).getvalue()) < 2000


@pytest.mark.parametrize("array", [np.arange(6)[::-1], np.arange(12.0).reshape(3, 4).T[::-1, 1:], np.zeros((2, 3))[:0]])
def test_any_layout_is_read_by_pytorch(array: Any) -> None:
    found = torch.load(saved_by_us(ad.from_numpy(array)), weights_only=True).numpy()
    np.testing.assert_array_equal(found, array, strict=True)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_pytorch_loads_the_model_we_save(suffix: str, tmp_path: Path) -> None:
    ours, theirs = make_models()
    ours(ad.randn(8, 6))
    path = tmp_path / f"model.{suffix}"
    ad.save(ours.state_dict(), path)
    theirs.load_state_dict(safetensors.torch.load_file(path) if suffix == "safetensors" else torch.load(path))
    assert_same_answers(ours, theirs)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_we_load_the_model_pytorch_saves(suffix: str, tmp_path: Path) -> None:
    ours, theirs = make_models()
    theirs(torch.randn(8, 6))
    path = tmp_path / f"model.{suffix}"
    save = safetensors.torch.save_file if suffix == "safetensors" else torch.save
    save(theirs.state_dict(), path)
    ours.load_state_dict(ad.load(path))
    assert_same_answers(ours, theirs)


OPTIMIZERS = {
    "Adam": {"lr": 0.02},
    "AdamW": {"lr": 0.02, "amsgrad": True},
    "SGD": {"lr": 0.02, "momentum": 0.9},
    "RMSprop": {"lr": 0.01, "momentum": 0.5},
    "Adadelta": {"lr": 1.0},
    "Adafactor": {"lr": 0.02},
    "Adagrad": {"lr": 0.05, "lr_decay": 0.1},
    "Adamax": {"lr": 0.02},
    "ASGD": {"lr": 0.02, "t0": 2},
    "NAdam": {"lr": 0.02},
    "RAdam": {"lr": 0.02},
    "Rprop": {"lr": 0.01},
}


def train(m: Any, functional: Any, model: Any, optimizer: Any, schedule: Any, steps: range) -> list[float]:
    losses = []
    for step in steps:
        rng = np.random.default_rng(step)
        x = m.from_numpy(rng.standard_normal((8, 6)))
        y = m.from_numpy(rng.integers(0, 3, 8))
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("theirs_first", [False, True])
def test_a_training_goes_on_on_the_other_side(name: str, theirs_first: bool, tmp_path: Path) -> None:
    sides = [(ad, nn, optim), (torch, torch.nn, torch.optim)]
    runs = []
    for m, net, opt in reversed(sides) if theirs_first else sides:
        m.manual_seed(0)
        model = net.Sequential(net.Linear(6, 4), net.BatchNorm1d(4), net.Tanh(), net.Linear(4, 3)).double()
        optimizer = getattr(opt, name)(model.parameters(), **OPTIMIZERS[name])
        schedule = opt.lr_scheduler.StepLR(optimizer, 3, gamma=0.5)
        runs.append((m, net.functional, model, optimizer, schedule))
    first, second = runs
    train(*first, range(5))
    path = tmp_path / "checkpoint.pt"
    first[0].save({"epoch": 5, "parts": [part.state_dict() for part in first[2:]]}, path)
    checkpoint = second[0].load(path)
    for part, found in zip(second[2:], checkpoint["parts"], strict=True):
        part.load_state_dict(found)
    # Sums of another order differ in the last digits of float64.
    np.testing.assert_allclose(train(*second, range(5, 12)), train(*first, range(5, 12)), rtol=1e-10)


@pytest.mark.parametrize("legacy", [False, True])
def test_bfloat16_is_widened(legacy: bool, tmp_path: Path) -> None:
    x = torch.randn(3, 4).bfloat16()
    for found in ad.load(saved_by_torch([x, x.t()], legacy)), list(ad.load(saved_by_torch({"x": x}, legacy)).values()):
        assert [plain(tensor) for tensor in found] == [plain(y.float()) for y in (x, x.t())][: len(found)]
    safetensors.torch.save_file({"x": x}, tmp_path / "x.safetensors")
    assert plain(ad.load(tmp_path / "x.safetensors")) == plain({"x": x.float()})


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("dtype", ["complex64", "uint16", "uint64", "float8_e4m3fn"])
def test_dtypes_that_the_engine_lacks_are_named(dtype: str, legacy: bool) -> None:
    name = "ComplexFloatStorage" if dtype == "complex64" else dtype
    with pytest.raises(TypeError, match=f"numbers of torch.{name}, which this engine does not have"):
        ad.load(saved_by_torch(torch.ones(2).to(getattr(torch, dtype)), legacy))


@pytest.mark.parametrize("legacy", [False, True])
def test_parameters_are_tensors_that_require_grad(legacy: bool) -> None:
    layer = torch.nn.Linear(2, 3)
    layer.bias.requires_grad_(False)
    found = ad.load(saved_by_torch([layer.weight, layer.bias], legacy))
    assert plain(found) == plain([layer.weight, layer.bias])
    assert all(tensor.is_leaf for tensor in found)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_whole_module_is_refused_by_name(legacy: bool) -> None:
    with pytest.raises(ValueError, match=r"asks for torch\.nn\.modules\.linear\.Linear, which .* may be code"):
        ad.load(saved_by_torch(torch.nn.Linear(2, 2), legacy), weights_only=False)


@pytest.mark.parametrize("legacy", [False, True])
def test_an_array_is_refused_at_its_place_as_in_pytorch(legacy: bool) -> None:
    state = {"weights": torch.ones(3), "history": {"epoch": 3, "losses": [torch.ones(1), np.ones(2)]}}
    with pytest.raises(Exception, match="Weights only load failed"):
        torch.load(saved_by_torch(state, legacy), weights_only=True)
    with pytest.raises(ValueError, match=r"at history\.losses\.1, it asks for numpy\._core\.multiarray\._reconstruct"):
        ad.load(saved_by_torch(state, legacy))
    with pytest.raises(
        TypeError, match=r"ndarray at history\.losses\.1 is no part of a state; save from_numpy of this"
    ):
        saved_by_us({"history": {"losses": [1, np.ones(2)]}})


def test_a_program_of_torchscript_is_refused(tmp_path: Path) -> None:
    class Twice(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 2 * x

    with pytest.warns(DeprecationWarning, match="torch.jit"):
        torch.jit.save(torch.jit.trace(Twice(), torch.ones(1)), tmp_path / "x.pt")
    with pytest.raises(ValueError, match=r"torch\.jit\.save; save model\.state_dict\(\)"):
        ad.load(tmp_path / "x.pt")


@settings(max_examples=50)
@given(states)
def test_every_state_goes_to_pytorch_and_back(state: Any) -> None:
    there = torch.load(saved_by_us(state), weights_only=True)
    for legacy in (False, True):
        assert in_detail(ad.load(saved_by_torch(there, legacy))) == in_detail(state)

"""What `fit` says to data, options and checkpoints that it cannot use."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autodiff as ad
import nn
import optim
from autodiff.data import DataLoader, Dataset, IterableDataset, TensorDataset, random_split
from autodiff.training import Checkpoints, EarlyStopping, Run, accuracy, evaluate, fit
from tests.training.networks import digits, network, weights


def train(data: Any, dev: Any = None, *, model: nn.Module | None = None, lr: float = 0.01, **options: Any) -> nn.Module:
    model = network() if model is None else model
    defaults: dict[str, Any] = {"epochs": 2, "progress": False}
    fit(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=lr), data, dev, **(defaults | options))
    return model


class Nothing(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        return iter(())


x, y = digits(60)
with_nan = x.clone()
with_nan[[3, 17], 1] = ad.nan


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ((x[:0], y[:0]), ValueError, "train is empty"),
        (Nothing(), ValueError, "an epoch had no batch"),
        (DataLoader(TensorDataset(x, y), 64, drop_last=True), ValueError, "train is empty.*drop_last"),
        (x, TypeError, r"tuple of tensors or arrays \(input, target\), got Tensor"),
        ((x, y[:10]), ValueError, "one length"),
        ((x,), TypeError, r"expected batches \(input, ..., target\), got a list of 1"),
        ((x, y.float()), RuntimeError, "class indices of an integer dtype"),
        ((x, y + 1), IndexError, "class indices from 0 to 2"),
        ((x, np.array(["a"] * 60)), TypeError, r"train\[1\].*<U1.*number classes that have names"),
        ((with_nan, y), ValueError, r"train\[0\] has infinite or nan numbers in 2 rows: 3, 17"),
        (DataLoader(TensorDataset(with_nan, y), 8), ValueError, r"train\[0\].*2 rows: 3, 17"),
    ],
)
def test_data(data: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        train(data)


def test_examples_in_both_sets() -> None:
    with pytest.raises(ValueError, match=r"dev shares examples with train.*2 rows: 0, 1 of dev"):
        train((x[:30], y[:30]), (x[28:], y[28:]))
    with pytest.raises(ValueError, match=r"60 rows: 0, 1, 2, 3, 4, 5, 6, 7, \.\.\. of dev"):
        train(TensorDataset(x, y), DataLoader(TensorDataset(x.clone(), y.clone())))
    train((x[:30], y[:30]), (x[28:], y[28:]), allow_shared_rows=True)
    train(*random_split(TensorDataset(x, y), [0.7, 0.3]))


def test_parts_of_a_table_that_overlap() -> None:
    class Points(Dataset[Any]):
        def __len__(self) -> int:
            return 60

        def __getitem__(self, index: int) -> Any:
            return x[index], y[index]

    points = Points()
    with pytest.raises(ValueError, match="row 0 of dev"):
        train(ad.data.Subset(points, range(40)), ad.data.Subset(points, range(39, 60)))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"epochs": 0}, ValueError, "epochs to be a whole number from 1, got 0"),
        ({"accumulate": 1.5}, ValueError, "accumulate to be a whole number from 1, got 1.5"),
        ({"schedule_each": "batch"}, ValueError, "'epoch' or 'step', got 'batch'"),
        ({"early_stopping": 0}, ValueError, "patience to be a number of epochs from 1, got 0"),
        ({"early_stopping": 2}, ValueError, "'dev_loss' is not in the history, which has loss, lr; give fit a dev set"),
        ({"resume": True}, ValueError, "give it too, as checkpoints=folder"),
        ({"metrics": [accuracy, accuracy]}, ValueError, "the name 'accuracy' is taken"),
        ({"metrics": ["accuracy"]}, TypeError, r"functions of \(output, target\), got str"),
        ({"batch_size": 0}, ValueError, "batch_size to be a whole number above 0"),
    ],
)
def test_options(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        train((x, y), **options)


def test_classes_in_place_of_what_is_made_of_them_and_parameters_of_another_model() -> None:
    model, loss = network(), nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    for wrong in ((nn.Linear, loss, optimizer), (model, nn.CrossEntropyLoss, optimizer), (model, loss, optim.SGD)):
        with pytest.raises(TypeError, match=r"to be made before, got the class (Linear|CrossEntropyLoss|SGD)"):
            fit(*wrong, (x, y), epochs=1)
    with pytest.raises(ValueError, match="the optimizer has none of the model's parameters"):
        fit(network(), loss, optimizer, (x, y), epochs=1)


def test_options_that_exclude_each_other(tmp_path: Path) -> None:
    loader = DataLoader(TensorDataset(x, y), 20, num_workers=1, persistent_workers=True)
    with pytest.raises(ValueError, match="leave batch_size out"):
        train(loader, batch_size=3)
    with pytest.raises(ValueError, match="persistent workers have random streams that no checkpoint holds"):
        train(loader, checkpoints=tmp_path)
    model = network()
    optimizer = optim.SGD(model.parameters())
    with pytest.raises(ValueError, match="ReduceLROnPlateau looks at the loss on the dev set"):
        train((x, y), schedule=optim.lr_scheduler.ReduceLROnPlateau(optimizer))
    with pytest.raises(ValueError, match="mode 'min' or 'max', got 'least'"):
        EarlyStopping(3, mode="least")
    with pytest.raises(ValueError, match="keep to be a whole number from 1, got 0"):
        Checkpoints(tmp_path, keep=0)
    with pytest.raises(ValueError, match="the data gave no batch"):
        evaluate(model, nn.CrossEntropyLoss(), Nothing())
    with pytest.raises(ValueError, match=r"scores of shape \(rows, classes\)"):
        accuracy(y, y)


def test_nan_in_a_batch_is_named() -> None:
    loader = DataLoader(ad.data.StackDataset(with_nan, y), 20)
    with pytest.raises(FloatingPointError, match=r"the loss is nan at step 1 .*part 0 of the batch, 2 rows: 3, 17"):
        train(loader)


def test_parameters_that_are_infinite_are_named() -> None:
    def spoil(run: Run) -> None:
        if run.step == 2:
            run.model[0].bias.data[1] = ad.nan

    with pytest.raises(FloatingPointError, match=r"at step 3 \(epoch 1, batch 3\).*infinite or nan.*: 0.bias"):
        train((x, y), batch_size=20, after_step=[spoil])


class Root(nn.Module):
    """Its loss is nan for negative numbers, and has an infinite gradient at 0."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(ad.ones(3))

    def forward(self, x: ad.Tensor) -> ad.Tensor:
        return (self.weight * x[:, :3]).sqrt()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("number", "what"), [(-1.0, "the loss is nan .* it arises on the way"), (0.0, "gradients of weight")]
)
def test_the_autopsy_of_a_run(number: float, what: str) -> None:
    model = Root()
    with pytest.raises(FloatingPointError, match=rf"(?s){what}.*\n.*sqrt"):
        fit(model, nn.MSELoss(), optim.SGD(model.parameters()), (x * 0 + number, x[:, :3]), epochs=1, progress=False)


@pytest.mark.parametrize("clip", [None, 1.0])
def test_gradients_that_are_infinite_are_named(clip: float | None) -> None:
    model = nn.Linear(4, 3)
    model.weight.register_hook(lambda g: g * ad.inf)
    before = weights(model)
    with pytest.raises(FloatingPointError, match=r"at step 1 .*the gradients of weight are infinite or nan"):
        train((x, y), model=model, clip_norm=clip)
    assert weights(model) == before


def test_what_the_optimizer_refuses_otherwise_is_its_own_error() -> None:
    with pytest.raises(ValueError, match="finite"):
        train((x, y), lr=ad.inf)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_another_run_s_folder(tmp_path: Path) -> None:
    train((x, y), checkpoints=tmp_path)
    assert names(tmp_path) == ["step-00000002.pt", "step-00000004.pt"]
    with pytest.raises(FileExistsError, match=r"the newest step-00000004.pt: give resume=True"):
        train((x, y), checkpoints=tmp_path)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"model": nn.Linear(4, 3)}, RuntimeError, r"step-00000004.pt does not fit: .*missing key weight \(3, 4\)"),
        ({"batch_size": 10}, ValueError, "of another training: batches was 2 there and is 6 here"),
        ({"accumulate": 2}, ValueError, "accumulate was 1 there and is 2 here"),
        ({"early_stopping": 1, "dev": (x[:3] + 1, y[:3])}, ValueError, "early_stopping was None there"),
    ],
)
def test_a_checkpoint_of_another_training(
    options: dict[str, Any], error: type[Exception], message: str, tmp_path: Path
) -> None:
    train((x, y), checkpoints=tmp_path)
    with pytest.raises(error, match=f"(?s){message}"):
        train((x, y), checkpoints=tmp_path, resume=True, **options)


def test_a_file_that_is_no_checkpoint(tmp_path: Path) -> None:
    ad.save({"weight": x}, tmp_path / "step-1.pt")
    with pytest.raises(ValueError, match=r"step-1.pt is no checkpoint of fit"):
        train((x, y), checkpoints=tmp_path, resume=True)


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def turn_a_bit(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("damage", [cut, turn_a_bit, lambda content: b""])
def test_a_damaged_checkpoint_is_set_aside_for_the_one_before(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    whole = weights(train((x, y), checkpoints=tmp_path))
    newest = tmp_path / "step-00000004.pt"
    newest.write_bytes(damage(newest.read_bytes()))
    with pytest.warns(UserWarning, match=r"step-00000004.pt.*now step-00000004.pt.damaged.* the checkpoint before"):
        resumed = train((x, y), checkpoints=tmp_path, resume=True)
    assert weights(resumed) == whole
    assert names(tmp_path) == ["step-00000002.pt", "step-00000004.pt", "step-00000004.pt.damaged"]


def test_only_damaged_checkpoints(tmp_path: Path) -> None:
    (tmp_path / "step-00000001.pt").write_bytes(b"")
    with (
        pytest.warns(UserWarning, match="now step-00000001.pt.damaged"),
        pytest.raises(RuntimeError, match=r"all checkpoints in .* are damaged"),
    ):
        train((x, y), checkpoints=tmp_path, resume=True)


def test_a_full_disk_leaves_the_last_good_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = weights(train((x, y), checkpoints=Checkpoints(tmp_path / "whole", every=1)))
    folder = Checkpoints(tmp_path / "full", every=1)
    from autodiff import files
    from autodiff.training import checkpoints

    class Full:
        """A file on a disk with room for 2,000 bytes."""

        def __init__(self, file: Any) -> None:
            self.file, self.room = file, 2000

        def __getattr__(self, name: str) -> Any:
            return getattr(self.file, name)

        def write(self, data: Any) -> int:
            self.room -= len(data)
            if self.room < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return int(self.file.write(data))

    def save_on_full_disk(state: Any, path: Path) -> None:
        if path.stem < "step-00000003":
            ad.save(state, path)
            return
        with files.written(path) as file:
            ad.save(state, Full(file))  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "save", save_on_full_disk)
        with pytest.raises(
            OSError, match=r"No space left.*step 3 was not written, the last good one is .*step-00000002"
        ):
            train((x, y), checkpoints=folder)
    assert names(folder.folder) == ["step-00000001.pt", "step-00000002.pt"]
    assert weights(train((x, y), checkpoints=folder, resume=True)) == whole


def test_no_checkpoint_is_written_of_infinite_parameters(tmp_path: Path) -> None:
    def spoil(run: Run) -> None:
        if run.step == 3:
            run.model[0].bias.data[1] = ad.inf

    with pytest.raises(FloatingPointError, match=r"after step 3 these parameters are infinite or nan: 0.bias"):
        train((x, y), checkpoints=Checkpoints(tmp_path, every=1), after_step=[spoil])
    assert names(tmp_path) == ["step-00000001.pt", "step-00000002.pt"]

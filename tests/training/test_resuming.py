"""A training that is interrupted and resumed: the bits of one that was not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import autodiff as ad
import nn
import optim
from autodiff import files
from autodiff.data import (
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)
from autodiff.training import Checkpoints, History, Run, accuracy, checkpoints, fit
from tests.training.networks import digits, network, weights


class Killed(KeyboardInterrupt):
    """Ctrl-C, at a moment that these tests choose."""


class KillAt:
    """A callback that interrupts the run after a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def __call__(self, run: Run) -> None:
        if run.step == self.step:
            raise Killed


def train_in(folder: Path, **options: Any) -> tuple[nn.Module, History]:
    """A training with all that has a state."""
    model = network()
    ad.manual_seed(2)
    optimizer = optim.Adam(model.parameters(), lr=0.05)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=24)
    x, y = digits()
    history = fit(
        model, nn.CrossEntropyLoss(), optimizer, (x[:80], y[:80]), (x[80:], y[80:]), batch_size=20, epochs=6,
        metrics=[accuracy], schedule=schedule, schedule_each="step", early_stopping=2, progress=False,
        checkpoints=folder, **options,
    )  # fmt: skip
    return model, history


@pytest.mark.parametrize("step", range(1, 13))
def test_an_interrupted_run_ends_with_the_same_bits(step: int, tmp_path: Path) -> None:
    whole, history = train_in(Checkpoints(tmp_path / "whole", every=3))
    with pytest.raises(Killed):
        train_in(Checkpoints(tmp_path / "parts", every=3), after_step=[KillAt(step)])
    ad.rand(7)
    resumed, resumed_history = train_in(Checkpoints(tmp_path / "parts", every=3), resume=True)
    assert weights(resumed) == weights(whole)
    assert dict(resumed_history) == dict(history)
    assert resumed_history.steps == history.steps
    files = [
        sorted((path.name, path.read_bytes()) for path in (tmp_path / name).iterdir()) for name in ("whole", "parts")
    ]
    assert files[0] == files[1]


def test_an_interrupted_write_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted:
        """An open file at which Ctrl-C arrives."""

        def __init__(self, file: Any) -> None:
            self.file = file

        def __getattr__(self, name: str) -> Any:
            return getattr(self.file, name)

        def write(self, data: Any) -> int:
            self.file.write(data)
            raise Killed

    def interrupted(state: Any, path: Path) -> None:
        with files.written(path) as file:
            ad.save(state, Interrupted(file))  # type: ignore[arg-type]

    with pytest.raises(Killed):
        train_in(Checkpoints(tmp_path, every=2), after_step=[KillAt(5)])
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "save", interrupted)
        with pytest.raises(Killed):
            train_in(Checkpoints(tmp_path, every=2), resume=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000002.pt", "step-00000004.pt"]


def test_what_a_killed_write_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / ".step-00000003.pt.1234"
    left.write_bytes(b"half")
    train_in(Checkpoints(tmp_path, every=100))
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000024.pt"]


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    whole, history = train_in(tmp_path)
    seen: list[Run] = []
    again, same = train_in(tmp_path, resume=True, after_step=[seen.append])
    assert not seen
    assert weights(again) == weights(whole)
    assert dict(same) == dict(history)
    assert same.stopped == history.stopped


def test_callbacks_with_a_state_are_resumed(tmp_path: Path) -> None:
    class Average:
        """The mean of the losses, which it needs its own numbers for."""

        def __init__(self) -> None:
            self.total = 0.0

        def __call__(self, run: Run) -> None:
            self.total += run.history.steps["loss"][-1]

        def state_dict(self) -> dict[str, float]:
            return {"total": self.total}

        def load_state_dict(self, state: dict[str, float]) -> None:
            self.total = state["total"]

    whole, first, second = Average(), Average(), Average()
    train_in(tmp_path / "whole", after_step=[whole])
    with pytest.raises(Killed):
        train_in(Checkpoints(tmp_path / "parts", every=2), after_step=[first, KillAt(7)])
    train_in(Checkpoints(tmp_path / "parts", every=2), after_step=[second], resume=True)
    assert second.total == whole.total != first.total


def test_what_was_thawed_stays_so(tmp_path: Path) -> None:
    def train(folder: str, *after_step: Any, resume: bool = False) -> nn.Module:
        def thaw(run: Run) -> None:
            run.model[0].requires_grad_(run.epoch >= 2)

        model = network()
        model[0].requires_grad_(False)
        fit(
            model, nn.CrossEntropyLoss(), optim.Adam(model.parameters()), digits(), batch_size=20, epochs=4,
            checkpoints=Checkpoints(tmp_path / folder, every=1), resume=resume, after_step=after_step,
            after_epoch=[thaw], progress=False,
        )  # fmt: skip
        return model

    whole = train("whole")
    with pytest.raises(Killed):
        train("parts", KillAt(13))
    assert weights(train("parts", resume=True)) == weights(whole)


@pytest.mark.parametrize(
    "schedule",
    [
        lambda o: optim.lr_scheduler.CosineAnnealingWarmRestarts(o, 3),
        lambda o: optim.lr_scheduler.LambdaLR(o, lambda step: 1 / (1 + step)),
        lambda o: optim.lr_scheduler.SequentialLR(
            o, [optim.lr_scheduler.LinearLR(o, total_iters=4), optim.lr_scheduler.StepLR(o, 3)], [4]
        ),
        lambda o: optim.lr_scheduler.CyclicLR(o, 0.01, 0.1, step_size_up=3, cycle_momentum=False),
    ],
)
@pytest.mark.parametrize("kind", [optim.SGD, optim.RMSprop, optim.AdamW, optim.Adagrad])
def test_schedules_and_optimizers_go_on(schedule: Any, kind: Any, tmp_path: Path) -> None:
    def train(folder: str, *after_step: Any, resume: bool = False) -> list[bytes]:
        model = network()
        optimizer = kind(
            model.parameters(), lr=0.02, **({"momentum": 0.9} if kind in (optim.SGD, optim.RMSprop) else {})
        )
        sampler = RandomSampler(range(60), replacement=True, generator=ad.Generator().manual_seed(4))
        x, y = digits(60)
        fit(
            model, nn.CrossEntropyLoss(), optimizer, DataLoader(TensorDataset(x, y), 20, sampler=sampler), epochs=4,
            schedule=schedule(optimizer), schedule_each="step", checkpoints=Checkpoints(tmp_path / folder, every=2),
            resume=resume, after_step=after_step, progress=False,
        )  # fmt: skip
        return weights(model)

    whole = train("whole")
    with pytest.raises(Killed):
        train("parts", KillAt(8))
    assert train("parts", resume=True) == whole


class Noisy(Dataset[Any]):
    """Examples with noise from the process-wide generator, as dropout draws from it."""

    def __len__(self) -> int:
        return 60

    def __getitem__(self, index: int) -> Any:
        x, y = digits(60)
        return x[index] + 0.1 * ad.randn(4), y[index]


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        return (Noisy()[index] for index in range(60))


@pytest.mark.parametrize(
    "loader",
    [
        lambda: DataLoader(Noisy(), 10, shuffle=True),
        lambda: DataLoader(Noisy(), 10, shuffle=True, generator=ad.Generator().manual_seed(9)),
        lambda: DataLoader(Noisy(), 10, sampler=WeightedRandomSampler([1.0] * 60, 60)),
        lambda: DataLoader(Noisy(), 10, sampler=RandomSampler(range(60), replacement=True)),
        lambda: DataLoader(Noisy(), 10, sampler=DistributedSampler(Noisy(), 2, 0)),
        lambda: DataLoader(Stream(), 10),
    ],
)
@pytest.mark.parametrize("step", [2, 3, 4])
def test_the_order_and_the_draws_of_data_go_on(loader: Callable[[], DataLoader], step: int, tmp_path: Path) -> None:
    def train(folder: str, *after_step: Any, resume: bool = False) -> list[bytes]:
        model = network()
        fit(
            model, nn.CrossEntropyLoss(), optim.Adam(model.parameters()), loader(), epochs=2, resume=resume,
            checkpoints=Checkpoints(tmp_path / folder, every=1), after_step=after_step, accumulate=2, progress=False,
        )  # fmt: skip
        return weights(model)

    whole = train("whole")
    with pytest.raises(Killed):
        train("parts", KillAt(step))
    assert train("parts", resume=True) == whole

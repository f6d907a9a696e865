"""A training that is interrupted and resumed: the bits of one that was not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import autodiff as ad
import nn
import optim
from autodiff.training import Checkpoints, History, Run, accuracy, fit
from tests.training.networks import digits, network, weights


class Killed(Exception):
    """What ends a run in these tests."""


class KillAt:
    """A callback that ends the run after a step, as Ctrl-C does."""

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

"""What `fit` does beside the steps: evaluation, schedules, early stopping, callbacks, what it shows and draws."""

from __future__ import annotations

import builtins
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

import autodiff as ad
import nn
import optim
from autodiff.data import DataLoader, IterableDataset, StackDataset, TensorDataset
from autodiff.training import EarlyStopping, History, Run, accuracy, evaluate, fit, predict
from tests.training.networks import digits, network, weights

x, y = digits(90)
TRAIN, DEV = (x[:60], y[:60]), (x[60:], y[60:])
loss = nn.CrossEntropyLoss()


def train(model: nn.Module | None = None, **options: Any) -> History:
    model = network() if model is None else model
    ad.manual_seed(3)
    options = {"optimizer": optim.SGD(model.parameters(), lr=0.1), "epochs": 3, "progress": False, **options}
    return fit(model, loss, options.pop("optimizer"), options.pop("train", TRAIN), options.pop("dev", DEV), **options)


def test_evaluation_counts_examples_and_leaves_no_trace() -> None:
    model = network()
    model[3].eval()
    ad.manual_seed(5)
    expected = ad.rand(3).tolist()
    ad.manual_seed(5)
    values = evaluate(model, loss, (x, y), {"right": accuracy}, batch_size=32)
    assert [module.training for module in model] == [True, True, True, False, True]
    assert ad.rand(3).tolist() == expected
    model.eval()
    scores = model(x)
    assert values == {"loss": pytest.approx(loss(scores, y).item()), "right": pytest.approx(accuracy(scores, y))}


@pytest.mark.parametrize(
    "data", [x, x.numpy(), x.numpy().astype(np.float64), (x, y), TensorDataset(x, y), DataLoader(TensorDataset(x), 7)]
)
def test_predictions(data: Any) -> None:
    model = network()
    outputs = predict(model, data, batch_size=None if isinstance(data, DataLoader) else 7)
    assert not outputs.requires_grad
    assert model.training
    np.testing.assert_allclose(outputs.numpy(), model.eval()(x).detach().numpy(), rtol=1e-5, atol=1e-6)


def test_arrays_and_tensors_train_alike() -> None:
    models = network(), network()
    for model, data in zip(models, (TRAIN, (TRAIN[0].numpy().astype(float), TRAIN[1].numpy())), strict=True):
        train(model, train=data)
    assert weights(models[0]) == weights(models[1])


def test_a_dev_set_changes_nothing_of_the_training() -> None:
    models = network(), network()
    for model, dev in zip(models, (DEV, None), strict=True):
        train(model, dev=dev)
    assert weights(models[0]) == weights(models[1])


def test_a_step_of_several_batches_is_one_of_all_their_examples() -> None:
    models = nn.Linear(4, 3), nn.Linear(4, 3)
    models[1].load_state_dict(models[0].state_dict())
    data = TensorDataset(*TRAIN)
    # 8, 8, 8 and 6 examples against 30: the last batch counts for less.
    for model, batch_size, accumulate in zip(models, (30, 8), (1, 4), strict=True):
        parts = [data.tensors[0][:30], data.tensors[1][:30]]
        history = train(model, train=DataLoader(TensorDataset(*parts), batch_size), accumulate=accumulate, epochs=4)
        assert len(history.steps["loss"]) == 4
    np.testing.assert_allclose(models[0].weight.detach().numpy(), models[1].weight.detach().numpy(), rtol=1e-5)


def test_schedules_by_epoch_and_by_step() -> None:
    for each, rates in (("epoch", [1.0, 0.5, 0.25]), ("step", [0.5, 0.125, 0.03125])):
        model = network()
        optimizer = optim.SGD(model.parameters(), lr=1.0)
        schedule = optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
        history = train(model, optimizer=optimizer, schedule=schedule, schedule_each=each, batch_size=30)
        assert history["lr"] == (rates if each == "epoch" else [rate / 2 for rate in rates])
        assert history.steps["lr"] == (
            [1.0, 1.0, 0.5, 0.5, 0.25, 0.25] if each == "epoch" else [0.5**i for i in range(6)]
        )


def test_a_schedule_that_looks_at_the_dev_loss() -> None:
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=1e-9)
    schedule = optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, threshold=0.5)
    assert train(model, optimizer=optimizer, schedule=schedule)["lr"] == [1e-9, 1e-9, 1e-9]
    assert schedule.best == pytest.approx(evaluate(model, loss, DEV)["loss"], rel=1e-2)
    assert schedule.last_epoch == 3


def test_clipping() -> None:
    norms = []

    def note(run: Run) -> None:
        norms.append(nn.utils.get_total_norm([p.grad for p in run.parameters]).item())

    history = train(clip_norm=0.1, after_step=[note])
    assert max(norms) <= 0.1 * (1 + 1e-6) < max(history.steps["norm"])
    largest = []
    train(
        clip_value=0.01, after_step=[lambda run: largest.append(max(p.grad.abs().max().item() for p in run.parameters))]
    )
    assert max(largest) == pytest.approx(0.01)


def test_early_stopping_brings_the_best_weights_back() -> None:
    model, seen = network(), []

    def spoil(run: Run) -> None:
        seen.append(weights(run.model))
        if run.epoch == 3:
            run.model[4].weight.data *= -1
            run.optimizer.param_groups[0]["lr"] = 0.0

    history = train(model, epochs=20, early_stopping=4, after_epoch=[spoil])
    best = int(np.argmin(history["dev_loss"])) + 1
    assert best == 3
    assert len(history["loss"]) == 3 + 4
    assert history.stopped.startswith("dev_loss was best after epoch 3: ")
    assert weights(model) == seen[best - 1]


def test_early_stopping_by_a_metric_to_maximise() -> None:
    stopping = EarlyStopping(2, "dev_accuracy", mode="max", min_delta=2.0)
    history = train(epochs=20, metrics=[accuracy], early_stopping=stopping)
    assert len(history["dev_accuracy"]) == 3
    assert stopping.best == history["dev_accuracy"][0]


def test_early_stopping_begins_anew_with_each_training() -> None:
    stopping, model, seen = EarlyStopping(2), network(), []
    train(epochs=5, early_stopping=stopping)
    train(model, epochs=1, early_stopping=stopping, after_epoch=[lambda run: seen.append(weights(run.model))])
    assert weights(model) == seen[0]


def test_callbacks_see_the_run_and_may_end_it() -> None:
    seen: list[Any] = []

    def stop(run: Run) -> None:
        seen.append((run.epoch, run.batch, run.batches, run.step, run.stop))
        if run.step == 5:
            run.stop = "enough"

    history = train(after_step=[stop], batch_size=30)
    assert seen == [(0, 1, 2, 1, ""), (0, 2, 2, 2, ""), (1, 1, 2, 3, ""), (1, 2, 2, 4, ""), (2, 1, 2, 5, "")]
    assert history.stopped == "enough"
    assert len(history["loss"]) == 2


def test_streams_and_several_inputs() -> None:
    class Pairs(IterableDataset[Any]):
        def __iter__(self) -> Any:
            return ((a, a, b) for a, b in zip(*TRAIN, strict=True))

    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.part = nn.Linear(4, 3)

        def forward(self, a: ad.Tensor, b: ad.Tensor) -> ad.Tensor:
            return self.part(a) + self.part(b)

    history = train(Sum(), train=Pairs(), dev=StackDataset(DEV[0], DEV[0], DEV[1]), batch_size=25)
    assert len(history.steps["loss"]) == 9


def test_what_is_shown_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    train(progress=True, metrics=[accuracy])
    shown = capsys.readouterr()
    assert shown.out == ""
    lines = shown.err.splitlines()
    assert len(lines) == 3
    assert lines[1].startswith("epoch 2/3: loss ")
    assert ", accuracy 0." in lines[1]
    assert ", dev_loss " in lines[1]
    assert ", lr 0.1, " in lines[1]
    assert lines[2].endswith("0.0 s left")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    train(progress=True, batch_size=10)
    shown = sys.stderr.getvalue()  # type: ignore[attr-defined]
    assert "epoch 1/3:   0%|" in shown
    assert "epoch 3/3: 100%|" in shown
    assert "6/6 [" in shown
    assert "dev_loss" in shown.splitlines()[-1]


def test_without_tqdm_a_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    real = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", lambda name, *rest: real("no_" * (name == "tqdm") + name, *rest))
    train(progress=True)
    assert [line[:10] for line in sys.stderr.getvalue().splitlines()] == ["epoch 1/3:", "epoch 2/3:", "epoch 3/3:"]  # type: ignore[attr-defined]


def test_the_history_is_a_mapping_that_draws_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history = train(metrics=[accuracy])
    assert list(history) == ["loss", "accuracy", "dev_loss", "dev_accuracy", "lr"]
    assert repr(history).startswith("History(3 epochs: loss ")
    panels = history.plot(tmp_path / "history.png").axes
    assert [panel.get_title() for panel in panels] == ["loss", "accuracy"]
    assert [line.get_ydata().tolist() for line in panels[0].lines] == [history["loss"], history["dev_loss"]]
    assert imread(tmp_path / "history.png").std() > 0.05
    with pytest.raises(KeyError, match="f1: the history has loss, accuracy, dev_loss"):
        history["f1"]
    with pytest.raises(ValueError, match="nothing to draw before the first epoch"):
        History().plot()
    real = builtins.__import__
    monkeypatch.setattr(
        builtins, "__import__", lambda name, *rest: real("no_" * name.startswith("matplotlib") + name, *rest)
    )
    with pytest.raises(ImportError, match=r"pip install 'autodiff-numpy\[train\]'"):
        history.plot()

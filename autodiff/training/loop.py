"""`fit`: the training loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, nullcontext
from itertools import islice
from os import PathLike
from typing import Any

from autodiff.data import DataLoader
from autodiff.training.batches import length, loader_of
from autodiff.training.checkpoints import Checkpoints
from autodiff.training.early_stopping import EarlyStopping
from autodiff.training.evaluation import mean_values
from autodiff.training.history import History
from autodiff.training.progress import Progress
from autodiff.training.run import Callback, Run
from autodiff.training.scores import Means, Metrics, named
from autodiff.training.shared_rows import check_apart
from autodiff.training.step import step
from optim import Optimizer
from optim.lr_scheduler import LRScheduler, ReduceLROnPlateau


def fit(
    model: Any,
    loss: Callable[[Any, Any], Any],
    optimizer: Optimizer,
    train: Any,
    dev: Any = None,
    *,
    epochs: int,
    batch_size: int | None = None,
    metrics: Metrics = (),
    schedule: LRScheduler | None = None,
    schedule_each: str = "epoch",
    clip_norm: float | None = None,
    clip_value: float | None = None,
    accumulate: int = 1,
    early_stopping: EarlyStopping | int | None = None,
    after_step: Sequence[Callback] = (),
    after_epoch: Sequence[Callback] = (),
    progress: bool = True,
    checkpoints: Checkpoints | str | PathLike[str] | None = None,
    resume: bool = False,
    allow_shared_rows: bool = False,
) -> History:
    """Train `model` for a number of epochs, and return what its loss and metrics were on the way.

    `train` and `dev` are a `DataLoader`, or a `Dataset` or a tuple ``(input, ..., target)`` of tensors or arrays, which
    are taken in batches of `batch_size` (32), those of `train` in random order. The model gets all parts of a batch but
    the last, `loss`, which is a mean over the examples, and the `metrics` its output and the last.

    - `schedule` goes on after each epoch, or each step with ``schedule_each="step"``; `ReduceLROnPlateau` gets the
      loss on the dev set.
    - `clip_norm` bounds the norm of the gradient, `clip_value` each of its numbers.
    - `accumulate` batches make a step, with the gradient of the mean over all their examples.
    - `early_stopping` is an `EarlyStopping`, or its patience in epochs.
    - `after_step` and `after_epoch` are functions that are called with the `Run`.
    - `progress` is shown on standard error: a bar in a terminal, else a line an epoch.
    - `checkpoints` is a folder, or `Checkpoints` with how often and how many. With ``resume=True`` the training goes on
      from the last one, if there is one, and ends with the same bits as if it had never been interrupted: make the
      model, the optimizer, the data and all else as the first time, in the same order.
    - Examples that `dev` shares with `train` are an error, unless `allow_shared_rows`: they make it look too good.

    FloatingPointError when the loss or a gradient is infinite or nan, before the step is made. ValueError or TypeError
    for options and data that make no sense, RuntimeError for the checkpoint of another model, OSError for one that
    cannot be written.

    >>> import autodiff as ad, nn, optim
    >>> _ = ad.manual_seed(0)
    >>> x = ad.linspace(-1, 1, 64).reshape(-1, 1)
    >>> model = nn.Linear(1, 1)
    >>> history = fit(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.5), (x, 3 * x + 1), epochs=20)
    >>> history["loss"][-1] < 1e-6
    True
    """
    _check_made(model, loss, optimizer)
    metrics = named(metrics)
    _check_options(epochs, accumulate, schedule, schedule_each, dev)
    train = loader_of(train, model, batch_size, shuffle=True, name="train")
    if dev is not None:
        dev = loader_of(dev, model, None if isinstance(dev, DataLoader) else batch_size, name="dev")
        if not allow_shared_rows:
            check_apart(train.dataset, dev.dataset)
    if isinstance(early_stopping, int):
        early_stopping = EarlyStopping(early_stopping)
    if early_stopping is not None:
        early_stopping.reset()
    run = Run(
        model, loss, optimizer, train, dev, epochs, metrics, schedule, schedule_each, clip_norm, clip_value, accumulate,
        early_stopping, after_step, after_epoch, batches=length(train),
    )  # fmt: skip
    if checkpoints is not None:
        checkpoints = checkpoints if isinstance(checkpoints, Checkpoints) else Checkpoints(checkpoints)
        _check_workers(train)
        checkpoints.begin(run, resume)
    elif resume:
        raise ValueError("fit: resume=True goes on from a folder of checkpoints: give it too, as checkpoints=folder")
    with closing(Progress(run)) if progress else nullcontext() as shown:
        _train(run, shown, checkpoints)
    if early_stopping is not None:
        early_stopping.restore(run)
    run.history.stopped = run.stop
    return run.history


def _train(run: Run, shown: Progress | None, checkpoints: Checkpoints | None) -> None:
    while not run.finished:
        run.model.train()
        for group in _groups(run):
            step(run, group)
            if shown is not None:
                shown.step(run, len(group))
            if checkpoints is not None and (run.stop or (checkpoints.every and run.step % checkpoints.every == 0)):
                checkpoints.write(run)
            if run.stop:
                return
        _end_epoch(run)
        if shown is not None:
            shown.epoch(run)
        if checkpoints is not None and (run.finished or not checkpoints.every):
            checkpoints.write(run)


def _groups(run: Run) -> Iterator[list[Any]]:
    """The batches of each step of the present epoch, without those that were taken before the run was interrupted."""
    if run.batch:
        now = run.streams.state_dict()
        run.streams.load_state_dict(run.streams_before_epoch)
    else:
        run.streams_before_epoch = run.streams.state_dict()
    set_epoch = getattr(run.train.sampler, "set_epoch", None)
    if set_epoch is not None:
        set_epoch(run.epoch)
    batches = iter(run.train)
    if run.batch:
        # Taken and not only counted: workers draw random numbers of their own for them.
        if sum(1 for _ in islice(batches, run.batch)) < run.batch:
            raise ValueError("fit: the data end before the batch at which the checkpoint was written: they are others")
        run.streams.load_state_dict(now)
    while group := list(islice(batches, run.accumulate)):
        run.batch += len(group)
        yield group


def _end_epoch(run: Run) -> None:
    """Evaluate, write the history, and let the schedule and the callbacks know."""
    if not run.means.count:
        raise ValueError("fit: an epoch had no batch: the data of train gave none")
    values = run.means.values()
    if run.dev is not None:
        dev = mean_values(run.model, run.loss, run.dev, run.metrics)
        values |= {f"dev_{name}": value for name, value in dev.items()}
    run.history.add({**values, "lr": run.rate})
    run.means = Means()
    run.batch, run.epoch = 0, run.epoch + 1
    if isinstance(run.schedule, ReduceLROnPlateau):
        run.schedule.step(values["dev_loss"])
    elif run.schedule is not None and run.schedule_each == "epoch":
        run.schedule.step()
    for callback in (*([run.early_stopping] if run.early_stopping is not None else []), *run.after_epoch):
        callback(run)


def _check_made(model: Any, loss: Any, optimizer: Any) -> None:
    for name, value in (("model", model), ("loss", loss), ("optimizer", optimizer)):
        if isinstance(value, type):
            raise TypeError(f"fit: expected {name} to be made before, got the class {value.__name__}: write brackets")
    trained = {id(p) for group in optimizer.param_groups for p in group["params"]}
    if not trained.intersection(map(id, model.parameters())):
        raise ValueError(
            "fit: the optimizer has none of the model's parameters, so that the model would stay as it is: make it "
            "with model.parameters(), of this model"
        )


def _check_options(epochs: Any, accumulate: Any, schedule: Any, schedule_each: str, dev: Any) -> None:
    for name, value in (("epochs", epochs), ("accumulate", accumulate)):
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"fit: expected {name} to be a whole number from 1, got {value!r}")
    if schedule_each not in ("epoch", "step"):
        raise ValueError(f"fit: expected schedule_each to be 'epoch' or 'step', got {schedule_each!r}")
    if isinstance(schedule, ReduceLROnPlateau) and (dev is None or schedule_each == "step"):
        raise ValueError("fit: ReduceLROnPlateau looks at the loss on the dev set after each epoch: give dev")


def _check_workers(train: DataLoader) -> None:
    if train.persistent_workers:
        raise ValueError(
            "fit: persistent workers have random streams that no checkpoint holds; make the DataLoader of train "
            "without persistent_workers, or leave checkpoints out"
        )

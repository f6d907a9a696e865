"""One network with a head for each of several tasks, where examples may have labels for some tasks only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import nn
from autodiff.ops.joining import stack
from autodiff.tensor import Tensor

IGNORED = -100


class MultiTask(nn.Module):
    """A `trunk` shared by all tasks, and a head a task; gives the outputs of the heads by task.

    >>> import autodiff as ad, nn
    >>> from autodiff.training import MultiTask
    >>> model = MultiTask(nn.Linear(4, 8), {"digit": nn.Linear(8, 10), "slant": nn.Linear(8, 1)})
    >>> {task: output.shape for task, output in model(ad.zeros(5, 4)).items()}
    {'digit': (5, 10), 'slant': (5, 1)}
    """

    def __init__(self, trunk: nn.Module, heads: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.trunk = trunk
        self.heads = nn.ModuleDict(dict(heads))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        features = self.trunk(x)
        return {task: head(features) for task, head in self.heads.items()}


class MultiTaskLoss(NamedTuple):
    """The weighted sum to call `backward` on, and the loss of each task before its weight."""

    total: Tensor
    tasks: dict[str, Tensor]


def multitask_loss(
    outputs: Mapping[str, Tensor],
    labels: Mapping[str, Tensor],
    losses: Mapping[str, Callable[[Tensor, Tensor], Tensor]],
    *,
    weights: Mapping[str, float] | None = None,
    present: Mapping[str, Tensor] | None = None,
) -> MultiTaskLoss:
    """Add up the losses of several tasks, each the mean over the labels that are there, times its weight (1).

    Missing labels are nan where labels are floating-point numbers, -100 where they are whole numbers, or False in
    `present`, bools by task in the shape of the labels. Where rows of labels have gaps, such as those of several
    questions asked of an image, outputs and labels are compared element by element. A task without any label in a batch
    adds 0. ValueError for tasks whose names do not match, and for labels that are not as many as the outputs.

    >>> import autodiff as ad
    >>> from nn import functional as F
    >>> from autodiff.training import multitask_loss
    >>> outputs = {"digit": ad.zeros(2, 10), "slant": ad.tensor([0.5, 3.0])}
    >>> labels = {"digit": ad.tensor([7, -100]), "slant": ad.tensor([ad.nan, 1.0])}
    >>> loss = multitask_loss(
    ...     outputs, labels, {"digit": F.cross_entropy, "slant": F.mse_loss}, weights={"slant": 0.5}
    ... )
    >>> loss.tasks["digit"], loss.tasks["slant"], loss.total
    (tensor(2.3026), tensor(4.), tensor(4.3026))
    """
    _check_names(outputs, {"labels": labels, "losses": losses}, {"weights": weights or {}, "present": present or {}})
    tasks = {
        task: _mean_of_present(task, output, labels[task], losses[task], (present or {}).get(task))
        for task, output in outputs.items()
    }
    total = stack([loss * (weights or {}).get(task, 1.0) for task, loss in tasks.items()]).sum()
    return MultiTaskLoss(total, tasks)


def task_metrics(
    outputs: Mapping[str, Tensor],
    labels: Mapping[str, Tensor],
    metrics: Mapping[str, Callable[[Tensor, Tensor], Any]],
    *,
    present: Mapping[str, Tensor] | None = None,
) -> dict[str, float]:
    """The metric of each task, a function of outputs and labels, over the labels that are there; nan if none is.

    Missing labels and errors are those of `multitask_loss`.

    >>> import autodiff as ad
    >>> from autodiff.training import task_metrics
    >>> def accuracy(outputs, labels):
    ...     return (outputs.argmax(1) == labels).float().mean()
    >>> task_metrics({"digit": ad.eye(3)}, {"digit": ad.tensor([0, 2, -100])}, {"digit": accuracy})
    {'digit': 0.5}
    """
    _check_names(outputs, {"labels": labels, "metrics": metrics}, {"present": present or {}})
    values = {}
    for task, output in outputs.items():
        there = _present(task, output, labels[task], (present or {}).get(task))
        values[task] = (
            float(metrics[task](output.detach()[there], labels[task][there])) if there.any() else float("nan")
        )
    return values


def _mean_of_present(
    task: str, output: Tensor, labels: Tensor, loss: Callable[[Tensor, Tensor], Tensor], present: Tensor | None
) -> Tensor:
    there = _present(task, output, labels, present)
    if not there.any():
        return output.sum() * 0
    return loss(output[there], labels[there])


def _present(task: str, output: Tensor, labels: Tensor, present: Tensor | None) -> Tensor:
    """Which labels are there."""
    if output.shape[: labels.ndim] != labels.shape:
        raise ValueError(
            f"expected a label for each output of the task {task!r}, got labels of shape {labels.shape} and "
            f"outputs of shape {output.shape}"
        )
    there = ~labels.isnan() if labels.is_floating_point() else labels != IGNORED
    if present is None:
        return there
    if present.shape != labels.shape:
        raise ValueError(f"expected present of the task {task!r} in the shape {labels.shape}, got {present.shape}")
    return there & present.bool()


def _check_names(
    outputs: Mapping[str, Any], all_tasks: Mapping[str, Mapping[str, Any]], some: Mapping[str, Mapping[str, Any]]
) -> None:
    for name, by_task in all_tasks.items():
        if set(by_task) != set(outputs):
            raise ValueError(f"expected {name} for the tasks {sorted(outputs)}, got them for {sorted(by_task)}")
    for name, by_task in some.items():
        if not set(by_task) <= set(outputs):
            raise ValueError(f"expected {name} for some of the tasks {sorted(outputs)}, got them for {sorted(by_task)}")

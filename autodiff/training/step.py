"""One step of the optimizer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autodiff.tensor import Tensor
from autodiff.training.batches import parts
from autodiff.training.divergence import diverged
from autodiff.training.run import Run
from nn.utils import clip_grad_value_, clip_grads_with_norm_, get_total_norm


def step(run: Run, group: list[Any]) -> None:
    """Train on the batches of `group` together: one step, with the gradient of the mean over all their examples.

    FloatingPointError, before the step is made, if the loss or the gradient is infinite or nan.
    """
    pairs = [parts(batch) for batch in group]
    total = sum(len(inputs[0]) for inputs, _ in pairs)
    run.optimizer.zero_grad()
    mean = 0.0
    for inputs, target in pairs:
        count = len(inputs[0])
        output = run.model(*inputs)
        cost = run.loss(output, target)
        value = cost.item()
        if not math.isfinite(value):
            raise diverged(run, f"the loss is {value}", [[*inputs, target]], cost)
        (cost if count == total else cost / (total / count)).backward()
        run.means.add({"loss": value, **_metrics(run, output, target)}, count)
        mean += value * (count / total)
    values = {"loss": mean, "lr": run.rate, **_clip(run, group)}
    _update(run, group)
    run.step += 1
    run.history.add_step(values)
    if run.schedule is not None and run.schedule_each == "step":
        run.schedule.step()
    for callback in run.after_step:
        callback(run)


def _metrics(run: Run, output: Any, target: Any) -> dict[str, Any]:
    if not run.metrics:
        return {}
    output = output.detach() if isinstance(output, Tensor) else output
    return {name: metric(output, target) for name, metric in run.metrics.items()}


def _clip(run: Run, group: list[Any]) -> dict[str, float]:
    """Bound the gradient; its norm before, if that is bounded."""
    if run.clip_value is not None:
        clip_grad_value_(run.parameters, run.clip_value)
    if run.clip_norm is None:
        return {}
    parameters = run.parameters
    norm = get_total_norm([p.grad for p in parameters if p.grad is not None])
    if not math.isfinite(norm.item()):  # or one number that is not would make them all nan
        raise diverged(run, f"the norm of the gradient is {norm.item()}", group)
    clip_grads_with_norm_(parameters, run.clip_norm, norm)
    return {"norm": norm.item()}


def _update(run: Run, group: list[Any]) -> None:
    try:
        run.optimizer.step()
    except ValueError as error:  # with which optimizers refuse gradients that are not finite
        if all(p.grad is None or np.isfinite(p.grad.array).all() for p in run.parameters):
            raise
        raise diverged(run, "the gradient is infinite or nan", group) from error

"""The end of a training whose loss or gradients are no numbers any more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np

from autodiff import random
from autodiff.tensor import Tensor
from autodiff.training.batches import listed, parts, rows_not_finite
from autodiff.training.run import Run

ADVICE = "a smaller learning rate, clip_norm or inputs of mean 0 and variance 1 may help"


def diverged(run: Run, what: str, group: Sequence[Any], cost: Tensor | None = None) -> FloatingPointError:
    """The error that names the step and what is infinite or nan: rows of the batches, parameters, gradients.

    Where the inputs and parameters are finite, the autopsy says which op is to blame: of the graph of `cost`, or, where
    the backward pass has freed that, of the batches of `group` once more, on a copy of the model.
    """
    names = {id(p): name for name, p in run.model.named_parameters()}
    label = [(names.get(id(p), f"parameter {i} of the optimizer"), p) for i, p in enumerate(run.parameters)]
    weights = [name for name, p in label if not np.isfinite(p.array).all()]
    gradients = [name for name, p in label if p.grad is not None and not np.isfinite(p.grad.array).all()]
    rows = [(i, rows_not_finite(part)) for batch in group for i, part in enumerate(batch)]
    if found := [f"part {i} of the batch, {listed(which)}" for i, which in rows if which]:
        cause = f"the data are infinite or nan in {'; '.join(found)}: mend these examples"
    elif weights:
        cause = f"these parameters became infinite or nan in a step before: {', '.join(weights)}; {ADVICE}"
    elif gradients:
        cause = (
            f"the gradients of {', '.join(gradients)} are infinite or nan{_autopsy(run, group, cost) or f'; {ADVICE}'}"
        )
    else:
        cause = f"parameters and data are finite, so it arises on the way{_autopsy(run, group, cost) or f'; {ADVICE}'}"
    return FloatingPointError(
        f"fit: {what} at step {run.step + 1} (epoch {run.epoch + 1}, batch {run.batch}), which was not made: {cause}"
    )


def _autopsy(run: Run, group: Sequence[Any], cost: Tensor | None) -> str:
    """What `inspect.autopsy` finds, on lines of its own."""
    from autodiff.inspect import autopsy  # which loads graphviz

    if cost is not None:
        found = [autopsy(cost, run.model)]
    else:
        model = deepcopy(run.model)
        with random.fork_rng():
            found = [autopsy(_again(run, model, batch), model) for batch in group]
    return "".join(f"\n{report}" for report in found if report)


def _again(run: Run, model: Any, batch: Any) -> Callable[[], Any]:
    inputs, target = parts(batch)
    return lambda: run.loss(model(*inputs), target)

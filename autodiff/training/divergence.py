"""The end of a training whose loss or gradients are no numbers any more."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.training.batches import listed, rows_not_finite
from autodiff.training.run import Run


def diverged(run: Run, what: str, batch: Any) -> FloatingPointError:
    """The error that names the step and what is infinite or nan: parameters, rows of the batch, gradients."""
    names = {id(p): name for name, p in run.model.named_parameters()}
    label = [(names.get(id(p), f"parameter {i} of the optimizer"), p) for i, p in enumerate(run.parameters)]
    weights = [name for name, p in label if not np.isfinite(p.array).all()]
    gradients = [name for name, p in label if p.grad is not None and not np.isfinite(p.grad.array).all()]
    rows = [(i, rows_not_finite(part)) for i, part in enumerate(batch)]
    if found := [f"part {i} of the batch, {listed(which)}" for i, which in rows if which]:
        cause = f"the data are infinite or nan in {'; '.join(found)}: mend these examples"
    elif weights:
        cause = f"these parameters became infinite or nan in a step before: {', '.join(weights)}; {_ADVICE}"
    elif gradients:
        cause = f"the gradients of {', '.join(gradients)} are infinite or nan; {_ADVICE}"
    else:
        cause = f"parameters and data are finite, so it arises within the model or the loss; {_ADVICE}"
    return FloatingPointError(
        f"fit: {what} at step {run.step + 1} (epoch {run.epoch + 1}, batch {run.batch}): {cause}. The step was not made"
    )


_ADVICE = "a smaller learning rate, clip_norm or inputs of mean 0 and variance 1 may help"

"""One metric to optimise, and others that only have to be good enough."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeVar

Name = TypeVar("Name")


def best_model(
    models: Mapping[Name, Mapping[str, float]],
    *,
    maximise: str | None = None,
    minimise: str | None = None,
    at_most: Mapping[str, float] | None = None,
    at_least: Mapping[str, float] | None = None,
) -> Name:
    """The name of the model with the best optimising metric, among those that meet all satisficing ones.

    `models` maps the name of each model to its metrics by name, measured on the dev set. Of two equal models the first
    is taken. ValueError unless there is just one metric to optimise, if a model lacks a metric or has nan for it, and
    if none meets the limits: the message says which one misses fewest.

    >>> from autodiff.training import best_model
    >>> models = {
    ...     "A": {"accuracy": 0.90, "milliseconds": 80},
    ...     "B": {"accuracy": 0.92, "milliseconds": 95},
    ...     "C": {"accuracy": 0.95, "milliseconds": 1500},
    ... }
    >>> best_model(models, maximise="accuracy", at_most={"milliseconds": 100})
    'B'
    """
    if (maximise is None) == (minimise is None):
        raise ValueError("best_model: expected one metric to optimise, either maximise=... or minimise=...")
    sign, optimising = (1, maximise) if maximise is not None else (-1, minimise)
    limits = [(name, limit, 1) for name, limit in (at_most or {}).items()]
    limits += [(name, limit, -1) for name, limit in (at_least or {}).items()]
    for model, metrics in models.items():
        for name in (str(optimising), *(name for name, _, _ in limits)):
            if math.isnan(metrics.get(name, math.nan)):
                raise ValueError(f"best_model: expected a number for {name!r} of {model!r}, its metrics are {metrics}")
    missed = {
        model: {name: metrics[name] for name, limit, side in limits if side * (metrics[name] - limit) > 0}
        for model, metrics in models.items()
    }
    allowed = [model for model in models if not missed[model]]
    if not allowed:
        nearest = min(models, key=lambda model: len(missed[model]), default=None)
        raise ValueError(
            f"best_model: none of {len(models)} models meets at_most={dict(at_most or {})}, at_least="
            f"{dict(at_least or {})}"
            + (f"; {nearest!r} misses fewest, with {missed[nearest]}" if nearest is not None else "")
        )
    return max(allowed, key=lambda model: sign * models[model][str(optimising)])

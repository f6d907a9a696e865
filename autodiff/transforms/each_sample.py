"""Kernels and rules that cannot take Batched as they are: on arrays made alike, or once a sample with a warning."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autodiff.transforms.batching import (
    FUNCTIONS,
    Batched,
    BatchingError,
    Levels,
    lengths_of,
    levels_of,
    spread,
)


def run(
    name: str, form: Callable[..., Any] | None, kernel: Callable[..., Any], args: Sequence[Any], params: dict[str, Any]
) -> Any:
    """What `kernel` gives for all samples, or its `form` that takes them along a first axis."""
    levels, lengths = _common([*args, *params.values()])
    if form is not None and (form is not kernel or not _walk(list(params.values()))):
        return _at_once(form, args, params, levels, tuple(lengths[level] for level in levels))
    everywhere = [_with_all(x, levels, lengths) for x in args]
    try:
        return kernel(*everywhere, **params)
    except Exception:
        return _in_a_loop(name, kernel, args, params, levels, lengths)


def _at_once(
    form: Callable[..., Any], args: Sequence[Any], params: dict[str, Any], levels: Levels, hidden: tuple[int, ...]
) -> Batched:
    """What `form` gives for arrays that have all levels as one first axis."""

    def joined(x: Any, ndim: int) -> Any:
        if type(x) is not Batched:
            return x
        data = spread(x, levels, ndim)
        own = data.shape[len(levels) :]
        return np.broadcast_to(data, hidden + own).reshape(math.prod(hidden), *own)

    ndim = max(x.ndim for x in args if isinstance(x, Batched | np.ndarray))
    y = form(*[joined(x, ndim) for x in args], **{key: joined(x, np.ndim(x)) for key, x in params.items()})
    y = y[0] if isinstance(y, tuple) else y
    return Batched(y.reshape(hidden + y.shape[1:]), levels)


def _walk(value: Any) -> list[Batched]:
    if isinstance(value, tuple | list):
        return [found for part in value for found in _walk(part)]
    if isinstance(value, dict):
        return _walk(list(value.values()))
    return [value] if type(value) is Batched else []


def _common(values: Sequence[Any]) -> tuple[Levels, dict[int, int]]:
    found = _walk(list(values))
    return levels_of(found), lengths_of(found)


def _with_all(x: Any, levels: Levels, lengths: dict[int, int]) -> Any:
    if not isinstance(x, Batched | np.ndarray | np.generic):
        return x
    data = spread(x, levels, x.ndim) if type(x) is Batched else np.reshape(x, (1,) * len(levels) + x.shape)
    return Batched(np.broadcast_to(data, tuple(lengths[k] for k in levels) + x.shape), levels)


def _of_sample(value: Any, place: dict[int, int]) -> Any:
    if isinstance(value, tuple | list):
        return type(value)(_of_sample(part, place) for part in value)
    if isinstance(value, dict):
        return {key: _of_sample(part, place) for key, part in value.items()}
    if type(value) is Batched:
        return np.asarray(value.data[tuple(place[level] for level in value.levels)])
    return value


_warned: set[str] = set()


def _in_a_loop(
    name: str, kernel: Callable[..., Any], args: Sequence[Any], params: dict[str, Any], levels: Levels,
    lengths: dict[int, int],
) -> Any:  # fmt: skip
    hidden = tuple(lengths[level] for level in levels)
    results = []
    for place in np.ndindex(hidden):
        at = dict(zip(levels, place, strict=True))
        results.append(kernel(*[_of_sample(x, at) for x in args], **{k: _of_sample(v, at) for k, v in params.items()}))
    if not results:
        raise BatchingError(f"{name} runs once a sample, and there is none; its shape is not known")
    if name not in _warned:
        warnings.warn(
            f"vmap: {name} cannot take all samples at once, so it runs once for each of {len(results)}, which is "
            f"slower; this is said once for each op",
            stacklevel=2,
        )
        _warned.add(name)
    if isinstance(results[0], tuple):
        # What a kernel remembers for a fast rule; inside vmap the rules are used that do without.
        results = [y for y, _ in results]
    if len({np.shape(y) for y in results}) > 1:
        raise BatchingError(f"{name} gives another shape for each sample, which no tensor can hold")
    return Batched(np.stack(results).reshape(hidden + np.shape(results[0])), levels)


FUNCTIONS["each sample"] = run

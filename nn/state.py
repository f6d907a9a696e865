"""State dictionaries: what of one does not fit a module."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from autodiff.tensor import Tensor


class IncompatibleKeys(NamedTuple):
    """The keys that a loaded state lacked, and those that the module has no place for."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not any(self):
            return "<All keys matched successfully>"
        return f"IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


def compare_states(module: str, own: Mapping[str, Tensor], given: Mapping[str, Any], strict: bool) -> IncompatibleKeys:
    """Compare the state a `module` has with one that it is given.

    RuntimeError with everything that does not fit: shapes and types always, the keys if `strict`.
    """
    if not isinstance(given, Mapping):
        raise TypeError(
            f"load_state_dict expected a dictionary from names to tensors, such as state_dict() returns; "
            f"got {type(given).__name__}"
        )
    missing, unexpected = [key for key in own if key not in given], [key for key in given if key not in own]
    problems = [_misfit(key, own[key], given[key]) for key in own if key in given]
    if strict:
        problems += [f"missing key {key} {_describe(own[key])}" for key in missing]
        problems += [f"unexpected key {key} {_describe(given[key])}" for key in unexpected]
    lines = "".join(f"\n  {problem}" for problem in problems if problem)
    if lines:
        hint = "\nstrict=False would load only the keys that both have." if strict and (missing or unexpected) else ""
        raise RuntimeError(f"load_state_dict: the state does not fit {module}, which is left unchanged:{lines}{hint}")
    return IncompatibleKeys(missing, unexpected)


def _misfit(key: str, own: Tensor, given: Any) -> str | None:
    if not isinstance(given, Tensor | np.ndarray):
        return f"expected a tensor for {key}, got {type(given).__name__}"
    if given.dtype.kind not in "biuf":
        return f"dtype mismatch for {key}: {own.dtype} in the module, {given.dtype} in the state"
    if own.shape != given.shape:
        return f"size mismatch for {key}: {own.shape} in the module, {given.shape} in the state"
    return None


def _describe(value: Any) -> str:
    return str(value.shape) if isinstance(value, Tensor | np.ndarray) else type(value).__name__

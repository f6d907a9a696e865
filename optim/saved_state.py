"""What `load_state_dict` is given: whether it fits, and which of its entries belong to which parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autodiff.tensor import Tensor, wrap
from optim.options import Group


def check_structure(state_dict: Mapping[str, Any], groups: Sequence[Group]) -> None:
    """ValueError unless `state_dict` is of an optimizer with as many groups."""
    missing = {"state", "param_groups"} - set(state_dict)
    if missing:
        raise ValueError(f"expected the state dict of an optimizer, got one without {sorted(missing)}")
    expected, got = len(groups), len(state_dict["param_groups"])
    if expected != got:
        raise ValueError(
            f"loaded state dict has a different number of parameter groups: expected {expected}, got {got}"
        )


def matched(group: Group, saved: Group, index: int, shapes: Mapping[Any, Any]) -> list[Any]:
    """The key of the saved state of each parameter of `group`, which is number `index`: by name where both have names.

    ValueError if the numbers of parameters differ, or the names; `shapes` has the shapes of the saved ones by key.
    """
    params, keys = group["params"], saved["params"]
    if len(params) != len(keys):
        raise ValueError(
            f"loaded state dict contains a parameter group that doesn't match the size of optimizer's group: "
            f"group {index} has {len(params)} parameters, the loaded one {len(keys)}"
        )
    if not ("param_names" in group and "param_names" in saved):
        return list(keys)
    by_name = dict(zip(saved["param_names"], keys, strict=True))
    own = dict(zip(group["param_names"], params, strict=True))
    if own.keys() != by_name.keys():
        lacking = [f"{name} {p.shape}" for name, p in own.items() if name not in by_name]
        unknown = [f"{name} {shapes.get(key, '')}".strip() for name, key in by_name.items() if name not in own]
        raise ValueError(
            f"the names of the parameters of group {index} do not match: the loaded state dict lacks "
            f"{', '.join(lacking)}; it has {', '.join(unknown)} instead. Rename them in its 'param_names', or remove "
            f"'param_names' to match the parameters by their order"
        )
    return [by_name[name] for name in own]


def saved_shapes(state: Mapping[Any, Any]) -> dict[Any, tuple[int, ...]]:
    """The shape of each parameter in a saved state, as far as the shapes of its entries tell."""
    shapes = {}
    for key, values in state.items():
        entries = [tuple(value.shape) for value in values.values() if hasattr(value, "shape")]
        shapes[key] = max(entries, key=len, default=())
    return shapes


def copied(value: Any, dtype: Any) -> Any:
    """A copy of an entry of a saved state; arrays of floating-point numbers, also within lists, become `dtype`."""
    if isinstance(value, Tensor | np.ndarray):
        array = np.array(value.array if isinstance(value, Tensor) else value, order="C")
        return wrap(array.astype(dtype, copy=False) if array.dtype.kind == "f" else array)
    if isinstance(value, dict):
        return {key: copied(entry, dtype) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(copied(entry, dtype) for entry in value)
    return value

"""The options of an optimizer: how they come from its arguments, and which numbers they may be."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

from autodiff.tensor import Tensor

Group = dict[str, Any]


def options(arguments: dict[str, Any]) -> Group:
    """The options among the arguments of an optimizer's ``__init__``, given as its ``locals()``."""
    return {name: value for name, value in arguments.items() if name not in ("self", "params", "__class__")}


def check(group: Group, bounds: dict[str, float], index: int) -> None:
    """ValueError unless the options of `group` that `bounds` names are numbers from 0 up to below their bound.

    Of a tuple all entries have to be. A tensor of one element counts as a number. `index` is the number of the group.
    """
    for name, bound in bounds.items():
        option = group.get(name, 0.0)
        for value in option if isinstance(option, tuple | list) else [option]:
            if isinstance(value, Tensor) and value.numel() != 1:
                raise ValueError(
                    f"invalid {name} in parameter group {index}: Tensor {name} must be 1-element, got {value.shape}"
                )
            if not (isinstance(value, Real | Tensor) and 0 <= float(value) < bound):
                expected = "a finite number >= 0" if bound == math.inf else f"a number in [0, {bound:g})"
                raise ValueError(f"invalid {name} in parameter group {index}: expected {expected}, got {value!r}")


def check_rate(group: Group, index: int) -> None:
    """ValueError unless the learning rate of `group` is finite; a NumPy number becomes Python's."""
    rate = group.get("lr", 0.0)
    if not math.isfinite(rate):
        raise ValueError(
            f"expected a finite lr in parameter group {index}, got {rate}: it was set after the optimizer was made, by "
            f"a schedule or by assignment"
        )
    if type(rate) is not float and not isinstance(rate, Tensor):
        # A NumPy number would widen float32 updates to float64.
        group["lr"] = float(rate)


def numbers_for_tensors(group: Group) -> Group:
    """`group`, or, if options are tensors, a copy that has their numbers instead."""
    for value in group.values():
        if isinstance(value, Tensor) or (type(value) is tuple and isinstance(value[0], Tensor)):
            return {name: group[name] if name == "params" else _number(group[name]) for name in group}
    return group


def _number(option: Any) -> Any:
    if isinstance(option, tuple):
        return tuple(map(_number, option))
    return option.item() if isinstance(option, Tensor) else option

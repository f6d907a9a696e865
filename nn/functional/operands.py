"""What losses ask of their input and target."""

from typing import Any

from autodiff.op import OpError, describe
from autodiff.tensor import Array


def arrays_of(name: str, input: Any, target: Any) -> tuple[Array, Array]:
    """The arrays of both; TypeError if one is no tensor."""
    try:
        return input.array, target.array
    except AttributeError:
        other = target if hasattr(input, "array") else input
        raise TypeError(f"{name} expected tensors, got {describe(other)}; make one with ad.tensor(...)") from None


def check_same_shape(name: str, input: Any, target: Any) -> None:
    """TypeError unless both are tensors, OpError unless they have the same shape."""
    x, t = arrays_of(name, input, target)
    if x.shape != t.shape:
        raise OpError(
            f"{name} expected a target of the input's shape {x.shape}, got {t.shape}; broadcasting them would compare "
            f"pairs that do not belong together: reshape one, for example target.reshape({x.shape})"
        )

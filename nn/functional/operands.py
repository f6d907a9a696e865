"""What losses ask of their input and target."""

from typing import Any

from autodiff.op import OpError, describe
from autodiff.tensor import Array, Tensor, wrap


def arrays_of(name: str, input: Any, target: Any) -> tuple[Array, Array]:
    """The arrays of both; TypeError if one is no tensor."""
    try:
        return input.array, target.array
    except AttributeError:
        other = target if hasattr(input, "array") else input
        raise TypeError(f"{name} expected tensors, got {describe(other)}; make one with ad.tensor(...)") from None


def check_same_shape(name: str, input: Any, target: Any, what: str = "target") -> None:
    """TypeError unless both are tensors, OpError unless they have the same shape."""
    x, t = arrays_of(name, input, target)
    if x.shape != t.shape:
        raise OpError(
            f"{name} expected a {what} of the input's shape {x.shape}, got {t.shape}; broadcasting them would compare "
            f"pairs that do not belong together: reshape one, for example {what}.reshape({x.shape})"
        )


def check_positive(name: str, what: str, value: float) -> None:
    """ValueError unless the number is more than 0."""
    if not value > 0:
        raise ValueError(f"{name} expected a {what} above 0, got {value!r}")


def at_least(x: Tensor, low: float) -> Tensor:
    """`x` raised to `low` where it is less, with the gradient of `x` all the same, as PyTorch guards its divisions."""
    lacking = x.array < low
    return x + wrap((low - x.array) * lacking) if lacking.any() else x

"""`torch.amp` switched off: on the CPU nothing is cast, and no gradient is scaled."""

from __future__ import annotations

from contextlib import ContextDecorator
from typing import Any


class autocast(ContextDecorator):
    """A block in which nothing is cast: computations keep the dtype of their inputs."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Whatever device, dtype and switch are given."""

    def __enter__(self) -> autocast:
        return self

    def __exit__(self, *raised: object) -> None:
        """Nothing was changed."""


class GradScaler:
    """A scaler that is disabled, as PyTorch's is without a GPU: losses and steps pass as they are."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Whatever device, scale and growth are given."""

    def scale(self, outputs: Any) -> Any:
        return outputs

    def unscale_(self, optimizer: Any) -> None:
        """Nothing: gradients were not scaled."""

    def step(self, optimizer: Any, *arguments: Any, **options: Any) -> Any:
        return optimizer.step(*arguments, **options)

    def update(self, new_scale: Any = None) -> None:
        """Nothing: there is no scale."""

    def is_enabled(self) -> bool:
        return False

    def get_scale(self) -> float:
        return 1.0

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Nothing: a disabled scaler has no state."""


def custom_fwd(function: Any = None, **options: Any) -> Any:
    """The forward function itself."""
    return (lambda given: given) if function is None else function


custom_bwd = custom_fwd

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd"]

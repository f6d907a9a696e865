"""Layers that change only the shape."""

from collections.abc import Sequence

from autodiff.tensor import Tensor
from nn.module import Module


class Flatten(Module):
    """Joins the dimensions from `start_dim` to `end_dim` into one; by default all but the first, the batch.

    >>> import autodiff as ad, nn
    >>> nn.Flatten()(ad.zeros(5, 3, 4)).shape
    (5, 12)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Tensor:
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Splits the dimension `dim` into the dimensions of `unflattened_size`, of which one may be -1.

    >>> import autodiff as ad, nn
    >>> nn.Unflatten(1, (3, 4))(ad.zeros(5, 12)).shape
    (5, 3, 4)
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        self.dim, self.unflattened_size = dim, tuple(unflattened_size)

    def forward(self, input: Tensor) -> Tensor:
        return input.unflatten(self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"

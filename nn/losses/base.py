"""What the losses share."""

from autodiff.tensor import Tensor
from nn.functional.reduction import check_reduction, chosen
from nn.module import Module


class Loss(Module):
    """A module with a `reduction`; ValueError unless it is one of `reductions`."""

    reductions: tuple[str, ...] = ()

    def __init__(self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = chosen(reduction, size_average, reduce)
        if self.reduction not in self.reductions:
            check_reduction(self.reduction)


class WeightedLoss(Loss):
    """A loss with a `weight`, which is a buffer."""

    weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)

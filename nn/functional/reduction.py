"""What losses do with the loss of each element."""

from autodiff.tensor import Tensor

REDUCTIONS = ("none", "mean", "sum")


def reduce(loss: Tensor, reduction: str) -> Tensor:
    """The mean or the sum of the losses, or all of them for "none"; ValueError for anything else."""
    if reduction == "mean":
        return loss.mean()
    if reduction == "sum":
        return loss.sum()
    check_reduction(reduction)
    return loss


def check_reduction(reduction: str) -> None:
    """ValueError unless `reduction` is one of the three."""
    if reduction not in REDUCTIONS:
        raise ValueError(f'expected reduction "none", "mean" or "sum", got {reduction!r}')

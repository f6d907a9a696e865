"""What losses do with the loss of each element."""

import warnings

from autodiff.tensor import Tensor

REDUCTIONS = ("none", "mean", "sum")


def chosen(reduction: str, size_average: bool | None, reduce: bool | None) -> str:
    """The reduction that is meant: the two older arguments, where one is given, decide, with a UserWarning.

    "elementwise_mean" is the name that "mean" had in PyTorch 0.4.1.
    """
    if size_average is None and reduce is None:
        if reduction != "elementwise_mean":
            return reduction
        warnings.warn("reduction='elementwise_mean' is deprecated: write reduction='mean' instead", stacklevel=3)
        return "mean"
    averages, reduces = size_average in (None, True), reduce in (None, True)
    name = "none" if not reduces else "mean" if averages else "sum"
    warnings.warn(f"size_average and reduce are deprecated: write reduction={name!r} instead", stacklevel=3)
    return name


def reduced(
    losses: Tensor, reduction: str, size_average: bool | None = None, reduce: bool | None = None, total: object = None
) -> Tensor:
    """The mean or the sum of the losses, or all of them for "none"; ValueError for anything else.

    `total`, if given, is a tensor by which "mean" divides the sum.
    """
    if size_average is not None or reduce is not None or reduction not in REDUCTIONS:
        reduction = chosen(reduction, size_average, reduce)
    if reduction == "mean":
        return losses.mean() if total is None else losses.sum() / total
    if reduction == "sum":
        return losses.sum()
    check_reduction(reduction)
    return losses


def check_reduction(reduction: str) -> None:
    """ValueError unless `reduction` is one of the three."""
    if reduction not in REDUCTIONS:
        raise ValueError(f'expected reduction "none", "mean" or "sum", got {reduction!r}')

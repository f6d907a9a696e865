"""Losses of class scores."""

import math
import warnings
from typing import Any

from autodiff.tensor import Tensor
from nn import functional as F
from nn.linear import Linear
from nn.losses.base import WeightedLoss


class NLLLoss(WeightedLoss):
    """Minus the log-probability of the target class: `nn.functional.nll_loss`, for the output of `LogSoftmax`.

    Takes log-probabilities (C), (N, C) or (N, C, d1, ...) and class indices (), (N) or (N, d1, ...).

    >>> import autodiff as ad, nn
    >>> nn.NLLLoss()(ad.tensor([[-0.5, -1.5], [-2.0, -0.1]]), ad.tensor([0, 1]))
    tensor(0.3000)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.nll_loss(input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


class NLLLoss2d(NLLLoss):
    """The older name of `NLLLoss`; a FutureWarning says so."""

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        warnings.warn("NLLLoss2d is deprecated: NLLLoss takes inputs of any dimension", FutureWarning, stacklevel=2)
        super().__init__(weight, size_average, ignore_index, reduce, reduction)


class CrossEntropyLoss(WeightedLoss):
    """Minus the log-probability of the target class, from scores: `nn.functional.cross_entropy`.

    Takes scores (C), (N, C) or (N, C, d1, ...) as they leave the last linear layer, without softmax, and class indices
    (), (N) or (N, d1, ...), or probabilities in the shape of the scores.

    >>> import autodiff as ad, nn
    >>> nn.CrossEntropyLoss()(ad.tensor([[2.0, 0.0], [0.0, 2.0]]), ad.tensor([0, 1]))
    tensor(0.1269)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class LinearCrossEntropyLoss(WeightedLoss):
    """A linear layer and the cross-entropy of its outputs: `nn.functional.linear_cross_entropy`.

    Takes inputs (N, in_features) or (in_features), and targets as `CrossEntropyLoss`; with `out_features` the scores
    have the shape (N, num_classes, *out_features).

    >>> import autodiff as ad, nn
    >>> nn.LinearCrossEntropyLoss(2, 3)(ad.zeros(4, 2), ad.tensor([0, 1, 2, 0]))
    tensor(1.0986, grad_fn=<CrossEntropyBackward0>)
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        out_features: tuple[int, ...] = (),
        bias: bool = False,
        device: Any = None,
        dtype: Any = None,
        reduction: str = "mean",
        weight: Tensor | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, reduction=reduction)
        self.num_classes, self.out_features = num_classes, out_features
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing
        self.linear = Linear(in_features, math.prod(out_features, start=num_classes), bias, device, dtype)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        bias, shape = self.linear.bias, (self.num_classes, *self.out_features)
        return F.linear_cross_entropy(
            input,
            self.linear.weight.reshape(*shape, self.linear.in_features),
            target,
            linear_bias=None if bias is None else bias.reshape(shape),
            weight=self.weight,
            reduction=self.reduction,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
        )

    def extra_repr(self) -> str:
        return (
            f"in_features={self.linear.in_features}, num_classes={self.num_classes}, "
            f"out_features={self.out_features}, bias={self.linear.bias is not None}, reduction={self.reduction}, "
            f"ignore_index={self.ignore_index}, label_smoothing={self.label_smoothing}, options=None"
        )

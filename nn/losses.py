"""Losses as modules."""

from autodiff.tensor import Tensor
from nn import functional as F
from nn.functional.reduction import check_reduction
from nn.module import Module


class _Loss(Module):
    """What the losses share."""

    def __init__(self, reduction: str) -> None:
        super().__init__()
        check_reduction(reduction)
        self.reduction = reduction


class MSELoss(_Loss):
    """(input - target)², averaged ("mean"), summed ("sum") or for each element ("none").

    OpError if the shapes of input and target differ.

    >>> import autodiff as ad, nn
    >>> nn.MSELoss()(ad.tensor([1.0, 2.0]), ad.tensor([1.0, 4.0]))
    tensor(2.)
    """

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(input, target, reduction=self.reduction)


class L1Loss(_Loss):
    """|input - target|, averaged ("mean"), summed ("sum") or for each element ("none").

    OpError if the shapes of input and target differ.

    >>> import autodiff as ad, nn
    >>> nn.L1Loss()(ad.tensor([1.0, 2.0]), ad.tensor([1.0, 4.0]))
    tensor(1.)
    """

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.l1_loss(input, target, reduction=self.reduction)


class NLLLoss(_Loss):
    """Minus the log-probability of the target class: `nn.functional.nll_loss`, for the output of `LogSoftmax`.

    Takes log-probabilities (C), (N, C) or (N, C, d1, ...) and class indices (), (N) or (N, d1, ...).

    >>> import autodiff as ad, nn
    >>> nn.NLLLoss()(ad.tensor([[-0.5, -1.5], [-2.0, -0.1]]), ad.tensor([0, 1]))
    tensor(0.3000)
    """

    weight: Tensor | None

    def __init__(self, weight: Tensor | None = None, *, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.nll_loss(input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


class CrossEntropyLoss(_Loss):
    """Minus the log-probability of the target class, from scores: `nn.functional.cross_entropy`.

    Takes scores (C), (N, C) or (N, C, d1, ...) as they leave the last linear layer, without softmax, and class indices
    (), (N) or (N, d1, ...), or probabilities in the shape of the scores.

    >>> import autodiff as ad, nn
    >>> nn.CrossEntropyLoss()(ad.tensor([[2.0, 0.0], [0.0, 2.0]]), ad.tensor([0, 1]))
    tensor(0.1269)
    """

    weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
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


class BCELoss(_Loss):
    """-(t log x + (1 - t) log(1 - x)) of probabilities x and targets t: `nn.functional.binary_cross_entropy`.

    `weight` multiplies each loss and broadcasts. OpError if the shapes differ or an x is outside [0, 1].

    >>> import autodiff as ad, nn
    >>> nn.BCELoss()(ad.tensor([0.9, 0.2]), ad.tensor([1.0, 0.0]))
    tensor(0.1643)
    """

    weight: Tensor | None

    def __init__(self, weight: Tensor | None = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(_Loss):
    """The binary cross-entropy of sigmoid(x) and targets t: `nn.functional.binary_cross_entropy_with_logits`.

    More accurate than `Sigmoid` and `BCELoss`. `weight` multiplies each loss and `pos_weight` the part of the positive
    class; both broadcast. OpError if the shapes of input and target differ.

    >>> import autodiff as ad, nn
    >>> nn.BCEWithLogitsLoss()(ad.tensor([2.0, -1.0]), ad.tensor([1.0, 0.0]))
    tensor(0.2201)
    """

    weight: Tensor | None
    pos_weight: Tensor | None

    def __init__(
        self, weight: Tensor | None = None, *, reduction: str = "mean", pos_weight: Tensor | None = None
    ) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )

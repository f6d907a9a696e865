"""Losses that ask for a margin between what is right and what is wrong."""

from collections.abc import Callable

from autodiff.op import OpError, describe
from autodiff.tensor import Tensor
from nn import functional as F
from nn.distance import PairwiseDistance
from nn.functional.operands import check_positive
from nn.losses.base import Loss, WeightedLoss


class _PairLoss(Loss):
    """A loss of pairs, of which those that do not belong together are to be `margin` apart."""

    def __init__(
        self,
        margin: float = 0.0,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin


class MarginRankingLoss(_PairLoss):
    """max(0, margin - t (x₁ - x₂)): `nn.functional.margin_ranking_loss`.

    >>> import autodiff as ad, nn
    >>> nn.MarginRankingLoss()(ad.tensor([1.0, 2.0]), ad.tensor([0.0, 5.0]), ad.tensor([1.0, 1.0]))
    tensor(1.5000)
    """

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return F.margin_ranking_loss(input1, input2, target, self.margin, reduction=self.reduction)


class HingeEmbeddingLoss(Loss):
    """x for pairs that belong together, max(0, margin - x) for others: `nn.functional.hinge_embedding_loss`.

    >>> import autodiff as ad, nn
    >>> nn.HingeEmbeddingLoss(reduction="none")(ad.tensor([0.5, 0.2]), ad.tensor([1, -1]))
    tensor([0.5000, 0.8000])
    """

    def __init__(
        self,
        margin: float = 1.0,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.hinge_embedding_loss(input, target, self.margin, reduction=self.reduction)


class CosineEmbeddingLoss(_PairLoss):
    """1 - cos for pairs that belong together, max(0, cos - margin) for others: `nn.functional.cosine_embedding_loss`.

    >>> import autodiff as ad, nn
    >>> nn.CosineEmbeddingLoss()(ad.tensor([[1.0, 0.0]]), ad.tensor([[0.0, 1.0]]), ad.tensor([1]))
    tensor(1.)
    """

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return F.cosine_embedding_loss(input1, input2, target, self.margin, reduction=self.reduction)


class MultiLabelMarginLoss(Loss):
    """The margins between the target classes of a sample and all others: `nn.functional.multilabel_margin_loss`.

    >>> import autodiff as ad, nn
    >>> nn.MultiLabelMarginLoss()(ad.tensor([[0.1, 0.2, 0.4, 0.8]]), ad.tensor([[3, 0, -1, 1]]))
    tensor(0.8500)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multilabel_margin_loss(input, target, reduction=self.reduction)


class MultiLabelSoftMarginLoss(WeightedLoss):
    """The binary cross-entropy averaged over the classes: `nn.functional.multilabel_soft_margin_loss`.

    >>> import autodiff as ad, nn
    >>> nn.MultiLabelSoftMarginLoss()(ad.tensor([[2.0, -1.0]]), ad.tensor([[1.0, 0.0]]))
    tensor(0.2201)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multilabel_soft_margin_loss(input, target, self.weight, reduction=self.reduction)


class MultiMarginLoss(WeightedLoss):
    """The margins between the target class and all others: `nn.functional.multi_margin_loss`.

    >>> import autodiff as ad, nn
    >>> nn.MultiMarginLoss()(ad.tensor([[0.1, 0.2, 0.4]]), ad.tensor([2]))
    tensor(0.5000)
    """

    def __init__(
        self,
        p: int = 1,
        margin: float = 1.0,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        if p not in (1, 2):
            raise ValueError(f"MultiMarginLoss expected p to be 1 or 2, got {p!r}")
        if weight is not None and weight.ndim != 1:
            raise OpError(f"MultiMarginLoss expected a weight for each class, a vector, got {describe(weight)}")
        self.p, self.margin = p, margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multi_margin_loss(input, target, self.p, self.margin, self.weight, reduction=self.reduction)


class TripletMarginLoss(Loss):
    """max(0, margin + d(anchor, positive) - d(anchor, negative)): `nn.functional.triplet_margin_loss`.

    >>> import autodiff as ad, nn
    >>> nn.TripletMarginLoss()(ad.tensor([0.0]), ad.tensor([2.0]), ad.tensor([1.0]))
    tensor(2.)
    """

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        check_positive("TripletMarginLoss", "margin", margin)
        self.margin, self.p, self.eps, self.swap = margin, p, eps, swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        return F.triplet_margin_loss(
            anchor, positive, negative, self.margin, self.p, self.eps, self.swap, reduction=self.reduction
        )


class TripletMarginWithDistanceLoss(Loss):
    """`TripletMarginLoss` for a distance of one's own, a function or a module; by default `PairwiseDistance`.

    >>> import autodiff as ad, nn
    >>> loss = nn.TripletMarginWithDistanceLoss(distance_function=nn.PairwiseDistance(p=1))
    >>> loss(ad.zeros(1, 1), ad.ones(1, 1), ad.ones(1, 1) * 1.5)
    tensor(0.5000)
    """

    def __init__(
        self,
        *,
        distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction=reduction)
        check_positive("TripletMarginWithDistanceLoss", "margin", margin)
        self.distance_function = PairwiseDistance() if distance_function is None else distance_function
        self.margin, self.swap = margin, swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        return F.triplet_margin_with_distance_loss(
            anchor,
            positive,
            negative,
            distance_function=self.distance_function,
            margin=self.margin,
            swap=self.swap,
            reduction=self.reduction,
        )

"""Losses of an element at a time. OpError from all of them if the shapes of input and target differ."""

from autodiff.tensor import Tensor
from nn import functional as F
from nn.losses.base import Loss, WeightedLoss


class MSELoss(Loss):
    """(input - target)²: `nn.functional.mse_loss`.

    >>> import autodiff as ad, nn
    >>> nn.MSELoss()(ad.tensor([1.0, 2.0]), ad.tensor([1.0, 4.0]))
    tensor(2.)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(input, target, reduction=self.reduction)


class L1Loss(Loss):
    """|input - target|: `nn.functional.l1_loss`.

    >>> import autodiff as ad, nn
    >>> nn.L1Loss()(ad.tensor([1.0, 2.0]), ad.tensor([1.0, 4.0]))
    tensor(1.)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.l1_loss(input, target, reduction=self.reduction)


class HuberLoss(Loss):
    """½ z² for z = input - target up to `delta` in size, linear beyond: `nn.functional.huber_loss`.

    >>> import autodiff as ad, nn
    >>> nn.HuberLoss(delta=0.5)(ad.tensor([3.0]), ad.tensor([1.0]))
    tensor(0.8750)
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.huber_loss(input, target, self.reduction, self.delta)


class SmoothL1Loss(Loss):
    """½ z² / beta for z = input - target up to `beta` in size, |z| - ½ beta beyond: `nn.functional.smooth_l1_loss`.

    >>> import autodiff as ad, nn
    >>> nn.SmoothL1Loss(beta=0.5)(ad.tensor([3.0]), ad.tensor([1.0]))
    tensor(1.7500)
    """

    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        beta: float = 1.0,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class PoissonNLLLoss(Loss):
    """Minus the log-likelihood of counts, given the logarithms of their means: `nn.functional.poisson_nll_loss`.

    >>> import autodiff as ad, nn
    >>> nn.PoissonNLLLoss()(ad.tensor([0.0, 1.0]), ad.tensor([1.0, 2.0]))
    tensor(0.8591)
    """

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        size_average: bool | None = None,
        eps: float = 1e-8,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_input, self.full, self.eps = log_input, full, eps

    def forward(self, log_input: Tensor, target: Tensor) -> Tensor:
        return F.poisson_nll_loss(
            log_input, target, self.log_input, self.full, eps=self.eps, reduction=self.reduction
        )  # fmt: skip


class GaussianNLLLoss(Loss):
    """Minus the log-likelihood of targets, given their means and variances: `nn.functional.gaussian_nll_loss`.

    >>> import autodiff as ad, nn
    >>> nn.GaussianNLLLoss()(ad.tensor([1.0, 2.0]), ad.tensor([1.0, 4.0]), ad.ones(2))
    tensor(1.)
    """

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.full, self.eps = full, eps

    def forward(self, input: Tensor, target: Tensor, var: Tensor | float) -> Tensor:
        return F.gaussian_nll_loss(input, target, var, self.full, self.eps, self.reduction)


class KLDivLoss(Loss):
    """The divergence of targets, which are probabilities, from exp(input): `nn.functional.kl_div`.

    >>> import autodiff as ad, nn
    >>> nn.KLDivLoss(reduction="batchmean")(ad.tensor([[0.5, 0.5]]).log(), ad.tensor([[0.9, 0.1]]))
    tensor(0.3681)
    """

    reductions = ("batchmean",)

    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        log_target: bool = False,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_target = log_target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)


class BCELoss(WeightedLoss):
    """-(t log x + (1 - t) log(1 - x)) of probabilities x and targets t: `nn.functional.binary_cross_entropy`.

    `weight` multiplies each loss and broadcasts. OpError if an x is outside [0, 1].

    >>> import autodiff as ad, nn
    >>> nn.BCELoss()(ad.tensor([0.9, 0.2]), ad.tensor([1.0, 0.0]))
    tensor(0.1643)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(WeightedLoss):
    """The binary cross-entropy of sigmoid(x) and targets t: `nn.functional.binary_cross_entropy_with_logits`.

    More accurate than `Sigmoid` and `BCELoss`. `weight` multiplies each loss and `pos_weight` the part of the positive
    class; both broadcast.

    >>> import autodiff as ad, nn
    >>> nn.BCEWithLogitsLoss()(ad.tensor([2.0, -1.0]), ad.tensor([1.0, 0.0]))
    tensor(0.2201)
    """

    pos_weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )


class SoftMarginLoss(Loss):
    """log(1 + exp(-t x)) of scores x and targets t of -1 or 1: `nn.functional.soft_margin_loss`.

    >>> import autodiff as ad, nn
    >>> nn.SoftMarginLoss()(ad.tensor([2.0, -1.0]), ad.tensor([1.0, 1.0]))
    tensor(0.7201)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.soft_margin_loss(input, target, reduction=self.reduction)

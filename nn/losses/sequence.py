"""The loss of sequences whose alignment is not known."""

from collections.abc import Sequence

from autodiff.tensor import Tensor
from nn import functional as F
from nn.losses.base import Loss


class CTCLoss(Loss):
    """Minus the log-probability of the targets, over all alignments with the inputs: `nn.functional.ctc_loss`.

    >>> import autodiff as ad, nn
    >>> log_probs = ad.zeros(4, 1, 3).log_softmax(2)
    >>> nn.CTCLoss()(log_probs, ad.tensor([[1, 2]]), ad.tensor([4]), ad.tensor([2]))
    tensor(0.8432)
    """

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> None:
        super().__init__(reduction=reduction)
        self.blank, self.zero_infinity = blank, zero_infinity

    def forward(
        self,
        log_probs: Tensor,
        targets: Tensor,
        input_lengths: Tensor | Sequence[int],
        target_lengths: Tensor | Sequence[int],
    ) -> Tensor:
        return F.ctc_loss(
            log_probs, targets, input_lengths, target_lengths, self.blank, self.reduction, self.zero_infinity
        )

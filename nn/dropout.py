"""Dropout."""

from autodiff.tensor import Tensor
from nn import functional as F
from nn.functional.dropout import check_probability
from nn.module import Module


class Dropout(Module):
    """In training mode, sets each element to 0 with probability `p` and multiplies the others by 1 / (1 - p).

    The expected value stays the same, so that nothing is left to do in evaluation mode. The mask comes from the default
    generator and is PyTorch's after the same seed. ValueError unless 0 ≤ p ≤ 1. Source: Srivastava et al. 2014.

    >>> import autodiff as ad, nn
    >>> nn.Dropout(0.5).eval()(ad.ones(3))
    tensor([1., 1., 1.])
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        check_probability(p)
        self.p, self.inplace = p, inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"

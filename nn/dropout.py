"""Dropout, as modules."""

from autodiff.tensor import Tensor
from nn import functional as F
from nn.functional.dropout import check_probability
from nn.module import Module


class _Dropout(Module):
    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        check_probability(p)
        self.p, self.inplace = p, inplace

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """In training mode, sets each element to 0 with probability `p` and multiplies the others by 1 / (1 - p).

    The expected value stays the same, so that nothing is left to do in evaluation mode. The mask comes from the default
    generator and is PyTorch's after the same seed. ValueError unless 0 ≤ p ≤ 1. Source: Srivastava et al. 2014.

    >>> import autodiff as ad, nn
    >>> nn.Dropout(0.5).eval()(ad.ones(3))
    tensor([1., 1., 1.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(_Dropout):
    """`Dropout` of whole channels of (N, C, L) or (C, L), each dropped or kept as one. Source: Tompson et al. 2014.

    >>> import autodiff as ad, nn
    >>> nn.Dropout1d()(ad.ones(2, 3)).shape
    (2, 3)
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(_Dropout):
    """`Dropout` of whole channels of (N, C, H, W) or (N, C, L), each dropped or kept as one.

    >>> import autodiff as ad, nn
    >>> nn.Dropout2d()(ad.ones(1, 2, 3)).shape
    (1, 2, 3)
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(_Dropout):
    """`Dropout` of whole channels of (N, C, D, H, W) or (C, D, H, W), each dropped or kept as one.

    >>> import autodiff as ad, nn
    >>> nn.Dropout3d()(ad.ones(1, 2, 3, 4)).shape
    (1, 2, 3, 4)
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(_Dropout):
    """`Dropout` that keeps mean 0 and variance 1, for networks with `SELU`. Source: Klambauer et al. 2017.

    >>> import autodiff as ad, nn
    >>> nn.AlphaDropout()(ad.ones(2, 3)).shape
    (2, 3)
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.alpha_dropout(input, self.p, self.training, self.inplace)


class FeatureAlphaDropout(_Dropout):
    """`AlphaDropout` of whole channels of (N, C, *), each dropped or kept as one.

    >>> import autodiff as ad, nn
    >>> nn.FeatureAlphaDropout()(ad.ones(2, 3, 4)).shape
    (2, 3, 4)
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.feature_alpha_dropout(input, self.p, self.training, self.inplace)

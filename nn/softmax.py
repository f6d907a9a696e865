"""Probabilities from scores, as modules."""

from autodiff.op import OpError
from autodiff.tensor import Tensor
from nn import functional as F
from nn.module import Module


class Softmax(Module):
    """eˣ divided by its sum along `dim`: probabilities from scores.

    >>> import autodiff as ad, nn
    >>> nn.Softmax(dim=1)(ad.tensor([[0.0, 0.0], [0.0, 2.0]]))
    tensor([[0.5000, 0.5000],
            [0.1192, 0.8808]])
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        return F.softmax(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """The logarithm of `Softmax`, without overflow: log-probabilities from scores.

    >>> import autodiff as ad, nn
    >>> nn.LogSoftmax(dim=1)(ad.tensor([[0.0, 0.0]]))
    tensor([[-0.6931, -0.6931]])
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        return F.log_softmax(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmin(Module):
    """`Softmax` of -x: the smallest has the largest share.

    >>> import autodiff as ad, nn
    >>> nn.Softmin(dim=0)(ad.tensor([0.0, 2.0]))
    tensor([0.8808, 0.1192])
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        return F.softmin(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmax2d(Module):
    """`Softmax` over the channels of each place of images (N, C, H, W) or (C, H, W); OpError for other dimensions.

    >>> import autodiff as ad, nn
    >>> nn.Softmax2d()(ad.zeros(2, 1, 1))
    tensor([[[0.5000]],
    <BLANKLINE>
            [[0.5000]]])
    """

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in (3, 4):
            raise OpError(f"expected input (N, C, H, W) or (C, H, W), got {input.shape}")
        return F.softmax(input, -3)

"""Activation functions."""

from typing import Any

import autodiff as ad
from autodiff.ops.exponential import leaky_relu as _leaky_relu
from autodiff.tensor import Tensor
from nn.functional.inplace import write_into

sigmoid = ad.sigmoid
tanh = ad.tanh


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0), elementwise; its gradient at 0 is 0.

    >>> import autodiff as ad
    >>> relu(ad.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    output = ad.relu(input)
    return write_into(input, output) if inplace else output


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where it is positive, else negative_slope · x; its gradient at 0 is the slope.

    >>> import autodiff as ad
    >>> leaky_relu(ad.tensor([-1.0, 2.0]))
    tensor([-0.0100,  2.0000])
    """
    output = _leaky_relu(input, negative_slope=negative_slope)
    return write_into(input, output) if inplace else output


def softmax(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """eˣ divided by its sum along `dim`, without overflow; `dtype` converts first.

    >>> import autodiff as ad
    >>> softmax(ad.zeros(2), dim=0)
    tensor([0.5000, 0.5000])
    """
    return ad.softmax(input, dim, dtype)


def log_softmax(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """The logarithm of `softmax`, without overflow; `dtype` converts first.

    >>> import autodiff as ad
    >>> log_softmax(ad.zeros(2), dim=0)
    tensor([-0.6931, -0.6931])
    """
    return ad.log_softmax(input, dim, dtype)

"""Probabilities from scores."""

from typing import Any

import numpy as np

import autodiff as ad
from autodiff.ops.conversion import floating
from autodiff.random import default_generator
from autodiff.tensor import Tensor, wrap


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


def softmin(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """`softmax` of -x: the smallest has the largest share.

    >>> import autodiff as ad
    >>> softmin(ad.tensor([0.0, 2.0]), dim=0)
    tensor([0.8808, 0.1192])
    """
    return ad.softmax(-input, dim, dtype)


def gumbel_softmax(logits: Tensor, tau: float = 1.0, hard: bool = False, dim: int = -1) -> Tensor:
    """softmax((logits + noise) / tau): a smooth sample from the distribution with these log-probabilities.

    The noise has the Gumbel distribution; it comes from the default generator and is PyTorch's after the same seed.
    With `hard` the largest becomes 1 and all others 0, with the gradient of the smooth sample.
    Source: Jang, Gu and Poole 2016.

    >>> import autodiff as ad
    >>> _ = ad.manual_seed(0)
    >>> gumbel_softmax(ad.zeros(2, 3), hard=True)
    tensor([[0., 0., 1.],
            [0., 1., 0.]])
    """
    draws = default_generator.exponential(floating("gumbel_softmax", logits).shape, logits.dtype)
    soft = softmax((logits - wrap(np.log(draws))) / tau, dim)
    if not hard:
        return soft
    chosen = soft.argmax(dim, keepdim=True)
    one = ad.zeros_like(soft).detach().scatter(dim, chosen, 1.0)
    return one - soft.detach() + soft

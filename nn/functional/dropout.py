"""Dropout."""

import numpy as np

from autodiff.random import default_generator
from autodiff.tensor import Tensor, wrap
from nn.functional.inplace import write_into


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """If `training`, each element set to 0 with probability `p`, the others multiplied by 1 / (1 - p).

    The mask comes from the default generator and is PyTorch's after the same seed; `inplace` writes into the input.
    ValueError unless 0 ≤ p ≤ 1. Source: Srivastava et al. 2014.

    >>> import autodiff as ad
    >>> _ = ad.manual_seed(0)
    >>> dropout(ad.ones(4), 0.5)
    tensor([0., 0., 2., 0.])
    """
    check_probability(p)
    if not training or p == 0:
        return input
    keep = 1.0 - p
    mask = default_generator.bernoulli(input.shape, keep) if keep else np.zeros(input.shape, np.bool_)
    scale = wrap(np.divide(mask, keep or 1.0, dtype=input.dtype))
    return write_into(input, input * scale) if inplace else input * scale


def check_probability(p: float) -> None:
    """ValueError unless `p` is a probability of dropping an element."""
    if not 0 <= p <= 1:
        raise ValueError(f"dropout expected the probability of dropping an element, from 0 to 1; got {p!r}")

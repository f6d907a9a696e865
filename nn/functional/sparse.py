"""Class indices and one-hot vectors."""

import numpy as np

from autodiff.op import OpError, describe
from autodiff.tensor import Tensor, wrap


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Class indices of any shape (*) as vectors (*, num_classes) of int64 with a single 1.

    With `num_classes` -1 there are as many as the largest index asks for. OpError for indices that are no integers or
    are outside 0 to num_classes - 1.

    >>> import autodiff as ad
    >>> one_hot(ad.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    index = tensor.array
    if index.dtype.kind not in "iu":
        raise OpError(f"one_hot expected integer class indices, got {describe(tensor)}; convert with x.long()")
    if not index.size and num_classes < 1:
        raise OpError("one_hot cannot tell the number of classes from no indices: pass num_classes")
    count = max(int(index.max()) + 1, 1) if num_classes == -1 else num_classes
    if index.size and not 0 <= index.min() <= index.max() < count:
        raise OpError(f"one_hot expected indices from 0 to {count - 1}, got {index.min()} to {index.max()}")
    return wrap((index[..., None] == np.arange(count)).astype(np.int64))

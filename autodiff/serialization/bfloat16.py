"""bfloat16: the upper half of a float32, a dtype that NumPy does not have."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def widened(halves: NDArray[np.uint16]) -> NDArray[Any]:
    """The same numbers in float32, exactly.

    >>> widened(np.array([0x3FC0], np.uint16))
    array([1.5], dtype=float32)
    """
    return (halves.astype(np.uint32) << np.uint32(16)).view(np.float32)

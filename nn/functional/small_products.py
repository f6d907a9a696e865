"""Products of matrices, a few rows at a time where OpenBLAS is faster so."""

import numpy as np

from autodiff.tensor import Array
from autodiff.threads import has_small_products

# With AVX-512 OpenBLAS multiplies float32 matrices without copying them first, if that takes up to so many products of
# numbers; 8 rows fill its registers. Of 32 by 128 times 128 by 512 that makes 18 µs out of 30. With AVX2 parts take
# 75 µs and the whole 45, and with AVX-512 parts of 4 rows as long as the whole.
SMALL, ROWS = 1_000_000, 8


def dot_into(a: Array, b: Array, out: Array) -> None:
    """np.dot(a, b, out=out) for matrices in C's order."""
    rows = len(a)
    if (
        rows * b.size <= SMALL
        or ROWS * b.size > SMALL
        or rows % ROWS
        or a.dtype.char != "f"
        or not has_small_products()
    ):
        np.dot(a, b, out=out)
    else:
        np.matmul(a.reshape(-1, ROWS, a.shape[1]), b, out=out.reshape(-1, ROWS, b.shape[1]))

"""Copies in row-major order."""

import numpy as np
import pytest

from autodiff.ops.conversion import copied_by_rows


@pytest.mark.parametrize("shape", [(3, 2), (1024, 1024), (700, 1111), (100_000, 65), (3, 400_000)])
@pytest.mark.parametrize("step", [1, -1])
def test_a_transposed_matrix_is_copied_in_row_major_order(shape: tuple[int, int], step: int) -> None:
    x = np.arange(shape[0] * shape[1], dtype=np.float32).reshape(shape)
    y = copied_by_rows(x.T[::step])
    assert y.flags.c_contiguous
    assert not np.shares_memory(x, y)
    np.testing.assert_array_equal(y, x.T[::step])

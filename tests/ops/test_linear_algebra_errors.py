"""Errors of products, contractions and norms say what was expected, what came, and what to do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import autodiff as ad
from autodiff.op import OpError

m, v, b = ad.ones(2, 3), ad.ones(3), ad.ones(2, 2, 3)
BAD: dict[str, tuple[Callable[[], object], type[Exception], tuple[str, ...]]] = {
    "bools": (lambda: (m > 0) @ (v > 0), OpError, ("matmul", "bool", "x.float()")),
    "dimensions": (lambda: ad.mv(v, m), OpError, ("mv", "2-d", "(3,)", "matmul()")),
    "no tensor": (lambda: ad.dot(v, [1.0]), TypeError, ("matmul", "list", "ad.tensor")),
    "batches": (lambda: ad.bmm(b, b[:1]), OpError, ("bmm", "equal length", "(1, 2, 3)")),
    "outer": (lambda: ad.outer(m, v), OpError, ("outer", "two vectors", "(2, 3)")),
    "cross": (lambda: ad.linalg.cross(m.T, m.T), OpError, ("cross", "length 3", "(3, 2)")),
    "inner": (lambda: ad.inner(m, ad.ones(2)), OpError, ("inner", "one length", "(2,)")),
    "addmm dtype": (lambda: ad.addmm(v, m, m.double().T), OpError, ("addmm", "one dtype", "float64", "x.to(dtype)")),
    "addmm shape": (lambda: ad.addmm(ad.ones(4), m, m.T), OpError, ("addmm", "broadcast", "(4,)")),
    "addmv factor": (lambda: ad.addmv(m[:, 0].int(), m.int(), v.int(), alpha=0.5), OpError, ("integers", "0.5")),
    "addbmm": (lambda: ad.addbmm(m, b, b), OpError, ("addbmm", "inner lengths", "(2, 2, 3)")),
    "einsum letters": (lambda: ad.einsum("i1,1j", m, m), OpError, ("einsum", "letters", "'1'")),
    "einsum dtype": (lambda: ad.einsum("ij,ij", m, m.double()), OpError, ("einsum", "one dtype", "float64")),
    "einsum numbers": (lambda: ad.einsum("ij,", m, 2.0), TypeError, ("einsum", "Tensors", "2.0")),
    "tensordot": (lambda: ad.tensordot(m, v, 2), OpError, ("tensordot", "0 to 1", "got 2")),
    "multi_dot": (lambda: ad.linalg.multi_dot([m, b]), OpError, ("multi_dot", "matrices", "(2, 2, 3)")),
    "multi_dot lengths": (lambda: ad.linalg.multi_dot([m, m]), OpError, ("multi_dot", "inner lengths", "(2, 3)")),
    "matrix_power": (lambda: ad.matrix_power(m, 2), OpError, ("matrix_power", "square", "(2, 3)")),
    "vander": (lambda: ad.linalg.vander(v, 1), OpError, ("vander", "greater than 1", "got 1")),
    "cdist": (lambda: ad.cdist(m, ad.ones(2, 2)), OpError, ("cdist", "(..., n, k)", "(2, 2)")),
    "cdist mode": (lambda: ad.cdist(m, m, 2, "fast"), OpError, ("compute_mode", "use_mm", "'fast'")),
    "norm of integers": (lambda: ad.linalg.vector_norm(v.int()), OpError, ("vector_norm", "int32", "x.float()")),
    "norm of nothing": (lambda: ad.linalg.vector_norm(v[:0], -1), OpError, ("vector_norm", "no elements", "(0,)")),
    "matrix norm": (lambda: ad.linalg.matrix_norm(m, 3), OpError, ("matrix_norm", "'fro'", "got 3")),
    "norm of many": (lambda: ad.linalg.norm(b, 2), OpError, ("norm", "vector or a matrix", "(2, 2, 3)")),
}


@pytest.mark.parametrize("name", BAD)
def test_the_error_says_what_was_expected_what_came_and_what_to_do(name: str) -> None:
    call, error, words = BAD[name]
    with pytest.raises(error) as caught:
        call()
    for word in words:
        assert word in str(caught.value)

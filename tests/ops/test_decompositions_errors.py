"""Matrices that have no answer, and what is no matrix: every error says what was expected, what came, what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autodiff as ad
from autodiff.linalg import LinAlgError
from autodiff.op import OpError

SINGULAR = ad.tensor([[1.0, 2.0], [2.0, 4.0]])
BATCH = ad.tensor([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 2.0], [2.0, 4.0]]])
NAN = ad.tensor([[np.nan, 0.0], [0.0, 1.0]])

NO_ANSWER: dict[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
    "inv": (lambda: ad.inverse(SINGULAR), ("inv:", "invertible", "the matrix is not", "pinv()", "float32 (2, 2)")),
    "inv of a batch": (lambda: ad.linalg.inv(BATCH), ("matrix [1] of the batch", "float32 (2, 2, 2)")),
    "solve": (lambda: ad.linalg.solve(BATCH, ad.ones(2, 2, 1)), ("solve:", "matrix [1] of the batch", "lstsq()")),
    "triangle": (
        lambda: ad.linalg.solve_triangular(ad.zeros(2, 2), ad.ones(2, 1), upper=True),
        ("solve_triangular:", "without zeros on its diagonal", "identity"),
    ),
    "cholesky": (lambda: ad.cholesky(BATCH - 1), ("cholesky:", "positive definite", "matrix [0] of", "A @ A.mT")),
    "cholesky of NaN": (lambda: ad.cholesky(NAN), ("cholesky:", "positive definite")),
    "svd": (lambda: ad.svd(NAN), ("svd:", "finite numbers", "x.isfinite()")),
    "svdvals": (lambda: ad.linalg.svdvals(NAN), ("svdvals:", "finite numbers", "float32 (2, 2)")),
    "rank": (lambda: ad.linalg.matrix_rank(NAN), ("finite numbers", "x.isfinite()")),
    "pinv": (lambda: ad.pinverse(NAN), ("pinv:", "finite numbers")),
    "gels": (
        lambda: ad.linalg.lstsq(SINGULAR, ad.ones(2, 1), driver="gels"),
        ("lstsq:", "full rank", "rank 1", "gelsd"),
    ),
}


@pytest.mark.parametrize("name", NO_ANSWER)
def test_matrices_without_an_answer(name: str) -> None:
    call, words = NO_ANSWER[name]
    with pytest.raises(LinAlgError) as caught:
        call()
    # Who catches NumPy's error, or PyTorch's base class, catches this one.
    assert isinstance(caught.value, np.linalg.LinAlgError)
    assert isinstance(caught.value, RuntimeError)
    assert [word for word in words if word not in str(caught.value)] == []


BAD: dict[str, tuple[Callable[[], Any], type[Exception], tuple[str, ...]]] = {
    "a vector": (lambda: ad.linalg.inv(ad.ones(3)), OpError, ("inv:", "(..., m, n)", "(3,)", "unsqueeze")),
    "a wide matrix": (lambda: ad.det(ad.ones(2, 3)), OpError, ("det:", "square", "(2, 3)")),
    "integers": (lambda: ad.linalg.svd(ad.ones(2, 2).long()), OpError, ("svd:", "float32", "int64", "x.float()")),
    "an array": (lambda: ad.linalg.qr(np.eye(2)), TypeError, ("qr:", "Tensor", "ad.tensor")),
    "the mode of qr": (lambda: ad.linalg.qr(SINGULAR, "full"), OpError, ("qr:", "reduced", "'full'")),
    "the derivative of a complete qr": (
        lambda: ad.linalg.qr(ad.ones(3, 2, requires_grad=True), "complete"),
        OpError,
        ("qr:", "no derivative", "(3, 2)", "detach()"),
    ),
    "a triangle": (lambda: ad.linalg.eigh(SINGULAR, "both"), OpError, ("eigh:", "UPLO", "'both'")),
    "eig": (lambda: ad.linalg.eigvals(SINGULAR), TypeError, ("complex", "eigh()")),
    "dtypes": (
        lambda: ad.linalg.solve(SINGULAR, ad.ones(2, 1).double()),
        OpError,
        ("solve:", "same dtype", "float32", "float64", "x.to(dtype)"),
    ),
    "rows": (lambda: ad.linalg.solve(SINGULAR, ad.ones(3)), OpError, ("solve:", "as many rows", "(2, 2)", "(3,)")),
    "rows of lstsq": (
        lambda: ad.linalg.lstsq(ad.ones(3, 2), ad.ones(4, 1)),
        OpError,
        ("lstsq:", "(..., m, k)", "(3, 2)", "(4, 1)"),
    ),
    "driver": (lambda: ad.linalg.lstsq(SINGULAR, SINGULAR, driver="qr"), OpError, ("lstsq:", "gelsd", "'qr'")),
    "a norm": (lambda: ad.linalg.cond(SINGULAR, 3), OpError, ("cond:", "'nuc'", "got 3")),
    "tensorinv": (lambda: ad.linalg.tensorinv(ad.ones(2, 3), 1), OpError, ("tensorinv:", "ind=1", "(2, 3)")),
    "tensorsolve": (
        lambda: ad.linalg.tensorsolve(ad.ones(2, 3), ad.ones(2)),
        OpError,
        ("tensorsolve:", "(*B.shape, ...)", "(2, 3)", "(2,)"),
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments(name: str) -> None:
    call, error, words = BAD[name]
    with pytest.raises(error) as caught:
        call()
    assert [word for word in words if word not in str(caught.value)] == []


def test_the_derivative_of_a_singular_logarithm() -> None:
    x = ad.tensor([[1.0, 2.0], [2.0, 4.0]], requires_grad=True)
    assert ad.logdet(x).item() == -np.inf
    with pytest.raises(RuntimeError, match=r"slogdet.*invertible"):
        ad.logdet(x).backward()

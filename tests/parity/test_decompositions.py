"""Inverses, decompositions, solvers and matrix functions beside PyTorch's.

What a decomposition leaves open, the signs of its vectors, is made the same before comparing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import autodiff as ad
from autodiff.testing.cases.decompositions import symmetric, with_singular_values
from tests.parity.beside_torch import Array, agree, laid_out

INF = math.inf
EXAMPLES = max(50, settings().max_examples // 4)
BATCHES = [(), (2,), (2, 1), (0,)]
seeds = st.integers(0, 2**32 - 1)
batches = st.sampled_from(BATCHES)
sides = st.integers(0, 5)
dtypes = st.sampled_from(["float64", "float64", "float32"])
layouts = st.sampled_from(["contiguous", "transposed", "strided"])
# Condition numbers up to 6 in second powers, over the rounding of an op, 1e-16 and 6e-8.
CLOSE = {"float64": 1e-10, "float32": 3e-4}

Call = Callable[..., Any]


def compare(call: Call, *inputs: Any, **options: Any) -> None:
    dtype = next(str(x.dtype) for x in inputs if isinstance(x, np.ndarray))
    agree(call, *inputs, tolerance=CLOSE[dtype], **options)


@st.composite
def general(draw: Any, square: bool = False, smallest: int = 0) -> Array:
    m = draw(sides.filter(lambda n: n >= smallest))
    n = m if square else draw(sides.filter(lambda n: n >= smallest))
    x = with_singular_values(np.random.default_rng(draw(seeds)), draw(batches), m, n).astype(draw(dtypes))
    return laid_out(x, draw(layouts))


@st.composite
def symmetrics(draw: Any, positive: bool = False) -> Array:
    """Symmetric matrices; the triangle that is not read now and then holds something else."""
    x = symmetric(np.random.default_rng(draw(seeds)), draw(batches), draw(sides), positive).astype(draw(dtypes))
    return laid_out(x, draw(layouts))


def signed(m: Any, vectors: Any, axis: int) -> Any:
    """Vectors along `axis` with the sign of their first entry taken out."""
    first = vectors.detach()[..., :1, :] if axis == -2 else vectors.detach()[..., :1]
    return vectors * m.where(first < 0, m.tensor(-1.0, dtype=vectors.dtype), m.tensor(1.0, dtype=vectors.dtype))


def eigh(m: Any, x: Any, uplo: str = "L") -> Any:
    values, vectors = m.linalg.eigh(x, uplo)
    return values, signed(m, vectors, -2)


def svd(m: Any, x: Any, full: bool = False) -> Any:
    u, s, vh = m.linalg.svd(x, full_matrices=full)
    k = s.shape[-1]
    # One sign belongs to a pair of vectors: their product keeps it.
    return (
        s,
        (u[..., :k] * s[..., None, :] ** 2) @ vh[..., :k, :],
        signed(m, u[..., :k], -2),
        signed(m, vh[..., :k, :], -1),
    )


def qr(m: Any, x: Any, mode: str = "reduced") -> Any:
    q, r = m.linalg.qr(x, mode)
    k = min(x.shape[-2:])
    return signed(m, q[..., :k], -2), q @ r


SQUARE: dict[str, Call] = {
    "inv": lambda m, x: (m.linalg.inv(x), m.inverse(x), x.inverse()),
    "det": lambda m, x: (m.linalg.det(x), m.det(x), x.det()),
    "slogdet": lambda m, x: (m.linalg.slogdet(x).logabsdet, m.slogdet(x)[0], x.slogdet()[1]),
    "logdet": lambda m, x: (m.logdet(x @ x.mT), (x @ x.mT).logdet()),
    "matrix_exp": lambda m, x: (m.linalg.matrix_exp(x), m.matrix_exp(-x), (3 * x).matrix_exp() / 1e3),
    "cholesky_inverse": lambda m, x: m.cholesky_inverse(m.linalg.cholesky(x @ x.mT)),
    "upper cholesky_inverse": lambda m, x: m.linalg.cholesky(x @ x.mT, upper=True).cholesky_inverse(upper=True),
    "tensorinv": lambda m, x: m.linalg.tensorinv(x.reshape((*x.shape, 1)), ind=1) if x.ndim == 2 else x,
    # PyTorch's own gradient of the other condition numbers fails: an array was modified in place.
    **{f"cond {p}": lambda m, x, p=p: m.linalg.cond(x.detach(), p) for p in (1, -1, INF, -INF, "fro", "nuc")},
}  # fmt: skip
ANY_SHAPE: dict[str, Call] = {
    "svd": svd,
    "svd full": lambda m, x: svd(m, x, True),
    "older svd": lambda m, x: (m.svd(x).S, (m.svd(x)[0] * m.svd(x).S[..., None, :] ** 2) @ x.svd().V.mT),
    "older svd full": lambda m, x: [y.shape for y in m.svd(x, some=False)],
    "svd values": lambda m, x: (m.svd(x, compute_uv=False), m.linalg.svdvals(x)),
    "pinv": lambda m, x: (m.linalg.pinv(x), m.pinverse(x), x.pinverse(1e-3)),
    "pinv atol": lambda m, x: (m.linalg.pinv(x, atol=0.1), m.linalg.pinv(x, atol=0.0), m.linalg.pinv(x, rtol=0.01)),
    "rank": lambda m, x: [m.linalg.matrix_rank(x, **o) for o in ({}, {"atol": 2.0}, {"rtol": 0.7}, {"atol": 0.0})],
    "cond": lambda m, x: (m.linalg.cond(x), m.linalg.cond(x, -2), m.linalg.cond(x, p=2)) if x.numel() else x,
    "cond of nothing": lambda m, x: (m.linalg.cond(x.detach()), m.linalg.cond(x.detach(), -2)),
    "qr r": lambda m, x: m.linalg.qr(x.detach(), "r").R.shape,
    "qr complete": lambda m, x: [y.shape for y in m.linalg.qr(x.detach(), "complete")],
}  # fmt: skip
SYMMETRIC: dict[str, Call] = {
    "eigh": eigh,
    "eigh of the upper triangle": lambda m, x: eigh(m, x, "U"),
    "eigvalsh": lambda m, x: (m.linalg.eigvalsh(x), m.linalg.eigvalsh(x, UPLO="U")),
    "pinv hermitian": lambda m, x: m.linalg.pinv(x, hermitian=True),
    "rank hermitian": lambda m, x: m.linalg.matrix_rank(x, hermitian=True),
}


@pytest.mark.parametrize("name", SQUARE)
@settings(max_examples=EXAMPLES)
@given(x=general(square=True))
def test_of_square_matrices(name: str, x: Array) -> None:
    compare(SQUARE[name], x)


@pytest.mark.parametrize("name", ANY_SHAPE)
@settings(max_examples=EXAMPLES)
@given(x=general())
def test_of_matrices(name: str, x: Array) -> None:
    compare(ANY_SHAPE[name], x)


@pytest.mark.parametrize("name", SYMMETRIC)
@settings(max_examples=EXAMPLES)
@given(x=symmetrics())
def test_of_symmetric_matrices(name: str, x: Array) -> None:
    compare(SYMMETRIC[name], x)


@settings(max_examples=EXAMPLES)
@given(x=symmetrics(positive=True))
def test_cholesky(x: Array) -> None:
    compare(lambda m, x: (m.linalg.cholesky(x), m.linalg.cholesky(x, upper=True), m.cholesky(x), x.cholesky(True)), x)


@settings(max_examples=EXAMPLES)
@given(x=symmetrics(positive=True), seed=seeds)
def test_one_triangle_is_read(x: Array, seed: int) -> None:
    other = np.triu(np.random.default_rng(seed).uniform(-1, 1, x.shape), 1).astype(x.dtype)
    compare(lambda m, x: (m.linalg.cholesky(x), *eigh(m, x), m.linalg.eigvalsh(x)), np.tril(x) + other)
    upper = np.triu(x) + np.swapaxes(other, -1, -2)
    compare(lambda m, x: (m.linalg.cholesky(x, upper=True), *eigh(m, x, "U"), m.linalg.eigvalsh(x, "U")), upper)


@settings(max_examples=EXAMPLES)
@given(x=general(smallest=1), mode=st.sampled_from(["reduced", "complete"]))
def test_qr(x: Array, mode: str) -> None:
    needs = [mode == "reduced" or x.shape[-2] <= x.shape[-1]]
    compare(lambda m, x: qr(m, x, mode), x, needs=needs)
    compare(lambda m, x: [y.abs() for y in (*m.qr(x), *x.qr())], x)


def right_sides(x: Array, kind: str, rng: np.random.Generator) -> Array:
    *batch, m, _ = x.shape
    shape = {
        "vector": (m,), "vectors": (*batch, m), "matrices": (*batch, m, 2), "matrix": (m, 3), "none": (*batch, m, 0)
    }[kind]  # fmt: skip
    return rng.uniform(-3, 3, shape).astype(x.dtype)


kinds = st.sampled_from(["vector", "vectors", "matrices", "matrix", "none"])


@settings(max_examples=EXAMPLES)
@given(x=general(square=True), kind=kinds, seed=seeds)
def test_solve(x: Array, kind: str, seed: int) -> None:
    b = right_sides(x, kind, np.random.default_rng(seed))
    compare(lambda m, a, b: m.linalg.solve(a, b), x, b)
    if b.ndim > 1 and kind != "vectors":
        compare(lambda m, a, b: m.linalg.solve(a, b.mT, left=False), x, b)


@settings(max_examples=EXAMPLES)
@given(
    x=general(square=True), kind=st.sampled_from(["matrices", "matrix", "none"]), seed=seeds,
    upper=st.booleans(), left=st.booleans(), unitriangular=st.booleans(),
)  # fmt: skip
def test_solve_triangular(x: Array, kind: str, seed: int, upper: bool, left: bool, unitriangular: bool) -> None:
    x = x + np.eye(x.shape[-1], dtype=x.dtype) * np.where(np.einsum("...ii->...i", x) < 0, -2, 2)[..., None, :]
    b = right_sides(x, kind, np.random.default_rng(seed))
    options = {"upper": upper, "left": left, "unitriangular": unitriangular}
    compare(lambda m, a, b: m.linalg.solve_triangular(a / 3, b if left else b.mT, **options), x.astype(b.dtype), b)


@settings(max_examples=EXAMPLES)
@given(x=symmetrics(positive=True), kind=st.sampled_from(["matrices", "matrix"]), seed=seeds, upper=st.booleans())
def test_cholesky_solve(x: Array, kind: str, seed: int, upper: bool) -> None:
    b = right_sides(x, kind, np.random.default_rng(seed))

    def call(m: Any, x: Any, b: Any) -> Any:
        factor = m.linalg.cholesky(x, upper=upper)
        return m.cholesky_solve(b, factor, upper), b.cholesky_solve(factor, upper=upper)

    compare(call, x, b)


@pytest.mark.parametrize("driver", [None, "gels", "gelsy", "gelsd", "gelss"])
@settings(max_examples=EXAMPLES)
@given(x=general(smallest=1), kind=st.sampled_from(["vectors", "matrices"]), seed=seeds)
def test_lstsq(driver: str | None, x: Array, kind: str, seed: int) -> None:
    b = right_sides(x, kind, np.random.default_rng(seed))
    compare(lambda m, a, b: (found := m.linalg.lstsq(a, b, driver=driver), found.rank.detach())[0][:1], x, b)

    def rest(m: Any, a: Any, b: Any) -> Any:
        return tuple(part.detach() for part in m.linalg.lstsq(a.detach(), b.detach(), driver=driver))

    compare(rest, x, b)


@settings(max_examples=EXAMPLES)
@given(x=general(smallest=1), seed=seeds)
def test_residuals_carry_a_gradient(x: Array, seed: int) -> None:
    b = right_sides(x, "matrices", np.random.default_rng(seed))
    if x.shape[-2] > x.shape[-1] and x.size:
        compare(lambda m, a, b: m.linalg.lstsq(a, b, driver="gels").residuals, x, b)


@pytest.mark.parametrize("driver", [None, "gelsd"])
def test_lstsq_of_dependent_columns(driver: str | None) -> None:
    """The solution of least norm, whose gradient keeps to matrices of that rank."""
    a, b = np.ones((4, 2)), np.arange(12.0).reshape(4, 3)
    compare(lambda m, a, b: m.linalg.lstsq(a, b, driver=driver)[0], a, b)
    compare(lambda m, a, b: m.linalg.lstsq(a, b, driver=driver), a, b, needs=[False, False])
    # What is known of the matrices has their batch, not that of both.
    compare(lambda m, a, b: m.linalg.lstsq(a, b, driver=driver), a[None], np.stack([b, 2 * b]), needs=[False, False])


@settings(max_examples=EXAMPLES)
@given(seed=seeds)
def test_tensorsolve(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a = with_singular_values(rng, (), 6, 6)
    b = rng.uniform(-3, 3, (2, 3))
    compare(lambda m, a, b: m.linalg.tensorsolve(a, b), a.reshape(2, 3, 3, 2), b)
    compare(lambda m, a, b: m.linalg.tensorsolve(a, b, dims=(0, 2)), a.reshape(2, 3, 2, 3).transpose(0, 2, 1, 3), b)
    compare(lambda m, a: m.linalg.tensorinv(a, 2), a.reshape(2, 3, 3, 2))
    compare(lambda m, a: m.linalg.tensorinv(a, ind=1), a.reshape(6, 3, 2))


SINGULAR = {
    "rank 1 of 2": np.array([[1.0, 2.0], [2.0, 4.0]]),
    "rank 2 of 3": np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]),
    "rank 1 of 3": np.outer([1.0, 2.0, 3.0], [4.0, 5.0, 6.0]),
    "zero": np.zeros((3, 3)),
    "zero, 1 by 1": np.zeros((1, 1)),
    "a batch": np.array([[[1.0, 2.0], [2.0, 4.0]], [[1.0, 2.0], [3.0, 4.0]]]),
}


@pytest.mark.parametrize("x", SINGULAR.values(), ids=SINGULAR)
def test_singular_matrices(x: Array) -> None:
    agree(lambda m, x: m.det(x), x, needs=[False], tolerance=1e-9)
    leaf, theirs = ad.tensor(x, requires_grad=True), torch.from_numpy(x).requires_grad_()
    (gradient,) = ad.grad(ad.det(leaf).sum(), leaf)
    # Without create_graph PyTorch gives a matrix whose determinant is exactly 0 the gradient 0, which is not right.
    (expected,) = torch.autograd.grad(torch.det(theirs).sum(), theirs, create_graph=True)
    np.testing.assert_allclose(gradient.numpy(), expected.detach().numpy(), atol=1e-9)
    # PyTorch gives the logarithm an infinite gradient, this engine an error: only values are compared.
    agree(lambda m, x: (m.logdet(x)[..., None].amax(), m.slogdet(x)[1].amax()), x, needs=[False])
    agree(lambda m, x: m.linalg.pinv(x), x, tolerance=1e-9)
    agree(lambda m, x: m.linalg.matrix_rank(x), x)
    agree(lambda m, x: m.linalg.matrix_exp(x), x, tolerance=1e-9)


@pytest.mark.parametrize("name", [name for name in SINGULAR if name != "rank 2 of 3"])
def test_no_inverse(name: str) -> None:
    """Where elimination is exact: else rounding decides whether a pivot is 0."""
    agree(lambda m, x: m.linalg.inv(x), SINGULAR[name])
    agree(lambda m, x: m.linalg.solve(x, x), SINGULAR[name])


def test_condition_of_singular_matrices() -> None:
    for p in (1, -1, INF, "fro"):
        agree(lambda m, x, p=p: m.linalg.cond(x, p), SINGULAR["rank 1 of 2"], needs=[False])
        agree(lambda m, x, p=p: m.linalg.cond(x, p), SINGULAR["a batch"], needs=[False])
    # By singular values, of which the least is what rounding leaves of 0: it depends on the processor's LAPACK.
    agree(lambda m, x: m.linalg.cond(x, "nuc").clamp(max=1e15), SINGULAR["a batch"], needs=[False])


def test_equal_singular_values_and_eigenvalues() -> None:
    """The values have gradients; so have vectors that nothing depends on, and no others."""
    x = np.eye(3) * 2
    agree(lambda m, x: (m.linalg.svdvals(x), m.linalg.eigvalsh(x), m.linalg.svd(x).S, m.linalg.eigh(x)[0]), x)
    for m in (torch, ad):
        leaf = m.eye(3, dtype=m.float64).requires_grad_()
        with np.errstate(all="ignore"):
            (m.linalg.eigh(leaf)[1] * m.arange(9.0, dtype=m.float64).reshape(3, 3)).sum().backward()
        assert not np.isfinite(leaf.grad.numpy()).all()


def test_not_finite() -> None:
    x = np.array([[1.0, np.nan], [0.5, 1.0]])
    for name in ("inv", "det", "svdvals", "svd", "pinv", "cholesky", "matrix_exp", "eigvalsh"):
        agree(lambda m, x, name=name: getattr(m.linalg, name)(x), x, needs=[False])
        agree(lambda m, x, name=name: getattr(m.linalg, name)(x), x * INF, needs=[False])


ones = np.ones
BAD: dict[str, tuple[Any, ...]] = {
    "inv of a vector": (lambda m, x: m.linalg.inv(x), ones(3)),
    "inv of a wide matrix": (lambda m, x: m.linalg.inv(x), ones((2, 3))),
    "inv of integers": (lambda m, x: m.linalg.inv(x), ones((2, 2), np.int64)),
    "inv of float16": (lambda m, x: m.linalg.inv(x), ones((2, 2), np.float16)),
    "det of a number": (lambda m, x: m.det(x), ones(())),
    "det of integers": (lambda m, x: m.det(x), ones((2, 2), np.int64)),
    "logdet of a wide matrix": (lambda m, x: m.logdet(x), ones((2, 3))),
    "matrix_exp of integers": (lambda m, x: m.matrix_exp(x), ones((2, 2), np.int64)),
    "cholesky of what is not positive": (lambda m, x: m.linalg.cholesky(-x), np.eye(2)),
    "eigh of another triangle": (lambda m, x: m.linalg.eigh(x, UPLO="x"), np.eye(2)),
    "qr in another mode": (lambda m, x: m.linalg.qr(x, "full"), np.eye(2)),
    "svd of a vector": (lambda m, x: m.linalg.svd(x), ones(2)),
    "solve of other lengths": (lambda m, a, b: m.linalg.solve(a, b), np.eye(2), ones(3)),
    "solve of other batches": (lambda m, a, b: m.linalg.solve(a, b), np.eye(2) + np.zeros((2, 1, 1)), ones((3, 2, 2))),
    "solve of other dtypes": (lambda m, a, b: m.linalg.solve(a, b), np.eye(2), ones((2, 1), np.float32)),
    "solve_triangular of a vector": (lambda m, a, b: m.linalg.solve_triangular(a, b, upper=True), np.eye(2), ones(2)),
    "solve_triangular without upper": (lambda m, a, b: m.linalg.solve_triangular(a, b), np.eye(2), ones((2, 1))),
    "lstsq of other lengths": (lambda m, a, b: m.linalg.lstsq(a, b), ones((2, 4)), ones((3, 2))),
    "lstsq of full rank": (lambda m, a, b: m.linalg.lstsq(a, b, driver="gels"), ones((4, 2)), ones((4, 2))),
    "lstsq by another driver": (lambda m, a, b: m.linalg.lstsq(a, b, driver="gelsx"), np.eye(2), ones((2, 2))),
    "cond in another norm": (lambda m, x: m.linalg.cond(x, 3), np.eye(2)),
    "cond of a wide matrix": (lambda m, x: m.linalg.cond(x, 1), ones((2, 3))),
    "tensorinv of what is not square": (lambda m, x: m.linalg.tensorinv(x, 1), ones((2, 3))),
    "tensorinv of no axes": (lambda m, x: m.linalg.tensorinv(x, 0), ones((2, 2))),
    "tensorsolve of other lengths": (lambda m, a, b: m.linalg.tensorsolve(a, b), ones((2, 3, 3)), ones(2)),
    "derivative of a complete qr": (lambda m, x: m.linalg.qr(x, "complete")[1].sum().backward(), ones((3, 2))),
    "derivative of r": (lambda m, x: m.linalg.qr(x, "r")[1].sum().backward(), np.eye(2)),
}


@pytest.mark.parametrize("name", BAD)
def test_both_refuse(name: str) -> None:
    call, *inputs = BAD[name]
    for m in (torch, ad):
        made = [m.from_numpy(x).requires_grad_() if x.dtype.kind == "f" else m.from_numpy(x) for x in inputs]
        with pytest.raises((RuntimeError, TypeError, ValueError)):
            call(m, *made)


def test_the_error_names_the_matrix() -> None:
    for m in (torch, ad):
        x = m.ones(3, 2, 2)
        x[0], x[2] = m.eye(2), m.eye(2)
        with pytest.raises(m.linalg.LinAlgError, match=re.compile("batch.* 1|1.*batch", re.IGNORECASE)):
            m.linalg.inv(x)
        assert issubclass(m.linalg.LinAlgError, RuntimeError)

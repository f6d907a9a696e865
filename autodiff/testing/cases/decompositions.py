"""Inverses, decompositions, solvers and functions of matrices.

Independent random entries give now and then a nearly singular matrix, or two nearly equal singular values: derivatives
there grow beyond what differences can check. So matrices are made of random rotations and singular values that lie
at least 0.6 apart, and are drawn at three scales.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
from hypothesis import strategies as st

from autodiff.op import Op
from autodiff.testing.drawing import Array, Case, Draw, Shape, Strategy

batches = st.sampled_from([(), (), (1,), (2,), (2, 1)])
sides = st.integers(1, 4)


def _generator(draw: Draw) -> np.random.Generator:
    return np.random.default_rng(draw(st.integers(0, 2**32 - 1)))


def _rotation(rng: np.random.Generator, batch: Shape, n: int) -> Array:
    return np.asarray(np.linalg.qr(rng.standard_normal((*batch, n, n))).Q)


def _spread(rng: np.random.Generator, batch: Shape, n: int) -> Array:
    """Values from 1 on, in steps of 0.6 to 1.4."""
    return np.asarray(1 + np.cumsum(rng.uniform(0.6, 1.4, (*batch, n)), axis=-1))


def with_singular_values(rng: np.random.Generator, batch: Shape, m: int, n: int) -> Array:
    """Matrices with spread singular values."""
    k = min(m, n)
    left, right = _rotation(rng, batch, m)[..., :k], _rotation(rng, batch, n)[..., :k, :]
    return np.asarray(left * _spread(rng, batch, k)[..., None, :] @ right)


def symmetric(rng: np.random.Generator, batch: Shape, n: int, positive: bool) -> Array:
    vectors = _rotation(rng, batch, n)
    values = _spread(rng, batch, n)
    if not positive:
        # Both signs, but never a trace of exactly 0, where LAPACK changes the signs of the eigenvectors.
        values = values - 2.2
    matrix = vectors * values[..., None, :] @ np.swapaxes(vectors, -1, -2)
    return np.asarray((matrix + np.swapaxes(matrix, -1, -2)) / 2)


def _square(*scales: float) -> Strategy:
    def build(draw: Draw, op: Op) -> Case:
        n = draw(sides)
        return Case([draw(st.sampled_from(scales)) * with_singular_values(_generator(draw), draw(batches), n, n)], {})

    return build


def _any_shape(params: Callable[[Draw, int, int], dict[str, Any]]) -> Strategy:
    def build(draw: Draw, op: Op) -> Case:
        m, n = draw(sides), draw(sides)
        return Case([with_singular_values(_generator(draw), draw(batches), m, n)], params(draw, m, n))

    return build


def _symmetric_case(positive: bool) -> Strategy:
    def build(draw: Draw, op: Op) -> Case:
        return Case([symmetric(_generator(draw), draw(batches), draw(sides), positive)], {"triangle": None})

    return build


def _exponential(draw: Draw, op: Op) -> Case:
    """Norms from nearly 0 to those that are halved three times, in batches of which only some are."""
    n = draw(sides)
    rng = _generator(draw)
    batch = draw(batches)
    size = draw(st.sampled_from([0.01, 1.0, 5.0]))
    return Case([size * rng.uniform(0.1, 1, (*batch, 1, 1)) * _rotation(rng, batch, n) * rng.uniform(0.5, 1, n)], {})


signatures = hnp.mutually_broadcastable_shapes(signature="(n,n),(n,k)->(n,k)", max_dims=2, max_side=3)


def _solve(draw: Draw, op: Op) -> Case:
    a, b = draw(signatures).input_shapes
    rng = _generator(draw)
    return Case([with_singular_values(rng, a[:-2], a[-1], a[-1]), rng.uniform(-3, 3, b)], {})


def _solve_triangular(draw: Draw, op: Op) -> Case:
    """Diagonals away from 0; the other triangle, and the diagonal if it stands for ones, may hold anything."""
    a, b = draw(signatures).input_shapes
    rng = _generator(draw)
    diagonal = np.eye(a[-1]) * rng.choice([-1, 1], a) * rng.uniform(1, 3, a)
    matrix = np.where(np.eye(a[-1], dtype=bool), diagonal, rng.uniform(-1, 1, a))
    params = {"upper": draw(st.booleans()), "unitriangular": draw(st.booleans())}
    return Case([matrix, rng.uniform(-3, 3, b)], params)


def _pinv(draw: Draw, op: Op) -> Case:
    m, n = draw(sides), draw(sides)
    params = {"atol": None, "rtol": draw(st.sampled_from([None, 1e-3])), "hermitian": False}
    return Case([with_singular_values(_generator(draw), draw(batches), m, n)], params)


def _lstsq(draw: Draw, op: Op) -> Case:
    m, n = draw(sides), draw(sides)
    rng = _generator(draw)
    batch = draw(batches)
    return Case(
        [with_singular_values(rng, batch, m, n), rng.uniform(-3, 3, (*batch, m, draw(sides)))], {"rcond": 1e-12}
    )


CASES: dict[str, Strategy] = {
    "inv": _square(0.3, 1.0, 3.0),
    "det": _square(0.3, 1.0, 3.0),
    # Products of three values: differences lose the more digits the larger these are.
    "cofactors": _square(0.3, 0.5),
    "slogdet": _square(0.3, 1.0, 3.0),
    "svd": _any_shape(lambda draw, m, n: {"full_matrices": m == n and draw(st.booleans())}),
    "qr": _any_shape(lambda draw, m, n: {}),
    "eigh": _symmetric_case(positive=False),
    "cholesky": _symmetric_case(positive=True),
    "matrix_exp": _exponential,
    "solve": _solve,
    "solve_triangular": _solve_triangular,
    "pinv": _pinv,
    "lstsq": _lstsq,
}

# x + xᵀ is symmetric wherever x is moved to, and x xᵀ + 1 positive definite too.
EXPRESSIONS: dict[str, tuple[str, ...]] = {
    "inverse": ("ad.inverse(x)", "ad.linalg.inv(s)"),
    "det": ("ad.det(x)", "ad.linalg.det(s)"),
    "slogdet": ("ad.slogdet(x)", "ad.linalg.slogdet(s)"),
    "logdet": ("ad.logdet((x @ x.mT + ad.eye(3)))",),
    "solve": (
        "ad.linalg.solve(x, v)",
        "ad.linalg.solve(s, x)",
        "ad.linalg.solve(s, s[:, 0])",
        "ad.linalg.solve(x, s, left=False)",
    ),
    "solve_triangular": (
        "ad.linalg.solve_triangular(x, s, upper=True)",
        "ad.linalg.solve_triangular(x, x.T, upper=False, left=False)",
        "ad.linalg.solve_triangular(s, x, upper=False, unitriangular=True)",
    ),
    "cholesky": (
        "ad.cholesky((x @ x.mT + ad.eye(3)))",
        "ad.linalg.cholesky(s @ s.mT + ad.eye(3), upper=True)",
    ),
    "cholesky_solve": ("ad.cholesky_solve(x, x.mT + ad.eye(3))", "ad.cholesky_solve(x, s + ad.eye(3), upper=True)"),
    "cholesky_inverse": ("ad.cholesky_inverse(x)", "ad.cholesky_inverse(s, True)"),
    "tensorinv": ("ad.linalg.tensorinv(x.reshape(3, 1, 3), ind=1)",),
    "tensorsolve": ("ad.linalg.tensorsolve(x.reshape(1, 3, 3), v.reshape(1, 3))", "ad.linalg.tensorsolve(x, v, (0,))"),
    "qr": (
        "ad.qr(x)",
        "ad.qr(x, False)",
        "ad.linalg.qr(s, 'complete')",
        "ad.linalg.qr(x[:, :2])",
        "ad.linalg.qr(x[:2])",
    ),
    "eigh": ("ad.linalg.eigh(x + x.T)", "ad.linalg.eigh(s + s.mT, 'U')"),
    "eigvalsh": ("ad.linalg.eigvalsh(x + x.T)", "ad.linalg.eigvalsh(s + s.mT, UPLO='U')"),
    "svd": ("ad.svd(x)", "ad.svd(x, False)", "ad.svd(x, compute_uv=False).S", "ad.linalg.svd(s, full_matrices=False)"),
    "svdvals": ("ad.linalg.svdvals(x[:2])",),
    "pinv": ("ad.linalg.pinv(x[:, :2])", "ad.linalg.pinv(x + x.T, hermitian=True)", "ad.linalg.pinv(s, atol=1e-6)"),
    "pinverse": ("ad.pinverse(x)",),
    "lstsq": (
        "ad.linalg.lstsq(x[:, :2], x[:, 2:]).solution",
        "ad.linalg.lstsq(x[:, :2], v)[:1]",
        "ad.linalg.lstsq(x[:, :2], x[:, 1:] * x[:, 1:], driver='gels')[:2]",
    ),
    "matrix_exp": ("ad.matrix_exp(x)", "ad.linalg.matrix_exp(5 * s)"),
    "cond": tuple(f"ad.linalg.cond(x, {p})" for p in ("None", "2", "-2", "1", "-1", "float('inf')", "-float('inf')",
                                                      "'fro'", "'nuc'")),
}  # fmt: skip
# The last three raise, or are raised.
NOT_DIFFERENTIABLE = {"matrix_rank", "eig", "eigvals", "LinAlgError"}

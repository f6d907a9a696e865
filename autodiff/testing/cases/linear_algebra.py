"""Products of matrices, contractions and norms."""

from __future__ import annotations

from itertools import product
from typing import Any

import hypothesis.extra.numpy as hnp
from hypothesis import strategies as st

from autodiff.op import Op
from autodiff.testing.drawing import Case, Draw, Shape, Strategy, inputs_for, one_input, one_of, subsets

sides = st.integers(1, 3)


BATCHES = [((2,), (2,)), ((1,), (3,)), ((2,), (3, 1)), ((2, 1), (1, 2)), ((2, 3), (3,))]
PRODUCTS = list(product(BATCHES, product((1, 2, 3), repeat=3), product(range(3), repeat=2)))


def _matmul(draw: Draw, op: Op) -> Case:
    """Vectors, matrices and batches of matrices, in all nine pairs."""
    (left, right), (m, n, p), (i, j) = one_of(draw, PRODUCTS)
    a = ((n,), (m, n), (*left, m, n))[i]
    b = ((n,), (n, p), (*right, n, p))[j]
    return Case(inputs_for(draw, op, [a, b]), {})


def _outer(draw: Draw, op: Op) -> Case:
    return Case(inputs_for(draw, op, [(draw(sides),), (draw(sides),)]), {})


def _cross(draw: Draw, op: Op) -> Case:
    drawn = draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=2, max_side=3)).input_shapes
    ndim = max(map(len, drawn))
    axis = draw(st.integers(0, ndim))
    padded = [(1,) * (ndim - len(shape)) + shape for shape in drawn]
    return Case(inputs_for(draw, op, [(*shape[:axis], 3, *shape[axis:]) for shape in padded]), {"axis": axis})


def _added_product(draw: Draw, op: Op) -> Case:
    """A product of matrices, of a matrix and a vector, or of batches, and something that broadcasts to it."""
    batch, rows, inner, columns = (draw(sides) for _ in range(4))
    kinds: list[tuple[Shape, Shape, Shape]] = [
        ((rows, inner), (inner, columns), (rows, columns)),
        ((rows, inner), (inner,), (rows,)),
        ((batch, rows, inner), (batch, inner, columns), (batch, rows, columns)),
    ]
    a, b, result = one_of(draw, kinds)
    added = tuple(n if draw(st.booleans()) else 1 for n in result)[draw(st.integers(0, len(result))) :]
    factors = [1, 0, 0.5, -2.0]
    return Case(inputs_for(draw, op, [added, a, b]), {"beta": one_of(draw, factors), "alpha": one_of(draw, factors)})


PAIRS = [
    (("ij", "jk"), "ik"), (("ij", "jk"), "ki"), (("bij", "bjk"), "bik"), (("i", "i"), ""), (("i", "j"), "ij"),
    (("ij", "kj"), "ki"), (("ijk", "k"), "ij"), (("ij", "ij"), "i"), (("ij", "ij"), "j"), (("ij", "ij"), ""),
    (("ij", "ji"), ""), (("ij", "ij"), "ji"), (("bij", "jb"), "bi"), (("ibj", "kjb"), "kbi"), (("", "ij"), "ji"),
    (("ijk", "kjl"), "li"), (("j", "ijb"), "bi"),
]  # fmt: skip


def _einsum(draw: Draw, op: Op) -> Case:
    terms, result = one_of(draw, PAIRS)
    lengths = {letter: draw(sides) for letter in sorted(set("".join(terms)))}
    parts = [tuple(lengths[letter] for letter in term) for term in terms]
    return Case(inputs_for(draw, op, parts), {"terms": terms, "result": result})


def _cdist(draw: Draw, op: Op) -> Case:
    drawn = draw(hnp.mutually_broadcastable_shapes(signature="(m,k),(n,k)->(m,n)", max_dims=1, max_side=3))
    return Case(inputs_for(draw, op, drawn.input_shapes), {})


ORDERS = [2, 1, 0, 3, 1.5, 0.5, -1, -2.5, float("inf"), -float("inf")]


def _norm(draw: Draw, shape: Shape) -> dict[str, Any]:
    axis, keepdims, order = one_of(draw, list(product(subsets(len(shape)), (False, True), ORDERS)))
    return {"ord": order, "axis": axis, "keepdims": keepdims}


def _kron(draw: Draw, op: Op) -> Case:
    small = hnp.array_shapes(min_dims=0, max_dims=2, max_side=3)
    return Case(inputs_for(draw, op, [draw(small), draw(small)]), {})


CASES: dict[str, Strategy] = {
    "kron": _kron,
    "matmul": _matmul,
    "outer": _outer,
    "cross": _cross,
    "addmm": _added_product,
    "einsum": _einsum,
    "cdist": _cdist,
    "vector_norm": one_input(_norm),
    "vander": one_input(lambda draw, shape: {"n": draw(st.integers(1, 5))}, min_dims=1),
}
EXPRESSIONS: dict[str, tuple[str, ...]] = {
    "mm": ("ad.mm(x, x.T)",),
    "bmm": ("ad.bmm(s, s)",),
    "mv": ("ad.mv(x, v)",),
    "dot": ("ad.dot(v, v)",),
    "vdot": ("ad.vdot(v, v)",),
    "inner": ("ad.inner(v, v)", "ad.inner(x, s)", "ad.inner(v, x[0, 0])"),
    "outer": ("ad.outer(v, v)",),
    "ger": ("ad.ger(v, v)",),
    "cross": ("ad.cross(x, x.T)", "ad.cross(x, x.T, 1)", "ad.cross(s, x[None], dim=-2)"),
    "addmm": ("ad.addmm(v, x, x)", "ad.addmm(x, x, x.T, beta=0.5, alpha=2)"),
    "addmv": ("ad.addmv(v, x, v)", "ad.addmv(v, x, v, beta=2, alpha=0.5)"),
    "addbmm": ("ad.addbmm(x, s, s)", "ad.addbmm(v, s, s, beta=0.5, alpha=2)"),
    "baddbmm": ("ad.baddbmm(s, s, s)", "ad.baddbmm(v, s, s, beta=2, alpha=0.5)"),
    "addr": ("ad.addr(x, v, v)", "ad.addr(v, v, v, beta=0.5, alpha=2)"),
    "einsum": (
        "ad.einsum('ij,jk,lk->il', x, x, x)", "ad.einsum('bij,...ij->b...', s, s)", "ad.einsum('iij->j', s[:, :2, :2])",
        "ad.einsum('ii->i', x)", "ad.einsum('ij->ji', x)", "ad.einsum('ij->', x)", "ad.einsum('ij,ij->i', x[:1], x)",
        "ad.einsum(x, [0, 1], v, [1], [0])", "ad.einsum('i,i,i->i', v, v, v)", "ad.einsum('ii,ij->j', x, x)",
    ),
    "tensordot": ("ad.tensordot(s, x, 1)", "ad.tensordot(s, s, ([0, 1], [0, 2]))", "ad.tensordot(v, v, 0)"),
    "chain_matmul": ("ad.chain_matmul(x, x[:, :2], x[:2])", "ad.chain_matmul(x)"),
    "cdist": (
        "ad.cdist(x, x.T)", "ad.cdist(s, x, p=1)", "ad.cdist(x, s, p=3.0)", "ad.cdist(x * x, x.T, float('inf'))",
        "ad.cdist(x, x.T, 1.5)", "ad.cdist(x, x.T, 0) + x",
    ),
    "matrix_power": (
        "ad.matrix_power(x, 5)", "ad.matrix_power(s, 2)", "ad.matrix_power(x, 1)", "ad.matrix_power(x, 0)",
    ),
    "linalg.matmul": ("ad.linalg.matmul(x, v)",),
    "linalg.diagonal": ("ad.linalg.diagonal(s)", "ad.linalg.diagonal(s, offset=1, dim1=0, dim2=1)"),
    "linalg.matrix_power": ("ad.linalg.matrix_power(x + ad.eye(3, dtype=x.dtype), -2)", "ad.linalg.matrix_power(x, 3)"),
    "multi_dot": ("ad.linalg.multi_dot([v, x, x, x[:, :1]])", "ad.linalg.multi_dot([v, x, v])"),
    "vecdot": ("ad.linalg.vecdot(v, v)", "ad.linalg.vecdot(x, v)", "ad.linalg.vecdot(s, x, dim=0)"),
    "linalg.cross": ("ad.linalg.cross(x, x.T)", "ad.linalg.cross(s, x[None], dim=1)"),
    "vander": ("ad.linalg.vander(v)", "ad.linalg.vander(x, 5)", "ad.linalg.vander(x, N=2)"),
    "vector_norm": (
        "ad.linalg.vector_norm(x)", "ad.linalg.vector_norm(x, 3, 1)", "ad.linalg.vector_norm(s, 1, (0, 2), True)",
        "ad.linalg.vector_norm(x, float('inf'), dim=0)", "ad.linalg.vector_norm(x, dtype=ad.float64)",
    ),
    "matrix_norm": (
        "ad.linalg.matrix_norm(x)", "ad.linalg.matrix_norm(s, 1)", "ad.linalg.matrix_norm(s, -float('inf'), (0, 1))",
        "ad.linalg.matrix_norm(x, 'nuc', keepdim=True)", "ad.linalg.matrix_norm(s, 2)", "ad.linalg.matrix_norm(x, -2)",
        "ad.linalg.matrix_norm(s, -1, (2, 0), True)",
    ),
    "linalg.norm": (
        "ad.linalg.norm(s)", "ad.linalg.norm(x, 'fro')", "ad.linalg.norm(v, 3)", "ad.linalg.norm(s, 1, (0, 1), True)",
        "ad.linalg.norm(s, dim=1)",
    ),
}  # fmt: skip

"""Products of matrices and contractions."""

from __future__ import annotations

import hypothesis.extra.numpy as hnp
from hypothesis import strategies as st

from autodiff.op import Op
from autodiff.testing.drawing import Case, Draw, Strategy, inputs_for


def _matmul(draw: Draw, op: Op) -> Case:
    drawn = draw(hnp.mutually_broadcastable_shapes(signature="(m?,n),(n,p?)->(m?,p?)", max_dims=2, max_side=3))
    return Case(inputs_for(draw, op, drawn.input_shapes), {})


EQUATIONS = [
    (("ij", "jk"), "ik"), (("ij", "jk"), "ki"), (("bij", "bjk"), "bik"), (("i", "i"), ""), (("i", "j"), "ij"),
    (("ij", "j", "jk"), "ik"), (("ijk", "k"), "ij"), (("ij",), "ji"), (("ij", "ij"), "i"),
]  # fmt: skip


def _einsum(draw: Draw, op: Op) -> Case:
    terms, result = draw(st.sampled_from(EQUATIONS))
    lengths = {letter: draw(st.integers(1, 3)) for letter in sorted(set("".join(terms)))}
    parts = [tuple(lengths[letter] for letter in term) for term in terms]
    return Case(inputs_for(draw, op, parts), {"terms": terms, "result": result})


CASES: dict[str, Strategy] = {
    "matmul": _matmul,
    "einsum": _einsum,
}

"""What is drawn for embeddings."""

import numpy as np
from hypothesis import strategies as st

from autodiff.op import Op
from autodiff.testing.drawing import Case, Draw, Strategy
from nn.testing.drawing import sizes, uniform


def _indices(draw: Draw, rows: int) -> tuple[np.ndarray, int | None]:
    """Indices of any shape into so many rows, and which of them is the padding."""
    shape = tuple(draw(st.lists(sizes, max_size=2)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return rng.integers(0, rows, shape), draw(st.sampled_from([None, 0, rows - 1]))


def _embedding(draw: Draw, op: Op) -> Case:
    rows, columns = draw(sizes), draw(sizes)
    index, padding = _indices(draw, rows)
    weight, fixed = uniform(draw, ((rows, columns), -3, 3), ((columns,), -3, 3))
    return Case([weight], {"index": index, "padding": padding, "fixed": draw(st.sampled_from([None, fixed]))})


def _embedding_dense(draw: Draw, op: Op) -> Case:
    rows, columns = draw(sizes), draw(sizes)
    index, padding = _indices(draw, rows)
    return Case(uniform(draw, ((*index.shape, columns), -3, 3)), {"index": index, "padding": padding, "rows": rows})


CASES: dict[str, Strategy] = {"embedding": _embedding, "embedding_dense": _embedding_dense}

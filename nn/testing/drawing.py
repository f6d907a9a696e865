"""What the strategies of several families share."""

import numpy as np
from hypothesis import strategies as st

from autodiff.testing.drawing import Array, Draw, Shape

sizes = st.integers(1, 4)


def uniform(draw: Draw, *bounds: tuple[Shape, float, float]) -> list[Array]:
    """An array for each shape and interval, all from one generator."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return [np.asarray(rng.uniform(low, high, shape)) for shape, low, high in bounds]

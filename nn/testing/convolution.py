"""What is drawn for convolutions."""

from typing import Any

from hypothesis import strategies as st

from autodiff.op import Op
from autodiff.testing.drawing import Case, Draw, Shape, Strategy, one_of
from nn.functional.fold import blocks
from nn.testing.drawing import uniform


class Drawn:
    """The shapes of a small convolution of one or two dimensions; its params are those of the ops."""

    def __init__(self, draw: Draw, ndim: int) -> None:
        self.groups, per_group = one_of(draw, [(1, (1, 2)), (1, (2, 1)), (2, (1, 1)), (2, (1, 2)), (2, (2, 1))])
        inputs, outputs = (self.groups * channels for channels in per_group)
        # Windows on a length with and without a rest, each with another kernel, stride, padding and dilation.
        choices = [(4, 2, 1, 1, 1), (5, 2, 2, 0, 1), (4, 3, 2, 2, 1), (6, 2, 1, 0, 2), (3, 1, 1, 0, 1), (3, 1, 2, 1, 1)]
        choices += [(5, 2, 2, 1, 2), (6, 2, 3, 1, 2)]
        axes = [one_of(draw, choices) for _ in range(ndim)]
        self.size, self.kernel, stride, padding, dilation = (tuple(lengths) for lengths in zip(*axes, strict=True))
        self.steps: dict[str, Shape] = {"stride": stride, "padding": padding, "dilation": dilation}
        self.count = blocks(self.size, self.kernel, **self.steps)
        n = draw(st.integers(1, 2))
        self.x, self.y = (n, inputs, *self.size), (n, outputs, *self.count)
        self.weight = (outputs, per_group[0], *self.kernel)

    def params(self, size: Shape) -> dict[str, Any]:
        return {"size": size, "groups": self.groups, **self.steps}


def _ndim(draw: Draw) -> int:
    ndim: int = one_of(draw, [1, 1, 2])
    return ndim


def _convolution(draw: Draw, op: Op) -> Case:
    drawn = Drawn(draw, _ndim(draw))
    x, weight, bias = uniform(draw, (drawn.x, -2, 2), (drawn.weight, -2, 2), ((drawn.y[1],), -2, 2))
    return Case([x, weight, draw(st.sampled_from([bias, None]))], drawn.params(drawn.count))


def _conv_transpose(draw: Draw, op: Op) -> Case:
    drawn = Drawn(draw, _ndim(draw))
    x, weight, bias = uniform(draw, (drawn.y, -2, 2), (drawn.weight, -2, 2), ((drawn.x[1],), -2, 2))
    return Case([x, weight, draw(st.sampled_from([bias, None]))], drawn.params(drawn.size))


def _conv_weight(draw: Draw, op: Op) -> Case:
    drawn = Drawn(draw, _ndim(draw))
    return Case(uniform(draw, (drawn.x, -2, 2), (drawn.y, -2, 2)), drawn.params(drawn.kernel))


def _im2col(draw: Draw, op: Op) -> Case:
    drawn = Drawn(draw, 2)
    return Case(uniform(draw, (drawn.x, -2, 2)), {"kernel": drawn.kernel, **drawn.steps})


def _col2im(draw: Draw, op: Op) -> Case:
    drawn = Drawn(draw, 2)
    rows, columns = drawn.x[1] * drawn.kernel[0] * drawn.kernel[1], drawn.count[0] * drawn.count[1]
    shape = (drawn.x[0], rows, columns)
    return Case(uniform(draw, (shape, -2, 2)), {"size": drawn.size, "kernel": drawn.kernel, **drawn.steps})


CASES: dict[str, Strategy] = {
    "convolution": _convolution,
    "conv_transpose": _conv_transpose,
    "conv_weight": _conv_weight,
    "im2col": _im2col,
    "col2im": _col2im,
}

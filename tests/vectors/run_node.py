"""The nodes of small ONNX graphs, as calls of this project's functions.

The operators are described at https://onnx.ai/onnx/operators, here as of opsets 6 to 12. A node's attributes are the
keyword arguments of its entry in `NODES`, so that one without a place there is a TypeError and nothing is overlooked.
"""

import math
from collections.abc import Callable, Sequence

import onnx
from onnx import numpy_helper

import autodiff as ad
from autodiff.tensor import Tensor
from nn import functional as F


def run_graph(graph: onnx.GraphProto, inputs: Sequence[Tensor]) -> list[Tensor]:
    """The outputs of a graph; `inputs` are those that it has no values for."""
    values = {stored.name: tensor_of(stored) for stored in graph.initializer}
    free = [given.name for given in graph.input if given.name not in values]
    values.update(zip(free, inputs, strict=True))
    for node in graph.node:
        outputs = run_node(node, [values[name] for name in node.input])
        values.update(zip(node.output, outputs, strict=True))
    return [values[output.name] for output in graph.output]


def run_node(node: onnx.NodeProto, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    """The outputs of one node; KeyError for an operator that `NODES` does not have."""
    attributes = {given.name: onnx.helper.get_attribute_value(given) for given in node.attribute}
    output = NODES[node.op_type](*inputs, **attributes)
    return (output,) if isinstance(output, Tensor) else output


def tensor_of(stored: onnx.TensorProto) -> Tensor:
    return ad.tensor(numpy_helper.to_array(stored))


def _conv(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, *, kernel_shape: Sequence[int], strides: Sequence[int],
    pads: Sequence[int], dilations: Sequence[int], group: int,
) -> Tensor:  # fmt: skip
    assert weight.shape[2:] == tuple(kernel_shape)
    conv = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[len(kernel_shape)]
    return conv(x, weight, bias, strides, _both_sides(pads), dilations, group)


def _conv_transpose(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, *, kernel_shape: Sequence[int], strides: Sequence[int],
    pads: Sequence[int], dilations: Sequence[int], group: int, output_padding: Sequence[int],
) -> Tensor:  # fmt: skip
    assert weight.shape[2:] == tuple(kernel_shape)
    conv = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}[len(kernel_shape)]
    return conv(x, weight, bias, strides, _both_sides(pads), output_padding, group, dilations)


def _max_pool(
    x: Tensor, *, kernel_shape: Sequence[int], strides: Sequence[int], pads: Sequence[int],
    dilations: Sequence[int] = (),
) -> Tensor:  # fmt: skip
    pool = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}[len(kernel_shape)]
    return pool(x, kernel_shape, strides, _both_sides(pads), dilations or 1)


def _average_pool(x: Tensor, *, kernel_shape: Sequence[int], strides: Sequence[int], pads: Sequence[int]) -> Tensor:
    pool = {2: F.avg_pool2d, 3: F.avg_pool3d}[len(kernel_shape)]
    return pool(x, kernel_shape, strides, _both_sides(pads), count_include_pad=False)


def _both_sides(pads: Sequence[int]) -> Sequence[int]:
    """What is added on each side of each axis, where ONNX names all beginnings and then all ends."""
    half = len(pads) // 2
    assert pads[:half] == pads[half:], "PyTorch adds the same on both sides"
    return pads[:half]


def _pad(x: Tensor, *, pads: Sequence[int], mode: bytes = b"constant", value: float = 0.0) -> Tensor:
    axes = list(zip(pads[: x.ndim], pads[x.ndim :], strict=True))
    if mode != b"constant":  # which pad nothing but the spatial axes
        assert axes[:2] == [(0, 0), (0, 0)]
        axes = axes[2:]
    last_axis_first = [number for pair in reversed(axes) for number in pair]
    return F.pad(x, last_axis_first, {b"edge": "replicate"}.get(mode, mode.decode()), value)


def _gemm(a: Tensor, b: Tensor, c: Tensor, *, alpha: float, beta: float, transB: int = 0, broadcast: int = 0) -> Tensor:
    if transB:
        assert (alpha, beta) == (1, 1), "F.linear has no factors"
        return F.linear(a, b, c)
    return ad.addmm(c, a, b, beta=beta, alpha=alpha)


def _add(a: Tensor, b: Tensor, *, broadcast: int = 0, axis: int | None = None) -> Tensor:
    """a + b; the axes of b stand below those of a from `axis` on, or below the last."""
    beyond = 0 if axis is None else a.ndim - axis - b.ndim
    return a + b.reshape((*b.shape, *(1,) * beyond))


def _p_relu(x: Tensor, slope: Tensor) -> Tensor:
    return F.prelu(x, slope.flatten())


def _batch_norm(
    x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, var: Tensor, *, epsilon: float, momentum: float,
    is_test: int,
) -> Tensor:  # fmt: skip
    return F.batch_norm(x, mean, var, weight, bias, not is_test, 1 - momentum, epsilon)


def _split(x: Tensor, *, axis: int, split: Sequence[int] = ()) -> Sequence[Tensor]:
    return x.split(list(split), axis) if split else x.chunk(2, axis)


def _slice(x: Tensor, *, axes: Sequence[int], starts: Sequence[int], ends: Sequence[int]) -> Tensor:
    for axis, start, end in zip(axes, starts, ends, strict=True):
        x = x.narrow(axis, start, end - start)
    return x


def _over_all_axes_from(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Before opset 13 softmax was along all axes from `axis` on together."""
    return lambda x, *, axis: function(x.flatten(axis), -1).reshape(x.shape)


NODES: dict[str, Callable[..., Tensor | Sequence[Tensor]]] = {
    "Abs": ad.abs,
    "Add": _add,
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Clip": lambda x, *, min, max: ad.clamp(x, min, max),
    "Concat": lambda *parts, axis: ad.cat(parts, axis),
    "Constant": lambda *, value: tensor_of(value),
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Div": lambda a, b: a / b,
    "Elu": F.elu,
    "Exp": ad.exp,
    "Flatten": lambda x, *, axis: x.reshape(math.prod(x.shape[:axis]), -1),
    "Gather": lambda weight, index: F.embedding(index, weight),
    "Gemm": _gemm,
    "InstanceNormalization": lambda x, weight, bias, *, epsilon: F.instance_norm(
        x, weight=weight, bias=bias, eps=epsilon
    ),
    "LeakyRelu": lambda x, *, alpha: F.leaky_relu(x, alpha),
    "LogSoftmax": _over_all_axes_from(F.log_softmax),
    "MatMul": ad.matmul,
    "Max": ad.maximum,
    "MaxPool": _max_pool,
    "Min": ad.minimum,
    "Mul": lambda a, b: a * b,
    "Neg": ad.neg,
    "PRelu": _p_relu,
    "Pad": _pad,
    "Pow": ad.pow,
    "ReduceMean": lambda x, *, axes, keepdims: x.mean(tuple(axes), bool(keepdims)),
    "ReduceSum": lambda x, *, axes, keepdims: x.sum(tuple(axes), bool(keepdims)),
    "Relu": F.relu,
    "Reshape": lambda x, shape: x.reshape(shape.tolist()),
    "Selu": F.selu,
    "Sigmoid": F.sigmoid,
    "Slice": _slice,
    "Softmax": _over_all_axes_from(F.softmax),
    "Softplus": F.softplus,
    "Split": _split,
    "Sqrt": ad.sqrt,
    "Squeeze": lambda x, *, axes: x.squeeze(tuple(axes)),
    "Sub": lambda a, b: a - b,
    "Sum": lambda *terms: sum(terms[1:], terms[0]),
    "Tanh": F.tanh,
    "Tile": lambda x, repeats: x.repeat(*repeats.tolist()),
    "Transpose": lambda x, *, perm: x.permute(perm),
    "Unsqueeze": lambda x, *, axes: x.unsqueeze(*axes),
}

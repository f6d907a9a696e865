"""Layers and functions against what PyTorch computed when they were exported to ONNX, with the tensors of that day.

The vectors are files of the package `onnx`, in onnx/backend/test/data, and need no PyTorch. All of them run: an
operator that `run_node` does not know is an error.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest

from autodiff.tensor import Tensor
from nn import functional as F
from tests.vectors.run_node import run_graph, tensor_of

DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"
VECTORS = {folder.name.removeprefix("test_"): folder for folder in sorted(DATA.glob("pytorch-*/test_*"))}

# Exported as several nodes, and one function here. It is given the input and what the graph has stored.
IN_ONE: dict[str, Callable[..., Tensor]] = {
    "AvgPool1d": lambda x: F.avg_pool1d(x, 2),
    "AvgPool1d_stride": lambda x: F.avg_pool1d(x, 2, 2),
    "GLU": F.glu,
    "GLU_dim": lambda x: F.glu(x, 1),
    "Linear_no_bias": F.linear,
    "PixelShuffle": lambda x, *shapes: F.pixel_shuffle(x, 3),
    "PoissonNLLLLoss_no_reduce": lambda x, target: F.poisson_nll_loss(x, target, reduction="none"),
    "Softmin": lambda x: F.softmin(x, 1),
    "Softsign": lambda x, one: F.softsign(x),
}


def read(name: str) -> tuple[onnx.GraphProto, list[Tensor], list[Tensor]]:
    """A graph, its inputs and its outputs."""
    folder = VECTORS[name]
    inputs, outputs = (
        [tensor_of(onnx.load_tensor(path)) for path in sorted(folder.glob(f"test_data_set_0/{kind}_*.pb"))]
        for kind in ("input", "output")
    )
    return onnx.load(folder / "model.onnx").graph, inputs, outputs


def assert_equal(found: Sequence[Tensor], expected: Sequence[Tensor]) -> None:
    for y, wanted in zip(found, expected, strict=True):
        assert (y.dtype, y.shape) == (wanted.dtype, wanted.shape)
        # Both are sums in float32, in different orders, of at most 144 products of numbers around 1.
        np.testing.assert_allclose(y.numpy(), wanted.numpy(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", VECTORS)
def test_the_nodes_give_what_pytorch_gave(name: str) -> None:
    graph, inputs, outputs = read(name)
    with np.errstate(invalid="ignore"):  # roots of negative numbers are among the inputs
        assert_equal(run_graph(graph, inputs), outputs)


@pytest.mark.parametrize("name", IN_ONE)
def test_one_function_gives_what_pytorch_gave(name: str) -> None:
    graph, inputs, outputs = read(name)
    stored = [tensor_of(tensor) for tensor in graph.initializer]
    stored += [tensor_of(node.attribute[0].t) for node in graph.node if node.op_type == "Constant"]
    assert_equal([IN_ONE[name](*inputs, *stored)], outputs)


def test_the_vectors_are_all_there() -> None:
    assert len(VECTORS) >= 117

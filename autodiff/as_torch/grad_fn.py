"""`grad_fn` as programs written for PyTorch print it: under PyTorch's name for the derivative, where there is one.

The names are printed and nothing else: a layer that is one op here may be several there, and the other way round.
"""

from __future__ import annotations

from typing import Any

from autodiff.graph import Node, backward_name

LABELS = {
    "amax": "MaxBackward1", "amin": "MinBackward1", "broadcast_to": "ExpandBackward0",
    "cholesky": "LinalgCholeskyExBackward0", "clamp": "ClampBackward1", "constant_pad": "ConstantPadNdBackward0",
    "conv_transpose": "ConvolutionBackward0", "cross": "LinalgCrossBackward0", "det": "LinalgDetBackward0",
    "einsum": "ViewBackward0", "index_select": "IndexBackward0", "inv": "LinalgInvExBackward0",
    "logsigmoid": "LogSigmoidBackward0", "masked_select": "IndexBackward0", "matmul": "UnsafeViewBackward0",
    "matrix_exp": "LinalgMatrixExpBackward0", "outer": "MulBackward0", "pinv": "LinalgPinvBackward0",
    "pow_number": "PowBackward0", "prelu": "PreluKernelBackward0", "put_region": "CopySlices",
    "reshape": "ViewBackward0", "scale_and_shift": "NativeBatchNormBackward0", "softsign": "DivBackward0",
    "solve": "LinalgSolveExBackward0", "square": "PowBackward0", "to": "ToCopyBackward0",
    "vector_norm": "LinalgVectorNormBackward0",
}  # fmt: skip
# Of a total, after what it is the total of: losses that are one kernel there.
LOSSES = {
    "binary_cross_entropy": "BinaryCrossEntropyBackward0", "square": "MseLossBackward0",
    "binary_cross_entropy_with_logits": "BinaryCrossEntropyWithLogitsBackward0",
}  # fmt: skip
# Of a matrix or not, with a bias that is learned or without.
LINEAR = {True: ("AddmmBackward0", "MmBackward0"), False: ("ViewBackward0", "UnsafeViewBackward0")}
# After the number of axes of the result.
PRODUCTS = {0: "DotBackward0", 1: "MvBackward0", 2: "MmBackward0"}
# After the number of axes of a window.
MAX_POOLS = {1: "SqueezeBackward1", 2: "MaxPool2DWithIndicesBackward0", 3: "MaxPool3DWithIndicesBackward0"}


def label(node: Node) -> str:
    """The name that PyTorch prints for the same step, after its shape, its parameters and what it was computed from."""
    if node.op is None:
        return "AccumulateGrad"
    ndim, parents = len(node.shape), node.parents()
    first: Any = parents[0]
    match node.name:
        case "getitem":
            return _label_of_index(node.params["index"][-1])
        case "sum" | "mean" | "prod" if ndim:
            return node.name.title() + "Backward1"
        case "amax" | "amin" if ndim:
            return backward_name(node.name)
        case "sum" | "mean" if first.name in LOSSES:
            return LOSSES[first.name]
        case "cross_entropy":
            return "NllLossBackward0" if len(first.shape) < 3 else "NllLoss2DBackward0"
        case "linear" if ndim > 1:
            return LINEAR[ndim == 2][parents[-1] is None]
        case "matmul" if ndim in PRODUCTS:
            return PRODUCTS[ndim]
        case "max_pool":
            return MAX_POOLS[len(node.params["kernel"])]
        case "part":
            return "Linalg" + backward_name(first.name)
        case "pow":
            return "PowBackward1" if first else "PowBackward2"
        case "standardize":
            return _label_of_norm(**node.params)
        case name:
            return LABELS.get(name, backward_name(name))


def _label_of_norm(view: tuple[int, ...], groups: int | None, centred: bool, **params: Any) -> str:
    if not centred:
        return "MulBackward0"
    if groups is None:
        return "NativeBatchNormBackward0"
    # A layer's features are one axis, of single numbers.
    return "NativeLayerNormBackward0" if groups == view[-1] == 1 else "NativeGroupNormBackward0"


def _label_of_index(last: Any) -> str:
    if isinstance(last, slice):
        return "SliceBackward0"
    return "SelectBackward0" if isinstance(last, int) else "IndexBackward0"


def _variable(node: Any) -> Any:
    if node.op is not None:
        raise AttributeError(f"{node.label} has no variable: only the nodes of leaves have")
    return node.tensor()


# Attributes of the nodes of the graph.
NODE: dict[str, Any] = {
    "label": property(label),
    "next_functions": property(lambda node: tuple((parent, 0) for parent in node.parents())),
    "variable": property(_variable),
    "__repr__": lambda node: f"<{node.label} object at {id(node):#x}>",
}

"""`grad_fn` as programs written for PyTorch print it: under PyTorch's name for the derivative, where there is one.

The names are printed and nothing else: a layer that is one op here may be several there, and the other way round.
"""

from __future__ import annotations

from typing import Any

from autodiff.graph import Node, backward_name

LABELS = {
    "amax": "MaxBackward1", "broadcast_to": "ExpandBackward0", "clamp": "ClampBackward1",
    "cross_entropy": "NllLossBackward0", "pow_number": "PowBackward0", "prelu": "PreluKernelBackward0",
    "reshape": "ViewBackward0", "vector_norm": "LinalgVectorNormBackward0",
}  # fmt: skip
# After the number of axes of the result.
PRODUCTS = {0: "DotBackward0", 1: "MvBackward0", 2: "MmBackward0"}


def label(node: Node) -> str:
    """The name that PyTorch prints for the same step, after its shape and its parameters."""
    if node.op is None:
        return "AccumulateGrad"
    ndim = len(node.shape)
    match node.name:
        case "getitem":
            return _label_of_index(node.params["index"][-1])
        case "sum" | "mean" if ndim:
            return node.name.title() + "Backward1"
        case "linear" if ndim == 2:
            return "MmBackward0" if node.parents()[-1] is None else "AddmmBackward0"
        case "matmul" if ndim in PRODUCTS:
            return PRODUCTS[ndim]
        case "standardize":
            return "NativeLayerNormBackward0" if node.params["groups"] else "NativeBatchNormBackward0"
        case name:
            return LABELS.get(name, backward_name(name))


def _label_of_index(last: Any) -> str:
    if isinstance(last, slice):
        return "SliceBackward0"
    return "SelectBackward0" if isinstance(last, int) else "IndexBackward0"


# Attributes of the nodes of the graph.
NODE: dict[str, Any] = {
    "label": property(label),
    "next_functions": property(lambda node: tuple((parent, 0) for parent in node.parents())),
    "__repr__": lambda node: f"<{node.label} object at {id(node):#x}>",
}

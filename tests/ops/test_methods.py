"""What the composition root puts on Tensor, and the stub that types it."""

from __future__ import annotations

from pathlib import Path

import pytest

import autodiff as ad
from autodiff import methods, stub
from autodiff._signatures import TensorMethods
from autodiff.op import OPS

# How to call the methods that need more than the tensor itself; x is a 3 by 3 matrix.
ARGUMENTS = {
    "add": "(x)", "atan2": "(x)", "div": "(x)", "floor_divide": "(x)", "fmod": "(x)", "logaddexp": "(x)", "pow": "(2)",
    "matmul": "(x)", "maximum": "(x)", "minimum": "(x)", "mm": "(x)", "mul": "(x)", "remainder": "(x)", "sub": "(x)",
    "broadcast_to": "((2, 3, 3))", "chunk": "(2)[0]", "clamp": "(0.2, 0.8)", "clip": "(0.2, 0.8)", "cumsum": "(0)",
    "expand": "(2, 3, 3)", "expand_as": "(x)", "flip": "(0)", "gather": "(0, ad.zeros(1, 3, dtype=ad.int64))",
    "index_select": "(0, ad.tensor([1]))", "log_softmax": "(0)", "softmax": "(0)", "masked_fill": "(x > 0.5, 0.0)",
    "movedim": "(0, 1)", "narrow": "(0, 0, 1)", "permute": "(1, 0)", "reshape": "(9)", "reshape_as": "(x)",
    "select": "(0, 0)", "split": "(2)[0]", "swapaxes": "(0, 1)", "swapdims": "(0, 1)", "transpose": "(0, 1)",
    "take_along_dim": "(ad.zeros(1, 3, dtype=ad.int64), 0)", "to": "(ad.float64)", "type_as": "(x)",
    "unbind": "()[0]", "unflatten": "(0, (3, 1))", "unsqueeze": "(0)", "view": "(9)", "view_as": "(x)",
}  # fmt: skip
EXPRESSIONS = {
    "acosh": "(x + 1).acosh()", "bmm": "x[None].bmm(x[None])", "dot": "x[0].dot(x[1])", "mv": "x.mv(x[0])",
    "outer": "x[0].outer(x[1])",
}  # fmt: skip
# Their results are bools, integers or indices.
NOT_DIFFERENTIABLE = {
    "all", "allclose", "any", "argmax", "argmin", "bool", "eq", "equal", "ge", "gt", "int", "isfinite", "isinf",
    "isnan", "le", "long", "lt", "ne", "nonzero", "bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor",
    "logical_and", "logical_not", "logical_or", "logical_xor",
}  # fmt: skip
NAMES = [
    name for family, names in methods.METHODS.items() if family is not methods.inplace for name in names.split()
]  # fmt: skip


@pytest.mark.parametrize("name", [name for name in NAMES if name not in NOT_DIFFERENTIABLE])
def test_every_method_passes_the_gradient_on(name: str) -> None:
    """One that computed on arrays behind the graph's back would return a tensor that does not require grad."""
    x = (ad.rand(3, 3, dtype=ad.float64) * 0.5 + 0.25).requires_grad_()
    expression = EXPRESSIONS.get(name, f"x.{name}{ARGUMENTS.get(name, '()')}")
    result = eval(expression, {"x": x, "ad": ad})
    assert result.requires_grad


@pytest.mark.parametrize("name", sorted(NOT_DIFFERENTIABLE))
def test_the_others_are_methods_too(name: str) -> None:
    assert callable(getattr(ad.Tensor, name))


def test_every_op_is_reachable() -> None:
    """An op that no public function uses is dead; those that serve another are named here."""
    serves_another = {"pow_number", "trunc_divide", "sum_to", "unget", "leaky_relu"}
    public = {name for name in dir(ad) if not name.startswith("_")} | set(dir(TensorMethods)) | set(NAMES)
    assert {name for name, op in OPS.items() if op.record.__module__.startswith("autodiff")} - public == (
        serves_another | {"getitem"}
    )


def test_the_stub_is_up_to_date() -> None:
    """Run `python -m autodiff.stub` when this fails."""
    assert Path(stub.__file__).with_name("_signatures.pyi").read_text() == stub.text()

"""What shape functions, constructors and conversions refuse, and that the messages help."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import autodiff as ad

ERRORS: dict[str, tuple[Callable[[ad.Tensor], Any], type[Exception], list[str]]] = {
    "repeat": (lambda x: x.repeat(2), RuntimeError, ["at least 2", "(2,)", "tile()"]),
    "repeat_interleave": (lambda x: x.repeat_interleave(ad.tensor([1]).float()), TypeError, ["float32", ".long()"]),
    "repeats": (lambda x: x.repeat_interleave(ad.tensor([1, 2]), 1), RuntimeError, ["3 for dim 1", "(2,)"]),
    "roll": (lambda x: x.roll(1, (0, 1)), RuntimeError, ["as many shifts", "1 and (0, 1)"]),
    "rot90": (lambda x: x.rot90(1, (0, 0)), RuntimeError, ["two different", "(0, 0)", "(2, 3)"]),
    "flip": (lambda x: x.flip(0, -2), RuntimeError, ["once", "(0, -2)", "(2, 3)"]),
    "unfold": (lambda x: x.unfold(1, 4, 1), RuntimeError, ["from 0 to 3", "size 4"]),
    "as_strided": (lambda x: x.as_strided((4,), (2,)), RuntimeError, ["reaches 7", "memory of 6"]),
    "as_strided of a part": (
        lambda x: x.requires_grad_()[:, ::2].as_strided((2,), (1,)), RuntimeError,
        ["(2, 2)", "(3, 2)", "x.contiguous()"],
    ),
    "diagonal": (lambda x: x.diagonal(0, 1, -1), RuntimeError, ["two different", "1 and -1"]),
    "diag": (lambda x: x[None].diag(), RuntimeError, ["vector or a matrix", "(1, 2, 3)", "diag_embed()"]),
    "trace": (lambda x: x[0].trace(), RuntimeError, ["matrix", "(3,)"]),
    "meshgrid": (lambda x: ad.meshgrid(x[0], x.long()[0]), RuntimeError, ["one dtype", "int64"]),
    "cartesian_prod": (lambda x: ad.cartesian_prod(x, x), RuntimeError, ["vectors", "(2, 3)", "flatten()"]),
    "view": (lambda x: x.view(ad.float64), RuntimeError, ["float32", "float64", "x.to('float64')"]),
    "arange": (lambda x: ad.arange(1, 0), RuntimeError, ["from 1 towards 0", "got 1"]),
    "linspace": (lambda x: ad.linspace(0, 1, 2.5), TypeError, ["whole number", "2.5"]),
    "tensor": (lambda x: ad.tensor(["a"], dtype=ad.float32), ValueError, ["numbers", "['a']"]),
    "full": (lambda x: ad.full((2,), 300, dtype=ad.uint8), ValueError, ["300", "uint8"]),
    "iinfo": (lambda x: ad.iinfo(ad.float32), TypeError, ["integer", "float32", "finfo"]),
    "complex": (lambda x: ad.complex(x, x), AttributeError, ["complex", "two tensors"]),
    "complex64": (lambda x: ad.complex64, AttributeError, ["complex", "two tensors"]),
    "complex dtype": (lambda x: x.to("complex64"), TypeError, ["complex64", "outside"]),
    "sparse": (lambda x: x.to_sparse(), AttributeError, ["'Tensor' object", "to_sparse", "sparse", "dense"]),
    "quantised": (lambda x: ad.quantize_per_tensor(x), AttributeError, ["quantised", "float16"]),
    "bfloat16": (lambda x: x.bfloat16(), AttributeError, ["float16, float32"]),
    "misspelt": (lambda x: x.reshpe(6), AttributeError, ["'Tensor' object has no attribute 'reshpe'"]),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_the_message_helps(name: str) -> None:
    call, error, parts = ERRORS[name]
    with pytest.raises(error) as caught:
        call(ad.arange(6.0).reshape(2, 3))
    assert [part for part in parts if part not in str(caught.value)] == []

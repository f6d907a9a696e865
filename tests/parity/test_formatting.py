"""The text of a tensor beside PyTorch's, character by character."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from autodiff import formatting

DTYPES = ["float16", "float32", "float64", "int8", "uint8", "int16", "int32", "int64", "bool"]
EXAMPLES = max(2000, settings().max_examples)

# Numbers that look alike, so that no mode of writing is left to chance: whole, small, large, and what is not finite.
numbers = st.one_of(
    st.integers(-1000, 1000).map(float),
    st.floats(-10, 10),
    st.floats(),
    st.sampled_from(
        [0.0, -0.0, 1.0, 1e3, float("inf"), float("-inf"), float("nan"), 1e8, 1e-4, 1e9, 9.9999, 999.99999, 0.5]
    ),
)


@st.composite
def elements_of_one_kind(draw: st.DrawFn) -> np.ndarray[Any, Any]:
    shape = draw(arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=7))
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    if dtype.kind != "f":
        return draw(arrays.arrays(dtype, shape))
    few = draw(st.lists(numbers, min_size=1, max_size=5))
    picked = draw(arrays.arrays(np.int64, shape, elements=st.integers(0, len(few) - 1)))
    with np.errstate(over="ignore"):
        return np.asarray(np.array(few)[picked].astype(dtype))


@st.composite
def options(draw: st.DrawFn) -> dict[str, Any]:
    given_options: dict[str, Any] = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "precision": st.integers(0, 8),
                "threshold": st.integers(0, 60),
                "edgeitems": st.integers(0, 4),
                "linewidth": st.integers(1, 130),
                "sci_mode": st.booleans(),
                "profile": st.sampled_from(["default", "short", "full"]),
            },
        )
    )
    return given_options


def compare(array: np.ndarray[Any, Any], requires_grad: bool = False, multiplied: bool = False, **options: Any) -> None:
    theirs = torch.tensor(array)
    if requires_grad and theirs.is_floating_point():
        theirs.requires_grad_()
    if multiplied:
        theirs = theirs * 1
    ours = formatting.format_tensor(
        theirs.detach().numpy(),
        default_dtype=np.dtype("float32"),
        requires_grad=theirs.requires_grad,
        grad_fn=type(theirs.grad_fn).__name__ if theirs.grad_fn else None,
        dtype_prefix="torch.",
    )
    assert ours == repr(theirs)


@settings(max_examples=EXAMPLES)
@given(elements_of_one_kind(), st.booleans(), st.booleans())
def test_the_text_is_that_of_pytorch(array: np.ndarray[Any, Any], requires_grad: bool, multiplied: bool) -> None:
    compare(array, requires_grad, multiplied)


@settings(max_examples=EXAMPLES)
@given(elements_of_one_kind(), st.booleans(), st.lists(options(), min_size=1, max_size=3))
def test_options(array: np.ndarray[Any, Any], requires_grad: bool, several: list[dict[str, Any]]) -> None:
    try:
        for given_options in several:
            torch.set_printoptions(**given_options)
            formatting.set_printoptions(**given_options)
        compare(array, requires_grad)
        assert formatting.get_printoptions() == torch._tensor_str.get_printoptions()
    finally:
        torch.set_printoptions(profile="default")
        formatting.set_printoptions(profile="default")


@pytest.mark.parametrize(
    "shape", [(1000,), (1001,), (7, 200), (6, 200), (2000, 1), (5, 11, 23), (1, 1, 1001), (3, 7, 8, 9)]
)
@pytest.mark.parametrize("scale", [1e-9, 0.01, 1, 1e9])
def test_large_tensors(shape: tuple[int, ...], scale: float) -> None:
    values = np.random.default_rng(0).normal(size=shape) * scale
    for dtype in ("float16", "float32", "float64", "int32", "int64", "bool"):
        array = np.clip(values, -60000, 60000).astype(dtype)
        compare(array, requires_grad=True)


def test_the_default_dtype_goes_without_saying() -> None:
    try:
        for default in (torch.float64, torch.float16):
            torch.set_default_dtype(default)
            for dtype in ("float16", "float32", "float64", "int64"):
                for shape in ((2,), (0,), (0, 3)):
                    tensor = torch.zeros(shape, dtype=getattr(torch, dtype))
                    ours = formatting.format_tensor(
                        tensor.numpy(), default_dtype=np.dtype(str(default)[6:]), dtype_prefix="torch."
                    )
                    assert ours == repr(tensor)
    finally:
        torch.set_default_dtype(torch.float32)


def test_another_name() -> None:
    class Image(torch.Tensor):
        pass

    array = np.linspace(-1, 1, 60, dtype=np.float32).reshape(3, 20)
    theirs = torch.tensor(array).as_subclass(Image)
    assert formatting.format_tensor(array, default_dtype=np.dtype("float32"), name="Image") == repr(theirs)

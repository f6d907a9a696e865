"""The text of tensors, as PyTorch 2.13 prints them."""

from typing import Any

import numpy as np
import pytest

from autodiff.formatting import format_tensor, get_printoptions, printoptions, set_printoptions

FLOAT32 = np.dtype("float32")


def text(data: Any, dtype: str | None = None, **options: Any) -> str:
    array = np.asarray(data, dtype)
    if dtype is None and array.dtype.kind == "f":
        array = array.astype(FLOAT32)
    return format_tensor(array, default_dtype=FLOAT32, **options)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (3.5, "tensor(3.5000)"),
        (True, "tensor(True)"),
        ([1.0, -2.0], "tensor([ 1., -2.])"),
        ([0.1, 22.25], "tensor([ 0.1000, 22.2500])"),
        ([1e-5, 1.0], "tensor([1.0000e-05, 1.0000e+00])"),
        ([1e9], "tensor([1.0000e+09])"),
        ([0.5, 1e4], "tensor([5.0000e-01, 1.0000e+04])"),
        ([1.5, np.nan, -np.inf], "tensor([1.5000,    nan,   -inf])"),
        ([np.inf, 2.0], "tensor([inf, 2.])"),
        ([0.0, np.nan], "tensor([0., nan])"),
        ([[1, -20], [300, 4]], "tensor([[  1, -20],\n        [300,   4]])"),
        ([True, False], "tensor([ True, False])"),
        ([[[1.0]], [[2.0]]], "tensor([[[1.]],\n\n        [[2.]]])"),
        ([], "tensor([])"),
        (np.zeros((0, 3)), "tensor([], size=(0, 3))"),
    ],
)
def test_elements(data: Any, expected: str) -> None:
    assert text(data) == expected


@pytest.mark.parametrize(
    ("data", "dtype", "options", "expected"),
    [
        ([1.0], "float64", {}, "tensor([1.], dtype=float64)"),
        ([1.0], "float16", {"dtype_prefix": "torch."}, "tensor([1.], dtype=torch.float16)"),
        ([1], "int32", {}, "tensor([1], dtype=int32)"),
        ([], "int64", {}, "tensor([], dtype=int64)"),
        ([1.0], "float32", {"requires_grad": True}, "tensor([1.], requires_grad=True)"),
        ([1.0], "float32", {"requires_grad": True, "grad_fn": "MulBackward0"}, "tensor([1.], grad_fn=<MulBackward0>)"),
        ([1.0], "float32", {"name": "Image"}, "Image([1.])"),
    ],
)
def test_what_stands_behind_the_elements(data: Any, dtype: str, options: dict[str, Any], expected: str) -> None:
    assert text(data, dtype, **options) == expected


def test_long_lines_are_wrapped() -> None:
    row = "0.0000, 0.1000, 0.2000, 0.3000, 0.4000, 0.5000, 0.6000, 0.7000, 0.8000"
    rest = "0.9000, 1.0000, 1.1000"
    assert text(np.arange(12) / 10) == f"tensor([{row},\n        {rest}])"
    nine = np.arange(9) / 10
    assert text(nine, requires_grad=True) == f"tensor([{row}],\n       requires_grad=True)"


def test_many_elements_are_summarized() -> None:
    assert text(np.arange(1001)) == "tensor([   0,    1,    2,  ...,  998,  999, 1000])"
    assert "..." not in text(np.arange(1000))
    rows = "[1, 1, 1,  ..., 1, 1, 1]"
    assert text(np.ones((2, 600), int)) == f"tensor([{rows},\n        {rows}])"
    assert text(np.ones((600, 2), int)).splitlines()[2:5] == ["        [1, 1],", "        ...,", "        [1, 1],"]


def test_options() -> None:
    assert get_printoptions() == {
        "precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80, "sci_mode": None
    }  # fmt: skip
    with printoptions(precision=2, sci_mode=True):
        assert text([1.25]) == "tensor([1.25e+00])"
    with printoptions(profile="short", threshold=5):
        assert text(np.arange(6)) == "tensor([0, 1,  ..., 4, 5])"
        set_printoptions(profile="full")
        assert "..." not in text(np.arange(2000))
    with printoptions(linewidth=20):
        assert text([1.0, 2.0, 3.0, 4.0]) == "tensor([1., 2., 3.,\n        4.])"
    with printoptions(edgeitems=0, threshold=1):
        assert text([1.0, 2.0]) == "tensor([...], size=(2,))"
    assert text([1.25]) == "tensor([1.2500])"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"profile": "long"}, "'default', 'short' or 'full', got 'long'"),
        ({"precision": -1}, "precision expected a whole number >= 0, got -1"),
        ({"linewidth": 8.5}, "linewidth expected a whole number >= 0, got 8.5"),
        ({"threshold": float("nan")}, "threshold expected"),
    ],
)
def test_bad_options(options: dict[str, Any], message: str) -> None:
    before = get_printoptions()
    with pytest.raises(ValueError, match=message):
        set_printoptions(**options)
    assert get_printoptions() == before

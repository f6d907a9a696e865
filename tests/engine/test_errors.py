"""Bad input: every error says what was expected, what came, and what to do about it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import autodiff as ad
from autodiff.op import OpError


class Bad(NamedTuple):
    """A call that must fail, the error's type, and words that the message must hold, in any order."""

    call: Callable[[], Any]
    error: type[Exception]
    words: tuple[str, ...]


def w(*shape: int) -> ad.Tensor:
    return ad.ones(*shape, requires_grad=True)


BAD = {
    "shapes of add": Bad(lambda: w(2, 3) + w(2), OpError, ("add:", "broadcast", "(2, 3)", "(2,)", "unsqueeze")),
    "shapes of where": Bad(
        lambda: ad.where(ad.ones(3) > 0, w(2), w(2)), OpError, ("where:", "broadcast", "(3,)", "(2,)")
    ),
    "shapes of matmul": Bad(lambda: w(2, 3) @ w(2, 3), OpError, ("matmul:", "inner", "(2, 3)")),
    "dtypes of matmul": Bad(
        lambda: w(2, 3) @ w(3, 2).double(), OpError, ("same dtype", "float32", "float64", "x.to(dtype)")
    ),
    "dtype of an array in matmul": Bad(
        lambda: w(2, 3) @ np.ones((3, 2)), OpError, ("same dtype", "float32", "float64")
    ),
    "number in matmul": Bad(lambda: w(2) @ 2, (OpError, TypeError), ("matmul",)),
    "dimensions of mm": Bad(lambda: ad.mm(w(2), w(2, 2)), OpError, ("mm:", "2-d", "(2,)", "matmul()")),
    "dimensions of bmm": Bad(lambda: ad.bmm(w(2, 2), w(2, 2)), OpError, ("bmm:", "3-d", "(2, 2)")),
    "batches of bmm": Bad(lambda: ad.bmm(w(2, 2, 2), w(3, 2, 2)), OpError, ("bmm:", "(2, 2, 2)", "(3, 2, 2)")),
    "dimensions of dot": Bad(lambda: ad.dot(w(2, 2), w(2)), OpError, ("dot:", "1-d", "(2, 2)")),
    "dimensions of outer": Bad(lambda: ad.outer(w(2, 2), w(2)), OpError, ("outer:", "two vectors", "(2, 2)")),
    "einsum operands": Bad(lambda: ad.einsum("ij,jk", w(2, 2)), OpError, ("einsum:", "2 operands", "got 1")),
    "einsum axes": Bad(lambda: ad.einsum("ij", w(2)), OpError, ("einsum:", "2 axes", "(2,)")),
    "einsum lengths": Bad(lambda: ad.einsum("ij,jk", w(2, 3), w(2, 2)), OpError, ("einsum:", "3", "2", "letter j")),
    "einsum result": Bad(lambda: ad.einsum("ij->iz", w(2, 2)), (OpError, ValueError), ("einsum", "z")),
    "reshape": Bad(lambda: w(2, 3).reshape(4), OpError, ("reshape:", "(2, 3)", "(4,)")),
    "reshape to negative": Bad(lambda: w(2, 3).reshape(-2, 3), (OpError, ValueError), ("-2",)),
    "view of a transpose": Bad(lambda: w(2, 3).T.view(6), OpError, ("view:", "(6,)", "(3, 2)", "reshape()")),
    "axis": Bad(lambda: w(2, 3).sum(2), IndexError, ("expected -2 to 1", "got 2")),
    "axis twice": Bad(lambda: w(2, 3).sum((0, 0)), RuntimeError, ("axis twice", "(0, 0)")),
    "axis of softmax": Bad(lambda: w(2).softmax(1), IndexError, ("expected -1 to 0", "got 1")),
    "permute": Bad(lambda: w(2, 3).permute(0, 0), OpError, ("permute:", "2 axes once", "(0, 0)")),
    "t of three axes": Bad(lambda: w(1, 2, 3).t(), OpError, ("t:", "(1, 2, 3)", ".mT")),
    "expand": Bad(lambda: w(2, 3).expand(4, 3), OpError, ("(2, 3)", "(4, 3)")),
    "cat shapes": Bad(lambda: ad.cat([w(2, 3), w(2, 2)]), OpError, ("cat:", "(2, 3)", "(2, 2)")),
    "cat of nothing": Bad(lambda: ad.cat([]), TypeError, ("cat:", "non-empty list")),
    "cat of a tensor": Bad(lambda: ad.cat(w(2)), TypeError, ("cat:", "list or tuple of Tensors", "Tensor")),
    "cat of arrays": Bad(lambda: ad.cat([w(2), np.ones(2)]), TypeError, ("cat:", "Tensors")),
    "stack shapes": Bad(lambda: ad.stack([w(2), w(3)]), OpError, ("stack:", "(2,)", "(3,)")),
    "split size": Bad(lambda: w(3).split(0), RuntimeError, ("split:", "positive", "got 0")),
    "split lengths": Bad(lambda: w(3).split([1, 1]), RuntimeError, ("split:", "3", "[1, 1]")),
    "chunk": Bad(lambda: w(3).chunk(0), RuntimeError, ("chunk:", "positive", "got 0")),
    "text as an operand": Bad(lambda: w(2) + "a", TypeError, ("add:", "Tensor", "str 'a'", "ad.tensor(...)")),
    "list as an operand": Bad(lambda: w(2) * [1.0, 2.0], TypeError, ("mul:", "list", "ad.tensor(...)")),
    "None as an operand": Bad(lambda: w(2) - None, TypeError, ("sub:", "NoneType", "ad.tensor(...)")),
    "list in a function": Bad(lambda: ad.exp([1.0]), TypeError, ("exp:", "list", "ad.tensor(...)")),
    "complex operand": Bad(lambda: w(2) * 1j, TypeError, ("mul:", "complex")),
    "backward of many": Bad(lambda: (w(2) * 2).backward(), RuntimeError, ("scalar", "(2,)", "y.sum()", "gradient=")),
    "second backward": Bad(
        lambda: [y.backward() for y in [w(2).exp().sum()] * 2],
        RuntimeError,
        ("second time", "exp", "retain_graph=True"),
    ),
    "backward of a constant": Bad(lambda: ad.ones(()).backward(), RuntimeError, ("does not require grad", "no_grad")),
    "float of many": Bad(lambda: float(w(3)), RuntimeError, ("3 elements", "(3,)", "exactly one", "x.sum()")),
    "truth of many": Bad(lambda: bool(w(3)), RuntimeError, ("3 elements", "ambiguous", "x.any()")),
    "if of many": Bad(lambda: 1 if w(2) > 0 else 2, RuntimeError, ("ambiguous", "x.all()")),
    "NumPy without a rule": Bad(
        lambda: np.unwrap(w(2)), TypeError, ("np.unwrap", "no derivative", "x.detach().numpy()")
    ),
    "NumPy method without a rule": Bad(lambda: np.add.reduce(w(2)), TypeError, ("np.add.reduce", "no derivative")),
    "integers that require grad": Bad(
        lambda: ad.tensor([1], requires_grad=True), RuntimeError, ("floating-point", "int64", "x.float()")
    ),
    "numpy of a recorded tensor": Bad(lambda: w(2).numpy(), RuntimeError, ("gradient", "x.detach().numpy()")),
    "device": Bad(lambda: w(2).to("cuda"), RuntimeError, ("expected device 'cpu'", "'cuda'")),
    "unknown option of to": Bad(lambda: w(2).to(color="red"), TypeError, ("color", "dtype")),
    "mean of integers": Bad(
        lambda: ad.arange(3).mean(), RuntimeError, ("mean:", "floating-point", "int64", "x.float()")
    ),
    "clamp without limits": Bad(lambda: w(2).clamp(), ValueError, ("clamp:", "min, max or both")),
    "rounding mode": Bad(lambda: ad.div(w(2), 2, rounding_mode="up"), ValueError, ("rounding_mode", "floor", "'up'")),
    "where with numbers as the condition": Bad(
        lambda: ad.where(w(2), w(2), w(2)), OpError, ("where:", "bool", "float32", "condition != 0")
    ),
    "gather with floats": Bad(
        lambda: w(2).gather(0, w(2)), TypeError, ("gather:", "integer", "float32", "index.long()")
    ),
    "empty maximum": Bad(lambda: ad.ones(0).amax(), OpError, ("amax", "(0,)")),
    "empty argmax": Bad(lambda: ad.ones(0).argmax(), (OpError, IndexError, RuntimeError), ("argmax",)),
    "division of integers by zero": Bad(
        lambda: ad.tensor([1]) // 0, (RuntimeError, ZeroDivisionError), ("floor_divide", "zero")
    ),
    "remainder of integers by zero": Bad(
        lambda: ad.tensor([1]) % 0, (RuntimeError, ZeroDivisionError), ("remainder", "zero")
    ),
    "difference of masks": Bad(
        lambda: ad.tensor([True]) - ad.tensor([True]), (TypeError, RuntimeError), ("sub", "bool")
    ),
    "negative mask": Bad(lambda: -ad.tensor([True]), (TypeError, RuntimeError), ("neg", "bool")),
    "complement of floats": Bad(lambda: ~w(2), (TypeError, RuntimeError), ("bitwise_not", "float32")),
    "dtype": Bad(lambda: ad.zeros(2, dtype="float31"), TypeError, ("float32", "got 'float31'")),
    "allclose shapes": Bad(lambda: ad.allclose(w(2), w(3)), (RuntimeError, ValueError), ("broadcast", "(2,)", "(3,)")),
    "softmax of integers": Bad(
        lambda: ad.arange(3).softmax(0), RuntimeError, ("softmax", "floating-point", "int64", "x.float()")
    ),
    "tril of a vector": Bad(lambda: w(3).tril(), (RuntimeError, ValueError), ("tril", "2", "(3,)")),
    "attribute": Bad(lambda: w(2).sigmoit(), AttributeError, ("sigmoit",)),
}


@pytest.mark.parametrize("name", BAD)
def test_the_error_names_what_was_expected_what_came_and_what_to_do(name: str) -> None:
    bad = BAD[name]
    with pytest.raises(bad.error) as caught:
        bad.call()
    message = str(caught.value)
    assert [word for word in bad.words if word not in message] == [], message


@pytest.mark.parametrize("name", BAD)
def test_the_op_is_named_once(name: str) -> None:
    with pytest.raises(BAD[name].error) as caught:
        BAD[name].call()
    first, _, rest = str(caught.value).partition(":")
    assert not rest.strip().startswith(f"{first}:")


def test_an_op_error_is_both_kinds_that_numpy_and_pytorch_raise() -> None:
    for kind in (RuntimeError, ValueError):
        with pytest.raises(kind):
            ad.ones(2) + ad.ones(3)


def test_large_inputs_are_not_printed_whole() -> None:
    with pytest.raises(OpError) as caught:
        ad.ones(1000) + ad.ones(999)
    assert len(str(caught.value)) < 400
    with pytest.raises(TypeError) as wrong_type:
        ad.ones(2) + ["long"] * 1000
    assert len(str(wrong_type.value)) < 400


def test_an_error_leaves_the_inputs_usable() -> None:
    x = w(2)
    with pytest.raises(OpError):
        x + ad.ones(3)
    (x + ad.ones(2)).sum().backward()
    assert x.grad is not None

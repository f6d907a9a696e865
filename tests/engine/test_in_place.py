"""Methods in place do what their functions do, to values and to gradients, and leave nothing behind."""

import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autodiff as ad
from autodiff.methods import IN_PLACE
from autodiff.op import OpError
from autodiff.tensor import Tensor

INDEX, ROWS, MASK = ad.tensor([[1, 0], [0, 1]]), ad.tensor([1, 0]), ad.tensor([[True, False], [True, True]])
OTHER, THIRD = ad.tensor([[0.3, 0.5], [0.7, 0.4]]).double(), ad.tensor([[0.6, 0.2], [0.1, 0.8]]).double()
# What each method takes besides the tensor; those without an entry take nothing, or one other tensor.
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("addbmm", "baddbmm"), (OTHER[None], THIRD[None])),
    **dict.fromkeys(("addcdiv", "addcmul", "addmm", "lerp"), (OTHER, THIRD)),
    **dict.fromkeys(("addmv",), (OTHER, THIRD[0])),
    **dict.fromkeys(("addr",), (OTHER[0], THIRD[0])),
    **dict.fromkeys(("clamp", "clip"), (0.3, 0.6)),
    **dict.fromkeys(("clamp_max", "clamp_min"), (0.5,)),
    **dict.fromkeys(("cumprod", "cumsum"), (0,)),
    **dict.fromkeys(("index_add", "index_copy"), (0, ROWS, OTHER)),
    "index_fill": (0, ROWS[:1], 3.0),
    "index_reduce": (0, ROWS, OTHER, "amax"),
    "masked_fill": (MASK, 3.0),
    "masked_scatter": (MASK, OTHER),
    "mvlgamma": (1,),
    "put": (ROWS, OTHER[0]),
    "renorm": (2, 0, 0.5),
    **dict.fromkeys(("scatter", "scatter_add"), (0, INDEX, OTHER)),
    "scatter_reduce": (0, INDEX, OTHER, "prod"),
}
WHOLE = {name for name in IN_PLACE.split() if name.startswith("bitwise")}
SHIFTED = {"acosh", "arccosh"}


def called(name: str, x: Tensor) -> tuple[Callable[..., Tensor], Callable[..., Tensor], tuple[Any, ...]]:
    """The function, the form in place, and arguments for them."""
    function, write = getattr(Tensor, name), getattr(Tensor, f"{name}_")
    if name in ARGUMENTS:
        return function, write, ARGUMENTS[name]
    try:
        function(x)
    except TypeError:
        return function, write, (OTHER if x.dtype.kind == "f" else ad.ones(2, 2, dtype=x.dtype),)
    return function, write, ()


@pytest.mark.parametrize("name", sorted(set(IN_PLACE.split()) - WHOLE))
def test_a_method_in_place_is_its_function(name: str) -> None:
    w = ad.tensor([[0.25, 0.35], [0.45, 0.85]], dtype=ad.float64, requires_grad=True)
    shift = 1.0 if name in SHIFTED else 0.0
    function, write, arguments = called(name, w.detach() + shift)
    base = w[0] if name == "addmv" else w[None] if name == "baddbmm" else w
    expected = function(base * 1 + shift, *arguments)
    found = base * 1 + shift
    memory = found.array
    assert write(found, *arguments) is found
    assert found.array is memory
    np.testing.assert_array_equal(found.detach().numpy(), expected.detach().numpy().astype(np.float64))
    assert found.requires_grad
    if expected.requires_grad:
        (a,), (b,) = (ad.grad((y * y).sum(), w, materialize_grads=True) for y in (expected, found))
        np.testing.assert_array_equal(b.numpy(), a.numpy())
    else:
        assert not ad.grad(found.sum(), w, materialize_grads=True)[0].any()
    constant = (base.detach() + shift).clone()
    assert write(constant, *arguments) is constant
    np.testing.assert_array_equal(constant.numpy(), found.detach().numpy())
    assert constant.requires_grad is False


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_integers_in_place(name: str) -> None:
    x = ad.tensor([[5, 6], [7, 0]])
    function, write, arguments = called(name, x)
    expected = function(x, *arguments)
    assert write(x, *arguments) is x
    assert x.tolist() == expected.tolist()


def test_the_errors_say_what_was_expected_what_came_and_what_to_do() -> None:
    x = ad.ones(3)
    whole = ad.ones(3, dtype=ad.int64)
    for call, message in (
        (lambda: x.add_(ad.ones(2, 3)), r"add_: the result has shape \(2, 3\); it must have the shape \(3,\)"),
        (lambda: whole.add_(0.5), r"add_: a result of dtype float32 cannot be written into a tensor of dtype int64"),
        (lambda: x.fill_(ad.ones(3)), r"fill_: expected a number or a 0-d tensor, got float32 \(3,\); copy_ takes"),
        (lambda: x.copy_(ad.ones(2)), r"copy_: expected values that broadcast to \(3,\), got float32 \(2,\)"),
        (lambda: whole.cauchy_(), r"cauchy_: expected a tensor of floating-point dtype, got int64 \(3,\)"),
        (lambda: x.geometric_(1.5), r"geometric_: expected a probability between 0 and 1, got 1.5"),
        (lambda: x[1:].add_(x[:-1]), r"add_: .*one that is read, float32 \(2,\), share some.*clone\(\) the latter"),
    ):
        with pytest.raises(OpError if "share" not in message else RuntimeError, match=message):
            call()
    with pytest.raises(TypeError, match="random_: expected at most two bounds"):
        x.random_(1, 2, 3)


def test_a_failed_write_changes_nothing() -> None:
    w = ad.ones(3, requires_grad=True)
    x = w * 1
    node = x.node
    for call in (lambda: x.add_(ad.ones(2)), lambda: x.copy_(ad.ones(2)), lambda: x.__setitem__(5, 1.0)):
        with pytest.raises((RuntimeError, IndexError)):
            call()
    assert x.node is node
    x.sum().backward()


def test_writes_leave_nothing_for_the_collector() -> None:
    def work() -> list[weakref.ref[Any]]:
        w = ad.ones(3, requires_grad=True)
        x = w * 1
        x += w
        y = x.view(3, 1)
        y.neg_()
        y[0] = w[1] * 2
        buffer = ad.zeros(2, 3)
        buffer[0] = x
        buffer[1].copy_(x)
        (buffer.sum() + x.sum()).backward()
        return [weakref.ref(part) for part in (w, x, y, buffer, x.array, buffer.array)]

    work()
    gc.collect()
    gc.disable()
    try:
        assert all(reference() is None for reference in work())
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_whole_numbers_take_numbers_that_require_grad_and_record_nothing() -> None:
    x, w = ad.zeros(2, dtype=ad.int64), ad.tensor([1.5, 2.5], requires_grad=True)
    x[:] = w
    assert x.tolist() == [1, 2]
    assert not x.requires_grad

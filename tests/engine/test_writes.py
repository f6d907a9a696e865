"""Writing in place: refused where a history would be lost, noticed where a graph saved the old values."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
from autodiff.tensor import Tensor

WRITES: dict[str, Callable[[Tensor], Any]] = {
    "add_": lambda x: x.add_(1),
    "sub_": lambda x: x.sub_(1),
    "mul_": lambda x: x.mul_(2),
    "div_": lambda x: x.div_(2),
    "copy_": lambda x: x.copy_(ad.zeros(3)),
    "fill_": lambda x: x.fill_(3),
    "zero_": lambda x: x.zero_(),
    "uniform_": lambda x: x.uniform_(),
    "normal_": lambda x: x.normal_(),
    "bernoulli_": lambda x: x.bernoulli_(),
    "setitem": lambda x: x.__setitem__(0, 9.0),
    "setitem slice": lambda x: x.__setitem__(slice(1, None), ad.zeros(2)),
    "+=": lambda x: x.__iadd__(1),
    "-=": lambda x: x.__isub__(1),
    "*=": lambda x: x.__imul__(2),
    "/=": lambda x: x.__itruediv__(2),
}


@pytest.fixture
def w() -> Tensor:
    return ad.tensor([1.0, 2.0, 3.0], requires_grad=True)


@pytest.mark.parametrize("name", WRITES)
def test_a_write_changes_the_memory_and_keeps_the_tensor(name: str) -> None:
    x = ad.tensor([1.0, 2.0, 3.0])
    array, before = x.array, x.tolist()
    result = WRITES[name](x)
    assert result is x or result is None
    assert x.array is array
    assert x.tolist() != before


@pytest.mark.parametrize("name", WRITES)
def test_a_leaf_that_requires_grad_is_not_written_to_while_recording(name: str, w: Tensor) -> None:
    with pytest.raises(RuntimeError, match=r"leaf tensor that requires grad.*with ad\.no_grad\(\)"):
        WRITES[name](w)
    assert w.tolist() == [1.0, 2.0, 3.0]
    with ad.no_grad():
        WRITES[name](w)
    assert w.is_leaf
    assert w.requires_grad


# The gradient of sum(x) after each write into x = w * 1, with respect to w.
GRADIENTS = {
    "mul_": [2.0, 2.0, 2.0],
    "*=": [2.0, 2.0, 2.0],
    "div_": [0.5, 0.5, 0.5],
    "/=": [0.5, 0.5, 0.5],
    "setitem": [0.0, 1.0, 1.0],
    "setitem slice": [1.0, 0.0, 0.0],
} | {name: [0.0] * 3 for name in ("copy_", "fill_", "zero_", "uniform_", "normal_", "bernoulli_")}


@pytest.mark.parametrize("name", WRITES)
def test_a_write_into_a_computed_tensor_is_part_of_its_history(name: str, w: Tensor) -> None:
    x = w * 1
    whole = x.view(3, 1)
    WRITES[name](x)
    assert whole.tolist() == [[value] for value in x.tolist()]
    for y in (x, whole):
        assert ad.grad(y.sum(), w, retain_graph=True)[0].tolist() == GRADIENTS.get(name, [1.0, 1.0, 1.0])


@pytest.mark.parametrize(
    "write",
    [lambda x, w: x.add_(w), lambda x, w: x.copy_(w), lambda x, w: x.__setitem__(0, w[0]), lambda x, w: x.__imul__(w)],
)
def test_a_recorded_value_makes_a_constant_part_of_the_graph(write: Callable[[Tensor, Tensor], Any], w: Tensor) -> None:
    x = ad.ones(3)
    write(x, w)
    assert x.requires_grad
    assert not x.is_leaf
    assert ad.grad(x[0], w)[0].tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("name", WRITES)
def test_a_write_between_forward_and_backward_is_noticed_and_names_the_op(name: str, w: Tensor) -> None:
    y = (w * w).sum()
    with ad.no_grad():
        WRITES[name](w)
    with pytest.raises(
        RuntimeError, match=r"inplace operation: mul saved an input, float32 \(3,\), and .* wrote.*clone"
    ):
        y.backward()


# What each op reads of its input, so that overwriting the input must be noticed, or must not.
READS_ITS_INPUT: dict[str, Callable[[Tensor], Tensor]] = {
    "mul": lambda w: w * w,
    "div": lambda w: 2 / w,
    "pow": lambda w: w**3,
    "log": ad.log,
    "sin": ad.sin,
    "square": ad.square,
    "matmul": lambda w: w @ w,
    "clamp": lambda w: w.clamp(0, 2),
    "var": ad.var,
    "amax": ad.amax,
    "abs": ad.abs,
    "view": lambda w: w.view(3, 1) ** 2,
    "slice": lambda w: w[1:] * w[1:],
}
READS_NOTHING_OF_IT: dict[str, Callable[[Tensor], Tensor]] = {
    "add": lambda w: w + 1,
    "sub": lambda w: 3 - w,
    "neg": ad.neg,
    "sum": ad.sum,
    "mean": ad.mean,
    "times constant": lambda w: w * 2,
    "divided by constant": lambda w: w / 4,
    "exp reads its output": ad.exp,
    "tanh": ad.tanh,
    "sigmoid": ad.sigmoid,
    "relu": ad.relu,
    "sqrt": ad.sqrt,
    "softmax": lambda w: w.softmax(0),
    "reshape": lambda w: w.reshape(3, 1),
    "flip": lambda w: w.flip(0),
    "index": lambda w: w[[0, 0, 1]],
    "cat": lambda w: ad.cat([w, w]),
    "cumsum": lambda w: w.cumsum(0),
    "clone": ad.clone,
    "matmul with constant": lambda w: ad.ones(2, 3) @ w,
    "where": lambda w: ad.where(ad.tensor([True, False, True]), w, 0.0),
}


@pytest.mark.parametrize("name", READS_ITS_INPUT)
def test_overwriting_what_a_rule_reads_is_an_error(name: str, w: Tensor) -> None:
    y = READS_ITS_INPUT[name](w).sum()
    with ad.no_grad():
        w.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


@pytest.mark.parametrize("name", READS_NOTHING_OF_IT)
def test_overwriting_what_no_rule_reads_is_no_error(name: str, w: Tensor) -> None:
    before = ad.grad(READS_NOTHING_OF_IT[name](w).sum(), w)[0]
    y = READS_NOTHING_OF_IT[name](w).sum()
    with ad.no_grad():
        w.mul_(-3)
    assert ad.equal(ad.grad(y, w)[0], before)


def test_the_factor_that_was_overwritten_matters_only_to_the_other_input(w: Tensor) -> None:
    other = ad.ones(3)
    y = (w * other).sum()
    with ad.no_grad():
        w.zero_()
    y.backward()
    y = (w * other).sum()
    other.zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation: mul"):
        y.backward()


def test_a_write_through_any_view_is_noticed(w: Tensor) -> None:
    for view in (
        lambda: w.data,
        lambda: w.detach()[1:],
        lambda: w.detach().view(3, 1),
        lambda: w.detach().unsqueeze(0).T,
    ):
        y = (w * w).sum()
        with ad.no_grad():
            view().add_(1)
        with pytest.raises(RuntimeError, match="modified by an inplace"):
            y.backward()


def test_a_write_to_other_memory_is_not(w: Tensor) -> None:
    other = ad.ones(3)
    y = (w * w).sum()
    other.add_(1)
    w.detach().clone().zero_()
    y.backward()


def test_a_write_before_the_op_is_not(w: Tensor) -> None:
    with ad.no_grad():
        w.add_(1)
    (w * w).sum().backward()
    assert w.grad is not None
    assert w.grad.tolist() == [4.0, 6.0, 8.0]


def test_a_write_to_an_output_that_a_rule_reads_is_noticed(w: Tensor) -> None:
    y = w.exp()
    z = y.sum()
    y.detach().zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation: exp"):
        z.backward()


def test_a_retained_graph_is_checked_again(w: Tensor) -> None:
    y = (w * w).sum()
    y.backward(retain_graph=True)
    with ad.no_grad():
        w.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace"):
        y.backward()


def test_assigning_data_is_not_a_write_into_the_old_memory(w: Tensor) -> None:
    y = (w * w).sum()
    w.data = ad.zeros(3)
    y.backward()
    assert w.grad is not None
    assert w.grad.tolist() == [2.0, 4.0, 6.0]


def test_the_write_log_forgets_arrays_that_are_gone() -> None:
    from autodiff import writes

    before = len(writes._times)
    for _ in range(100):
        ad.zeros(3).add_(1)
    assert len(writes._times) <= before + 1


def test_an_index_changed_after_use_does_not_move_the_gradient(w: Tensor) -> None:
    index = ad.tensor([0, 0, 1])
    y = w[index].sum()
    index.fill_(2)
    y.backward()
    assert w.grad is not None
    assert w.grad.tolist() == [2.0, 1.0, 0.0]


def test_an_array_index_changed_after_use_does_not_move_the_gradient(w: Tensor) -> None:
    index = np.array([0, 0, 1])
    mask = np.array([True, False, False])
    y = w[index].sum() + 10 * w[mask].sum() + 100 * w[(index,)].sum()
    index[:] = 2
    mask[:] = True
    y.backward()
    assert w.grad is not None
    assert w.grad.tolist() == [212.0, 101.0, 0.0]


def test_a_mask_changed_after_use_is_noticed(w: Tensor) -> None:
    for use in (lambda mask: ad.where(mask, w, 0.0), lambda mask: w.masked_fill(mask, 0.0)):
        mask = ad.tensor([True, False, True])
        y = use(mask).sum()
        mask.fill_(False)
        with pytest.raises(RuntimeError, match="modified by an inplace operation: where"):
            y.backward()


@pytest.mark.parametrize("dtype", [ad.int64, ad.bool])
def test_a_result_of_a_higher_category_is_not_written_into_a_lower(dtype: np.dtype) -> None:
    x = ad.ones(2, dtype=dtype)
    with pytest.raises(RuntimeError, match=rf"add_: a result of dtype float32 cannot be written.*{dtype}"):
        x.add_(0.5)
    with pytest.raises(RuntimeError, match="div_"):
        x.div_(2)


def test_copy_and_setitem_convert() -> None:
    x = ad.zeros(2, dtype=ad.int64)
    assert x.copy_(ad.tensor([1.7, -1.7])).tolist() == [1, -1]
    x[0] = 2.9
    assert x.tolist() == [2, -1]


@pytest.mark.parametrize("other", [ad.ones(4), ad.ones(2, 3)])
def test_a_write_must_fit_the_shape(other: Tensor) -> None:
    for write in (lambda x: x.add_(other), lambda x: x.copy_(other), lambda x: x.__setitem__(slice(None), other)):
        with pytest.raises(RuntimeError, match=r"\(3,\)"):
            write(ad.zeros(3))


def test_add_takes_alpha() -> None:
    assert ad.zeros(2).add_(ad.tensor([1.0, 2.0]), alpha=10).tolist() == [10.0, 20.0]
    assert ad.zeros(2).sub_(1, alpha=2).tolist() == [-2.0, -2.0]


def test_an_expanded_tensor_shares_elements_and_refuses_writes() -> None:
    with pytest.raises(RuntimeError, match=r"expand|read-only|shares"):
        ad.zeros(1).expand(3).add_(1)


@given(st.lists(st.sampled_from(["read", "read output", "no read", "write", "write view"]), max_size=6))
def test_backward_fails_exactly_when_a_read_comes_before_a_write(events: list[str]) -> None:
    w = ad.tensor([1.0, 2.0], dtype=ad.float64, requires_grad=True)
    total = w.sum() * 0
    stale = False
    reads = False
    for event in events:
        if event.startswith("write"):
            with ad.no_grad():
                (w if event == "write" else w[:1]).add_(1)
            stale = stale or reads
        elif event == "read":
            total, reads = total + (w * w).sum(), True
        else:
            total = total + (w.exp() if event == "read output" else w + 1).sum()
    if stale:
        with pytest.raises(RuntimeError, match="modified by an inplace operation: mul"):
            total.backward()
    else:
        total.backward()

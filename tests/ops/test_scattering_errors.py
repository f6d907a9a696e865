"""What is refused by functions that gather, scatter, join and split: what was expected, what came, what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import autodiff as ad

T = ad.tensor
BAD: dict[str, tuple[Callable[[], Any], type[Exception], list[str]]] = {
    "place beyond": (lambda: ad.zeros(2, 3).gather(1, T([[3]])), IndexError, ["gather", "0 to 2", "(2, 3)", "3 to 3"]),
    "place before": (lambda: ad.zeros(3).scatter(0, T([-1]), 1.0), IndexError, ["scatter", "0 to 2", "-1"]),
    "taken beyond": (lambda: ad.zeros(3).take(T([3])), IndexError, ["take", "-3 to 2", "(3,)", "3 to 3"]),
    "float index": (lambda: ad.zeros(3).index_select(0, T([0.0])), TypeError, ["index_select", "float32", ".long()"]),
    "no tensor": (lambda: ad.gather(ad.zeros(3), 0, [0]), TypeError, ["gather", "list", "ad.tensor"]),
    "axes": (lambda: ad.zeros(3).gather(0, T([[0]])), RuntimeError, ["1 dimensions", "(1, 1)"]),
    "long index": (lambda: ad.zeros(2, 2).gather(0, T([[0, 0, 0]])), RuntimeError, ["(2, 2)", "(1, 3)", "dim 0"]),
    "short source": (
        lambda: ad.zeros(2, 2).scatter_add(0, T([[0, 1]]), ad.zeros(1, 1)), RuntimeError, ["(1, 2)", "(1, 1)"],
    ),
    "slices": (lambda: ad.zeros(3, 2).index_add(0, T([0, 1]), ad.zeros(1, 2)), RuntimeError, ["(2, 2)", "(1, 2)"]),
    "dtype": (
        lambda: ad.zeros(3).scatter(0, T([0]), T([1])), RuntimeError, ["float32", "int64", "source.to(input.dtype)"],
    ),
    "no source": (lambda: ad.zeros(3).scatter(0, T([0])), TypeError, ["src", "value"]),
    "reduce": (lambda: ad.zeros(3).scatter(0, T([0]), 1, reduce="max"), RuntimeError, ["add", "scatter_reduce"]),
    "reduction": (lambda: ad.zeros(3).scatter_reduce(0, T([0]), ad.ones(1), "max"), RuntimeError, ["amax", "'max'"]),
    "sum": (lambda: ad.zeros(3).index_reduce(0, T([0]), ad.ones(1), "sum"), RuntimeError, ["index_add"]),
    "mean": (lambda: T([True]).scatter_reduce(0, T([0]), T([True]), "mean"), RuntimeError, ["bools", "x.float()"]),
    "alpha": (lambda: T([1]).index_add(0, T([0]), T([1]), alpha=0.5), RuntimeError, ["index_add", "int64", "0.5"]),
    "number": (lambda: T([1]).scatter(0, T([0]), 1e30), RuntimeError, ["scatter", "1e+30", "int64"]),
    "vector": (lambda: ad.zeros(3).index_fill(0, T([0]), ad.ones(1)), RuntimeError, ["0-d", "(1,)", "index_copy"]),
    "count": (lambda: ad.zeros(3).put(T([0, 1]), ad.ones(1)), RuntimeError, ["2", "(1,)"]),
    "view": (lambda: ad.zeros(2, 3).select_scatter(ad.ones(2), 0, 0), RuntimeError, ["(3,)", "(2,)"]),
    "step": (lambda: ad.zeros(2).slice_scatter(ad.ones(2), step=0), RuntimeError, ["positive step", "0"]),
    "diagonal": (lambda: ad.zeros(2, 3).diagonal_scatter(ad.ones(3)), RuntimeError, ["(2,)", "(3,)"]),
    "nothing": (lambda: ad.cat([]), TypeError, ["cat", "non-empty list or tuple"]),
    "a tensor": (lambda: ad.stack(ad.zeros(2, 2)), TypeError, ["stack", "list or tuple", "(2, 2)"]),
    "a number": (lambda: ad.hstack([ad.zeros(2), 1]), TypeError, ["hstack", "only Tensors", "int"]),
    "shapes": (lambda: ad.stack([ad.zeros(2), ad.zeros(3)]), RuntimeError, ["one shape", "(2,)", "(3,)"]),
    "cube": (lambda: ad.block_diag(ad.zeros(1, 1, 1)), RuntimeError, ["at most 2 dimensions", "(1, 1, 1)"]),
    "pieces": (lambda: ad.zeros(3).split(0), RuntimeError, ["split", "positive", "0"]),
    "lengths": (lambda: ad.zeros(3).split_with_sizes([1]), RuntimeError, ["split_with_sizes", "3", "[1]"]),
    "sections": (lambda: ad.zeros(3).hsplit(2), RuntimeError, ["hsplit", "divides the length 3", "2"]),
    "flat": (lambda: ad.zeros(3).vsplit(1), RuntimeError, ["vsplit", "2 dimensions", "(3,)"]),
    "scalar": (lambda: ad.zeros(()).unbind(), RuntimeError, ["unbind", "0-d"]),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_the_error_says_what_was_expected_and_what_came(name: str) -> None:
    call, kind, words = BAD[name]
    with pytest.raises(kind) as caught:
        call()
    assert [word for word in words if word not in str(caught.value)] == [], str(caught.value)


IN_PLACE: dict[str, Callable[[ad.Tensor, ad.Tensor], Any]] = {
    "scatter_": lambda x, y: x.scatter_(0, T([0]), y),
    "scatter_add_": lambda x, y: x.scatter_add_(0, T([0]), y),
    "scatter_reduce_": lambda x, y: x.scatter_reduce_(0, T([0]), y, "prod"),
    "index_add_": lambda x, y: x.index_add_(0, T([0]), y),
    "index_reduce_": lambda x, y: x.index_reduce_(0, T([0]), y, "prod"),
    "index_copy_": lambda x, y: x.index_copy_(0, T([0]), y),
    "index_fill_": lambda x, y: x.index_fill_(0, T([0]), y[0]),
    "index_put_": lambda x, y: x.index_put_((T([0]),), y),
    "put_": lambda x, y: x.put_(T([0]), y),
}


@pytest.mark.parametrize("name", IN_PLACE)
def test_writing_in_place_where_gradients_are_recorded(name: str) -> None:
    """Refused for a leaf; values with a history bring theirs; seen by a graph that saved the old numbers."""
    write, leaf, values = IN_PLACE[name], ad.ones(3, requires_grad=True), T([5.0])
    with pytest.raises(RuntimeError, match="leaf tensor that requires grad"):
        write(leaf, values)
    written = ad.ones(3)
    assert write(written, leaf[:1] * 2) is written
    assert ad.grad(written.sum(), leaf)[0].tolist() == [2.0, 0.0, 0.0]
    assert leaf.tolist() == [1.0, 1.0, 1.0]
    y = (leaf * leaf).sum()
    with ad.no_grad():
        assert write(leaf, values) is leaf
    assert leaf.tolist() != [1.0, 1.0, 1.0]
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()
    with pytest.raises(RuntimeError, match=name.rstrip("_")):
        write(ad.ones(1).expand(3), values)


def test_an_index_written_to_before_the_backward_pass_is_noticed() -> None:
    x, index = ad.ones(3, requires_grad=True), T([0, 1])
    y = x.gather(0, index).sum()
    index.fill_(2)
    with pytest.raises(RuntimeError, match=r"modified by an inplace operation: gather"):
        y.backward()


def test_values_may_come_from_what_is_written_to() -> None:
    x = T([1.0, 2.0, 3.0])
    assert x.clone().index_add_(0, T([2, 1, 0]), x).tolist() == [4.0, 4.0, 4.0]
    assert x.index_add_(0, T([2, 1, 0]), x).tolist() == [4.0, 4.0, 4.0]
    y = T([1.0, 2.0, 3.0])
    assert y.scatter_(0, T([1, 2, 0]), y).tolist() == [3.0, 1.0, 2.0]

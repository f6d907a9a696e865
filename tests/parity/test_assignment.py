"""``x[index] = value`` beside PyTorch: every form of index with every kind of value, recorded and not."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import autodiff as ad
from tests.parity.beside_torch import same, weights

SHAPE = (2, 3, 4)
NUMBERS = np.arange(24.0).reshape(SHAPE) / 10
MASK = np.arange(24).reshape(SHAPE) % 3 == 0
INDICES: dict[str, Callable[[Any], Any]] = {
    "integer": lambda m: 0,
    "negative integer": lambda m: -1,
    "NumPy integer": lambda m: np.int64(1),
    "0-d tensor": lambda m: m.tensor(1),
    "slice": lambda m: slice(0, 1),
    "steps": lambda m: (0, slice(0, 3, 2)),
    "slice by tensors": lambda m: slice(m.tensor(0), m.tensor(1)),
    "empty slice": lambda m: slice(2, 1),
    "None": lambda m: None,
    "None between": lambda m: (0, None, slice(1, 3)),
    "None at the end": lambda m: (slice(None), slice(None), slice(None), None),
    "ellipsis": lambda m: ...,
    "ellipsis and integer": lambda m: (..., 1),
    "empty tuple": lambda m: (),
    "all integers": lambda m: (1, 2, 3),
    "True": lambda m: True,
    "True and integer": lambda m: (True, 0),
    "0-d mask": lambda m: m.tensor(True),
    "mask": lambda m: m.tensor(MASK),
    "mask of rows": lambda m: m.tensor([True, False]),
    "mask in the middle": lambda m: (0, m.tensor([True, False, True])),
    "mask after ellipsis": lambda m: (..., m.tensor([True, False, True, False])),
    "list of bools": lambda m: [True, False],
    "list": lambda m: [0, 1],
    "negative list": lambda m: [-1],
    "range": lambda m: range(2),
    "array": lambda m: np.array([0, 1]),
    "tensor": lambda m: m.tensor([1, 0]),
    "int32": lambda m: m.tensor([1, 0], dtype=m.int32),
    "two tensors": lambda m: (m.tensor([1, 0]), m.tensor([2, 2])),
    "tensors that broadcast": lambda m: (m.tensor([[1], [0]]), m.tensor([2, 0])),
    "tensor beside integer": lambda m: (slice(None), m.tensor([0, 2]), 1),
    "integer apart from tensor": lambda m: (0, slice(None), m.tensor([0, 2])),
    "tensors apart": lambda m: (m.tensor([0, 1]), slice(None), m.tensor([0, 2])),
    "None and tensor": lambda m: (None, m.tensor([0])),
    "tensor and None": lambda m: (m.tensor([0]), None, 1),
    "empty list": lambda m: [],
    "empty tensor": lambda m: m.tensor([], dtype=m.int64),
    "empty mask": lambda m: m.tensor([False, False]),
    "too many": lambda m: (0, 0, 0, 0),
    "out of range": lambda m: 5,
    "list out of range": lambda m: [0, 3],
    "mask of another length": lambda m: m.tensor([True] * 3),
    "fraction": lambda m: 1.5,
}
# What is assigned, given the shape of the place: numbers, and tensors that require grad if `needs`.
VALUES: dict[str, Callable[[Any, tuple[int, ...], bool], Any]] = {
    "float": lambda m, shape, needs: 7.5,
    "int": lambda m, shape, needs: 7,
    "bool": lambda m, shape, needs: True,
    "0-d": lambda m, shape, needs: m.tensor(3.5, dtype=m.float64, requires_grad=needs),
    "same shape": lambda m, shape, needs: m.tensor(weights(shape), requires_grad=needs),
    "leading ones": lambda m, shape, needs: m.tensor(weights((1, 1, *shape)), requires_grad=needs),
    "one element": lambda m, shape, needs: m.tensor([5.0], dtype=m.float64, requires_grad=needs),
    "last axis": lambda m, shape, needs: m.tensor(weights(shape[-1:] or (1,)), requires_grad=needs),
    "float32": lambda m, shape, needs: m.tensor(weights(shape).astype(np.float32), requires_grad=needs),
    "int64": lambda m, shape, needs: m.tensor(np.ones(shape, np.int64)),
    "other shape": lambda m, shape, needs: m.tensor(weights((7, *shape)), requires_grad=needs),
}


# What is assigned to, and whether the values require grad.
KINDS = (("constant", False), ("constant", True), ("result", True), ("view", True), ("int", False))


def assigned(m: Any, index: Any, value: Any, kind: str) -> list[Any]:
    """The tensor, its base, and the gradients of the base by what it was computed from and by the value."""
    w = m.tensor(np.stack([NUMBERS.transpose(2, 1, 0)] * 2), requires_grad=True)
    if kind == "result":
        base = x = (w * 1)[0].permute(2, 1, 0) * 1
    elif kind == "view":
        base = w * 1
        x = base[1].permute(2, 1, 0)
    else:
        base = x = m.tensor(NUMBERS if kind == "constant" else (10 * NUMBERS).astype(np.int64))
    x[index] = value
    found = [x, base, x.is_leaf]
    if base.requires_grad:
        inputs = [t for t in (w, value) if isinstance(t, m.Tensor) and t.requires_grad]
        of = torch.autograd.grad if m is torch else ad.grad
        found += of(base, inputs, m.tensor(weights(tuple(base.shape))), allow_unused=True)
    return found


def outcome(m: Any, index: str, value: str, shape: tuple[int, ...], kind: str, needs: bool) -> list[Any]:
    try:
        return assigned(m, INDICES[index](m), VALUES[value](m, shape, needs), kind)
    except (RuntimeError, IndexError, TypeError, ValueError):
        return ["raises"]


@pytest.mark.parametrize("index", INDICES)
def test_assignment(index: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            shape = tuple(torch.tensor(NUMBERS)[INDICES[index](torch)].shape)
        except (IndexError, TypeError):
            shape = (2,)
        for value in VALUES:
            for kind, needs in KINDS:
                theirs = outcome(torch, index, value, shape, kind, needs)
                ours = outcome(ad, index, value, shape, kind, needs)
                if theirs == ["raises"] != ours:
                    # Rows of docs/differences.md: assigned-dtypes, and checks-of-nothing.
                    assert value in ("float32", "int64") or kind == "int" or (value == "other shape" and 0 in shape)
                    continue
                assert len(theirs) == len(ours), (value, kind, ours)
                for a, b in zip(theirs, ours, strict=True):
                    same(a, b)


def test_numbers_into_whole_numbers_that_require_grad() -> None:
    for m in (torch, ad):
        x, w = m.zeros(2, dtype=m.int64), m.tensor([1.5, 2.5], requires_grad=True)
        x[:] = w
        x.copy_(w)
        assert x.tolist() == [1, 2]
        assert not x.requires_grad


def test_assigning_nowhere() -> None:
    for m in (torch, ad):
        x = m.ones(2)
        x[False] = 3.0
        assert x.tolist() == [1.0, 1.0]

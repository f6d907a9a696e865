"""Constructors, conversions and printing beside PyTorch's: expressions that print alike or are refused by both."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch

import autodiff as ad

# Expressions of the library, a line each; the results must print alike, or both must raise.
EXPRESSIONS = (
    """
tensor(1) | tensor(1.) | tensor(True) | tensor([]) | tensor([[]]) | tensor([1, 2.5]) | tensor([True, 2])
tensor([True, 2.]) | tensor([[1, 2], [3]]) | tensor('a') | tensor(['a']) | tensor(None)
tensor([1, 2], dtype=m.float64) | tensor(2**40) | tensor(2**70) | tensor([1.7], dtype=m.int64)
tensor(300, dtype=m.uint8) | tensor([300], dtype=m.int8) | tensor(1e400) | tensor([1e40]) | tensor(np.arange(3))
tensor(np.arange(3.)) | tensor(np.float32(2)) | tensor(np.int8(2)) | tensor([np.int32(2)]) | tensor(range(3))
tensor((1, 2)) | tensor([m.tensor(1.), m.tensor(2.)]) | tensor([[m.tensor(1), 2.5]])
tensor([1], requires_grad=True) | tensor({1: 2}) | tensor([1.], requires_grad=True) | tensor([1.], device='cpu')
tensor(float('nan')) | tensor(np.zeros((0, 3))) | tensor([np.arange(2)] * 2) | tensor([1., 2.], dtype=m.float16)
tensor([True, False], dtype=m.float32) | tensor(1.5, dtype=m.bool) | tensor([1.], dtype='float33')
as_tensor([1, 2]) | as_tensor(1.5) | as_tensor(np.arange(2.)) | as_tensor(m.tensor([1]), dtype=m.float32)
asarray([1, 2.]) | as_tensor([1.], dtype=m.int64) | as_tensor(np.arange(2.), dtype=m.float32)
from_numpy(np.arange(3)) | from_numpy([1]) | from_numpy(np.array(['a'])) | zeros(2) | zeros((2,)) | zeros([2, 1])
zeros(()) | zeros(0) | zeros(2, 0) | zeros(-1) | zeros(1.5) | zeros('a') | zeros((2,), dtype=m.int64)
zeros(2, requires_grad=True) | zeros(2, dtype=m.int64, requires_grad=True) | zeros(m.tensor(2)) | zeros(True)
zeros(np.int64(2)) | ones(2, 3) | zeros(2, device='cuda') | ones(2, dtype=m.bool) | empty(2, 3).shape == (2, 3)
empty(-1) | eye(2) | eye(2, 3) | eye(0) | eye(-1) | eye(2, -1) | full((2,), 1) | full((2,), 1.5) | full((2,), True)
full((2,), 1, dtype=m.float32) | full((), 3.) | full((2,), m.tensor(3.)) | full((-1,), 1) | full((2,), m.tensor(3))
full((2,), 1.5, dtype=m.int64) | full([2], 2) | full((2,), float('inf')) | full((2,), 300, dtype=m.uint8)
zeros_like(m.tensor([1, 2])) | zeros_like(m.tensor([1, 2]), dtype=m.float32)
ones_like(m.tensor([1.]), requires_grad=True) | zeros_like([1]) | full_like(m.tensor([1]), 2.7)
full_like(m.tensor([1.]), 2) | full_like(m.tensor([True]), 0) | empty_like(m.ones(0))
ones_like(m.tensor(1, dtype=m.int8)) | arange(3) | arange(3.) | arange(1, 4) | arange(1, 4, 2) | arange(0, 1, 0.25)
arange(5, 1, -1) | arange(1, 5, -1) | arange(3, dtype=m.float64) | arange(0) | arange(2.5) | arange(0, 3, 0)
arange(-1) | arange(1, 1) | arange(m.tensor(3)) | arange(3, requires_grad=True) | arange(5, 1)
arange(3., requires_grad=True) | arange(0, 10, 3, dtype=m.int32) | arange(start=1, end=3) | arange(1, 3, step=1)
arange(float('nan')) | arange(0.5, 3) | arange(0, float('inf')) | arange(np.int64(3)) | arange(np.float32(3))
arange('a') | linspace(0, 1, 5) | linspace(0, 1, 1) | linspace(0, 1, 0) | linspace(0, 1, -1) | linspace(1, 0, 3)
linspace(0, 10, 3, dtype=m.int64) | linspace(0, 1, steps=3) | linspace(0, 1, 2.5) | linspace(0, 1)
linspace(m.tensor(0.), m.tensor(1.), 3) | linspace(start=0, end=1, steps=2) | logspace(0, 2, 3)
logspace(0, 2, 3, base=2) | logspace(0, 1, 1) | Tensor([1, 2]) | Tensor() | Tensor(0) | Tensor([[1], [2]])
Tensor((1, 2)) | Tensor(np.arange(2)) | Tensor(m.tensor([1., 2.])) | Tensor('a') | tensor([1., 2.]).to(m.int64)
tensor([1.7, -1.7]).long() | tensor([1.7]).int() | tensor([0., 2.]).bool() | tensor([1]).float()
tensor([1]).double() | tensor([1]).half() | tensor([1.]).to('cpu') | tensor([1.]).to('cpu', m.float64)
tensor([1.]).to(m.tensor([1])) | tensor([1.]).to('cuda:0') | tensor([1.]).to(dtype=m.int32, copy=True)
tensor([1.]).cuda() | tensor([1.]).to('nonsense') | tensor([1.]).type_as(m.tensor([1])) | tensor([1.]).cpu()
tensor([1.]).contiguous() | tensor([1.]).clone() | tensor([1.]).item() | tensor([1, 2]).item() | tensor([]).item()
tensor([[2.5]]).item() | tensor([1, 2]).tolist() | tensor(1).tolist() | tensor([[1.5]]).tolist()
tensor([]).tolist() | tensor([True]).item() | tensor([[1., 2.]]).size(1) | tensor([[1., 2.]]).size(5)
tensor([[1., 2.]]).dim() | tensor([[1., 2.]]).numel() | tensor([[1., 2.]]).element_size() | tensor([1.]).is_leaf
tensor([1.]).is_floating_point() | tensor([1]).is_floating_point() | tensor([1.]).requires_grad | tensor([1.]).grad
tensor([1.]).grad_fn | tensor([1.]).requires_grad_().numpy() | tensor([1]).requires_grad_() | tensor([1.5]).data
tensor([1.5], requires_grad=True).detach() | promote_types(m.float16, m.int64) == m.float16
can_cast(m.float64, m.int32) | can_cast(m.int64, m.float16) | can_cast(m.bool, m.int8) | set_default_dtype(m.int64)
get_default_dtype() == m.float32 | is_grad_enabled() | is_inference_mode_enabled() | tensor([1.]).stride() == (1,)
sum(m.tensor([])) | mean(m.tensor([])) | mean(m.tensor([1, 2])) | max(m.tensor([])) | argmax(m.tensor([]))
all(m.tensor([])) | var(m.tensor([1.])) | std(m.tensor([1, 2])) | amax(m.tensor([[1, 2], [3, 0]]), (0, 1))
nonzero(m.tensor(1.)) | nonzero(m.tensor(0.)) | nonzero(m.tensor([[0, 1], [2, 0]])) | randn(2, dtype=m.int64)
rand(-1) | randint(0, (2,)) | randint(5, 2, (2,)) | randperm(-1) | randperm(0) | bernoulli(m.tensor([0., 1.]))
bernoulli(m.tensor([2.])) | bernoulli(m.tensor([1])) | rand(2, requires_grad=True).requires_grad | iinfo(m.int8).max
finfo(m.float32).bits | equal(m.tensor([1]), m.tensor([1.])) | concat([m.tensor([1]), m.tensor([2])])
concatenate([m.tensor([1.]), m.tensor([2])], dim=0)
""".replace("\n", " | ")
    .strip(" |")
    .split(" | ")
)


def shown(m: Any, expression: str) -> str | None:
    """What an expression prints, without what names the library; None if it raises."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return repr(eval("m." + expression, {"m": m, "np": np})).replace("torch.", "")
        except Exception:
            return None


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions_print_alike_or_are_refused_by_both(expression: str) -> None:
    assert shown(ad, expression) == shown(torch, expression)


PRINTED = (
    """
x | x * 2 | x + 1 | 1 - x | x / 2 | -x | x.exp() | x.log() | x.tanh() | x.sigmoid() | x.relu() | x.sum() | x.mean()
x.sqrt() | x.abs() | x.sin() | x.cos() | x.clone() | x @ x.T | x.reshape(-1) | x.permute(1, 0) | m.cat([x, x])
m.stack([x, x]) | x.softmax(0) | x.log_softmax(0) | x.var() | x.std() | x.amax() | x.cumsum(0) | x.flip(0)
m.where(x > 0, x, x * 0) | m.maximum(x, x * 2) | x.expand(2, 2, 2) | x.logsumexp(0) | x.detach() | x > 1
x.argmax() | (x * 1e6) | (x / 3000) | (x * 1e-9).double() | x.int() | x.bool() | x[0, 0] | x[:0]
(x * 0 + float('nan')) | x.half()
""".replace("\n", " | ")
    .strip(" |")
    .split(" | ")
)
# Where one op here does the work of several there, the text is the same up to the name of the function.
NAMED_OTHERWISE = {
    "x.reshape(-1)",
    "x @ x.T",
    "x[0, 0]",
    "x[:0]",
    "x.expand(2, 2, 2)",
    "x.half()",
    "(x * 1e-9).double()",
    "x.permute(1, 0)",
    "1 - x",
}


@pytest.mark.parametrize("expression", PRINTED)
def test_printed_tensors(expression: str) -> None:
    texts = []
    for m in (torch, ad):
        x = m.tensor([[1.0, 2.0], [3.5, 0.25]], requires_grad=True)
        texts.append(repr(eval(expression, {"m": m, "x": x})).replace("torch.", ""))
    if expression in NAMED_OTHERWISE:
        texts = [text.partition("grad_fn")[0].rstrip() for text in texts]
    assert texts[1] == texts[0]

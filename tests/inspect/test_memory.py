"""What `memory` says that a graph keeps, beside what goes when the graph goes."""

import tracemalloc
from typing import Any

import numpy as np
import pytest

import autodiff as ad
import nn
import nn.functional as F
import optim
from autodiff.inspect import memory
from tests.inspect.held_out import HELD_OUT
from tests.inspect.programs import DEVELOPED_ON, Program

# NumPy tells of its arrays under a domain of their own, so that Python's objects do not count.
ARRAYS = tracemalloc.DomainFilter(inclusive=True, domain=np.lib.tracemalloc_domain)


def traced() -> int:
    return sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces([ARRAYS]).traces)


@pytest.mark.parametrize("program", [*DEVELOPED_ON, *HELD_OUT], ids=lambda program: program.name)
def test_the_total_goes_with_the_graph(program: Program) -> None:
    ad.manual_seed(0)
    model = program.build()
    tracemalloc.start()
    try:
        loss: Any = program.loss(model, 64)
        told = memory(loss, model).total
        alive = traced()
        own = loss.array.nbytes
        loss = loss.item()
        gone = alive - traced()
    finally:
        tracemalloc.stop()
    assert told == gone - own


def test_each_array_counts_once_and_views_as_what_they_show() -> None:
    x = ad.ones(10, 100, requires_grad=True)
    y = x.exp()
    loss = (y.reshape(-1) * y.T.reshape(-1)).sum() + y[2:4].square().sum()
    # exp, the transposed copy; the slice of y is memory that exp keeps.
    assert memory(loss).total == 2 * 4000
    assert [(row.op, row.arrays, row.bytes) for row in memory(loss).kept] == [("exp", 1, 4000), ("mul", 1, 4000)]
    assert memory(loss).leaves == 4000


def test_after_backward_nothing_is_kept() -> None:
    model = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 1))
    optimizer = optim.Adam(model.parameters())
    loss = model(ad.ones(3, 5)).square().mean()
    loss.backward()
    optimizer.step()
    told = memory(loss, model, optimizer)
    parameters = 4 * (20 + 4 + 4 + 1)
    assert (told.total, told.leaves, told.gradients) == (0, parameters, parameters)
    assert 2 * parameters <= told.state <= 2 * parameters + 64
    assert "optimizer" in str(told)


def test_rows_are_named_after_modules_and_ordered() -> None:
    model = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 2))
    rows = memory(F.cross_entropy(model(ad.ones(16, 8)), ad.zeros(16, dtype=ad.int64)), model).kept
    assert [(row.place, row.op) for row in rows[:2]] == [("0", "relu"), ("0", "linear")]
    assert [row.bytes for row in rows] == sorted((row.bytes for row in rows), reverse=True)


class Doubled(ad.Function):
    @staticmethod
    def forward(ctx: Any, x: ad.Tensor) -> ad.Tensor:
        ctx.save_for_backward(x * 3)
        return x * 2

    @staticmethod
    def backward(ctx: Any, g: ad.Tensor) -> ad.Tensor:
        (x,) = ctx.saved_tensors
        return g * 2 + 0 * x


def test_functions_of_ones_own() -> None:
    loss = Doubled.apply(ad.ones(100, requires_grad=True)).sum()
    assert memory(loss).total == 400
    loss.backward()
    assert memory(loss).total == 0


def test_what_it_cannot_look_at() -> None:
    with pytest.raises(TypeError, match="expected the loss as a tensor"):
        memory(3.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="found no graph"):
        memory(ad.ones(3).sum())

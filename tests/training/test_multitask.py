"""Losses and metrics of several tasks against those of each task's labelled examples alone."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
import nn
from autodiff.training import MultiTask, multitask_loss, task_metrics
from nn import functional as F

LOSSES = {"digit": F.cross_entropy, "slant": F.mse_loss}


@given(
    st.lists(
        st.tuples(st.integers(0, 2) | st.just(-100), st.floats(-5, 5) | st.just(math.nan), st.booleans()),
        min_size=1,
        max_size=8,
    ),
    st.floats(0, 3),
)
def test_losses_gradients_and_metrics_are_those_of_the_labels_that_are_there(
    rows: list[tuple[int, float, bool]], weight: float
) -> None:
    digits = ad.tensor([digit for digit, _, _ in rows])
    slants = ad.tensor([slant for _, slant, _ in rows], dtype=ad.float64)
    asked = ad.tensor([ask for _, _, ask in rows])
    generator = ad.Generator().manual_seed(0)
    scores = ad.randn(len(rows), 3, dtype=ad.float64, generator=generator).requires_grad_()
    values = ad.randn(len(rows), dtype=ad.float64, generator=generator).requires_grad_()
    outputs, labels = {"digit": scores, "slant": values}, {"digit": digits, "slant": slants}
    loss = multitask_loss(outputs, labels, LOSSES, weights={"slant": weight}, present={"digit": asked})
    loss.total.backward()
    found = [scores.grad, values.grad]

    known = [i for i, (digit, _, ask) in enumerate(rows) if digit != -100 and ask]
    measured = [i for i, (_, slant, _) in enumerate(rows) if not math.isnan(slant)]
    scores.grad = values.grad = None
    one = F.cross_entropy(scores[known], digits[known]) if known else ad.tensor(0.0)
    other = F.mse_loss(values[measured], slants[measured]) if measured else ad.tensor(0.0)
    assert loss.tasks["digit"].allclose(one.double())
    assert loss.tasks["slant"].allclose(other.double())
    total = one + weight * other
    assert loss.total.allclose(total.double())
    if total.requires_grad:
        total.backward()
    for p, gradient in zip((scores, values), found, strict=True):
        assert gradient is not None
        assert gradient.allclose(ad.zeros_like(p) if p.grad is None else p.grad)

    metrics = task_metrics(outputs, labels, LOSSES, present={"digit": asked})
    assert metrics["digit"] == pytest.approx(one.item() if known else math.nan, nan_ok=True)
    assert metrics["slant"] == pytest.approx(other.item() if measured else math.nan, nan_ok=True)


def test_gaps_in_rows_of_labels_are_left_out_one_by_one() -> None:
    outputs = {"objects": ad.zeros(2, 3)}
    labels = {"objects": ad.tensor([[1.0, ad.nan, 0.0], [ad.nan, ad.nan, 1.0]])}
    loss = multitask_loss(outputs, labels, {"objects": F.binary_cross_entropy_with_logits})
    assert loss.total.item() == pytest.approx(math.log(2))


def test_a_trunk_learns_from_all_heads() -> None:
    model = MultiTask(nn.Linear(2, 3), {"digit": nn.Linear(3, 4), "slant": nn.Linear(3, 1)})
    outputs = model(ad.rand(5, 2))
    labels = {"digit": ad.tensor([0, 1, 2, 3, -100]), "slant": ad.full((5, 1), ad.nan)}
    multitask_loss(outputs, labels, LOSSES).total.backward()
    assert all(p.grad is not None for p in model.parameters())
    assert model.heads["slant"].weight.grad.abs().sum() == 0
    assert model.trunk.weight.grad.abs().sum() > 0
    assert set(model.state_dict()) == {
        "trunk.weight", "trunk.bias",
        "heads.digit.weight", "heads.digit.bias", "heads.slant.weight", "heads.slant.bias",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"labels": {"digit": ad.tensor([0, 1])}},
            r"labels for the tasks \['digit', 'slant'\], got them for \['digit'\]",
        ),
        ({"losses": {"digit": F.cross_entropy, "slope": F.mse_loss}}, "losses for the tasks"),
        ({"weights": {"slope": 1.0}}, r"weights for some of the tasks .* got them for \['slope'\]"),
        ({"present": {"slant": ad.ones(3)}}, r"present of the task 'slant' in the shape \(2,\), got \(3,\)"),
        (
            {"labels": {"digit": ad.tensor([0, 1, 2]), "slant": ad.zeros(2)}},
            r"each output of the task 'digit', got labels of shape \(3,\) and outputs of shape \(2, 3\)",
        ),
    ],
)
def test_tasks_that_do_not_match_are_refused(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {
        "outputs": {"digit": ad.zeros(2, 3), "slant": ad.zeros(2)},
        "labels": {"digit": ad.tensor([0, 1]), "slant": ad.zeros(2)},
        "losses": LOSSES,
    }
    with pytest.raises(ValueError, match=message):
        multitask_loss(**arguments | change)

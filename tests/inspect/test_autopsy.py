"""`autopsy` names the op that made the first number that is not finite, and says nothing where all is well."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
import nn
from autodiff.inspect.safe_forms import GUARDS

SMOOTH = [ad.tanh, ad.sigmoid, ad.sin, lambda x: x * 0.5, lambda x: x + 1.0, lambda x: x.mean(0, keepdim=True) + x]
# What makes something that is not finite of any x, and the op's name.
FAULTS = {
    "log": lambda x: (x - x - 1.0).log(),
    "exp": lambda x: (x * x + 1000.0).exp(),
    "div": lambda x: x / (x - x),
    "reciprocal": lambda x: (x * 0.0).reciprocal(),
    "acos": lambda x: (x * x + 2.0).acos(),
}


def program(choices: list[int], fault: str | None, place: int) -> ad.Tensor:
    x = ad.tensor([[0.3, -0.7], [1.1, 0.2]], requires_grad=True)
    for i, choice in enumerate([*choices, 0]):
        if fault is not None and i == place % (len(choices) + 1):
            x = FAULTS[fault](x)
        x = SMOOTH[choice](x)
    return x.sum()


@given(st.lists(st.integers(0, len(SMOOTH) - 1), max_size=6), st.sampled_from(sorted(FAULTS)), st.integers(0, 6))
def test_the_planted_op_is_named(choices: list[int], fault: str, place: int) -> None:
    with np.errstate(all="ignore"):
        found = ad.autopsy(lambda: program(choices, fault, place))
        loss = program(choices, fault, place)
    assert [(f.op, "forward" in f.kind) for f in found.findings] == [(fault, not np.isfinite(loss.item()))]
    assert "FAULTS" not in str(found.findings[0].line)
    assert found.findings[0].line.file == __file__
    after = ad.autopsy(loss)
    # The graph alone has lost constants; what it names is the op or one after it, and then it says so.
    assert [f.op for f in after.findings] == [fault] or "to be sure" in str(after)


@given(st.lists(st.integers(0, len(SMOOTH) - 1), max_size=6))
def test_nothing_is_said_of_finite_programs(choices: list[int]) -> None:
    assert not ad.autopsy(program(choices, None, 0))
    assert not ad.autopsy(lambda: program(choices, None, 0))


def test_the_branch_that_where_does_not_choose() -> None:
    x = ad.tensor([0.0, 4.0], requires_grad=True)
    (found,) = ad.autopsy(ad.where(x > 0, x.sqrt(), 0.0).sum()).findings
    assert found.kind == "NaN in the backward pass"
    assert found.op == "sqrt"
    assert "choosing afterwards does not help" in found.advice
    assert "ad.where(mask, ad.where(mask, x, 1).sqrt(), 0)" in found.advice
    mask = x > 0
    assert not ad.autopsy(ad.where(mask, ad.where(mask, x, 1).sqrt(), 0).sum())


def test_a_norm_at_zero() -> None:
    x = ad.zeros(3, requires_grad=True)
    (found,) = ad.autopsy((x * x).sum().sqrt()).findings
    assert (found.op, found.kind) == ("sqrt", "infinity in the backward pass")
    assert "vector_norm" in found.advice
    assert not ad.autopsy(ad.linalg.vector_norm(x))


def test_nan_in_the_data_names_the_input() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    (found,) = ad.autopsy(model(ad.tensor([[1.0, math.nan]])).sum(), model).findings
    assert found.kind == "NaN in the data"
    assert "0.weight" in found.text


def bad_numbers(op: str) -> list[float]:
    if op in ("asin", "acos", "atanh"):
        return [-1.0, 1.0, 0.5]
    return [1.0, 0.5, 2.0] if op == "acosh" else [-1.0, -1.5, 2.0] if op == "log1p" else [0.0, -0.0, 2.0]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("op", sorted(GUARDS))
def test_the_safe_form_that_is_recommended_is_safe(op: str) -> None:
    p = 0.5
    x = ad.tensor(bad_numbers(op), requires_grad=True)
    plain = {"pow_number": lambda: x**p}.get(op, lambda: getattr(x, op)())
    (found,) = ad.autopsy(lambda: plain().sum()).findings
    assert found.op == op
    statement, _, expression = found.advice.rpartition("before the op: ")[2].partition("; ")
    names = {"ad": ad, "x": x, "p": p}
    exec(statement, names)
    safe = eval(expression, names)
    assert not ad.autopsy(safe.sum())
    assert safe[2] == plain()[2]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_forms_that_have_a_function_of_their_own() -> None:
    x = ad.tensor([200.0, 0.0, -200.0], requires_grad=True)
    for compose, advice in (
        (lambda: x.softmax(0).log(), "log_softmax"),
        (lambda: x.sigmoid().log(), "logsigmoid"),
        (lambda: (x - 300).exp().sum().log(), "logsumexp"),
        (lambda: x.exp(), "overflows"),
        (lambda: x.mul(2.0) / x.mul(0.0), "The divisor is 0"),
    ):
        (found,) = ad.autopsy(lambda compose=compose: compose().sum()).findings
        assert advice in found.advice
    big = ad.tensor([3e38], requires_grad=True)
    (found,) = ad.autopsy(lambda: (big / 0.1).sum()).findings
    assert (found.op, found.advice) == ("div", "")


class Logarithm(nn.Module):
    def forward(self, x):
        return x.log()


def test_the_layer_is_named() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.Tanh(), Logarithm()), nn.Linear(3, 1))
    nn.init.zeros_(model[0].bias)
    nn.init.constant_(model[0].weight, -1.0)
    with np.errstate(all="ignore"):
        watched, after = (
            ad.autopsy(lambda: model(ad.ones(2, 2)).sum(), model),
            ad.autopsy(model(ad.ones(2, 2)).sum(), model),
        )
    assert "log in the layer 1.1 (Logarithm) made" in watched.findings[0].text
    assert "log, after the parameter 0.weight made" in after.findings[0].text


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_inside_vmap() -> None:
    x = ad.tensor([[1.0, -1.0], [0.5, 2.0]], requires_grad=True)
    (found,) = ad.autopsy(lambda: ad.vmap(lambda row: row.log())(x).sum()).findings
    assert (found.op, found.kind) == ("log", "NaN in the forward pass")
    assert ad.autopsy(ad.vmap(lambda row: row.log())(x).sum())
    assert not ad.autopsy(lambda: ad.vmap(lambda row: row.abs().log())(x).sum())


def test_infinities_that_a_mask_puts_in_are_no_fault() -> None:
    x = ad.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    none = ad.tensor([[True, False], [False, False]])
    row = ad.tensor([[True, True], [False, False]])
    assert not ad.autopsy(lambda: x.masked_fill(none, -math.inf).softmax(1).square().sum())
    (found,) = ad.autopsy(lambda: x.masked_fill(row, -math.inf).softmax(1).square().sum()).findings
    assert found.op == "softmax"
    assert "-inf throughout" in found.advice


def test_it_changes_nothing() -> None:
    x = ad.tensor([1.0, 2.0], requires_grad=True)
    y = x * x
    y.retain_grad()
    loss = y.sum()
    ad.autopsy(loss)
    assert x.grad is None
    assert y.grad is None
    loss.backward()
    assert x.grad.tolist() == [2.0, 4.0]
    assert y.grad.tolist() == [1.0, 1.0]
    with pytest.raises(RuntimeError, match="a function that computes the loss"):
        ad.autopsy(loss)


@pytest.mark.filterwarnings("ignore:invalid value")
def test_inside_detect_anomaly_it_still_answers() -> None:
    x = ad.tensor([0.0], requires_grad=True)
    with ad.autograd.detect_anomaly():
        assert ad.autopsy((x.sqrt() * 0).sum()).findings[0].op == "sqrt"
        with pytest.raises(RuntimeError, match="SqrtBackward0"):
            (x.sqrt() * 0).sum().backward()


def test_what_it_takes() -> None:
    with pytest.raises(TypeError, match="expected the loss"):
        ad.autopsy(3.0)
    with pytest.raises(TypeError, match="returns the loss"):
        ad.autopsy(lambda: 3.0)
    x = ad.ones(1, requires_grad=True)

    def step() -> ad.Tensor:
        loss = (x * x).sum()
        loss.backward()
        return loss

    with pytest.raises(RuntimeError, match=r"called backward\(\)"):
        ad.autopsy(step)

"""`check_graph` names the call whose rule is wrong, in a model of right ones, and none where all are right."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
import nn


@ad.elementwise("half_slope", vjp=lambda g, y, x: g * np.cos(x) / 2)
def half_slope(x):
    return np.sin(x)


@ad.elementwise(
    "turned_product",
    vjp=(lambda g, y, a, b: g * b, lambda g, y, a, b: -g * a),
)
def turned_product(a, b):
    return a * b


class Forgetful(ad.Function):
    """Returns no gradient for what its output depends on, and nothing wrong for the other."""

    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x)
        return x * y

    @staticmethod
    def backward(ctx, g):
        return None, g * ctx.saved_tensors[0]


class Right(ad.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.sin(), x.cos()

    @staticmethod
    def backward(ctx, g, h):
        (x,) = ctx.saved_tensors
        return g * x.cos() - h * x.sin()


SMOOTH = [ad.tanh, ad.sin, lambda x: x * x, lambda x: x @ x, lambda x: ad.relu(x) + x, lambda x: sum(Right.apply(x))]
WRONG = {
    "half_slope": (half_slope, 0),
    "turned_product": (lambda x: turned_product(x, x), 1),
    "Forgetful": (lambda x: Forgetful.apply(x, x + 1.0), 0),
}


def program(choices: list[int], wrong: str | None, place: int) -> ad.Tensor:
    x = ad.tensor([[0.3, -0.7], [0.9, 0.2]], requires_grad=True)
    for i, choice in enumerate([*choices, 0]):
        if wrong is not None and i == place % (len(choices) + 1):
            x = WRONG[wrong][0](x)
        x = SMOOTH[choice](x)
    return x.sum()


@given(st.lists(st.integers(0, len(SMOOTH) - 1), max_size=6), st.sampled_from(sorted(WRONG)), st.integers(0, 6))
def test_the_wrong_rule_is_named(choices: list[int], wrong: str, place: int) -> None:
    found = ad.check_graph(lambda: program(choices, wrong, place))
    assert [finding.op for finding in found.findings] == [wrong]
    assert f"input {WRONG[wrong][1]} of" in found.findings[0].text
    assert found.findings[0].line.file == __file__


@given(st.lists(st.integers(0, len(SMOOTH) - 1), max_size=6))
def test_right_rules_are_not_named(choices: list[int]) -> None:
    found = ad.check_graph(lambda: program(choices, None, 0))
    assert not found
    assert found.note == ""
    assert not ad.check_graph(program(choices, None, 0))


def test_of_the_loss_alone_what_was_kept_is_checked() -> None:
    x = ad.tensor([0.5, 2.0], requires_grad=True)
    found = ad.check_graph(half_slope(x).sum() + Right.apply(x)[0].sum())
    assert [finding.op for finding in found.findings] == ["half_slope"]
    assert "Right was not checked: the graph kept no operands of it; give a function" in found.note


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout()),
        nn.Sequential(nn.Flatten(), nn.Linear(64, 6), nn.LayerNorm(6), nn.GELU(), nn.Softmax(1)),
        nn.Sequential(nn.Flatten(0, 1), nn.TransformerEncoderLayer(8, 2, 16)),
        nn.Sequential(nn.Flatten(0, 1), nn.LSTM(8, 4, 2)),
    ],
)
def test_models_are_right(model: nn.Module) -> None:
    x = ad.randn(3, 1, 8, 8)

    def loss() -> ad.Tensor:
        y = model(x)
        return (y[0] if isinstance(y, tuple) else y).square().mean()

    found = ad.check_graph(loss)
    assert not found, found
    assert found.note == ""


def test_a_kink_at_an_input_is_not_a_wrong_rule() -> None:
    x = ad.tensor([0.0, 1.0, 1.0], requires_grad=True)
    assert not ad.check_graph(lambda: ad.relu(x).sum() + x.abs().sum() + x.amax() + x.clamp(0, 1).sum())


def test_what_cannot_be_checked_is_said() -> None:
    class Noisy(ad.Function):
        @staticmethod
        def forward(ctx, x):
            return x * ad.rand(2)

        @staticmethod
        def backward(ctx, g):
            return g

    class Fails(ad.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            raise KeyError("missing")

    x = ad.ones(2, requires_grad=True)
    found = ad.check_graph(lambda: Noisy.apply(x).sum())
    assert not found
    assert "Noisy was not checked: it is not deterministic" in found.note
    found = ad.check_graph(lambda: Fails.apply(x).sum())
    assert found.findings[0].kind == "a rule that fails"
    with pytest.raises(TypeError, match="check_graph: expected the loss"):
        ad.check_graph(None)


def test_it_changes_nothing() -> None:
    x = ad.tensor([1.0, 2.0], requires_grad=True)
    kept = []

    def loss() -> ad.Tensor:
        y = x * x
        y[0] = 3.0
        kept.append(y.sum())
        return kept[-1] + nn.functional.dropout(y).sum()

    state = ad.get_rng_state()
    assert not ad.check_graph(loss)
    assert ad.equal(ad.get_rng_state(), state)
    assert x.grad is None
    kept[-1].backward()
    assert x.grad.tolist() == [0.0, 4.0]

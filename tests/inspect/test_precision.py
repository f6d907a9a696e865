"""`precision` predicts what the loss would be in float64, and ranks the op first that rounds most."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
import nn

SMOOTH = [ad.tanh, ad.sin, lambda x: x * x + 1.0, lambda x: x @ x, lambda x: x / (x * x + 2.0), lambda x: x.softmax(0)]


def program(choices: list[int], dtype: object) -> ad.Tensor:
    x = ad.tensor([[0.3, -0.7], [0.9, 0.2]]).to(dtype).requires_grad_()
    for choice in choices:
        x = SMOOTH[choice](x)
    return x.sum()


@given(st.lists(st.integers(0, len(SMOOTH) - 1), min_size=1, max_size=6))
def test_the_sum_over_the_ops_is_the_change_of_the_loss(choices: list[int]) -> None:
    change = program(choices, ad.float64).item() - program(choices, ad.float32).item()
    found = ad.precision(lambda: program(choices, ad.float32))
    said = float(found.summary.rpartition(" ")[2])
    # To first order, and with gradients and the sum of the loss in float32.
    assert said == pytest.approx(change, rel=0.06, abs=2e-9)
    each = [float(f.kind.split()[0]) for f in found.findings]
    assert sum(each) == pytest.approx(said, abs=0.06 * sum(map(abs, each)) + 1e-12)


@given(st.lists(st.integers(0, 1), max_size=5), st.integers(0, 5))
def test_the_op_that_cancels_is_first(choices: list[int], place: int) -> None:
    def loss() -> ad.Tensor:
        x = ad.tensor([[0.3, -0.7], [0.9, 0.2]], requires_grad=True)
        for i, choice in enumerate([*choices, 0]):
            if i == place % (len(choices) + 1):
                x = (x + 10000.0) - 10000.0
            x = SMOOTH[choice](x)
        return (x * ad.tensor([1.0, -2.0])).sum()

    first = ad.precision(loss).findings[0]
    assert first.op == "add"
    assert "10000.0" in str(first.line)


def test_float64_adds_nothing_and_the_loss_alone_says_what_it_lacks() -> None:
    assert not ad.precision(lambda: program([0, 1, 2], ad.float64))
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    loss = model(ad.randn(5, 4)).square().mean()
    assert ad.precision(loss).note == ""
    x = ad.ones(2, requires_grad=True)
    assert "could not be computed again" in ad.precision((x + ad.rand(2)).sum()).note
    loss.backward()
    with pytest.raises(RuntimeError, match=r"precision: a backward pass has freed .* precision\(lambda"):
        ad.precision(loss)

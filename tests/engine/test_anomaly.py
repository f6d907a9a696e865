"""`trace_lines` and `detect_anomaly`: the line of the program, and the first NaN of a backward pass."""

import threading

import pytest

import autodiff as ad
from autodiff import recorders
from autodiff.grad_mode import ThreadState
from autodiff.graph import Node

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


class Twice(ad.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2, x * 3

    @staticmethod
    def backward(ctx, g, h):
        raise KeyError("mine")


def off() -> bool:
    return recorders.Node is Node and ThreadState.watch is None


def test_every_kind_of_node_knows_its_line() -> None:
    x = ad.ones(2, 2, requires_grad=True)
    with ad.trace_lines():
        made = [x.exp(), x * x, ad.addcmul(x, x, x), ad.cat([x, x]), x[0], x.T, x + 1]
        y = x.clone()
        y[0] = 5.0
        function = Twice.apply(x)[0].grad_fn.p0
        mapped = ad.vmap(lambda row: row.sin())(x)
    for node in [*(t.grad_fn for t in made), y.grad_fn, function, mapped.grad_fn]:
        assert node.line.file == __file__, node
        assert node.line.function == "test_every_kind_of_node_knows_its_line"
    assert made[0].grad_fn.line.number + 1 == y.grad_fn.line.number - 1
    assert off()


def test_scopes_nest_and_hold_for_all_threads() -> None:
    x = ad.ones(1, requires_grad=True)
    lines = []
    with ad.trace_lines():
        with ad.trace_lines():
            pass
        thread = threading.Thread(target=lambda: lines.append(x.exp().grad_fn.line))
        thread.start()
        thread.join()
    assert lines[0] is not None
    assert x.exp().grad_fn.line is None
    assert off()

    @ad.trace_lines()
    def inside() -> object:
        return x.exp().grad_fn.line

    assert inside().function == "inside"
    assert off()


def test_nan_is_named_with_its_line() -> None:
    x = ad.tensor([0.0, 1.0], requires_grad=True)
    with (
        ad.autograd.detect_anomaly(),
        pytest.raises(RuntimeError, match=r"'SqrtBackward0'.* 0th .*test_anomaly.py:\d+"),
    ):
        (x.sqrt() * ad.tensor([0.0, 1.0])).sum().backward()
    loss = (x.sqrt() * ad.tensor([0.0, 1.0])).sum()
    with ad.autograd.detect_anomaly(), pytest.raises(RuntimeError, match="recorded outside detect_anomaly"):
        ad.grad(loss, x)
    assert off()


def test_without_check_nan_and_outside_nothing_is_raised() -> None:
    x = ad.tensor([0.0], requires_grad=True)
    with ad.autograd.detect_anomaly(check_nan=False):
        loss = (x.sqrt() * 0).sum()
        loss.backward()
        assert loss.grad_fn.line is not None
    (x.sqrt() * 0).sum().backward()
    with ad.autograd.detect_anomaly(), ad.autograd.set_detect_anomaly(False):
        (x.sqrt() * 0).sum().backward()
        assert off()
    assert off()


def test_the_second_backward_is_checked_too() -> None:
    x = ad.tensor([0.0], requires_grad=True)
    with ad.autograd.detect_anomaly():
        (g,) = ad.grad((x**1.5).sum(), x, create_graph=True)
        with pytest.raises(RuntimeError, match="returned nan values"):
            (g * 0).sum().backward()


def test_the_switch() -> None:
    x = ad.tensor([0.0], requires_grad=True)
    ad.autograd.set_detect_anomaly(True)
    try:
        with pytest.raises(RuntimeError, match="SqrtBackward0"):
            (x.sqrt() * 0).sum().backward()
    finally:
        ad.autograd.set_detect_anomaly(False)
    assert off()


def test_errors_of_ones_own_backward_get_a_note() -> None:
    x = ad.ones(1, requires_grad=True)
    with ad.trace_lines():
        y = Twice.apply(x)[0]
    with pytest.raises(KeyError) as caught:
        y.backward()
    assert "recorded at" in caught.value.__notes__[0]


def test_gradients_are_the_same_bits() -> None:
    x = ad.randn(4, 3, generator=ad.Generator().manual_seed(1)).requires_grad_()

    def gradient(watched: bool) -> ad.Tensor:
        with ad.autograd.set_detect_anomaly(watched):
            parts = x.split(2)
            loss = (parts[0] * parts[1]).tanh().sum() + x[1:].exp().mean() + (x @ x.T).relu().sum()
            return ad.grad(loss, x)[0]

    assert ad.equal(gradient(True), gradient(False))

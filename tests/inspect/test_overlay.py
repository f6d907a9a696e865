"""The colours of pictures: the numbers are those of the engine, small and large ones are told apart."""

import re
from typing import Any

import numpy as np
import pytest

import autodiff as ad
import nn
from autodiff.inspect import draw
from autodiff.inspect.overlay import (
    DIVERGING,
    NOT_FINITE,
    OWN,
    RISING,
    SCALES,
    ZERO,
    activations,
    gradients,
    measured,
    painted,
    short,
)
from autodiff.inspect.recording import record
from autodiff.inspect.structure import Structure, identity, size, structure_of
from autodiff.inspect.watching import Watched


def deep(activation: type[nn.Module], layers: int = 8) -> tuple[nn.Module, ad.Tensor]:
    ad.manual_seed(0)
    blocks = [module for _ in range(layers) for module in (nn.Linear(16, 16), activation())]
    model = nn.Sequential(*blocks, nn.Linear(16, 4))
    return model, nn.CrossEntropyLoss()(model(ad.randn(32, 16)), ad.randint(4, (32,)))


def of(loss: ad.Tensor, model: nn.Module) -> Structure:
    return structure_of({"loss": loss}, {identity(p): name for name, p in model.named_parameters()}, {})


def looks(source: str) -> dict[str, str]:
    """The colour of each box, by its label."""
    lines = re.findall(r'\[label=(?:<?"?)([\w.]+).*?fillcolor="(#\w+)"', source)
    return dict(lines)


def test_the_gradients_are_those_of_backward() -> None:
    model, loss = deep(nn.Tanh)
    structure = of(loss, model)
    found = gradients(structure, {"loss": loss})
    assert all(p.grad is None for p in model.parameters())
    hidden = {key: node for key, node in structure.nodes.items() if structure.boxes[key].label == "tanh"}
    loss.backward()
    named = {structure.boxes[key].label: g for key, g in found.items()}
    for name, p in model.named_parameters():
        np.testing.assert_array_equal(named[name], p.grad.numpy())
    assert hidden.keys() <= found.keys()


def test_retained_gradients_and_hooks_are_left_alone() -> None:
    w = ad.ones(3, requires_grad=True)
    h = w * 2
    h.retain_grad()
    loss = (h * h).sum()
    draw(loss, overlay="gradients")
    assert w.grad is None
    assert h.grad is None
    loss.backward()
    assert h.grad.tolist() == [4.0, 4.0, 4.0]


def test_vanishing_gradients_go_from_one_end_of_the_scale_to_the_other() -> None:
    model, loss = deep(nn.Sigmoid)
    colours = looks(draw(loss, params=model, overlay="gradients").source)
    assert colours["0.weight"] == DIVERGING[0]
    assert colours["16.bias"] == DIVERGING[-1]
    residual, loss = deep(nn.Tanh, layers=2)
    red_or_blue = {DIVERGING[0], DIVERGING[-1]}
    assert not red_or_blue & set(looks(draw(loss, params=residual, overlay="gradients").source).values())


def test_a_freed_graph_is_an_error() -> None:
    model, loss = deep(nn.Tanh, layers=1)
    loss.backward()
    with pytest.raises(RuntimeError, match="retain_graph=True"):
        draw(loss, params=model, overlay="gradients")


def test_activations_are_what_rules_saved_and_modules_returned() -> None:
    w = ad.tensor([1.0, -1.0, 2.0, 0.0], requires_grad=True)
    y = w.relu()
    total = y.sum()
    structure = structure_of({"y": total}, {}, {})
    found = {structure.boxes[key].label: a for key, a in activations(structure, {"y": total}, Watched()).items()}
    assert {label: a.tolist() for label, a in found.items()} == {
        "tensor": [1.0, -1.0, 2.0, 0.0],
        "relu": [1.0, 0.0, 2.0, 0.0],
        "sum": 3.0,
    }
    assert "50% zero" in draw(total, overlay="activations").source
    assert draw(nn.Linear(2, 2), ad.ones(3, 2), overlay="activations").source.count("root mean square") == 1


def test_time_is_measured_while_a_model_runs() -> None:
    class Slow(nn.Module):
        def forward(self, x: ad.Tensor) -> ad.Tensor:
            y = x.tanh()
            for _ in range(20):
                np.linalg.svd(np.ones((100, 100)))
            return y.exp()

    colours = looks(draw(Slow(), ad.ones(2), overlay="time").source)
    assert colours["exp"] == RISING[-1] != colours["tanh"]
    with pytest.raises(ValueError, match=r"draw\(model, x, overlay='time'\)"):
        draw(ad.ones(2, requires_grad=True) * 2, overlay="time")


def test_memory_adds_up() -> None:
    model, loss = deep(nn.Sigmoid, layers=2)
    recorded = record({"loss": loss}, params=model)
    structure = recorded.structure
    values, scale, notes = measured("memory", recorded)
    assert sum(values.values()) == sum(box.saved for box in structure.boxes.values()) > 0
    picture = painted(structure, values, scale, notes)
    assert picture.legend[0] == "saved for the backward pass"


def test_numbers_of_ones_own() -> None:
    a, b = ad.ones(2, requires_grad=True), ad.ones(2, requires_grad=True)
    source = draw((a * b).sum(), params={"a": a, "b": b}, overlay={a: 1.0, b: 4.0}).source
    assert looks(source)["b"] == RISING[-1]
    with pytest.raises(ValueError, match="expected overlay to be one of gradients, activations, time, memory"):
        draw((a * b).sum(), overlay="heat")


@pytest.mark.parametrize(
    ("value", "colour"),
    [(0.0, ZERO), (float("nan"), NOT_FINITE), (float("inf"), NOT_FINITE), (1e-9, DIVERGING[0]), (1e9, DIVERGING[-1])],
)
def test_what_is_zero_small_large_or_not_finite_is_told_apart(value: float, colour: str) -> None:
    w = ad.ones(2, requires_grad=True)
    structure = structure_of({"y": (w * w).sum()}, {}, {})
    values: dict[str, Any] = dict.fromkeys(structure.nodes, 1.0) | {"leaf0": value}
    picture = painted(structure, values, SCALES["gradients"], {})
    assert picture.boxes["leaf0"].fill == colour
    assert {"not finite", "0"} & {text for _, text in picture.legend[1:]} == (
        {"0"} if value == 0 else set() if np.isfinite(value) else {"not finite"}
    )


def test_a_folded_box_has_the_range_or_the_sum_of_its_members() -> None:
    w = ad.ones(2, requires_grad=True)
    y = w
    for _ in range(200):
        y = y * 1.1
    source = draw(y.sum(), overlay={w: 3.0}, depth=0).source
    assert "<font" in source
    structure = structure_of({"y": w * w}, {}, {})
    whole = Structure({"a": structure.boxes["leaf0"].__class__("folded", "all", members=("leaf0", "operation1"))})
    values = {"leaf0": 2.0, "operation1": 500.0}
    assert painted(whole, values, OWN, {}).boxes["a"].reading == "2 … 500"
    assert painted(whole, values, SCALES["memory"], {}).boxes["a"].reading == "502 bytes"
    assert [short(x) for x in (460.4, 0.00123, 1.2345e-7)] == ["460", "0.0012", "1.2e-07"]


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (17.7, "18 bytes"),
        (999.7, "1 kB"),
        (1_500_000, "1.5 MB"),
        (999_600, "1 MB"),
        (2.5e12, "2.5 TB"),
    ],
)
def test_sizes(count: float, text: str) -> None:
    assert size(count) == text

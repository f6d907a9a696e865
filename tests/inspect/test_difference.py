"""What `diff` says of two graphs: nothing of equal ones, and what was changed of others."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
import nn
from autodiff.inspect import diff
from autodiff.inspect.difference import ADDED, CHANGED, REMOVED

LAYERS = {"linear": lambda: nn.Linear(3, 3), "tanh": nn.Tanh, "relu": nn.ReLU, "sigmoid": nn.Sigmoid}
programs = st.lists(st.sampled_from(sorted(LAYERS)), min_size=1, max_size=8)


def model(program: list[str]) -> nn.Module:
    return nn.Sequential(*[LAYERS[name]() for name in program])


def operations(lines: tuple[str, ...], what: str) -> Counter[str]:
    """The operations that were added or removed."""
    names = (line.removeprefix(f"{what}: ").split()[0] for line in lines if line.startswith(f"{what}: "))
    return Counter(name for name in names if name in LAYERS)


@given(programs)
def test_nothing_changed_between_equal_models(program: list[str]) -> None:
    difference = diff(model(program), model(program), ad.ones(2, 3))
    assert not difference
    assert str(difference) == "nothing changed"


@given(programs, programs)
def test_what_was_added_and_removed_adds_up(before: list[str], after: list[str]) -> None:
    there, back = (diff(model(a), model(b), ad.ones(2, 3)).lines for a, b in ((before, after), (after, before)))
    added, removed = operations(there, "added"), operations(there, "removed")
    rest = Counter(after)
    rest.subtract(Counter(before))
    rest.subtract(added)
    rest.update(removed)
    assert not any(rest.values())
    assert bool(there) == bool(back) == (before != after)


@given(programs, st.data())
def test_one_more_layer_is_what_was_added(program: list[str], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(program)))
    name = data.draw(st.sampled_from(sorted(LAYERS)))
    lines = diff(model(program), model([*program[:place], name, *program[place:]]), ad.ones(2, 3)).lines
    assert operations(lines, "added") == {name: 1}
    assert not any(line.startswith("removed") for line in lines)


def test_shapes_dtypes_and_learning() -> None:
    small, large = nn.Linear(4, 3), nn.Linear(4, 3, dtype=ad.float64)
    large.weight.requires_grad_(False)

    def run(layer: nn.Linear, rows: int) -> ad.Tensor:
        return layer(ad.ones(rows, 4, dtype=layer.weight.dtype, requires_grad=True)) * 2.0

    lines = diff(run(small, 5), run(large, 6), params={"weight": small.weight, "w": large.weight}).lines
    assert "parameters: 27, was 35" in lines
    assert "changed: linear (6, 3), was (5, 3), was float32" in lines


def test_a_number_that_changed_is_said() -> None:
    w = ad.ones(2, requires_grad=True)
    assert diff(w * 2.0, w * 0.5).lines == ("changed: 0.5 (), was 2",)


def test_other_arguments_and_other_operands() -> None:
    a, b = ad.ones(2, 2, requires_grad=True), ad.ones(2, 2, requires_grad=True)
    names = {"a": a, "b": b}
    assert diff(a.cumsum(0), a.cumsum(1)).lines == ("changed: cumsum (2, 2), other arguments",)
    difference = diff(a.exp() * b.exp() - a.exp(), b.exp() * a.exp() - b.exp(), params=names)
    assert difference


def test_two_steps_of_a_graph_that_grows() -> None:
    w = ad.ones(3, requires_grad=True)

    def run(steps: int) -> ad.Tensor:
        x = ad.ones(3)
        for _ in range(steps):
            x = (x * w).tanh()
        return x.sum()

    lines = diff(run(40), run(43), params={"w": w}).lines
    assert sorted(lines) == ["added: mul (3,)"] * 3 + ["added: tanh (3,)"] * 3


def test_the_picture_has_both_graphs_with_their_colours() -> None:
    before, after = model(["linear", "relu", "linear"]), model(["linear", "tanh", "linear"])
    source = diff(before, after, ad.ones(2, 3)).drawing.source
    for label, colour in (("relu", REMOVED), ("tanh", ADDED)):
        (line,) = [line for line in source.splitlines() if f"label=<{label}<" in line and "->" not in line]
        assert f'fillcolor="{colour}"' in line
    assert "what changed" in source


def test_a_large_difference_is_folded() -> None:
    before, after = ([name] * 2 * 100 for name in ("tanh", "sigmoid"))
    difference = diff(model(before), model(after), ad.ones(2, 3))
    assert len(difference.lines) == 400
    boxes = [line for line in difference.drawing.source.splitlines() if "tooltip" in line and "->" not in line]
    assert len(boxes) <= 61
    assert CHANGED in difference.drawing.source or ADDED in difference.drawing.source


def test_what_cannot_be_compared_is_an_error() -> None:
    with pytest.raises(TypeError, match="expected a tensor, a list or dict of tensors, or a module"):
        diff(3, ad.ones(2, requires_grad=True))

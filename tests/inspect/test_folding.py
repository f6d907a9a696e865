"""What is folded into which box: properties of random models and graphs, and known ones by name."""

import re
import time
from collections import Counter
from math import inf
from random import Random
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
import nn
from autodiff.inspect import draw, render
from autodiff.inspect.folding import Fold, fold
from autodiff.inspect.module_calls import calls_by_names
from autodiff.inspect.room import MOST_BOXES, extent, fits
from autodiff.inspect.structure import Role, Structure, identity, structure_of
from autodiff.inspect.tree import Group, tree_of
from autodiff.inspect.watching import watched


class Residual(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: ad.Tensor) -> ad.Tensor:
        return x + self.inner(x).tanh() * 0.5


class Looped(nn.Module):
    """Runs its only module several times."""

    def __init__(self, inner: nn.Module, times: int) -> None:
        super().__init__()
        self.inner, self.times = inner, times

    def forward(self, x: ad.Tensor) -> ad.Tensor:
        for _ in range(self.times):
            x = self.inner(x).relu()
        return x


def alike(inner: st.SearchStrategy[nn.Module]) -> st.SearchStrategy[nn.Module]:
    return st.one_of(
        st.lists(inner, min_size=1, max_size=5).map(lambda modules: nn.Sequential(*modules)),
        inner.map(Residual),
        st.builds(Looped, inner, st.integers(1, 5)),
    )


models = st.recursive(
    st.sampled_from([lambda: nn.Linear(3, 3), nn.Tanh, lambda: nn.LayerNorm(3)]).map(lambda make: make()),
    alike,
    max_leaves=12,
)


@st.composite
def outputs(draw: st.DrawFn) -> ad.Tensor:
    """The end of a random graph without modules."""
    values = [ad.ones(3, requires_grad=True) for _ in range(draw(st.integers(1, 4)))]
    for kind, back, other in draw(
        st.lists(st.tuples(st.integers(0, 3), st.integers(1, 6), st.integers(1, 30)), max_size=120)
    ):
        a, b = values[-min(back, len(values))], values[-min(other, len(values))]
        values.append([lambda a, b: a * b, lambda a, b: a.tanh(), lambda a, b: a + 2.0, lambda a, b: a - b][kind](a, b))
    return values[-1]


folds: st.SearchStrategy[Fold] = st.sampled_from(
    [None, False, lambda part: part.times > 1, lambda part: part.kind == "Sequential", lambda part: False]
)
depths = st.sampled_from([None, 0, 1, 2, 3, inf])


def run(model: nn.Module) -> tuple[Structure, Group]:
    with watched(model) as seen:
        y = model(ad.ones(2, 3, requires_grad=True))
    names = {identity(p): name for name, p in model.named_parameters()}
    structure = structure_of({"y": y}, names, {})
    return structure, tree_of(structure, seen.calls)


def visible(found: Structure) -> dict[str, str]:
    """Where each recorded box is seen; a leaf beside each of its uses counts once."""
    seen: dict[str, str] = {}
    for key, box in found.boxes.items():
        for member in box.members:
            drawn = key.split("_")[0]
            assert seen.setdefault(member, drawn) == drawn, f"{member} is in {seen[member]} and in {drawn}"
    return seen


def check(structure: Structure, found: Structure) -> None:
    seen = visible(found)
    assert seen.keys() == structure.boxes.keys()
    assert {box.inside for box in found.boxes.values()} <= {"", *found.clusters}
    arrows = {(arrow.tail.split("_")[0], arrow.head) for arrow in found.arrows}
    expected = {(seen[arrow.tail], seen[arrow.head]) for arrow in structure.arrows}
    assert arrows == {(tail, head) for tail, head in expected if tail != head}
    once = {key.split("_")[0]: box for key, box in found.boxes.items()}
    for total in ("parameters", "saved"):
        assert sum(getattr(box, total) for box in once.values()) == sum(
            getattr(box, total) for box in structure.boxes.values()
        )
    rows, _ = extent(found)
    assert rows <= len(found.boxes)


@given(models, depths, folds)
def test_every_node_of_a_model_is_in_exactly_one_box(model: nn.Module, depth: float | None, choose: Fold) -> None:
    structure, tree = run(model)
    if any(box.role is Role.OPERATION for box in structure.boxes.values()):
        check(structure, fold(structure, tree, depth, choose))


@given(outputs(), depths, folds)
def test_every_node_of_a_graph_is_in_exactly_one_box(y: ad.Tensor, depth: float | None, choose: Fold) -> None:
    structure = structure_of({"y": y}, {}, {})
    found = fold(structure, tree_of(structure, []), depth, choose)
    check(structure, found)
    if depth is None and choose is None:
        assert len(found.boxes) <= MOST_BOXES


@given(models)
def test_names_tell_what_calls_tell_where_each_module_has_parameters(model: nn.Module) -> None:
    structure, _ = run(nn.Sequential(model, nn.Linear(3, 3)))
    tree = tree_of(structure, calls_by_names(structure, model, {}))
    assert sorted(structure.boxes) == sorted(key for key in visible(fold(structure, tree, choose=False)))


@pytest.mark.skipif(not render.available(), reason="there is no Graphviz: pip install 'autodiff-numpy[viz]'")
def test_graphviz_accepts_what_is_drawn() -> None:
    model = nn.Sequential(Residual(nn.Linear(3, 3)), Looped(nn.Sequential(nn.Tanh(), nn.LayerNorm(3)), 4))
    for options in ({}, {"depth": 1}, {"fold": False}):
        picture = render.render(draw(model, ad.ones(2, 3), **options).source, "svg").decode()
        assert "Looped" in picture


def transformer(layers: int) -> nn.Module:
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    return nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)


def labels(source: str) -> list[str]:
    return re.findall(r"label=(?:<|\")?([^<>\"]+)", source)


def test_blocks_are_drawn_once() -> None:
    model, x = transformer(12), ad.ones(2, 3, 8)
    assert "TransformerEncoderLayer ×12" in labels(draw(model, x).source)
    folded = draw(model, x, depth=1)
    assert folded.source.count(" -> ") == 2
    assert f"{sum(p.numel() for p in model.parameters()):,} parameters" in folded.source
    each = draw(model, x, depth=1, fold=lambda part: False if part.times > 1 else None)
    assert labels(each.source).count("TransformerEncoderLayer") == 12
    assert "layers.11" in each.source


def test_a_loss_has_the_frames_that_names_tell() -> None:
    model = transformer(4)
    source = draw(model(ad.ones(2, 3, 8)).sum(), params=model, depth=1).source
    assert "TransformerEncoderLayer" in source or "ModuleList" in source
    assert "label=sum " in source


@pytest.mark.parametrize("alike", [True, False])
def test_three_thousand_nodes_are_at_most_sixty_boxes(alike: bool) -> None:
    x, w = ad.ones(3), ad.ones(3, requires_grad=True)
    for step in range(1500):
        x = (x * w).tanh() if alike or step * step % 7 < 3 else (x - w).sigmoid()
    start = time.perf_counter()
    source = draw(x, params={"w": w}).source
    assert time.perf_counter() - start < 5
    boxes = [line for line in source.splitlines() if "tooltip" in line and "->" not in line]
    assert len(boxes) <= MOST_BOXES
    assert "fold=False" in source
    assert ("×1,500" in source) == alike


def test_a_wide_graph_is_folded_until_it_can_be_read() -> None:
    leaves = [ad.ones(3, requires_grad=True) for _ in range(90)]
    total = ad.stack([(x.sin, x.cos, x.tan)[i * i % 7 % 3]() for i, x in enumerate(leaves)]).sum()
    structure = structure_of({"y": total}, {}, {})
    found = fold(structure, tree_of(structure, []))
    assert fits(found)
    assert not fits(structure)
    check(structure, found)


def loop() -> ad.Tensor:
    x, w = ad.ones(3), ad.ones(3, requires_grad=True)
    for _ in range(1500):
        x = (x * w).tanh()
    return x


def tangle() -> list[ad.Tensor]:
    """Each of 3,000 operations reads any of those before."""
    numbers = Random(0)
    values = [ad.ones(3, requires_grad=True) for _ in range(100)]
    while len(values) < 3000:
        a, b = numbers.choice(values), numbers.choice(values)
        values.append(numbers.choice([lambda a, b: a + b, lambda a, b: a.tanh(), lambda a, b: a * b])(a, b))
    return values[-20:]


def fan() -> list[ad.Tensor]:
    """A thousand outputs of one leaf, with nothing between them."""
    w, numbers = ad.ones(3, requires_grad=True), Random(0)
    return [getattr(w, numbers.choice(["tanh", "exp", "sin", "cos", "sigmoid"]))() for _ in range(1000)]


def unlike() -> ad.Tensor:
    """A hundred modules, none as the one before."""
    layers = [nn.Sequential(nn.Linear(4 + i, 5 + i), nn.Tanh(), nn.Linear(5 + i, 5 + i)) for i in range(100)]
    return nn.Sequential(*layers)(ad.ones(2, 4))


@pytest.mark.skipif(not render.available(), reason="there is no Graphviz: pip install 'autodiff-numpy[viz]'")
@pytest.mark.parametrize("graph", [loop, tangle, fan, unlike])
def test_a_picture_of_a_large_graph_can_be_read(graph: Any) -> None:
    recorded = graph()
    start = time.perf_counter()
    root = ElementTree.fromstring(render.render(draw(recorded).source, "svg"))
    assert time.perf_counter() - start < 5
    svg = "{http://www.w3.org/2000/svg}"
    left, top, width, height = map(float, root.attrib["viewBox"].split())
    boxes = [g for g in root.iter(f"{svg}g") if g.attrib.get("class") == "node"]
    assert 3 <= len(boxes) <= MOST_BOXES
    assert width <= 3 * height
    # The letters of labels are 12 points high; 8 pixels can be read.
    assert 12 * 1600 / max(width, height) >= 8
    for text in root.iter(f"{svg}text"):
        long = 0.5 * float(text.attrib["font-size"]) * len(text.text or "")
        start_x = float(text.attrib["x"]) - {"middle": long / 2, "end": long}.get(text.attrib["text-anchor"], 0)
        x, y = start_x + float(_moved(root, svg)[0]), float(text.attrib["y"]) + float(_moved(root, svg)[1])
        assert left - 1 <= x
        assert x + long <= left + width + 1
        assert top <= y <= top + height


def _moved(root: ElementTree.Element, svg: str) -> list[str]:
    """By how much the whole picture is moved."""
    graph = next(g for g in root.iter(f"{svg}g") if g.attrib.get("class") == "graph")
    return re.findall(r"translate\(([-\d.]+)[ ,]([-\d.]+)\)", graph.attrib["transform"])[0]


def test_what_needs_no_folding_has_no_advice() -> None:
    w = ad.ones(3, requires_grad=True)
    assert "fold=False" not in draw((w * w).sum()).source


def test_dtypes_other_than_the_default_stand_on_the_arrows() -> None:
    w = ad.ones(3, dtype=ad.float64, requires_grad=True)
    source = draw((w * 2.0).to(ad.float32).sum(), params={"w": w}).source
    assert Counter(re.findall(r'-> \w+ \[label="([^"]*)"', source)) == {" (3,) float64 ": 2, " (3,) ": 1, " () ": 2}


def test_saved_bytes_count_each_array_once_and_no_parameter() -> None:
    w = ad.ones(1000, requires_grad=True)
    h = (w * 3.0).tanh()
    structure = structure_of({"y": (h * h.exp() * w).sum()}, {}, {})
    saved: Counter[str] = Counter()
    for box in structure.boxes.values():
        saved[box.label] += box.saved
    # tanh keeps its output, exp its own; h * exp(h) is kept by the last product; w is a leaf's.
    assert saved == {"tanh": 4000, "exp": 4000, "mul": 4000, **dict.fromkeys(("tensor", "3", "sum", "y"), 0)}


def test_hooks_of_the_watched_model_are_gone() -> None:
    model: Any = nn.Linear(2, 2)
    draw(lambda x: model(x).tanh(), ad.ones(1, 2), params=model)
    assert not model._call_hooks


def test_what_cannot_be_meant_is_an_error() -> None:
    y = ad.ones(3, requires_grad=True) * 2
    with pytest.raises(TypeError, match=r"expected fold to be a function of a part.*got True"):
        draw(y, fold=True)
    with pytest.raises(ValueError, match="expected depth to be 0 or more"):
        draw(y, depth=-1)

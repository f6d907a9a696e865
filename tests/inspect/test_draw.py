"""The structure of drawn graphs, read back from their DOT text."""

import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import autodiff as ad
import nn
from autodiff import recorders
from autodiff.inspect import Drawing, draw
from autodiff.inspect.folding import MOST_ARROWS

LABEL = r'(?:label=(?P<label><.*?>(?= \w+=)|"(?:[^"\\]|\\.)*"|[\w.]+) )?'
LINE = re.compile(r"^\t+(?P<key>\w+)(?: -> (?P<head>\w+))? \[" + LABEL + r"(?P<rest>.*)\]$")

TANHS = '<tanh<br align="center"/><font point-size="10" color="#5f6b7a">×3,000</font>>'


def unquoted(text: str | None) -> str:
    return (text or "").strip('"').strip()


class Read:
    """The boxes and arrows that a drawing's text declares."""

    def __init__(self, drawing: Drawing) -> None:
        self.labels: dict[str, str] = {}
        self.looks: dict[str, dict[str, str]] = {}
        self.arrows: list[tuple[str, str, str]] = []
        arrows = []
        for line in drawing.source.splitlines():
            found = LINE.match(line)
            if found is None or found["key"] in ("graph", "node", "edge"):
                continue
            if found["head"]:
                arrows.append((found["key"], found["head"], unquoted(found["label"])))
            else:
                self.labels[found["key"]] = unquoted(found["label"])
                looks = re.findall(r'(\w+)=("[^"]*"|\w+)', found["rest"])
                self.looks[found["key"]] = {name: unquoted(value) for name, value in looks}
        self.arrows = sorted((self.labels[tail], self.labels[head], label) for tail, head, label in arrows)

    def shape_of(self, label: str) -> str:
        (key,) = (key for key, found in self.labels.items() if found == label)
        return self.looks[key]["shape"]


def test_an_expression() -> None:
    x = ad.tensor([1.0, 2.0, 3.0], requires_grad=True)
    w = ad.ones(2, 3, requires_grad=True)
    read = Read(draw((x * w).tanh().sum(), params={"x": x, "w": w}))
    assert read.arrows == [
        ("mul", "tanh", "(2, 3)"),
        ("sum", "output", "()"),
        ("tanh", "sum", "(2, 3)"),
        ("w", "mul", "(2, 3)"),
        ("x", "mul", "(3,)"),
    ]
    assert [read.shape_of(name) for name in ("x", "w")] == ["box", "box"]
    assert [read.shape_of(name) for name in ("mul", "tanh", "sum")] == ["ellipse"] * 3
    assert read.shape_of("output") == "doubleoctagon"


def test_roles_differ_in_shape_or_line_and_in_colour() -> None:
    model = nn.Linear(3, 2)
    read = Read(draw(lambda x: model(x) * 2.5, ad.ones(4, 3), params=model))
    by_role = {re.sub(r"\d+", "", key): looks for key, looks in read.looks.items()}
    assert by_role.keys() == {"leaf", "input", "constant", "operation", "output"}
    assert len({looks["color"] for looks in by_role.values()}) == 5
    assert len({(looks["shape"], looks["style"]) for looks in by_role.values()}) == 5


def test_a_module_is_run_on_its_input() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2))
    read = Read(draw(model, ad.ones(5, 2, 3)))
    assert read.arrows == [
        ("1.bias", "linear", "(4,)"),
        ("1.weight", "linear", "(4, 6)"),
        ("3.bias", "linear", "(2,)"),
        ("3.weight", "linear", "(2, 4)"),
        ("input", "reshape", "(5, 2, 3)"),
        ("linear", "output", "(5, 2)"),
        ("linear", "relu", "(5, 4)"),
        ("relu", "linear", "(5, 4)"),
        ("reshape", "linear", "(5, 6)"),
    ]
    assert read.shape_of("input") == "invhouse"


def test_running_a_module_leaves_no_trace() -> None:
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5))
    before = {name: value.numpy().copy() for name, value in model.named_buffers()}
    ad.manual_seed(1)
    expected = ad.rand(4)
    ad.manual_seed(1)
    x = ad.ones(4, 3)
    with ad.no_grad():
        draw(model, x)
    assert ad.equal(ad.rand(4), expected)
    assert not x.requires_grad
    for name, value in model.named_buffers():
        np.testing.assert_array_equal(value.numpy(), before[name])


def test_the_parameters_of_a_loss_are_named_by_its_module() -> None:
    model = nn.Sequential(nn.Linear(3, 2))
    loss = nn.CrossEntropyLoss()(model(ad.ones(4, 3)), ad.tensor([0, 1, 0, 1]))
    drawn = [draw(loss, params=model), draw(loss, params=dict(model.named_parameters()))]
    assert drawn[0].source == drawn[1].source
    read = Read(drawn[0])
    assert ("0.weight", "linear", "(2, 3)") in read.arrows
    assert ("constant", "linear", "(4, 3)") in read.arrows
    assert ("cross_entropy", "output", "()") in read.arrows


def test_buffers_and_intermediate_results_are_named_too() -> None:
    class Scaled(nn.Linear):
        def forward(self, x: ad.Tensor) -> ad.Tensor:
            return super().forward(x) * self.scale

    model = Scaled(3, 3)
    model.register_buffer("scale", ad.ones(3))
    assert "label=scale" in draw(model, ad.ones(4, 3)).source
    w, x = ad.ones(3, requires_grad=True), ad.ones(2, 3)
    hidden = w * x
    source = draw(hidden.sum(), params={"hidden": hidden, "x": x}).source
    assert re.search(r"label=<mul<br [^>]*/><font [^>]*>hidden</font>>", source)
    assert "label=x " in source


def test_names_follow_forward_and_the_structure_of_what_is_returned() -> None:
    def step(token: ad.Tensor, state: tuple[ad.Tensor, ad.Tensor], *rest: ad.Tensor) -> dict[str, Any]:
        return {"out": token * rest[0], "state": (state[0] * token, None)}

    a, b, c = ad.ones(2), ad.ones(2, requires_grad=True), ad.ones(2)
    read = Read(draw(step, a, (b, b), c))
    assert {"token", "state[0]", "rest[0]", "out"} <= set(read.labels.values())
    assert sorted(Read(draw([b, b * 2])).labels.values()) == ["2", "mul", "output[0]", "output[1]", "tensor"]


def test_constants() -> None:
    w, x = ad.ones(3, requires_grad=True), ad.ones(3)
    read = Read(draw(w * 2.5 + w * x + x * w + 1.0))
    constants = sorted(label for key, label in read.labels.items() if key.startswith("constant"))
    # The array is one box although two operations read it; addition does not keep the value that it added.
    assert constants == ["2.5", "constant", "constant"]
    assert ("constant", "mul", "(3,)") in read.arrows
    assert ("constant", "add", "") in read.arrows


def test_an_absent_input_is_not_drawn() -> None:
    model = nn.Linear(3, 2, bias=False)
    read = Read(draw(model, ad.ones(4, 3)))
    assert read.arrows == [
        ("input", "linear", "(4, 3)"),
        ("linear", "output", "(4, 2)"),
        ("weight", "linear", "(2, 3)"),
    ]


def test_branches_and_repeated_operands() -> None:
    x = ad.ones(3, requires_grad=True)
    h = x * x
    read = Read(draw((h + h.exp()).sum(), params={"x": x}))
    assert read.arrows.count(("x", "mul", "(3,)")) == 2
    assert ("mul", "add", "(3,)") in read.arrows
    assert ("mul", "exp", "(3,)") in read.arrows
    assert len(read.labels) == 6


def test_a_leaf_read_by_many_operations_stands_beside_each() -> None:
    w = ad.ones(2, requires_grad=True)

    def boxes(uses: int) -> list[str]:
        y = ad.ones(2)
        for _ in range(uses):
            y = (y * w).tanh()
        return [label for label in Read(draw(y, params={"w": w})).labels.values() if re.search(r"\bw\b", label)]

    assert boxes(MOST_ARROWS) == ["w"]
    many = boxes(MOST_ARROWS + 1)
    assert len(many) == MOST_ARROWS + 1
    assert f"used {MOST_ARROWS + 1} times" in many[0]


def test_the_graph_of_a_gradient() -> None:
    x = ad.tensor(3.0, requires_grad=True)
    (g,) = ad.grad(x.tanh(), x, create_graph=True)
    drawing = draw({"slope": g}, params={"x": x})
    assert {"x", "tanh", "slope"} <= set(Read(drawing).labels.values())
    assert set(notes_in(drawing)) == {("mul", "gradient of tanh"), ("sub", "gradient of tanh")}
    assert re.search(r"label=<gradient<br", drawing.source)


def notes_in(drawing: Drawing) -> list[tuple[str, str]]:
    """The operations with a note of whose gradient they are."""
    return re.findall(r"label=<(\w+)<br [^>]*/><font [^>]*>(gradient of \w+)<", drawing.source)


def test_the_frames_of_modules_are_there_once_more_around_their_gradients() -> None:
    blocks = [nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3), nn.Sigmoid()) for _ in range(2)]
    model, x = nn.Sequential(*blocks), ad.ones(2, 3, requires_grad=True)
    (g,) = ad.grad(model(x).sum(), x, create_graph=True)
    frames = re.findall(r"label=<gradient<br [^>]*/><font [^>]*>(\d)<", draw(g, params=model).source)
    assert sorted(frames) == ["0", "1"]
    # What is made after the pass, or by a pass that records nothing, is no gradient.
    after = (x * 2).sum()
    after.backward(retain_graph=True)
    assert not notes_in(draw(after))


def test_a_recorded_backward_pass_says_whose_derivative_made_what() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))

    def penalty(x: ad.Tensor) -> ad.Tensor:
        (slope,) = ad.grad(model(x).sum(), x, create_graph=True)
        return (slope * slope).sum()

    tick = recorders.tick
    draw(penalty, ad.ones(5, 3), params=model, overlay="time")
    assert recorders.tick is tick
    drawing = draw(penalty, ad.ones(5, 3), params=model)
    assert sorted(notes_in(drawing)) == [
        ("matmul", "gradient of linear"),
        ("matmul", "gradient of linear"),
        ("mul", "gradient of tanh"),
        ("mul", "gradient of tanh"),
        ("sub", "gradient of tanh"),
    ]
    assert re.search(r"label=<gradient<br", drawing.source)
    assert "label=sum " in drawing.source


def test_a_graph_stays_drawable_after_backward() -> None:
    model = nn.Linear(3, 2)
    loss = model(ad.ones(4, 3)).tanh().sum()
    loss.backward()
    assert ("weight", "linear", "(2, 3)") in Read(draw(loss, params=model)).arrows


def test_the_same_graph_gives_the_same_text() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Tanh())
    assert draw(model, ad.ones(2, 3)).source == draw(model, ad.ones(2, 3)).source


def test_a_deep_graph_is_one_box_until_it_is_opened() -> None:
    x = ad.ones(1, requires_grad=True)
    for _ in range(3000):
        x = x.tanh()
    read = Read(draw(x))
    assert read.arrows == [(TANHS, "output", "(1,)"), ("tensor", TANHS, "(1,)")]
    assert draw(x, fold=False).source.count(" -> ") == 3001


def test_errors() -> None:
    w = ad.ones(2, requires_grad=True)
    with pytest.raises(ValueError, match=r"no graph to draw.*output.*requires grad"):
        draw(ad.ones(2))
    with pytest.raises(TypeError, match=r"expected a tensor, a list or dict of tensors, or a module.*got int 3"):
        draw(3)
    with pytest.raises(TypeError, match=r"got list \[\]"):
        draw([])
    with pytest.raises(TypeError, match=r"write draw\(loss, params=model\)"):
        draw(w * 2, nn.Linear(2, 2))
    with pytest.raises(TypeError, match=r"got ndarray for w"):
        draw(w * 2, params={"w": np.ones(2)})
    with pytest.raises(TypeError, match=r"got list for params"):
        draw(w * 2, params=[w])
    with pytest.raises(TypeError, match="missing a required argument: 'input'") as error:
        draw(nn.Linear(2, 2))
    assert "draw(model(x), params=model)" in error.value.__notes__[-1]


def test_importing_the_engine_loads_neither_the_pictures_nor_graphviz() -> None:
    program = (
        "import sys, autodiff as ad; assert not {'graphviz', 'autodiff.inspect'} & set(sys.modules); "
        "ad.draw(ad.ones(2, requires_grad=True)); assert 'graphviz' in sys.modules; "
        "assert not {'nn', 'pygraphviz'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)

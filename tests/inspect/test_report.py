"""`report`: the file and the numbers in it; tests/system clicks through it in a browser."""

import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autodiff as ad
import nn
import optim
from autodiff.inspect import report

VOID = {"meta", "input", "br", "img", "link"}


class Outline(HTMLParser):
    """Checks that elements are nested, and keeps the ids and what stands in scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: Counter[str] = Counter()
        self.data = ""
        self.scripts = 0
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        found = dict(attributes)
        self.ids[found.get("id") or ""] += 1
        self.inside = found.get("id")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, text: str) -> None:
        if self.open and self.open[-1] == "script" and self.inside == "data":
            self.data += text


def page_of(path: Path) -> tuple[Outline, dict[str, Any]]:
    outline = Outline(path.read_text(encoding="utf-8"))
    return outline, json.loads(outline.data)


@pytest.fixture
def model() -> nn.Sequential:
    ad.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))


@pytest.fixture
def batch() -> tuple[ad.Tensor, ad.Tensor]:
    return ad.randn(5, 4), ad.tensor([0, 1, 1, 0, 1])


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "report.html"


def test_the_page_is_well_formed_and_names_nothing_outside(model: nn.Sequential, target: Path) -> None:
    text = report(model, ad.ones(2, 4), path=target).read_text(encoding="utf-8")
    outline, _ = page_of(target)
    assert outline.scripts == 2
    assert max(count for name, count in outline.ids.items() if name) == 1
    # The name of SVG's elements, which nothing is fetched from.
    assert set(re.findall(r"https?://[^\"'\s<]*", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\b(src|href)\s*=|@import|url\((?!#arrow)", text)
    assert "default-src 'none'" in text
    assert "{{" not in text.replace("${{", "")


def test_the_numbers_of_the_layers(model: nn.Sequential, batch: tuple[ad.Tensor, ad.Tensor], target: Path) -> None:
    loss = nn.CrossEntropyLoss()
    _, data = page_of(report(model, batch, loss, path=target))
    hidden = model[0](batch[0])
    hidden.retain_grad()
    active = hidden.relu()
    value = loss(model[2](active), batch[1])
    value.backward()
    whole, first, relu, last = data["layers"]
    assert [row["name"] for row in data["layers"]] == ["", "0", "1", "2"]
    assert [row["kind"] for row in data["layers"]] == ["Sequential", "Linear", "ReLU", "Linear"]
    assert [row["parent"] for row in data["layers"]] == [-1, 0, 0, 0]
    assert [row["shape"] for row in data["layers"]] == ["5×2", "5×8", "5×8", "5×2"]
    assert [row["parameters"] for row in data["layers"]] == [58, 40, 0, 18]
    assert [row["calls"] for row in data["layers"]] == [1, 1, 1, 1]
    assert first["mean"] == pytest.approx(hidden.mean().item(), rel=1e-5)
    assert first["std"] == pytest.approx(hidden.detach().numpy().std(), rel=1e-5)
    assert relu["zeros"] == pytest.approx((active.detach().numpy() == 0).mean(), rel=1e-5)
    assert first["gradient"] == pytest.approx(np.linalg.norm(hidden.grad.numpy()), rel=1e-5)
    norms = [np.linalg.norm(p.grad.numpy()) for p in model.parameters()]
    assert first["slope"] == pytest.approx(np.hypot(*norms[:2]), rel=1e-5)
    assert last["slope"] == pytest.approx(np.hypot(*norms[2:]), rel=1e-5)
    assert whole["slope"] == pytest.approx(np.linalg.norm(norms), rel=1e-5)
    assert relu["slope"] is None
    assert relu["saved"] == 5 * 8 * 4
    assert whole["forward"] >= first["forward"] > 0
    assert whole["backward"] >= relu["backward"] > 0
    summary = dict(data["summary"])
    assert summary["parameters"] == "58 in 4 tensors"
    assert summary["inputs"] == "5×4"
    assert float(summary["loss"]) == pytest.approx(value.item(), rel=1e-5)
    assert float(summary["norm of the gradient"]) == pytest.approx(np.linalg.norm(norms), rel=1e-3)


def test_histograms(model: nn.Sequential, batch: tuple[ad.Tensor, ad.Tensor], target: Path) -> None:
    _, data = page_of(report(model, batch, nn.CrossEntropyLoss(), path=target))
    found = {one["title"]: one for one in data["layers"][1]["histograms"]}
    assert list(found) == [
        "output", "gradient of the output", "0.weight", "gradient of 0.weight", "0.bias", "gradient of 0.bias",
    ]  # fmt: skip
    weight = model[0].weight.detach().numpy()
    assert sum(found["0.weight"]["counts"]) == weight.size
    assert found["0.weight"]["low"] == pytest.approx(weight.min(), rel=1e-5)
    assert found["0.weight"]["counts"] == np.histogram(weight.astype(float), 40)[0].tolist()


def test_the_graph(model: nn.Sequential, batch: tuple[ad.Tensor, ad.Tensor], target: Path) -> None:
    _, data = page_of(report(model, batch, nn.CrossEntropyLoss(), path=target))
    graph = [(node["name"], node["module"], node["parents"], node["parameters"]) for node in data["graph"]]
    assert graph == [
        ("input", -1, [], []),
        ("linear", 1, [0], ["weight", "bias"]),
        ("relu", 2, [1], []),
        ("linear", 3, [2], ["weight", "bias"]),
        ("cross_entropy", -1, [3], []),
        ("loss", -1, [4], []),
    ]


def test_calls_of_one_module_are_one_part_of_the_graph(target: Path) -> None:
    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.step = nn.Linear(3, 3)

        def forward(self, x: ad.Tensor) -> ad.Tensor:
            for _ in range(10):
                x = self.step(x).tanh()
            return x

    _, data = page_of(report(Loop(), ad.ones(1, 3), path=target))
    assert data["layers"][1]["calls"] == 10
    linear = [node for node in data["graph"] if node["name"] == "linear"]
    assert [(node["times"], node["module"]) for node in linear] == [(10, 1)]
    assert sum(node["times"] for node in data["graph"] if node["name"] == "tanh") == 10


def test_a_step_of_the_optimizer(model: nn.Sequential, batch: tuple[ad.Tensor, ad.Tensor], target: Path) -> None:
    optimizer = optim.SGD([model[0].weight, model[2].weight, model[2].bias], lr=0.5)
    _, data = page_of(report(model, batch, nn.CrossEntropyLoss(), optimizer, path=target))
    assert any("0.bias" in finding for finding in data["findings"])
    weights = {name: p.numpy().copy() for name, p in model.state_dict().items()}
    nn.CrossEntropyLoss()(model(batch[0]), batch[1]).backward()
    optimizer.step()
    moved = [np.linalg.norm(p.numpy() - weights[name]) for name, p in model.state_dict().items() if name[0] == "2"]
    sizes = [np.linalg.norm(weights[name]) for name in weights if name[0] == "2"]
    assert data["layers"][3]["update"] == pytest.approx(np.hypot(*moved) / np.hypot(*sizes), rel=1e-4)
    assert data["layers"][2]["update"] is None


@pytest.mark.parametrize("optimizer", [optim.SGD, optim.Adam, optim.LBFGS])
def test_nothing_changes(optimizer: Any, target: Path) -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(), nn.Linear(4, 2))
    steps = optimizer(model.parameters(), lr=0.1)
    schedule = optim.lr_scheduler.StepLR(steps, 2)
    before = {name: x.numpy().copy() for name, x in model.state_dict().items()}
    random_state = ad.get_rng_state().numpy().copy()
    x = ad.ones(3, 4, requires_grad=True)
    report(model, (x, ad.tensor([0, 1, 1])), nn.CrossEntropyLoss(), steps, path=target)
    assert x.grad is None
    assert all(np.array_equal(before[name], x.numpy()) for name, x in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert np.array_equal(random_state, ad.get_rng_state().numpy())
    assert not steps.state
    assert (schedule.last_epoch, model[0]._call_hooks) == (0, None)


def test_what_is_not_finite_is_a_word(target: Path) -> None:
    model = nn.Linear(2, 1)
    with ad.no_grad():
        model.weight.fill_(float("inf"))
    _, data = page_of(report(model, ad.ones(1, 2), history={"loss": [1.0, float("nan")]}, path=target))
    assert data["layers"][0]["mean"] == "inf"
    assert data["curves"][0]["series"][0]["values"] == [1.0, "nan"]
    assert "2 not finite" in data["layers"][0]["histograms"][2]["about"]


def test_names_are_escaped(target: Path) -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_module('</script><b>&"', nn.Linear(2, 2))
            self.register_parameter("{{data}}", nn.Parameter(ad.ones(2)))

        def forward(self, x: ad.Tensor) -> ad.Tensor:
            return self._modules['</script><b>&"'](x) * self._parameters["{{data}}"]

    Odd.__name__ = "<Odd & Co>"
    text = report(Odd(), ad.ones(1, 2), path=target).read_text(encoding="utf-8")
    _, data = page_of(target)
    assert data["layers"][1]["name"] == '</script><b>&"'
    assert data["layers"][0]["names"] == ["{{data}}"]
    assert "<title>&lt;Odd &amp; Co&gt;</title>" in text
    assert text.count("</script>") == 2


def test_outputs_of_every_form(target: Path) -> None:
    class Several(nn.Module):
        def forward(self, x: ad.Tensor, *, scale: float = 2.0) -> Any:
            return {"values": x * scale, "index": x.argmax(), "more": [x.sum()]}

    _, data = page_of(report(Several(), (ad.ones(3),), path=target))
    assert [node["name"] for node in data["graph"] if node["end"]] == ["input", "output", "output 2"]
    _, data = page_of(report(nn.LSTM(3, 4), ad.ones(5, 1, 3), path=target))
    assert data["layers"][0]["shape"] == "5×1×4"
    _, data = page_of(report(nn.Embedding(5, 2), ad.tensor([1, 2]), path=target))
    assert data["layers"][0]["shape"] == "2×2"


def test_a_history_of_epochs_and_steps(model: nn.Sequential, target: Path) -> None:
    class History(dict[str, list[float]]):
        steps: dict[str, list[float]]

    given = History(loss=[1.0, 0.5], dev_loss=[1.1, 0.9])
    given.steps = {"lr": [0.1] * 1000}
    _, data = page_of(report(model, ad.ones(1, 4), history=given, path=target))
    titles = [(chart["title"], [one["name"] for one in chart["series"]]) for chart in data["curves"]]
    assert titles == [("loss", ["loss", "dev_loss"]), ("lr by step", ["lr"])]
    steps = data["curves"][1]["series"][0]
    assert len(steps["values"]) * steps["every"] >= 1000
    assert len(steps["values"]) <= 400
    rows = [{"loss": 1.0}, {"loss": 0.5, "accuracy": 0.9}]
    _, data = page_of(report(model, ad.ones(1, 4), history=rows, path=target))
    assert data["curves"][1]["series"][0]["values"] == [None, 0.9]


def test_wrong_arguments(model: nn.Sequential, target: Path) -> None:
    with pytest.raises(TypeError, match="report expected a module, got function"):
        report(lambda x: x, ad.ones(1, 4), path=target)
    with pytest.raises(TypeError, match=r"expected a batch \(input, target\), got Tensor"):
        report(model, ad.ones(1, 4), nn.MSELoss(), path=target)
    with pytest.raises(TypeError, match="expected a history of lists of numbers by name"):
        report(model, ad.ones(1, 4), history=[1.0, 2.0], path=target)
    with pytest.raises(TypeError, match="whose output requires grad"):
        report(nn.Sequential(), ad.tensor([1, 2]), path=target)
    assert not target.exists()

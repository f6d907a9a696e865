"""`profile`: what it counts, that it changes no number, and that nothing of it stays behind."""

import json
import re
import threading
from collections.abc import Callable
from pathlib import Path
from time import sleep
from xml.etree import ElementTree

import numpy as np
import pytest

import autodiff as ad
import nn
import optim
from autodiff.graph import Node
from autodiff.inspect import profile
from autodiff.inspect.profile_table import Row
from autodiff.op import OPS

SVG = "{http://www.w3.org/2000/svg}"


def rows(found: list[Row]) -> dict[str, Row]:
    return {row.name: row for row in found}


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(8, 8)

    def forward(self, x: ad.Tensor) -> ad.Tensor:
        return self.inner(x).tanh()


@pytest.fixture
def model() -> nn.Sequential:
    ad.manual_seed(0)
    return nn.Sequential(Block(), Block(), nn.Linear(8, 2))


def test_calls_and_bytes_of_ops() -> None:
    x = ad.ones(100, requires_grad=True)
    with profile() as p:
        for _ in range(3):
            x.exp().reshape(10, 10).sum().backward()
    found = rows(p.ops)
    assert {name: row.calls for name, row in found.items()} == {"exp": 3, "reshape": 3, "sum": 3}
    # The gradient of exp is an array of its own, that of the view is none, that of sum is broadcast later.
    assert found["exp"].made == 3 * (400 + 400)
    assert found["exp"].saved == 3 * 400
    assert found["reshape"].made == found["reshape"].saved == 0
    assert all(row.forward > 0 and row.backward > 0 for row in found.values())


def test_a_saved_array_counts_once_and_parameters_do_not() -> None:
    w = ad.ones(10, 10, requires_grad=True)
    x = ad.ones(10, 10)
    with profile() as p:
        y = (x @ w).exp()
        y.log(), y.sqrt()
    found = rows(p.ops)
    assert found["matmul"].saved == x.array.nbytes
    assert found["exp"].saved == y.array.nbytes
    assert found["log"].saved == 0
    assert found["sqrt"].saved == y.array.nbytes


@pytest.mark.parametrize("name", ["exp", "add", "where", "cat", "reshape"])
def test_every_arity_of_recorder_is_seen(name: str) -> None:
    x = ad.ones(2, 2, requires_grad=True)
    calls: dict[str, Callable[[], ad.Tensor]] = {
        "exp": lambda: x.exp(),
        "add": lambda: x + 1.0,
        "where": lambda: ad.where(x > 0, x, 0.0),
        "cat": lambda: ad.cat([x, x]),
        "reshape": lambda: x.reshape(4),
    }
    with profile() as p:
        calls[name]().sum().backward()
    row = rows(p.ops)[name]
    assert (row.calls, row.forward > 0, row.backward > 0) == (1, True, True)


@pytest.mark.parametrize("name", [name for name, op in OPS.items() if ">>> ad." in (op.record.__doc__ or "")])
def test_every_op_is_seen(name: str) -> None:
    example = re.search(">>> (ad.*)\n", OPS[name].record.__doc__ or "")
    assert example
    with profile() as p:
        eval(example[1], {"ad": ad})
    assert name in rows(p.ops)


def test_modules_hold_what_they_call(model: nn.Sequential) -> None:
    with profile() as p:
        nn.MSELoss()(model(ad.ones(4, 8)), ad.zeros(4, 2)).backward()
    found = rows(p.modules)
    names = [
        "Sequential", "Sequential.0", "Sequential.0.inner", "Sequential.1", "Sequential.1.inner", "Sequential.2",
        "MSELoss", "outside of modules",
    ]  # fmt: skip
    assert list(found) == names
    assert [found[name].calls for name in names] == [1] * 7 + [0]
    parts = [found[f"Sequential.{i}"] for i in range(3)]
    whole = found["Sequential"]
    assert whole.backward == pytest.approx(sum(part.backward for part in parts))
    assert whole.forward >= sum(part.forward for part in parts)
    assert whole.made == sum(part.made for part in parts)
    assert whole.saved == sum(part.saved for part in parts)
    assert found["Sequential.0.inner"].backward < found["Sequential.0"].backward


def test_time_goes_to_the_op_that_takes_it() -> None:
    class Slow(ad.Function):
        @staticmethod
        def forward(ctx: object, x: ad.Tensor) -> ad.Tensor:
            return x * 2

        @staticmethod
        def backward(ctx: object, g: ad.Tensor) -> ad.Tensor:
            sleep(0.02)
            return g * 2

    class Layer(nn.Module):
        def forward(self, x: ad.Tensor) -> ad.Tensor:
            sleep(0.02)
            return Slow.apply(x)

    x = ad.ones(2, requires_grad=True)
    with profile() as p:
        (Layer()(x) + 1).sum().backward()
    layer = rows(p.modules)["Layer"]
    assert layer.forward > 0.02
    assert layer.backward > 0.02
    assert rows(p.ops)["Slow"].backward > 0.02
    assert rows(p.ops)["add"].seconds < 0.02
    assert sum(row.seconds for row in p.ops) < p.seconds


def test_no_number_changes(model: nn.Sequential) -> None:
    x = ad.randn(4, 8)

    def gradients() -> list[np.ndarray]:
        model.zero_grad()
        loss = model(x).square().mean()
        # Writes in place, pieces of a tensor, and a gradient of a gradient.
        leaf = x.clone().requires_grad_()
        y = leaf * 1.0
        y.sin_()
        y[0] = 0.0
        (slope,) = ad.grad(loss, model[0].inner.weight, create_graph=True)
        (loss + slope.square().sum() + y.split(2)[0].sum() + y.sum()).backward()
        return [p.grad.numpy() for p in [leaf, *model.parameters()]]

    plain = gradients()
    with profile() as p:
        profiled = gradients()
    assert all(np.array_equal(a, b) for a, b in zip(plain, profiled, strict=True))
    assert p.ops


def test_a_graph_recorded_inside_outlives_the_profile() -> None:
    x = ad.ones(3, requires_grad=True)
    with profile() as p:
        y = (x * 3).sum()
    seen = len(p.events)
    y.backward()
    assert x.grad.tolist() == [3.0, 3.0, 3.0]
    assert len(p.events) == seen


def test_nothing_stays_behind_even_after_an_error(model: nn.Sequential) -> None:
    def state() -> list[object]:
        return [Node.__dict__["params"], nn.Module.__call__, OPS["exp"].record.__closure__[0].cell_contents]

    before = state()
    with pytest.raises(RuntimeError, match="Linear"), profile() as p:
        model(ad.ones(4, 9))
    assert state() == before
    assert rows(p.modules)["Sequential"].calls == 1


def test_one_profile_at_a_time() -> None:
    with profile() as p, pytest.raises(RuntimeError, match="a profile is on already"):
        profile().__enter__()
    ad.ones(1).exp()
    with profile() as p:
        ad.ones(1).exp()
    with pytest.raises(RuntimeError, match="has been used"):
        p.__enter__()


def test_threads_are_told_apart(model: nn.Sequential) -> None:
    def work() -> None:
        for _ in range(5):
            model(ad.ones(4, 8)).sum()

    with profile() as p:
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert rows(p.modules)["Sequential"].calls == 15
    assert rows(p.modules)["Sequential.0.inner"].calls == 15
    assert rows(p.ops)["linear"].calls == 45


def test_inside_vmap_and_checkpoint(model: nn.Sequential) -> None:
    x = ad.randn(4, 8)
    with profile() as p:
        ad.vmap(lambda row: model(row).sum())(x)
        ad.checkpoint(model, x.requires_grad_()).sum().backward()
    assert rows(p.ops)["tanh"].calls >= 4
    # Run again in the backward pass, under the path that it had before.
    assert rows(p.modules)["Sequential.0"].calls >= 3
    assert "Block" not in rows(p.modules)


def test_models_of_one_class_have_names_of_their_own() -> None:
    with profile() as p:
        first, second = nn.Linear(2, 2), nn.Linear(2, 2)
        second(first(ad.ones(1, 2)))
        first(ad.ones(1, 2))
    found = rows(p.modules)
    assert (found["Linear"].calls, found["Linear 2"].calls) == (2, 1)


def test_the_printed_tables(model: nn.Sequential) -> None:
    with profile() as p:
        model(ad.ones(4, 8)).sum().backward()
    text = str(p)
    assert [line.split()[0] for line in text.splitlines() if line.startswith(("op ", "module "))] == ["op", "module"]
    assert "\n    inner " in text
    assert " in all: " in text
    short = p.table("module", limit=2)
    assert [line.split()[0] for line in short.splitlines()] == ["module", "Sequential", "outside", "..."]
    assert 'table("module", limit=7)' in short
    everything = p.table("module", limit=7).splitlines()
    assert len(everything) == 8
    assert len({len(line) for line in everything}) == 1
    with pytest.raises(ValueError, match='expected by="op" or by="module"'):
        p.table("layer")


def test_the_flame_picture(model: nn.Sequential, tmp_path: Path) -> None:
    model.add_module("<&>", nn.ReLU())
    with profile() as p:
        model(ad.ones(4, 8)).sum().backward()
    picture = p.export_flame(tmp_path / "flame.svg")
    root = ElementTree.parse(picture).getroot()
    titles = [element.text or "" for element in root.iter(f"{SVG}title")]
    assert titles[0].startswith("all: ")
    assert any(title.startswith("<&>: ") for title in titles)
    background, *drawn = root.iter(f"{SVG}rect")
    assert background.get("width") == "100%"
    bars = [[float(bar.get(key, "")) for key in ("x", "y", "width")] for bar in drawn]
    for x, y, width in bars[1:]:
        assert any(
            above == y - 20 and left <= x + 0.02 and x + width <= left + wide + 0.02 for left, above, wide in bars
        )
    merged = p.export_flame(tmp_path / "merged.svg", merge=True).read_text(encoding="utf-8")
    assert "<title>*: " in merged
    with pytest.raises(ValueError, match=r"ends in \.svg"):
        p.export_flame(tmp_path / "flame.png")


def test_an_empty_profile_is_shown_too(tmp_path: Path) -> None:
    with profile() as p:
        pass
    assert "in all" in str(p)
    ElementTree.parse(p.export_flame(tmp_path / "flame.svg"))


def test_the_trace(model: nn.Sequential, tmp_path: Path) -> None:
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    with profile() as p:
        model(ad.ones(4, 8)).sum().backward()
        optimizer.step()
    trace = json.loads(p.export_chrome_trace(tmp_path / "trace.json").read_text(encoding="utf-8"))["traceEvents"]
    assert len(trace) == len(p.events)
    inner = next(e for e in trace if e["cat"] == "module" and e["args"]["module"] == "Sequential.0.inner")
    outer = next(e for e in trace if e["cat"] == "module" and e["args"]["module"] == "Sequential.0")
    assert outer["ts"] <= inner["ts"]
    assert inner["ts"] + inner["dur"] <= outer["ts"] + outer["dur"]
    assert {e["args"]["backward"] for e in trace} == {True, False}

"""The page of `report` in Debian's Chromium: `apt-get install chromium`, then `make test-system`.

A test is a script that is put at the end of a page: it clicks where a reader would and writes down what it saw.
"""

import json
import re
import subprocess
from html import unescape
from pathlib import Path
from shutil import which
from typing import Any

import pytest

import autodiff as ad
import nn
import optim
from autodiff.inspect import report

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1400,1600",
]  # fmt: skip
TOOLS = """
const box = (name) => document.querySelector(`#graph [data-name="${CSS.escape(name)}"]`);
const press = (element) => {
  // What lies on top at its title is what a reader hits.
  element.scrollIntoView({ block: "center" });
  const shape = element.querySelector("text") ?? element, area = shape.getBoundingClientRect();
  const hit = document.elementFromPoint(area.x + area.width / 2, area.y + area.height / 2);
  if (!element.contains(hit)) throw new Error(`${element.outerHTML.slice(0, 99)} is covered by ${hit?.outerHTML}`);
  hit.dispatchEvent(new MouseEvent("click", { bubbles: true }));
};
const type = (text) => {
  document.getElementById("search").value = text;
  document.getElementById("search").dispatchEvent(new Event("input"));
};
const names = () => [...document.querySelectorAll("#graph [data-name]")].map((group) => group.dataset.name);
const listed = () =>
  [...document.querySelectorAll("tr.layer")].filter((row) => !row.hidden).map((row) => row.cells[0].textContent);
const texts = () => [...document.querySelectorAll("#graph text")].map((text) => text.textContent);
"""


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.norm = nn.LayerNorm(16)
        self.wide = nn.Linear(16, 32)
        self.back = nn.Linear(32, 16)

    def forward(self, x: ad.Tensor) -> ad.Tensor:
        x = x + self.attention(x, x, x)[0]
        return x + self.back(self.wide(self.norm(x)).relu())


class Transformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 16)
        self.layers = nn.ModuleList([Block() for _ in range(12)])
        self.head = nn.Linear(16, 20)

    def forward(self, x: ad.Tensor) -> ad.Tensor:
        x = self.embed(x)
        for layer in self.layers:
            x = layer(x)
        return self.head(x)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(4, 8)

    def forward(self, x: ad.Tensor) -> ad.Tensor:
        state = None
        for i in range(x.shape[1]):
            state = self.cell(x[:, i], state)
        assert state is not None
        return state[0]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    ad.manual_seed(0)
    transformer, tokens = Transformer(), ad.randint(0, 20, (2, 6))
    plain = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    odd = nn.Sequential(nn.Linear(4, 4))
    odd.register_module("<img src=x onerror=alert(1)>", nn.ReLU())
    odd[0].register_parameter('</script>"&', odd[0].bias)
    history = {"loss": [1.0, 0.5, float("nan"), 0.2], "val_loss": [1.0, 0.7, 0.6, 0.6], "</script>": [1.0]}
    return {
        "transformer": report(
            transformer, (tokens, tokens), lambda y, t: nn.CrossEntropyLoss()(y.flatten(0, 1), t.flatten()),
            optim.Adam(transformer.parameters()), path=folder / "transformer.html",
        ),
        "plain": report(plain, ad.randn(3, 4), path=folder / "plain.html"),
        "recurrent": report(Recurrent(), ad.randn(3, 40, 4), path=folder / "recurrent.html"),
        "long": report(nn.Sequential(*[nn.Linear(2, 2) for _ in range(200)]), ad.ones(1, 2), path=folder / "long.html"),
        "odd": report(odd, ad.randn(3, 4), history=history, path=folder / "odd.html"),
    }  # fmt: skip


def seen(page: Path, script: str, tmp_path: Path, *flags: str) -> Any:
    """What `script` returns at the end of the page, with the errors that were raised on the way."""
    assert which("chromium"), "there is no program `chromium` on PATH: apt-get install chromium"
    text = page.read_text(encoding="utf-8")
    assert text.count("<head>") == text.count("</body>") == 1
    listener = '<script>const errors = []; addEventListener("error", (event) => errors.push(event.message));</script>'
    text = text.replace("<head>", f"<head>{listener}")
    watched = f"try {{ result = (() => {{ {script} }})(); }} catch (error) {{ errors.push(`${{error}}`); }}"
    written = 'document.body.append(make("pre", { id: "seen" }, JSON.stringify([errors, result ?? null])));'
    text = text.replace("</body>", f"<script>{TOOLS} let result; {watched} {written}</script></body>")
    changed = tmp_path / "page.html"
    changed.write_text(text, encoding="utf-8")
    command = ["chromium", *FLAGS, *flags, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", changed.as_uri()]
    dumped = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    found = re.search(r'<pre id="seen">(.*?)</pre>', dumped, re.DOTALL)
    assert found, dumped[-2000:]
    errors, result = json.loads(unescape(found[1]))
    assert errors == []
    return result


def test_modules_open_and_fold_by_a_click(pages: dict[str, Path], tmp_path: Path) -> None:
    script = """
        const steps = [names()];
        press(box("layers.3")); steps.push(names());
        press(box("layers.3.attention")); steps.push(texts());
        press(box("layers.3")); steps.push(names());
        box("layers.0").dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
        steps.push(names());
        press(document.getElementById("fold")); steps.push(names());
        return steps;
    """
    first, opened, inner, folded, by_key, all_folded = seen(pages["transformer"], script, tmp_path)
    assert first == ["", "embed", *[f"layers.{i}" for i in range(12)], "head"]
    inside = [f"layers.3.{name}" for name in ("attention", "norm", "wide", "back")]
    assert sorted(opened) == sorted([*first, *inside])
    assert "attention_weights" in inner
    assert folded == first
    assert "layers.0.wide" in by_key
    assert "layers.3.wide" not in by_key
    assert all_folded == first


def test_searching(pages: dict[str, Path], tmp_path: Path) -> None:
    script = """
        const before = names();
        type("NORM");
        const during = [names(), listed(), document.getElementById("found").textContent,
          [...document.querySelectorAll("#graph g.match")].length];
        type("no such thing");
        const nothing = [listed().length, document.getElementById("found").textContent];
        type("");
        return [before, during, nothing, names(), listed().length];
    """
    before, (opened, rows, found, marked), nothing, after, count = seen(pages["transformer"], script, tmp_path)
    norms = [f"layers.{i}.norm" for i in range(12)]
    assert set(norms) <= set(opened)
    assert rows == norms
    # The modules; their operation is called standardize.
    assert marked == 12
    assert found == "12 in the graph, 12 layers"
    assert nothing == [0, "0 in the graph, 0 layers"]
    assert after == before
    assert count == 3 + 12 * 5


def test_sorting(pages: dict[str, Path], tmp_path: Path) -> None:
    script = """
        const press_heading = (key) => press(document.querySelector(`th[data-key=${key}] button`));
        const steps = [listed()];
        for (let i = 0; i < 3; i++) { press_heading("parameters"); steps.push(listed()); }
        press_heading("kind"); press_heading("kind"); steps.push(listed());
        return steps;
    """
    page = pages["plain"]
    original, descending, ascending, again, by_kind = seen(page, script, tmp_path)
    assert original == ["(the model)", "0", "1", "2"]
    assert descending == ["(the model)", "0", "2", "1"]
    assert ascending == ["1", "2", "0", "(the model)"]
    assert again == original
    assert by_kind == ["0", "2", "1", "(the model)"]


def test_histograms_of_a_layer(pages: dict[str, Path], tmp_path: Path) -> None:
    script = """
        press(document.querySelectorAll("tr.layer")[1].cells[0]);
        const figures = [...document.querySelectorAll("tr.detail figure")].map(
          (figure) => [figure.querySelector("b").textContent, figure.querySelectorAll(".bar").length]);
        press(document.querySelectorAll("tr.layer")[1].cells[0]);
        return [figures, document.querySelectorAll("tr.detail").length];
    """
    figures, left = seen(pages["plain"], script, tmp_path)
    wanted = ["output", "gradient of the output", "0.weight", "gradient of 0.weight", "0.bias", "gradient of 0.bias"]
    assert [title for title, _ in figures] == wanted
    assert all(bars > 1 for _, bars in figures)
    assert left == 0


def test_colours(pages: dict[str, Path], tmp_path: Path) -> None:
    script = """
        const select = document.getElementById("colour"), counts = {};
        for (const option of select.options) {
          select.value = option.value;
          select.dispatchEvent(new Event("change"));
          counts[option.value] = document.querySelectorAll("#graph rect[fill-opacity]").length;
        }
        return counts;
    """
    counts = seen(pages["transformer"], script, tmp_path)
    assert counts == {"": 0, "seconds": 14, "saved": 13, "gradient": 14, "parameters": 14}


@pytest.mark.parametrize("name", ["transformer", "plain", "recurrent", "odd"])
def test_boxes_stand_beside_or_inside_each_other_and_hold_their_text(
    name: str, pages: dict[str, Path], tmp_path: Path
) -> None:
    script = """
        modules.slice(0, 6).forEach((item) => { item.open = true; });
        modules.filter((item) => item.layer.name.startsWith("layers.1")).forEach((item) => { item.open = true; });
        show();
        const groups = [...document.querySelectorAll("#graph g")].filter((group) => group.querySelector(".box"));
        const inside = (a, b) =>
          a.x >= b.x && a.y >= b.y && a.x + a.width <= b.x + b.width && a.y + a.height <= b.y + b.height;
        const before = (a, b) => a.x + a.width <= b.x || a.y + a.height <= b.y;
        const apart = (a, b) => before(a, b) || before(b, a);
        const rects = groups.map((group) => group.querySelector(".box").getBBox());
        const wrong = [];
        rects.forEach((a, i) => rects.forEach((b, k) => {
          if (i < k && !apart(a, b) && !inside(a, b) && !inside(b, a)) wrong.push([i, k]);
        }));
        groups.forEach((group, i) => {
          for (const text of group.querySelectorAll("text")) {
            if (!inside(text.getBBox(), rects[i])) wrong.push(text.textContent);
          }
        });
        const right = document.querySelector("#graph svg").width.baseVal.value;
        return [rects.length, wrong, rects.every((rect) => rect.x >= 0 && rect.x + rect.width <= right)];
    """
    count, wrong, within = seen(pages[name], script, tmp_path)
    assert count >= 4
    assert wrong == []
    assert within


def test_what_a_loop_repeats_stands_once(pages: dict[str, Path], tmp_path: Path) -> None:
    found = seen(pages["recurrent"], "return texts();", tmp_path)
    assert "lstm ×39" in found
    assert len(found) < 50


def test_of_very_many_the_first_the_last_and_those_looked_for_are_drawn(pages: dict[str, Path], tmp_path: Path) -> None:
    script = 'const before = [names(), texts()]; type("130"); return [...before, names()];'
    before, texts, after = seen(pages["long"], script, tmp_path)
    assert before == ["", *map(str, range(100)), *map(str, range(150, 200))]
    assert "50 more, between these, are not drawn" in texts
    assert set(after) - set(before) == {"130"}


def test_names_are_text_and_nothing_more(pages: dict[str, Path], tmp_path: Path) -> None:
    script = """
        press(document.querySelectorAll("tr.layer")[1].cells[0]);
        return [document.images.length, names(), listed(), document.getElementById("curves").textContent,
          document.querySelector("tr.detail").textContent];
    """
    images, boxes, rows, curves, details = seen(pages["odd"], script, tmp_path)
    assert images == 0
    assert "<img src=x onerror=alert(1)>" in boxes
    assert "<img src=x onerror=alert(1)>" in rows
    assert "</script>: 1 at the end" in curves
    assert "gradient of 0.bias" in details


def test_it_can_be_read_in_light_and_dark(pages: dict[str, Path], tmp_path: Path) -> None:
    script = """
        const numbers = (text) => text.match(/[0-9.]+/g).map(Number);
        const light = (colour) => {
          const [r, g, b] = (colour.map ? colour : numbers(colour)).map((part) => {
            const c = part / 255;
            return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
          });
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const contrast = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        const style = (query) => getComputedStyle(document.querySelector(query));
        const text = light(style("#graph text").fill), soft = light(style("#graph .soft").fill);
        const card = light(style("section").backgroundColor);
        const grounds = [".module", ".end"].map((kind) => light(style(`#graph ${kind}`).fill));
        document.getElementById("colour").value = "parameters";
        show();
        const hot = style("#graph rect[fill-opacity='0.750']"), cold = numbers(style("#graph .module").fill);
        const small = light(style("#graph .small").fill);
        const measured = grounds.flatMap((ground) => [contrast(text, ground), contrast(soft, ground)]);
        const last = numbers(hot.fill).map((part, i) => 0.75 * part + 0.25 * cold[i]);
        return [card, contrast(small, light(last)), ...measured,
          contrast(light(style("td").color), card), contrast(light(style(".tools").color), card)];
    """
    for flags, dark in ([], False), (["--force-dark-mode"], True):
        # Contrast by WCAG 2: 4.5 is what it asks for.
        card, *contrasts = seen(pages["transformer"], script, tmp_path, *flags)
        assert (card < 0.1) == dark
        assert min(contrasts) >= 4.5


def test_nothing_is_fetched(pages: dict[str, Path], tmp_path: Path) -> None:
    script = 'return performance.getEntriesByType("resource").map((entry) => entry.name);'
    assert seen(pages["transformer"], script, tmp_path) == []

"""Pictures drawn by Debian's Graphviz: `apt-get install graphviz`, then `make test-system`."""

import re
from pathlib import Path
from shutil import which

import pytest

import autodiff as ad
from autodiff.inspect import draw, save


def words_in(picture: Path) -> list[str]:
    return sorted(re.findall(r"<text [^>]*>([^<]*)</text>", picture.read_text(encoding="utf-8")))


def test_the_system_program_draws_what_pygraphviz_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert which("dot"), "there is no program `dot` on PATH: apt-get install graphviz"
    weight = ad.ones(2, 3, requires_grad=True)
    graph = draw(weight.relu().sum(), params={"weight": weight})
    by_the_system = words_in(save(graph, tmp_path / "system.svg"))
    monkeypatch.setenv("PATH", "")
    by_pygraphviz = words_in(save(graph, tmp_path / "pygraphviz.svg"))
    assert by_the_system == by_pygraphviz
    assert {"weight", "relu", "sum"} <= set(by_the_system)

"""Pictures and files: with a program `dot`, with pygraphviz, with graphviz-pure, and with none of them."""

import importlib.util
import os
import shutil
import sys
from pathlib import Path
from sysconfig import get_path
from xml.etree import ElementTree

import graphviz
import pytest

import autodiff as ad
from autodiff import files
from autodiff.inspect import Drawing, RenderError, draw, render, save

needs_pygraphviz = pytest.mark.skipif(
    importlib.util.find_spec("pygraphviz") is None,
    reason="pygraphviz is not installed: pip install 'autodiff-numpy[viz]'",
)
needs_graphviz_pure = pytest.mark.skipif(
    shutil.which("graphviz-pure", path=get_path("scripts")) is None,
    reason="graphviz-pure is not installed: pip install graphviz-pure",
)


@pytest.fixture
def drawing() -> Drawing:
    w = ad.ones(2, 3, requires_grad=True)
    return draw({"loss": (w * 2).sum()}, params={"w": w})


@pytest.fixture
def no_dot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def no_graphviz(no_dot: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    monkeypatch.setattr(render, "get_path", lambda scheme: str(tmp_path / scheme))


def texts(svg: str | bytes) -> list[str]:
    root = ElementTree.fromstring(svg)
    return [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]


@needs_pygraphviz
@pytest.mark.usefixtures("no_dot")
class TestWithPygraphviz:
    def test_svg_shows_names_and_shapes(self, drawing: Drawing) -> None:
        found = [text.strip() for text in texts(drawing.pipe("svg"))]
        assert {"w", "2", "mul", "sum", "loss", "(2, 3)", "()"} <= set(found)

    @pytest.mark.parametrize(
        ("suffix", "start"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF"), ("SVG", b"<?xml")]
    )
    def test_save_takes_the_format_from_the_suffix(
        self, drawing: Drawing, tmp_path: Path, suffix: str, start: bytes
    ) -> None:
        path = save(drawing, tmp_path / f"graph.{suffix}")
        assert path.read_bytes().startswith(start)
        assert os.listdir(tmp_path) == [path.name]

    def test_notebooks_show_it(self, drawing: Drawing) -> None:
        assert list(drawing._repr_mimebundle_()) == ["image/svg+xml"]
        assert "loss" in texts(drawing._repr_mimebundle_()["image/svg+xml"])

    def test_render_as_graphviz_has_it(self, drawing: Drawing, tmp_path: Path) -> None:
        assert drawing.render("one", directory=tmp_path, format="svg") == str(tmp_path / "one.svg")
        assert sorted(os.listdir(tmp_path)) == ["one", "one.svg"]
        assert drawing.render(outfile=tmp_path / "two.png", cleanup=True) == str(tmp_path / "two.png")
        assert sorted(os.listdir(tmp_path)) == ["one", "one.svg", "two.png"]
        with pytest.raises(TypeError, match="renderer"):
            drawing.pipe("svg", renderer="cairo")

    @pytest.mark.parametrize(
        "name",
        [
            "a<b>&c",
            "<b>bold</b>",
            'say "hi"',
            "back\\slash\\n",
            "ends in \\",
            "&amp;",
            "graph",
            "a:b",
            "名前",
            "",
            "a]b; c -> d",
        ],
    )
    def test_any_name_is_shown_as_it_is(self, name: str) -> None:
        w = ad.ones(2, requires_grad=True)
        hidden = w * 2
        shown = texts(draw({name: hidden.sum()}, params={name: w, f"{name}!": hidden}).pipe("svg"))
        assert shown.count(name) == (2 if name else 0)
        assert f"{name}!" in shown

    def test_a_broken_graph_is_an_error(self) -> None:
        with pytest.raises(RenderError, match="Graphviz could not draw svg"):
            render.render("digraph {", "svg")


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for graphviz-pure is a shell script")
@pytest.mark.usefixtures("no_graphviz")
class TestWithGraphvizPure:
    """A stand-in for the program, among the scripts of the environment, which knows no pdf."""

    @pytest.fixture(autouse=True)
    def program(self, tmp_path: Path) -> Path:
        program = tmp_path / "scripts" / "graphviz-pure"
        program.parent.mkdir()
        program.write_text(
            '#!/bin/sh\n[ "$2" = -Tpdf ] && echo "pdf not recognized" >&2 && exit 1\nread line\necho "$@" "$line"\n'
        )
        program.chmod(0o755)
        return program

    def test_it_is_used(self, drawing: Drawing, tmp_path: Path) -> None:
        path = save(drawing, tmp_path / "graph.svg")
        assert path.read_text() == '-Kdot -Tsvg digraph "graph" {\n'

    def test_what_it_cannot_draw_says_what_to_install(self, drawing: Drawing, tmp_path: Path) -> None:
        with pytest.raises(RenderError, match=r"pdf not recognized.*autodiff-numpy\[viz\]"):
            save(drawing, tmp_path / "graph.pdf")
        assert os.listdir(tmp_path) == ["scripts"]


@needs_graphviz_pure
@pytest.mark.usefixtures("no_dot")
def test_graphviz_pure_draws(drawing: Drawing, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    assert {"w", "2", "mul", "sum", "loss", "(2, 3)", "()"} <= {text.strip() for text in texts(drawing.pipe("svg"))}
    assert save(drawing, tmp_path / "graph.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("no_graphviz")
class TestWithoutGraphviz:
    def test_the_error_says_what_to_install(self, drawing: Drawing, tmp_path: Path) -> None:
        for attempt in (
            lambda: drawing.pipe("svg"),
            lambda: save(drawing, tmp_path / "a.svg"),
            lambda: drawing.render("b", directory=tmp_path),
        ):
            with pytest.raises(RenderError, match=r"pip install 'autodiff-numpy\[viz\]'.*graph\.dot"):
                attempt()
        assert os.listdir(tmp_path) == []

    def test_the_text_can_be_saved(self, drawing: Drawing, tmp_path: Path) -> None:
        assert save(drawing, tmp_path / "graph.dot").read_text(encoding="utf-8") == drawing.source

    def test_notebooks_show_the_advice(self, drawing: Drawing) -> None:
        assert "pip install" in drawing._repr_mimebundle_()["text/plain"]


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for `dot` is a shell script, which Windows does not run")
class TestWithDot:
    """A stand-in for the program, which prints its arguments and what it reads."""

    @pytest.fixture(autouse=True)
    def dot(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        program = tmp_path / "programs" / "dot"
        program.parent.mkdir()
        program.write_text('#!/bin/sh\nread line\necho "$@" "$line"\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent))
        monkeypatch.setitem(sys.modules, "pygraphviz", None)
        return program

    def test_it_is_used(self, drawing: Drawing, tmp_path: Path) -> None:
        path = save(drawing, tmp_path / "graph.svg")
        assert path.read_text() == '-Kdot -Tsvg digraph "graph" {\n'
        assert drawing.pipe("svg") == path.read_bytes()
        assert drawing.pipe("png", encoding="utf-8").startswith("-Kdot -Tpng")

    def test_a_failure_leaves_the_old_file(self, drawing: Drawing, tmp_path: Path, dot: Path) -> None:
        path = save(drawing, tmp_path / "graph.svg")
        before = path.read_bytes()
        dot.write_text('#!/bin/sh\necho "out of paper" >&2\nexit 1\n')
        with pytest.raises(RenderError, match="Graphviz could not draw svg: out of paper"):
            save(drawing, path)
        assert path.read_bytes() == before


def test_half_written_files_never_appear(tmp_path: Path) -> None:
    path = tmp_path / "graph.svg"
    path.write_text("old")

    def fail_halfway() -> None:
        with files.written(path) as file:
            file.write(b"ne")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail_halfway()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["graph.svg"]


@pytest.mark.parametrize(("name", "message"), [("graph", "suffix such as .svg"), ("graph.xyz", "got 'xyz'")])
def test_unknown_formats(drawing: Drawing, tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(RenderError, match=message):
        save(drawing, tmp_path / name)


def test_it_is_a_digraph_that_can_be_extended(drawing: Drawing) -> None:
    assert isinstance(drawing, graphviz.Digraph)
    copy = drawing.copy()
    assert copy.source == drawing.source
    copy.node("extra")
    assert "extra" in copy.source
    assert "extra" not in drawing.source

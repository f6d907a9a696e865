"""docs/pictures.md shows what its code draws; ``python -m tests.inspect.test_pictures_page`` draws it again."""

import doctest
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from autodiff.inspect import Drawing, render, save

PAGE = Path(__file__).parents[2] / "docs" / "pictures.md"


def images() -> list[Path]:
    return [PAGE.parent / name for name in re.findall(r"\]\((images/\w+\.svg)\)", PAGE.read_text(encoding="utf-8"))]


def drawn() -> dict[str, Any]:
    """What the variables of the page's code hold; each picture has the name of its file."""
    variables: dict[str, Any] = {}
    for example in doctest.DocTestParser().get_examples(PAGE.read_text(encoding="utf-8")):
        exec(compile(example.source, str(PAGE), "single"), variables)
    return variables


def words(svg: str) -> list[str]:
    """The texts without those that are numbers, whose last digit may be another elsewhere."""
    texts = (unescape(text).strip() for text in re.findall(r"<text [^>]*>([^<]*)</text>", svg))
    return sorted(text for text in texts if not re.fullmatch(r"[\d.e+-]+", text))


@pytest.mark.skipif(not render.available(), reason="there is no Graphviz: pip install 'autodiff-numpy[viz]'")
def test_the_page_shows_what_its_code_draws() -> None:
    variables = drawn()
    assert len(images()) == 5
    for image in images():
        picture = variables[image.stem]
        assert isinstance(picture, Drawing)
        assert words(image.read_text(encoding="utf-8")) == words(render.render(picture.source, "svg").decode())


if __name__ == "__main__":
    pictures = drawn()
    for image in images():
        save(pictures[image.stem], image)

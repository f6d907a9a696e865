"""Tables and pictures of errors against counting by hand."""

import sys
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
from autodiff.training import (
    confusion,
    draw_confusion,
    draw_learning_curve,
    draw_worst_examples,
    error_table,
    learning_curve,
    worst_examples,
)

kinds = st.sampled_from(["dog", "great cat", "blurred", "mislabelled"])


@given(st.lists(st.lists(kinds, max_size=3), min_size=1, max_size=30), st.floats(0, 1))
def test_shares_and_ceilings_are_those_of_the_counts(tags: list[list[str]], error: float) -> None:
    table = error_table(tags, error)
    assert table.examined == len(tags)
    for row in table.categories:
        assert row.count == sum(row.name in one for one in tags)
        assert row.share == row.count / len(tags)
        assert row.ceiling == pytest.approx(error - error * row.share)
    assert {row.name for row in table.categories} == {name for one in tags for name in one}
    assert [row.count for row in table.categories] == sorted((row.count for row in table.categories), reverse=True)
    assert ("mend" in str(table)) == any("mislabelled" in one for one in tags)


def test_the_course_s_dogs_are_worth_half_a_percent() -> None:
    table = error_table(["dog"] * 5 + ["other"] * 95, error=0.10)
    assert "dog            5    5.0 %  9.50 % (-0.50 %)" in str(table)
    assert error_table(["dog"] * 50 + ["other"] * 50, error=0.10).categories[0].ceiling == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("tags", "error", "message"),
    [([], 0.1, "look at a hundred"), (["dog"], 8, r"8 % is 0\.08"), (["dog"], np.nan, "fraction")],
)
def test_tables_of_nothing_are_refused(tags: list[str], error: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        error_table(tags, error)


@given(st.integers(0, 2**32))
def test_the_worst_examples_are_the_wrong_ones_by_the_probability_of_their_label(seed: int) -> None:
    generator = ad.Generator().manual_seed(seed)
    scores, labels = ad.randn(20, 3, generator=generator), ad.randint(0, 3, (20,), generator=generator)
    places = worst_examples(scores, labels)
    wrong = (scores.argmax(1) != labels).nonzero()[:, 0]
    assert sorted(places.tolist()) == wrong.tolist()
    given_to_label = scores.softmax(1)[ad.arange(20), labels][places]
    assert (given_to_label.diff() >= -1e-6).all()
    assert worst_examples(scores, labels, 2).tolist() == places[:2].tolist()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1))
def test_confusion_counts_labels_in_rows_and_answers_in_columns(pairs: list[tuple[int, int]]) -> None:
    answers, labels = zip(*pairs, strict=True)
    counts = confusion(list(answers), ad.tensor(labels), classes=5)
    expected = np.zeros((5, 5), int)
    np.add.at(expected, (np.array(labels), np.array(answers)), 1)
    assert counts.tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("answers", "labels", "classes", "message"),
    [
        ([0, 1], [0, 1, 1], None, r"got the shapes \(2,\) and \(3,\)"),
        (np.zeros((2, 3)), [0, 1], None, r"of scores take argmax\(1\)"),
        ([], [], None, "an answer for each label"),
        ([0.5, 1.0], [0, 1], None, "whole numbers from 0 on, got float64"),
        ([-1, 0], [0, 1], None, "whole numbers from 0 on"),
        ([0, 3], [0, 1], 3, "classes below 3, got 3"),
    ],
)
def test_what_is_no_answer_is_refused(answers: Any, labels: Any, classes: int | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        confusion(answers, labels, classes)


def texts(figure: Any) -> str:
    """All that is written in a figure, which must also be possible to save."""
    figure.savefig(BytesIO(), format="png")
    panels = [text.get_text() for panel in figure.axes for text in (panel.title, *panel.texts)]
    return "\n".join([figure.get_suptitle(), *panels])


@pytest.mark.parametrize("shape", [(3, 8, 8), (3, 1, 8, 8), (3, 3, 8, 8)])
def test_the_worst_images_are_drawn_with_answer_label_and_probability(shape: tuple[int, ...]) -> None:
    scores = ad.tensor([[2.0, 0.0], [9.0, 0.0], [0.0, 5.0]], requires_grad=True)
    figure = draw_worst_examples(ad.rand(*shape), scores, ad.tensor([1, 0, 0]), count=1, names=["cat", "dog"])
    assert "1 of 2 errors" in texts(figure)
    assert "dog\nnot cat (0.007)" in texts(figure)
    drawn = [panel.images[0].get_array() for panel in figure.axes if panel.images]
    assert len(drawn) == 1
    assert drawn[0].shape[:2] == (8, 8)
    assert "0 of 0 errors" in texts(draw_worst_examples(ad.rand(*shape), scores, ad.tensor([0, 0, 1])))
    with pytest.raises(ValueError, match="an image for each of 3 labels, got 2"):
        draw_worst_examples(ad.rand(*shape)[:2], scores, ad.tensor([0, 0, 1]))
    with pytest.raises(ValueError, match=r"scores \(n, classes\) and labels \(n,\), got \(3, 2\) and \(2,\)"):
        worst_examples(scores, ad.tensor([0, 1]))


def test_a_confusion_matrix_is_drawn_with_its_numbers() -> None:
    written = texts(draw_confusion(np.array([[7, 1], [0, 0]]), ["cat", "dog"]))
    assert written.splitlines()[1:] == ["87.5 % right", "7", "1"]
    for counts, names in ((np.zeros((2, 3)), None), (np.zeros((2, 2)), ["cat"])):
        with pytest.raises(ValueError, match="a square matrix and a name for each class"):
            draw_confusion(counts, names)


def test_a_learning_curve_trains_on_growing_sets() -> None:
    seen: list[set[int]] = []

    def measure(places: np.ndarray) -> tuple[float, ad.Tensor]:
        seen.append(set(places.tolist()))
        return 0.01 * len(places), ad.tensor(1 / len(places))

    curve = learning_curve(measure, 50, (0.1, 0.5, 1.0), generator=ad.Generator().manual_seed(0))
    assert [len(places) for places in seen] == list(curve.sizes) == [5, 25, 50]
    assert seen[0] < seen[1] < seen[2]
    assert curve.train == pytest.approx((0.05, 0.25, 0.5))
    assert curve.dev == pytest.approx((0.2, 0.04, 0.02))
    assert str(curve).splitlines()[1] == "        5        5.00 %       20.00 %"
    panel = draw_learning_curve(curve, desired=0.01).axes[0]
    assert [line.get_label() for line in panel.lines] == ["dev", "train", "wanted"]
    assert panel.lines[0].get_ydata() == pytest.approx([20, 4, 2])


@pytest.mark.parametrize("sizes", [(), (10, 5), (5, 5), (0, 5), (5, 51), (0.001, 1.0), (0.5, 1.5)])
def test_sizes_that_do_not_grow_are_refused(sizes: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="increasing sizes from 1 to 50"):
        learning_curve(lambda places: (0, 0), 50, sizes)


@pytest.mark.parametrize(
    ("package", "call"),
    [
        ("sklearn.metrics", lambda: confusion([0], [0])),
        ("matplotlib.figure", lambda: draw_confusion(np.eye(2, dtype=int))),
    ],
)
def test_without_the_package_the_error_says_what_to_install(
    package: str, call: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'autodiff-numpy\[train\]'"):
        call()

"""The gaps add up, the largest comes first, and the advice is the course's."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodiff.training import best_model, diagnose

errors = st.floats(0, 1)


@given(train=errors, dev=errors, human=st.none() | errors, train_dev=st.none() | errors, test=st.none() | errors)
def test_gaps_add_up_from_the_human_level_to_the_last_error(
    train: float, dev: float, human: float | None, train_dev: float | None, test: float | None
) -> None:
    diagnosis = diagnose(train=train, dev=dev, human=human, train_dev=train_dev, test=test)
    last = dev if test is None else test
    assert math.isclose(sum(gap.size for gap in diagnosis.gaps), last - (human or 0), abs_tol=1e-12)
    worst = max(gap.size for gap in diagnosis.gaps)
    assert diagnosis.largest.size == pytest.approx(worst, abs=1e-12) if diagnosis.largest else worst <= 1e-12
    assert str(diagnosis).count("← first") == (diagnosis.largest is not None)


# The cases that the course goes through, in percent: human, train, train-dev, dev.
@pytest.mark.parametrize(
    ("human", "train", "train_dev", "dev", "first"),
    [
        (1, 8, None, 10, "avoidable bias"),
        (7.5, 8, None, 10, "variance"),
        (0, 1, None, 11, "variance"),
        (0, 15, None, 16, "avoidable bias"),
        (0, 15, None, 30, "avoidable bias"),
        (0, 1, 9, 10, "variance"),
        (0, 1, 1.5, 10, "data mismatch"),
        (0, 10, 11, 12, "avoidable bias"),
        (0, 10, 11, 20, "avoidable bias"),
    ],
)
def test_the_course_s_cases(human: float, train: float, train_dev: float | None, dev: float, first: str) -> None:
    diagnosis = diagnose(
        human=human / 100,
        train=train / 100,
        train_dev=None if train_dev is None else train_dev / 100,
        dev=dev / 100,
    )
    assert diagnosis.largest is not None
    assert diagnosis.largest.name == first


def test_the_remedies_stand_in_the_course_s_order_with_the_largest_gap_first() -> None:
    text = str(diagnose(human=0.04, train=0.07, train_dev=0.10, dev=0.16, test=0.18))
    places = [text.index(words) for words in (
        "data mismatch, 6.00 %", "avoidable bias, 3.00 %", "bigger network", "better optimizer", "architecture",
        "variance, 3.00 %", "more training data", "weight decay", "overfitting to dev, 2.00 %", "bigger dev set",
    )]  # fmt: skip
    assert places == sorted(places)


def test_method_is_advised_where_it_applies() -> None:
    def advised(**errors: float | None) -> str:
        return " ".join(diagnose(**errors).advice)  # type: ignore[arg-type]

    assert "knob" in advised(human=0.0, train=0.1, dev=0.2)
    assert "knob" not in advised(human=0.0, train=0.01, dev=0.2)
    assert "Synthetic data have a trap" in advised(human=0.0, train=0.01, train_dev=0.02, dev=0.2)
    assert "Synthetic" not in advised(human=0.0, train=0.01, train_dev=0.2, dev=0.2)
    assert "easier" in advised(human=0.0, train=0.01, train_dev=0.2, dev=0.1)
    assert "one distribution" in advised(human=0.0, train=0.01, dev=0.1, test=0.2)
    assert "one distribution" not in advised(human=0.0, train=0.01, dev=0.1)
    assert "team of experts" in advised(train=0.01, dev=0.1)
    assert "beats the human level" in advised(human=0.05, train=0.01, dev=0.1)
    assert "No gap stands out" in advised(human=0.1, train=0.1, dev=0.1)
    assert "quickly" in advised(human=0.0, train=0.0, dev=0.0)


def test_a_gap_of_few_examples_is_said_to_be_chance() -> None:
    few = diagnose(human=0.0, train=0.0, dev=0.02, test=0.08, examples={"dev": 50, "test": 50})
    assert few.gaps[1].is_chance
    assert few.gaps[2].is_chance
    assert few.largest is None
    assert "may be chance" in str(few)
    many = diagnose(human=0.0, train=0.0, dev=0.02, test=0.08, examples={"dev": 5000, "test": 5000})
    assert many.largest is many.gaps[2]
    # The standard error of a difference of proportions.
    assert many.gaps[2].noise == pytest.approx(math.sqrt((0.02 * 0.98 + 0.08 * 0.92) / 5000))


@pytest.mark.parametrize("wrong", [8, -0.1, math.nan, math.inf])
def test_errors_that_are_no_fractions_are_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match=r"expected dev to be the fraction.*8 % is 0\.08"):
        diagnose(train=0.1, dev=wrong)


@pytest.mark.parametrize("examples", [{"dev": 0}, {"tset": 10}, {"test": 10}])
def test_wrong_numbers_of_examples_are_refused(examples: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"how many of them the parts \['human', 'train', 'dev'\] have"):
        diagnose(train=0.1, dev=0.2, examples=examples)


MODELS = {"A": {"f1": 0.8, "ms": 50.0}, "B": {"f1": 0.9, "ms": 120.0}, "C": {"f1": 0.85, "ms": 90.0}}


def test_the_best_model_within_the_limits_is_chosen() -> None:
    assert best_model(MODELS, maximise="f1") == "B"
    assert best_model(MODELS, maximise="f1", at_most={"ms": 100}) == "C"
    assert best_model(MODELS, maximise="f1", at_most={"ms": 90}) == "C", "the limit itself is allowed"
    assert best_model(MODELS, minimise="ms", at_least={"f1": 0.82}) == "C"


@given(st.dictionaries(st.integers(), st.fixed_dictionaries({"a": errors, "b": errors}), min_size=1), errors)
def test_no_allowed_model_is_better(models: dict[int, dict[str, float]], limit: float) -> None:
    allowed = {name: metrics for name, metrics in models.items() if metrics["b"] <= limit}
    if allowed:
        best = best_model(models, maximise="a", at_most={"b": limit})
        assert models[best]["a"] == max(metrics["a"] for metrics in allowed.values())
        assert best in allowed
    else:
        with pytest.raises(ValueError, match=r"none of .* models meets"):
            best_model(models, maximise="a", at_most={"b": limit})


def test_metrics_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(ValueError, match="one metric to optimise"):
        best_model(MODELS)
    with pytest.raises(ValueError, match="a number for 'recall' of 'A'"):
        best_model(MODELS, maximise="f1", at_least={"recall": 0.5})
    with pytest.raises(ValueError, match="a number for 'f1' of 'A'"):
        best_model({"A": {"f1": math.nan}}, maximise="f1")
    with pytest.raises(ValueError, match=r"'B' misses fewest, with \{'ms': 120\.0\}"):
        best_model(MODELS, maximise="f1", at_most={"ms": 40}, at_least={"f1": 0.87})
    with pytest.raises(ValueError, match="none of 0 models"):
        best_model({}, maximise="f1")

"""Random search: its scales, its trials wherever they run and however they were interrupted; Optuna; the picture."""

import math
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joblib import parallel_config
from sklearn.datasets import make_moons
from sklearn.model_selection import RandomizedSearchCV

import autodiff as ad
from autodiff.training.estimators import Classifier
from autodiff.training.optuna_search import objective, search_with_optuna
from autodiff.training.scales import Choice, Integer, Log, OneMinusLog, Scale, Uniform
from autodiff.training.search import Trial, best, search, zoom
from autodiff.training.search_picture import draw_trials

SPACE: dict[str, Scale] = {
    "rate": Log(0.0001, 1.0),
    "momentum": OneMinusLog(0.9, 0.999),
    "units": Integer(8, 512, log=True),
    "layers": Integer(1, 3),
    "dropout": Uniform(0.0, 0.5),
    "sizes": Choice([(16,), (32, 32), None]),
}


@pytest.fixture(autouse=True)
def quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def score(params: dict[str, Any]) -> float:
    """Best near a rate of 0.01; it also depends on what is drawn."""
    if params["rate"] > 0.5:
        raise FloatingPointError("the loss is nan")
    return -abs(math.log10(params["rate"]) + 2) - params["layers"] + 0.01 * ad.rand(()).item()


def told(trials: list[Trial]) -> list[str]:
    return [repr(trial) for trial in trials]


bounds = st.floats(0.001, 0.4), st.floats(0.5, 0.99)
scales = st.one_of(
    st.builds(Uniform, *bounds),
    st.builds(Log, *bounds),
    st.builds(OneMinusLog, *bounds),
    st.builds(Integer, st.integers(1, 5), st.integers(5, 300), log=st.booleans()),
    st.builds(Choice, st.lists(st.integers(), min_size=1, max_size=5, unique=True)),
)


@given(scales, st.floats(0, 1))
def test_a_value_stands_at_its_place(scale: Scale, place: float) -> None:
    value = scale.value(place)
    assert 0 <= scale.place(value) <= 1 + 1e-9
    # The middle of an integer or a choice may round to a place beside it, not to another value.
    again = scale.value(scale.place(value))
    assert again == value or math.isclose(again, value, rel_tol=1e-9)
    if isinstance(scale, Uniform):
        assert scale.low <= value <= scale.high


@given(scales, st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_a_narrowed_scale_keeps_the_values_around_which_it_is(scale: Scale, places: list[float]) -> None:
    values = [scale.value(place) for place in places]
    part = scale.around(values)
    assert all(-1e-6 <= part.place(value) <= 1 + 1e-6 for value in values)
    if isinstance(scale, Uniform):
        assert scale.low <= part.low <= part.high <= scale.high


@pytest.mark.parametrize(
    ("scale", "function", "edges"),
    [
        (Log(0.0001, 1.0), math.log10, [-4, -3, -2, -1, 0]),
        (OneMinusLog(0.9, 0.9999), lambda beta: -math.log10(1 - beta), [1, 2, 3, 4]),
        (Uniform(0.0, 4.0), float, [0, 1, 2, 3, 4]),
        (Integer(1, 4), float, [1, 2, 3, 4, 4.5]),
        (Integer(1, 255, log=True), math.log2, [0, 1, 2, 3, 4, 5, 6, 7, 8]),
        (Choice([0, 1, 2]), float, [0, 1, 2, 2.5]),
    ],
)
def test_draws_are_even_on_the_scale(scale: Scale, function: Any, edges: list[float]) -> None:
    generator = np.random.default_rng(0)
    counts, _ = np.histogram([function(scale.rvs(generator)) for _ in range(4000)], edges)
    expected = 4000 / (len(edges) - 1)
    assert counts.sum() == 4000
    # Five standard deviations of a binomial count.
    np.testing.assert_allclose(counts, expected, atol=5 * math.sqrt(expected))


def test_a_seed_draws_as_its_generator_does() -> None:
    assert Log(0.1, 1.0).rvs(3) == Log(0.1, 1.0).rvs(np.random.default_rng(3))
    assert 0.1 < Log(0.1, 1.0).rvs() < 1.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Log(0.0, 1.0), r"finite bounds.*Log\(low=0.0"),
        (lambda: Log(1.0, 0.1), "the first less than the second"),
        (lambda: OneMinusLog(0.9, 1.0), "finite bounds"),
        (lambda: Uniform(0.0, math.nan), "finite bounds"),
        (lambda: Integer(1, 2.5), "integers"),  # type: ignore[arg-type]
        (lambda: Integer(0, 5, log=True), "from 1 on"),
        (lambda: Choice([]), "one value or more"),
        (lambda: Choice("abc"), "sequence"),
        (lambda: search(score, SPACE, 0), "number of trials from 1"),
        (lambda: search(score, {}, 3), "one hyperparameter or more"),
        (lambda: best([Trial(0, {}, math.nan)]), "all of which diverged"),
        (lambda: search(lambda params: iter([]), SPACE, 1), "got none at all"),
    ],
)
def test_what_is_said_of_bad_input(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_what_is_said_of_bad_types() -> None:
    with pytest.raises(TypeError, match="expected a scale for rate"):
        search(score, {"rate": [0.1, 0.2]}, 1)  # type: ignore[dict-item]
    with pytest.raises(TypeError, match=r"expected score to return a number.*got 'high'") as caught:
        search(lambda params: "high", {"layers": Integer(2, 2)}, 1)
    assert caught.value.__notes__ == ["in trial 0 with {'layers': 2}"]


def test_a_trial_depends_on_the_seed_and_its_number_alone() -> None:
    trials = search(score, SPACE, 30, seed=1)
    assert told(search(score, SPACE, 10, seed=1)) == told(trials[:10])
    assert told(search(score, SPACE, 10, seed=2)) != told(trials[:10])
    for backend in "threading", "loky":
        with parallel_config(backend=backend):
            assert told(search(score, SPACE, 30, seed=1, n_jobs=2)) == told(trials)
    with parallel_config(backend="threading", n_jobs=3):
        assert told(search(score, SPACE, 30, seed=1)) == told(trials)


def test_trainings_that_diverge_score_nan_and_errors_end_the_search() -> None:
    trials = search(score, SPACE, 60)
    diverged = [trial.params["rate"] > 0.5 for trial in trials]
    assert [math.isnan(trial.score) for trial in trials] == diverged
    assert 0 < sum(diverged) < 60
    assert best(trials).params["rate"] < 0.5

    def fails(params: dict[str, Any]) -> float:
        raise KeyError("no such column")

    with pytest.raises(KeyError, match="no such column"):
        search(fails, SPACE, 3)


def test_the_last_of_several_scores_counts() -> None:
    assert [trial.score for trial in search(lambda params: iter([3, 1.0, np.float32(2)]), SPACE, 2)] == [2.0, 2.0]


def test_a_finer_search_stays_around_the_best() -> None:
    coarse = search(score, SPACE, 60)
    fine = zoom(SPACE, coarse)
    for name, scale in fine.items():
        assert type(scale) is type(SPACE[name])
    assert 0.0001 < fine["rate"].low < 0.01 < fine["rate"].high < 0.5  # type: ignore[attr-defined]
    assert fine["layers"] == Integer(1, 1)
    again = search(score, fine, 60, seed=1)
    assert np.nanmedian([trial.score for trial in again]) > np.nanmedian([trial.score for trial in coarse]) + 1


def test_a_journal_cut_at_any_byte_goes_on_with_the_same_trials(tmp_path: Path) -> None:
    whole, journal = tmp_path / "whole", tmp_path / "journal"
    trials = search(score, SPACE, 4, journal=whole)
    calls: Counter[float] = Counter()

    def counted(params: dict[str, Any]) -> float:
        calls[params["rate"]] += 1
        return score(params)

    for length in range(0, whole.stat().st_size + 1, 7):
        journal.write_bytes(whole.read_bytes()[:length])
        calls.clear()
        assert told(search(counted, SPACE, 4, journal=journal)) == told(trials)
        assert sum(calls.values()) == 4 - whole.read_bytes()[:length].count(b"\n")
        assert journal.read_bytes() == whole.read_bytes()
    # Processes that run at once end in any order.
    journal.write_bytes(b"".join(reversed(whole.read_bytes().splitlines(keepends=True))))
    assert told(search(counted, SPACE, 4, journal=journal)) == told(trials)


KILLED = """
import os, signal, sys
from pathlib import Path
from autodiff.training.scales import Log
from autodiff.training.search import search

def deadly(params):
    if len(Path(sys.argv[1]).read_bytes().splitlines()) >= 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return params["rate"]

Path(sys.argv[1]).touch()
search(deadly, {"rate": Log(0.001, 1.0)}, 20, journal=sys.argv[1])
"""


def test_a_search_that_was_killed_goes_on(tmp_path: Path) -> None:
    journal, space = tmp_path / "journal", {"rate": Log(0.001, 1.0)}
    done = subprocess.run([sys.executable, "-c", KILLED, str(journal)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(journal.read_bytes().splitlines()) == 7
    # As many trials as before, then more, then fewer.
    for trials in 20, 25, 5:
        assert told(search(rate_of, space, trials, journal=journal)) == told(search(rate_of, space, trials))


def rate_of(params: dict[str, Any]) -> float:
    return params["rate"]


def test_what_is_said_of_a_journal_of_something_else(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    search(score, SPACE, 3, journal=journal)
    with pytest.raises(ValueError, match="journal of another search: its trial 0 was"):
        search(score, SPACE, 3, seed=1, journal=journal)
    with pytest.raises(ValueError, match="journal of another search"):
        search(score, {**SPACE, "rate": Log(0.0001, 0.1)}, 3, journal=journal)
    journal.write_text("a, b, c\n1, 2, 3\n")
    with pytest.raises(ValueError, match=r"expected .* to be the journal of a search, got the line b'a, b, c'"):
        search(score, SPACE, 3, journal=journal)


def test_a_journal_that_cannot_be_written_is_known_before_the_first_trial(tmp_path: Path) -> None:
    def never(params: dict[str, Any]) -> float:
        raise AssertionError("it ran")

    with pytest.raises(FileNotFoundError):
        search(never, SPACE, 3, journal=tmp_path / "no such folder" / "journal")


def curve(params: dict[str, Any]) -> Any:
    for epoch in range(8):
        yield score(params) * 0.5**epoch


def test_optuna_prunes_by_the_dev_curve_and_finds_more() -> None:
    trials = search_with_optuna(curve, SPACE, 40)
    assert [trial.number for trial in trials] == list(range(40))
    pruned = [trial for trial in trials if trial.pruned]
    assert 5 < len(pruned) < 40
    assert all(set(trial.params) == set(SPACE) for trial in trials)
    assert np.mean([trial.score for trial in trials if not trial.pruned and not math.isnan(trial.score)]) > -0.05
    for name, scale in SPACE.items():
        assert all(0 <= scale.place(trial.params[name]) <= 1 + 1e-9 for trial in trials)
    assert all(trial.params["sizes"] in SPACE["sizes"].values for trial in trials)  # type: ignore[attr-defined]
    never = search_with_optuna(curve, SPACE, 15, pruner=optuna.pruners.NopPruner())
    assert not any(trial.pruned for trial in never)


def test_optuna_gives_trainings_that_diverge_no_score() -> None:
    trials = search_with_optuna(score, {**SPACE, "rate": Log(0.1, 1.0)}, 20)
    assert [math.isnan(trial.score) for trial in trials] == [trial.params["rate"] > 0.5 for trial in trials]
    assert 0 < sum(trial.params["rate"] > 0.5 for trial in trials) < 20


def test_a_search_by_optuna_goes_on_with_the_trials_it_would_have_had(tmp_path: Path) -> None:
    trials = search_with_optuna(curve, SPACE, 16, seed=3)
    left = [12]

    def interrupted(params: dict[str, Any]) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        yield from curve(params)

    journal = tmp_path / "journal"
    with pytest.raises(KeyboardInterrupt):
        search_with_optuna(interrupted, SPACE, 16, seed=3, journal=journal)
    assert told(search_with_optuna(curve, SPACE, 16, seed=3, journal=journal)) == told(trials)
    with pytest.raises(ValueError, match="journal of another search"):
        search_with_optuna(curve, SPACE, 16, seed=4, journal=journal)


def test_a_study_of_optuna_takes_the_objective() -> None:
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective(score, SPACE), n_trials=10, n_jobs=2)
    assert len(study.trials) == 10
    assert "1 - momentum" in study.best_params


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_scikit_learn_draws_from_the_scales_on_every_backend(backend: str) -> None:
    X, y = make_moons(60, noise=0.1, random_state=0)
    space = {"learning_rate": Log(0.001, 0.1), "hidden_sizes": Choice([(4,), (16,)])}
    model = Classifier(epochs=3, random_state=0)
    with parallel_config(backend=backend, n_jobs=2):
        found = RandomizedSearchCV(model, space, n_iter=4, cv=2, random_state=0).fit(X, y)
    alone = RandomizedSearchCV(model, space, n_iter=4, cv=2, random_state=0).fit(X, y)
    assert found.best_params_ == alone.best_params_
    np.testing.assert_array_equal(found.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])


def test_the_picture_has_every_trial_in_every_panel(tmp_path: Path) -> None:
    trials = [*search(score, SPACE, 30), Trial(30, search(score, SPACE, 1)[0].params, -0.5, pruned=True)]
    figure = draw_trials(trials, SPACE, tmp_path / "search.png")
    assert (tmp_path / "search.png").read_bytes().startswith(b"\x89PNG")
    assert [axes.get_xlabel() for axes in figure.axes] == list(SPACE)
    diverged = sum(math.isnan(trial.score) for trial in trials)
    for axes in figure.axes:
        full, hollow, crosses, ring = (points.get_offsets() for points in axes.collections)
        assert [len(full), len(hollow), len(crosses), len(ring)] == [30 - diverged, 1, diverged, 1]
        assert ((full[:, 0] >= 0) & (full[:, 0] <= 1)).all()
        assert ring[0, 1] == best(trials).score
    texts = [[tick.get_text() for tick in axes.get_xticklabels()] for axes in figure.axes]
    assert texts[0] == ["0.0001", "0.001", "0.01", "0.1", "1"]
    assert texts[1] == ["0.9", "0.99", "0.999"]
    assert texts[3] == ["1", "2", "3"]
    assert texts[5] == ["(16,)", "(32, 32)", "None"]


def test_the_picture_of_a_narrow_search_has_numbers_on_its_axes() -> None:
    narrow: dict[str, Scale] = {"rate": Log(0.02, 0.05), "momentum": OneMinusLog(0.91, 0.93), "layers": Integer(2, 2)}
    figure = draw_trials(search(score, narrow, 5), narrow)
    assert [len(axes.get_xticks()) for axes in figure.axes] == [3, 3, 1]

"""Random search for hyperparameters: in parallel, resumable, the same trials in every run.

Bergstra and Bengio, "Random search for hyper-parameter optimization", 2012. What runs trials in other processes, or on
other machines, is joblib; `search_with_optuna` leaves the choice of trials to Optuna (both of the extra ``train``).
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from autodiff.files import write
from autodiff.random import Generator, drawing_from
from autodiff.training.scales import Scale

try:
    from joblib import Parallel, delayed
except ImportError as error:
    raise ImportError('a search expects joblib; run: pip install "autodiff-numpy[train]"') from error

Space = Mapping[str, Scale]
Params = dict[str, Any]
# A function of the hyperparameters that gives a score, or yields one after each epoch.
Score = Callable[[Params], Any]


@dataclass(frozen=True)
class Trial:
    """The hyperparameters that were tried, and their score: NaN if the training diverged, the last one if pruned."""

    number: int
    params: Params
    score: float
    pruned: bool = False


def search(
    score: Score,
    space: Space,
    trials: int,
    *,
    seed: int = 0,
    n_jobs: int | None = None,
    journal: str | os.PathLike[str] | None = None,
) -> list[Trial]:
    """Try hyperparameters drawn from `space`, each by the scale of its name, and return the trials in their order.

    `score` gets a dict of them and returns a number, the larger the better, or yields one after each epoch, of which
    the last counts. FloatingPointError, a training that diverges, makes the score NaN; other errors end the search.

    A trial depends on `seed` and its number alone, also what it draws from the default generator: not on the other
    trials, how many there are, or where they run. `n_jobs` run at once, as in joblib: in processes, or by the backend
    of ``joblib.parallel_config``, on the machines of a cluster too.

    Each result is written to the `journal`, a line of JSON, before the next; a search that was ended, in whatever way,
    and is started again with the same arguments, or with more trials, goes on where it was. ValueError for a journal of
    another search.

    >>> from autodiff.training.scales import Integer, Log
    >>> space = {"rate": Log(0.001, 1.0), "layers": Integer(1, 3)}
    >>> trials = search(lambda params: -abs(params["rate"] - 0.1) - abs(params["layers"] - 2), space, 30)
    >>> found = best(trials)
    >>> found.number, round(found.params["rate"], 2), found.params["layers"]
    (12, 0.02, 2)
    """
    expect_sensible(space, trials)
    drawn = [_drawn(space, seed, number) for number in range(trials)]
    path = None if journal is None else Path(journal)
    scores = {} if path is None else _read(path, drawn)
    missing = [number for number in range(trials) if number not in scores]
    parallel = Parallel(n_jobs=n_jobs, return_as="generator_unordered")
    for number, value in parallel(delayed(_run)(score, drawn[number], seed, number) for number in missing):
        scores[number] = value
        if path is not None:
            _append(path, number, drawn[number], value)
    return [Trial(number, params, scores[number]) for number, params in enumerate(drawn)]


def best(trials: Sequence[Trial]) -> Trial:
    """The trial with the highest score, of equal ones the first; ValueError if there is none with a score.

    >>> best([Trial(0, {}, 0.1), Trial(1, {}, 0.3), Trial(2, {}, float("nan"))]).number
    1
    """
    return _ranked(trials)[0]


def zoom(space: Space, trials: Sequence[Trial], keep: int = 5) -> dict[str, Scale]:
    """From coarse to fine: the part of `space` where the best `keep` trials are, and a tenth more on both sides.

    >>> from autodiff.training.scales import Log
    >>> space = {"rate": Log(0.0001, 1.0)}
    >>> coarse = search(lambda params: -abs(params["rate"] - 0.1), space, 30)
    >>> fine = zoom(space, coarse)
    >>> round(fine["rate"].low, 3), round(fine["rate"].high, 3)
    (0.014, 0.328)
    """
    kept = _ranked(trials)[:keep]
    return {name: scale.around([trial.params[name] for trial in kept]) for name, scale in space.items()}


def _ranked(trials: Sequence[Trial]) -> list[Trial]:
    scored = [trial for trial in trials if not math.isnan(trial.score)]
    if not scored:
        raise ValueError(f"expected a trial with a score, got {len(trials)} trials, all of which diverged")
    return sorted(scored, key=lambda trial: -trial.score)


def _drawn(space: Space, seed: int, number: int) -> Params:
    generator = np.random.default_rng([seed, number])
    return {name: scale.rvs(generator) for name, scale in space.items()}


def _run(score: Score, params: Params, seed: int, number: int) -> tuple[int, float]:
    """The number of a trial, and its last score."""
    with drawing_from(Generator().manual_seed(seed_of(seed, number))):
        *_, last = curve(score, params, number)
    return number, last


def curve(score: Score, params: Params, number: int) -> Iterator[float]:
    """The scores of a trial, one after each epoch or one in all, ending with NaN where it diverges.

    TypeError for a score that is no number, ValueError for none at all.
    """
    value: Any = None
    try:
        result = score(params)
        for value in result if isinstance(result, Iterator) else [result]:
            if isinstance(value, str) or not hasattr(value, "__float__"):
                raise TypeError(f"expected score to return a number or to yield one an epoch, got {value!r}")
            yield float(value)
        if value is None:
            raise ValueError("expected score to yield a number after each epoch, got none at all")
    except FloatingPointError:
        yield math.nan
    except Exception as error:
        error.add_note(f"in trial {number} with {params}")
        raise


def seed_of(seed: int, number: int) -> int:
    """A seed that depends on both."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def _read(path: Path, drawn: list[Params]) -> dict[int, float]:
    """The scores in a journal by number, whose last line is taken away if it was not written to its end."""
    path.touch()  # so that a path that cannot be written to is known before the first trial has run
    whole, newline, rest = path.read_bytes().rpartition(b"\n")
    if rest:
        write(path, whole + newline)
    scores = {}
    for line in whole.splitlines():
        try:
            entry = json.loads(line)
            number, params, value = entry["number"], entry["params"], entry["score"]
            scores[number] = math.nan if value is None else float(value)
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"expected {path} to be the journal of a search, got the line {line[:80]!r}") from None
        if number < len(drawn) and params != _as_json(drawn[number]):
            raise ValueError(
                f"{path} is the journal of another search: its trial {number} was {params}, which this space and seed "
                f"make {_as_json(drawn[number])}; give each search a file of its own"
            )
    return scores


def _append(path: Path, number: int, params: Params, score: float) -> None:
    entry = {"number": number, "params": _as_json(params), "score": None if math.isnan(score) else score}
    with path.open("a") as file:
        file.write(json.dumps(entry) + "\n")
        file.flush()
        os.fsync(file.fileno())


def _as_json(params: Params) -> Any:
    """What a journal gives back of these hyperparameters: text for those that JSON does not have."""
    return json.loads(json.dumps(params, default=repr))


def expect_sensible(space: Space, trials: int) -> None:
    """ValueError or TypeError unless there are trials to be made, of scales."""
    if not isinstance(trials, int) or trials < 1:
        raise ValueError(f"expected a number of trials from 1, got {trials!r}")
    if not space:
        raise ValueError("expected a space with one hyperparameter or more, got none")
    for name, scale in space.items():
        if not isinstance(scale, Scale):
            raise TypeError(f"expected a scale for {name}, such as Log(0.0001, 0.1) or Choice([1, 2]), got {scale!r}")

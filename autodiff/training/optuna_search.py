"""Optuna as the engine of a search: it chooses each trial by those before, and ends those that look bad early on."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from functools import partial
from typing import Any

from autodiff.random import Generator, drawing_from
from autodiff.training.search import Score, Space, Trial, curve, expect_sensible, seed_of

try:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend
    from optuna.trial import FixedTrial, TrialState
except ImportError as error:
    raise ImportError('this search expects Optuna; run: pip install "autodiff-numpy[train]"') from error


def search_with_optuna(
    score: Score,
    space: Space,
    trials: int,
    *,
    seed: int = 0,
    journal: str | os.PathLike[str] | None = None,
    pruner: optuna.pruners.BasePruner | None = None,
) -> list[Trial]:
    """`search`, but each trial is chosen by Optuna's `TPESampler` from what those before have shown.

    Where `score` yields a score after each epoch, the `pruner`, by default Optuna's ``MedianPruner``, ends a trial that
    is worse than half of the others were at its epoch.

    Trials run one after the other, and depend on `seed` and those before. A search with a `journal`, a file of
    Optuna's, goes on where it was ended, with the trials that it would have had. To run trials at once, make a study of
    Optuna's own and optimise an `objective`. ValueError for a journal of another search.
    Source: Bergstra et al., "Algorithms for hyper-parameter optimization", 2011.

    >>> from autodiff.training.scales import Log
    >>> from autodiff.training.search import best
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> trials = search_with_optuna(lambda params: -abs(params["rate"] - 0.1), {"rate": Log(0.0001, 1.0)}, 30)
    >>> abs(best(trials).params["rate"] - 0.1) < 0.02
    True
    """
    expect_sensible(space, trials)
    storage = None if journal is None else JournalStorage(JournalFileBackend(os.fspath(journal)))
    study = optuna.create_study(
        study_name="search", storage=storage, load_if_exists=True, direction="maximize", pruner=pruner
    )
    identity = f"{dict(space)!r}, seed {seed}"
    if study.user_attrs.get("search", identity) != identity:
        raise ValueError(f"{journal} is the journal of another search: of {study.user_attrs['search']}, not {identity}")
    study.set_user_attr("search", identity)
    for interrupted in study.get_trials(states=[TrialState.RUNNING]):
        study.tell(interrupted.number, state=TrialState.FAIL)
    finished = (TrialState.COMPLETE, TrialState.PRUNED)
    while (number := len(study.get_trials(states=finished))) < trials:
        # A sampler of its own for each trial: where a search goes on, there is none that has drawn before.
        study.sampler = optuna.samplers.TPESampler(seed=seed_of(seed, number))
        study.optimize(partial(_tried, score=score, space=space, seed=seed_of(seed, number)), n_trials=1)
    return [_trial(number, frozen, space) for number, frozen in enumerate(study.get_trials(states=finished)[:trials])]


def objective(score: Score, space: Space, *, seed: int = 0) -> Callable[[optuna.Trial], float]:
    """What a study of Optuna maximises, with all that studies can: other samplers, storages, several processes.

    >>> from autodiff.training.scales import Uniform
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    >>> study.optimize(objective(lambda params: -(params["x"] ** 2), {"x": Uniform(-1.0, 1.0)}), n_trials=20)
    >>> abs(study.best_params["x"]) < 0.2
    True
    """
    return lambda trial: _tried(trial, score, space, seed_of(seed, trial.number))


def _tried(trial: optuna.Trial, score: Score, space: Space, seed: int) -> float:
    """The last score of a trial, minus infinity where it diverges; TrialPruned where the pruner ends it."""
    params = {name: scale.suggest(trial, name) for name, scale in space.items()}
    with drawing_from(Generator().manual_seed(seed)):
        for epoch, value in enumerate(curve(score, params, trial.number)):
            if math.isnan(value):
                return -math.inf
            trial.report(value, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
    return value


def _trial(number: int, frozen: Any, space: Space) -> Trial:
    """A trial of Optuna as one of ours."""
    fixed = FixedTrial(frozen.params)
    params = {name: scale.suggest(fixed, name) for name, scale in space.items()}
    score = math.nan if frozen.value == -math.inf else frozen.value
    return Trial(number, params, score, pruned=frozen.state == TrialState.PRUNED)

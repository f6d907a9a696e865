"""The op behind `ctc_loss`: the probability of a sequence over all its alignments, by the forward-backward recursion.

A target of S labels has L = 2S + 1 states: a blank before, between and behind the labels. At each time a path stays,
goes on to the next state, or skips a blank between labels that differ. All is in logarithms, where `NEVER` stands for
that of 0: it is finite, so that differences of such numbers are no NaN. Source: Graves et al. 2006.
"""

from typing import Any

import numpy as np

from autodiff.domain import Interval
from autodiff.op import Recorder
from autodiff.recorders import operation
from autodiff.tensor import Array

NEVER = -1e30
IMPOSSIBLE = 1e29  # losses from here on are those of targets without any path


def _step(into: Array, stay: Array, go: Array, skip: Array) -> None:
    """log(exp(stay) + exp(go) + exp(skip)), written into an array that may be one of them."""
    top = np.maximum(np.maximum(stay, go), skip)
    total = np.exp(stay - top)
    total += np.exp(go - top)
    total += np.exp(skip - top)
    np.log(total, out=total)
    np.add(total, top, out=into)


def _kernel(x: Array, jump: Array, final: Array, lengths: Array) -> Any:
    """Minus the log-probability of each sequence, and the logarithms of all paths to each state at each time.

    `x` (T, N, L) are the log-probabilities of the states' labels, `jump` (N, L) is 0 where a state may be reached by a
    skip, `final` (N, L) where a path may end, and else both are `NEVER`; `lengths` (N) are those of the inputs.
    """
    times, count, states = x.shape
    # Two states that are never reached stand before the first, so that the three ways to a state are three slices.
    paths = np.full((times + 1, count, states + 2), NEVER, x.dtype)
    paths[0, :, 2] = 0
    for t in range(times):
        before, now = paths[t], paths[t + 1, :, 2:]
        _step(now, before[:, 2:], before[:, 1:-1], before[:, :-2] + jump)
        now += x[t]
    last = paths[lengths, np.arange(count), 2:] + final
    return -np.logaddexp.reduce(last, axis=1), paths


def _of_samples(x: Array, jump: Array, final: Array, lengths: Array) -> Array:
    """The sequences of all samples as those of one."""
    samples = len(x) if x.ndim == 4 else len(jump)
    times, count, states = x.shape[-3:]
    x = np.moveaxis(np.broadcast_to(x, (samples, times, count, states)), 0, 1).reshape(times, -1, states)
    jump, final = (np.broadcast_to(p, (samples, count, states)).reshape(-1, states) for p in (jump, final))
    losses: Array = _kernel(x, jump, final, np.broadcast_to(lengths, (samples, count)).reshape(-1))[0]
    return losses.reshape(samples, count)


def _fast(g: Array, y: Array, x: Array, memo: Array, jump: Array, final: Array, lengths: Array) -> Array:
    """The shares of the paths through each state: the paths to it are known, those from it on are counted here."""
    times, count, states = x.shape
    shares = np.where(y < IMPOSSIBLE, y, NEVER)[:, None] + memo[1:, :, 2:]
    onwards = np.full((count, states + 2), NEVER, x.dtype)
    moved = np.full((count, states + 2), NEVER, x.dtype)
    jumped = np.full((count, states), NEVER, x.dtype)
    jumped[:, :-2] = jump[:, 2:]
    for t in range(times - 1, -1, -1):
        if t + 1 < times:
            np.add(onwards[:, :-2], x[t + 1], out=moved[:, :-2])
            _step(onwards[:, :-2], moved[:, :-2], moved[:, 1:-1], moved[:, 2:] + jumped)
        ends = np.flatnonzero(lengths == t + 1)
        onwards[ends, :-2] = final[ends]
        shares[t] += onwards[:, :-2]
    np.exp(shares, out=shares)
    shares *= -g[:, None]
    return shares


def _up(a: Any, by: int) -> Any:
    """The states moved up, behind such that are never reached."""
    never = np.full((a.shape[0], min(by, a.shape[1])), NEVER, a.dtype)
    return np.concatenate((never, a[:, :-by]), axis=1)


def _down(a: Any, by: int) -> Any:
    """The states moved down, before such that are never reached."""
    never = np.full((a.shape[0], min(by, a.shape[1])), NEVER, a.dtype)
    return np.concatenate((a[:, by:], never), axis=1)


def _three(stay: Any, go: Any, skip: Any) -> Any:
    return np.logaddexp(np.logaddexp(stay, go), skip)


def _rule(g: Any, y: Any, x: Any, jump: Array, final: Array, lengths: Array) -> Any:
    """As `_fast`, in steps that can be differentiated again."""
    times, count, states = x.shape
    to = np.full((count, states), NEVER, x.dtype)
    to = np.where(np.arange(states) == 0, np.zeros((count, states), x.dtype), to)
    paths: list[Any] = []
    for t in range(times):
        to = _three(to, _up(to, 1), _up(to, 2) + jump) + x[t]
        paths = [*paths, to]
    onwards = np.full((count, states), NEVER, x.dtype)
    shares: list[Any] = []
    for t in reversed(range(times)):
        if t + 1 < times:
            moved = onwards + x[t + 1]
            onwards = _three(moved, _down(moved, 1), _down(moved + jump, 2))
        onwards = np.where((lengths == t + 1)[:, None], final, onwards)
        shares = [paths[t] + onwards, *shares]
    total = np.where(y < IMPOSSIBLE, y, NEVER)
    return -np.exp(np.stack(shares) + np.expand_dims(total, 1)) * np.expand_dims(g, 1)


alignments: Recorder = operation(
    "ctc_loss",
    _kernel,
    vjp=_rule,
    fast=_fast,
    memo=True,
    batched=_of_samples,
    saves="y x",
    domain=Interval(-4, 0),
    analytic=False,
    doc="Minus the logarithm of the probability of a sequence over all its alignments.",
)

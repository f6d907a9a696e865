"""The loss of sequences whose alignment with the inputs is not known."""

from collections.abc import Sequence
from typing import Any

import numpy as np

import autodiff as ad
from autodiff.op import OpError, describe
from autodiff.ops import places
from autodiff.tensor import Array, Tensor, wrap
from nn.functional.ctc_ops import IMPOSSIBLE, NEVER, alignments
from nn.functional.reduction import check_reduction, reduced

Lengths = Tensor | Sequence[int]


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Lengths,
    target_lengths: Lengths,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """Minus the log-probability of the targets, summed over all alignments with the inputs.

    `log_probs` (T, N, C), of a log-softmax over the classes, or (T, C); `targets` (N, S) or one after the other in a
    vector, of class indices other than `blank`; lengths (N), of inputs up to T and targets. The loss of a target that
    is longer than its input allows is infinite, or 0 with `zero_infinity`, its gradient 0. "mean" divides each loss by
    the target's length first. Differentiable twice. OpError for other shapes and dtypes, IndexError for targets outside
    0 to C - 1. Source: Graves et al. 2006.

    >>> import autodiff as ad
    >>> log_probs = ad.zeros(4, 1, 3).log_softmax(2)
    >>> ctc_loss(log_probs, ad.tensor([[1, 2]]), [4], [2])
    tensor(0.8432)
    """
    check_reduction(reduction)
    if not isinstance(log_probs, Tensor) or log_probs.ndim not in (2, 3) or log_probs.dtype.kind != "f":
        raise OpError(f"ctc_loss expected log_probs (T, N, C) or (T, C), got {describe(log_probs)}")
    batch = log_probs if log_probs.ndim == 3 else log_probs.unsqueeze(1)
    times, count, classes = batch.shape
    if not 0 <= blank < classes:
        raise OpError(f"ctc_loss expected a blank from 0 to {classes - 1}, got {blank!r}")
    limits = _lengths("input_lengths", input_lengths, count, times)
    each = _lengths("target_lengths", target_lengths, count, targets.numel())
    labels = _padded(targets, each, log_probs.ndim == 3, blank)
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        raise IndexError(f"ctc_loss expected targets from 0 to {classes - 1}, got {labels.min()} to {labels.max()}")
    states = np.full((count, 2 * labels.shape[1] + 1), blank)
    states[:, 1::2] = labels
    losses = _aligned(batch, states, limits, each)
    hopeless = losses.array >= IMPOSSIBLE
    if hopeless.any():
        losses = ad.where(wrap(~hopeless), losses, 0.0 if zero_infinity else np.inf)
    if reduction == "mean":
        losses = losses / wrap(np.maximum(each, 1).astype(losses.dtype))
    return reduced(losses if log_probs.ndim == 3 else losses.squeeze(0), reduction)


def _aligned(log_probs: Tensor, states: Array, limits: Array, each: Array) -> Tensor:
    """The loss of each sample, given the class of each of its states."""
    dtype = log_probs.dtype
    shape = (log_probs.shape[0], *states.shape)
    emissions = places.gather(log_probs, wrap(np.broadcast_to(states, shape)), axis=2).clamp(min=NEVER)
    jump = np.full(states.shape, NEVER, dtype)
    jump[:, 2:][states[:, 2:] != states[:, :-2]] = 0
    # A path ends in the last label or in the blank behind it.
    behind = 2 * each[:, None] - np.arange(states.shape[1])
    final = np.where((behind == 0) | (behind == 1), 0, NEVER).astype(dtype)
    losses: Tensor = alignments(emissions, jump=jump, final=final, lengths=limits)
    return losses


def _lengths(name: str, given: Any, count: int, longest: int) -> Array:
    """The lengths as a vector of `count` integers."""
    lengths = np.atleast_1d(given.array if isinstance(given, Tensor) else np.asarray(given, np.int64))
    if lengths.dtype.kind not in "iu" or lengths.shape != (count,):
        raise OpError(f"ctc_loss expected {count} integers as {name}, got {describe(given)}")
    if count and not 0 <= lengths.min() <= lengths.max() <= longest:
        raise OpError(f"ctc_loss expected {name} from 0 to {longest}, got {lengths.min()} to {lengths.max()}")
    return lengths.astype(np.int64)


def _padded(targets: Tensor, each: Array, batched: bool, blank: int) -> Array:
    """The targets as rows of equal length, blank behind the end of each."""
    t = targets.array
    if t.dtype.kind not in "iu":
        raise OpError(f"ctc_loss expected targets of an integer dtype, got {describe(targets)}: use targets.long()")
    longest = int(each.max(initial=0))
    if batched and t.ndim == 1 and t.size == each.sum():
        filled: Array = np.full((each.size, longest), blank)
        filled[np.arange(longest) < each[:, None]] = t
        return filled
    rows = t if batched else t.reshape(1, -1)
    if rows.ndim != 2 or len(rows) != each.size or rows.shape[1] < longest:
        raise OpError(
            f"ctc_loss expected targets (N, S), S at least the longest target length {longest}, or a vector of "
            f"{each.sum()}, the sum of target_lengths; got {describe(targets)}"
        )
    return np.where(np.arange(longest) < each[:, None], rows[:, :longest], blank)

"""Softmax over many classes of which a few are frequent."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

import autodiff as ad
from autodiff.op import OpError, describe
from autodiff.tensor import Tensor, wrap
from nn.containers import ModuleList, Sequential
from nn.linear import Linear
from nn.module import Module


class AdaptiveOutput(NamedTuple):
    """The log-probability of each target, and minus their mean."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """Log-probabilities of `n_classes`, sorted by how often they come, the rare ones in clusters with smaller layers.

    The classes below ``cutoffs[0]`` are scored by the `head`, with a score for each cluster, of the classes between
    two cutoffs; cluster i has a layer of in_features / div_valueⁱ⁺¹ numbers. Takes inputs (N, in_features) with targets
    (N), or (in_features) with (). ValueError for cutoffs that do not grow from 1 to n_classes - 1, OpError for other
    shapes, IndexError for other targets. Source: Grave et al. 2017.

    >>> import autodiff as ad, nn
    >>> layer = nn.AdaptiveLogSoftmaxWithLoss(8, 20, cutoffs=[5, 10])
    >>> layer(ad.zeros(3, 8), ad.tensor([0, 7, 19])).output
    tensor([-1.9459, -3.5553, -4.2485], grad_fn=<ReshapeBackward0>)
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        ends = [*cutoffs, n_classes]
        if len(ends) < 2 or any(int(c) != c for c in ends) or any(a >= b for a, b in pairwise([0, *ends])):
            raise ValueError(
                f"AdaptiveLogSoftmaxWithLoss expected cutoffs that are integers growing from 1 to {n_classes - 1}, "
                f"got {list(cutoffs)}"
            )
        self.in_features, self.n_classes, self.cutoffs = in_features, n_classes, ends
        self.div_value, self.head_bias = div_value, head_bias
        self.shortlist_size, self.n_clusters = ends[0], len(ends) - 1
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, head_bias, device, dtype)
        self.tail = ModuleList()
        for i, (start, stop) in enumerate(pairwise(ends)):
            hidden = int(in_features // div_value ** (i + 1))
            project = Linear(in_features, hidden, False, device, dtype)
            self.tail.append(Sequential(project, Linear(hidden, stop - start, False, device, dtype)))

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        for module in self.modules():
            if isinstance(module, Linear):
                module.reset_parameters()

    def forward(self, input_: Tensor, target_: Tensor) -> AdaptiveOutput:
        lead = target_.shape
        if len(lead) > 1 or input_.shape != (*lead, self.in_features) or target_.dtype.kind not in "iu":
            raise OpError(
                f"expected an input (N, {self.in_features}) or ({self.in_features}) with class indices (N) or (), "
                f"got {describe(input_)} and {describe(target_)}"
            )
        x, t = input_.reshape(-1, self.in_features), target_.array.reshape(-1).astype(np.int64)
        if t.size and not 0 <= t.min() <= t.max() < self.n_classes:
            raise IndexError(f"expected class indices from 0 to {self.n_classes - 1}, got {t.min()} to {t.max()}")
        cluster = np.searchsorted(self.cutoffs, t, side="right") - 1
        in_head = wrap(np.where(cluster < 0, t, self.shortlist_size + cluster))
        output = self.head(x).log_softmax(1).gather(1, in_head.unsqueeze(1)).squeeze(1)
        for i, start in enumerate(self.cutoffs[:-1]):
            rows = np.flatnonzero(cluster == i)
            if rows.size:
                within = self.tail[i](x[wrap(rows)]).log_softmax(1).gather(1, wrap(t[rows, None] - start)).squeeze(1)
                output = output.index_add(0, wrap(rows), within)
        return AdaptiveOutput(output.reshape(lead), -output.mean())

    def log_prob(self, input: Tensor) -> Tensor:
        """The log-probabilities (N, n_classes) of all classes, for an input (N, in_features)."""
        head = self.head(input).log_softmax(1)
        parts = [head[:, : self.shortlist_size]]
        for i, tail in enumerate(self.tail):
            parts.append(tail(input).log_softmax(1) + head[:, self.shortlist_size + i].unsqueeze(1))
        return ad.cat(parts, 1)

    def predict(self, input: Tensor) -> Tensor:
        """The most probable class (N) of each row of an input (N, in_features).

        As in PyTorch a row takes a class of the shortlist whenever that has the head's highest score.
        """
        head: Tensor = self.head(input).detach()
        best = head.array.argmax(1)
        rows = np.flatnonzero(best >= self.shortlist_size)
        if rows.size:
            best[rows] = self.log_prob(input[wrap(rows)]).array.argmax(1)
        return wrap(best)

"""A backward pass through the graph of a loss that changes nothing and is watched edge by edge."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from autodiff.backpropagation import backpropagate
from autodiff.grad_mode import state
from autodiff.graph import Node, ancestors
from autodiff.tensor import Tensor

Watch = Callable[[Node, Any, Node, Any], None]


@contextmanager
def _watching(watch: Watch) -> Iterator[None]:
    before = vars(state).get("watch")
    state.watch = watch
    try:
        yield
    finally:
        if before is None:
            # What `detect_anomaly` sets stands on the class.
            del state.watch
        else:
            state.watch = before


@contextmanager
def _retaining_nothing(nodes: Iterable[Node]) -> Iterator[None]:
    hooks = [node.op.hooks for node in nodes if node.op is not None and node.op.hooks is not None]
    kept = [(one, one.retaining) for one in hooks]
    for one in hooks:
        one.retaining = None
    try:
        yield
    finally:
        for one, tensor in kept:
            one.retaining = tensor


def backward_again(loss: Tensor, watch: Watch) -> dict[Node, Any]:
    """The gradients of the leaves under `loss`, weighted by ones; ``watch(node, g, parent, gx)`` hears of each edge's.

    No ``.grad`` changes and nothing is freed. The user's hooks on computed tensors run: they may change gradients.
    """
    if loss.node is None:
        return {}
    seed = np.ones(loss.shape, loss.dtype)
    with _watching(watch), _retaining_nothing(ancestors([loss.node])), np.errstate(all="ignore"):
        return backpropagate([loss.node], [seed], None, keep=True, recorded=False)

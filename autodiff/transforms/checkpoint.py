"""Checkpointing: memory traded for time by computing a part of the graph again when its backward pass comes.

As PyTorch's with ``use_reentrant=False``. What the function records is dropped after the call; the backward pass runs
it once more, with the random generator as it was, and so gets the same bits. Source: Chen et al., "Training deep nets
with sublinear memory cost", 2016.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from autodiff import draw_mode, grad_mode, random
from autodiff.backpropagation import backpropagate
from autodiff.graph import Node, ancestors, tick
from autodiff.tensor import Tensor
from autodiff.transforms.forward import swept
from autodiff.transforms.region import Region, close
from autodiff.transforms.trees import leaves, rebuilt


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool = False,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """``function(*args, **kwargs)``, which keeps none of what it computes on the way and runs again in backward.

    The default generator is set back for the second run, so that dropout drops the same, unless not
    `preserve_rng_state`. The second run must compute what the first did: RuntimeError if its results have other
    shapes, or if an argument was written to in between. ValueError for `use_reentrant`, which is not here.

    >>> import autodiff as ad
    >>> x = ad.tensor([1.0, 2.0], requires_grad=True)
    >>> ad.checkpoint(lambda x: x.exp().sin(), x).sum().backward()
    >>> x.grad
    tensor([-2.4784,  3.3129])
    """
    if use_reentrant:
        raise ValueError("checkpoint: expected use_reentrant=False, the only form there is; the other one is outdated")
    if not grad_mode.state.enabled:
        return function(*args, **kwargs)
    region = _Again(function, args, kwargs, random.get_rng_state() if preserve_rng_state else None)
    result, start = region.run()
    outputs = [y for y in leaves(result) if isinstance(y, Tensor)]
    moving = [y for y in outputs if y.node is not None and y.node.time >= start]
    if not moving:
        return result
    region.outer = _boundary([y.node for y in moving if y.node is not None], start)
    region.shapes = [y.shape for y in moving]
    kept = [x.array for x in leaves((args, kwargs)) if isinstance(x, Tensor)]
    closed = iter(close(region, region.outer, [y.array for y in moving], kept))
    chosen = {id(y) for y in moving}
    return rebuilt(result, (next(closed) if id(y) in chosen else y for y in leaves(result)))


def _boundary(roots: Sequence[Node], start: int) -> list[Node]:
    """The nodes from before `start` on which `roots` depend."""
    parents = (parent for node in ancestors(roots, since=start) for parent in node.parents())
    return list(dict.fromkeys(parent for parent in parents if parent is not None and parent.time < start))


class _Again(Region):
    """A part of a graph that is recorded anew whenever a derivative goes through it."""

    outer: list[Node]
    shapes: list[tuple[int, ...]]

    def __init__(self, function: Callable[..., Any], args: Any, kwargs: Any, rng_state: Any) -> None:
        self.function, self.args, self.kwargs, self.rng_state = function, args, kwargs, rng_state
        self.around = draw_mode.state.around

    def run(self) -> tuple[Any, int]:
        """What the function returns, recorded, and when it began."""
        start = tick()
        with grad_mode.enable_grad():
            return self.function(*self.args, **self.kwargs), start

    def _roots(self) -> tuple[list[Node], int]:
        now, around = random.get_rng_state(), draw_mode.state.around
        draw_mode.state.around = self.around
        if self.rng_state is not None:
            random.set_rng_state(self.rng_state)
        # The rules that run around this may not turn tensors into numbers; the function may.
        before, grad_mode.state.in_rule = grad_mode.state.in_rule, False
        try:
            result, start = self.run()
        finally:
            grad_mode.state.in_rule, draw_mode.state.around = before, around
            if self.rng_state is not None:
                random.set_rng_state(now)
        nodes = [y.node for y in leaves(result) if isinstance(y, Tensor)]
        roots = [node for node in nodes if node is not None and node.time >= start]
        if [node.shape for node in roots] != self.shapes:
            raise RuntimeError(
                f"checkpoint: the function gave other results when it ran again: shapes {self.shapes} first, "
                f"{[node.shape for node in roots]} then; it must compute the same each time"
            )
        return roots, start

    def pull(self, gradients: dict[int, Any], recorded: bool) -> list[Any]:
        roots, start = self._roots()
        chosen, seeds = [roots[i] for i in gradients], list(gradients.values())
        arrived = backpropagate(chosen, seeds, set(self.outer), recorded, recorded, start)
        return [arrived.get(node) for node in self.outer]

    def push(self, tangents: list[Any], recorded: bool) -> dict[int, Any]:
        inside = {node: t for node, t in zip(self.outer, tangents, strict=True) if t is not None}
        roots, start = self._roots()
        return {i: t for i, t in enumerate(swept(roots, inside, recorded, start)) if t is not None}


def checkpoint_sequential(
    functions: Iterable[Callable[..., Any]],
    segments: int,
    input: Any,
    *,
    use_reentrant: bool = False,
    preserve_rng_state: bool = True,
) -> Any:
    """The functions one after the other, all but the last of `segments` equal parts of them checkpointed.

    `functions` are functions or modules, or an ``nn.Sequential``. ValueError unless 1 ≤ segments ≤ their number.

    >>> import autodiff as ad
    >>> x = ad.tensor([1.0], requires_grad=True)
    >>> ad.checkpoint_sequential([ad.exp, ad.sin, ad.cos], 2, x)
    tensor([0.9168], grad_fn=<CosBackward0>)
    """
    steps = list(functions)
    if not 1 <= segments <= len(steps):
        raise ValueError(f"checkpoint_sequential: expected from 1 to {len(steps)} segments, got {segments}")
    size = len(steps) // segments

    def part(first: int, end: int) -> Callable[[Any], Any]:
        def run(x: Any) -> Any:
            for step in steps[first:end]:
                x = step(x)
            return x

        return run

    for first in range(0, size * (segments - 1), size):
        input = checkpoint(
            part(first, first + size), input, use_reentrant=use_reentrant, preserve_rng_state=preserve_rng_state
        )
    return part(size * (segments - 1), len(steps))(input)

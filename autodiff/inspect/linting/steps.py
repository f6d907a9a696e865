"""`Lint`: what is wrong with training that only shows over several steps."""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from typing import Any

from autodiff.graph import tick
from autodiff.hooks import register_hook
from autodiff.inspect.linting.fault import Fault
from autodiff.inspect.linting.holders import Mark, holders_of
from autodiff.inspect.linting.one_step import graph_of, lint
from autodiff.inspect.linting.updates import Updates
from autodiff.tensor import Tensor

# A graph that grew, or losses that were kept, for so many steps in a row is taken for one that goes on growing.
STEPS = 3


class Lint:
    """Watches a loop of training: ``check(loss)`` says at every step what `lint` finds, and what several steps show.

    That is a forgotten ``zero_grad()`` or ``step()``, steps that leave a parameter as it is or are as large as the
    parameter itself, and graphs that are kept or grow from step to step, with what holds them. Call `check` between
    ``loss.backward()`` and ``optimizer.step()``; each finding comes once, all are in ``findings``. It keeps a copy of
    the parameters, and hooks on them until the ``with`` block ends. A loop with two optimizers takes two of these.

    >>> import autodiff as ad, nn, optim
    >>> model = nn.Linear(2, 1)
    >>> optimizer = optim.SGD(model.parameters(), lr=0.1)
    >>> with Lint(model, optimizer) as watch:
    ...     for _ in range(2):
    ...         loss = model(ad.ones(4, 2)).square().mean()
    ...         loss.backward()
    ...         for finding in watch.check(loss):
    ...             print(finding.kind, finding.places)
    ...         optimizer.step()
    stale gradients ('weight', 'bias')
    """

    def __init__(self, model: Any, optimizer: Any) -> None:
        self.model, self.optimizer, self.findings = model, optimizer, list[Fault]()
        self._names: dict[Tensor, str] = {p: name for name, p in model.named_parameters() if p.requires_grad}
        # Parameters that were stepped since their last gradient, and those whose gradient has an older one in it.
        self._stepped: set[Tensor] = set()
        self._stale: set[Tensor] = set()
        # Whether the gradients of the check before were replaced by new ones, and how many steps were made since.
        self._replaced, self._steps = False, 0
        self._updates = Updates(self._names)
        # Parameters that some loss depended on, and those of them with a gradient other than 0.
        self._ever, self._moved = set[Tensor](), set[Tensor]()
        self._marks: deque[Any] = deque(maxlen=STEPS)
        self._time, self._older = tick(), deque([0], maxlen=STEPS)
        self._handles = [register_hook(p, self._arriving(p)) for p in self._names]
        self._handles.append(optimizer.register_step_post_hook(self._step_made))

    def __enter__(self) -> Lint:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Take the hooks away and let go of the copies; leaving the ``with`` block does this."""
        for handle in self._handles:
            handle.remove()
        self._updates.before.clear()

    def check(self, loss: Tensor) -> list[Fault]:
        """What is wrong with this step and was not said before; call it after ``loss.backward()``."""
        found = [f for f in lint(self.model, self.optimizer, loss) if f.kind != "no gradient"]
        found += [*self._never(loss), *self._gradients(), *self._growing(loss), *self._held(loss)]
        if self._steps and self._updates.before:
            found += self._updates.findings()
        self._updates.keep(self.optimizer)
        said = {(f.kind, f.places) for f in self.findings}
        new = [f for f in found if (f.kind, f.places) not in said]
        self.findings += new
        self._replaced, self._steps = False, 0
        self._time = tick()
        return new

    def _arriving(self, p: Tensor) -> Any:
        def hook(g: Tensor) -> None:
            if p.grad is None or not p.grad.array.any():
                self._stale.discard(p)
                self._replaced = True
            elif p in self._stepped:
                self._stale.add(p)
            self._stepped.discard(p)

        return hook

    def _step_made(self, *_: Any) -> None:
        self._steps += 1
        self._stepped.update(p for group in self.optimizer.param_groups for p in group["params"])

    def _never(self, loss: Tensor) -> list[Fault]:
        """Parameters that no loss has depended on so far: heads that take turns get their gradients meanwhile."""
        graph = set(graph_of(loss))
        self._ever.update(p for p in self._names if p.grad is not None or p.node in graph)
        self._moved.update(p for p in self._names if p.grad is not None and p.grad.array.any())
        if len(self._marks) < STEPS - 1:
            return []
        trained = [p for group in self.optimizer.param_groups for p in group["params"]]
        never = [self._names[p] for p in trained if p in self._names and p not in self._ever]
        advice = (
            "Use its module in forward(), without detach(), no_grad() or .data on the way to the loss, or take it out"
        )
        what = "without a gradient so far: no loss depends on it"
        found = [Fault.of("no gradient", what, never, advice)] if never else []
        # A bias gets none where a loss takes differences, as that of a critic does.
        still = [self._names[p] for p in trained if p in self._ever and p not in self._moved and p.ndim >= 2]
        # A dead layer, which is said of its own, leaves what lies before it without a gradient.
        if still and self._moved and not any(f.kind == "dead units" for f in self.findings):
            what = "with a gradient of exactly 0 in every step so far"
            advice = "Look for what is multiplied by 0, or used only where its input is 0, on the way to the loss"
            found.append(Fault.of("zero gradient", what, still, advice))
        return found

    def _gradients(self) -> list[Fault]:
        found = []
        stale = [name for p, name in self._names.items() if p in self._stale]
        if stale:
            found.append(
                Fault.of(
                    "stale gradients",
                    "with the gradient of a step before in that of this one",
                    stale,
                    "Call optimizer.zero_grad() once after each optimizer.step(), or before each backward()",
                )
            )
        if self._updates.before and self._replaced and not self._steps:
            found.append(
                Fault.of(
                    "no step",
                    "gradients of the step before were thrown away without optimizer.step()",
                    ["the optimizer"],
                    "Call optimizer.step() after backward(), and zero_grad() after that",
                )
            )
        return found

    def _growing(self, loss: Tensor) -> list[Fault]:
        """A loss that depends on more and more of what was recorded in steps before."""
        older = [node for node in graph_of(loss) if node.op is not None and node.time < self._time]
        self._older.append(len(older))
        counts = list(self._older)
        if len(counts) < STEPS or not all(a < b for a, b in pairwise(counts)):
            return []
        newest = older[-1]
        places = holders_of(newest) or [f"what {newest.name} of shape {newest.shape} computed"]
        return [
            Fault.of(
                "growing graph",
                f"the graph of the loss reaches back into the steps before ({counts[-1]} operations by now), through",
                places,
                "Detach what one step hands to the next: state = state.detach()",
            )
        ]

    def _held(self, loss: Tensor) -> list[Fault]:
        """The graphs of losses before that something keeps alive."""
        kept = [mark() for mark in self._marks]
        found = []
        if len(kept) == STEPS and all(mark is not None for mark in kept):
            found.append(
                Fault.of(
                    "kept graphs",
                    f"the graphs of the last {STEPS} losses are still there, held by",
                    holders_of(*kept) or ["something that was not found"],
                    "Keep numbers instead: losses.append(loss.item()), total += loss.item()",
                )
            )
        del kept
        if loss.node is not None and loss.node.op is not None:
            self._marks.append(Mark.on(loss.node))
        return found

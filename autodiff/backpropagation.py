"""The pass from outputs back to inputs: `backpropagate`.

The engine alone owns the edge contract: what flows along an edge has the shape and dtype of what it flows to. Nodes
are taken newest first from a heap of clock times, so the order is that of the recording and nothing recurses.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from heapq import heappop, heappush
from typing import Any, TypeAlias

import numpy as np

from autodiff import writes
from autodiff.grad_mode import state
from autodiff.graph import FREED, Leaf, Node, ancestors, tick
from autodiff.op import VARIADIC, Op, Rule, recovered
from autodiff.ops.conversion import cast
from autodiff.ops.shape import broadcast, sum_rows, sum_to
from autodiff.tensor import wrap

Watch: TypeAlias = Callable[[Node, Any, Node, Any], None]
_ndarray = np.ndarray
# The last derivatives that recorded a graph of their own: the name and time of the node whose rule ran, and when that
# began; an empty name is the end of a pass. Only names and numbers, so that nothing is kept alive.
rules_recorded: deque[tuple[str, int, int]] = deque(maxlen=10_000)
add = np.add


def backpropagate(
    roots: Sequence[Node], seeds: Sequence[Any], targets: set[Node] | None, keep: bool, recorded: bool, since: int = 0
) -> dict[Node, Any]:
    """The gradients of sum(seed * root) with respect to `targets`, or to every leaf if that is None.

    Gradients flow through nodes from `since` on only: what a target from before depends on does not count. They are
    arrays, or Tensors with a graph of their own if `recorded`. Unless `keep`, what a node saved is released as soon as
    it was used. This one loop is long because it is the engine's hot path: taken apart into functions, a chain of small
    ops takes some 5 % more time.
    """
    inner = None if targets is None else _above(targets, roots, since)
    wanted = None if targets is None or inner is None else inner | targets
    watch = state.watch
    plain = wanted is None and not recorded and watch is None
    arrived: dict[Node, Any] = {}
    # Leaves whose sum the engine has made itself; nodes for which a sum of pieces waits, which it has made too.
    owned: set[Node] = set()
    pieced: set[Node] = set()
    # What waits: one node beside the heap, because in most graphs no second one ever does.
    first: Node | None = None
    first_g: Any = None
    waiting: dict[int, tuple[Node, Any]] = {}
    heap: list[int] = []

    def deliver(parent: Node, g: Any) -> None:
        nonlocal first, first_g
        if g.shape != parent.shape or g.dtype is not parent.dtype:
            g = conform(g, parent)
        if parent.op is None:
            # The first sum is out of place, because a rule may hand the same array to two parents.
            if parent in arrived:
                g = arrived[parent] + g
                if type(g) is _ndarray:
                    owned.add(parent)
            arrived[parent] = g
        elif parent is first:
            first_g = first_g + g
        elif first is None and not heap:
            first, first_g = parent, g
        else:
            key = -parent.time
            if key in waiting:
                waiting[key] = parent, waiting[key][1] + g
            else:
                waiting[key] = parent, g
                heappush(heap, key)

    def add_piece(node: Node, g: Any) -> None:
        """Deliver the gradient of a piece of `node.p0` by adding it to that of an earlier piece, in place."""
        parent = node.p0
        if parent is None or parent not in pieced:
            _pull(node, g, wanted, recorded, deliver)
            if parent is not None and (wanted is None or parent in wanted):
                # The rule, or a sum with what had been delivered before, has just made this array.
                pieced.add(parent)
            return
        total = arrived[parent] if parent.op is None else first_g if parent is first else waiting[-parent.time][1]
        node.op.into(total, g, **node.params)

    for root, seed in zip(roots, seeds, strict=True):
        if wanted is None or root in wanted:
            deliver(root, seed)
    node: Node | None = None
    while True:
        if node is None:
            if first is not None and (not heap or first.time > -heap[0]):
                node, g = first, first_g
                first = first_g = None
            elif heap:
                node, g = waiting.pop(heappop(heap))
            else:
                if recorded:
                    rules_recorded.append(("", 0, tick()))
                return arrived
        if targets is not None and inner is not None:
            if node in targets:
                # As in PyTorch: of a tensor that the pass also goes through, the gradient before its hooks. Those of
                # what stands outside of a region run there.
                arrived[node] = g if node in inner or node.time < since else hooked(node, g, recorded)
            if node not in inner:
                node = None
                continue
        if node.time < writes.last:
            writes.check_stale(node)
        op = node.op
        y = node.y
        inputs = op.unrolled
        if not plain or not inputs or y is FREED:
            # Nothing that an earlier rule has used stays in memory meanwhile.
            y = s0 = s1 = s2 = g1 = None
            if op.hooks is not None:
                g = op.hooks.run(g, recorded)
            if watch is not None:
                _pull_watched(watch, node, g, wanted, recorded, deliver)
            elif op.into is not None and type(g) is _ndarray:
                add_piece(node, g)
            else:
                if recorded:
                    rules_recorded.append((op.name, node.time, tick()))
                _pull(node, g, wanted, recorded, deliver)
            if op.reads and not keep:
                node.free()
            node = None
            continue
        # The plain pass over up to three inputs is unrolled: a call or a tuple costs half of a small op's kernel.
        if y is None:
            y = node
        p0 = node.p0
        s0 = node.s0
        rule = op.rule0
        try:
            if inputs == 2:
                p1 = node.p1
                s1 = node.s1
                if op.with_params:
                    params = node.params or {}
                    if p1 is not None and op.rule1 is not None:
                        deliver(p1, op.rule1(g, y, s0, s1, **params))
                    if p0 is not None and rule is not None:
                        g = rule(g, y, s0, s1, **params)
                    else:
                        p0 = None
                else:
                    if p1 is not None and op.rule1 is not None:
                        g1 = op.rule1(g, y, s0, s1)
                        if p1 in owned and type(g1) is _ndarray and g1.shape == p1.shape and g1.dtype is p1.dtype:
                            total = arrived[p1]
                            add(total, g1, total)
                        else:
                            deliver(p1, g1)
                    if p0 is not None:
                        if rule is None:
                            p0 = None
                        else:
                            g = rule(g, y, s0, s1)
            elif inputs == 1:
                params = node.params
                if op.memo:
                    g = rule(g, y, s0, node.memo, **(params or {}))
                else:
                    g = rule(g, y, s0) if params is None else rule(g, y, s0, **params)
            else:
                p1 = node.p1
                p2 = node.p2
                s1 = node.s1
                s2 = node.s2
                params = node.params or {}
                if p2 is not None and op.rule2 is not None:
                    deliver(p2, op.rule2(g, y, s0, s1, s2, **params))
                if p1 is not None and op.rule1 is not None:
                    deliver(p1, op.rule1(g, y, s0, s1, s2, **params))
                if p0 is not None and rule is not None:
                    g = rule(g, y, s0, s1, s2, **params)
                else:
                    p0 = None
        except Exception as error:
            raise _rule_failed(node, error) from error
        if op.reads and not keep:
            # The local name too: s0 and y soon stand for something else, but ops with one input have no s1.
            s1 = node.s0 = node.s1 = None
            node.y = FREED
            if inputs == 3:
                node.s2 = None
            elif op.memo:
                node.memo = None
        # In a chain nothing else waits: the next node is this one's parent.
        node = p0
        if p0 is not None and (
            heap or first is not None or p0.op is None or g.shape != p0.shape or g.dtype is not p0.dtype
        ):
            deliver(p0, g)
            node = None


def _pull_watched(
    watch: Watch, node: Node, g: Any, wanted: set[Node] | None, recorded: bool, deliver: Callable[[Node, Any], None]
) -> None:
    """`_pull`, with `watch` told of all gradients that the node sends before any arrives."""
    sent: list[tuple[Node, Any]] = []
    _pull(node, g, wanted, recorded, lambda parent, gx: sent.append((parent, gx)))
    for parent, gx in sent:
        watch(node, g, parent, gx)
    for parent, gx in sent:
        deliver(parent, gx)


def _pull(node: Node, g: Any, wanted: set[Node] | None, recorded: bool, deliver: Callable[[Node, Any], None]) -> None:
    """Send each parent that wants a gradient its own, given the gradient `g` of the output of `node`."""
    op, y = node.op, node.y
    params: dict[str, Any] = node.params or {}
    if y is FREED:
        raise RuntimeError(
            f"trying to backward through the graph a second time: {node.name} (output shape {node.shape}) has freed "
            f"what it saved. Pass retain_graph=True to the first backward() or grad(), or compute the loss again"
        )
    if y is None:
        y = node
    elif recorded:
        y = wrap(y, node)
    parents, saved = node.parents(), node.operands()
    # The fast forms are for plain arrays; the rules themselves run on those inside vmap too. Where the kernel takes any
    # axes in front, `recovered` gives the fast form, which fails inside vmap, all samples as plain arrays.
    anywhere = (op.array_rules is op.rules and op.array_joint is op.joint) or (op.batched is op.kernel and not op.memo)
    fast = not recorded and (anywhere or not any(hasattr(a, "each_sample") for a in (g, y, *saved)))
    rules, joint = (op.array_rules, op.array_joint) if fast else (op.rules, op.joint)
    if recorded:
        saved = tuple(_as_saved(s, p) for s, p in zip(saved, parents, strict=True))
    memo = (node.memo,) if op.memo and fast else ()
    try:
        if joint is None:
            for parent, rule in zip(parents, rules, strict=True):
                if parent is not None and rule is not None and (wanted is None or parent in wanted):
                    deliver(parent, _applied(op, rule, (g, y, *saved, *memo), params))
            return
        needs = [parent is not None and (wanted is None or parent in wanted) for parent in parents]
        inputs = (saved,) if op.arity == VARIADIC else saved
        found = joint(g, y, *inputs, *memo, needs=needs, **params)
        for parent, gx, need in zip(parents, found, needs, strict=True):
            if parent is not None and need and gx is not None:
                deliver(parent, gx)
    except Exception as error:
        if op.function is not None:
            # A user's own backward: its error is the user's.
            if node.line is not None:
                error.add_note(f"in the backward of {node.name}, recorded at {node.line}")
            raise
        raise _rule_failed(node, error) from error


def hooked(node: Node, g: Any, recorded: bool) -> Any:
    """`g` after the hooks of a tensor with `node`."""
    hooks = node.hooks if isinstance(node, Leaf) else node.op.hooks
    return g if hooks is None else hooks.run(g, recorded)


def _applied(op: Op, rule: Rule, arguments: Sequence[Any], params: dict[str, Any]) -> Any:
    try:
        return rule(*arguments, **params)
    except Exception as error:
        return recovered(op, rule, error, arguments, params)


def _rule_failed(node: Node, error: Exception) -> RuntimeError:
    shapes = ", ".join("constant" if p is None else str(p.shape) for p in node.parents())
    where = "" if node.line is None else f", recorded at {node.line}"
    return RuntimeError(f"the derivative of {node.name} failed (inputs {shapes}; output {node.shape}{where}): {error}")


def _as_saved(saved: Any, parent: Node | None) -> Any:
    """A saved array as the Tensor it was, with its place in the graph; specs and constants as they are."""
    return wrap(saved, parent) if parent is not None and saved is not parent else saved


def conform(g: Any, target: Node) -> Any:
    """`g` with the shape and dtype of the node it flows to."""
    have, want = g.shape, target.shape
    if have != want:
        extra = len(have) - len(want)
        if extra == 1 and len(want) == 1 and have[1] == want[0] and type(g) is _ndarray:
            # The gradient of a bias, by far the most frequent.
            g = sum_rows(g)
        else:
            if extra < 0 or any(h != w and h == 1 for h, w in zip(have[extra:], want, strict=True)):
                # A rule may leave to broadcasting what is equal along an axis, as that of a sum does.
                # np.broadcast_shapes takes 3 µs, and a single number, as from a total, fits everywhere.
                g = broadcast.rule(g, shape=np.broadcast_shapes(have, want) if have else want)
            if g.shape != want:
                g = sum_to.rule(g, shape=want)
    return g if g.dtype is target.dtype else cast.rule(g, dtype=target.dtype)


def _above(targets: set[Node], roots: Iterable[Node], since: int) -> set[Node]:
    """The nodes between `roots` and `targets`: those with a target among their ancestors."""
    if not targets:
        return set()
    inner: set[Node] = set()
    for node in ancestors(roots, since=max(since, min(node.time for node in targets))):
        if any(parent in targets or parent in inner for parent in node.parents()):
            inner.add(node)
    return inner

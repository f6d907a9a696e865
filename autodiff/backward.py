"""Reverse-mode differentiation: `backpropagate`, `backward` and `grad`.

The engine alone owns the edge contract: what flows along an edge has the shape and dtype of what it flows to. Nodes
are taken newest first from a heap of clock times, so the order is that of the recording and nothing recurses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from heapq import heappop, heappush
from sys import getrefcount
from threading import RLock
from typing import Any

import numpy as np

from autodiff import grad_mode, writes
from autodiff.graph import FREED, Leaf, Node, ancestors
from autodiff.op import VARIADIC, Op, Rule, recovered
from autodiff.ops.conversion import cast, clone, row_major
from autodiff.ops.joining import stack
from autodiff.ops.shape import broadcast, sum_rows, sum_to
from autodiff.ops.splitting import unbind
from autodiff.tensor import Array, Tensor, Tensors, expect_grad, wrap

_ndarray = np.ndarray
add = np.add
# Held while gradients are added to those of leaves: threads that share parameters must not lose each other's.
_accumulating = RLock()


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
    plain = wanted is None and not recorded
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
                return arrived
        if targets is not None and inner is not None:
            if node in targets:
                # As in PyTorch: of a tensor that the pass also goes through, the gradient before its hooks.
                arrived[node] = g if node in inner else hooked(node, g, recorded)
            if node not in inner:
                node = None
                continue
        if node.time < writes.last:
            writes.check_stale(node)
        op = node.op
        y = node.y
        inputs = op.unrolled
        if not plain or not inputs or y is FREED:
            if op.hooks is not None:
                g = op.hooks.run(g, recorded)
            if op.into is not None and type(g) is _ndarray:
                add_piece(node, g)
            else:
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
                if p1 is not None and op.rule1 is not None:
                    g1 = op.rule1(g, y, s0, s1)
                    if p1 in owned and type(g1) is _ndarray and g1.shape == p1.shape and g1.dtype is p1.dtype:
                        total = arrived[p1]
                        add(total, g1, total)
                    else:
                        deliver(p1, g1)
                    g1 = None
                if p0 is not None:
                    if rule is None:
                        p0 = None
                    else:
                        g = rule(g, y, s0, s1)
            elif inputs == 1:
                params = node.params
                if op.memo:
                    g = rule(g, y, s0, node.s1, **(params or {}))
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
            # The local names too: a later rule must not find in memory what was used long ago.
            s0 = s1 = y = node.s0 = node.s1 = None
            node.y = FREED
            if inputs == 3:
                s2 = node.s2 = None
        # In a chain nothing else waits: the next node is this one's parent.
        node = p0
        if p0 is not None and (
            heap or first is not None or p0.op is None or g.shape != p0.shape or g.dtype is not p0.dtype
        ):
            deliver(p0, g)
            node = None


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
    # The fast forms are for plain arrays; the rules themselves run on those inside vmap too.
    fast = op.array_rules is op.rules or not any(hasattr(a, "each_sample") for a in (g, y, *saved))
    rules = op.array_rules if fast else op.rules
    if recorded:
        saved = tuple(_as_saved(s, p) for s, p in zip(saved, parents, strict=True))
        rules = op.rules
    elif op.memo and fast:
        saved = (*saved, node.s1)
    try:
        if op.joint is None:
            for parent, rule in zip(parents, rules, strict=True):
                if parent is not None and rule is not None and (wanted is None or parent in wanted):
                    deliver(parent, _applied(op, rule, (g, y, *saved), params))
            return
        needs = [parent is not None and (wanted is None or parent in wanted) for parent in parents]
        inputs = (saved,) if op.arity == VARIADIC else saved
        for parent, gx, need in zip(parents, op.joint(g, y, *inputs, needs=needs, **params), needs, strict=True):
            if parent is not None and need and gx is not None:
                deliver(parent, gx)
    except Exception as error:
        if op.function is not None:
            # A user's own backward: its error is the user's.
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
    return RuntimeError(f"the derivative of {node.name} failed (inputs {shapes}; output {node.shape}): {error}")


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


def _seeds(outputs: Sequence[Tensor], gradients: Sequence[Tensor | None], recorded: bool) -> list[Any]:
    seeds: list[Any] = []
    for y, g in zip(outputs, gradients, strict=True):
        if y.node is None:
            raise RuntimeError(
                f"the tensor of shape {y.shape} and dtype {y.dtype} does not require grad and has no grad_fn, so "
                f"there is nothing to differentiate; was it computed from parameters, outside no_grad()?"
            )
        if g is None:
            if y.array.size != 1:
                raise RuntimeError(
                    f"grad can be implicitly created only for scalar outputs, got shape {y.shape}; reduce it first "
                    f"(y.sum() or y.mean()), or pass gradient= with that shape"
                )
            seed: Any = np.array(1, y.dtype) if not y.shape else np.ones(y.shape, y.dtype)
            seeds.append(wrap(seed) if recorded else seed)
            continue
        if not isinstance(g, Tensor) or g.shape != y.shape:
            came = g.shape if isinstance(g, Tensor) else type(g).__name__
            raise RuntimeError(f"expected a gradient Tensor of the output's shape {y.shape}, got {came}")
        seeds.append(g if recorded else g.array)
    return seeds


def _run(
    outputs: Sequence[Tensor],
    gradients: Sequence[Tensor | None],
    targets: set[Node] | None,
    keep: bool,
    create_graph: bool,
) -> dict[Node, Any]:
    seeds = _seeds(outputs, gradients, create_graph)
    roots = [y.node for y in outputs if y.node is not None]
    if not create_graph:
        return backpropagate(roots, seeds, targets, keep, recorded=False)
    with grad_mode.enable_grad():
        before, grad_mode.state.in_rule = grad_mode.state.in_rule, True
        try:
            return backpropagate(roots, seeds, targets, keep, recorded=True)
        finally:
            grad_mode.state.in_rule = before


def _sequence(value: Any) -> list[Any]:
    return [value] if value is None or isinstance(value, Tensor) else list(value)


def _nodes(inputs: Sequence[Tensor]) -> list[Node]:
    nodes = []
    for i, x in enumerate(inputs):
        if not isinstance(x, Tensor) or x.node is None:
            raise RuntimeError(
                f"input {i} does not require grad, so nothing can be differentiated with respect to it; "
                f"create it with requires_grad=True, or call x.requires_grad_() before computing with it"
            )
        nodes.append(x.node)
    return nodes


def grad(
    outputs: Tensors,
    inputs: Tensors,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    *,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor, ...]:
    """The gradients of sum(grad_outputs * outputs) with respect to each of `inputs`, in their shapes.

    With `create_graph` they can be differentiated again. An input that the outputs do not depend on is a RuntimeError
    unless `allow_unused` (then None) or `materialize_grads` (then zeros). Nothing is accumulated into ``.grad``. With
    `is_grads_batched` each of `grad_outputs` has a further axis in front, and so have the gradients: one for each row.

    >>> import autodiff as ad
    >>> x = ad.tensor(3.0, requires_grad=True)
    >>> (first,) = ad.grad(x**3, x, create_graph=True)
    >>> ad.grad(first, x)
    (tensor(18.),)
    """
    ys, xs = _sequence(outputs), _sequence(inputs)
    if materialize_grads and allow_unused is False:
        raise ValueError("materialize_grads=True gives zeros for unused inputs; expected allow_unused left out or True")
    if not xs:
        raise RuntimeError("grad: expected at least one input to differentiate with respect to, got none")
    gradients = _sequence(grad_outputs) if grad_outputs is not None else [None] * len(ys)
    if len(gradients) != len(ys):
        raise RuntimeError(f"expected one of grad_outputs for each output, got {len(gradients)} for {len(ys)}")
    keep = create_graph if retain_graph is None else retain_graph
    find = _found_by_row if is_grads_batched else _found
    found = find(ys, gradients, _nodes(xs), keep, create_graph)
    for i, (x, g) in enumerate(zip(xs, found, strict=True)):
        if g is None and materialize_grads:
            found[i] = wrap(np.zeros(x.shape, x.dtype)).requires_grad_(create_graph)
        elif g is None and not allow_unused:
            raise RuntimeError(
                f"input {i} (shape {x.shape}) was not used in computing the outputs; pass allow_unused=True to get "
                f"None for it, or materialize_grads=True to get zeros"
            )
    return tuple(found)


def _found(outputs: Sequence[Tensor], gradients: Sequence[Any], nodes: list[Node], keep: bool, record: bool) -> Any:
    """The gradient of each of `nodes` as a tensor, None where nothing arrived."""
    arrived = _run(outputs, gradients, set(nodes), keep, record)
    found: list[Tensor | None] = []
    for node in nodes:
        g = arrived.get(node)
        if g is not None and isinstance(node, Leaf):
            g = hooked(node, g, record)
        found.append(wrap(np.array(g)) if isinstance(g, _ndarray | np.generic) else g)
    return found


def _found_by_row(
    outputs: Sequence[Tensor], gradients: Sequence[Any], nodes: list[Node], keep: bool, record: bool
) -> list[Tensor | None]:
    """As `_found`, once for each row of the gradients; what is found is stacked."""
    shapes = [g.shape if isinstance(g, Tensor) else () for g in gradients]
    if len({shape[:1] for shape in shapes}) != 1 or not shapes[0] or not shapes[0][0]:
        raise RuntimeError(
            f"is_grads_batched: expected a gradient Tensor for each output, all with a first axis of one length, at "
            f"least 1, got the shapes {', '.join(map(str, shapes))}"
        )
    with grad_mode.enable_grad() if record else grad_mode.no_grad():
        rows = list(zip(*map(unbind, gradients), strict=True))
        passes = [_found(outputs, row, nodes, keep or i < len(rows), record) for i, row in enumerate(rows, 1)]
        return [None if any(g is None for g in found) else stack(found) for found in zip(*passes, strict=True)]


def backward(
    outputs: Tensors,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensors | None = None,
) -> None:
    """Add the gradients of sum(grad_tensors * outputs) into ``.grad`` of every leaf, or only of `inputs`.

    >>> import autodiff as ad
    >>> x = ad.tensor([1.0, 2.0], requires_grad=True)
    >>> ad.backward((x * x).sum()); x.grad
    tensor([2., 4.])
    """
    ys = _sequence(outputs)
    gradients = _sequence(grad_tensors) if grad_tensors is not None else [None] * len(ys)
    if len(gradients) != len(ys):
        raise RuntimeError(f"expected one gradient for each output, got {len(gradients)} for {len(ys)}")
    targets = None
    if inputs is not None:
        tensors = _sequence(inputs)
        if not tensors:
            raise RuntimeError("backward: expected at least one tensor as inputs; leave inputs out for all leaves")
        targets = set(_nodes(tensors))
        for x in tensors:
            expect_grad(x)
    keep = create_graph if retain_graph is None else retain_graph
    arrived = _run(ys, gradients, targets, keep, create_graph)
    with_hooks = []
    with _accumulating:
        while arrived:
            node, g = arrived.popitem()
            tensor = node.tensor() if isinstance(node, Leaf) else _of(node, tensors)
            # The user may have switched requires_grad off, or the tensor may be gone.
            if tensor is not None and tensor.node is node:
                if isinstance(node, Leaf) and node.hooks is not None:
                    with_hooks.append((node, tensor, g))
                else:
                    _accumulate(tensor, g)
    # A hook may wait for another thread, and so must run outside the lock.
    for leaf, tensor, g in with_hooks:
        g = leaf.hooks.run(g, create_graph)
        with _accumulating:
            _accumulate(tensor, g)
        leaf.hooks.accumulated(tensor)


def _of(node: Node, tensors: Sequence[Tensor]) -> Tensor:
    return next(x for x in tensors if x.node is node)


def _accumulate(tensor: Tensor, g: Any) -> None:
    """Add `g` into ``tensor.grad``, which afterwards shares memory with nothing else."""
    if isinstance(g, Tensor):
        tensor.grad = clone(g) if tensor.grad is None else tensor.grad + g
    elif tensor.grad is None:
        # Three references are this frame's, the caller's and getrefcount's own: nobody else can see the array.
        fresh = type(g) is _ndarray and getrefcount(g) <= 3 and _owns_memory(g)
        tensor.grad = wrap(g if fresh else row_major(g))
    elif tensor.grad.node is not None:
        tensor.grad = wrap(tensor.grad.array + g)
    else:
        array: Array = tensor.grad.array
        np.add(array, g, out=array)
        writes.record_write(array)


def _owns_memory(g: Array) -> bool:
    """Whether the memory of `g` is its own, or that of an array that only it is a view of, as after a reshape."""
    if not (g.flags.c_contiguous and g.flags.writeable):
        return False
    base = g.base
    # Three references are those of the view, of this frame and of getrefcount.
    return base is None or (
        type(base) is _ndarray and base.base is None and base.nbytes == g.nbytes and getrefcount(base) <= 3
    )


def tensor_backward(
    self: Tensor,
    gradient: Tensor | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensors | None = None,
) -> None:
    """Add the gradients of this tensor with respect to every leaf (or only `inputs`) into their ``.grad``.

    `gradient`, of this tensor's shape, weights its elements; it may be left out for a single element. What the graph
    saved is freed unless `retain_graph`. With `create_graph` the gradients keep a graph of their own: prefer `grad`,
    since ``.grad`` then holds the graph and the graph the parameter.

    >>> import autodiff as ad
    >>> x = ad.tensor([1.0, 2.0], requires_grad=True)
    >>> x.exp().sum().backward(); x.grad
    tensor([2.7183, 7.3891])
    """
    backward(self, None if gradient is None else [gradient], retain_graph, create_graph, inputs)

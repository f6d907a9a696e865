"""What users call: `backward`, which accumulates gradients into ``.grad``, and `grad`, which returns them."""

from __future__ import annotations

from collections.abc import Sequence
from sys import getrefcount
from threading import RLock
from typing import Any, overload

import numpy as np

from autodiff import grad_mode, writes
from autodiff.backpropagation import backpropagate, hooked
from autodiff.graph import Leaf, Node
from autodiff.ops.conversion import clone, copied_by_rows
from autodiff.ops.joining import stack
from autodiff.ops.splitting import unbind
from autodiff.tensor import Array, Tensor, Tensors, expect_grad, wrap

_ndarray = np.ndarray
# Held while gradients are added to those of leaves: threads that share parameters must not lose each other's.
_accumulating = RLock()


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


def _inputs(inputs: Any) -> list[Any]:
    return list(inputs.values()) if isinstance(inputs, dict) else _sequence(inputs)


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


@overload
def grad(outputs: Tensors, inputs: dict[str, Tensor], *args: Any, **kwargs: Any) -> dict[str, Tensor]: ...


@overload
def grad(outputs: Tensors, inputs: Tensors, *args: Any, **kwargs: Any) -> tuple[Tensor, ...]: ...


def grad(
    outputs: Tensors,
    inputs: Tensors | dict[str, Tensor],
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor, ...] | dict[str, Tensor]:
    """The gradients of sum(grad_outputs * outputs) with respect to each of `inputs`, in their shapes.

    With `create_graph` they can be differentiated again. An input that the outputs do not depend on is a RuntimeError
    unless `allow_unused` (then None) or `materialize_grads` (then zeros). Nothing is accumulated into ``.grad``. With
    `is_grads_batched` each of `grad_outputs` has a further axis in front, and so have the gradients: one for each row.
    From a dict of inputs come the gradients under the same names.

    >>> import autodiff as ad
    >>> x = ad.tensor(3.0, requires_grad=True)
    >>> (first,) = ad.grad(x**3, x, create_graph=True)
    >>> ad.grad(first, x)
    (tensor(18.),)
    """
    ys, xs = _sequence(outputs), _inputs(inputs)
    if not only_inputs:
        raise ValueError(
            "grad accumulates nothing into other leaves: call backward() for that, or leave only_inputs out"
        )
    if materialize_grads and allow_unused is False:
        raise ValueError("materialize_grads=True gives zeros for unused inputs; expected allow_unused left out or True")
    if not xs:
        raise RuntimeError("grad: expected at least one input to differentiate with respect to, got none")
    gradients = _sequence(grad_outputs) if grad_outputs is not None else [None] * len(ys)
    if len(gradients) != len(ys):
        raise RuntimeError(f"expected one of grad_outputs for each output, got {len(gradients)} for {len(ys)}")
    keep = create_graph if retain_graph is None else retain_graph
    find = _found_by_row if is_grads_batched else _found
    found: Any = find(ys, gradients, _nodes(xs), keep, create_graph)
    for i, (x, g) in enumerate(zip(xs, found, strict=True)):
        if g is None and materialize_grads:
            found[i] = wrap(np.zeros(x.shape, x.dtype)).requires_grad_(create_graph)
        elif g is None and not allow_unused:
            raise RuntimeError(
                f"input {i} (shape {x.shape}) was not used in computing the outputs; pass allow_unused=True to get "
                f"None for it, or materialize_grads=True to get zeros"
            )
    return dict(zip(inputs, found, strict=True)) if isinstance(inputs, dict) else tuple(found)


def _found(outputs: Sequence[Tensor], gradients: Sequence[Any], nodes: list[Node], keep: bool, record: bool) -> Any:
    """The gradient of each of `nodes` as a tensor, None where nothing arrived."""
    arrived = _run(outputs, gradients, set(nodes), keep, record)
    found: list[Tensor | None] = []
    for node in nodes:
        g = arrived.get(node)
        if g is not None and isinstance(node, Leaf):
            g = hooked(node, g, record)
        if g is not None and not isinstance(g, Tensor):
            # As a number it has no copy(), and an array inside vmap is none of NumPy's.
            g = wrap(np.array(g) if isinstance(g, _ndarray | np.generic) else g.copy())
        found.append(g)
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
    inputs: Tensors | dict[str, Tensor] | None = None,
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
        tensors = _inputs(inputs)
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
        leaf.hooks.accumulated(tensor, create_graph)


def _of(node: Node, tensors: Sequence[Tensor]) -> Tensor:
    return next(x for x in tensors if x.node is node)


def _accumulate(tensor: Tensor, g: Any) -> None:
    """Add `g` into ``tensor.grad``, which afterwards shares memory with nothing else."""
    if isinstance(g, Tensor):
        tensor.grad = clone(g) if tensor.grad is None else tensor.grad + g
    elif tensor.grad is None:
        # Three references are this frame's, the caller's and getrefcount's own: nobody else can see the array.
        fresh = type(g) is _ndarray and getrefcount(g) <= 3 and _owns_memory(g)
        tensor.grad = wrap(g if fresh else copied_by_rows(g))
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
    inputs: Tensors | dict[str, Tensor] | None = None,
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

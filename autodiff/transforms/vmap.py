"""`vmap`: a function of one sample made one of many, which computes all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from autodiff import draw_mode, grad_mode
from autodiff.backpropagation import backpropagate, hooked
from autodiff.grad_mode import INFERENCE
from autodiff.graph import Leaf, Node, ancestors, tick
from autodiff.ops.joining import cat
from autodiff.ops.shape import broadcast
from autodiff.tensor import Tensor, wrap
from autodiff.transforms import each_sample, forward, numpy_products
from autodiff.transforms.batching import Batched, add_level, levels_of, remove_level, spread
from autodiff.transforms.region import Region, close
from autodiff.transforms.trees import for_each_leaf, leaves, rebuilt
from autodiff.views import View

assert numpy_products, each_sample  # imported for what they make of Batched


class Entered(Leaf):
    """The node of a tensor inside a vmap that is one outside, along `axis`, or the whole of it if that is None."""

    __slots__ = ("axis", "level", "outer")

    def __init__(self, tensor: Tensor, outer: Node, axis: int | None, level: int) -> None:
        super().__init__(tensor)
        self.outer, self.axis, self.level = outer, axis, level


class Scope:
    """One call of vmap: its level, how many samples it has, and what random draws give."""

    __slots__ = ("level", "randomness", "size")

    def __init__(self, size: int, randomness: str) -> None:
        self.level, self.size, self.randomness = tick(), size, randomness

    def enter(self, x: Tensor, axis: int | None) -> Tensor:
        """`x` as one sample sees it, the samples lying along `axis`, or all of it being the same for all."""
        array: Any = x.array if axis is None else add_level(x.array, axis, self.level)
        inside = wrap(array)
        inside.alias = _borrowed(x)
        if x.node is not None:
            inside.node = Entered(inside, x.node, axis, self.level)
        return inside

    def _outside(self, y: Any, axis: int) -> Any:
        """The array of all samples, which lie along `axis`."""
        if type(y) is Batched and self.level in y.levels:
            return remove_level(y, axis, self.level)
        shape = (*y.shape[:axis], self.size, *y.shape[axis:])
        return np.broadcast_to(np.expand_dims(y, axis), shape)

    def leave(self, tensors: Sequence[Tensor], axes: Sequence[int]) -> list[Tensor]:
        """The tensors of all samples, along `axes`, for those of one; derivatives go through a `Region`."""
        out: list[Tensor] = []
        inside = []
        for i, (y, axis) in enumerate(zip(tensors, axes, strict=True)):
            if y.node is not None and y.node.time < self.level:
                # Nothing happened to it inside.
                shape = (*y.shape[:axis], self.size, *y.shape[axis:])
                out.append(broadcast(y.unsqueeze(axis), shape=shape))
                continue
            if y.node is not None:
                inside.append(i)
            out.append(wrap(self._outside(y.array, axis)))
        region = _Inside(self, [tensors[i].node for i in inside], [axes[i] for i in inside])
        if region.outer and grad_mode.state.enabled:
            for i, closed in zip(inside, close(region, region.outer, [out[i].array for i in inside]), strict=True):
                out[i] = closed
        return out


def _borrowed(x: Tensor) -> Any:
    """What `inplace` knows of the memory of `x` inside: what is written there with gradients would be lost outside."""
    if x.alias is INFERENCE:
        return INFERENCE
    view = View()
    view.root = wrap(x.array, x.alias.root.node if type(x.alias) is View and x.node is None else x.node)
    view.before = view.op = None
    view.params = {}
    view.shape, view.origin = x.shape, "by vmap, of a tensor from outside,"
    return view


class _Inside(Region):
    """The graph inside a vmap: from its outputs `roots` to the nodes `sources`, which stand for those `outer`."""

    def __init__(self, scope: Scope, roots: Sequence[Any], axes: Sequence[int]) -> None:
        self.scope, self.roots, self.axes = scope, roots, axes
        found: dict[Node, Node] = {}
        for node in ancestors(roots, since=scope.level):
            if isinstance(node, Entered) and node.level == scope.level:
                found[node] = node.outer
            for parent in node.parents():
                if parent is not None and parent.time < scope.level:
                    found[parent] = parent
        self.sources, self.outer = list(found), list(found.values())

    def _entered(self, value: Any, axis: int | None) -> Any:
        if isinstance(value, Tensor):
            return self.scope.enter(value, axis)
        return value if axis is None else add_level(value, axis, self.scope.level)

    def _axis(self, source: Node) -> int | None:
        """Where the samples lie in what stands outside for `source`; None if all share it."""
        return source.axis if isinstance(source, Entered) and source.level == self.scope.level else None

    def pull(self, gradients: dict[int, Any], recorded: bool) -> list[Any]:
        roots = [self.roots[i] for i in gradients]
        seeds = [self._entered(g, self.axes[i]) for i, g in gradients.items()]
        arrived = backpropagate(roots, seeds, set(self.sources), True, recorded, self.scope.level)
        found = [
            (source, arrived[source] if self._axis(source) is None else hooked(source, arrived[source], recorded))
            for source in self.sources
            if source in arrived
        ]
        axes = [self._axis(source) or 0 for source, _ in found]
        if recorded:
            each: list[Any] = self.scope.leave([g for _, g in found], axes)
        else:
            each = [self.scope._outside(g, axis) for (_, g), axis in zip(found, axes, strict=True)]
        # What stands outside and was used by all samples gets the sum over them.
        sums = {s: g.sum(0) if self._axis(s) is None else g for (s, _), g in zip(found, each, strict=True)}
        return [sums.get(source) for source in self.sources]

    def push(self, tangents: list[Any], recorded: bool) -> dict[int, Any]:
        given = zip(self.sources, tangents, strict=True)
        inside = {source: self._entered(t, self._axis(source)) for source, t in given if t is not None}
        found = forward.swept(self.roots, inside, recorded, self.scope.level)
        moved = {i: t for i, t in enumerate(found) if t is not None}
        axes = [self.axes[i] for i in moved]
        if recorded:
            return dict(zip(moved, self.scope.leave(list(moved.values()), axes), strict=True))
        return {i: self.scope._outside(t, axis) for (i, t), axis in zip(moved.items(), axes, strict=True)}


def _drawn(scopes: Sequence[Scope], method: Callable[..., Any], generator: Any, *args: Any, **options: Any) -> Any:
    """What a draw gives inside `scopes`: one for each sample of those that ask for different ones."""
    if any(scope.randomness == "error" for scope in scopes):
        raise RuntimeError(
            "vmap: a random draw was called; say randomness='different' for another one for each sample, or "
            "randomness='same' for the same one for all"
        )
    different = [scope for scope in scopes if scope.randomness == "different"]
    levels, hidden = tuple(s.level for s in different), tuple(s.size for s in different)
    given = list(args)
    if method.__name__ in ("bernoulli_like", "poisson"):
        p = given[0]
        if not set(levels_of([p])) <= set(levels):
            raise RuntimeError("vmap: randomness='same' cannot hold for probabilities that differ between samples")
        if levels:
            data = spread(p, levels, p.ndim) if type(p) is Batched else p
            given[0] = np.ascontiguousarray(np.broadcast_to(data, hidden + p.shape))
    elif levels and method.__name__ == "permutation":
        orders = [method(generator, *given, **options) for _ in range(int(np.prod(hidden)))]
        return Batched(np.stack(orders).reshape(*hidden, -1), levels)
    elif levels:
        at = 2 if method.__name__ == "integers" else 0
        given[at] = hidden + tuple(given[at])
    drawn = method(generator, *given, **options)
    return Batched(drawn, levels) if levels else drawn


class _Draws:
    """A ``with`` block around the function of a vmap, in which random draws go by its rule."""

    def __init__(self, scope: Scope) -> None:
        self.before = draw_mode.state.around
        outer = self.before.scopes if isinstance(self.before, _Draws) else ()
        self.scopes: tuple[Scope, ...] = (*outer, scope)

    def __enter__(self) -> None:
        draw_mode.state.around = self

    def __exit__(self, *exception: object) -> None:
        draw_mode.state.around = self.before

    def __call__(self, method: Callable[..., Any], generator: Any, *args: Any, **options: Any) -> Any:
        # What draws for several samples draws as anywhere else.
        draw_mode.state.around = None
        try:
            return _drawn(self.scopes, method, generator, *args, **options)
        finally:
            draw_mode.state.around = self


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """`func`, a function of one sample, as one of many samples, computed all at once.

    `in_dims` says along which axis of each argument the samples lie, None for one that all share: an int for all, or a
    tree like the arguments (tuples, lists, dicts) that may end early. `out_dims` says the same of the results.
    Arguments by keyword are shared by all samples. `randomness` is "error", "different" for each sample, or
    "same". Of `chunk_size` samples at a time, if given. An op that cannot take all samples at once runs once a sample,
    with a warning. ValueError for arguments that do not fit; RuntimeError for a number or bool of a tensor inside.

    >>> import autodiff as ad
    >>> ad.vmap(ad.dot)(ad.ones(2, 3), ad.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
    tensor([ 6., 15.])
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(f"vmap: expected randomness 'error', 'different' or 'same', got {randomness!r}")
    if chunk_size is not None and (not isinstance(chunk_size, int) or chunk_size < 1):
        raise ValueError(f"vmap: expected a chunk_size of at least 1, or None, got {chunk_size!r}")

    @wraps(func)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        tensors, dims, size = _inputs(func, in_dims, args)
        if chunk_size is None or chunk_size >= size:
            outputs, form, axes = _run(func, tensors, dims, size, out_dims, randomness, args, kwargs)
            return rebuilt(form, iter(outputs))
        parts = []
        for start in range(0, size, chunk_size):
            n = min(chunk_size, size - start)
            part = [x if d is None else x.narrow(d, start, n) for x, d in zip(tensors, dims, strict=True)]
            outputs, form, axes = _run(func, part, dims, n, out_dims, randomness, args, kwargs)
            parts.append(outputs)
        joined = [ys[0] if d is None else cat(ys, d) for ys, d in zip(zip(*parts, strict=True), axes, strict=True)]
        return rebuilt(form, iter(joined))

    return mapped


def _inputs(func: Any, in_dims: Any, args: Any) -> tuple[list[Any], list[int | None], int]:
    """The leaves of the arguments, the axis of the samples in each, and how many samples there are."""
    name = getattr(func, "__name__", "f")
    if not isinstance(in_dims, int | tuple | list):
        raise ValueError(
            f"vmap: expected in_dims to be an int or a tuple that matches the inputs of {name}, got {in_dims!r}"
        )
    given = leaves(args)
    if not given:
        raise ValueError(f"vmap: {name} was called without inputs, so there are no samples; pass at least one tensor")
    try:
        dims = for_each_leaf(list(in_dims) if isinstance(in_dims, tuple) else in_dims, list(args))
    except ValueError:
        raise ValueError(
            f"vmap: expected in_dims with the structure of the inputs of {name}, an int or None for each of "
            f"{len(args)} arguments, got {in_dims!r}"
        ) from None
    sizes = set()
    for i, (x, dim) in enumerate(zip(given, dims, strict=True)):
        if dim is None:
            continue
        if not isinstance(dim, int):
            raise ValueError(f"vmap: expected an int or None as in_dim, got {dim!r}")
        if not isinstance(x, Tensor):
            raise ValueError(
                f"vmap: in_dim {dim} belongs to an argument of type {type(x).__name__}, which has no samples; use None "
                f"for what is not a tensor"
            )
        if not -x.ndim <= dim < x.ndim:
            raise ValueError(f"vmap: in_dim {dim} is not among the {x.ndim} dimensions of a tensor of shape {x.shape}")
        dims[i] = dim % x.ndim
        sizes.add(x.shape[dims[i]])
    if not sizes:
        raise ValueError(
            f"vmap: expected samples along some dimension of some input of {name}, got in_dims {in_dims!r}"
        )
    if len(sizes) > 1:
        found = [x.shape[d] for x, d in zip(given, dims, strict=True) if d is not None]
        raise ValueError(f"vmap: expected as many samples in all inputs of {name}, got {found}; check in_dims")
    return given, dims, sizes.pop()


def _run(
    func: Any, tensors: Sequence[Any], dims: Sequence[int | None], size: int, out_dims: Any, randomness: str, args: Any,
    kwargs: dict[str, Any],
) -> tuple[list[Tensor], Any, list[Any]]:  # fmt: skip
    """The outputs for all samples, a tree of their form, and the axis of the samples in each."""
    scope = Scope(size, randomness)
    inside = [x if d is None else scope.enter(x, d) for x, d in zip(tensors, dims, strict=True)]
    with _Draws(scope):
        result = func(*rebuilt(args, iter(inside)), **kwargs)
    outputs = leaves(result)
    for y in outputs:
        if not isinstance(y, Tensor):
            name = getattr(func, "__name__", "f")
            raise ValueError(f"vmap: expected {name} to return only Tensors, got {type(y).__name__}")
    try:
        axes = for_each_leaf(out_dims, result)
    except ValueError:
        # One number for a single output may come in a tuple.
        if not (isinstance(out_dims, tuple | list) and len(out_dims) == 1 == len(outputs)):
            raise ValueError(
                f"vmap: expected out_dims with the structure of the output, {len(outputs)} tensors, got {out_dims!r}"
            ) from None
        axes = list(out_dims)
    for i, (y, axis) in enumerate(zip(outputs, axes, strict=True)):
        if axis is None:
            if scope.level in getattr(y.array, "levels", ()):
                raise ValueError("vmap: out_dim None is for what is the same for all samples; this output differs")
            continue
        if not isinstance(axis, int):
            raise ValueError(f"vmap: expected ints or None as out_dims, got {out_dims!r}")
        if not -y.ndim - 1 <= axis <= y.ndim:
            raise IndexError(f"vmap: out_dim {axis} is not among the {y.ndim + 1} dimensions of the result")
        axes[i] = axis % (y.ndim + 1)
    moved = iter(scope.leave(*zip(*[(y, a) for y, a in zip(outputs, axes, strict=True) if a is not None], strict=True)))
    return [y if a is None else next(moved) for y, a in zip(outputs, axes, strict=True)], result, axes

"""What every transform does first: call the function on tensors of its own, whose graph it can tell from all others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from autodiff import grad_mode
from autodiff.graph import Leaf, Node, ancestors, tick
from autodiff.op import describe
from autodiff.ops.shape import _reshape
from autodiff.tensor import Tensor, wrap
from autodiff.transforms.trees import leaves, mapped, rebuilt
from autodiff.views import View

Argnums = int | tuple[int, ...]


class Call:
    """One recorded call of `func`: its inputs, each made a tensor of its own, and its outputs.

    A derivative of an inner transform with respect to these inputs can be mixed up with no other: they are new nodes.
    Where an input has a history it goes on through them, which is how transforms stand inside each other.
    """

    def __init__(self, name: str, func: Callable[..., Any], args: tuple[Any, ...], moving: Sequence[int],
                 kwargs: dict[str, Any], has_aux: bool) -> None:  # fmt: skip
        self.name = name
        self.enabled = grad_mode.state.enabled
        self.start = tick()
        with grad_mode.enable_grad():
            trees = [mapped(self._own, arg) if i in moving else arg for i, arg in enumerate(args)]
            result = func(*trees, **kwargs)
        self.inputs: list[Tensor] = [x for i in moving for x in leaves(trees[i])]
        self.fresh = {x.node for x in self.inputs if isinstance(x.node, Leaf)}
        self.result, self.aux = result, None
        if has_aux:
            if not isinstance(result, tuple) or len(result) != 2:
                raise RuntimeError(
                    f"{name}: expected the function to return (output, aux), as has_aux says, got {_kind(result)}"
                )
            self.result, aux = result
            self.aux = mapped(lambda x: self.released(x) if isinstance(x, Tensor) else x, aux)
        self.outputs: list[Any] = leaves(self.result)
        for y in self.outputs:
            if not isinstance(y, Tensor):
                raise RuntimeError(f"{name}: expected the function to return tensors, got {_kind(y)}")

    def _own(self, x: Any) -> Tensor:
        if not isinstance(x, Tensor):
            raise RuntimeError(f"{self.name}: expected tensors to differentiate by, got {describe(x)}")
        if x.array.dtype.kind != "f":
            raise RuntimeError(f"{self.name}: expected floating-point tensors to differentiate by, got {x.dtype}")
        if x.node is not None:
            own = _reshape(x, shape=x.array.shape)
            if type(own.alias) is View:
                # A write would put another node in the place of the one to differentiate by.
                own.alias.origin = f"by {self.name}, of what it differentiates by,"
            return own
        own = wrap(x.array)
        own.node = Leaf(own)
        return own

    def depends(self, roots: Sequence[Node]) -> bool:
        """Whether `roots` depend on anything beside the inputs: then their derivatives may be asked for."""
        if not self.enabled:
            return False
        for node in ancestors(roots, since=self.start):
            if node.op is None:
                if node not in self.fresh:
                    return True
            elif any(parent is not None and parent.time < self.start for parent in node.parents()):
                return True
        return any(root.time < self.start for root in roots)

    def released(self, y: Any) -> Any:
        """A result without the history that leads to the inputs of this call alone."""
        return y if y.node is None or self.depends([y.node]) else wrap(y.array)

    def value(self) -> Any:
        """The output of the function."""
        return mapped(self.released, self.result)


def _kind(value: Any) -> str:
    return type(value).__name__


def positions(name: str, argnums: Any, count: int) -> list[int]:
    """The positions of the arguments that `argnums` names; RuntimeError for one that is not there."""
    chosen = [argnums] if isinstance(argnums, int) else argnums
    if not isinstance(chosen, tuple | list) or not all(isinstance(i, int) for i in chosen) or not chosen:
        raise RuntimeError(f"{name}: expected argnums to be an int or a tuple of ints, got {argnums!r}")
    for i in chosen:
        if not -count <= i < count:
            raise RuntimeError(f"{name}: argnums {i} is not among the {count} positional arguments")
    found = [i % count for i in chosen]
    if len(set(found)) < len(found):
        raise RuntimeError(f"{name}: expected each of argnums once, got {argnums!r}")
    return found


def shaped_as_arguments(argnums: Any, args: Sequence[Any], moving: Sequence[int], values: Sequence[Any]) -> Any:
    """`values`, one for each leaf of the arguments that moved, in the trees of these: one, or a tuple of them."""
    each = iter(values)
    trees = tuple(rebuilt(args[i], each) for i in moving)
    return trees[0] if isinstance(argnums, int) else trees

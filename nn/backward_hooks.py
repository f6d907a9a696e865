"""Hooks on the gradients that flow through a module: those of its outputs first, then those of its inputs.

Inputs and outputs are passed through a function of the graph that changes nothing, and whose backward shows the
gradients to the hooks. [PyTorch, Module.register_full_backward_hook]
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import autodiff as ad
from autodiff.tensor import Tensor

if TYPE_CHECKING:
    from nn.module import Module

Gradients = tuple[Any, ...]


class _Watch(ad.Function):
    """Passes tensors on, and back what `see` makes of their gradients."""

    @staticmethod
    def forward(ctx: Any, see: Callable[[Gradients], Gradients], materialize: bool, *tensors: Tensor) -> Gradients:
        ctx.see = see
        ctx.set_materialize_grads(materialize)
        ctx.mark_non_differentiable(*[x for x in tensors if not x.requires_grad])
        return tensors

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Gradients:
        return (None, None, *ctx.see(gradients))


class BackwardHooks:
    """One call of a module whose backward pass is watched by hooks; without hooks, nothing is done."""

    def __init__(
        self, module: Module, before: Sequence[Callable[..., Any]], after: Sequence[Callable[..., Any]]
    ) -> None:
        self.module, self.before, self.after = module, before, after
        self.grad_output: Gradients | None = None
        self.inputs = 0
        self.watches_inputs = False

    def watch_inputs(self, args: Gradients) -> Gradients:
        """The arguments, with the hooks in the graph before them."""
        if not (self.before or self.after):
            return args
        self.inputs = len(args)
        args, self.watches_inputs = _watched(args, self._see_inputs, True)
        return args

    def watch_outputs(self, output: Any) -> Any:
        """The output, with the hooks in the graph after it."""
        if not (self.before or self.after):
            return output
        if not isinstance(output, Tensor | tuple):
            warnings.warn(
                f"the backward hooks of a {type(self.module).__name__} are not called: its output should be a tensor "
                f"or a tuple of tensors, but is a {type(output).__name__}",
                stacklevel=4,
            )
            return output
        outputs, _ = _watched(output if isinstance(output, tuple) else (output,), self._see_outputs, False)
        return outputs if isinstance(output, tuple) else outputs[0]

    def _see_outputs(self, grad_output: Gradients) -> Gradients:
        for hook in self.before:
            grad_output = _replaced(hook(self.module, grad_output), grad_output, "backward pre-hook")
        if self.watches_inputs:
            self.grad_output = grad_output
            return grad_output
        if self.after:
            warnings.warn(
                f"a backward hook of {type(self.module).__name__} sees no gradient of an input: none requires grad",
                stacklevel=2,
            )
        for hook in self.after:
            returned = hook(self.module, (None,) * self.inputs, grad_output)
            if returned is not None and any(g is not None for g in returned):
                raise RuntimeError(
                    "a backward hook must return None, or None for each input, if no input of the module requires grad"
                )
        return grad_output

    def _see_inputs(self, grad_input: Gradients) -> Gradients:
        if self.grad_output is None:
            # The gradient came past the outputs, as in the second of two nested backward passes.
            return grad_input
        for hook in self.after:
            grad_input = _replaced(hook(self.module, grad_input, self.grad_output), grad_input, "backward hook")
        self.grad_output = None
        return grad_input


def _replaced(returned: Any, gradients: Gradients, name: str) -> Gradients:
    if returned is None:
        return gradients
    replaced: Gradients = tuple(returned) if isinstance(returned, tuple | list) else (returned,)
    if len(replaced) != len(gradients):
        raise RuntimeError(f"a {name} must return None or {len(gradients)} gradients, it returned {len(replaced)}")
    return replaced


def _watched(
    values: Gradients, see: Callable[[Gradients], Gradients], materialize: bool
) -> tuple[tuple[Any, ...], bool]:
    """The values, of which the tensors have passed the watching function; and whether any requires grad."""
    places = [i for i, value in enumerate(values) if isinstance(value, Tensor)]
    if not (ad.is_grad_enabled() and any(values[i].requires_grad for i in places)):
        return values, False

    def see_tensors(gradients: Gradients) -> Gradients:
        by_place = dict(zip(places, gradients, strict=True))
        seen = see(tuple([by_place.get(i) for i in range(len(values))]))
        return tuple([seen[i] for i in places])

    passed = dict(zip(places, _Watch.apply(see_tensors, materialize, *[values[i] for i in places]), strict=True))
    watched = tuple([passed.get(i, value) for i, value in enumerate(values)])
    # A named tuple stays one.
    make: Any = getattr(type(values), "_make", tuple)
    made: Gradients = make(watched)
    return made, True

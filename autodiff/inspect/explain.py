"""Why a tensor has no gradient, a gradient of zeros, or one that is not finite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autodiff.graph import Leaf, Node, ancestors
from autodiff.hooks import retains_grad
from autodiff.inspect.autopsy import autopsy
from autodiff.inspect.backward_again import backward_again
from autodiff.inspect.calls import calls_behind, was_freed
from autodiff.inspect.dependence import Dependence
from autodiff.inspect.finding import Finding, Report, finite, statistics
from autodiff.inspect.zeros import why_zero
from autodiff.tensor import Tensor

RERUN = (
    "Give the function that computes the loss, explain(w, lambda: loss_of(...)), to see where: it runs once more and "
    "every op is watched"
)


def explain(
    tensor: Tensor, loss: Tensor | Callable[[], Tensor] | None = None, optimizer: Any = None, model: Any = None
) -> Report:
    """Why the gradient of `tensor` is None, zero or not finite, or why a step leaves it as it is; false if all is well.

    `loss` is what `backward` was, or will be, called on, or, to be told most, a function that computes it: that runs
    once more, every op is watched, and the reason comes with its line. Of a loss alone the graph is walked: it knows
    what was recorded and nothing of what was not, and lines only if `trace_lines` was on. An `optimizer` is what has
    ``param_groups``, a `model` what has ``named_parameters()``. No ``.grad`` changes and nothing is freed; what the
    function itself changes, such as running statistics, it changes. TypeError for what is no tensor.

    >>> import autodiff as ad
    >>> w = ad.tensor([1.0, 2.0], requires_grad=True)
    >>> def loss():
    ...     hidden = w * 2
    ...     return (hidden.detach() * 3).sum()
    >>> print(ad.explain(w, loss))  # doctest: +ELLIPSIS
    the gradient of the tensor of shape (2,) is None:
    1. detached here: detach() cut the path from it to the loss
        at <doctest ...>:3, in loss...
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(
            f"explain: expected a Tensor, got {type(tensor).__name__}; ask about one parameter of a model, such as "
            f"model.weight, and inspect.lint(model, optimizer) about all"
        )
    name = _name(tensor, model)
    outside = [*_not_trained(tensor, optimizer), *_not_in(tensor, model)]
    state, findings, note = _state(tensor, loss)
    if not findings and not outside:
        return Report(f"the gradient of {name} is {state}", (), note)
    return Report(f"the gradient of {name} is {state}:", [*findings, *outside], note)


def _name(tensor: Tensor, model: Any) -> str:
    named = dict(model.named_parameters()) if model is not None else {}
    found = next((name for name, p in named.items() if p is tensor), "")
    return found or f"the tensor of shape {tensor.shape}"


def _not_trained(tensor: Tensor, optimizer: Any) -> list[Finding]:
    """What keeps an optimizer from changing a tensor."""
    if optimizer is None:
        return []
    for group in optimizer.param_groups:
        if any(p is tensor for p in group["params"]):
            still = [Finding("learning rate 0", "its group has lr=0, so a step leaves it as it is")]
            return still if not float(group.get("lr", 1.0)) else []
    return [
        Finding(
            "not in the optimizer",
            "no param group has this tensor, so that step() leaves it as it is. It was made, or replaced, after the "
            "optimizer, or was left out: add_param_group, or make the optimizer of model.parameters() afterwards",
        )
    ]


def _not_in(tensor: Tensor, model: Any) -> list[Finding]:
    if model is None or not tensor.is_leaf or any(p is tensor for _, p in model.named_parameters()):
        return []
    return [
        Finding(
            "not in the model",
            "no parameter of the model is this tensor: it is one of another model, or was replaced since, or is kept "
            "in a plain list; keep parameters as attributes or in nn.ParameterList, modules in nn.ModuleList",
        )
    ]


def _state(tensor: Tensor, loss: Any) -> tuple[str, list[Finding], str]:
    """What the gradient is in a word, why, and what is not known."""
    if tensor.node is None and not callable(loss):
        return "None", [_no_grad_required(tensor)], ""
    if loss is None:
        said, findings = _accumulated(tensor)
        return said, findings, "" if said == "as it should be" else "Give the loss, to be told why."
    if callable(loss):
        dependence = Dependence(tensor)
        with np.errstate(all="ignore"):
            result = calls_behind(loss, dependence.see, "explain")
        if tensor.node is None:
            return "None", [_no_grad_required(tensor)], ""
        if tensor.node not in _above(result):
            return "None", dependence.at(result), ""
        return _reached(tensor, result, loss, dependence.lines)
    if not isinstance(loss, Tensor):
        raise TypeError(f"explain: expected the loss, or a function that computes it, got {type(loss).__name__}")
    if tensor.node not in _above(loss):
        return "None", [_unreachable(tensor, loss)], RERUN
    if was_freed(loss):
        said, findings = _accumulated(tensor)
        note = "" if said == "as it should be" else f"A backward pass has freed what the graph saved. {RERUN}."
        return said, findings, note
    return _reached(tensor, loss, loss, {})


def _above(loss: Tensor) -> set[Node]:
    return set(ancestors([loss.node])) if loss.node is not None else set()


def _said(g: Any) -> str:
    if g is None:
        return "None"
    return "not finite" if not finite(g) else "zero" if g.size and not g.any() else "as it should be"


def _accumulated(tensor: Tensor) -> tuple[str, list[Finding]]:
    """What stands in ``.grad``, and that nothing will where this is no leaf."""
    if not tensor.is_leaf and not retains_grad(tensor):
        return "None", [_not_a_leaf(tensor)]
    return _said(None if tensor.grad is None else tensor.grad.array), []


def _no_grad_required(tensor: Tensor) -> Finding:
    if tensor.is_inference():
        text = "it was made inside inference_mode, and can never require grad; use clone() outside of that"
        return Finding("made in inference_mode", text)
    if tensor.dtype.kind != "f":
        text = f"it is {tensor.dtype}: only floating-point tensors have gradients; convert with x.float()"
        return Finding("integer here", text)
    return Finding(
        "frozen",
        "it does not require grad: it was frozen by requires_grad_(False), or made without requires_grad=True, or "
        "computed under no_grad() or of nothing that requires grad; call requires_grad_() before computing the loss",
    )


def _not_a_leaf(tensor: Tensor) -> Finding:
    made = "" if tensor.node is None else f" by {tensor.node.name}"
    text = f"it is computed{made}, and backward() fills .grad of leaves only; call retain_grad() on it before"
    return Finding("not a leaf", text, line=tensor.node.line if tensor.node is not None else None)


def _unreachable(tensor: Tensor, loss: Tensor) -> Finding:
    """What can be known from a graph of a tensor that is not in it."""
    if loss.node is None:
        text = (
            "the loss has no graph at all: it was computed under no_grad(), of detached or integer values, or of "
            "nothing that requires grad"
        )
        return Finding("nothing recorded", text)
    for node in _above(loss):
        if isinstance(node, Leaf) and node.tensor() is tensor:
            text = "requires_grad was switched off and on again after the loss was computed; compute the loss again"
            return Finding("frozen in between", text)
    text = (
        "the graph of the loss does not contain it: it was not used, or every path from it was cut by detach(), .data, "
        ".item(), numpy(), no_grad() or integers; a graph keeps nothing of what was cut"
    )
    return Finding("not in the graph", text)


def _reached(tensor: Tensor, loss: Tensor, given: Any, lines: dict[Node, Any]) -> tuple[str, list[Finding], str]:
    """Why the gradient of a tensor in the graph of the loss is not as it should be; `given` is what the user gave."""
    node: Any = tensor.node
    edges: list[tuple[Node, Any, Node, Any]] = []
    arrived = backward_again(loss, lambda *edge: edges.append(edge))
    g = arrived.get(node) if tensor.is_leaf else next((g for at, g, _, _ in edges if at is node), None)
    said = _said(g)
    if said == "not finite":
        return said, list(autopsy(given).findings), ""
    if said != "as it should be":
        return said, why_zero(node, g, loss, edges, lines), ""
    if not tensor.is_leaf and not retains_grad(tensor):
        return "None", [_not_a_leaf(tensor)], f"The gradient that flows through it: {statistics(g)}."
    return said, [], f"It is {statistics(g)}."

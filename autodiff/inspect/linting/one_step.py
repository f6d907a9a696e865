"""`lint`: what is wrong with a step of training, before it is made."""

from __future__ import annotations

from typing import Any

from autodiff.graph import Node, ancestors
from autodiff.inspect.linting.fault import Fault
from autodiff.inspect.linting.losses import loss_findings
from autodiff.inspect.linting.modes import mode_findings
from autodiff.inspect.linting.parameters import parameter_findings
from autodiff.inspect.linting.units import unit_findings
from autodiff.inspect.places import parameter_names
from autodiff.tensor import Tensor


def lint(model: Any, optimizer: Any, loss: Tensor | None = None) -> list[Fault]:
    """What is wrong with a training step of `model` by `optimizer`: sentences that say where and what to do, or none.

    Call it between ``loss.backward()`` and ``optimizer.step()``. It looks at the parameters, their gradients and the
    modes of the modules, and with `loss` at its graph. A `model` is what has ``named_parameters()``, an `optimizer`
    what has ``param_groups``. What takes several steps to see, such as a forgotten ``zero_grad()``, is found by `Lint`.
    ``docs/lint.md`` lists what is found, and what cannot be. TypeError if the loss is no tensor.

    >>> import nn, optim
    >>> model = nn.Linear(2, 1)
    >>> optimizer = optim.SGD([model.weight], lr=0.1)
    >>> loss = model.weight.sum()
    >>> loss.backward()
    >>> lint(model, optimizer, loss)[0].partition(". ")[0]
    'in the model but not in the optimizer, so that it stays as it is: bias'
    """
    nodes = graph_of(loss)
    if loss is not None and not nodes:
        return [
            Fault.of(
                "no graph",
                "nothing was recorded for the loss",
                [f"shape {loss.shape}"],
                "Compute it from the output of the model, without no_grad(), detach(), item() or NumPy in between",
            )
        ]
    names = parameter_names(model)
    return [
        *parameter_findings(model, optimizer, None if loss is None else set(nodes)),
        *_rates(optimizer),
        *mode_findings(model, nodes, names),
        *loss_findings(nodes, names),
        *unit_findings(nodes, names),
    ]


def graph_of(loss: Tensor | None) -> list[Node]:
    """The nodes that `loss` depends on, oldest first."""
    if loss is not None and not isinstance(loss, Tensor):
        raise TypeError(
            f"lint expected the loss as a tensor, not as a number; got {type(loss).__name__}: "
            f"give it what backward() was called on"
        )
    return [] if loss is None or loss.node is None else ancestors([loss.node])


def _rates(optimizer: Any) -> list[Fault]:
    """Groups that do not learn, unless a schedule brings their rate to 0 for a while."""
    groups = [
        f"group {index}"
        for index, group in enumerate(optimizer.param_groups)
        if "lr" in group and not float(group["lr"]) and not float(group.get("initial_lr", 0))
    ]
    advice = "Give the group a learning rate above 0"
    return [Fault.of("learning rate 0", "in the optimizer with a learning rate of 0", groups, advice)] * bool(groups)

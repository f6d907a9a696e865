"""What `Adam` and the optimizers made of it share."""

from typing import Any

from optim.options import Group


def decayed(p: Any, g: Any, group: Group) -> Any:
    """The gradient with the decay of the parameter; a decoupled decay shrinks the parameter at once instead."""
    weight_decay = group["weight_decay"]
    if weight_decay and group["decoupled_weight_decay"]:
        p *= 1 - group["lr"] * weight_decay
    elif weight_decay:
        return g + weight_decay * p
    return g


def take_in(g: Any, exp_avg: Any, exp_avg_sq: Any, beta1: Any, beta2: Any) -> None:
    """Move the running mean of the gradient and that of its square towards `g`, in place."""
    exp_avg += (1 - beta1) * (g - exp_avg)
    exp_avg_sq *= beta2
    exp_avg_sq += (1 - beta2) * (g * g)

"""Every optimizer, with the options that make it keep all the state it can have."""

from collections.abc import Callable
from typing import Any

import optim

Make = Callable[[Any], optim.Optimizer]
ELEMENTWISE: dict[str, Make] = {
    "SGD": lambda p: optim.SGD(p, lr=0.05),
    "SGD, momentum": lambda p: optim.SGD(p, lr=0.05, momentum=0.9, dampening=0.1, weight_decay=0.01),
    "SGD, Nesterov": lambda p: optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.05, centered=True, momentum=0.5),
    "Adam": lambda p: optim.Adam(p, lr=0.05, amsgrad=True, weight_decay=0.01),
    "AdamW": lambda p: optim.AdamW(p, lr=0.05),
    "Adagrad": lambda p: optim.Adagrad(p, lr=0.05, lr_decay=0.1, initial_accumulator_value=0.1),
    "Adadelta": lambda p: optim.Adadelta(p, lr=5.0),
    "Adamax": lambda p: optim.Adamax(p, lr=0.05),
    "NAdam": lambda p: optim.NAdam(p, lr=0.05, weight_decay=0.01, decoupled_weight_decay=True),
    "RAdam": lambda p: optim.RAdam(p, lr=0.05, betas=(0.9, 0.9)),
    "Rprop": lambda p: optim.Rprop(p, lr=0.05),
    "ASGD": lambda p: optim.ASGD(p, lr=0.05, lambd=0.01, t0=2),
    "Lion": lambda p: optim.Lion(p, lr=0.01, weight_decay=0.1),
}
# These treat a parameter as a whole.
WHOLE: dict[str, Make] = {"Adafactor": lambda p: optim.Adafactor(p, lr=0.05, weight_decay=0.01)}
OPTIMIZERS = ELEMENTWISE | WHOLE

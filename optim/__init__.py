"""Optimizers and learning-rate schedules, with PyTorch's names, defaults and state."""

from optim import lr_scheduler, swa_utils
from optim.adadelta import Adadelta
from optim.adafactor import Adafactor
from optim.adagrad import Adagrad
from optim.adam import Adam, AdamW
from optim.adamax import Adamax
from optim.asgd import ASGD
from optim.elementwise import Elementwise
from optim.groups import decay_groups
from optim.lbfgs import LBFGS
from optim.lion import Lion
from optim.momentum import Momentum
from optim.muon import Muon
from optim.nadam import NAdam
from optim.optimizer import Optimizer
from optim.per_parameter import PerParameter
from optim.radam import RAdam
from optim.rmsprop import RMSprop
from optim.rprop import Rprop
from optim.sgd import SGD

__all__ = [
    "ASGD",
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Elementwise",
    "Lion",
    "Momentum",
    "Muon",
    "NAdam",
    "Optimizer",
    "PerParameter",
    "RAdam",
    "RMSprop",
    "Rprop",
    "decay_groups",
    "lr_scheduler",
    "swa_utils",
]

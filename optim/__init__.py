"""Optimizers and learning-rate schedules, with PyTorch's names, defaults and state."""

from optim import lr_scheduler
from optim.adam import Adam, AdamW
from optim.elementwise import Elementwise
from optim.optimizer import Optimizer
from optim.rmsprop import RMSprop
from optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Elementwise", "Optimizer", "RMSprop", "lr_scheduler"]

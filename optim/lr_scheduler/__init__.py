"""Learning-rate schedules, in PyTorch's numbers: call ``scheduler.step()`` after the optimizer's steps of an epoch."""

from optim.lr_scheduler.composed import ChainedScheduler, SequentialLR
from optim.lr_scheduler.cosine import CosineAnnealingLR, CosineAnnealingWarmRestarts
from optim.lr_scheduler.cyclic import CyclicLR, OneCycleLR
from optim.lr_scheduler.factors import ConstantLR, ExponentialLR, LinearLR, MultiStepLR, PolynomialLR, StepLR
from optim.lr_scheduler.functions import LambdaLR, MultiplicativeLR
from optim.lr_scheduler.plateau import ReduceLROnPlateau
from optim.lr_scheduler.schedule import LRScheduler

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]

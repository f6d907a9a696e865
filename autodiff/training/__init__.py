"""Training as a course teaches it: the joint between the engine and the libraries for what surrounds it."""

from autodiff.training.diagnosis import Diagnosis, Gap, diagnose
from autodiff.training.metrics import best_model
from autodiff.training.multitask import MultiTask, MultiTaskLoss, multitask_loss, task_metrics
from autodiff.training.transfer import (
    Loaded,
    discriminative_rates,
    freeze,
    load_matching,
    replace_head,
    staged_unfreezing,
    unfreeze,
)

__all__ = [
    "Diagnosis",
    "Gap",
    "Loaded",
    "MultiTask",
    "MultiTaskLoss",
    "best_model",
    "diagnose",
    "discriminative_rates",
    "freeze",
    "load_matching",
    "multitask_loss",
    "replace_head",
    "staged_unfreezing",
    "task_metrics",
    "unfreeze",
]

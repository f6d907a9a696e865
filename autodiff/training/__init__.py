"""Training as a course teaches it: the joint between the engine and the libraries for what surrounds it."""

from autodiff.training.checkpoints import Checkpoints
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
from autodiff.training.early_stopping import EarlyStopping
from autodiff.training.evaluation import evaluate, predict
from autodiff.training.history import History
from autodiff.training.loop import fit
from autodiff.training.run import Run
from autodiff.training.scores import accuracy

__all__ = [
    "Checkpoints",
    "Diagnosis",
    "EarlyStopping",
    "Gap",
    "History",
    "Loaded",
    "MultiTask",
    "MultiTaskLoss",
    "Run",
    "accuracy",
    "best_model",
    "diagnose",
    "discriminative_rates",
    "evaluate",
    "fit",
    "freeze",
    "load_matching",
    "multitask_loss",
    "predict",
    "replace_head",
    "staged_unfreezing",
    "task_metrics",
    "unfreeze",
]

"""Training as a course teaches it: the joint between the engine and the libraries for what surrounds it."""

from autodiff.training.checkpoints import Checkpoints
from autodiff.training.diagnosis import Diagnosis, Gap, diagnose
from autodiff.training.early_stopping import EarlyStopping
from autodiff.training.error_analysis import Category, ErrorTable, confusion, error_table, worst_examples
from autodiff.training.evaluation import evaluate, predict
from autodiff.training.history import History
from autodiff.training.learning_curve import LearningCurve, learning_curve
from autodiff.training.loop import fit
from autodiff.training.metrics import best_model
from autodiff.training.multitask import MultiTask, MultiTaskLoss, multitask_loss, task_metrics
from autodiff.training.pictures import draw_confusion, draw_learning_curve, draw_worst_examples
from autodiff.training.run import Run
from autodiff.training.scores import accuracy
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
    "Category",
    "Checkpoints",
    "Diagnosis",
    "EarlyStopping",
    "ErrorTable",
    "Gap",
    "History",
    "LearningCurve",
    "Loaded",
    "MultiTask",
    "MultiTaskLoss",
    "Run",
    "accuracy",
    "best_model",
    "confusion",
    "diagnose",
    "discriminative_rates",
    "draw_confusion",
    "draw_learning_curve",
    "draw_worst_examples",
    "error_table",
    "evaluate",
    "fit",
    "freeze",
    "learning_curve",
    "load_matching",
    "multitask_loss",
    "predict",
    "replace_head",
    "staged_unfreezing",
    "task_metrics",
    "unfreeze",
    "worst_examples",
]

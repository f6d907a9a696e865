"""Training in one line, and what belongs to it: the loop, its history, early stopping, checkpoints, evaluation."""

from autodiff.training.checkpoints import Checkpoints
from autodiff.training.early_stopping import EarlyStopping
from autodiff.training.evaluation import evaluate, predict
from autodiff.training.history import History
from autodiff.training.loop import fit
from autodiff.training.run import Run
from autodiff.training.scores import accuracy

__all__ = [
    "Checkpoints",
    "EarlyStopping",
    "History",
    "Run",
    "accuracy",
    "evaluate",
    "fit",
    "predict",
]

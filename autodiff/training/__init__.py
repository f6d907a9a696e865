"""Training as a course teaches it: the joint between the engine and the libraries for what surrounds it."""

from autodiff.training.diagnosis import Diagnosis, Gap, diagnose
from autodiff.training.metrics import best_model

__all__ = ["Diagnosis", "Gap", "best_model", "diagnose"]

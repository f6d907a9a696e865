"""`ad.autograd`: differentiation under the names of `torch.autograd`."""

from autodiff.anomaly import detect_anomaly, set_detect_anomaly
from autodiff.autograd import function, functional
from autodiff.backward import backward, grad
from autodiff.function import Function
from autodiff.grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled
from autodiff.gradcheck import gradcheck, gradgradcheck

__all__ = [
    "Function",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "function",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "inference_mode",
    "no_grad",
    "set_detect_anomaly",
    "set_grad_enabled",
]

"""`ad.autograd`: what `torch.autograd` has: `grad` and `backward`, grad modes, and `functional`."""

from autodiff.autograd import functional
from autodiff.backward import backward, grad
from autodiff.grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled
from autodiff.gradcheck import gradcheck, gradgradcheck

__all__ = [
    "backward",
    "enable_grad",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "inference_mode",
    "no_grad",
    "set_grad_enabled",
]

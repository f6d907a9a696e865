"""The names of `torch.autograd.function`."""

from autodiff.function import Function, FunctionCtx, once_differentiable

__all__ = ["Function", "FunctionCtx", "once_differentiable"]

"""What `torch.autograd` has beside the names of `autodiff.autograd`."""

from __future__ import annotations

from typing import Any

from autodiff.tensor import Tensor


class _TensorOrMade(type):
    def __call__(cls, data: Tensor, requires_grad: bool = False, volatile: bool = False) -> Any:
        return data.detach().requires_grad_(requires_grad)

    def __instancecheck__(cls, x: Any) -> bool:
        return isinstance(x, Tensor)


class Variable(metaclass=_TensorOrMade):
    """What programs of PyTorch's first year wrapped around tensors: a tensor in the same memory, without history.

    >>> import autodiff as ad
    >>> Variable(ad.ones(2), requires_grad=True)
    tensor([1., 1.], requires_grad=True)
    """


__all__ = ["Variable"]

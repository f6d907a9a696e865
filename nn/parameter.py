"""Parameters: the tensors of a module that an optimizer trains."""

import autodiff as ad
from autodiff.tensor import Tensor


class Parameter(Tensor):
    """A tensor that becomes part of a module when it is assigned to one of its attributes.

    Shares the memory of `data` (an empty float tensor if there is none), without its history. TypeError if `data` is
    no tensor, RuntimeError if it is to require grad and is not of floating point.

    >>> import autodiff as ad, nn
    >>> nn.Parameter(ad.zeros(2))
    Parameter containing:
    tensor([0., 0.], requires_grad=True)
    """

    __slots__ = ()

    def __init__(self, data: Tensor | None = None, requires_grad: bool = True) -> None:
        if data is None:
            data = ad.empty(0)
        if not isinstance(data, Tensor):
            raise TypeError(
                f"Parameter expected a tensor, got {type(data).__name__}: write nn.Parameter(ad.tensor(...))"
            )
        self.array = data.array
        self.node = self.alias = self.grad = None
        self.requires_grad_(requires_grad)

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()

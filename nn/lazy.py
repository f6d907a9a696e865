"""Modules that learn the sizes of their inputs from the first one: what `LazyLinear` and its kin share.

Until then their parameters are an `UninitializedParameter` or `UninitializedBuffer`, of which nothing but the dtype is
known. The first call gives them shapes and initial values, and the module becomes an ordinary one, `Linear` for
example: the class of parameters and module is changed, so that whoever holds them holds the finished ones.
"""

from typing import Any

from nn.call_error import name_the_module
from nn.members import BUFFER, PARAMETER, TEMPORARY_BUFFER
from nn.module import Module
from nn.parameter import UninitializedTensor


class LazyModuleMixin(Module):
    """The base, named before the eager module, of a class that learns sizes from its first input.

    The class defines `initialize_parameters`, which the first call runs with the inputs, and ``cls_to_become``.
    Call the model once, with a batch of any size, before its parameters go to an optimizer.

    >>> import autodiff as ad, nn
    >>> from nn.lazy import LazyModuleMixin
    >>> class LazyScale(LazyModuleMixin):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.weight = nn.UninitializedParameter()
    ...     def initialize_parameters(self, input):
    ...         if self.has_uninitialized_params():
    ...             self.weight.materialize(input.shape[-1:])
    ...             nn.init.ones_(self.weight)
    ...     def forward(self, input):
    ...         return input * self.weight
    >>> LazyScale()(ad.tensor([1.0, 2.0]))
    tensor([1., 2.], grad_fn=<MulBackward0>)
    """

    # What the module becomes once it has been called; None to stay what it is.
    cls_to_become: type[Module] | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.cls_to_become is None and not self.has_uninitialized_params():
            return super().__call__(*args, **kwargs)
        try:
            self.initialize_parameters(*args, **kwargs)
        except Exception as error:
            name_the_module(error, self, args, kwargs)
            raise
        if self.cls_to_become is None:
            return super().__call__(*args, **kwargs)
        object.__setattr__(self, "__class__", self.cls_to_become)
        return self(*args, **kwargs)

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Give all parameters and buffers shapes and values that fit the first inputs; every subclass defines it."""
        raise NotImplementedError(
            f"{type(self).__name__} has no initialize_parameters(): define initialize_parameters(self, input), which "
            f"calls materialize(shape) on each uninitialised parameter"
        )

    def has_uninitialized_params(self) -> bool:
        """Whether a parameter or buffer of this module itself still lacks its shape."""
        tensors = self._members(PARAMETER, BUFFER, TEMPORARY_BUFFER).values()
        return any(isinstance(tensor, UninitializedTensor) for tensor in tensors)

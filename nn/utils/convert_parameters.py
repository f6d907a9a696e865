"""All parameters of a model as one vector, and back."""

from collections.abc import Iterable

import autodiff as ad
from autodiff.tensor import Tensor


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """The values of all parameters, one after the other; differentiable.

    >>> import autodiff as ad, nn
    >>> nn.utils.parameters_to_vector(nn.Linear(2, 3).parameters()).shape
    (9,)
    """
    return ad.cat([parameter.reshape(-1) for parameter in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Give the parameters the values of a vector, whose parts they share from then on.

    TypeError if `vec` is no tensor, ValueError if it has not as many values as the parameters.
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"vector_to_parameters expected a tensor, got {type(vec).__name__}")
    parameters = list(parameters)
    expected = sum(parameter.numel() for parameter in parameters)
    if vec.shape != (expected,):
        raise ValueError(f"vector_to_parameters expected a vector of {expected} values, got shape {vec.shape}")
    start = 0
    for parameter in parameters:
        part = vec[start : start + parameter.numel()]
        parameter.data = part.detach().reshape(parameter.shape)
        start += parameter.numel()

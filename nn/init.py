"""Initial values of weights: they fill a tensor in place and return it.

The values, and the order in which they are drawn, are PyTorch's: after the same seed a layer has the same weights.
"""

import math

import autodiff as ad
from autodiff.random import Generator
from autodiff.tensor import Tensor

_GAINS = {
    "linear": 1.0,
    "conv1d": 1.0,
    "conv2d": 1.0,
    "conv3d": 1.0,
    "conv_transpose1d": 1.0,
    "conv_transpose2d": 1.0,
    "conv_transpose3d": 1.0,
    "sigmoid": 1.0,
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "selu": 0.75,
}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which weights must be larger to make up for the `nonlinearity` that follows them.

    `param` is the slope of "leaky_relu", 0.01 by default.

    >>> calculate_gain("leaky_relu", 1.0)
    1.0
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, int | float):
            raise ValueError(f"calculate_gain expected a number as the slope of leaky_relu, got {param!r}")
        return math.sqrt(2 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        raise ValueError(f"calculate_gain expected one of {', '.join([*_GAINS, 'leaky_relu'])}; got {nonlinearity!r}")
    return _GAINS[nonlinearity]


def fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """How many inputs each output of a weight of shape (out, in, ...) sums over, and how many outputs each input feeds.

    ValueError for a tensor of fewer than two dimensions.

    >>> fan_in_and_fan_out(ad.empty(16, 8, 3, 3))
    (72, 144)
    """
    if tensor.ndim < 2:
        raise ValueError(
            f"fan in and fan out need a weight of shape (out, in, ...), got shape {tensor.shape}; "
            f"initialise biases with zeros_ or uniform_"
        )
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with numbers drawn evenly from [a, b)."""
    with ad.no_grad():
        return tensor.uniform_(a, b, generator=generator)


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with draws from the normal distribution of this mean and standard deviation."""
    with ad.no_grad():
        return tensor.normal_(mean, std, generator=generator)


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with one value."""
    with ad.no_grad():
        return tensor.fill_(val)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with 0."""
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with 1."""
    return constant_(tensor, 1.0)


def eye_(tensor: Tensor) -> Tensor:
    """Fill a matrix with 1 on its diagonal and 0 elsewhere; ValueError if it has not two dimensions.

    >>> eye_(ad.empty(2, 3))
    tensor([[1., 0., 0.],
            [0., 1., 0.]])
    """
    if tensor.ndim != 2:
        raise ValueError(f"eye_ expected a matrix, of two dimensions; got shape {tensor.shape}")
    with ad.no_grad():
        return tensor.copy_(ad.eye(*tensor.shape, dtype=tensor.dtype))


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill evenly from [-b, b), b = gain √(6 / (fan in + fan out)).

    Keeps the variance of the outputs and of the gradients (Glorot and Bengio 2010).
    """
    return _uniform_of_std(tensor, _xavier_std(tensor, gain), generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill from the normal distribution of mean 0 and standard deviation gain √(2 / (fan in + fan out)).

    Keeps the variance of the outputs and of the gradients (Glorot and Bengio 2010).
    """
    return normal_(tensor, 0.0, _xavier_std(tensor, gain), generator)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill evenly from [-b, b), b = gain √(3 / fan), where `a` is the slope of a leaky ReLU.

    Keeps the variance of the outputs, or of the gradients with `mode` "fan_out" (He et al. 2015).
    """
    return _uniform_of_std(tensor, _kaiming_std(tensor, a, mode, nonlinearity), generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill from the normal distribution of mean 0 and standard deviation gain / √fan.

    `a` is the slope of a leaky ReLU. Keeps the variance of the outputs, or of the gradients with `mode` "fan_out"
    (He et al. 2015).
    """
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


def lecun_uniform_(tensor: Tensor, generator: Generator | None = None) -> Tensor:
    """Fill evenly from [-b, b), b = √(3 / fan in): the variance is 1 / fan in (LeCun et al. 1998)."""
    return kaiming_uniform_(tensor, nonlinearity="linear", generator=generator)


def lecun_normal_(tensor: Tensor, generator: Generator | None = None) -> Tensor:
    """Fill from the normal distribution of mean 0 and variance 1 / fan in (LeCun et al. 1998)."""
    return kaiming_normal_(tensor, nonlinearity="linear", generator=generator)


def _uniform_of_std(tensor: Tensor, std: float, generator: Generator | None) -> Tensor:
    bound = math.sqrt(3.0) * std
    return uniform_(tensor, -bound, bound, generator)


def _xavier_std(tensor: Tensor, gain: float) -> float:
    return gain * math.sqrt(2.0 / max(sum(fan_in_and_fan_out(tensor)), 1))


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    fans = dict(zip(("fan_in", "fan_out"), fan_in_and_fan_out(tensor), strict=True))
    if mode not in fans:
        raise ValueError(f'expected mode "fan_in" or "fan_out", got {mode!r}')
    # A layer without inputs has no weights to fill.
    return calculate_gain(nonlinearity, a) / math.sqrt(max(fans[mode], 1))

"""Initial values of weights: they fill a tensor in place and return it.

The values, and the order in which they are drawn, are PyTorch's: after the same seed a layer has the same weights.
"""

import math
import warnings
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import autodiff as ad
from autodiff.random import Generator
from autodiff.tensor import Tensor

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

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


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Fill with draws from the normal distribution, drawn again until they lie in [a, b].

    Where more than 70 % of the draws would lie outside, evenly drawn numbers are accepted with the probability of
    their density over its largest in [a, b] instead.
    """
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "trunc_normal_: the mean is more than 2 standard deviations from [a, b], so that the distribution of "
            "values may be incorrect",
            stacklevel=2,
        )
    inside = (math.erf((b - mean) / std / math.sqrt(2.0)) - math.erf((a - mean) / std / math.sqrt(2.0))) / 2
    with ad.no_grad():
        if inside <= 0.3:
            return _truncated_by_density(tensor, mean, std, a, b, generator)
        low, high = ad.tensor([a, b], dtype=tensor.dtype).tolist()
        tensor.normal_(mean, std, generator=generator)
        outside = (tensor < low) | (tensor > high)
        while bool(outside.any()):
            again = ad.empty_like(tensor).normal_(mean, std, generator=generator)
            tensor.copy_(ad.where(outside, again, tensor))
            outside = (tensor < low) | (tensor > high)
        return tensor


def _truncated_by_density(
    tensor: Tensor, mean: float, std: float, a: float, b: float, generator: Generator | None
) -> Tensor:
    # A logarithm, so that it does not underflow far out in the tail.
    highest = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2
    candidates, chances = ad.empty_like(tensor), ad.empty_like(tensor)
    pending = ad.ones_like(tensor, dtype=ad.bool)
    while bool(pending.any()):
        candidates.uniform_(a, b, generator=generator)
        tensor.copy_(ad.where(pending, candidates, tensor))
        density = ((candidates - mean) / std) ** 2 * -0.5 - highest
        pending = pending & (chances.uniform_(generator=generator).log() > density)
    return tensor


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


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Fill a convolution's weight of shape (out, in, ...) so that each output is the input of its number.

    Outputs beyond the number of inputs are 0; with `groups`, each group of outputs starts anew. ValueError if there
    are not one, two or three axes in space, or if the groups do not divide the outputs.

    >>> dirac_(ad.empty(2, 2, 3))
    tensor([[[0., 1., 0.],
             [0., 0., 0.]],
    <BLANKLINE>
            [[0., 0., 0.],
             [0., 1., 0.]]])
    """
    if tensor.ndim not in (3, 4, 5):
        raise ValueError(f"dirac_ expected a weight of three, four or five dimensions, got shape {tensor.shape}")
    if tensor.shape[0] % groups:
        raise ValueError(f"dirac_ expected groups that divide the {tensor.shape[0]} outputs, got {groups}")
    outputs = tensor.shape[0] // groups
    values = ad.zeros(tensor.shape, dtype=tensor.dtype).numpy()
    center = tuple(length // 2 for length in tensor.shape[2:])
    for group in range(groups):
        for i in range(min(outputs, tensor.shape[1])):
            values[(group * outputs + i, i, *center)] = 1
    with ad.no_grad():
        return tensor.copy_(ad.from_numpy(values))


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


def orthogonal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with an orthogonal matrix times `gain`; dimensions after the first are taken as one.

    Its columns are orthonormal, or its rows if it is wider than high: the Q, evenly distributed, of a matrix of normal
    draws, with the signs that make R's diagonal positive (Saxe et al. 2014; Mezzadri 2007). ValueError for a tensor of
    fewer than two dimensions.
    """
    if tensor.ndim < 2:
        raise ValueError(f"orthogonal_ expected a weight of two dimensions or more, got shape {tensor.shape}")
    if not tensor.numel():
        return tensor
    rows = tensor.shape[0]
    drawn = ad.empty(rows, tensor.numel() // rows, dtype=tensor.dtype).normal_(0.0, 1.0, generator=generator)
    wide = rows < drawn.shape[1]
    q, r = ad.linalg.qr(drawn.t() if wide else drawn)
    q = q * r.diagonal().sign()
    with ad.no_grad():
        return tensor.copy_((q.t() if wide else q).reshape(tensor.shape) * gain)


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """Fill a matrix with normal draws, and the fraction `sparsity` of each column, rounded up, with 0.

    ValueError if it has not two dimensions. As in PyTorch, `generator` draws the values but not the places. (Martens
    2010)
    """
    if tensor.ndim != 2:
        raise ValueError(f"sparse_ expected a matrix, of two dimensions; got shape {tensor.shape}")
    rows, columns = tensor.shape
    with ad.no_grad():
        tensor.normal_(0.0, std, generator=generator)
        for column in range(columns):
            tensor[ad.randperm(rows)[: math.ceil(sparsity * rows)], column] = 0.0
    return tensor


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


def _deprecated(initialise: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """The same under PyTorch's old name, without the underscore, which warns."""
    name = initialise.__name__.removesuffix("_")

    @wraps(initialise)
    def renamed(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        warnings.warn(f"nn.init.{name} is deprecated; call nn.init.{name}_", FutureWarning, stacklevel=2)
        return initialise(*args, **kwargs)

    # Its example stands under the new name.
    renamed.__name__, renamed.__doc__ = name, f"The old name of `{name}_`."
    return renamed


uniform = _deprecated(uniform_)
normal = _deprecated(normal_)
constant = _deprecated(constant_)
eye = _deprecated(eye_)
dirac = _deprecated(dirac_)
xavier_uniform = _deprecated(xavier_uniform_)
xavier_normal = _deprecated(xavier_normal_)
kaiming_uniform = _deprecated(kaiming_uniform_)
kaiming_normal = _deprecated(kaiming_normal_)
orthogonal = _deprecated(orthogonal_)
sparse = _deprecated(sparse_)

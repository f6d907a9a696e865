"""Activation functions that bend smoothly."""

import math
from typing import Any

import numpy as np

import autodiff as ad
from autodiff.domain import Interval, away_from
from autodiff.op import OpError, Recorder
from autodiff.ops.blocks import by_blocks, by_loop
from autodiff.ops.conversion import floating
from autodiff.ops.error_function import ndtr
from autodiff.ops.exponential import sigmoid as _sigmoid
from autodiff.ops.masking import choose, limit
from autodiff.recorders import elementwise
from autodiff.tensor import Array, Tensor
from nn.functional.inplace import write_into

sigmoid = ad.sigmoid
tanh = ad.tanh
# The numbers for which the mean 0 and the variance 1 of a layer's inputs are a fixed point (Klambauer et al. 2017).
SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


@by_blocks
def _elu_kernel(x: Array, alpha: float, scale: float, input_scale: float) -> Any:
    # One of both is 0: choosing between them would take longer than adding them.
    y = np.asarray(limit(x, None, 0))
    if input_scale != 1:
        y *= input_scale
    np.expm1(y, out=y)
    y *= alpha * scale
    above = np.asarray(limit(x, 0, None))
    if scale != 1:
        above *= scale
    y += above
    return y


def _elu_rule(g: Any, y: Any, x: Any, alpha: float, scale: float, input_scale: float) -> Any:
    below = np.exp(np.minimum(x, 0.0) * input_scale) * (alpha * scale * input_scale)
    return g * np.where(x > 0, scale, below)


@by_blocks
def _elu_on_arrays(g: Array, y: Any, x: Array, alpha: float, scale: float, input_scale: float) -> Any:
    slope = np.asarray(limit(x, None, 0))
    slope *= input_scale
    np.exp(slope, out=slope)
    if alpha * input_scale != 1 or scale != 1:
        slope *= alpha * scale * input_scale
    if alpha * input_scale != 1:
        # Else both sides have the same slope at 0, which is that of the limit too.
        slope = choose(x > 0, np.full_like(slope, scale), slope)
    slope *= g
    return slope


_elu: Recorder = elementwise(
    "elu",
    _elu_kernel,
    vjp=_elu_rule,
    fast=_elu_on_arrays,
    saves="x",
    arity=1,
    domain=away_from(0.0, low=-15.0, high=15.0),
    analytic=False,
    doc="scale x where it is positive, else scale alpha (exp(input_scale x) - 1), whose slope it has at 0.",
)


def _silu_kernel(x: Array) -> Any:
    gate = _sigmoid.rule(x)
    return x * gate, gate


def _silu_rule(g: Any, y: Any, x: Any) -> Any:
    gate = _sigmoid.rule(x)
    return g * (gate + y * (1 - gate))


_silu: Recorder = elementwise(
    "silu",
    by_loop(by_blocks(_silu_kernel, results=2), "nn.functional.loops.silu", results=2),
    vjp=_silu_rule,
    fast=by_loop(by_blocks(lambda g, y, x, memo: g * (memo + y * (1 - memo))), "nn.functional.loops.silu_slope"),
    memo=True,
    saves="x y",
    domain=Interval(-15, 15),
    doc="x sigmoid(x).",
)


def _mish_parts(x: Any, e: Any) -> tuple[Any, Any]:
    """tanh(softplus(x)) and sigmoid(x), both from one exponential."""
    n = e * (e + 2)
    return n / (n + 2), e / (e + 1)


def _mish_exponential(x: Any) -> Any:
    # Beyond the limit both parts are 1.
    return np.exp(limit(x, None, 5.0 if x.dtype.itemsize == 2 else 20.0))


def _mish_kernel(x: Array) -> Any:
    e = _mish_exponential(x)
    n = e * (e + 2)
    return x * (n / (n + 2)), e


def _mish_rule(g: Any, y: Any, x: Any) -> Any:
    return _mish_slope(g, y, x, np.exp(np.minimum(x, 5.0 if x.dtype.itemsize == 2 else 20.0)))


def _mish_slope(g: Any, y: Any, x: Any, e: Any) -> Any:
    gate, probability = _mish_parts(x, e)
    return g * (gate + x * ((1 - gate * gate) * probability))


_mish: Recorder = elementwise(
    "mish",
    by_blocks(_mish_kernel, results=2),
    vjp=_mish_rule,
    fast=by_blocks(_mish_slope),
    memo=True,
    saves="x",
    domain=Interval(-15, 15),
    doc="x tanh(log(1 + eˣ)).",
)


def _gelu_kernel(x: Array) -> Any:
    # Not 1 + erf(x / √2), of which left of -4 hardly a digit is right.
    share = ndtr.rule(x)
    return x * share, share


def _density(x: Any) -> Any:
    return np.exp(x * x * -0.5) * (1 / math.sqrt(2 * math.pi))


@by_blocks
def _gelu_on_arrays(g: Array, y: Any, x: Array, memo: Array) -> Any:
    slope = np.asarray(x * x)
    slope *= -0.5
    np.exp(slope, out=slope)
    slope *= 1 / math.sqrt(2 * math.pi)
    slope *= x
    slope += memo
    slope *= g
    return slope


_gelu: Recorder = elementwise(
    "gelu",
    by_loop(by_blocks(_gelu_kernel, results=2), "nn.functional.loops.gelu", results=2),
    vjp=lambda g, y, x: g * (ndtr.rule(x) + x * _density(x)),
    fast=by_loop(_gelu_on_arrays, "nn.functional.loops.gelu_slope"),
    memo=True,
    saves="x",
    domain=Interval(-6, 6),
    analytic=False,
    doc="x Φ(x) with the normal distribution function Φ.",
)
CUBE, SLOPE = 0.044715, 2 * math.sqrt(2 / math.pi)


def _gelu_tanh_kernel(x: Array) -> Any:
    # (1 + tanh(u)) / 2 is sigmoid(2 u), which is exact in its tails.
    gate = _sigmoid.rule(x * (x * x * (CUBE * SLOPE) + SLOPE))
    return x * gate, gate


def _gelu_tanh_slope(x: Any, y: Any, gate: Any) -> Any:
    return gate + y * ((1 - gate) * (x * x * (3 * CUBE * SLOPE) + SLOPE))


_gelu_tanh: Recorder = elementwise(
    "gelu_tanh",
    by_blocks(_gelu_tanh_kernel, results=2),
    vjp=lambda g, y, x: g * _gelu_tanh_slope(x, y, _sigmoid.rule(x * (x * x * (CUBE * SLOPE) + SLOPE))),
    fast=by_blocks(lambda g, y, x, memo: g * _gelu_tanh_slope(x, y, memo)),
    memo=True,
    saves="x y",
    domain=Interval(-3, 3),
    doc="x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2.",
)


def _tail(x: Any) -> Any:
    """log(1 + exp(-|x|))."""
    y = np.asarray(np.abs(x))
    np.negative(y, out=y)
    np.exp(y, out=y)
    return np.log1p(y, out=y)


@by_blocks
def _softplus_kernel(x: Array, beta: float, threshold: float) -> Any:
    z = x if beta == 1 else x * beta
    y = _tail(z)
    y += limit(z, 0, None)
    if beta != 1:
        y /= beta
    return choose(z > threshold, x, y)


@by_blocks
def _softplus_on_arrays(g: Array, y: Any, x: Array, beta: float, threshold: float) -> Any:
    z = x if beta == 1 else x * beta
    return choose(z > threshold, g, g * _sigmoid.rule(z))


_softplus: Recorder = elementwise(
    "softplus",
    _softplus_kernel,
    vjp=lambda g, y, x, beta, threshold: np.where(x * beta > threshold, g, g * _sigmoid.rule(x * beta)),
    fast=_softplus_on_arrays,
    saves="x",
    arity=1,
    domain=away_from(2, low=-15, high=15),
    analytic=False,
    doc="log(1 + exp(beta x)) / beta, and x where beta x is above the threshold.",
)
_logsigmoid: Recorder = elementwise(
    "logsigmoid",
    by_blocks(lambda x: limit(x, None, 0) - _tail(x)),
    vjp=lambda g, y, x: g * _sigmoid.rule(-x),
    fast=by_blocks(lambda g, y, x: g * _sigmoid.rule(-x)),
    saves="x",
    domain=Interval(-15, 15),
    analytic=False,
    doc="The logarithm of sigmoid(x), exact where that underflows.",
)


_softsign: Recorder = elementwise(
    "softsign",
    by_blocks(lambda x: x / (np.abs(x) + 1)),
    vjp=lambda g, y, x: g / ((np.abs(x) + 1) * (np.abs(x) + 1)),
    fast=by_blocks(lambda g, y, x: g / np.square(np.abs(x) + 1)),
    saves="x",
    domain=away_from(0.0, low=-15.0, high=15.0),
    analytic=False,
    doc="x / (1 + |x|).",
)


def _output(name: str, op: Recorder, input: Tensor, inplace: bool = False, **params: Any) -> Tensor:
    output = op(floating(name, input), **params)
    return write_into(input, output) if inplace else output


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where it is positive, else alpha (eˣ - 1); its gradient at 0 is alpha. Source: Clevert et al. 2015.

    >>> import autodiff as ad
    >>> elu(ad.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.0000])
    """
    return _output("elu", _elu, input, inplace, alpha=alpha, scale=1.0, input_scale=1.0)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """1.0507 elu(x, 1.6733), which keeps mean 0 and variance 1. Source: Klambauer et al. 2017.

    >>> import autodiff as ad
    >>> selu(ad.tensor([-1.0, 2.0]))
    tensor([-1.1113,  2.1014])
    """
    return _output("selu", _elu, input, inplace, alpha=SELU_ALPHA, scale=SELU_SCALE, input_scale=1.0)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where it is positive, else alpha (exp(x / alpha) - 1), with slope 1 at 0. ValueError if alpha is 0.

    Source: Barron 2017.

    >>> import autodiff as ad
    >>> celu(ad.tensor([-1.0, 2.0]), 2.0)
    tensor([-0.7869,  2.0000])
    """
    if alpha == 0:
        raise ValueError("celu expected an alpha other than 0, by which the input is divided")
    return _output("celu", _elu, input, inplace, alpha=alpha, scale=1.0, input_scale=1 / alpha)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x sigmoid(x), also called swish. Source: Elfwing et al. 2017.

    >>> import autodiff as ad
    >>> silu(ad.tensor([0.0, 2.0]))
    tensor([0.0000, 1.7616])
    """
    return _output("silu", _silu, input, inplace)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x tanh(softplus(x)). Source: Misra 2019.

    >>> import autodiff as ad
    >>> mish(ad.tensor([0.0, 2.0]))
    tensor([0.0000, 1.9440])
    """
    return _output("mish", _mish, input, inplace)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x Φ(x) with the normal distribution function Φ; with `approximate` "tanh" by a formula with tanh.

    ValueError for another `approximate`. Source: Hendrycks and Gimpel 2016.

    >>> import autodiff as ad
    >>> gelu(ad.tensor([0.0, 2.0]))
    tensor([0.0000, 1.9545])
    """
    if approximate not in ("none", "tanh"):
        raise ValueError(f'gelu expected approximate="none" or "tanh", got {approximate!r}')
    return _output("gelu", _gelu if approximate == "none" else _gelu_tanh, input)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta x)) / beta, a smooth relu; x itself where beta x is above the threshold.

    >>> import autodiff as ad
    >>> softplus(ad.tensor([0.0, 2.0]))
    tensor([0.6931, 2.1269])
    """
    return _output("softplus", _softplus, input, beta=beta, threshold=threshold)


def logsigmoid(input: Tensor) -> Tensor:
    """The logarithm of sigmoid(x), exact where that underflows.

    >>> import autodiff as ad
    >>> logsigmoid(ad.tensor([0.0, -1000.0]))
    tensor([-6.9315e-01, -1.0000e+03])
    """
    return _output("logsigmoid", _logsigmoid, input)


def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|).

    >>> import autodiff as ad
    >>> softsign(ad.tensor([-1.0, 3.0]))
    tensor([-0.5000,  0.7500])
    """
    return _output("softsign", _softsign, input)


def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x).

    >>> import autodiff as ad
    >>> tanhshrink(ad.tensor([0.0, 2.0]))
    tensor([0.0000, 1.0360])
    """
    return input - input.tanh()


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """a sigmoid(b) of the two halves a and b along `dim`; OpError if there are no halves. Source: Dauphin et al. 2016.

    >>> import autodiff as ad
    >>> glu(ad.tensor([3.0, 0.0]))
    tensor([1.5000])
    """
    if not input.ndim or input.shape[dim] % 2:
        raise OpError(f"glu expected an even length along dim {dim}, to halve it; got shape {input.shape}")
    a, b = input.chunk(2, dim)
    return a * sigmoid(b)


def elu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """`elu`, written into the input."""
    return elu(input, alpha, inplace=True)


def selu_(input: Tensor) -> Tensor:
    """`selu`, written into the input."""
    return selu(input, inplace=True)


def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """`celu`, written into the input."""
    return celu(input, alpha, inplace=True)

"""Activation functions that bend smoothly."""

from typing import Any

import numpy as np

import autodiff as ad
from autodiff.domain import Interval, away_from
from autodiff.op import OpError, Recorder
from autodiff.ops.blocks import by_blocks, by_loop
from autodiff.ops.conversion import floating
from autodiff.ops.exponential import sigmoid as _sigmoid
from autodiff.ops.exponential import stable_sigmoid
from autodiff.ops.masking import LARGE, choose, limit
from autodiff.recorders import elementwise
from autodiff.tensor import Array, Tensor
from nn.functional.inplace import write_into

sigmoid = ad.sigmoid
tanh = ad.tanh
# The numbers for which the mean 0 and the variance 1 of a layer's inputs are a fixed point (Klambauer et al. 2017).
SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


# Small arrays go past `by_blocks` and `by_loop`, whose calls cost 0.4 µs, up to a tenth of a kernel on 100 numbers.
def _elu_kernel(x: Array, alpha: float, scale: float, input_scale: float, *, out: Any = None) -> Any:
    # One of both is 0: choosing between them would take longer than adding them.
    y = np.asarray(limit(x, None, 0, out))
    if input_scale != 1:
        y *= input_scale
    np.expm1(y, out=y)
    if alpha * scale != 1:
        y *= alpha * scale
    above = np.asarray(limit(x, 0, None))
    if scale != 1:
        above *= scale
    y += above
    return y


def _elu_rule(g: Any, y: Any, x: Any, alpha: float, scale: float, input_scale: float) -> Any:
    below = np.exp(np.minimum(x, 0.0) * input_scale) * (alpha * scale * input_scale)
    return g * np.where(x > 0, scale, below)


def _elu_on_arrays(
    g: Array, y: Any, x: Array, alpha: float, scale: float, input_scale: float, *, out: Any = None
) -> Any:
    slope = np.asarray(limit(x, None, 0, out))
    if input_scale != 1:
        slope *= input_scale
    np.exp(slope, out=slope)
    if alpha * input_scale != 1 or scale != 1:
        slope *= alpha * scale * input_scale
    if alpha * input_scale != 1:
        # Else both sides have the same slope at 0, which is that of the limit too.
        slope = choose(x > 0, np.full_like(slope, scale), slope, out)
    slope *= g
    return slope


_large_elu = by_loop(by_blocks(_elu_kernel), "nn.functional.loops.elu")
_large_elu_slope = by_loop(by_blocks(_elu_on_arrays), "nn.functional.loops.elu_slope")
_elu: Recorder = elementwise(
    "elu",
    lambda x, **params: (_elu_kernel if x.size < LARGE else _large_elu)(x, **params),
    vjp=_elu_rule,
    fast=lambda g, y, x, **params: (_elu_on_arrays if x.size < LARGE else _large_elu_slope)(g, y, x, **params),
    saves="x",
    arity=1,
    domain=away_from(0.0, low=-15.0, high=15.0),
    analytic=False,
    doc="scale x where it is positive, else scale alpha (exp(input_scale x) - 1), whose slope it has at 0.",
)


def _silu_kernel(x: Array, *, out: Any = (None, None)) -> Any:
    y, gate = out
    gate = stable_sigmoid(x, out=gate)
    return np.multiply(x, gate, out=y), gate


def _silu_rule(g: Any, y: Any, x: Any) -> Any:
    gate = _sigmoid.rule(x)
    return g * (gate + y * (1 - gate))


def _silu_on_arrays(g: Array, y: Array, x: Any, memo: Array, *, out: Any = None) -> Any:
    slope = np.asarray(np.subtract(1, memo, out))
    slope *= y
    slope += memo
    slope *= g
    return slope


_large_silu = by_loop(by_blocks(_silu_kernel, results=2), "nn.functional.loops.silu", results=2)
_large_silu_slope = by_loop(by_blocks(_silu_on_arrays), "nn.functional.loops.silu_slope")
_silu: Recorder = elementwise(
    "silu",
    lambda x: _silu_kernel(x) if x.size < LARGE else _large_silu(x),
    vjp=_silu_rule,
    fast=lambda g, y, x, memo: (_silu_on_arrays if g.size < LARGE else _large_silu_slope)(g, y, x, memo),
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


_large_mish = by_loop(by_blocks(_mish_kernel, results=2), "nn.functional.loops.mish", results=2)
_large_mish_slope = by_loop(by_blocks(_mish_slope), "nn.functional.loops.mish_slope")
_mish: Recorder = elementwise(
    "mish",
    lambda x: _mish_kernel(x) if x.size < LARGE else _large_mish(x),
    vjp=_mish_rule,
    fast=lambda g, y, x, memo: (_mish_slope if g.size < LARGE else _large_mish_slope)(g, y, x, memo),
    memo=True,
    saves="x",
    domain=Interval(-15, 15),
    doc="x tanh(log(1 + eˣ)).",
)


def _tail(x: Any, out: Any = None) -> Any:
    """log(1 + exp(-|x|))."""
    y = np.asarray(np.abs(x, out))
    np.negative(y, out=y)
    np.exp(y, out=y)
    return np.log1p(y, out=y)


def _bends_up_to(threshold: float, x: Array, beta: float) -> bool:
    """Whether the threshold matters: from 20 on the tail is less than half a place of a float32."""
    return beta != 1 or threshold < 20 or x.dtype.char == "d"


def _softplus_kernel(x: Array, beta: float, threshold: float, *, out: Any = None) -> Any:
    z = x if beta == 1 else x * beta
    y = _tail(z, out)
    y += limit(z, 0, None)
    if beta != 1:
        y /= beta
    return choose(z > threshold, x, y, out) if _bends_up_to(threshold, x, beta) else y


def _softplus_on_arrays(g: Array, y: Any, x: Array, beta: float, threshold: float, *, out: Any = None) -> Any:
    slope = np.asarray(np.multiply(y, -beta, out))
    np.expm1(slope, out=slope)
    slope *= g
    np.negative(slope, out=slope)
    return choose(x * beta > threshold, g, slope, out) if _bends_up_to(threshold, x, beta) else slope


_large_softplus = by_loop(by_blocks(_softplus_kernel), "nn.functional.loops.softplus")
_large_softplus_slope = by_loop(by_blocks(_softplus_on_arrays), "nn.functional.loops.softplus_slope")
_softplus: Recorder = elementwise(
    "softplus",
    lambda x, **params: (_softplus_kernel if x.size < LARGE else _large_softplus)(x, **params),
    # The sigmoid of beta x is 1 - exp(-beta y).
    vjp=lambda g, y, x, beta, threshold: np.where(x * beta > threshold, g, g * -np.expm1(y * -beta)),
    fast=lambda g, y, x, **params: (_softplus_on_arrays if x.size < LARGE else _large_softplus_slope)(
        g, y, x, **params
    ),
    saves="x y",
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

"""A layer and the batch normalisation behind it as one layer, for evaluation: both are linear then."""

import copy
from typing import Any, TypeVar

import autodiff as ad
from autodiff.op import OpError
from autodiff.tensor import Tensor
from nn.conv import Convolution
from nn.linear import Linear
from nn.module import Module
from nn.parameter import Parameter

Layer = TypeVar("Layer", bound=Module)


def _fused(
    weight: Tensor, bias: Tensor | None, mean: Tensor, var: Tensor, eps: float, scale: Tensor | None,
    shift: Tensor | None, axis: int,
) -> tuple[Parameter, Parameter]:  # fmt: skip
    """With a batch normalisation of the outputs, which lie on `axis` of the weight."""
    with ad.no_grad():
        factor = 1 / (var + eps).sqrt() if scale is None else scale / (var + eps).sqrt()
        beside = [-1 if i == axis else 1 for i in range(weight.ndim)]
        offset = -mean if bias is None else bias - mean
        fused = offset * factor if shift is None else offset * factor + shift
        return (
            Parameter((weight * factor.reshape(beside)).to(weight.dtype), weight.requires_grad),
            Parameter(fused.to(weight.dtype if bias is None else bias.dtype), bias is not None and bias.requires_grad),
        )


def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> tuple[Parameter, Parameter]:
    """Weight and bias of the convolution that does what this one does and then a batch normalisation.

    With the running mean m and variance v, and γ, β its weight and bias: W γ / √(v + eps) and
    (b - m) γ / √(v + eps) + β. `transpose` is for transposed convolutions without groups.

    >>> import autodiff as ad
    >>> weight, bias = fuse_conv_bn_weights(ad.ones(1, 1, 1), None, ad.ones(1), ad.tensor([4.0]), 0.0, None, None)
    >>> weight.item(), bias.item()
    (0.5, -0.5)
    """
    return _fused(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, int(transpose))


def fuse_linear_bn_weights(
    linear_w: Tensor,
    linear_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
) -> tuple[Parameter, Parameter]:
    """As `fuse_conv_bn_weights`, of a linear layer.

    >>> import autodiff as ad
    >>> weight, bias = fuse_linear_bn_weights(ad.ones(1, 1), None, ad.ones(1), ad.tensor([4.0]), 0.0, None, None)
    >>> weight.item(), bias.item()
    (0.5, -0.5)
    """
    return _fused(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, 0)


def _statistics(layer: Module, bn: Any) -> tuple[Tensor, Tensor]:
    """The running mean and variance; OpError where there are none, or in training, when they are not what is used."""
    if layer.training or bn.training:
        raise OpError("fusing a batch normalisation expected both modules in evaluation mode; call eval() on them")
    if bn.running_mean is None or bn.running_var is None:
        raise OpError("fusing a batch normalisation expected running statistics; it has track_running_stats=False")
    return bn.running_mean, bn.running_var


def fuse_conv_bn_eval(conv: Layer, bn: Module, transpose: bool = False) -> Layer:
    """A copy of the convolution that does what both do in evaluation mode.

    OpError for modules in training mode, without running statistics, or with another number of channels.

    >>> import autodiff as ad, nn
    >>> conv, bn = nn.Conv2d(1, 2, 3).eval(), nn.BatchNorm2d(2).eval()
    >>> x = ad.randn(1, 1, 5, 5)
    >>> ad.allclose(nn.utils.fuse_conv_bn_eval(conv, bn)(x), bn(conv(x)), atol=1e-6)
    True
    """
    mean, var = _statistics(conv, bn)
    if not isinstance(conv, Convolution) or mean.shape != (conv.out_channels,):
        raise OpError(f"expected a convolution and a batch normalisation of its channels, got {conv!r} and {bn!r}")
    if transpose and conv.groups != 1:
        raise OpError(f"expected a transposed convolution without groups, got {conv!r}: its outputs lie on two axes")
    fused = copy.deepcopy(conv)
    fused.weight, fused.bias = fuse_conv_bn_weights(
        fused.weight, fused.bias, mean, var, bn.eps, bn.weight, bn.bias, transpose
    )
    return fused


def fuse_linear_bn_eval(linear: Linear, bn: Module) -> Linear:
    """A copy of the linear layer that does what both do in evaluation mode.

    OpError for modules in training mode, without running statistics, or with another number of features.

    >>> import autodiff as ad, nn
    >>> linear, bn = nn.Linear(3, 2).eval(), nn.BatchNorm1d(2).eval()
    >>> x = ad.randn(4, 3)
    >>> ad.allclose(nn.utils.fuse_linear_bn_eval(linear, bn)(x), bn(linear(x)), atol=1e-6)
    True
    """
    mean, var = _statistics(linear, bn)
    if mean.shape not in ((linear.out_features,), (1,)):
        raise OpError(f"expected a batch normalisation of {linear.out_features} features, or of one, got {bn!r}")
    fused = copy.deepcopy(linear)
    fused.weight, fused.bias = fuse_linear_bn_weights(fused.weight, fused.bias, mean, var, bn.eps, bn.weight, bn.bias)
    return fused

"""Normalisation with running statistics: batch and instance normalisation, and their lazy forms."""

from typing import Any

import autodiff as ad
from autodiff.op import OpError
from autodiff.tensor import Tensor
from autodiff.writes import record_write_if_shared
from nn import functional as F
from nn import init
from nn.functional.standardize_arrays import number
from nn.lazy import LazyModuleMixin
from nn.module import Module
from nn.parameter import Parameter, UninitializedBuffer, UninitializedParameter


class _RunningNorm(Module):
    """What batch and instance normalisation share: the parameters and buffers, and their resetting."""

    weight: Parameter | None
    bias: Parameter | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats

        def filled(value: float) -> Tensor:
            return ad.full((num_features,), value, device=device, dtype=dtype or ad.get_default_dtype())

        self.register_parameter("weight", Parameter(filled(1.0)) if affine else None)
        self.register_parameter("bias", Parameter(filled(0.0)) if affine and bias else None)
        self.register_buffer("running_mean", filled(0.0) if track_running_stats else None)
        self.register_buffer("running_var", filled(1.0) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", ad.tensor(0) if track_running_stats else None)

    def reset_running_stats(self) -> None:
        """Forget the running averages."""
        for buffer, value in ((self.running_mean, 0), (self.running_var, 1), (self.num_batches_tracked, 0)):
            if buffer is not None:
                buffer.fill_(value)

    def reset_parameters(self) -> None:
        """Start anew: no shift, no scaling, no running averages."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(_RunningNorm):
    # The dimensions of the inputs, and how they are written.
    _dimensions: tuple[int, ...]
    _expected: str

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in self._dimensions or input.shape[1] != self.num_features:
            raise OpError(f"expected input {self._expected.replace('C', str(self.num_features))}, got {input.shape}")
        tracked = self.num_batches_tracked if self.training else None
        momentum = self.momentum
        if momentum is None:
            # The average over all batches so far, of which this is one.
            momentum = 0.0 if tracked is None else 1 / (tracked.item() + 1)
        output = F.batch_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or self.running_mean is None,
            momentum,
            self.eps,
        )
        if tracked is not None:
            # Not by add_(1), which takes 6 µs.
            count = tracked.array
            count += number(1, count.dtype)
            record_write_if_shared(count)
        return output


class BatchNorm1d(_BatchNorm):
    """Shifts and scales each feature to mean 0 and variance 1 over the batch, then by `weight` and `bias`.

    Takes (N, C) or (N, C, L). In training mode the statistics are the batch's, and the running averages move towards
    them: ``running = (1 - momentum) * running + momentum * batch``, or the average over all batches if `momentum` is
    None. In evaluation mode the statistics are the running ones. OpError for another number of features or
    dimensions, and in training for a single value per feature. Source: Ioffe and Szegedy 2015.

    >>> import autodiff as ad, nn
    >>> nn.BatchNorm1d(1)(ad.tensor([[1.0], [3.0]]))
    tensor([[-1.0000],
            [ 1.0000]], grad_fn=<StandardizeBackward0>)
    """

    _dimensions, _expected = (2, 3), "(N, C) or (N, C, L)"


class BatchNorm2d(_BatchNorm):
    """`BatchNorm1d` for images (N, C, H, W): each channel is a feature.

    >>> import autodiff as ad, nn
    >>> nn.BatchNorm2d(3)(ad.randn(2, 3, 4, 4)).shape
    (2, 3, 4, 4)
    """

    _dimensions, _expected = (4,), "(N, C, H, W)"


class BatchNorm3d(_BatchNorm):
    """`BatchNorm1d` for volumes (N, C, D, H, W): each channel is a feature.

    >>> import autodiff as ad, nn
    >>> nn.BatchNorm3d(3)(ad.randn(2, 3, 4, 4, 4)).shape
    (2, 3, 4, 4, 4)
    """

    _dimensions, _expected = (5,), "(N, C, D, H, W)"


class _InstanceNorm(_RunningNorm):
    # The dimensions of an input without the batch's, and how inputs are written.
    _unbatched: int
    _expected: str

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        batched = input.ndim == self._unbatched + 1
        # Without parameters and averages, whose length it is, the number of features is not used.
        used = self.affine or self.track_running_stats
        if not (batched or input.ndim == self._unbatched) or (
            used and input.shape[-self._unbatched] != self.num_features
        ):
            raise OpError(f"expected input {self._expected.replace('C', str(self.num_features))}, got {input.shape}")
        output = F.instance_norm(
            input if batched else input.unsqueeze(0),
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )
        return output if batched else output.squeeze(0)


class InstanceNorm1d(_InstanceNorm):
    """Shifts and scales each channel of each sample to mean 0 and variance 1, then by `weight` and `bias` if `affine`.

    Takes (N, C, L) or (C, L). With `track_running_stats`, running averages of the samples' statistics are what is
    normalised with in evaluation mode. OpError for another number of dimensions, or of features where parameters or
    averages have a length; ValueError for a single value in each channel. Source: Ulyanov et al. 2016.

    >>> import autodiff as ad, nn
    >>> nn.InstanceNorm1d(1)(ad.tensor([[[1.0, 3.0]]]))
    tensor([[[-1.0000,  1.0000]]])
    """

    _unbatched, _expected = 2, "(N, C, L) or (C, L)"


class InstanceNorm2d(_InstanceNorm):
    """`InstanceNorm1d` for images (N, C, H, W) or (C, H, W).

    >>> import autodiff as ad, nn
    >>> nn.InstanceNorm2d(3)(ad.randn(2, 3, 4, 4)).shape
    (2, 3, 4, 4)
    """

    _unbatched, _expected = 3, "(N, C, H, W) or (C, H, W)"


class InstanceNorm3d(_InstanceNorm):
    """`InstanceNorm1d` for volumes (N, C, D, H, W) or (C, D, H, W).

    >>> import autodiff as ad, nn
    >>> nn.InstanceNorm3d(3)(ad.randn(2, 3, 4, 4, 4)).shape
    (2, 3, 4, 4, 4)
    """

    _unbatched, _expected = 4, "(N, C, D, H, W) or (C, D, H, W)"


class _LazyNorm(LazyModuleMixin, _RunningNorm):
    # Where an input has its channels.
    _channel_axis: int = 1

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        _RunningNorm.__init__(self, 0, eps, momentum, False, False)
        self.affine, self.track_running_stats = affine, track_running_stats
        if affine:
            self.weight = UninitializedParameter(device=device, dtype=dtype)
            if bias:
                self.bias = UninitializedParameter(device=device, dtype=dtype)
        if track_running_stats:
            self.running_mean = UninitializedBuffer(device=device, dtype=dtype)
            self.running_var = UninitializedBuffer(device=device, dtype=dtype)
            self.num_batches_tracked = ad.tensor(0)

    def reset_parameters(self) -> None:
        """Start anew, once the sizes are known."""
        if self.num_features and not self.has_uninitialized_params():
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor) -> None:
        """Take `num_features` from the input, unless a state has been loaded."""
        members = [m for m in (self.weight, self.bias, self.running_mean, self.running_var) if m is not None]
        uninitialized = [m for m in members if isinstance(m, UninitializedParameter | UninitializedBuffer)]
        if members and not uninitialized:
            self.num_features = members[0].shape[0]
            return
        if input.ndim < 2:
            raise OpError(f"expected an input with a dimension of channels, got shape {input.shape}")
        self.num_features = input.shape[self._channel_axis]
        for member in uninitialized:
            member.materialize((self.num_features,))
        self.reset_parameters()


class LazyBatchNorm1d(_LazyNorm, BatchNorm1d):
    """A `BatchNorm1d` whose `num_features` is the number of channels of its first input.

    >>> import autodiff as ad, nn
    >>> layer = nn.LazyBatchNorm1d()
    >>> _ = layer(ad.randn(4, 3))
    >>> layer.num_features
    3
    """

    cls_to_become = BatchNorm1d


class LazyBatchNorm2d(_LazyNorm, BatchNorm2d):
    """A `BatchNorm2d` whose `num_features` is the number of channels of its first input.

    >>> import autodiff as ad, nn
    >>> layer = nn.LazyBatchNorm2d()
    >>> _ = layer(ad.randn(4, 3, 2, 2))
    >>> layer.num_features
    3
    """

    cls_to_become = BatchNorm2d


class LazyBatchNorm3d(_LazyNorm, BatchNorm3d):
    """A `BatchNorm3d` whose `num_features` is the number of channels of its first input.

    >>> import autodiff as ad, nn
    >>> layer = nn.LazyBatchNorm3d()
    >>> _ = layer(ad.randn(4, 3, 2, 2, 2))
    >>> layer.num_features
    3
    """

    cls_to_become = BatchNorm3d


class LazyInstanceNorm1d(_LazyNorm, InstanceNorm1d):
    """An `InstanceNorm1d` whose `num_features` is the number of channels of its first input.

    >>> import autodiff as ad, nn
    >>> layer = nn.LazyInstanceNorm1d()
    >>> _ = layer(ad.randn(4, 3, 2))
    >>> layer.num_features
    3
    """

    cls_to_become, _channel_axis = InstanceNorm1d, -2


class LazyInstanceNorm2d(_LazyNorm, InstanceNorm2d):
    """An `InstanceNorm2d` whose `num_features` is the number of channels of its first input.

    >>> import autodiff as ad, nn
    >>> layer = nn.LazyInstanceNorm2d()
    >>> _ = layer(ad.randn(4, 3, 2, 2))
    >>> layer.num_features
    3
    """

    cls_to_become, _channel_axis = InstanceNorm2d, -3


class LazyInstanceNorm3d(_LazyNorm, InstanceNorm3d):
    """An `InstanceNorm3d` whose `num_features` is the number of channels of its first input.

    >>> import autodiff as ad, nn
    >>> layer = nn.LazyInstanceNorm3d()
    >>> _ = layer(ad.randn(4, 3, 2, 2, 2))
    >>> layer.num_features
    3
    """

    cls_to_become, _channel_axis = InstanceNorm3d, -4

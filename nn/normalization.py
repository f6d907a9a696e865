"""Batch normalisation."""

from typing import Any

import autodiff as ad
from autodiff.op import OpError
from autodiff.tensor import Tensor
from nn import functional as F
from nn import init
from nn.module import Module
from nn.parameter import Parameter


class BatchNorm1d(Module):
    """Shifts and scales each feature to mean 0 and variance 1 over the batch, then by `weight` and `bias`.

    Takes (N, C) or (N, C, L). In training mode the statistics are the batch's, and the running averages move towards
    them: ``running = (1 - momentum) * running + momentum * batch``, or the average over all batches if `momentum` is
    None. In evaluation mode the statistics are the running ones. OpError for another number of features or
    dimensions, and in training for a single value per feature. Source: Ioffe and Szegedy 2015.

    >>> import autodiff as ad, nn
    >>> nn.BatchNorm1d(1)(ad.tensor([[1.0], [3.0]]))
    tensor([[-1.0000],
            [ 1.0000]], grad_fn=<BatchNormBackward0>)
    """

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

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in (2, 3) or input.shape[1] != self.num_features:
            c = self.num_features
            raise OpError(f"expected input (N, {c}) or (N, {c}, L), got {input.shape}")
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
            tracked.add_(1)
        return output

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )

"""Batch normalisation."""

from typing import Any

import autodiff as ad
from autodiff.tensor import Tensor
from nn import functional as F
from nn.module import Module
from nn.parameter import Parameter


class BatchNorm1d(Module):
    """Shifts and scales each feature to mean 0 and variance 1 over the batch, then by `weight` and `bias`.

    Takes (N, C) or (N, C, L). In training mode the statistics are the batch's, and the running averages move towards
    them: ``running = (1 - momentum) * running + momentum * batch``, or the average over all batches if `momentum` is
    None. In evaluation mode the statistics are the running ones. ValueError for another number of features or
    dimensions, and in training for a single value per feature. Source: Ioffe and Szegedy 2015.

    >>> import autodiff as ad, nn
    >>> nn.BatchNorm1d(1)(ad.tensor([[1.0], [3.0]]))
    tensor([[-1.0000],
            [ 1.0000]], grad_fn=<NativeBatchNormBackward0>)
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

        def ones() -> Tensor:
            return ad.ones(num_features, device=device, dtype=dtype)

        self.register_parameter("weight", Parameter(ones()) if affine else None)
        self.register_parameter("bias", Parameter(ad.zeros_like(ones())) if affine and bias else None)
        self.register_buffer("running_mean", ad.zeros_like(ones()) if track_running_stats else None)
        self.register_buffer("running_var", ones() if track_running_stats else None)
        self.register_buffer("num_batches_tracked", ad.tensor(0) if track_running_stats else None)

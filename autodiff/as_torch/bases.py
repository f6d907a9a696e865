"""Base classes of layers, losses and schedules under the names that PyTorch's files have for them."""

from nn.batch_norm import _BatchNorm, _InstanceNorm
from nn.batch_norm import _RunningNorm as _NormBase
from nn.conv import Convolution as _ConvNd
from nn.conv import _ConvTranspose as _ConvTransposeNd
from nn.dropout import _Dropout as _DropoutNd
from nn.losses.base import Loss as _Loss
from nn.losses.base import WeightedLoss as _WeightedLoss
from optim.lr_scheduler import LRScheduler as _LRScheduler

LAYERS = (_BatchNorm, _InstanceNorm, _NormBase, _ConvNd, _ConvTransposeNd, _DropoutNd)
LOSSES = (_Loss, _WeightedLoss)
SCHEDULES = (_LRScheduler,)

__all__: list[str] = []

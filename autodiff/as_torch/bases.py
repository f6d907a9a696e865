"""What programs take from PyTorch's files though it begins with an underscore: base classes, and widths of weights."""

from autodiff.tensor import Tensor
from nn.batch_norm import _BatchNorm, _InstanceNorm
from nn.batch_norm import _RunningNorm as _NormBase
from nn.conv import Convolution as _ConvNd
from nn.conv import _ConvTranspose as _ConvTransposeNd
from nn.dropout import _Dropout as _DropoutNd
from nn.init import fan_in_and_fan_out as _calculate_fan_in_and_fan_out
from nn.losses.base import Loss as _Loss
from nn.losses.base import WeightedLoss as _WeightedLoss
from optim.lr_scheduler import LRScheduler as _LRScheduler

LAYERS = (_BatchNorm, _InstanceNorm, _NormBase, _ConvNd, _ConvTransposeNd, _DropoutNd)
LOSSES = (_Loss, _WeightedLoss)
SCHEDULES = (_LRScheduler,)


def _calculate_correct_fan(tensor: Tensor, mode: str) -> int:
    return _calculate_fan_in_and_fan_out(tensor)[mode.lower() == "fan_out"]


__all__: list[str] = []

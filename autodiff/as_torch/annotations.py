"""`torch.types` and `torch.nn.common_types`: names that programs write into the signatures of their functions."""

from typing import Any

from autodiff.as_torch.devices import device
from autodiff.tensor import Tensor

Number = int | float | bool
Device = device | str | int | None
_int, _float, _bool, _dtype, _device, _size = int, float, bool, Any, device, tuple[int, ...]
_TensorOrTensors = Tensor | tuple[Tensor, ...]
_size_any_t = _size_1_t = _size_2_t = _size_3_t = _size_4_t = _size_5_t = _size_6_t = int | tuple[int, ...]
_size_any_opt_t = _size_2_opt_t = _size_3_opt_t = int | tuple[int | None, ...] | None
_ratio_any_t = _ratio_2_t = _ratio_3_t = float | tuple[float, ...]
_tensor_list_t = Tensor | list[Tensor]
_maybe_indices_t = Any

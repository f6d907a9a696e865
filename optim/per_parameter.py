"""Optimizers given by a formula for one parameter, which NumPy computes in place, or which is recorded in the graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self, cast

import numpy as np

from autodiff.dtypes import DType, float32, float64, get_default_dtype
from autodiff.grad_mode import enable_grad
from autodiff.tensor import Tensor, wrap
from autodiff.writes import record_write
from optim.gradients import check_gradients, gradient
from optim.optimizer import Optimizer
from optim.options import Group, numbers_for_tensors

State = dict[str, Any]


class PerParameter(Optimizer):
    """An optimizer given by `update`, a formula in place on the array of one parameter.

    With the option ``differentiable`` the same formula runs on tensors, so that results depend on what the gradients
    and options, such as ``lr``, were computed from. A parameter then gets new memory in each step.

    >>> import autodiff as ad
    >>> class Normalized(PerParameter):
    ...     def update(self, p, g, state, group):
    ...         p -= group["lr"] * g / np.sqrt((g * g).sum())
    >>> w = ad.tensor([3.0, -4.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> Normalized([w], {"lr": 0.5}).step()
    >>> w.tolist()
    [2.700000047683716, -3.5999999046325684]
    """

    # The entries of the state that are one number for a parameter; all others are arrays.
    numbers: ClassVar[tuple[str, ...]] = ("step",)

    def update(self, p: Any, g: Any, state: State, group: Group) -> None:
        """Change `p` in place, and `state`, which is empty the first time; the gradient `g` stays as it is."""
        raise NotImplementedError(f"{type(self).__name__} has no formula: define update(self, p, g, state, group)")

    def update_group(self, group: Group) -> None:
        """Update the parameters of `group` that have a gradient; ValueError for one of another shape or not finite."""
        params = [p for p in group["params"] if p.grad is not None]
        check_gradients(params, self.label)
        for p in params:
            if self.differentiable:
                self._record_update(p, group)
            else:
                self._update_arrays(p, group)

    def _update_arrays(self, p: Tensor, group: Group) -> None:
        known = self.state[p]
        state = {name: value.item() if name in self.numbers else value.array for name, value in known.items()}
        g = gradient(p)
        self.update(p.array, -g if group.get("maximize") else g, state, group)
        record_write(p.array)
        for name, value in state.items():
            if name in self.numbers:
                known[name] = wrap(np.array(value, counter_dtype()))
            elif name not in known or known[name].array is not value:
                known[name] = wrap(value)

    def _record_update(self, p: Tensor, group: Group) -> None:
        if p.is_leaf and p.requires_grad:
            raise RuntimeError(
                f"{self.label(p)} is a leaf tensor that requires grad, and a recorded step would lose its history: "
                f"give p.clone() to an optimizer with differentiable=True"
            )
        state = {name: _readable(value, name in self.numbers) for name, value in self.state[p].items()}
        result, g = _Rebinding.of(p), cast(Tensor, p.grad)
        with enable_grad():
            self.update(result, -g if group.get("maximize") else g, state, group)
        p.array, p.node, p.alias = result.array, result.node, None
        self.state[p] = {
            name: wrap(value.array, value.node) if isinstance(value, Tensor) else wrap(np.array(value, counter_dtype()))
            for name, value in state.items()
        }

    def restored_state(self, p: Tensor, label: str, values: Mapping[str, Any], group: Group) -> State:
        """A copy of `values`, the saved state of `p`, in its dtype; ValueError if a shape or an entry does not fit."""
        state: State = {}
        for name, value in values.items():
            array = np.array(value.array if isinstance(value, Tensor) else value, order="C")
            if name not in self.numbers:
                array = array.astype(p.dtype, copy=False)
            expected = () if name in self.numbers else self.state_shape(name, p)
            if array.shape != expected:
                raise ValueError(
                    f"{name!r} of {label} does not fit: expected shape {expected}, the loaded state has {array.shape}"
                )
            state[name] = wrap(array)
        self._check_entries(p, label, state, group)
        return state

    def state_shape(self, name: str, p: Tensor) -> tuple[int, ...]:
        """The shape of the entry `name` of the state of `p`."""
        return p.shape

    def _check_entries(self, p: Tensor, label: str, state: State, group: Group) -> None:
        """ValueError if `state` lacks what an update reads."""
        entries = {n: v.item() if n in self.numbers else v.array.copy() for n, v in state.items()}
        if not entries:
            return
        try:
            with np.errstate(all="ignore"):
                self.update(p.array.copy(), np.zeros_like(p.array), entries, numbers_for_tensors(group))
        except KeyError as missing:
            raise ValueError(
                f"the loaded state of {label} lacks {missing}: it has {sorted(state)}, the state of another optimizer "
                f"than {type(self).__name__}"
            ) from None


class _Rebinding(Tensor):
    """A tensor for which ``x += y`` computes a new array, so that the graph may have saved the one before."""

    __slots__ = ()

    @classmethod
    def of(cls, source: Tensor) -> Self:
        tensor = cls.__new__(cls)
        tensor.array, tensor.node, tensor.alias = source.array, source.node, None
        return tensor

    def _become(self, result: Tensor) -> Self:
        self.array, self.node = result.array, result.node
        return self

    def __iadd__(self, other: Any) -> Self:  # type: ignore[override]
        return self._become(self + other)

    def __isub__(self, other: Any) -> Self:  # type: ignore[override]
        return self._become(self - other)

    def __imul__(self, other: Any) -> Self:
        return self._become(self * other)


def _readable(value: Tensor, is_number: bool) -> Any:
    """An entry of the state as a recorded update gets it: a number, unless it is learned, or a tensor."""
    return value.item() if is_number and not value.requires_grad else _Rebinding.of(value)


def counter_dtype() -> DType:
    """PyTorch's dtype for numbers of a state: float32, which counts to 16,777,216, unless the default is float64."""
    return float64 if get_default_dtype() == float64 else float32


def rounded(value: Any) -> Any:
    """A number as the state will hold it: PyTorch computes with what it holds, and not with more digits."""
    return value if isinstance(value, Tensor) else float(counter_dtype().type(value))


def full_like(p: Any, value: Any = 0.0) -> Any:
    """An array or tensor like `p`, filled with `value`: the beginning of a state."""
    filled = np.full_like(p.array if isinstance(p, Tensor) else p, float(value))
    return _Rebinding.of(wrap(filled)) if isinstance(p, Tensor) else filled

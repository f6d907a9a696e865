"""The base of every optimizer: parameter groups with their options, state per parameter, saving and loading, hooks."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from itertools import chain
from numbers import Real
from typing import Any, ClassVar

from autodiff.grad_mode import enable_grad
from autodiff.tensor import Tensor
from autodiff.writes import record_write
from optim.hooks import Hook, HookHandle, with_hooks

Group = dict[str, Any]
Params = Iterable[Tensor] | Iterable[Group] | Iterable[tuple[str, Tensor]]


class Optimizer:
    """What all optimizers share; a new one overrides `update_group`, or `step` itself.

    ``params`` are leaf tensors, ``(name, tensor)`` pairs or dicts ``{"params": [...], "lr": ...}`` whose options take
    the place of ``defaults``. ``param_groups`` is the list of these dicts, ``state`` what is kept for each parameter.
    TypeError or ValueError for parameters that cannot be trained and for options out of range.

    >>> import autodiff as ad
    >>> class SignDescent(Optimizer):
    ...     def update_group(self, group):
    ...         for p in group["params"]:
    ...             if p.grad is not None:
    ...                 p.data -= group["lr"] * p.grad.sign()
    >>> w = ad.tensor([3.0, -1.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> SignDescent([w], {"lr": 0.5}).step()
    >>> w.tolist()
    [2.5, -0.5]
    """

    # Options that must be numbers, or pairs of numbers, from 0 up to but not including this bound.
    bounds: ClassVar[dict[str, float]] = {"lr": math.inf}

    def __init__(self, params: Params, defaults: Group) -> None:
        if isinstance(params, Tensor):
            raise TypeError("expected an iterable of tensors or of dicts to optimize, got a Tensor: pass [tensor]")
        if hasattr(params, "parameters"):
            raise TypeError(
                f"expected an iterable of tensors or of dicts to optimize, got the module {type(params).__name__}: "
                f"pass model.parameters()"
            )
        self.__setstate__({"defaults": defaults, "state": defaultdict(dict), "param_groups": []})
        entries: list[Any] = list(params)
        if not entries:
            raise ValueError(
                "optimizer got an empty parameter list: expected at least one tensor; a generator such as "
                "model.parameters() is empty the second time it is read"
            )
        for group in entries if isinstance(entries[0], dict) else [{"params": entries}]:
            self.add_param_group(group)
        if not any(p.requires_grad for group in self.param_groups for p in group["params"]):
            raise ValueError("expected parameters to optimize, got none that requires grad: call p.requires_grad_()")

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "step" in vars(cls):
            type.__setattr__(cls, "step", with_hooks(vars(cls)["step"]))

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.defaults: Group = state["defaults"]
        self.state: defaultdict[Tensor, dict[str, Any]] = state["state"]
        self.param_groups: list[Group] = state["param_groups"]
        self.step_called = False
        self.inside_step = False
        self.pre_hooks: dict[int, Hook] = {}
        self.post_hooks: dict[int, Hook] = {}

    def __repr__(self) -> str:
        lines = []
        for index, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {index}")
            lines += [f"    {name}: {group[name]}" for name in sorted(group) if name != "params"]
        return "\n".join([f"{type(self).__name__} (", *lines, ")"])

    def update_group(self, group: Group) -> None:
        """Update the parameters of `group` that have a gradient; every optimizer defines it."""
        raise NotImplementedError(f"{type(self).__name__} has no update: define update_group(self, group) in its class")

    @with_hooks
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update all parameters that have a gradient; returns the loss of ``closure``, which is called first if given.

        ValueError if a learning rate is not finite.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for index, group in enumerate(self.param_groups):
            rate = group.get("lr", 0.0)
            if not math.isfinite(rate):
                raise ValueError(
                    f"expected a finite lr in parameter group {index}, got {rate}: it was set after the optimizer was "
                    f"made, by a schedule or by assignment"
                )
            if type(rate) is not float:
                # A NumPy number would widen float32 updates to float64.
                group["lr"] = float(rate)
            self.update_group(group)
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients, or fill them with zeros in place where `set_to_none` is false."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p.grad = None
                elif p.grad is not None:
                    p.grad.node = None
                    p.grad.array[...] = 0.0
                    record_write(p.grad.array)

    def add_param_group(self, param_group: Group) -> None:
        """Train more parameters: ``{"params": tensors, ...}``; options that are missing take the defaults.

        TypeError or ValueError for parameters that cannot be trained and for options out of range.

        >>> import autodiff as ad, optim
        >>> first, second = ad.zeros(2, requires_grad=True), ad.zeros(3, requires_grad=True)
        >>> optimizer = optim.SGD([first], lr=0.1)
        >>> optimizer.add_param_group({"params": second, "lr": 0.01})
        >>> [group["lr"] for group in optimizer.param_groups]
        [0.1, 0.01]
        """
        if not isinstance(param_group, dict):
            raise TypeError(
                f"a parameter group must be a dict with the key 'params', got {type(param_group).__name__}; "
                f"do not mix dicts and tensors in one list"
            )
        tensors, names = _split_names(param_group["params"])
        self._check_params(tensors, names)
        group = {**param_group, "params": tensors, **({"param_names": names} if names else {})}
        for name, value in self.defaults.items():
            group.setdefault(name, value)
        self.check_options(group, len(self.param_groups))
        self.param_groups.append(group)

    def check_options(self, group: Group, index: int) -> None:
        """ValueError unless the options of `group`, which is number `index`, are in range."""
        for name, bound in self.bounds.items():
            option = group.get(name, 0.0)
            for value in option if isinstance(option, tuple | list) else [option]:
                if not (isinstance(value, Real) and 0 <= float(value) < bound):
                    expected = "a finite number >= 0" if bound == math.inf else f"a number in [0, {bound:g})"
                    hint = "; pass the number itself, value.item()" if isinstance(value, Tensor) else ""
                    raise ValueError(
                        f"invalid {name} in parameter group {index}: expected {expected}, got {value!r}{hint}"
                    )

    def _check_params(self, tensors: list[Tensor], names: list[str]) -> None:
        known = {p for group in self.param_groups for p in group["params"]}
        for index, p in enumerate(tensors):
            label = f"parameter {index} of group {len(self.param_groups)}" + (f" ({names[index]!r})" if names else "")
            if not isinstance(p, Tensor):
                raise TypeError(f"{label} is a {type(p).__name__}: expected a Tensor")
            if not p.is_leaf:
                raise ValueError(
                    f"can't optimize a non-leaf Tensor: {label} was computed by {p.grad_fn}; "
                    f"pass the tensors it was computed from, or p.detach().requires_grad_()"
                )
            if not p.array.flags.writeable:
                raise ValueError(f"{label} lies in read-only memory and cannot be updated in place: pass p.clone()")
            if p in known:
                raise ValueError(f"{label} was given before: expected every parameter once, in one group")
            known.add(p)

    def state_dict(self) -> dict[str, Any]:
        """The state to save: ``{"state": {0: {...}}, "param_groups": [{"lr": ..., "params": [0, 1]}]}``.

        Parameters are counted through all groups. The tensors are the optimizer's own, not copies.

        >>> import autodiff as ad, optim
        >>> w = ad.ones(2, requires_grad=True)
        >>> optimizer = optim.SGD([w], lr=0.1, momentum=0.9)
        >>> w.sum().backward()
        >>> optimizer.step()
        >>> optimizer.state_dict()["state"]
        {0: {'momentum_buffer': tensor([1., 1.])}}
        """
        numbers = {p: number for number, p in enumerate(chain.from_iterable(g["params"] for g in self.param_groups))}
        return {
            "state": {numbers[p]: state for p, state in self.state.items() if state and p in numbers},
            "param_groups": [{**g, "params": [numbers[p] for p in g["params"]]} for g in self.param_groups],
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` gave, of an optimizer of the same class over parameters of the same shapes.

        Everything is checked before anything changes: ValueError says which group or parameter does not fit, with
        names and shapes. Parameters are matched by their order, as in PyTorch; names only guard against another order.
        """
        missing = {"state", "param_groups"} - set(state_dict)
        if missing:
            raise ValueError(f"expected the state dict of an optimizer, got one without {sorted(missing)}")
        saved_groups: list[Group] = deepcopy(state_dict["param_groups"])
        if len(saved_groups) != len(self.param_groups):
            raise ValueError(
                f"loaded state dict has a different number of parameter groups: expected {len(self.param_groups)}, "
                f"got {len(saved_groups)}"
            )
        params: dict[Any, tuple[Tensor, str]] = {}
        for index, (group, saved) in enumerate(zip(self.param_groups, saved_groups, strict=True)):
            labels = self._check_saved_group(group, saved, index)
            params.update(zip(saved["params"], zip(group["params"], labels, strict=True), strict=True))
            saved["params"] = group["params"]
            if "param_names" in group:
                saved.setdefault("param_names", group["param_names"])
        state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        for key, values in state_dict["state"].items():
            if key not in params:
                raise ValueError(f"the loaded state is for parameter {key}, expected one of {list(params)}")
            p, label = params[key]
            state[p] = self.restored_state(p, label, values)
        self.state, self.param_groups = state, saved_groups

    def restored_state(self, p: Tensor, label: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """A copy of `values`, the saved state of `p`, as it is kept; ValueError, naming `label`, if it does not fit."""
        return deepcopy(dict(values))

    def _check_saved_group(self, group: Group, saved: Group, index: int) -> list[str]:
        """What to call the parameters of `group` in errors; ValueError if `saved` does not fit it."""
        expected, got = len(group["params"]), len(saved["params"])
        if expected != got:
            raise ValueError(
                f"loaded state dict contains a parameter group that doesn't match the size of optimizer's group: "
                f"group {index} has {expected} parameters, the loaded one {got}"
            )
        missing = [name for name in self.defaults if name not in saved]
        if missing:
            raise ValueError(
                f"group {index} of the loaded state dict lacks the options {missing}: "
                f"expected the state of another {type(self).__name__}"
            )
        self.check_options(saved, index)
        names: list[str] = group.get("param_names") or [f"{number} of group {index}" for number in range(expected)]
        for name, saved_name in zip(names, saved.get("param_names", names), strict=False):
            if name != saved_name and saved_name in names:
                raise ValueError(
                    f"the parameters of group {index} are in another order: expected {name!r}, the loaded state dict "
                    f"has {saved_name!r} in its place"
                )
        return [f"parameter {name}" for name in names]

    def register_step_pre_hook(self, hook: Hook) -> HookHandle:
        """Call ``hook(optimizer, args, kwargs)`` before every step; it may return other ``(args, kwargs)`` for it."""
        return HookHandle(self.pre_hooks, hook)

    def register_step_post_hook(self, hook: Hook) -> HookHandle:
        """Call ``hook(optimizer, args, kwargs)`` after every step; ``handle.remove()`` ends it."""
        return HookHandle(self.post_hooks, hook)


def _split_names(params: Any) -> tuple[list[Tensor], list[str]]:
    """The tensors of a group, and their names where they were given as ``(name, tensor)`` pairs."""
    if isinstance(params, set | frozenset):
        raise TypeError("parameters need an order that is the same in every run, got a set: pass a list")
    entries: list[Any] = [params] if isinstance(params, Tensor) else list(params)
    names: list[str] = [entry[0] for entry in entries if isinstance(entry, tuple)]
    if names and len(names) != len(entries):
        raise ValueError(f"expected a name for all parameters or for none, got {len(names)} for {len(entries)}")
    return [entry[1] if isinstance(entry, tuple) else entry for entry in entries], names

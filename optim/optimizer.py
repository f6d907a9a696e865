"""The base of every optimizer: parameter groups with their options, state per parameter, saving and loading, hooks."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from itertools import chain
from typing import Any, ClassVar

from autodiff.grad_mode import enable_grad
from autodiff.hooks import RemovableHandle, retains_grad
from autodiff.tensor import Tensor
from autodiff.writes import record_write
from optim.hooks import Hook, Hooks, add_hook, with_hooks
from optim.options import Group, check, check_rate, numbers_for_tensors
from optim.saved_state import check_structure, copied, matched, saved_shapes

# The options that choose among PyTorch's implementations, which a state saved elsewhere need not have.
SWITCHES = ("foreach", "fused", "capturable", "differentiable")
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
        if not self.differentiable and not any(p.requires_grad for group in self.param_groups for p in group["params"]):
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
        self.pre_hooks: Hooks = {}
        self.post_hooks: Hooks = {}
        self.save_pre_hooks: Hooks = {}
        self.save_post_hooks: Hooks = {}
        self.load_pre_hooks: Hooks = {}
        self.load_post_hooks: Hooks = {}

    @property
    def differentiable(self) -> bool:
        """Whether a step is recorded in the graph, as the option of this name asks."""
        return bool(self.defaults.get("differentiable", False))

    def __repr__(self) -> str:
        lines = []
        for index, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {index}")
            lines += [f"    {name}: {group[name]}" for name in sorted(group) if name != "params"]
            lines.append("")
        return "\n".join([f"{type(self).__name__} (", *lines[:-1], ")"])

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
            check_rate(group, index)
            self.update_group(group if self.differentiable else numbers_for_tensors(group))
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
        self._check_names(names)
        group = {**param_group, "params": tensors, **({"param_names": names} if names else {})}
        for name, value in self.defaults.items():
            group.setdefault(name, value)
        self.check_options(group, len(self.param_groups))
        self.param_groups.append(group)

    def check_options(self, group: Group, index: int) -> None:
        """ValueError unless the options of `group`, which is number `index`, are in range."""
        check(group, self.bounds, index)

    def _check_params(self, tensors: list[Tensor], names: list[str]) -> None:
        known = {p for group in self.param_groups for p in group["params"]}
        for index, p in enumerate(tensors):
            label = f"parameter {index} of group {len(self.param_groups)}" + (f" ({names[index]!r})" if names else "")
            if not isinstance(p, Tensor):
                raise TypeError(f"{label} is a {type(p).__name__}: expected a Tensor")
            if not (p.is_leaf or self.differentiable or retains_grad(p)):
                raise ValueError(
                    f"can't optimize a non-leaf Tensor: {label} was computed by {p.grad_fn}; "
                    f"pass the tensors it was computed from, or p.detach().requires_grad_()"
                )
            if not p.array.flags.writeable:
                raise ValueError(f"{label} lies in read-only memory and cannot be updated in place: pass p.clone()")
            if p in known:
                raise ValueError(f"{label} was given before: expected every parameter once, in one group")
            known.add(p)

    def _check_names(self, names: list[str]) -> None:
        known = [name for group in self.param_groups for name in group.get("param_names", [])]
        if self.param_groups and bool(known) != bool(names):
            raise ValueError(
                f"all optimizer param groups should be with or without names: expected group {len(self.param_groups)} "
                f"to be {'with' if known else 'without'} names as the others"
            )
        twice = [name for place, name in enumerate(names) if name in known or name in names[:place]]
        if twice:
            raise ValueError(f"expected a name of its own for every parameter, got {twice[0]!r} twice")

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
        for hook in list(self.save_pre_hooks.values()):
            hook(self)
        numbers = {p: number for number, p in enumerate(chain.from_iterable(g["params"] for g in self.param_groups))}
        saved: dict[str, Any] = {
            "state": {numbers[p]: state for p, state in self.state.items() if state and p in numbers},
            "param_groups": [_numbered(group, numbers) for group in self.param_groups],
        }
        for hook in list(self.save_post_hooks.values()):
            saved = _unless_none(hook(self, saved), saved)
        return saved

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` gave, of an optimizer of the same class over parameters of the same shapes.

        Where both optimizers know the names of their parameters, these say what belongs together; else the order does.
        Everything is checked before anything changes: ValueError says which group or parameter does not fit, with
        names and shapes.
        """
        state_dict = dict(state_dict)
        for hook in list(self.load_pre_hooks.values()):
            state_dict = _unless_none(hook(self, state_dict), state_dict)
        check_structure(state_dict, self.param_groups)
        saved_groups: list[Group] = [
            {name: option if name == "params" else deepcopy(option) for name, option in group.items()}
            for group in state_dict["param_groups"]
        ]
        shapes = saved_shapes(state_dict["state"])
        owners: dict[Any, tuple[Tensor, str, Group]] = {}
        for index, (group, saved) in enumerate(zip(self.param_groups, saved_groups, strict=True)):
            keys = matched(group, saved, index, shapes)
            self._check_saved_options(saved, index)
            owners.update({key: (p, self.label(p), saved) for key, p in zip(keys, group["params"], strict=True)})
            saved.update({name: group[name] for name in ("params", "param_names") if name in group})
        state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        for key, values in state_dict["state"].items():
            if key not in owners:
                raise ValueError(f"the loaded state is for parameter {key}, expected one of {list(owners)}")
            p, label, saved = owners[key]
            state[p] = self.restored_state(p, label, values, saved)
        self.state, self.param_groups = state, saved_groups
        for hook in list(self.load_post_hooks.values()):
            hook(self)

    def restored_state(self, p: Tensor, label: str, values: Mapping[str, Any], group: Group) -> dict[str, Any]:
        """A copy of `values`, the saved state of `p`, as it is kept; ValueError, naming `label`, if it does not fit."""
        return {name: copied(value, p.dtype) for name, value in values.items()}

    def _check_saved_options(self, saved: Group, index: int) -> None:
        missing = [name for name in self.defaults if name not in saved and name not in SWITCHES]
        if missing:
            raise ValueError(
                f"group {index} of the loaded state dict lacks the options {missing}: "
                f"expected the state of another {type(self).__name__}"
            )
        saved.update({name: self.defaults[name] for name in SWITCHES if name in self.defaults and name not in saved})
        self.check_options(saved, index)

    def label(self, p: Tensor) -> str:
        """What to call `p` in an error: its name, or where it is."""
        for index, group in enumerate(self.param_groups):
            for place, own in enumerate(group["params"]):
                if own is p:
                    names = group.get("param_names")
                    return f"parameter {names[place]}" if names else f"parameter {place} of group {index}"
        return "a parameter"

    def register_step_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` before every step; it may return other ``(args, kwargs)`` for it."""
        return add_hook(self.pre_hooks, hook)

    def register_step_post_hook(self, hook: Hook) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` after every step; ``handle.remove()`` ends it."""
        return add_hook(self.post_hooks, hook)

    def register_state_dict_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer)`` before `state_dict`, and before the other hooks if `prepend`."""
        return add_hook(self.save_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` after `state_dict`; what it returns, unless None, is taken instead."""
        return add_hook(self.save_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` before loading; what it returns, unless None, is loaded instead."""
        return add_hook(self.load_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer)`` after a state was loaded."""
        return add_hook(self.load_post_hooks, hook, prepend)


def _numbered(group: Group, numbers: Mapping[Any, int]) -> Group:
    """The options of a group and then, as in PyTorch's states, the numbers of its parameters."""
    options = {name: value for name, value in group.items() if name != "params"}
    return {**options, "params": [numbers[p] for p in group["params"]]}


def _unless_none(value: Any, otherwise: Any) -> Any:
    return otherwise if value is None else value


def _split_names(params: Any) -> tuple[list[Tensor], list[str]]:
    """The tensors of a group, and their names where they were given as ``(name, tensor)`` pairs."""
    if isinstance(params, set | frozenset):
        raise TypeError("parameters need an order that is the same in every run, got a set: pass a list")
    entries: list[Any] = [params] if isinstance(params, Tensor) else list(params)
    names: list[str] = [entry[0] for entry in entries if isinstance(entry, tuple)]
    if names and len(names) != len(entries):
        raise ValueError(f"expected a name for all parameters or for none, got {len(names)} for {len(entries)}")
    return [entry[1] if isinstance(entry, tuple) else entry for entry in entries], names

"""State dictionaries: what a module gives away, and takes, to be saved and restored."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

import autodiff as ad
from autodiff.hooks import RemovableHandle
from autodiff.tensor import Tensor
from nn.members import BUFFER, PARAMETER, Members, join
from nn.module_hooks import add_hook
from nn.parameter import Parameter, UninitializedTensor

_EXTRA_STATE = "_extra_state"


class IncompatibleKeys(NamedTuple):
    """The keys that a loaded state lacked, and those that the module has no place for."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not any(self):
            return "<All keys matched successfully>"
        return f"_IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


class _StateHooks:
    """The hooks of one module around `state_dict` and `load_state_dict`."""

    def __init__(self) -> None:
        self.before_saving: OrderedDict[int, Callable[..., Any]] = OrderedDict()
        # With whether the hook may return another state.
        self.after_saving: OrderedDict[int, tuple[Callable[..., Any], bool]] = OrderedDict()
        # With whether the hook is given the module.
        self.before_loading: OrderedDict[int, tuple[Callable[..., Any], bool]] = OrderedDict()
        self.after_loading: OrderedDict[int, Callable[..., Any]] = OrderedDict()


class Stateful(Members):
    """The part of `Module` that saves and restores parameters, buffers and further state."""

    _version = 1
    _state_hooks: _StateHooks = _StateHooks()

    def _own_state_hooks(self) -> _StateHooks:
        hooks: _StateHooks = self.__dict__.setdefault("_state_hooks", _StateHooks())
        return hooks

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, prefix, keep_vars)`` before `state_dict` reads this module."""
        return add_hook(self._own_state_hooks().before_saving, hook, hook)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, local_metadata)`` with the state so far, to change it in place."""
        return add_hook(self._own_state_hooks().after_saving, hook, (hook, False))

    def _register_state_dict_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        return add_hook(self._own_state_hooks().after_saving, hook, (hook, True))

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call a hook before a state is compared with this module; it may change the state, to rename keys for example.

        It is called as ``hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys,
        error_msgs)`` and may add to the last three.
        """
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def _register_load_state_dict_pre_hook(
        self, hook: Callable[..., Any], with_module: bool = False
    ) -> RemovableHandle:
        return add_hook(self._own_state_hooks().before_loading, hook, (hook, with_module))

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, incompatible_keys)`` after loading; keys that it takes out of the lists are forgiven."""
        return add_hook(self._own_state_hooks().after_loading, hook, hook)

    def get_extra_state(self) -> Any:
        """What `state_dict` shall keep beside parameters and buffers; define it together with `set_extra_state`."""
        raise RuntimeError(f"{type(self).__name__} has no extra state: define get_extra_state() to have one")

    def set_extra_state(self, state: Any) -> None:
        """Take what `get_extra_state` gave."""
        raise RuntimeError(f"{type(self).__name__} cannot take extra state: define set_extra_state(state)")

    def state_dict(
        self, *, destination: dict[str, Any] | None = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Any]:
        """The parameters and persistent buffers by their dotted paths, sharing memory with the module.

        They are cut off from the graph unless `keep_vars`; `destination` is filled and returned if it is given.

        >>> import nn
        >>> {name: tensor.shape for name, tensor in nn.Sequential(nn.Linear(2, 3)).state_dict().items()}
        {'0.weight': (3, 2), '0.bias': (3,)}
        """
        state = {} if destination is None else destination
        for hook in list(self._state_hooks.before_saving.values()):
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(state, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=state, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook, may_replace in list(self._state_hooks.after_saving.values()):
            returned = hook(self, state, prefix, {"version": self._version})
            if returned is not None and not may_replace:
                raise RuntimeError("a state_dict post-hook must return None; it may change the state in place")
            state = state if returned is None else returned
        return state

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        """Add what this module alone holds."""
        for name, tensor in _saved(self):
            destination[prefix + name] = tensor if keep_vars else tensor.detach()
        if type(self).get_extra_state is not Stateful.get_extra_state:
            destination[prefix + _EXTRA_STATE] = self.get_extra_state()

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Copy the values of `state_dict` into the parameters and buffers of the same names.

        Returns the keys that were missing and unexpected. Everything is compared first: RuntimeError lists all that
        does not fit, and nothing has changed. If not `strict`, keys that only one side has are left out. With
        `assign` the tensors of the state themselves become parameters and buffers, with their dtypes and memory.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(
                f"load_state_dict expected a dictionary from names to tensors, such as state_dict() returns; "
                f"got {type(state_dict).__name__}"
            )
        state, name = dict(state_dict), type(self).__name__
        modules = list(self.named_modules(remove_duplicate=False))
        reported = _run_hooks_before_loading(modules, state, getattr(state_dict, "_metadata", {}))
        own = {join(path, key): (module, key) for path, module in modules for key, _ in _saved(module)}
        own |= {join(path, _EXTRA_STATE): (module, "") for path, module in modules if _takes_extra_state(module)}
        comparison = _compare(own, state, reported)
        after = [(hook, module) for _, module in modules for hook in module._state_hooks.after_loading.values()]
        # A hook that runs after loading may forgive keys.
        comparison.check(name, strict and not after)
        with ad.no_grad():
            for key, (module, member) in own.items():
                if key in state:
                    _load(module, member, state[key], assign)
        # Those of inner modules first.
        for hook, module in reversed(after):
            if hook(module, comparison.keys) is not None:
                raise RuntimeError("a load_state_dict post-hook must return None; it may change the keys in place")
        if after:
            comparison.check(name, strict, unchanged=False)
        return comparison.keys


def _saved(module: Members) -> Iterator[tuple[str, Tensor]]:
    """The parameters, and then the persistent buffers, of a module alone."""
    for name, tensor in [*module._members(PARAMETER).items(), *module._members(BUFFER).items()]:
        if tensor is not None:
            yield name, tensor


def _takes_extra_state(module: Stateful) -> bool:
    return type(module).set_extra_state is not Stateful.set_extra_state


def _run_hooks_before_loading(modules: Any, state: dict[str, Any], metadata: Any) -> tuple[list[str], ...]:
    """Let the hooks change `state`; the missing keys, unexpected keys and errors that they report."""
    reported: tuple[list[str], ...] = ([], [], [])
    for path, module in modules:
        for hook, with_module in list(module._state_hooks.before_loading.values()):
            prefix = f"{path}." if path else ""
            hook(*((module,) if with_module else ()), state, prefix, dict(metadata.get(path, {})), True, *reported)
    return reported


def _load(module: Any, name: str, given: Any, assign: bool) -> None:
    if not name:
        module.set_extra_state(given)
        return
    own = module.__dict__[name]
    if isinstance(given, UninitializedTensor):
        return
    given = ad.as_tensor(given)
    if assign:
        if isinstance(own, Parameter):
            given = given if isinstance(given, Parameter) else Parameter(given)
            given.requires_grad_(own.requires_grad)
        setattr(module, name, given)
        return
    if isinstance(own, UninitializedTensor):
        own.materialize(given.shape)
    own.copy_(given)


class _Comparison(NamedTuple):
    """What of a state does not fit a module."""

    keys: IncompatibleKeys
    misfits: list[str]
    # Key to shape or type.
    described: dict[str, str]

    def check(self, module: str, strict: bool, unchanged: bool = True) -> None:
        """RuntimeError with everything that does not fit: shapes and types always, the keys if `strict`."""
        problems = list(self.misfits)
        if strict:
            problems += [f"missing key {key} {self.described.get(key, '')}".rstrip() for key in self.keys.missing_keys]
            problems += [
                f"unexpected key {key} {self.described.get(key, '')}".rstrip() for key in self.keys.unexpected_keys
            ]
        if not problems:
            return
        lines = "".join(f"\n  {problem}" for problem in problems)
        hint = "\nstrict=False would load only the keys that both have." if strict and any(self.keys) else ""
        outcome = "which is left unchanged" if unchanged else "into which what fits has been loaded"
        raise RuntimeError(f"load_state_dict: the state does not fit {module}, {outcome}:{lines}{hint}")


def _compare(
    own: Mapping[str, tuple[Any, str]], given: Mapping[str, Any], reported: tuple[list[str], ...]
) -> _Comparison:
    tensors = {key: module.__dict__[name] if name else None for key, (module, name) in own.items()}
    missing, unexpected = [key for key in own if key not in given], [key for key in given if key not in own]
    misfits = [_misfit(key, tensors[key], given[key]) for key in own if key in given and tensors[key] is not None]
    return _Comparison(
        IncompatibleKeys(
            list(dict.fromkeys([*reported[0], *missing])), list(dict.fromkeys([*reported[1], *unexpected]))
        ),
        [*reported[2], *filter(None, misfits)],
        {key: _describe(tensors[key]) for key in missing} | {key: _describe(given[key]) for key in unexpected},
    )


def _misfit(key: str, own: Any, given: Any) -> str | None:
    if not isinstance(given, Tensor | np.ndarray):
        return f"expected a tensor for {key}, got {type(given).__name__}"
    if given.dtype.kind not in "biuf":
        return f"dtype mismatch for {key}: {own.dtype} in the module, {given.dtype} in the state"
    if isinstance(given, UninitializedTensor):
        return None if isinstance(own, UninitializedTensor) else f"{key} of the state is not initialised yet"
    if not isinstance(own, UninitializedTensor) and own.shape != given.shape:
        return f"size mismatch for {key}: {own.shape} in the module, {given.shape} in the state"
    return None


def _describe(value: Any) -> str:
    if value is None:
        return "(extra state)"
    if isinstance(value, UninitializedTensor) or not isinstance(value, Tensor | np.ndarray):
        return type(value).__name__
    return str(value.shape)

"""Weight normalisation in PyTorch's older way: a hook that computes the weight before each call."""

from typing import Any

from autodiff.hooks import RemovableHandle
from nn.module import Module
from nn.parameter import Parameter
from nn.utils.parametrizations import norm_except_dim


class WeightNorm:
    """The hook: makes ``<name>`` of ``<name>_g`` and ``<name>_v``."""

    handle: RemovableHandle

    def __init__(self, name: str, dim: int | None) -> None:
        self.name, self.dim = name, -1 if dim is None else dim

    def __call__(self, module: Module, inputs: Any = None) -> None:
        v = getattr(module, f"{self.name}_v")
        setattr(module, self.name, v * (getattr(module, f"{self.name}_g") / norm_except_dim(v, self.dim)))


def hook_of(module: Module, cls: Any, name: str) -> Any:
    """The forward pre-hook of this class for the weight of this name, or None."""
    hooks = module._call_hooks.forward_pre.values() if module._call_hooks is not None else ()
    functions: list[Any] = [hook.function for hook in hooks]
    return next((f for f in functions if isinstance(f, cls) and f.name == name), None)


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Train a weight as g v / ‖v‖, under the names ``<name>_g`` and ``<name>_v``; see `parametrizations.weight_norm`.

    RuntimeError if that has been done.

    >>> import nn
    >>> list(nn.utils.weight_norm(nn.Linear(2, 3)).state_dict())
    ['bias', 'weight_g', 'weight_v']
    """
    if hook_of(module, WeightNorm, name) is not None:
        raise RuntimeError(f"weight_norm: {type(module).__name__} has weight normalisation of {name!r} already")
    weight = module.get_parameter(name)
    hook = WeightNorm(name, dim)
    delattr(module, name)
    module.register_parameter(f"{name}_g", Parameter(norm_except_dim(weight.detach(), hook.dim)))
    module.register_parameter(f"{name}_v", Parameter(weight.detach()))
    hook(module)
    hook.handle = module.register_forward_pre_hook(hook)
    return module


def remove_weight_norm(module: Module, name: str = "weight") -> Module:
    """Make the weight an ordinary parameter of its present value again; ValueError if it is not normalised."""
    hook = hook_of(module, WeightNorm, name)
    if hook is None:
        raise ValueError(f"remove_weight_norm: {type(module).__name__} has no weight normalisation of {name!r}")
    hook(module)
    hook.handle.remove()
    weight = getattr(module, name).detach()
    for attribute in (name, f"{name}_g", f"{name}_v"):
        delattr(module, attribute)
    setattr(module, name, Parameter(weight))
    return module

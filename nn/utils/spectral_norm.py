"""Spectral normalisation in PyTorch's older way: a hook that computes the weight before each call."""

from typing import Any

import autodiff as ad
from autodiff.hooks import RemovableHandle
from autodiff.tensor import Tensor
from nn.functional import normalize
from nn.module import Module
from nn.parameter import Parameter
from nn.utils.parametrizations import as_matrix, default_dim
from nn.utils.weight_norm import hook_of


class SpectralNorm:
    """The hook: makes ``<name>`` of ``<name>_orig`` and its leading singular vectors ``<name>_u`` and ``<name>_v``."""

    handle: RemovableHandle

    def __init__(self, name: str, n_power_iterations: int, dim: int, eps: float) -> None:
        if n_power_iterations <= 0:
            raise ValueError(f"spectral_norm expected n_power_iterations of at least 1, got {n_power_iterations}")
        self.name, self.n_power_iterations, self.dim, self.eps = name, n_power_iterations, dim, eps

    def compute_weight(self, module: Module, do_power_iteration: bool) -> Tensor:
        """The weight divided by its largest singular value, which is estimated anew if `do_power_iteration`."""
        weight, u, v = (getattr(module, self.name + end) for end in ("_orig", "_u", "_v"))
        matrix = as_matrix(weight, self.dim)
        if do_power_iteration:
            with ad.no_grad():
                for _ in range(self.n_power_iterations):
                    v.copy_(normalize(matrix.mT.mv(u), dim=0, eps=self.eps))
                    u.copy_(normalize(matrix.mv(v), dim=0, eps=self.eps))
            # Copies, since the next call writes to the buffers before this one's graph is run backward.
            u, v = u.clone(), v.clone()
        normalized: Tensor = weight / ad.dot(u, matrix.mv(v))
        return normalized

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module, module.training))


def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Module:
    """Divide a weight by its largest singular value; see `parametrizations.spectral_norm`.

    RuntimeError if that has been done.

    >>> import nn
    >>> list(nn.utils.spectral_norm(nn.Linear(2, 3)).state_dict())
    ['bias', 'weight_orig', 'weight_u', 'weight_v']
    """
    if hook_of(module, SpectralNorm, name) is not None:
        raise RuntimeError(f"spectral_norm: {type(module).__name__} has spectral normalisation of {name!r} already")
    hook = SpectralNorm(name, n_power_iterations, default_dim(module) if dim is None else dim, eps)
    weight = module.get_parameter(name)
    vectors = [
        normalize(ad.empty(length, dtype=weight.dtype).normal_(0.0, 1.0), dim=0, eps=eps)
        for length in as_matrix(weight.detach(), hook.dim).shape
    ]
    delattr(module, name)
    module.register_parameter(f"{name}_orig", weight)
    setattr(module, name, weight.detach())
    for end, vector in zip("uv", vectors, strict=True):
        module.register_buffer(f"{name}_{end}", vector)
    hook.handle = module.register_forward_pre_hook(hook)
    return module


def remove_spectral_norm(module: Module, name: str = "weight") -> Module:
    """Make the weight an ordinary parameter of its present value again; ValueError if it is not normalised."""
    hook = hook_of(module, SpectralNorm, name)
    if hook is None:
        raise ValueError(f"remove_spectral_norm: {type(module).__name__} has no spectral normalisation of {name!r}")
    with ad.no_grad():
        weight = hook.compute_weight(module, do_power_iteration=False)
    hook.handle.remove()
    for end in ("", "_u", "_v", "_orig"):
        delattr(module, name + end)
    module.register_parameter(name, Parameter(weight.detach()))
    return module

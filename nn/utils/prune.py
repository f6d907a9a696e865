"""Pruning: a mask of zeros and ones holds a part of a parameter at zero (LeCun, Denker, Solla, "Optimal brain damage").

The parameter moves to ``<name>_orig``, the mask is the buffer ``<name>_mask``, and their product takes the place of the
parameter before each call of the module. What is pruned again is pruned further.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar

import autodiff as ad
from autodiff.tensor import Tensor
from nn.module import Module
from nn.utils.convert_parameters import parameters_to_vector
from nn.utils.weight_norm import hook_of


class Masked:
    """The hook: makes ``<name>`` of ``<name>_orig`` and ``<name>_mask``."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, module: Module, inputs: Any = None) -> None:
        mask, value = (getattr(module, f"{self.name}_{part}") for part in ("mask", "orig"))
        setattr(module, self.name, mask.to(value.dtype) * value)


class BasePruningMethod(ABC):
    """A way of choosing what is pruned, given by `compute_mask`, the options being arguments of the constructor.

    `PRUNING_TYPE` says what it sees of a parameter that was pruned before: the numbers that are left ("unstructured"),
    the slices along ``self.dim`` that are left ("structured"), or all ("global").

    >>> import autodiff as ad, nn
    >>> class EverySecond(nn.utils.prune.BasePruningMethod):
    ...     def compute_mask(self, t, default_mask):
    ...         mask = default_mask.clone()
    ...         mask.view(-1)[::2] = 0
    ...         return mask
    >>> layer = nn.Linear(4, 1)
    >>> _ = EverySecond.apply(layer, "weight")
    >>> layer.weight_mask
    tensor([[0., 1., 0., 1.]])
    """

    PRUNING_TYPE: ClassVar[str] = "unstructured"
    dim: int

    @abstractmethod
    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask for numbers of the importances `t`, of which `default_mask` is the mask so far."""

    @classmethod
    def apply(
        cls, module: Module, name: str, *args: Any, importance_scores: Tensor | None = None, **kwargs: Any
    ) -> BasePruningMethod:
        """Prune the parameter `name` of a module by its values or by `importance_scores`, of its shape (ValueError)."""
        method, value, hook = cls(*args, **kwargs), getattr(module, name), hook_of(module, Masked, name)
        scores = (value if importance_scores is None else importance_scores).detach()
        if scores.shape != value.shape:
            raise ValueError(
                f"expected importance_scores of the shape {value.shape} of {name!r} of {type(module).__name__}, got "
                f"{scores.shape}"
            )
        if hook is None:
            mask = method.compute_mask(scores, default_mask=ad.ones_like(scores))
            delattr(module, name)
            module.register_parameter(f"{name}_orig", value)
            hook = Masked(name)
            hook.handle = module.register_forward_pre_hook(hook)  # type: ignore[attr-defined]
        else:
            mask = method.further(scores, getattr(module, f"{name}_mask").detach())
        module.register_buffer(f"{name}_mask", mask)
        hook(module)
        return method

    def further(self, t: Tensor, mask: Tensor) -> Tensor:
        """The mask where `mask` has pruned already."""
        at: Any = ...
        if self.PRUNING_TYPE == "unstructured":
            at = mask == 1
        elif self.PRUNING_TYPE == "structured":
            dim = self.dim % t.ndim
            at = (slice(None),) * dim + (mask.transpose(0, dim).flatten(1).sum(1) != 0,)
        elif self.PRUNING_TYPE != "global":
            raise ValueError(
                f"expected a PRUNING_TYPE among 'unstructured', 'structured' and 'global', got {self.PRUNING_TYPE!r}"
            )
        new = mask.to(t.dtype, copy=True)
        new[at] = self.compute_mask(t[at], default_mask=mask[at]).to(t.dtype)
        return new

    def prune(self, t: Tensor, default_mask: Tensor | None = None, importance_scores: Tensor | None = None) -> Tensor:
        """The tensor `t`, pruned once."""
        mask = ad.ones_like(t) if default_mask is None else default_mask
        return t * self.compute_mask(t if importance_scores is None else importance_scores, default_mask=mask)


class _ByAmount(BasePruningMethod):
    """Methods that prune so many of the numbers or slices, or that part of them."""

    def __init__(self, amount: Any) -> None:
        if isinstance(amount, bool) or not isinstance(amount, int | float):
            raise TypeError(f"expected a number as amount, got {amount!r}")
        if amount < 0 or (isinstance(amount, float) and amount > 1):
            raise ValueError(f"expected an amount from 0 to 1, or a whole number from 0, got {amount}")
        self.amount = amount

    def count(self, size: int) -> int:
        """How many of `size` are pruned; ValueError for more than there are."""
        count = self.amount if isinstance(self.amount, int) else round(self.amount * size)
        if count > size:
            raise ValueError(f"expected an amount of at most {size}, all that is left to prune, got {count}")
        return count


class Identity(BasePruningMethod):
    """Prunes nothing, but puts the mask in place."""

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return default_mask


class RandomUnstructured(_ByAmount):
    """Prunes an amount of the numbers, drawn at random."""

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        mask, count = default_mask.clone(), self.count(t.numel())
        if count:
            mask.view(-1)[ad.topk(ad.rand_like(t).view(-1), count).indices] = 0
        return mask


class L1Unstructured(_ByAmount):
    """Prunes an amount of the numbers, those nearest to 0 (Han et al., NIPS 2015)."""

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        mask, count = default_mask.clone(), self.count(t.numel())
        mask.view(-1)[ad.topk(t.abs().view(-1), count, largest=False).indices] = 0
        return mask


class RandomStructured(_ByAmount):
    """Prunes an amount of the slices along `dim`, drawn at random."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount: Any, dim: int = -1) -> None:
        super().__init__(amount)
        self.dim = dim

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        count = self.count(_length(t, self.dim))
        if not count:
            return default_mask
        drawn = ad.rand(t.shape[self.dim])
        return _of_slices(drawn > ad.kthvalue(drawn, count).values, t, self.dim) * default_mask


class LnStructured(_ByAmount):
    """Prunes an amount of the slices along `dim`, those of the least norm `n` (Li et al., ICLR 2017, for n = 1)."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount: Any, n: Any, dim: int = -1) -> None:
        super().__init__(amount)
        self.n, self.dim = n, dim

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        length = _length(t, self.dim)
        count = self.count(length)
        if not count:
            return default_mask
        kept = ad.zeros(length, dtype=t.dtype)
        norms = ad.norm(t, p=self.n, dim=[axis for axis in range(t.ndim) if axis != self.dim % t.ndim])
        kept[ad.topk(norms, length - count).indices] = 1
        return _of_slices(kept, t, self.dim) * default_mask


class CustomFromMask(BasePruningMethod):
    """Prunes where a mask is 0."""

    PRUNING_TYPE = "global"

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        if self.mask.shape != default_mask.shape:
            raise ValueError(f"expected a mask of the parameter's shape {default_mask.shape}, got {self.mask.shape}")
        return default_mask * self.mask.to(default_mask.dtype)


def _length(t: Tensor, dim: int) -> int:
    if t.ndim < 2:
        raise ValueError(f"expected a tensor of at least two axes, of which slices can be pruned, got shape {t.shape}")
    if not -t.ndim <= dim < t.ndim:
        raise IndexError(f"expected dim in [{-t.ndim}, {t.ndim}), got {dim}")
    return t.shape[dim]


def _of_slices(kept: Tensor, t: Tensor, dim: int) -> Tensor:
    """The mask in the shape of `t` of which slices along `dim` are kept."""
    lengths = [1] * t.ndim
    lengths[dim] = -1
    return kept.to(t.dtype).reshape(lengths).expand(t.shape).clone()


def identity(module: Module, name: str) -> Module:
    """Put a mask of ones on the parameter `name`."""
    Identity.apply(module, name)
    return module


def random_unstructured(module: Module, name: str, amount: Any) -> Module:
    """Prune an amount of the numbers of the parameter `name`, a whole number or a part of all, drawn at random."""
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(module: Module, name: str, amount: Any, importance_scores: Tensor | None = None) -> Module:
    """Prune an amount of the numbers of the parameter `name`, a whole number or a part of all, those nearest to 0.

    ValueError for an amount above all that there are, and for scores of another shape.

    >>> import autodiff as ad, nn
    >>> layer = nn.Linear(3, 1)
    >>> _ = layer.weight.data.copy_(ad.tensor([[0.1, -2.0, 3.0]]))
    >>> nn.utils.prune.l1_unstructured(layer, "weight", amount=1).weight.tolist()
    [[0.0, -2.0, 3.0]]
    >>> list(layer.state_dict())
    ['bias', 'weight_orig', 'weight_mask']
    """
    L1Unstructured.apply(module, name, amount, importance_scores=importance_scores)
    return module


def random_structured(module: Module, name: str, amount: Any, dim: int) -> Module:
    """Prune an amount of the slices of the parameter `name` along `dim`, drawn at random."""
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(
    module: Module, name: str, amount: Any, n: Any, dim: int, importance_scores: Tensor | None = None
) -> Module:
    """Prune an amount of the slices of the parameter `name` along `dim`, those of the least norm `n`."""
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def custom_from_mask(module: Module, name: str, mask: Tensor) -> Module:
    """Prune the parameter `name` where `mask`, of its shape, is 0."""
    CustomFromMask.apply(module, name, mask)
    return module


def global_unstructured(
    parameters: Iterable[tuple[Module, str]],
    pruning_method: type[BasePruningMethod],
    importance_scores: dict[tuple[Module, str], Tensor] | None = None,
    **kwargs: Any,
) -> None:
    """Prune several parameters, given as pairs of module and name, as if they were one; TypeError for slices.

    >>> import nn
    >>> model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    >>> weights = [(layer, "weight") for layer in model]
    >>> nn.utils.prune.global_unstructured(weights, nn.utils.prune.L1Unstructured, amount=9)
    >>> sum(int((layer.weight == 0).sum()) for layer in model)
    9
    """
    pairs, method, scores = list(parameters), pruning_method(**kwargs), importance_scores or {}
    if method.PRUNING_TYPE != "unstructured":
        raise TypeError(f"expected an unstructured method, got {pruning_method.__name__}, which prunes slices")
    values = [getattr(module, name) for module, name in pairs]
    masks = [getattr(m, f"{name}_mask", ad.ones_like(value)) for (m, name), value in zip(pairs, values, strict=True)]
    importances = [scores.get(pair, value).detach() for pair, value in zip(pairs, values, strict=True)]
    mask = method.further(parameters_to_vector(importances), parameters_to_vector(masks).detach())
    parts = mask.split([value.numel() for value in values])
    for (module, name), value, part in zip(pairs, values, parts, strict=True):
        custom_from_mask(module, name, part.reshape(value.shape))


def remove(module: Module, name: str) -> Module:
    """Make the pruned parameter an ordinary one again, with its zeros; ValueError if it is not pruned."""
    hook = hook_of(module, Masked, name)
    if hook is None:
        raise ValueError(f"expected a pruned parameter, {name!r} of {type(module).__name__} is not: prune it first")
    hook(module)
    hook.handle.remove()
    value, own = getattr(module, name).detach(), getattr(module, f"{name}_orig")
    for attribute in (name, f"{name}_orig", f"{name}_mask"):
        delattr(module, attribute)
    own.data.copy_(value)
    module.register_parameter(name, own)
    return module


def is_pruned(module: Module) -> bool:
    """Whether a parameter of the module, or of a module inside it, is pruned.

    >>> import nn
    >>> layer = nn.utils.prune.identity(nn.Linear(2, 2), "weight")
    >>> nn.utils.prune.is_pruned(nn.Sequential(layer))
    True
    """
    hooks = [m._call_hooks.forward_pre.values() for m in module.modules() if m._call_hooks is not None]
    return any(isinstance(hook.function, Masked) for those in hooks for hook in those)

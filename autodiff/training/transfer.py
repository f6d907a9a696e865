"""A network that learned one task as the start for another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import nn

NORMALIZATIONS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def freeze(module: nn.Module) -> None:
    """Keep a module, or a part of one, as it is: parameters get no gradients, and batch-norm keeps its statistics.

    The statistics stay even where ``model.train()`` is called afterwards. An optimizer may have been made before: it
    passes over parameters without gradients. `unfreeze` is the way back.

    >>> import nn
    >>> from autodiff.training import freeze
    >>> model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
    >>> freeze(model[:2])
    >>> [name for name, p in model.named_parameters() if p.requires_grad]
    ['2.weight', '2.bias']
    """
    unfreeze(module)
    for p in module.parameters():
        p.requires_grad_(False)
        p.grad = None
    for part in module.modules():
        if isinstance(part, NORMALIZATIONS):
            part.register_forward_pre_hook(_use_statistics)


def unfreeze(module: nn.Module) -> None:
    """Undo `freeze`, for a module or a part of one: its parameters learn again.

    So does batch-norm from the next ``model.train()`` on, with which loops begin an epoch.
    """
    for p in module.parameters():
        p.requires_grad_(True)
    for part in module.modules():
        hooks = part._call_hooks.forward_pre if part._call_hooks else {}
        for number in [number for number, hook in hooks.items() if hook.function is _use_statistics]:
            del hooks[number]


def _use_statistics(module: nn.Module, args: Any) -> None:
    module.training = False


def replace_head(model: nn.Module, out_features: int, name: str | None = None) -> nn.Linear:
    """Put a new `nn.Linear` with `out_features` outputs in the place of a model's last one; returns it.

    `name` is the dotted path of another one to replace. ValueError if there is none, or nothing linear at `name`.

    >>> import nn
    >>> from autodiff.training import replace_head
    >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 10))
    >>> replace_head(model, 2)
    Linear(in_features=8, out_features=2, bias=True)
    """
    layers = {path: module for path, module in model.named_modules() if isinstance(module, nn.Linear) and path}
    name = list(layers)[-1] if name is None and layers else name
    if name not in layers:
        raise ValueError(
            f"replace_head: expected a linear layer{f' {name!r}' if name else ''} in the model, it has {list(layers)}"
        )
    old = layers[name]
    head = nn.Linear(old.in_features, out_features, bias=old.bias is not None, dtype=old.weight.dtype)
    path, _, attribute = name.rpartition(".")
    setattr(model.get_submodule(path), attribute, head)
    return head


@dataclass(frozen=True)
class Loaded:
    """What of a state fitted into a model: `loaded` names; prints what did not, with shapes.

    `shapes` has the shapes in the model and in the state of what is in both but differs; `missing` is in the model
    only, `unexpected` in the state only.
    """

    loaded: tuple[str, ...]
    shapes: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]

    def __str__(self) -> str:
        total = len(self.loaded) + len(self.shapes) + len(self.missing)
        lines = [f"{len(self.loaded)} of {total} tensors of the model loaded"]
        lines += [f"  {name}: {ours} here, {theirs} in the state" for name, (ours, theirs) in self.shapes.items()]
        lines += [f"  {name}: not in the state" for name in self.missing]
        lines += [f"  {name}: not in the model" for name in self.unexpected]
        return "\n".join(lines)


def load_matching(model: nn.Module, state: Mapping[str, Any]) -> Loaded:
    """Load what of a state has a place of the same name and shape in the model, and tell what has not.

    ValueError if nothing has: that is the state of another model, or its names have a prefix.

    >>> import nn
    >>> from autodiff.training import load_matching
    >>> state = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 10)).state_dict()
    >>> print(load_matching(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)), state))
    2 of 4 tensors of the model loaded
      2.weight: (2, 8) here, (10, 8) in the state
      2.bias: (2,) here, (10,) in the state
    """
    own = model.state_dict()
    both = {name: (np.shape(own[name]), np.shape(state[name])) for name in own if name in state}
    loaded = tuple(name for name, (ours, theirs) in both.items() if ours == theirs)
    if not loaded:
        raise ValueError(
            f"load_matching: expected names and shapes of the model, such as {list(own)[:3]}, in the state, "
            f"which has {list(state)[:3]}"
        )
    model.load_state_dict({name: state[name] for name in loaded}, strict=False)
    return Loaded(
        loaded,
        {name: shapes for name, shapes in both.items() if shapes[0] != shapes[1]},
        tuple(name for name in own if name not in state),
        tuple(name for name in state if name not in own),
    )


def discriminative_rates(model: nn.Module, lr: float, decay: float = 2.6) -> list[dict[str, Any]]:
    """Parameter groups of which the last has the learning rate `lr`, and each before it that of the next / `decay`.

    A group is what a direct child of the model holds, so that early layers, whose features are general, change least.
    ValueError if `decay` is below 1 or parameters belong to no child.
    Source: Howard and Ruder, "Universal language model fine-tuning for text classification", 2018.

    >>> import nn, optim
    >>> from autodiff.training import discriminative_rates
    >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> optimizer = optim.SGD(discriminative_rates(model, lr=0.1, decay=10))
    >>> [(group["param_names"], group["lr"]) for group in optimizer.param_groups]
    [(['0.weight', '0.bias'], 0.01), (['2.weight', '2.bias'], 0.1)]
    """
    if not decay >= 1:
        raise ValueError(f"discriminative_rates: expected a decay of at least 1, got {decay}")
    layers = _layers(model)
    names = {id(p): name for name, p in model.named_parameters()}
    seen: set[int] = set()
    groups: list[dict[str, Any]] = []
    for depth, layer in enumerate(layers):
        # What several layers share belongs to the first of them.
        params = [(names[id(p)], p) for p in layer.parameters() if id(p) not in seen]
        seen.update(id(p) for _, p in params)
        if params:
            groups.append({"params": params, "lr": lr / decay ** (len(layers) - 1 - depth)})
    return groups


def staged_unfreezing(model: nn.Module, every: int = 1) -> Callable[[int], None]:
    """Freeze all layers but the last, and return a function of the epoch, from 0 on, that sets them free one by one.

    Layers are the direct children of the model that have parameters; every `every` epochs the last that is frozen is
    set free. Call it at the start of each epoch. ValueError if `every` is below 1 or parameters belong to no child.
    Source: Howard and Ruder 2018, "gradual unfreezing".

    >>> import nn
    >>> from autodiff.training import staged_unfreezing
    >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> start_epoch = staged_unfreezing(model)
    >>> model[0].weight.requires_grad
    False
    >>> start_epoch(1)
    >>> model[0].weight.requires_grad
    True
    """
    if every < 1:
        raise ValueError(f"staged_unfreezing: expected every to be a number of epochs of at least 1, got {every}")
    layers = _layers(model)

    def start_epoch(epoch: int) -> None:
        frozen = max(0, len(layers) - 1 - epoch // every)
        for layer in layers[:frozen]:
            freeze(layer)
        for layer in layers[frozen:]:
            unfreeze(layer)

    start_epoch(0)
    return start_epoch


def _layers(model: nn.Module) -> list[nn.Module]:
    """The direct children that have parameters; ValueError if these are not all."""
    layers = [child for child in model.children() if any(True for _ in child.parameters())]
    inside = {id(p) for layer in layers for p in layer.parameters()}
    outside = [name for name, p in model.named_parameters() if id(p) not in inside]
    if outside or not layers:
        raise ValueError(
            f"expected a model whose layers, its direct children, hold all parameters; in {type(model).__name__} "
            + (f"{outside} stand outside: put them into a module" if outside else "no child has parameters")
        )
    return layers

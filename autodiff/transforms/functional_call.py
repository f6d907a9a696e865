"""Modules as functions of their parameters: `functional_call` and `stack_module_state`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from autodiff.graph import Leaf
from autodiff.ops.joining import stack
from autodiff.tensor import Tensor


def functional_call(
    module: Any,
    parameter_and_buffer_dicts: Any,
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """``module(*args, **kwargs)`` with the tensors of a dict, or several, in place of its parameters and buffers.

    The dicts have the names of ``named_parameters()`` and ``named_buffers()``; what they lack stays the module's own.
    Args that are no tuple are a single one. Shared tensors are all replaced, unless not `tie_weights`. Afterwards the
    module is as before. With `strict` a RuntimeError unless the names are all there are; else those that the module
    does not have count nothing. ValueError for a name in two dicts.

    >>> import autodiff as ad, nn
    >>> model = nn.Linear(2, 1)
    >>> ad.func.functional_call(model, {"weight": ad.ones(1, 2), "bias": ad.zeros(1)}, ad.tensor([1.0, 2.0]))
    tensor([3.])
    """
    given: dict[str, Tensor] = {}
    one = isinstance(parameter_and_buffer_dicts, Mapping)
    for each in [parameter_and_buffer_dicts] if one else parameter_and_buffer_dicts:
        if twice := given.keys() & each.keys():
            raise ValueError(f"functional_call: {sorted(twice)} came in two dicts; expected each name once")
        given.update(each)
    arguments = () if args is None else args if isinstance(args, tuple) else (args,)
    with _replaced(module, given, tie_weights, strict):
        return module(*arguments, **(kwargs or {}))


def _places(module: Any) -> dict[str, tuple[Any, str, Tensor]]:
    """For each dotted path the module that holds the tensor, the name there, and the tensor."""
    found = {}
    modules = dict(module.named_modules(remove_duplicate=False))
    for members in (module.named_parameters, module.named_buffers):
        for path, tensor in members(remove_duplicate=False):
            owner, _, name = path.rpartition(".")
            found[path] = modules[owner], name, tensor
    return found


@contextmanager
def _replaced(module: Any, given: Mapping[str, Tensor], tie_weights: bool, strict: bool) -> Iterator[None]:
    places = _places(module)
    _check_names(places, given, tie_weights, strict)
    wanted = {path: tensor for path, tensor in given.items() if path in places}
    if tie_weights:
        by_tensor = {id(places[path][2]): tensor for path, tensor in wanted.items()}
        for path, (_, _, own) in places.items():
            if id(own) in by_tensor:
                wanted.setdefault(path, by_tensor[id(own)])
    # Past the module's own check that a parameter is one: here any tensor may stand for it.
    for path, tensor in wanted.items():
        holder, name, _ = places[path]
        holder.__dict__[name] = tensor
    try:
        yield
    finally:
        for path in wanted:
            holder, name, own = places[path]
            holder.__dict__[name] = own


def _check_names(places: Mapping[str, Any], given: Mapping[str, Any], tie_weights: bool, strict: bool) -> None:
    if tie_weights:
        first: dict[int, str] = {}
        for path in given.keys() & places.keys():
            other = first.setdefault(id(places[path][2]), path)
            if given[other] is not given[path]:
                raise ValueError(
                    f"functional_call: {other} and {path} are one tensor in the module, and two different ones came; "
                    f"pass one of them, or tie_weights=False"
                )
    if strict:
        unknown = sorted(given.keys() - places.keys())
        reached = {id(places[path][2]) for path in given.keys() & places.keys()} if tie_weights else set()
        missing = [path for path in places if path not in given and id(places[path][2]) not in reached]
        if unknown or missing:
            raise RuntimeError(
                f"functional_call: with strict=True expected all names of the module and no others; missing "
                f"{missing}, unexpected {unknown}"
            )


def replace_all_batch_norm_modules_(root: Any) -> Any:
    """`root`, in which every batch-norm module has gone over to the statistics of each batch and keeps none.

    Inside vmap there is no one running average that all samples could move.
    """
    for module in root.modules():
        if hasattr(module, "running_mean") and hasattr(module, "track_running_stats"):
            module.running_mean = module.running_var = module.num_batches_tracked = None
            module.track_running_stats = False
    return root


def stack_module_state(models: Sequence[Any]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The parameters, and the buffers, of several modules of one class, stacked along a new first axis by name.

    What vmap of a `functional_call` takes to run an ensemble. The stacked parameters are leaves that require grad if
    those of the models do. RuntimeError for no models, or ones that differ in class or mode.

    >>> import autodiff as ad, nn
    >>> parameters, buffers = ad.func.stack_module_state([nn.Linear(2, 3), nn.Linear(2, 3)])
    >>> parameters["weight"].shape
    (2, 3, 2)
    """
    models = list(models)
    if not models:
        raise RuntimeError("stack_module_state: expected at least one model, got none")
    if any(type(model) is not type(models[0]) for model in models):
        kinds = sorted({type(model).__name__ for model in models})
        raise RuntimeError(f"stack_module_state: expected models of one class, got {', '.join(kinds)}")
    if any(model.training != models[0].training for model in models):
        raise RuntimeError("stack_module_state: expected all models in training mode, or all in evaluation mode")
    parameters = _stacked([dict(model.named_parameters()) for model in models])
    return parameters, _stacked([dict(model.named_buffers()) for model in models])


def _stacked(states: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    found = {}
    for name in states[0]:
        tensors = [state[name] for state in states]
        if len({tensor.requires_grad for tensor in tensors}) > 1:
            raise RuntimeError(f"stack_module_state: expected {name} to require grad in all models, or in none")
        together = stack([tensor.detach() for tensor in tensors])
        if tensors[0].requires_grad:
            together.node = Leaf(together)
        found[name] = together
    return found

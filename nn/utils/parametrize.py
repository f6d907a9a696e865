"""Parametrizations: a weight that is computed, each time it is read, from tensors that are trained in its stead."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import autodiff as ad
from autodiff.tensor import Tensor
from nn.containers import ModuleDict, ModuleList
from nn.members import BUFFER, PARAMETER, TEMPORARY_BUFFER
from nn.module import Module
from nn.parameter import Parameter


class _Cache:
    """The weights computed inside `cached`."""

    depth = 0
    weights: dict[tuple[int, str], Tensor]


_cache = _Cache()
_cache.weights = {}


@contextmanager
def cached() -> Iterator[None]:
    """Compute every parametrized weight once inside this block, instead of each time it is read."""
    _cache.depth += 1
    try:
        yield
    finally:
        _cache.depth -= 1
        if not _cache.depth:
            _cache.weights = {}


class ParametrizationList(ModuleList):
    """The parametrizations of one weight, applied in order, and what they start from: `original`.

    If the first one's `right_inverse` gives several tensors, these are `original0`, `original1` and so on.
    """

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        super().__init__(modules)
        self.unsafe = unsafe
        shape, dtype = original.shape, original.dtype
        new = _inverted(self, original, required=False)
        self.is_tensor = isinstance(new, Tensor)
        self.ntensors = 1 if self.is_tensor else len(new)
        if self.is_tensor:
            _expect_dtype("right_inverse", new, dtype)
            original.data = new
            _register(self, "original", original)
        else:
            for i, tensor in enumerate(new):
                if isinstance(original, Parameter):
                    tensor = Parameter(tensor, original.requires_grad)
                _register(self, f"original{i}", tensor)
        if not unsafe:
            _expect_like("the parametrization", self(), shape, dtype)

    def _originals(self) -> list[Tensor]:
        names = ["original"] if self.is_tensor else [f"original{i}" for i in range(self.ntensors)]
        return [getattr(self, name) for name in names]

    def right_inverse(self, value: Tensor) -> None:
        """Set the original tensors so that the weight becomes `value`; RuntimeError if a parametrization has none."""
        new = _inverted(self, value, required=True)
        tensors = [new] if isinstance(new, Tensor) else list(new)
        if len(tensors) != self.ntensors:
            raise ValueError(f"right_inverse must return {self.ntensors} tensors, it returned {len(tensors)}")
        for original, tensor in zip(self._originals(), tensors, strict=True):
            _expect_dtype("right_inverse", tensor, original.dtype)
            original.data = tensor

    def forward(self) -> Tensor:
        first, *others = self
        weight: Tensor = first(*self._originals())
        for module in others:
            weight = module(weight)
        return weight


def _inverted(modules: ParametrizationList, value: Any, required: bool) -> Any:
    """The tensors from which the parametrizations, of which some may have no inverse, make `value`."""
    with ad.no_grad():
        for module in reversed(list(modules)):
            invert = getattr(type(module), "right_inverse", None)
            if invert is None and required:
                raise RuntimeError(
                    f"the weight cannot be set: its parametrization {type(module).__name__} has no right_inverse()"
                )
            try:
                value = value if invert is None else invert(module, value)
            except NotImplementedError:
                if required:
                    raise
    if not isinstance(value, Tensor | Sequence) or not all(isinstance(x, Tensor) for x in value):
        raise ValueError(f"right_inverse must return a tensor or a sequence of tensors, got {type(value).__name__}")
    return value


def _expect_dtype(what: str, tensor: Tensor, dtype: Any) -> None:
    if tensor.dtype != dtype:
        raise ValueError(f"{what} must keep the dtype: expected {dtype}, got {tensor.dtype}")


def _expect_like(what: str, tensor: Any, shape: tuple[int, ...], dtype: Any) -> None:
    if not isinstance(tensor, Tensor):
        raise ValueError(f"{what} must return a tensor, got {type(tensor).__name__}")
    if tensor.shape != shape or tensor.dtype != dtype:
        raise ValueError(
            f"{what} must keep shape and dtype: expected {shape} of {dtype}, got {tensor.shape} of {tensor.dtype}; "
            f"unsafe=True would allow it"
        )


def _register(module: Module, name: str, tensor: Tensor) -> None:
    if isinstance(tensor, Parameter):
        module.register_parameter(name, tensor)
    else:
        module.register_buffer(name, tensor)


class _Parametrized(Module):
    """What the class of a parametrized module has beside its own: weights that are properties."""

    parametrizations: ModuleDict

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(getattr(type(self), name, None), property) and name in self.__dict__.get("parametrizations", ()):
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def __deepcopy__(self, memo: dict[int, Any]) -> Module:
        # A class of its own, whose properties can be taken away without the first losing them.
        cls = type(self)
        copy: Module = object.__new__(type(cls.__name__, cls.__bases__, dict(cls.__dict__)))
        memo[id(self)] = copy
        copy.__dict__.update(deepcopy(self.__dict__, memo))
        return copy

    def __getstate__(self) -> dict[str, Any]:
        raise RuntimeError(
            "a parametrized module cannot be pickled, since its class is made at run time; save its state_dict()"
        )


def _weight(name: str) -> property:
    def read(module: _Parametrized) -> Tensor:
        parametrization = module.parametrizations[name]
        if not _cache.depth:
            weight: Tensor = parametrization()
            return weight
        key = (id(module), name)
        if key not in _cache.weights:
            _cache.weights[key] = parametrization()
        return _cache.weights[key]

    def write(module: _Parametrized, value: Tensor) -> None:
        module.parametrizations[name].right_inverse(value)

    return property(read, write)


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Let the parameter or buffer of this name be what `parametrization` computes of it; returns the module.

    The tensor that is trained is ``module.parametrizations.<name>.original``. A `right_inverse` of the parametrization
    finds it for a value of the weight, which can then be assigned. Registering several composes them. ValueError if
    there is no such tensor, or if its shape or dtype would change and not `unsafe`.

    >>> import autodiff as ad, nn
    >>> class Symmetric(nn.Module):
    ...     def forward(self, x):
    ...         return x.triu() + x.triu(1).mT
    >>> layer = nn.utils.parametrize.register_parametrization(nn.Linear(3, 3), "weight", Symmetric())
    >>> bool((layer.weight == layer.weight.mT).all())
    True
    >>> [name for name, _ in layer.named_parameters()]
    ['bias', 'parametrizations.weight.original']
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        there: Any = module.parametrizations[tensor_name]
        if not unsafe:
            weight = getattr(module, tensor_name)
            _expect_like("the parametrization", parametrization(weight), weight.shape, weight.dtype)
        there.append(parametrization)
        there.unsafe = there.unsafe or unsafe
    elif module._members(PARAMETER, BUFFER, TEMPORARY_BUFFER).get(tensor_name) is not None:
        parametrizations = ParametrizationList([parametrization], getattr(module, tensor_name), unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            cls: Any = type(module)
            object.__setattr__(module, "__class__", type(f"Parametrized{cls.__name__}", (_Parametrized, cls), {}))
            module.parametrizations = ModuleDict()
        module.parametrizations[tensor_name] = parametrizations
        setattr(type(module), tensor_name, _weight(tensor_name))
    else:
        raise ValueError(f"{type(module).__name__} has no parameter or buffer {tensor_name!r} to parametrize")
    return module


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether the weight of this name, or any, is parametrized."""
    parametrizations = module.__dict__.get("parametrizations")
    if not isinstance(parametrizations, ModuleDict):
        return False
    return len(parametrizations) > 0 if tensor_name is None else tensor_name in parametrizations


def remove_parametrizations(module: Module, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """Make the weight an ordinary one again, of its present value, or of its original one if not `leave_parametrized`.

    ValueError if it is not parametrized, or if it is to get its original value and was made of several tensors.
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"{type(module).__name__} has no parametrization of {tensor_name!r} to remove")
    parametrizations: Any = module.parametrizations[tensor_name]
    if parametrizations.is_tensor:
        original = parametrizations.original
        if leave_parametrized:
            with ad.no_grad():
                original.data = getattr(module, tensor_name)
    elif leave_parametrized:
        weight = getattr(module, tensor_name)
        original = Parameter(weight) if weight.requires_grad else weight
    else:
        raise ValueError(
            f"leave_parametrized=False expected a weight made of one tensor, but {tensor_name!r} is made of "
            f"{parametrizations.ntensors}"
        )
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    if not is_parametrized(module):
        del module.parametrizations
        object.__setattr__(module, "__class__", type_before_parametrizations(module))
    _register(module, tensor_name, original)
    return module


def type_before_parametrizations(module: Module) -> type[Module]:
    """The class that the module had before it was parametrized."""
    return type(module).__bases__[1] if isinstance(module, _Parametrized) else type(module)

"""What a module holds under its attributes' names: parameters, buffers and other modules; and how they are found."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self, cast

from autodiff.tensor import Tensor
from nn.parameter import Buffer, Parameter
from nn.plain_container import warn_about_plain_container

if TYPE_CHECKING:
    from nn.module import Module

PARAMETER, BUFFER, TEMPORARY_BUFFER, MODULE = "parameter", "buffer", "temporary buffer", "module"
_EXPECTED = {
    PARAMETER: "nn.Parameter(...), or write the values in place under ad.no_grad()",
    BUFFER: "a tensor",
    TEMPORARY_BUFFER: "a tensor",
    MODULE: "an nn.Module",
}


class Members:
    """The base of `Module`: registers what is assigned, and finds it by name."""

    # What each registered attribute is: PARAMETER, BUFFER, TEMPORARY_BUFFER or MODULE, in PyTorch's order. The values
    # are ordinary attributes, so that reading `self.weight` costs no more than reading any other.
    _registered: dict[str, str]

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Parameter):
            self._register(name, value, PARAMETER)
        elif isinstance(value, Members):
            self._register(name, value, MODULE)
        elif isinstance(value, Buffer):
            # A copy of one has lost the mark.
            self._register(name, value, BUFFER if getattr(value, "persistent", True) else TEMPORARY_BUFFER)
        else:
            kind = self.__dict__.get("_registered", {}).get(name)
            if kind is not None:
                _check_value(type(self).__name__, name, value, kind)
            elif isinstance(value, list | tuple | dict):
                self._warn_about_plain_container(name, value)
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        # Runs only when ordinary lookup has failed.
        if "_registered" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__}.__init__() must call super().__init__() first")
        close = [] if name.startswith("_") else get_close_matches(name, [n for n in dir(self) if n[0] != "_"], 1)
        hint = f". Did you mean {close[0]!r}?" if close else ""
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{hint}", name=name, obj=self)

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        self._registered.pop(name, None)

    def __copy__(self) -> Self:
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__, _registered=dict(self._registered))
        return copy

    def _register(self, name: str, value: Any, kind: str) -> None:
        if "_registered" not in self.__dict__:
            cls = type(self).__name__
            raise AttributeError(
                f"cannot assign {kind} {name!r} before {cls} is initialised: "
                f"call super().__init__() first in {cls}.__init__()"
            )
        if self._registered.get(name, kind) != kind:
            del self._registered[name]
        self._registered[name] = kind
        self.__dict__[name] = value

    def _register_new(self, name: str, value: Any, kind: str) -> None:
        if not isinstance(name, str):
            raise TypeError(f"the name of a {kind} must be a string, got {type(name).__name__}")
        if not name or "." in name:
            raise KeyError(f"the name of a {kind} must not be empty or contain a dot, which joins names; got {name!r}")
        if (name in self.__dict__ and self.__dict__.get("_registered", {}).get(name) != kind) or hasattr(
            type(self), name
        ):
            raise KeyError(f"{type(self).__name__} already has an attribute {name!r}: choose another name")
        _check_value(type(self).__name__, name, value, kind)
        self._register(name, value, kind)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter, or None for one that is absent; KeyError if the name is taken or is no attribute's name."""
        self._register_new(name, param, PARAMETER)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that is part of the module's state and is not trained, such as a running mean.

        It is converted with the module, and is in `state_dict` if `persistent`.
        """
        self._register_new(name, tensor, BUFFER if persistent else TEMPORARY_BUFFER)

    def register_module(self, name: str, module: "Module | None") -> None:
        """Add a module under a computed name; KeyError if the name is taken or is no attribute's name."""
        self._register_new(name, module, MODULE)

    add_module = register_module

    def _warn_about_plain_container(self, name: str, value: Any) -> None:
        warn_about_plain_container(self, name, value, "Module", Members, self.modules())
        warn_about_plain_container(self, name, value, "Parameter", Parameter, self.parameters())

    def _members(self, *kinds: str) -> Mapping[str, Any]:
        values = self.__dict__
        return MappingProxyType({name: values[name] for name, kind in self._registered.items() if kind in kinds})

    @property
    def _parameters(self) -> Mapping[str, Parameter | None]:
        return self._members(PARAMETER)

    @property
    def _buffers(self) -> Mapping[str, Tensor | None]:
        return self._members(BUFFER, TEMPORARY_BUFFER)

    @property
    def _modules(self) -> Mapping[str, "Module | None"]:
        return self._members(MODULE)

    def named_modules(
        self, memo: set["Module"] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, "Module"]]:
        """This module and all modules inside it with their dotted paths, outer ones first.

        A module that is reached twice is given once, unless `remove_duplicate` is False; those in `memo` are left out.
        """
        memo = set() if memo is None else memo
        this = cast("Module", self)
        if this in memo:
            return
        if remove_duplicate:
            memo.add(this)
        yield prefix, this
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(memo, join(prefix, name), remove_duplicate)

    def modules(self, remove_duplicate: bool = True) -> Iterator["Module"]:
        """This module and all modules inside it, outer ones first."""
        return (module for _, module in self.named_modules(remove_duplicate=remove_duplicate))

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """The modules directly inside this one with their names, each once."""
        seen = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator["Module"]:
        """The modules directly inside this one, each once."""
        return (module for _, module in self.named_children())

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """The parameters with their dotted paths; a shared one once, unless `remove_duplicate` is False.

        >>> import nn
        >>> [name for name, parameter in nn.Sequential(nn.Linear(2, 3), nn.ReLU()).named_parameters()]
        ['0.weight', '0.bias']
        """
        return self._named_members((PARAMETER,), prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters, of this module alone if not `recurse`; what an optimizer takes."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """The buffers with their dotted paths; a shared one once, unless `remove_duplicate` is False."""
        return self._named_members((BUFFER, TEMPORARY_BUFFER), prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers, of this module alone if not `recurse`."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def _named_members(
        self, kinds: tuple[str, ...], prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        seen = set()
        modules = self.named_modules(None, prefix, remove_duplicate) if recurse else [(prefix, self)]
        for path, module in modules:
            for name, tensor in module._members(*kinds).items():
                if tensor is not None and id(tensor) not in seen:
                    if remove_duplicate:
                        seen.add(id(tensor))
                    yield join(path, name), tensor

    def get_submodule(self, target: str) -> "Module":
        """The module at a dotted path, the module itself for an empty one; AttributeError if there is none."""
        module = cast("Module", self)
        for name in target.split(".") if target else ():
            found = module._modules.get(name)
            if found is None:
                names = ", ".join(module._modules) or "none"
                raise AttributeError(
                    f"{type(self).__name__} has no submodule {target!r}: there is no {name!r} in "
                    f"{type(module).__name__} (its modules: {names})"
                )
            module = found
        return module

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a dotted path; AttributeError if there is none."""
        parameter: Parameter = self._get_tensor(target, PARAMETER)
        return parameter

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a dotted path; AttributeError if there is none."""
        buffer: Tensor = self._get_tensor(target, BUFFER, TEMPORARY_BUFFER)
        return buffer

    def _get_tensor(self, target: str, *kinds: str) -> Any:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        tensors = module._members(*kinds)
        if tensors.get(name) is None:
            raise AttributeError(
                f"{type(self).__name__} has no {kinds[0]} {target!r}: there is no {name!r} in "
                f"{type(module).__name__} (its {kinds[0]}s: {', '.join(tensors) or 'none'})"
            )
        return tensors[name]

    def set_submodule(self, target: str, module: "Module", strict: bool = False) -> None:
        """Put `module` at a dotted path, in place of what is there; if `strict`, only in place of another module.

        >>> import nn
        >>> net = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
        >>> net.set_submodule("1", nn.Tanh())
        >>> net[1]
        Tanh()
        """
        path, _, name = target.rpartition(".")
        if not name:
            raise ValueError("set_submodule expected the path of a submodule, got an empty name")
        if not isinstance(module, Members):
            raise ValueError(f"set_submodule expected an nn.Module for {target!r}, got {type(module).__name__}")
        parent = self.get_submodule(path)
        there = parent.__dict__.get(name)
        if (strict and there is None) or not isinstance(there, Members | None):
            raise AttributeError(f"{type(parent).__name__} has no submodule {name!r} that {target!r} could replace")
        setattr(parent, name, module)

    def __dir__(self) -> list[str]:
        # Names such as those in a list of modules are no attributes that can be written.
        return [name for name in super().__dir__() if not name[:1].isdigit()]


def join(path: str, name: str) -> str:
    """The dotted path of what is called `name` inside `path`."""
    return f"{path}.{name}" if path else name


def _check_value(module: str, name: str, value: Any, kind: str) -> None:
    """TypeError unless `value` is None or what is registered as a `kind`."""
    cls = {PARAMETER: Parameter, MODULE: Members}.get(kind, Tensor)
    if value is not None and not isinstance(value, cls):
        raise TypeError(
            f"cannot assign {type(value).__name__} to {module}.{name}, a registered {kind}: expected "
            f"{_EXPECTED[kind]}, or None"
        )

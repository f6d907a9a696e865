"""Modules that hold modules or parameters: lists, dictionaries, and `Sequential`."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from itertools import groupby
from typing import Any, Generic, Self, TypeVar, overload

from autodiff import formatting
from nn.members import MODULE, PARAMETER
from nn.module import Module
from nn.parameter import Parameter
from nn.representation import format_members, indent

Element = TypeVar("Element")


class _List(Module, Generic[Element]):
    """What the lists share: the elements are the registered members of one kind, in order."""

    _kind = MODULE

    def __init__(self, elements: Iterable[Any] = ()) -> None:
        super().__init__()
        self.extend(elements)

    def _element(self, value: Any) -> Element:
        """What is registered for a `value` that the user gives."""
        element: Element = value
        return element

    def _select(self, named: list[tuple[str, Element]]) -> Self:
        """A list like this one of some of its elements."""
        return type(self)([element for _, element in named])

    def _named(self) -> list[tuple[str, Element]]:
        return list(self._members(self._kind).items())

    def _name(self, index: int) -> str:
        names = list(self._members(self._kind))
        try:
            return names[index]
        except IndexError:
            raise IndexError(f"index {index} is out of range for a {type(self).__name__} of {len(names)}") from None

    def __len__(self) -> int:
        return len(self._members(self._kind))

    def __iter__(self) -> Iterator[Element]:
        return iter([element for _, element in self._named()])

    @overload
    def __getitem__(self, index: int) -> Element: ...

    @overload
    def __getitem__(self, index: slice) -> Self: ...

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self._select(self._named()[index])
        return self.__dict__[self._name(index)]

    def __setitem__(self, index: int, value: Any) -> None:
        setattr(self, self._name(index), self._element(value))

    def __delitem__(self, index: int | slice) -> None:
        elements = list(self)
        del elements[index]
        self._replace(elements)

    def __iadd__(self, values: Iterable[Any]) -> Self:
        return self.extend(values)

    def append(self, value: Any) -> Self:
        """Add an element at the end; returns the list itself."""
        return self.extend([value])

    def extend(self, values: Iterable[Any]) -> Self:
        """Add all of an iterable at the end; returns the list itself."""
        number = len(self)
        for value in values:
            while str(number) in self._registered:
                number += 1
            self._register_new(str(number), self._element(value), self._kind)
        return self

    def insert(self, index: int, value: Any) -> Self:
        """Add an element before the one at `index`; returns the list itself, whose elements are numbered anew."""
        elements = list(self.append(value))
        elements.insert(index, elements.pop())
        return self._replace(elements)

    def pop(self, index: int = -1) -> Element:
        """Remove and return an element; the others are numbered anew."""
        element = self[index]
        del self[index]
        return element

    def _replace(self, elements: list[Element]) -> Self:
        for name, _ in self._named():
            delattr(self, name)
        return self.extend(elements)


class Sequential(_List[Module]):
    """Modules that are called one after the other, each on the result of the one before.

    Takes them as arguments, named "0", "1" and so on, or one dictionary with names. Used as a list; a slice is a
    `Sequential` of the same modules under the same names.

    >>> import nn
    >>> model = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2))
    >>> model[1:]
    Sequential(
      (1): ReLU()
      (2): Linear(in_features=16, out_features=2, bias=True)
    )
    """

    def __init__(self, *modules: Any) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], Mapping) and not isinstance(modules[0], Module):
            for name, module in modules[0].items():
                self.register_module(name, module)
        else:
            self.extend(modules)

    def forward(self, input: Any) -> Any:
        """The result of the last module, or the input if there is none."""
        members = self.__dict__
        for name, kind in members["_registered"].items():
            if kind == MODULE:
                input = members[name](input)
        return input

    def _select(self, named: list[tuple[str, Module]]) -> Self:
        return type(self)(OrderedDict(named))

    def __add__(self, other: "Sequential") -> "Sequential":
        if not isinstance(other, Sequential):
            return NotImplemented
        return Sequential(*self, *other)

    def __mul__(self, times: int) -> "Sequential":
        return Sequential(*(list(self) * times))

    __rmul__ = __mul__


class ModuleList(_List[Module]):
    """A list of modules that registers them.

    >>> import nn
    >>> nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])
    ModuleList(
      (0-2): 3 x Linear(in_features=2, out_features=2, bias=True)
    )
    """

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("a ModuleList only holds modules: loop over it, or use nn.Sequential")

    def __add__(self, other: Iterable[Module]) -> "ModuleList":
        return ModuleList([*self, *other])

    def __repr__(self) -> str:
        lines, start = [], 0
        for text, same in groupby(map(repr, self)):
            count = len(list(same))
            where = f"{start}-{start + count - 1}): {count} x " if count > 1 else f"{start}): "
            lines.append(f"({where}{indent(text)}")
            start += count
        return format_members(type(self).__name__, [], lines)


class ParameterList(_List[Parameter]):
    """A list of parameters that registers them; other tensors become parameters.

    >>> import autodiff as ad, nn
    >>> len(nn.ParameterList([ad.zeros(2), ad.zeros(2, 3)]))
    2
    """

    _kind = PARAMETER

    def _element(self, value: Any) -> Parameter:
        return as_parameter(value)

    def extra_repr(self) -> str:
        return _describe_parameters((name, p, f"{formatting.DTYPE_PREFIX}{p.dtype}") for name, p in self._named())


class _Dict(Module, MutableMapping[str, Element]):
    """What the dictionaries share: the values are the registered members of one kind under their keys."""

    _kind = MODULE
    # A module is equal only to itself, whatever it holds.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __init__(self, values: Mapping[str, Any] | Iterable[tuple[str, Any]] = ()) -> None:
        super().__init__()
        self.update(values)

    def __getitem__(self, key: str) -> Element:
        element: Element = self._members(self._kind)[key]
        return element

    def __setitem__(self, key: str, value: Any) -> None:
        self._register_new(key, value, self._kind)

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        delattr(self, key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._members(self._kind))

    def __len__(self) -> int:
        return len(self._members(self._kind))


class ModuleDict(_Dict[Module]):
    """A dictionary of modules that registers them under their keys.

    >>> import nn
    >>> nn.ModuleDict({"relu": nn.ReLU(), "tanh": nn.Tanh()})["tanh"]
    Tanh()
    """


class ParameterDict(_Dict[Parameter]):
    """A dictionary of parameters that registers them under their keys; other tensors become parameters.

    >>> import autodiff as ad, nn
    >>> list(nn.ParameterDict({"scale": ad.ones(2), "shift": ad.zeros(2)}))
    ['scale', 'shift']
    """

    _kind = PARAMETER

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, as_parameter(value))

    def copy(self) -> Self:
        """Another dictionary of the same parameters."""
        return type(self)(self)

    def popitem(self) -> tuple[str, Parameter]:
        """Remove the key that came last, and return it with its parameter; KeyError if there is none."""
        for key in reversed(list(self)):
            return key, self.pop(key)
        raise KeyError("popitem: the ParameterDict is empty")

    def extra_repr(self) -> str:
        return _describe_parameters((name, p, p.type()) for name, p in self.items())


def as_parameter(value: Any) -> Parameter:
    """The value if it is a parameter, else a parameter that shares its memory; TypeError if it is no tensor."""
    return value if isinstance(value, Parameter) else Parameter(value)


def _describe_parameters(named: Iterable[tuple[str, Parameter, Any]]) -> str:
    """A line for each name, parameter and kind, which PyTorch's list and dictionary write differently."""
    return "\n".join(
        f"  ({name}): Parameter containing: [{kind} of size {'x'.join(map(str, p.shape))}]" for name, p, kind in named
    )

"""A pickle machine that makes plain containers, and calls nothing but the few functions it is given.

Python's own executes what a file asks for. This one has the opcodes of the binary protocols 2 to 5 that containers
need, in a table; every other opcode, and every name that it was not given, is an error before anything is done.
https://github.com/python/cpython/blob/main/Lib/pickletools.py describes the opcodes.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from autodiff.serialization.tree import inside, is_key

_MARK = object()


class Admitted:
    """A function or a type of PyTorch that a file may name: `make` is called with the arguments that follow it."""

    __slots__ = ("make", "name")

    def __init__(self, name: str, make: Callable[..., Any] | None = None) -> None:
        self.name, self.make = name, make

    def __repr__(self) -> str:
        return f"<{self.name}>"


class Unpickler:
    """Reads one pickle after the other out of `data`; `position` is where the next one begins.

    `named` gives the value of a name such as ``collections.OrderedDict``, or raises; `persistent` makes what
    stands outside of the pickle. ValueError for anything that is no pickle of plain containers.
    """

    def __init__(self, data: bytes, named: Callable[[str], Any], persistent: Callable[[Any], Any]) -> None:
        self.data, self.position = data, 0
        self._named, self._persistent = named, persistent
        self._allowance = len(data)

    def load(self) -> Any:
        """The next pickle."""
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        try:
            while (code := self._take(1)) != b".":
                step = _STEPS.get(code)
                if step is None:
                    raise ValueError(f"opcode {code!r} is none of those that plain containers need")
                step(self)
            return self._pop()
        except (IndexError, KeyError, struct.error, OverflowError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error

    def spend(self, count: int) -> None:
        """Count what is copied, which a file could ask for a million times: no good one copies more than it holds."""
        self._allowance -= count
        if self._allowance < 0:
            raise ValueError("it makes more copies than it has content")

    def _take(self, count: int) -> bytes:
        end = self.position + count
        if count < 0 or end > len(self.data):
            raise ValueError(f"it ends {end - len(self.data)} bytes early")
        taken = self.data[self.position : end]
        self.position = end
        return taken

    def _number(self, layout: str) -> Any:
        return struct.unpack(layout, self._take(struct.calcsize(layout)))[0]

    def _line(self) -> str:
        end = self.data.find(b"\n", self.position, self.position + 1000)
        if end < 0:
            raise ValueError("a name has no end")
        line = self._take(end - self.position).decode()
        self.position += 1
        return line

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _pop(self) -> Any:
        value = self._stack.pop()
        if value is _MARK:
            raise ValueError("a mark stands in the place of a value")
        return value

    def _pop_to_mark(self) -> list[Any]:
        values = []
        while (value := self._stack.pop()) is not _MARK:
            values.append(value)
        values.reverse()
        return values

    def _find(self, module: Any, name: Any) -> None:
        if type(module) is not str or type(name) is not str:
            raise ValueError("a name is no string")
        try:
            self._push(self._named(f"{module}.{name}"))
        except ValueError as error:
            place = self._place()
            if not place:
                raise
            raise type(error)(f"at {place:.200}, {error}") from None

    def _place(self) -> str:
        """Where the next value belongs in the containers that are being filled, such as ``state.0.step``."""
        stack, place = self._stack, ""
        marks = {i for i, value in enumerate(stack) if value is _MARK}
        containers = [i for i, value in enumerate(stack) if type(value) in (dict, OrderedDict, list)]
        # Being filled by the entries behind a mark, or empty, when one entry may follow.
        filled = [i for i in containers if i + 1 in marks or not stack[i]]
        for i in filled:
            begin = i + 2 if i + 1 in marks else i + 1
            waiting = stack[begin : min(j for j in (*filled, *marks, len(stack)) if j >= begin)]
            if type(stack[i]) is list:
                place = inside(place, len(stack[i]) + len(waiting))
            elif len(waiting) % 2:
                place = inside(place, waiting[-1])
        return place

    def _find_on_stack(self) -> None:
        name = self._pop()
        self._find(self._pop(), name)

    def _remember(self, index: int) -> None:
        if self._stack[-1] is _MARK:
            raise ValueError("a mark stands in the place of a value")
        self._memo[index] = self._stack[-1]

    def _extend(self, values: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is list:
            target.extend(values)
        elif type(target) is set and all(is_key(value) for value in values):
            target.update(values)
        else:
            raise ValueError(f"entries for a {type(target).__name__}")

    def _fill(self, values: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) not in (dict, OrderedDict):
            raise ValueError(f"items for a {type(target).__name__}")
        if len(values) % 2:
            raise ValueError("a key without a value")
        set_items(target, zip(values[::2], values[1::2], strict=True))

    def _call(self) -> None:
        arguments, function = self._pop(), self._pop()
        if type(function) is not Admitted or function.make is None or type(arguments) is not tuple:
            raise ValueError(f"a call of {function!r:.100}, which is no function")
        try:
            self._push(function.make(*arguments))
        except TypeError as error:
            raise ValueError(f"arguments that {function.name} does not take: {error}") from error

    def _build(self) -> None:
        state, target = self._pop(), self._stack[-1]
        if type(target) is not OrderedDict or type(state) is not dict or list(state) != ["_metadata"]:
            raise ValueError(f"attributes for a {type(target).__name__}")
        if not isinstance(state["_metadata"], dict):
            raise ValueError("_metadata that is no dictionary")
        target._metadata = state["_metadata"]  # type: ignore[attr-defined]


def set_items(target: dict[Any, Any], items: Any) -> None:
    """Put `items` into a dictionary; keys that take long to compare or to hash are a ValueError."""
    for key, value in items:
        if not is_key(key) and type(key) is not bytes:
            raise ValueError(f"a {type(key).__name__} as a key")
        target[key] = value


Step = Callable[[Unpickler], Any]


def _numbers(layout: str) -> Step:
    return lambda m: m._push(m._number(layout))


def _texts(layout: str) -> Step:
    return lambda m: m._push(m._take(m._number(layout)).decode("utf-8", "surrogatepass"))


def _byte_strings(layout: str) -> Step:
    return lambda m: m._push(m._take(m._number(layout)))


def _integers(layout: str) -> Step:
    return lambda m: m._push(int.from_bytes(m._take(m._number(layout)), "little", signed=True))


def _tuples(count: int) -> Step:
    def step(m: Unpickler) -> None:
        values = [m._pop() for _ in range(count)]
        m._push(tuple(reversed(values)))

    return step


_STEPS: Mapping[bytes, Step] = {
    b"\x80": lambda m: m._take(1),  # the protocol
    b"\x95": lambda m: m._take(8),  # the length of what follows, which says nothing new
    b"(": lambda m: m._push(_MARK),
    b"0": lambda m: m._pop(),
    b"N": lambda m: m._push(None),
    b"\x88": lambda m: m._push(True),
    b"\x89": lambda m: m._push(False),
    b"K": _numbers("<B"), b"M": _numbers("<H"), b"J": _numbers("<i"), b"G": _numbers(">d"),
    b"\x8a": _integers("<B"), b"\x8b": _integers("<i"),
    b"\x8c": _texts("<B"), b"X": _texts("<I"), b"\x8d": _texts("<Q"),
    b"U": _texts("<B"), b"T": _texts("<i"),  # strings of Python 2
    b"C": _byte_strings("<B"), b"B": _byte_strings("<I"), b"\x8e": _byte_strings("<Q"),
    b")": lambda m: m._push(()),
    b"]": lambda m: m._push([]),
    b"}": lambda m: m._push({}),
    b"\x8f": lambda m: m._push(set()),
    b"t": lambda m: m._push(tuple(m._pop_to_mark())),
    b"\x85": _tuples(1), b"\x86": _tuples(2), b"\x87": _tuples(3),
    b"a": lambda m: m._extend([m._pop()]),
    b"e": lambda m: m._extend(m._pop_to_mark()),
    b"\x90": lambda m: m._extend(m._pop_to_mark()),
    b"s": lambda m: m._fill([m._pop(), m._pop()][::-1]),
    b"u": lambda m: m._fill(m._pop_to_mark()),
    b"q": lambda m: m._remember(m._number("<B")),
    b"r": lambda m: m._remember(m._number("<I")),
    b"\x94": lambda m: m._remember(len(m._memo)),
    b"h": lambda m: m._push(m._memo[m._number("<B")]),
    b"j": lambda m: m._push(m._memo[m._number("<I")]),
    b"c": lambda m: m._find(m._line(), m._line()),
    b"\x93": Unpickler._find_on_stack,
    b"R": Unpickler._call,
    b"b": Unpickler._build,
    b"Q": lambda m: m._push(m._persistent(m._pop())),
}  # fmt: skip

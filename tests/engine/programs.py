"""Random programs of views, writes and derivatives: lines of Python that mean the same in every library.

In a line ``m`` is the library, and ``leaf(seed, shape)`` makes a tensor. Names tell what a tensor is: v owns its
history, w is a view, p a piece (of unbind, split, chunk), h a view made under no_grad.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Choose = Callable[[Sequence[Any]], Any]
NO_GRAD = "with m.no_grad(): "
SHAPES = [(), (1,), (3,), (2, 3), (4, 1, 2), (2, 2), (0, 3)]
UNARY = [
    "{x}.sin()", "{x}.cos()", "{x}.tanh()", "{x}.exp()", "{x}.sigmoid()", "{x}.relu()", "{x}.abs()", "{x}.square()",
    "{x}.clamp(-0.6, 0.7)", "{x}.clone()", "-{x}", "{x} * 0.5", "{x} + 1",
]  # fmt: skip
BINARY = [
    "{x} + {y}", "{x} - {y}", "{x} * {y}", "{x} * {y}", "{x} / ({y}.cos() + 2)", "m.maximum({x}, {y})",
    "m.where({x} > 0, {x}, {y})",
]  # fmt: skip
# PyTorch lets these write to elements that share memory.
IDEMPOTENT = ["{x}.zero_()", "{x}.fill_(0.25)", "{x}.masked_fill_({x} > 0, 0.25)", "{x}[{x} > 0] = 0.25"]
WRITES = [
    "{x}.exp_()", "{x}.sigmoid_()", "{x}.tanh_()", "{x}.relu_()", "{x}.sin_()", "{x}.neg_()", "{x}.clamp_(-0.6, 0.7)",
    "{x}.mul_(0.5)", "{x}.add_(1)", "{x} += 0.5", "{x} *= 0.5",
]  # fmt: skip
WRITES_OF_ANOTHER = [
    "{x}.add_({y})", "{x}.add_({y}, alpha=2)", "{x}.sub_({y})", "{x}.mul_({y})", "{x}.mul_({y})", "{x}.copy_({y})",
    "{x}.div_({y}.cos() + 2)", "{x} += {y}", "{x} -= {y}", "{x} *= {y}", "{x}[...] = {y}", "{x}[None] = {y}",
]  # fmt: skip
REPLACING = (".zero_", "fill_", "copy_", "] = ")
INDICES: dict[str, Any] = {
    "0": 0, "-1": -1, "1:": slice(1, None), ":1": slice(1), "::2": slice(None, None, 2), "0:0": slice(0, 0), "...": ...,
    "..., 0": (..., 0), "None": None, ":, 1:": (slice(None), slice(1, None)), "0, 0": (0, 0), "..., None": (..., None),
}  # fmt: skip
LISTS: dict[str, Any] = {"[0]": [0], "[-1, 0]": [-1, 0], "m.tensor([0])": [0]}


@dataclass(eq=False)
class History:
    """What a tensor and its views have in common; `zeros` if derivatives may pass it that are zeros by construction."""

    needs: bool = False
    leaf: bool = True
    zeros: bool = False


@dataclass(eq=False)
class Variable:
    """A tensor of the program: `array` has its shape and shares memory as it does; `dense` if surely row-major."""

    name: str
    array: Array
    history: History
    dense: bool
    version: int

    @property
    def zeros(self) -> bool:
        return self.history.zeros or not self.array.size

    @property
    def spread(self) -> bool:
        """Whether elements share memory, as after expand."""
        return any(size > 1 and not stride for size, stride in zip(self.array.shape, self.array.strides, strict=True))


def memory(array: Array) -> Array:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def fits(shape: tuple[int, ...], into: tuple[int, ...]) -> bool:
    """Whether a shape broadcasts to another."""
    with contextlib.suppress(ValueError):
        return np.broadcast_shapes(shape, into) == into
    return False


@dataclass
class Author:
    """Writes a program, a line at a time. `choose` picks from a sequence; `features` counts what was written."""

    choose: Choose
    variables: list[Variable] = field(default_factory=list)
    hidden: bool = False
    writes: Counter[int] = field(default_factory=Counter)
    count: int = 0
    lines: list[str] = field(default_factory=list)
    features: Counter[str] = field(default_factory=Counter)

    def line(self, kind: Callable[[Author], str | None]) -> str | None:
        """A line of that kind, or None where nothing suits; now and then a few in a row are under no_grad."""
        self.hidden = self.choose((True, True, False) if self.hidden else (False,) * 9 + (True,))
        text = kind(self)
        if text is None:
            return None
        if self.hidden:
            self.features["no_grad"] += 1
        self.lines.append(NO_GRAD * self.hidden + text)
        return self.lines[-1]

    def pick(self, suits: Callable[[Variable], bool] = lambda x: True) -> Variable | None:
        """A variable to read, rather a late one."""
        found = [x for x in self.variables if self.may_read(x) and suits(x)]
        return self.choose(found + found[-3:]) if found else None

    def may_read(self, x: Variable) -> bool:
        """PyTorch takes a view made under no_grad for a leaf outside, and refuses a piece of what was written since."""
        old = x.name[0] == "p" and self.version(x.array) > x.version
        return self.hidden or (x.name[0] != "h" and not old)

    def version(self, array: Array) -> int:
        """How many writes there were to the memory, at most."""
        return self.writes[id(memory(array))]

    def add(self, letter: str, array: Array, history: History, dense: bool) -> str:
        self.count += 1
        self.variables.append(Variable(f"{letter}{self.count}", array, history, dense, self.version(array)))
        return self.variables[-1].name

    def leaf(self) -> str:
        shape, needs = self.choose(SHAPES), self.choose((True, True, False))
        name = self.add("v", np.empty(shape), History(needs), dense=True)
        return f"{name} = leaf({self.count}, {shape})" + ".requires_grad_()" * needs

    def detach(self) -> str | None:
        x = self.pick(lambda x: not x.spread)
        if x is None:
            return None
        self.features["detach"] += 1
        needs = self.choose((True, False, False))
        name = self.add("v", x.array[...], History(needs), x.dense)
        return f"{name} = {x.name}.detach()" + ".requires_grad_()" * needs

    def view(self) -> str | None:
        # Views of leaves are many, and cannot be written to.
        x = self.pick(lambda x: x.history.needs and not x.history.leaf) if self.choose((True, True, False)) else None
        x = x or self.pick()
        if x is None or (found := self.choose(VIEWS)(self, x)) is None:
            return None
        text, array = found
        return f"{self.viewed(x, 'w', array)} = {x.name}{text}"

    def pieces(self) -> str | None:
        x = self.pick(lambda x: x.array.ndim > 0)
        if x is None:
            return None
        dim = self.choose(range(x.array.ndim))
        size = x.array.shape[dim]
        if not size:
            return None
        arrays = np.split(x.array, size, dim)
        text = self.choose((f"unbind({dim})", f"split(1, {dim})", f"chunk({size}, {dim})"))
        names = [self.viewed(x, "p", a.squeeze(dim) if text[0] == "u" else a) for a in arrays]
        return f"{', '.join(names)}{',' * (len(names) == 1)} = {x.name}.{text}"

    def viewed(self, x: Variable, letter: str, array: Array) -> str:
        self.features["views"] += 1
        if x.name[0] != "v":
            self.features["views of views"] += 1
        letter = "h" if self.hidden else "p" if x.name[0] == "p" else letter
        return self.add(letter, array, x.history, x.dense and array.flags.c_contiguous)

    def operation(self) -> str | None:
        x = self.pick()
        if x is None:
            return None
        y = self.pick(lambda y: fits(y.array.shape, x.array.shape) or fits(x.array.shape, y.array.shape))
        if y and self.choose((True, False)):
            shape = np.broadcast_shapes(x.array.shape, y.array.shape)
            return self.made(self.choose(BINARY).format(x=x.name, y=y.name), shape, x, y)
        return self.made(self.choose(UNARY).format(x=x.name), x.array.shape, x)

    def rearranging(self) -> str | None:
        """An operation that is no function of elements, nor a view."""
        x = self.pick(lambda x: x.array.ndim > 0)
        if x is None:
            return None
        shape = x.array.shape
        options: list[tuple[str, tuple[int, ...]]] = [
            (f"{x.name}.sum()", ()),
            (f"{x.name}.sum(0)", shape[1:]),
            (f"{x.name}.sum(-1, keepdim=True)", (*shape[:-1], 1)),
            (f"{x.name}.cumsum(0)", shape),
            (f"m.cat([{x.name}, {x.name}])", (2 * shape[0], *shape[1:])),
            (f"m.stack([{x.name}, {x.name}])", (2, *shape)),
        ]
        if shape[0]:
            mask = [self.choose((True, False)) for _ in range(shape[0])]
            options += [(f"{x.name}[{text}]", x.array[at].shape) for text, at in LISTS.items()]
            options.append((f"{x.name}[m.tensor({mask})]", (sum(mask), *shape[1:])))
        if len(shape) == 2:
            y = self.pick(lambda y: y.array.ndim == 2 and y.array.shape[0] == shape[1])
            if y:
                options += 3 * [(f"{x.name} @ {y.name}", (shape[0], y.array.shape[1]))]
        return self.made(*self.choose(options), x)

    def made(self, text: str, shape: tuple[int, ...], *operands: Variable) -> str:
        needs = not self.hidden and any(x.history.needs for x in operands)
        zeros = 0 in shape or any(x.zeros for x in operands)
        dense = all(x.dense for x in operands)
        return f"{self.add('v', np.empty(shape), History(needs, not needs, zeros), dense)} = {text}"

    def target(self) -> Variable | None:
        """A variable to write to, rarely one that would refuse."""
        refusing = self.choose((False,) * 9 + (True,))
        found = [
            x
            for x in self.variables
            if refusing or self.hidden or not x.history.needs or not (x.history.leaf or x.name[0] in "hp")
        ]
        views = [x for x in found if x.name[0] != "v" and x.history.needs]
        return self.choose(found + found[-3:] + 4 * views) if found else None

    def value(self, x: Variable, shape: tuple[int, ...]) -> Variable | None:
        """What can be written to places of that shape in `x`, of other memory."""
        own = memory(x.array)
        return self.pick(lambda y: memory(y.array) is not own and fits(y.array.shape, shape))

    def write(self) -> str | None:
        x = self.target()
        if x is None:
            return None
        y = self.value(x, x.array.shape)
        if y and self.choose((True, True, False)):
            return self.written(x, self.choose(WRITES_OF_ANOTHER).format(x=x.name, y=y.name), y)
        return self.written(x, self.choose(WRITES if x.spread else WRITES + IDEMPOTENT).format(x=x.name))

    def set_item(self) -> str | None:
        x = self.target()
        if x is None:
            return None
        indices = dict(INDICES)
        if x.array.ndim and not x.spread:
            mask = [self.choose((True, False)) for _ in range(x.array.shape[0])]
            indices |= {text: at for text, at in LISTS.items() if len(at) <= len(mask)}
            indices |= {f"m.tensor({mask})": np.array(mask, bool)} if mask else {}
        index = self.choose(list(indices))
        try:
            shape = x.array[indices[index]].shape
        except IndexError:
            return None
        y = self.value(x, shape)
        symbol = self.choose(("=", "=", "+=", "*="))
        # x[i] += y writes to a view and then to x: PyTorch takes x for a leaf if it got its history by the first write.
        late = x.name[0] == "w" and not x.history.needs and y is not None and y.history.needs
        if symbol != "=" and (x.spread or late):
            return None
        return self.written(x, f"{x.name}[{index}] {symbol} {y.name if y else 0.5}", y)

    def write_slices(self) -> str | None:
        x = self.target()
        if x is None or x.spread or not x.array.ndim or not x.array.shape[0]:
            return None
        rows, rest = x.array.shape[0], x.array.shape[1:]
        own = memory(x.array)
        y = self.pick(lambda y: memory(y.array) is not own and y.array.ndim > 0 and y.array.shape[1:] == rest)
        if y is None:
            return None
        count = y.array.shape[0]
        at = [self.choose(range(rows)) for _ in range(count)]
        # PyTorch keeps the source, though the derivatives read no more than its shape: so it is a copy.
        text = f"{x.name}.index_add_(0, m.tensor({at}), {y.name}.clone())"
        if 0 < count <= rows and self.choose((True, False)):
            text = f"{x.name}.index_copy_(0, m.tensor({list(range(count))}), {y.name}.clone())"
        return self.written(x, text, y) if count else None

    def written(self, x: Variable, text: str, y: Variable | None = None) -> str:
        self.writes[id(memory(x.array))] += 1
        self.count_writes("writes", x)
        needs = x.history.needs or (y is not None and y.history.needs)
        refused = (x.history.needs and x.history.leaf) or x.name[0] in "hp" or x.spread
        if needs and not refused and not self.hidden:
            x.history.needs, x.history.leaf = True, False
            x.history.zeros |= (y is not None and y.zeros) or any(word in text for word in REPLACING)
            self.count_writes("recorded writes", x)
        return text

    def count_writes(self, name: str, x: Variable) -> None:
        self.features[name if x.name[0] == "v" else f"{name} through views"] += 1

    def backward(self) -> str | None:
        x = None if self.hidden else self.pick(lambda x: x.history.needs)
        if x is None:
            return None
        self.features["backward"] += 1
        return f"{x.name}.sin().sum().backward(retain_graph=True)"

    def derivative(self) -> str | None:
        """A derivative that can be differentiated again; y is added so that it requires grad whatever it came from.
        Zeros have a graph here that they do not have in PyTorch, with saved values of its own: they are left out."""
        x = None if self.hidden else self.pick(lambda x: x.history.needs and not x.zeros)
        y = self.pick(lambda y: y.history.needs and y.history.leaf and y.name[0] == "v")
        if x is None or y is None:
            return None
        self.features["recorded derivatives"] += 1
        return self.made(f"derivative({x.name}.sin().sum(), {y.name}) + {y.name}", y.array.shape, x, y)


# Each view as text and as NumPy's view of the array, or None where there is none.
Found = tuple[str, Array] | None


def indexed(author: Author, x: Variable) -> Found:
    text = author.choose(list(INDICES))
    index = INDICES[text] if isinstance(INDICES[text], tuple) else (INDICES[text],)
    with contextlib.suppress(IndexError):
        # With an ellipsis NumPy gives a view even of a single element.
        return f"[{text}]", x.array[index if ... in index else (*index, ...)]
    return None


def reshaped(author: Author, x: Variable) -> Found:
    size = x.array.size
    shape = author.choose([(size,), (1, size), (size, 1), *([(2, size // 2)] if size % 2 == 0 else [])])
    return (f".{author.choose(('view', 'reshape'))}{shape}", x.array.reshape(shape)) if x.dense else None


def unsqueezed(author: Author, x: Variable) -> Found:
    dim = author.choose(range(x.array.ndim + 1))
    return f".unsqueeze({dim})", np.expand_dims(x.array, dim)


def squeezed(author: Author, x: Variable) -> Found:
    dims = [dim for dim, size in enumerate(x.array.shape) if size == 1]
    return (f".squeeze({dims[0]})", x.array.squeeze(dims[0])) if dims else None


def permuted(author: Author, x: Variable) -> Found:
    dims = author.choose([tuple(range(x.array.ndim))[::-1], tuple(np.roll(range(x.array.ndim), 1).tolist())])
    return (f".permute{dims}", x.array.transpose(dims)) if x.array.ndim > 1 else None


def transposed(author: Author, x: Variable) -> Found:
    if x.array.ndim == 2 and author.choose((True, False)):
        return ".T", x.array.T
    return (".transpose(0, -1)", x.array.swapaxes(0, -1)) if x.array.ndim else None


def selected(author: Author, x: Variable) -> Found:
    dims = [dim for dim, size in enumerate(x.array.shape) if size]
    if not dims:
        return None
    dim = author.choose(dims)
    index = author.choose(range(x.array.shape[dim]))
    return f".select({dim}, {index})", x.array[(*(slice(None),) * dim, index, ...)]


def narrowed(author: Author, x: Variable) -> Found:
    if not x.array.ndim:
        return None
    dim = author.choose(range(x.array.ndim))
    start = author.choose(range(x.array.shape[dim] + 1))
    length = author.choose(range(x.array.shape[dim] - start + 1))
    return f".narrow({dim}, {start}, {length})", x.array[(*(slice(None),) * dim, slice(start, start + length))]


def diagonal(author: Author, x: Variable) -> Found:
    return (".diagonal()", x.array.diagonal()) if x.array.ndim > 1 else None


def expanded(author: Author, x: Variable) -> Found:
    shape = (2, *(2 if size == 1 else size for size in x.array.shape))
    return f".expand{shape}", np.broadcast_to(x.array, shape)


VIEWS: list[Callable[[Author, Variable], Found]] = [
    indexed, indexed, indexed, reshaped, reshaped, unsqueezed, squeezed, permuted, transposed, selected, narrowed,
    diagonal, expanded,
]  # fmt: skip
Kind = Callable[[Author], str | None]
MAKING: list[Kind] = [Author.operation, Author.operation, Author.operation, Author.rearranging, Author.leaf]
VIEWING: list[Kind] = [Author.view, Author.view, Author.view, Author.view, Author.pieces, Author.detach]
CHANGING: list[Kind] = [*(Author.write,) * 4, Author.set_item, Author.set_item, Author.write_slices]
KINDS: list[Kind] = [*MAKING, *VIEWING, *CHANGING, Author.backward]


def random_program(seed: int, kinds: Sequence[Kind] = KINDS) -> Author:
    """A program of up to 24 lines, after its author: the same for the same seed."""
    rng = np.random.default_rng(seed)
    author = Author(lambda options: options[rng.integers(len(options))])
    length = rng.integers(4, 25)
    author.line(Author.leaf)
    author.line(Author.operation)
    while len(author.lines) < length:
        author.line(author.choose(kinds))
    return author

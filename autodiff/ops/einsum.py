"""Contractions in Einstein's notation, brought to products of two tensors that BLAS computes.

`einsum` reads the equation once for each combination of shapes and keeps what is to be done: diagonals and sums of
single operands, then the pairs to contract, in the order that takes the fewest multiplications.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np

from autodiff.op import VARIADIC, OpError, describe, implements
from autodiff.ops.axes import permute
from autodiff.ops.diagonals import diagonal
from autodiff.ops.products import MODERATE, NUMBERS, matmul, multiply
from autodiff.ops.shape import positive_axis
from autodiff.recorders import multilinear
from autodiff.tensor import Array, Tensor, as_array, wrap

Shape = tuple[int, ...]
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


class _Layout(NamedTuple):
    """How a pair is multiplied: the axes and shapes that make both operands of `how`, and those of its result."""

    how: str
    axes_a: Shape
    shape_a: Shape
    axes_b: Shape
    shape_b: Shape
    shape: Shape
    axes: Shape


@lru_cache(maxsize=1024)
def _layout(a: str, b: str, result: str, lengths_a: Shape, lengths_b: Shape) -> _Layout:
    lengths = dict(zip(a + b, lengths_a + lengths_b, strict=True))
    batch = [c for c in a if c in b and c in result]
    summed = [c for c in a if c in b and c not in result]
    left = [c for c in a if c not in b]
    right = [c for c in b if c not in a]

    def axes(term: str, letters: Sequence[str]) -> Shape:
        return tuple(term.index(c) for c in letters)

    def shape(letters: Sequence[str]) -> Shape:
        return tuple(lengths[c] for c in letters)

    if not summed:
        # Nothing to add up: both in the order of the result, with axes of length 1 for what is missing.
        in_a, in_b = ([c for c in result if c in term] for term in (a, b))
        fill_a, fill_b = (tuple(lengths[c] if c in term else 1 for c in result) for term in (a, b))
        return _Layout("all pairs", axes(a, in_a), fill_a, axes(b, in_b), fill_b, shape(result), ())
    outcome = batch + left + right
    inner = prod(shape(summed))
    out_axes = tuple(outcome.index(c) for c in result)
    how = "matrices"
    rows: Shape = (prod(shape(left)), inner)
    columns: Shape = (inner, prod(shape(right)))
    if not left and not right:
        how, rows, columns = "vectors", (inner,), (inner,)
    elif not batch:
        rows, columns = rows[not left :], columns[: 1 + bool(right)]
    return _Layout(
        how,
        axes(a, batch + left + summed),
        shape(batch) + rows,
        axes(b, batch + summed + right),
        shape(batch) + columns,
        shape(outcome),
        () if out_axes == tuple(range(len(out_axes))) else out_axes,
    )


def _contract(a: Array, b: Array, terms: tuple[str, str], result: str) -> Any:
    how, axes_a, shape_a, axes_b, shape_b, shape, axes = _layout(*terms, result, a.shape, b.shape)
    a = a.transpose(axes_a)
    b = b.transpose(axes_b)
    if a.shape != shape_a:
        a = a.reshape(shape_a)
    if b.shape != shape_b:
        b = b.reshape(shape_b)
    if how == "all pairs":
        return a * b
    y = multiply(a, b) if how == "matrices" or a.ndim == 1 else _inner_products(a, b)
    if y.shape != shape:
        y = y.reshape(shape)
    return y.transpose(axes) if axes else y


def _inner_products(a: Array, b: Array) -> Any:
    if a.dtype.kind == "b":
        raise OpError(NUMBERS)
    if a.dtype == np.float16:
        return _inner_products(a.astype(np.float32), b.astype(np.float32)).astype(np.float16)
    if a.dtype.kind == "c" or (a.strides[-1] == a.itemsize and b.strides[-1] == b.itemsize):
        return np.vecdot(a.conj(), b)
    # Where the vectors lie across memory this is faster: 0.03 and not 0.15 ms for 64 of 1000 numbers.
    return np.einsum("...i,...i->...", a, b)


def _einsum_rule(
    g: Any, y: Any, inputs: Sequence[Any], needs: Sequence[bool], terms: tuple[str, str], result: str
) -> list[Any]:
    (a, b), (left, right) = inputs, terms
    return [
        contract.rule(g, b, terms=(result, right), result=left) if needs[0] else None,
        contract.rule(a, g, terms=(left, result), result=right) if needs[1] else None,
    ]


# In what reaches this op, every letter of a term stands once in it, and in the result or the other term too: then the
# derivative is a contraction of the same form. `einsum` brings all else to that.
contract = multilinear(
    "einsum",
    _contract,
    joint=_einsum_rule,
    saves="inputs",
    arity=VARIADIC,
    domain=MODERATE,
    doc="The contraction of two tensors in Einstein's notation.",
)


class _Alone(NamedTuple):
    """What is done to one operand: its shape without axes that broadcast, pairs of axes to merge, axes to add up."""

    short: Shape | None
    merged: tuple[tuple[int, int], ...]
    summed: Shape


class _Program(NamedTuple):
    """What an equation means for operands of certain shapes."""

    # What is done to each operand first; None for nothing.
    single: tuple[_Alone | None, ...]
    # The positions of two operands, their terms, and the term of what takes their place at the end of the list.
    pairs: tuple[tuple[int, int, tuple[str, str], str], ...]
    # The order of the axes of an only operand; None for the one that it has.
    axes: Shape | None


def _read(equation: str, shapes: Sequence[Shape]) -> tuple[list[str], str]:
    """The terms with letters for ``...``, and the result, which by default is what occurs once, in alphabetic order."""
    left, arrow, result = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(shapes):
        raise OpError(f"einsum: {equation!r} names {len(terms)} operands, got {len(shapes)}")
    plain = [term.replace("...", "", 1) for term in terms]
    strange = set("".join(plain) + result.replace("...", "", 1)) - set(LETTERS)
    if strange:
        raise OpError(f"einsum: expected letters, commas, '...' and one '->' in {equation!r}, got {strange.pop()!r}")
    for term, bare, shape in zip(terms, plain, shapes, strict=True):
        if len(bare) > len(shape) or (bare == term and len(bare) < len(shape)):
            raise OpError(f"einsum: {equation!r} gives an operand {len(bare)} axes ({term}), got shape {shape}")
    extra = [len(shape) - len(bare) for bare, shape in zip(plain, shapes, strict=True)]
    joined = "".join(plain)
    free = [c for c in reversed(LETTERS) if c not in joined + result]
    names = "".join(free[: max(extra, default=0)])
    if not arrow:
        result = "..." + "".join(sorted(c for c in set(joined) if joined.count(c) == 1))
    terms = [term.replace("...", names[len(names) - n :]) for term, n in zip(terms, extra, strict=True)]
    result = result.replace("...", names)
    for c in result:
        if c not in "".join(terms) or result.count(c) > 1:
            raise OpError(f"einsum: expected letters of the operands, each once, after the arrow of {equation!r}: {c}")
    return terms, result


def _lengths(equation: str, terms: Sequence[str], shapes: Sequence[Shape]) -> dict[str, int]:
    lengths: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        own: dict[str, int] = {}
        for c, n in zip(term, shape, strict=True):
            have = lengths.get(c, 1)
            if own.setdefault(c, n) != n or 1 != have != n != 1:
                raise OpError(f"einsum: {equation!r} has lengths {max(have, own[c])} and {n} for the letter {c}")
            lengths[c] = n if have == 1 else have
    return lengths


def _merged(term: str) -> tuple[str, tuple[tuple[int, int], ...]]:
    """The term with each letter once, and the diagonals that bring it there; the axis of a diagonal is the last."""
    merged = []
    while len(set(term)) < len(term):
        c = next(c for c in term if term.count(c) > 1)
        i = term.index(c)
        j = term.index(c, i + 1)
        term = term[:i] + term[i + 1 : j] + term[j + 1 :] + c
        merged.append((i, j))
    return term, tuple(merged)


@lru_cache(maxsize=1024)
def _program(equation: str, shapes: tuple[Shape, ...]) -> _Program:
    terms, result = _read(equation, shapes)
    lengths = _lengths(equation, terms, shapes)
    # A length of 1 that broadcasts multiplies all entries of the others: the axis may go.
    terms = [
        "".join(c for c, n in zip(term, shape, strict=True) if n == lengths[c])
        for term, shape in zip(terms, shapes, strict=True)
    ]
    single: list[_Alone | None] = []
    for i, shape in enumerate(shapes):
        short = None if len(terms[i]) == len(shape) else tuple(lengths[c] for c in terms[i])
        term, merged = _merged(terms[i])
        elsewhere = result + "".join(terms[:i] + terms[i + 1 :])
        alone = tuple(k for k, c in enumerate(term) if c not in elsewhere)
        single.append(_Alone(short, merged, alone) if short is not None or merged or alone else None)
        terms[i] = "".join(c for c in term if c in elsewhere)
    pairs = _pairs(terms, result, lengths)
    axes = None
    if not pairs and (terms[0] != result or single[0] is None):
        axes = tuple(terms[0].index(c) for c in result)
    return _Program(tuple(single), pairs, axes)


def _pairs(terms: list[str], result: str, lengths: dict[str, int]) -> tuple[tuple[int, int, tuple[str, str], str], ...]:
    """The contractions of two, in NumPy's order, optimal for up to five operands."""
    path: list[tuple[int, ...]] = [(0, 1)] * (len(terms) - 1)
    if len(terms) > 2:
        shaped = [np.broadcast_to(0.0, [lengths[c] for c in term]) for term in terms]
        search = ("optimal" if len(terms) <= 5 else "greedy", 2**62)
        found = np.einsum_path(f"{','.join(terms)}->{result}", *shaped, optimize=search)[0][1:]
        # NumPy names more than two at once where no order is better than another.
        path = found if all(len(pair) == 2 for pair in found) else path
    pairs = []
    rest = list(terms)
    for i, j in map(sorted, path):
        b, a = rest.pop(j), rest.pop(i)
        needed = result + "".join(rest)
        outcome = "".join(c for c in dict.fromkeys(a + b) if c in needed) if rest else result
        pairs.append((i, j, (a, b), outcome))
        rest.append(outcome)
    return tuple(pairs)


def _done_alone(x: Tensor, short: Shape | None, merged: tuple[tuple[int, int], ...], summed: Shape) -> Tensor:
    if short is not None:
        x = x.reshape(short)
    for i, j in merged:
        x = diagonal(x, 0, i, j)
    return x.sum(summed) if summed else x


def _from_sublists(operands: Sequence[Any]) -> tuple[str, tuple[Any, ...]]:
    """The equation and tensors of PyTorch's other form, ``einsum(a, [0, 1], b, [1, 2], [0, 2])``."""

    def letters(axes: Sequence[Any]) -> str:
        if any(k is not Ellipsis and not 0 <= k < len(LETTERS) for k in axes):
            raise OpError(f"einsum: expected axes named by 0 to {len(LETTERS) - 1} or ..., got {list(axes)}")
        return "".join("..." if k is Ellipsis else LETTERS[k] for k in axes)

    count = len(operands) // 2
    result = "->" + letters(operands[-1]) if len(operands) % 2 else ""
    return ",".join(letters(axes) for axes in operands[1 : 2 * count : 2]) + result, tuple(operands[: 2 * count : 2])


def einsum(equation: Any, *operands: Any) -> Tensor:
    """The contraction of `operands` that `equation` describes, such as ``"bij,bjk->bik"``.

    Repeated letters in a term take the diagonal; ``...`` stands for leading axes that broadcast, and so do axes of
    length 1. Also ``einsum(a, [0, 1], b, [1, 2], [0, 2])``. OpError if the equation does not fit the shapes.

    >>> import autodiff as ad
    >>> ad.einsum("ij,ij->i", ad.tensor([[1.0, 2.0], [3.0, 4.0]]), ad.ones(2, 2))
    tensor([3., 7.])
    """
    if not isinstance(equation, str):
        equation, operands = _from_sublists((equation, *operands))
    tensors = operands[0] if len(operands) == 1 and isinstance(operands[0], list | tuple) else operands
    try:
        shapes = tuple([x.array.shape for x in tensors])
    except AttributeError:
        raise TypeError(f"einsum: expected Tensors, got {', '.join(map(describe, tensors))}") from None
    single, pairs, axes = _program(equation, shapes)
    dtype = tensors[0].array.dtype
    for x in tensors:
        if x.array.dtype is not dtype:
            raise OpError(f"einsum: expected operands of one dtype, got {', '.join(map(describe, tensors))}")
    rest = [x if how is None else _done_alone(x, *how) for x, how in zip(tensors, single, strict=True)]
    for i, j, terms, result in pairs:
        b = rest.pop(j)
        rest.append(contract(rest.pop(i), b, terms=terms, result=result))
    return rest[0] if axes is None else permute(rest[0], axes)


@lru_cache(maxsize=1024)
def _tensordot_equation(ndim_a: int, ndim_b: int, dims: int | tuple[Shape, Shape]) -> str:
    if isinstance(dims, int):
        if not 0 <= dims <= min(ndim_a, ndim_b):
            raise OpError(f"tensordot: expected from 0 to {min(ndim_a, ndim_b)} dims, got {dims}")
        dims = tuple(range(ndim_a - dims, ndim_a)), tuple(range(dims))
    dims_a, dims_b = dims
    a, b = LETTERS[:ndim_a], list(LETTERS[ndim_a : ndim_a + ndim_b])
    own = [positive_axis(d, ndim_a) for d in dims_a]
    other = [positive_axis(d, ndim_b) for d in dims_b]
    if len(own) != len(other) or len(set(own)) != len(own) or len(set(other)) != len(other):
        raise OpError(f"tensordot: expected as many dims of each, none of them twice, got {dims_a} and {dims_b}")
    free = "".join(c for i, c in enumerate(a) if i not in own) + "".join(c for i, c in enumerate(b) if i not in other)
    for i, j in zip(own, other, strict=True):
        b[j] = a[i]
    return f"{a},{''.join(b)}->{free}"


def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """The sum of the products over `dims` of `a` and of `b`, two lists, or the last of `a` and the first of `b`.

    OpError for dims that are not there, or whose lengths differ.

    >>> import autodiff as ad
    >>> ad.tensordot(ad.ones(2, 3, 4), ad.ones(4, 3), dims=([1, 2], [1, 0]))
    tensor([12., 12.])
    """
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if not isinstance(dims, int):
        own, other = dims
        dims = (own,) if isinstance(own, int) else tuple(own), (other,) if isinstance(other, int) else tuple(other)
    return einsum(_tensordot_equation(a.ndim, b.ndim, dims), a, b)


def inner(input: Tensor, other: Tensor) -> Tensor:
    """The sums of the products along the last axes of both: of vectors, their inner product.

    >>> import autodiff as ad
    >>> ad.inner(ad.tensor([[1.0, 2.0], [3.0, 4.0]]), ad.tensor([1.0, 1.0]))
    tensor([3., 7.])
    """
    if input.ndim == 1 == other.ndim:
        return matmul(input, other)
    if input.shape[-1:] != other.shape[-1:] and input.ndim and other.ndim:
        raise OpError(f"inner: expected last axes of one length, got {describe(input)} and {describe(other)}")
    return tensordot(input, other, ((-1,), (-1,))) if input.ndim and other.ndim else input * other


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """The inner products of the vectors along `dim`; the shapes broadcast.

    >>> import autodiff as ad
    >>> ad.linalg.vecdot(ad.tensor([[1.0, 2.0], [3.0, 4.0]]), ad.tensor([1.0, 1.0]))
    tensor([3., 7.])
    """
    if x.dtype is not y.dtype or x.dtype.kind != "f":
        came = f"{describe(x)} and {describe(y)}"
        raise OpError(f"vecdot: expected tensors of one floating-point dtype, got {came}; convert with x.to(dtype)")
    if x.ndim == 1 == y.ndim:
        return matmul(x, y)
    last = dim == -1 or (x.ndim == y.ndim and positive_axis(dim, x.ndim) == x.ndim - 1)
    return einsum("...i,...i->...", x, y) if last and x.ndim and y.ndim else (x * y).sum(dim)


def _tensors(*operands: Any) -> list[Tensor]:
    return [x if isinstance(x, Tensor) else wrap(as_array(x)) for x in operands]


@implements(np.einsum)
def _np_einsum(equation: str, *operands: Any, optimize: Any = None) -> Tensor:
    return einsum(equation, *_tensors(*operands))


@implements(np.dot)
def _np_dot(a: Any, b: Any) -> Tensor:
    x, y = _tensors(a, b)
    if not x.ndim or not y.ndim:
        return x * y
    return matmul(x, y) if y.ndim <= 2 else tensordot(x, y, ((-1,), (-2,)))


@implements(np.tensordot)
def _np_tensordot(a: Any, b: Any, axes: Any = 2) -> Tensor:
    x, y = _tensors(a, b)
    return tensordot(x, y, axes)


@implements(np.inner)
def _np_inner(a: Any, b: Any) -> Tensor:
    x, y = _tensors(a, b)
    return inner(x, y)

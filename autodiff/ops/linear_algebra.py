"""Products of matrices and contractions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from autodiff.domain import Interval
from autodiff.op import VARIADIC, OpError, describe, implements
from autodiff.ops.indexing import getitem
from autodiff.recorders import multilinear
from autodiff.tensor import Tensor, wrap

MODERATE = Interval(-3, 3)


def _matmul_left(g: Any, y: Any, a: Any, b: Any) -> Any:
    if b.ndim == 1:
        return g[..., None] * b
    if a.ndim == 1:
        return np.matmul(b, g[..., None])[..., 0]
    return np.matmul(g, np.swapaxes(b, -1, -2))


def _matmul_right(g: Any, y: Any, a: Any, b: Any) -> Any:
    if a.ndim == 1:
        return a * g if b.ndim == 1 else a[:, None] * g[..., None, :]
    if b.ndim == 1:
        return np.matmul(np.swapaxes(a, -1, -2), g[..., None])[..., 0]
    if b.ndim == 2 < a.ndim:
        # One product over all rows; the general form would make one a batch entry and add them up afterwards.
        rows = math.prod(a.shape[:-1])
        a, g = np.reshape(a, (rows, a.shape[-1])), np.reshape(g, (rows, g.shape[-1]))
    return np.matmul(np.swapaxes(a, -1, -2), g)


matmul = multilinear(
    "matmul",
    np.matmul,
    vjp=(_matmul_left, _matmul_right),
    saves=("b", "a"),
    domain=MODERATE,
    result="strict",
    doc="The matrix product a @ b: vectors as in NumPy, leading axes broadcast.",
    example="ad.matmul(ad.tensor([[1.0, 2.0]]), ad.tensor([[3.0], [4.0]])) -> tensor([[11.]])",
)


def _dimensions(name: str, a: Tensor, b: Tensor, left: int, right: int) -> Tensor:
    if a.ndim != left or b.ndim != right:
        raise OpError(
            f"{name}: expected a {left}-d and a {right}-d tensor, got {describe(a)} and {describe(b)}; "
            f"matmul() takes any dimensions"
        )
    return matmul(a, b)


def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of two matrices.

    >>> import autodiff as ad
    >>> ad.mm(ad.eye(2), ad.ones(2, 1))
    tensor([[1.],
            [1.]])
    """
    return _dimensions("mm", input, mat2, 2, 2)


def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """The products of two batches (n, i, j) and (n, j, k) of matrices."""
    if input.shape[:1] != mat2.shape[:1]:
        raise OpError(f"bmm: expected batches of equal length, got {describe(input)} and {describe(mat2)}")
    return _dimensions("bmm", input, mat2, 3, 3)


def mv(input: Tensor, vec: Tensor) -> Tensor:
    """The product of a matrix and a vector."""
    return _dimensions("mv", input, vec, 2, 1)


def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """The inner product of two vectors.

    >>> import autodiff as ad
    >>> ad.dot(ad.tensor([1.0, 2.0]), ad.tensor([3.0, 4.0]))
    tensor(11.)
    """
    return _dimensions("dot", input, tensor, 1, 1)


def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """The products of all pairs from two vectors, (n, m).

    >>> import autodiff as ad
    >>> ad.outer(ad.tensor([1, 2]), ad.tensor([3, 4]))
    tensor([[3, 4],
            [6, 8]])
    """
    if input.ndim != 1 or vec2.ndim != 1:
        raise OpError(f"outer: expected two vectors, got {describe(input)} and {describe(vec2)}")
    return input.unsqueeze(1) * vec2.unsqueeze(0)


def _einsum_rule(
    g: Any, y: Any, inputs: Sequence[Any], needs: Sequence[bool], terms: tuple[str, ...], result: str
) -> list[Any]:
    return [
        np.einsum(
            f"{','.join((result, *terms[:i], *terms[i + 1 :]))}->{term}",
            g,
            *inputs[:i],
            *inputs[i + 1 :],
            optimize=True,
        )
        if need
        else None
        for i, (term, need) in enumerate(zip(terms, needs, strict=True))
    ]


# In what reaches this op, every letter of a term stands once in it, and in the result or another term too: then the
# derivative is an einsum of the same form. `einsum` brings all else to that.
_einsum = multilinear(
    "einsum",
    lambda *inputs, terms, result: np.einsum(f"{','.join(terms)}->{result}", *inputs, optimize=True),
    joint=_einsum_rule,
    saves="inputs",
    arity=VARIADIC,
    domain=MODERATE,
    doc="A contraction in Einstein's notation.",
)


def _named_ellipsis(terms: list[str], result: str | None, tensors: Sequence[Tensor]) -> tuple[list[str], str]:
    """The terms with letters for ``...``, and the result, which by default is what occurs once, in alphabetic order."""
    used = set("".join(terms))
    free = [c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" if c not in used]
    extra = [x.ndim - len(t.replace("...", "")) if "..." in t else 0 for t, x in zip(terms, tensors, strict=True)]
    names = "".join(free[: max(extra, default=0)])
    if result is None:
        joined = "".join(terms).replace(".", "")
        result = ("..." if any(extra) else "") + "".join(sorted(c for c in set(joined) if joined.count(c) == 1))
    named = [t.replace("...", names[len(names) - n :]) for t, n in zip(terms, extra, strict=True)]
    return named, result.replace("...", names)


def _canonical(term: str, x: Tensor, elsewhere: str) -> tuple[str, Tensor]:
    """`x` with the diagonal taken of repeated letters, and summed over letters that stand nowhere else."""
    letters = "".join(dict.fromkeys(term))
    if len(letters) < len(term):
        lengths = {c: x.shape[term.index(c)] for c in letters}
        grids = dict(zip(letters, np.ix_(*(np.arange(lengths[c]) for c in letters)), strict=True))
        x = getitem(x, tuple(wrap(grids[c]) for c in term))
    alone = tuple(i for i, c in enumerate(letters) if c not in elsewhere)
    return "".join(c for c in letters if c in elsewhere), x.sum(alone) if alone else x


def einsum(equation: str, *operands: Any) -> Tensor:
    """The contraction of `operands` that `equation` describes, such as ``"bij,bjk->bik"``.

    Repeated letters in a term take the diagonal; ``...`` stands for leading axes that broadcast. OpError if the
    equation does not fit the shapes.

    >>> import autodiff as ad
    >>> ad.einsum("ij,ij->i", ad.tensor([[1.0, 2.0], [3.0, 4.0]]), ad.ones(2, 2))
    tensor([3., 7.])
    """
    tensors = operands[0] if len(operands) == 1 and isinstance(operands[0], list | tuple) else operands
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(tensors):
        raise OpError(f"einsum: {equation!r} names {len(terms)} operands, got {len(tensors)}")
    terms, result = _named_ellipsis(terms, right if arrow else None, tensors)
    for term, x in zip(terms, tensors, strict=True):
        if len(term) != x.ndim:
            raise OpError(f"einsum: {equation!r} gives an operand {len(term)} axes ({term}), got shape {x.shape}")
    if len({x.dtype for x in tensors}) > 1:
        raise OpError(f"einsum: expected operands of one dtype, got {', '.join(describe(x) for x in tensors)}")
    lengths: dict[str, int] = {}
    for term, x in zip(terms, tensors, strict=True):
        for letter, n in zip(term, x.shape, strict=True):
            if n != 1 and lengths.setdefault(letter, n) != n:
                raise OpError(f"einsum: {equation!r} has lengths {lengths[letter]} and {n} for the letter {letter}")
    plain: list[Tensor] = []
    for i, x in enumerate(tensors):
        # Length 1 broadcasts, and the derivative needs the true length.
        full = tuple(lengths.get(letter, 1) for letter in terms[i])
        terms[i], x = _canonical(terms[i], x.broadcast_to(full), result + "".join(terms[:i] + terms[i + 1 :]))
        plain.append(x)
    return _einsum(*plain, terms=tuple(terms), result=result)


@implements(np.einsum)
def _np_einsum(equation: str, *operands: Any, optimize: Any = None) -> Tensor:
    return einsum(equation, *(x if isinstance(x, Tensor) else wrap(np.asarray(x)) for x in operands))


implements(np.dot)(matmul)
implements(np.outer)(outer)

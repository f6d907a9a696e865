"""Examples that are in more than one part of the data, where they make a model look better than it is."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodiff.tensor import Tensor

DIRECTIONS = 24
SAMPLE = 1000
ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class Overlap:
    """Pairs of rows of two parts that are equal, and pairs that are near each other but not equal; prints as a text."""

    names: tuple[str, str]
    lengths: tuple[int, int]
    equal: tuple[tuple[int, int], ...]
    near: tuple[tuple[int, int], ...]

    def __bool__(self) -> bool:
        return bool(self.equal or self.near)

    def __str__(self) -> str:
        first, second = self.names
        if not self:
            return f"{first} and {second} share no rows"
        lines = [_count(self.equal, "in", self)] if self.equal else []
        lines += [_count(self.near, "nearly in", self)] if self.near else []
        return "\n".join(lines)


def find_overlap(
    first: Any, second: Any, *, tolerance: float = 0.0, names: tuple[str, str] = ("train", "dev")
) -> Overlap:
    """Find the rows of one part that are in another, exactly, or up to a difference of `tolerance`.

    Parts are tensors or arrays of n rows of any shape, of the same shape in both, or tuples of inputs and labels, whose
    inputs are compared. The difference of two rows is the root mean square of the differences of their numbers: for
    images from 0 to 1, 0.02 finds copies with a little noise. Equal rows are found by their hashes; near ones by 24
    weighted sums of the numbers first, and by all numbers where those are near, which misses none. ValueError for rows
    of different shapes, and for nan or infinity where a tolerance is given.

    >>> import autodiff as ad
    >>> from autodiff.data import find_overlap
    >>> train = ad.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    >>> overlap = find_overlap(train, ad.tensor([[2.0, 3.0], [4.0, 5.01], [7.0, 7.0]]), tolerance=0.1)
    >>> overlap.equal, overlap.near
    (((1, 0),), ((2, 1),))
    >>> print(overlap)
    1 of 3 rows of dev are in train: dev 0 is train 1
    1 of 3 rows of dev are nearly in train: dev 1 is train 2
    """
    if not tolerance >= 0:
        raise ValueError(f"find_overlap: expected a tolerance of at least 0, got {tolerance}")
    a, b = _rows(first), _rows(second)
    if a.shape[1:] != b.shape[1:]:
        raise ValueError(f"find_overlap: expected rows of one shape, got {a.shape[1:]} and {b.shape[1:]}")
    a, b = (rows.reshape(len(rows), math.prod(rows.shape[1:])) for rows in (a, b))
    equal = _equal(a, b)
    near = _near(a, b, tolerance) if tolerance and a.size and b.size else []
    return Overlap(names, (len(a), len(b)), tuple(equal), tuple(sorted(set(near) - set(equal))))


def refuse_overlap(*, tolerance: float = 0.0, **parts: Any) -> None:
    """Raise ValueError if any two parts, given by name, share rows; the text says which. The rest is as `find_overlap`.

    >>> import autodiff as ad
    >>> from autodiff.data import refuse_overlap
    >>> refuse_overlap(train=ad.tensor([[1.0], [2.0]]), dev=ad.tensor([[2.0]]), test=ad.tensor([[3.0]]))
    Traceback (most recent call last):
        ...
    ValueError: 1 of 1 rows of dev are in train: dev 0 is train 1
    What a model is measured on it must not have seen: drop the copies, then split
    """
    names = list(parts)
    found = [
        find_overlap(parts[one], parts[other], tolerance=tolerance, names=(one, other))
        for place, one in enumerate(names)
        for other in names[place + 1 :]
    ]
    if any(found):
        texts = "\n".join(str(overlap) for overlap in found if overlap)
        raise ValueError(f"{texts}\nWhat a model is measured on it must not have seen: drop the copies, then split")


def _count(pairs: tuple[tuple[int, int], ...], where: str, overlap: Overlap) -> str:
    first, second = overlap.names
    examples = ", ".join(f"{second} {j} is {first} {i}" for i, j in pairs[:3]) + (", ..." if len(pairs) > 3 else "")
    rows = len({j for _, j in pairs})
    return f"{rows} of {overlap.lengths[1]} rows of {second} are {where} {first}: {examples}"


def _rows(part: Any) -> NDArray[Any]:
    part = part[0] if isinstance(part, tuple) else part
    return part.detach().numpy() if isinstance(part, Tensor) else np.asarray(part)


def _equal(a: NDArray[Any], b: NDArray[Any]) -> list[tuple[int, int]]:
    if a.dtype != b.dtype:
        kind = np.promote_types(a.dtype, b.dtype)
        a, b = a.astype(kind), b.astype(kind)
    places = defaultdict(list)
    # Adding 0 makes 0 of -0, which are equal but not the same bytes.
    for i, row in enumerate(a + 0 if a.dtype.kind == "f" else a):
        places[row.tobytes()].append(i)
    other = b + 0 if b.dtype.kind == "f" else b
    return sorted((i, j) for j, row in enumerate(other) for i in places.get(row.tobytes(), ()))


def _near(a: NDArray[Any], b: NDArray[Any], tolerance: float) -> list[tuple[int, int]]:
    """Pairs of rows with a root mean square difference of at most `tolerance`."""
    a, b = a.astype(np.float32), b.astype(np.float32)
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("find_overlap: expected finite numbers to compare with a tolerance, got nan or infinity")
    limit = tolerance * np.sqrt(a.shape[1])
    # Two rows are never further apart along directions at right angles to each other than they are. Along those in
    # which rows differ most, few pairs that are not near look near.
    sample = a[:: -(-len(a) // SAMPLE)]
    directions = np.linalg.svd(sample - sample.mean(0), full_matrices=False)[2][:DIRECTIONS].T
    low, high = a @ directions, b @ directions
    squares = (low**2).sum(1)
    # Rounding may make the distance a little larger.
    slack = 1e-5 * (np.abs(low).max() + np.abs(high).max()) ** 2
    pairs: list[tuple[int, int]] = []
    for start in range(0, len(b), ROWS_AT_ONCE):
        block = high[start : start + ROWS_AT_ONCE]
        distances = squares - 2 * (block @ low.T) + (block**2).sum(1)[:, None]
        for row in np.flatnonzero((distances <= limit**2 + slack).any(1)).tolist():
            candidates = np.flatnonzero(distances[row] <= limit**2 + slack)
            differences = np.linalg.norm(a[candidates] - b[start + row], axis=1)
            pairs += [(i, start + row) for i in candidates[differences <= limit].tolist()]
    return pairs

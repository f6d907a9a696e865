"""Choosing one entry along an axis, by an index that the values alone decide."""

from __future__ import annotations

from autodiff.ops.places import FEW, gather, numbered
from autodiff.ops.reduction import ValuesIndices
from autodiff.ops.selection import take_places
from autodiff.ops.shape import positive_axis
from autodiff.tensor import Array, Tensor, wrap


def at_different(x: Tensor, index: Array, axis: int) -> Tensor:
    """The entries at an index along `axis` that names no entry twice: in half of the time of `gather` for a few."""
    if x.array.ndim > 1 and index.size > FEW:
        return gather(x, wrap(index), axis=axis)
    return take_places(x, places=numbered(index, x.array.shape, axis))


def choose(input: Tensor, index: Array, values: Array | None, axis: int, keepdim: bool) -> ValuesIndices:
    """The entries of `input` at `index`, and that index; in both, and in `values`, which they are, `axis` is 1 long.

    Without `values`, or where a gradient is to flow, they are read by the index.
    """
    if not input.ndim:
        return ValuesIndices(input.clone(), wrap(index))
    at = index if keepdim else index.squeeze(axis)
    if values is not None and input.node is None:
        return ValuesIndices(wrap(values.reshape(at.shape)), wrap(at))
    return ValuesIndices(take_places(input, places=numbered(index, input.shape, axis).reshape(at.shape)), wrap(at))


def axis_with_entries(name: str, x: Tensor, dim: int) -> int:
    """`dim` counted from the front; IndexError if there is nothing along it to choose from."""
    axis = positive_axis(dim, x.ndim)
    if x.ndim and not x.shape[axis]:
        raise IndexError(f"{name}: expected at least one entry along dim {dim} to choose from, got shape {x.shape}")
    return axis


def no_keepdim(name: str, keepdim: bool) -> None:
    """TypeError if `keepdim` is asked for without `dim`, in functions that PyTorch has in no such form."""
    if keepdim:
        raise TypeError(f"{name}: expected keepdim only together with dim, the axis to keep")

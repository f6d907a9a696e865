"""Choosing one entry along an axis, by an index that the values alone decide."""

from __future__ import annotations

from autodiff.ops.places import gather
from autodiff.ops.reduction import ValuesIndices
from autodiff.ops.shape import positive_axis
from autodiff.tensor import Array, Tensor, wrap


def choose(input: Tensor, index: Array, values: Array | None, axis: int, keepdim: bool) -> ValuesIndices:
    """The entries of `input` at `index`, and that index; in both, and in `values`, which they are, `axis` is 1 long.

    Without `values`, or where a gradient is to flow, they are read by the index.
    """
    if values is not None and input.node is None:
        chosen = wrap(values)
    elif not input.ndim:
        chosen = input.clone()
    else:
        chosen = gather(input, wrap(index), axis=axis)
    if keepdim or not input.ndim:
        return ValuesIndices(chosen, wrap(index))
    index = index.squeeze(axis)
    return ValuesIndices(chosen.reshape(index.shape), wrap(index))


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

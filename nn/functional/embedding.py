"""Rows of a matrix chosen by index: embeddings, and bags of them."""

from typing import Any

import numpy as np

import autodiff as ad
from autodiff import writes
from autodiff.op import OpError, Recorder, describe
from autodiff.ops import places
from autodiff.recorders import operation
from autodiff.tensor import Array, Tensor, wrap

MODES = ("sum", "mean", "max")


def _select_kernel(x: Array, index: Array, padding: int | None, fixed: Any) -> Array:
    out: Array = x.take(index, 0)
    if padding is not None:
        out[index == padding] = 0 if fixed is None else fixed
    return out


def _collect_kernel(x: Array, index: Array, padding: int | None, rows: int) -> Array:
    out = np.zeros((rows, x.shape[-1]), x.dtype)
    places.add_slices(out, index.reshape(-1), np.ascontiguousarray(x).reshape(-1, x.shape[-1]), 0)
    if padding is not None:
        out[padding] = 0
    return out


def _collect_samples(x: Array, index: Array, padding: int | None, rows: int) -> Array:
    """Each sample adds to rows of its own, which lie one after the other."""
    shape = max(x.shape[:-1], index.shape, key=len)
    samples = shape[0]
    own = index + np.arange(samples).reshape(-1, *(1,) * (len(shape) - 1)) * rows
    out = _collect_kernel(np.broadcast_to(x, (*shape, x.shape[-1])), own, None, samples * rows)
    out = out.reshape(samples, rows, x.shape[-1])
    if padding is not None:
        out[:, padding] = 0
    return out


# One op for the rows and for the padding: a mask over all rows behind the choice would take three times as long.
_select: Recorder = operation(
    "embedding",
    _select_kernel,
    vjp=lambda g, y, x, index, padding, fixed: _collect.rule(g, index=index, padding=padding, rows=x.shape[0]),
    doc="The rows at an index, of which the one for padding is a constant: `fixed`, or 0.",
)
_collect: Recorder = operation(
    "embedding_dense",
    _collect_kernel,
    vjp=lambda g, y, x, index, padding, rows: _select.rule(g, index=index, padding=padding, fixed=None),
    batched=_collect_samples,
    doc="The sums, for each row, of what stands where the index names it; 0 for that of padding.",
)


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """The rows (*, D) of `weight` (V, D) at the indices of `input` (*).

    The row `padding_idx` gets no gradient. With `max_norm` the rows that are used are first shortened to that norm, of
    order `norm_type`, in place. With `scale_grad_by_freq` a row's gradient is divided by how often it is used. OpError
    for an index that is no integer or outside 0 to V - 1, and for `sparse`.

    >>> import autodiff as ad
    >>> embedding(ad.tensor([1, 0]), ad.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[3., 4.],
            [1., 2.]])
    """
    index = _index("embedding", input, weight, sparse)
    padding = padding_row(padding_idx, len(weight))
    if max_norm is not None:
        _shorten(weight, index, max_norm, norm_type)
    return _rows(weight, index, padding, scale_grad_by_freq)


def padding_row(padding_idx: int | None, rows: int) -> int | None:
    """The index counted from the front; ValueError unless it names one of the rows."""
    if padding_idx is None:
        return None
    if not -rows <= padding_idx < rows:
        raise ValueError(f"expected a padding_idx from {-rows} to {rows - 1} for {rows} embeddings, got {padding_idx}")
    return padding_idx % rows


def refuse_sparse(sparse: bool) -> None:
    """OpError for sparse gradients."""
    if sparse:
        raise OpError(
            "expected sparse=False, got True: gradients are dense here; one of a large table is mostly zeros, which "
            "costs memory and changes no result"
        )


def _index(name: str, input: Any, weight: Any, sparse: bool) -> Array:
    """The array of indices, of which a graph may keep the memory."""
    refuse_sparse(sparse)
    for given in (input, weight):
        if not isinstance(given, Tensor):
            raise TypeError(f"{name} expected tensors, got {describe(given)}; make one with ad.tensor(...)")
    index, rows = input.array, len(weight) if weight.ndim == 2 else -1
    if rows < 0:
        raise OpError(f"{name} expected a weight of shape (rows, features), got {describe(weight)}")
    if index.dtype.kind not in "iu":
        raise OpError(f"{name} expected integer indices, got {describe(input)}; convert them with input.long()")
    if index.size and not 0 <= index.min() <= index.max() < rows:
        raise IndexError(
            f"{name} expected indices from 0 to {rows - 1} for the {rows} rows of its weight, "
            f"got {index.min()} to {index.max()}"
        )
    kept: Array = index.astype(np.int64)
    return kept


def _shorten(weight: Tensor, index: Array, max_norm: float, norm_type: float) -> None:
    """Scale the rows used, in place, so that none is longer than `max_norm`."""
    used = np.unique(index)
    rows = weight.array[used]
    with np.errstate(divide="ignore"):
        lengths = np.linalg.norm(rows, norm_type, axis=1)
    long = lengths > max_norm
    if long.any():
        scale = (max_norm / (lengths[long] + 1e-7)).astype(rows.dtype)
        weight.array[used[long]] = rows[long] * scale[:, None]
        writes.record_write(weight.array)


def _rows(weight: Tensor, index: Array, padding: int | None, scaled: bool) -> Tensor:
    fixed = None if padding is None else weight.array[padding].copy()
    rows = _select(weight, index=index, padding=padding, fixed=fixed)
    if scaled and index.size and weight.node is not None:
        share = (1 / np.bincount(index.reshape(-1)).take(index[..., None])).astype(weight.dtype)
        # What is scaled is 0, and only its gradient is left.
        rows = rows.detach() + (rows - rows.detach()) * wrap(share)
    return rows


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """The sum, mean or maximum (B, D) of the rows of `weight` (V, D) in each of B bags.

    `input` (B, L) has a bag in each row; `input` (N) has all bags one after the other, `offsets` (B) saying where each
    starts, and with `include_last_offset`, (B + 1), where the last ends. Indices equal to `padding_idx` belong to no
    bag, and an empty bag gives 0. `per_sample_weights`, in the shape of the input, multiply the rows of a sum. OpError
    for other shapes and dtypes; the other arguments as in `embedding`.

    >>> import autodiff as ad
    >>> embedding_bag(ad.tensor([0, 1, 1]), ad.eye(2), ad.tensor([0, 1]), mode="sum")
    tensor([[1., 0.],
            [0., 2.]])
    """
    index = _index("embedding_bag", input, weight, sparse)
    if mode not in MODES or (mode == "max" and scale_grad_by_freq):
        raise ValueError(
            f'embedding_bag expected mode "sum", "mean" or, without scale_grad_by_freq, "max", got {mode!r}'
        )
    if per_sample_weights is not None and (mode != "sum" or per_sample_weights.shape != index.shape):
        raise OpError(
            f'embedding_bag expected per_sample_weights of the shape of the input {index.shape} and mode "sum", '
            f"got {describe(per_sample_weights)} and {mode!r}"
        )
    lengths = _bag_lengths(index, offsets, include_last_offset)
    padding = padding_row(padding_idx, len(weight))
    if max_norm is not None:
        _shorten(weight, index, max_norm, norm_type)
    weights = None if per_sample_weights is None else per_sample_weights.reshape(-1)
    index = index.reshape(-1)[: lengths.sum()]
    weights = weights if weights is None else weights[: index.size]
    bags = np.repeat(np.arange(lengths.size), lengths)
    if mode == "max":
        kept = slice(None) if padding is None else index != padding
        return _maxima(weight, index[kept], np.bincount(bags[kept], minlength=lengths.size))
    if padding is not None:
        # What belongs to no bag goes to one of its own, behind the others.
        bags = np.where(index == padding, lengths.size, bags)
    rows = _rows(weight, index, None, scale_grad_by_freq)
    if weights is not None:
        rows = rows * weights.unsqueeze(1)
    sums = _in_bags(rows, bags, lengths.size)
    if mode == "sum":
        return sums
    counts = wrap(lengths[:, None]) if padding is None else _in_bags(ad.ones_like(rows[:, :1]), bags, lengths.size)
    return sums / counts.clamp(min=1).to(weight.dtype)


def _in_bags(rows: Tensor, bags: Array, count: int) -> Tensor:
    """The sum of the rows in each of `count` bags; a bag behind them is left out."""
    sums: Tensor = places.index_add(None, wrap(bags), rows, axis=0, shape=(count + 1, rows.shape[1]))
    return sums[:count]


def _bag_lengths(index: Array, offsets: Tensor | None, include_last_offset: bool) -> Array:
    if index.ndim == 2 and offsets is None:
        return np.full(index.shape[0], index.shape[1])
    if index.ndim != 1 or offsets is None or offsets.ndim != 1 or offsets.dtype.kind not in "iu":
        raise OpError(
            f"embedding_bag expected an input (B, L) without offsets, or (N) with a vector of integer offsets; got "
            f"{index.shape} and {'none' if offsets is None else describe(offsets)}"
        )
    starts = offsets.array.astype(np.int64)
    ends = starts if include_last_offset else np.append(starts, index.size)
    lengths = np.diff(ends)
    if not ends.size or (lengths.size and ends[0]) or (lengths < 0).any() or ends[-1] > index.size:
        raise OpError(f"embedding_bag expected offsets from 0 on, growing up to {index.size}, got {starts.tolist()}")
    return lengths


def _maxima(weight: Tensor, index: Array, lengths: Array) -> Tensor:
    """The largest of each feature in each bag; of several that tie the first one has the gradient."""
    filled = np.flatnonzero(lengths)
    starts = (np.cumsum(lengths) - lengths)[filled]
    shape = (lengths.size, weight.shape[1])
    if not filled.size:
        return ad.zeros(shape, dtype=weight.dtype)
    rows = weight.array[index]
    largest = np.repeat(np.maximum.reduceat(rows, starts), lengths[filled], axis=0)
    candidates = np.where(rows == largest, np.arange(index.size)[:, None], index.size - 1)
    chosen = np.take_along_axis(index[:, None], np.minimum.reduceat(candidates, starts), 0)
    maxima: Tensor = places.gather(weight, wrap(chosen), axis=0)
    if filled.size == lengths.size:
        return maxima
    return places.index_add(None, wrap(filled), maxima, axis=0, shape=shape)

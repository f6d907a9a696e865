"""Batches of sequences of different lengths: padded to one length, or packed, which recurrent layers take."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Self

import numpy as np

import autodiff as ad
from autodiff.op import OpError, describe
from autodiff.tensor import Array, Tensor, wrap


class _Fields(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Fields):
    """The steps of a batch of sequences one behind the other, each with the sequences that have not ended.

    `data` is (sum of lengths, *), and `batch_sizes` the number of sequences in each step. `sorted_indices` tell where
    in the batch the sequences came from, the longest first, and `unsorted_indices` the way back; None if they came
    sorted. Made by `pack_padded_sequence` and `pack_sequence`.

    >>> import autodiff as ad
    >>> pack_sequence([ad.tensor([1, 2]), ad.tensor([3])]).data
    tensor([1, 3, 2])
    """

    def __new__(
        cls,
        data: Any,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> Self:
        if batch_sizes is None:
            data, batch_sizes = data
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """With `data` converted as by `Tensor.to`; the same object if it is so already."""
        data = self.data.to(*args, **kwargs)
        return self if data is self.data else type(self)(data, *self[1:])

    def double(self) -> Self:
        """With `data` as float64."""
        return self.to(ad.float64)

    def float(self) -> Self:
        """With `data` as float32."""
        return self.to(ad.float32)

    def half(self) -> Self:
        """With `data` as float16."""
        return self.to(ad.float16)

    def long(self) -> Self:
        """With `data` as int64."""
        return self.to(ad.int64)

    def int(self) -> Self:
        """With `data` as int32."""
        return self.to(ad.int32)

    def short(self) -> Self:
        """With `data` as int16."""
        return self.to(ad.int16)

    def char(self) -> Self:
        """With `data` as int8."""
        return self.to(ad.int8)

    def byte(self) -> Self:
        """With `data` as uint8."""
        return self.to(ad.uint8)

    def cpu(self) -> Self:
        """The same object: there is no other device."""
        return self

    def pin_memory(self) -> Self:
        """The same object: there is no device to copy to."""
        return self

    def is_pinned(self) -> bool:
        """False."""
        return False

    @property
    def is_cuda(self) -> bool:
        """False."""
        return False


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes a permutation; None for None.

    >>> import autodiff as ad
    >>> invert_permutation(ad.tensor([2, 0, 1]))
    tensor([1, 2, 0])
    """
    return None if permutation is None else wrap(_inverse(permutation.array))


def _inverse(permutation: Array) -> Array:
    inverse = np.empty_like(permutation)
    inverse[permutation] = np.arange(permutation.size)
    return inverse


def _rows(x: Tensor) -> Tensor:
    """A padded batch with its first two axes as one."""
    return x.reshape(x.shape[0] * x.shape[1], *x.shape[2:])


def _select(x: Tensor, index: Array) -> Tensor:
    return ad.index_select(x, 0, wrap(index))


def _padded(data: Tensor, places: Array, padding_value: Any) -> Tensor:
    """`data` at the rows of `places`, (a, b), of which -1 is padding."""
    padding = ad.full((1, *data.shape[1:]), padding_value, dtype=data.dtype)
    rows = _select(ad.cat([data, padding]), np.where(places < 0, len(data), places).reshape(-1))
    return rows.reshape(*places.shape, *data.shape[1:])


def _lengths(lengths: Any, batch: int) -> Array:
    array = np.asarray(lengths.array if isinstance(lengths, Tensor) else lengths)
    if array.shape != (batch,) or array.dtype.kind not in "iu":
        raise OpError(
            f"expected the lengths of {batch} sequences, one integer for each, got {array.dtype} {array.shape}"
        )
    return array.astype(np.int64)


def pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """A padded batch (T, N, *), or (N, T, *) if `batch_first`, as a `PackedSequence`.

    `lengths`, a tensor or a list, are those of the N sequences. They must decrease if `enforce_sorted`. OpError for
    lengths that are not sorted, not positive, or longer than the input.

    >>> import autodiff as ad
    >>> packed = pack_padded_sequence(ad.tensor([[1, 2], [3, 0]]), [2, 1], batch_first=True); packed.data
    tensor([1, 3, 2])
    >>> packed.batch_sizes
    tensor([2, 1])
    """
    if input.ndim < 2:
        raise OpError(f"pack_padded_sequence expected a batch of sequences (T, N, *), got {describe(input)}")
    steps, batch = input.shape[:2][:: -1 if batch_first else 1]
    counts = _lengths(lengths, batch)
    if not counts.size or counts.min() <= 0 or counts.max() > steps:
        raise OpError(
            f"pack_padded_sequence expected lengths from 1 to {steps}, the length of the input, "
            f"got {counts.tolist()!s:.80}; leave empty sequences out"
        )
    order = None
    if not enforce_sorted:
        order = np.argsort(-counts, kind="stable")
        counts = counts[order]
    elif (np.diff(counts) > 0).any():
        raise OpError(
            f"pack_padded_sequence expected lengths in decreasing order, got {counts.tolist()!s:.80}; sort the "
            f"sequences, or pass enforce_sorted=False"
        )
    step, place = np.nonzero(counts > np.arange(counts[0])[:, None])
    sequence = place if order is None else order[place]
    data = _select(_rows(input), sequence * steps + step if batch_first else step * batch + sequence)
    return PackedSequence(data, wrap(np.bincount(step)), None if order is None else wrap(order))


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """A `PackedSequence` as the padded batch (T, N, *), or (N, T, *) if `batch_first`, and the lengths.

    T is the length of the longest sequence, or `total_length`; ValueError if that is shorter.

    >>> import autodiff as ad
    >>> pad_packed_sequence(pack_sequence([ad.tensor([1, 2]), ad.tensor([3])]), batch_first=True)
    (tensor([[1, 2],
            [3, 0]]), tensor([2, 1]))
    """
    counts = sequence.batch_sizes.array
    longest = len(counts)
    if total_length is not None and total_length < longest:
        raise ValueError(
            f"pad_packed_sequence expected a total_length of at least {longest}, the length of the longest sequence, "
            f"got {total_length}"
        )
    lengths = np.count_nonzero(counts[:, None] > np.arange(counts[0]), axis=0)
    places = np.full((longest if total_length is None else total_length, counts[0]), -1)
    places[:longest][counts[:, None] > np.arange(counts[0])] = np.arange(len(sequence.data))
    if sequence.unsorted_indices is not None:
        order = sequence.unsorted_indices.array
        places, lengths = places[:, order], lengths[order]
    return _padded(sequence.data, places.T if batch_first else places, padding_value), wrap(lengths)


def pad_sequence(
    sequences: Iterable[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Tensors (L, *) of several lengths L as one batch (T, N, *), or (N, T, *) if `batch_first`.

    The shorter ones have `padding_value` behind them, or before them if `padding_side` is "left". OpError if there are
    none, or if they differ in more than their length.

    >>> import autodiff as ad
    >>> pad_sequence([ad.tensor([1, 2]), ad.tensor([3])], batch_first=True)
    tensor([[1, 2],
            [3, 0]])
    """
    parts = _sequences("pad_sequence", sequences)
    if padding_side not in ("left", "right"):
        raise ValueError(f'pad_sequence expected padding_side "left" or "right", got {padding_side!r}')
    lengths = np.array([len(part) for part in parts])
    step, longest = np.arange(lengths.max())[:, None], lengths.max()
    if padding_side == "left":
        step = step - (longest - lengths)
    starts = np.cumsum(lengths) - lengths
    places = np.where((step >= 0) & (step < lengths), starts + step, -1)
    return _padded(ad.cat(parts), places.T if batch_first else places, padding_value)


def _sequences(name: str, sequences: Any) -> list[Tensor]:
    if not isinstance(sequences, Iterable):
        raise OpError(f"{name} expected a list of tensors, got {describe(sequences)}")
    parts = list(sequences)
    rest = {part.shape[1:] if isinstance(part, Tensor) and part.ndim else None for part in parts}
    if len(rest) != 1 or None in rest:
        came = ", ".join(map(describe, parts)) or "none"
        raise OpError(f"{name} expected tensors (L, *) that differ in their length L alone, got {came:.200}")
    return parts


def unpad_sequence(padded_sequences: Tensor, lengths: Any, batch_first: bool = False) -> list[Tensor]:
    """The sequences (L, *) of a padded batch (T, N, *), or (N, T, *) if `batch_first`, given their lengths.

    >>> import autodiff as ad
    >>> unpad_sequence(ad.tensor([[1, 2], [3, 0]]), ad.tensor([2, 1]), batch_first=True)
    [tensor([1, 2]), tensor([3])]
    """
    batch = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [batch[i, :length] for i, length in enumerate(_lengths(lengths, len(batch)).tolist())]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Tensors (L, *) of several lengths as a `PackedSequence`; they must come longest first if `enforce_sorted`.

    >>> import autodiff as ad
    >>> pack_sequence([ad.tensor([1]), ad.tensor([2, 3])], enforce_sorted=False).data
    tensor([2, 1, 3])
    """
    parts = _sequences("pack_sequence", sequences)
    return pack_padded_sequence(pad_sequence(parts), [len(part) for part in parts], enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences (L, *) of a `PackedSequence`, in the order in which they were packed.

    >>> import autodiff as ad
    >>> unpack_sequence(pack_sequence([ad.tensor([1, 2]), ad.tensor([3])]))
    [tensor([1, 2]), tensor([3])]
    """
    return unpad_sequence(*pad_packed_sequence(packed_sequences, batch_first=True), batch_first=True)

"""`Batched`: an array with hidden leading axes, one for each `vmap` around it, that speaks NumPy's two protocols.

Under a Tensor it has the shape of one sample, so that kernels, derivative rules and the backward pass run on it as
they are. A vmap is known by its level, a time of the engine's clock. The hidden axes stand in the order of the levels,
and arrays with different levels meet as those with different shapes do: by axes of length 1.

Ufuncs follow one rule; the functions that have a form for Batched stand in `numpy_functions.py` and
`numpy_products.py`. What has none raises `BatchingError`, and `each_sample.py` then runs the kernel once a sample.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autodiff.tensor import Tensor

Levels = tuple[int, ...]
# What each function of NumPy does on Batched, filled by numpy_functions.py; and what each_sample.py does.
FUNCTIONS: dict[Any, Callable[..., Any]] = {}
# Methods of arrays that do what NumPy's function of that name does.
_NAMES = """
    all any argmax argmin argpartition argsort clip cumprod cumsum diagonal dot max mean min prod ravel repeat round
    squeeze std sum swapaxes take trace var
"""
METHODS = frozenset(_NAMES.split())
SHARED = "is not written into a tensor that all share; make that one with zeros_like() or new_zeros() of a sample's own"


class BatchingError(RuntimeError):
    """What was asked for cannot be done for all samples of a vmap at once."""

    def __init__(self, message: str) -> None:
        super().__init__(f"vmap: {message}")


class Batched(np.lib.mixins.NDArrayOperatorsMixin):
    """Arrays of `shape`, one for each place along the leading axes of `data`, which belong to `levels`."""

    __slots__ = ("data", "dtype", "levels", "shape")

    def __init__(self, data: np.ndarray, levels: Levels) -> None:
        self.data, self.levels = data, levels
        self.shape, self.dtype = data.shape[len(levels) :], data.dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        size = 1
        for n in self.shape:
            size *= n
        return size

    @property
    def itemsize(self) -> int:
        return self.data.itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.data.itemsize

    @property
    def strides(self) -> tuple[int, ...]:
        return self.data.strides[len(self.levels) :]

    @property
    def flags(self) -> Any:
        return self.data.flags

    @property
    def base(self) -> np.ndarray:
        """Whose memory this is: what the write log asks for."""
        return self.data

    @property
    def T(self) -> Batched:
        return self.transpose()

    @property
    def mT(self) -> Batched:
        return Batched(self.data.mT, self.levels)

    @property
    def real(self) -> Batched:
        return Batched(self.data.real, self.levels)

    @property
    def imag(self) -> Batched:
        return Batched(self.data.imag, self.levels)

    def __getattr__(self, name: str) -> Any:
        if name not in METHODS:
            raise AttributeError(
                f"arrays inside vmap have no {name!r}, so that this function cannot run there", name=name, obj=self
            )
        function = getattr(np, name)
        return lambda *args, **kwargs: function(self, *args, **kwargs)

    def astype(self, dtype: Any, order: Any = "K", copy: bool = True) -> Batched:
        if not copy and self.dtype == dtype:
            return self
        return Batched(self.data.astype(dtype, order=order), self.levels)

    def copy(self, order: Any = "C") -> Batched:
        return Batched(self.data.copy(order), self.levels)

    def view(self, dtype: Any) -> Batched:
        return Batched(self.data.view(dtype), self.levels)

    def conj(self) -> Batched:
        return Batched(self.data.conj(), self.levels)

    def fill(self, value: Any) -> None:
        self[...] = value

    def flatten(self) -> Batched:
        return self.reshape(-1).copy()

    def reshape(self, *shape: Any) -> Batched:
        lengths = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple | list) else shape
        lengths = tuple(lengths)
        if -1 in lengths:
            lengths = _known(lengths, self.size)
        return Batched(self.data.reshape(self.data.shape[: len(self.levels)] + lengths), self.levels)

    def transpose(self, *axes: Any) -> Batched:
        order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
        if not order:
            order = range(self.ndim - 1, -1, -1)
        n = len(self.levels)
        return Batched(self.data.transpose(*range(n), *[n + i % max(self.ndim, 1) for i in order]), self.levels)

    def __len__(self) -> int:
        return len(self.data[(0,) * len(self.levels)]) if not self.shape else self.shape[0]

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: Any) -> Any:
        parts = index if isinstance(index, tuple) else (index,)
        if any(isinstance(part, Batched) for part in parts):
            return _picked(self, parts)
        hidden, moved = len(self.levels), _in_front(parts)
        found = self.data[(*(slice(None),) * hidden, *parts)]
        return Batched(np.moveaxis(found, range(moved, moved + hidden), range(hidden)) if moved else found, self.levels)

    def __setitem__(self, index: Any, value: Any) -> None:
        parts = index if isinstance(index, tuple) else (index,)
        if any(isinstance(part, Batched) for part in parts):
            _put_picked(self, parts, value)
            return
        hidden, moved = len(self.levels), _in_front(parts)
        place = (*(slice(None),) * hidden, *parts)
        if isinstance(value, Batched):
            if not set(value.levels) <= set(self.levels):
                raise BatchingError(f"what differs between samples {SHARED}")
            value = spread(value, self.levels, max(self.data[place].ndim - hidden, value.ndim))
            value = np.moveaxis(value, range(hidden), range(moved, moved + hidden)) if moved else value
        elif (extra := np.ndim(value) - (self.data[place].ndim - hidden)) > 0:
            # NumPy would take the axes of the value for hidden ones.
            if any(n != 1 for n in np.shape(value)[:extra]):
                raise ValueError(f"could not broadcast an array of shape {np.shape(value)} into the place")
            value = np.reshape(value, np.shape(value)[extra:])
        self.data[place] = value

    def __bool__(self) -> bool:
        """What all samples agree on: a kernel may ask whether anything overflows, say. Else BatchingError."""
        if self.size != 1:
            raise ValueError("the truth value of an array with several elements is ambiguous")
        truths = self.data.astype(bool)
        if truths.all():
            return True
        if truths.any():
            raise BatchingError(
                "the samples differ in what an `if` asks, or a function that gives a bool; use ad.where"
            )
        return False

    def item(self) -> Any:
        raise BatchingError(
            "item(), or a bool, int or float, of a tensor would be another one for each sample; use ad.where in "
            "place of an `if`, and tensors in place of numbers"
        )

    __float__ = __int__ = __index__ = tolist = item

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise BatchingError(
            "what differs between samples has no plain NumPy array, and is not written into a tensor that all share; "
            "use operations on tensors, and make what is written to with zeros_like() or new_zeros() of a sample's own"
        )

    def _alike(self, inputs: Sequence[Any]) -> list[Any] | None:
        """The data of inputs that are all like this one, or numbers, which is the plain case; else None."""
        arrays: list[Any] = []
        for x in inputs:
            if type(x) is Batched:
                if x.levels != self.levels or len(x.shape) != len(self.shape):
                    return None
                arrays.append(x.data)
            elif type(x) is float or type(x) is int:
                arrays.append(x)
            else:
                return None
        return arrays

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Any, out: tuple[Any, ...] | None = None, **options: Any
    ) -> Any:
        if method == "__call__" and out is None and not options and ufunc.nout == 1 and ufunc.signature is None:
            arrays = self._alike(inputs)
            if arrays is not None:
                return Batched(ufunc(*arrays), self.levels)
        if any(isinstance(x, Tensor) for x in inputs):
            return NotImplemented
        if method != "__call__" or ufunc.signature is not None:
            special = FUNCTIONS.get((ufunc, method)) or FUNCTIONS.get(method)
            if special is None:
                raise BatchingError(f"np.{ufunc.__name__}.{method} has no form inside vmap")
            result = special(*inputs, ufunc=ufunc, **options)
            if out is not None:
                out[0][...] = result
                return out[0]
            return result
        levels, arrays = aligned([*inputs, *(out or ()), *([options["where"]] if "where" in options else [])])
        if "where" in options:
            options["where"] = arrays.pop()
        if out is None:
            result = ufunc(*arrays, **options)
            return tuple(Batched(y, levels) for y in result) if ufunc.nout > 1 else Batched(result, levels)
        if any(not isinstance(y, Batched) or y.levels != levels for y in out):
            raise BatchingError(f"what differs between samples {SHARED}")
        ufunc(*arrays[: len(inputs)], out=tuple(arrays[len(inputs) :]), **options)
        return out if len(out) > 1 else out[0]

    def __array_function__(self, function: Any, types: Sequence[type], args: Any, kwargs: Any) -> Any:
        if any(issubclass(kind, Tensor) for kind in types):
            return NotImplemented
        ours = FUNCTIONS.get(function)
        if ours is None:
            raise BatchingError(f"np.{function.__name__} has no form inside vmap")
        return ours(*args, **kwargs)

    def each_sample(
        self, name: str, form: Callable[..., Any] | None, kernel: Callable[..., Any], args: Sequence[Any],
        params: dict[str, Any],
    ) -> Any:  # fmt: skip
        """What a `kernel` that cannot take these arrays gives nevertheless."""
        return FUNCTIONS["each sample"](name, form, kernel, args, params)

    def __repr__(self) -> str:
        return f"Batched(shape={self.shape}, levels={self.levels}, data=\n{self.data!r})"


def _known(lengths: tuple[int, ...], size: int) -> tuple[int, ...]:
    """The lengths with a number for -1, since the hidden axes make NumPy's own count another one."""
    rest = 1
    for n in lengths:
        rest *= n if n != -1 else 1
    return tuple(size // max(rest, 1) if n == -1 else n for n in lengths)


def _in_front(parts: tuple[Any, ...]) -> int:
    """How many axes an index puts in front of all others, hidden ones too: those of index arrays that stand apart."""
    arrays = [i for i, part in enumerate(parts) if isinstance(part, list | np.ndarray)]
    if not arrays:
        return 0
    advanced = [i for i, part in enumerate(parts) if isinstance(part, list | np.ndarray | int | np.integer)]
    if advanced[-1] - advanced[0] == len(advanced) - 1:
        return 0
    indices = [np.asarray(parts[i]) for i in arrays]
    return max(1 if index.dtype.kind == "b" else index.ndim for index in indices)


def _picked(x: Batched, parts: tuple[Any, ...]) -> Batched:
    """The elements at integers that differ between samples: slices may stand before and after them, not between."""
    levels, data, index, moves = _picking(x, parts)
    return Batched(np.moveaxis(data[index], *moves), levels)


def _put_picked(x: Batched, parts: tuple[Any, ...], value: Any) -> None:
    """Write at integers, or where one mask holds a number, that differ between samples."""
    if len(levels_of([x, *parts, value])) > len(x.levels):
        raise BatchingError(f"what differs between samples {SHARED}")
    if len(parts) == 1 and parts[0].dtype.kind == "b" and parts[0].shape == x.shape and not np.ndim(value):
        x[...] = np.where(parts[0], value, x).astype(x.dtype, copy=False)
        return
    _, _, index, moves = _picking(x, parts)
    places = np.moveaxis(x.data[index], *moves)
    if np.ndim(value) > places.ndim - len(x.levels):
        raise ValueError(f"could not broadcast an array of shape {np.shape(value)} into the place")
    data = spread(value, x.levels, places.ndim - len(x.levels)) if type(value) is Batched else value
    x.data[index] = np.moveaxis(np.broadcast_to(data, places.shape), *reversed(moves))


def _picking(x: Batched, parts: tuple[Any, ...]) -> tuple[Levels, np.ndarray, tuple[Any, ...], tuple[range, range]]:
    """For `_picked`: the levels, the data of `x` with all of them, the index into it, and which axes then move."""
    advanced = [i for i, part in enumerate(parts) if not isinstance(part, slice)]
    whole = all(not isinstance(part, slice) or part == slice(None) for part in parts)
    if advanced[-1] - advanced[0] != len(advanced) - 1 or not whole or len(parts) > x.ndim:
        raise BatchingError("index arrays that stand apart")
    indices = [
        np.asarray(part) if isinstance(part, list | int) else part for part in parts if not isinstance(part, slice)
    ]
    if any(not isinstance(part, Batched | np.ndarray) or part.dtype.kind not in "iu" for part in indices):
        raise BatchingError("an index that is no integer and differs between samples")
    levels, (data, *places) = full([x, *indices])
    hidden, ndim, before = len(levels), max(part.ndim for part in indices), advanced[0]
    places = [p.reshape(p.shape[:hidden] + (1,) * (hidden + ndim - p.ndim) + p.shape[hidden:]) for p in places]
    origins = [o.reshape(o.shape + (1,) * ndim) for o in np.indices(data.shape[:hidden], sparse=True)]
    # The axes of the index come right after the hidden ones, in front of slices that stand before it.
    moves = range(hidden, hidden + ndim), range(hidden + before, hidden + before + ndim)
    return levels, data, (*origins, *(slice(None),) * before, *places), moves


def rows(x: Batched, parts: Sequence[Any], value: Any) -> tuple[np.ndarray, np.ndarray, Any]:
    """A vector of each sample as one of all, the places in it that `parts`, integers, name, and their values."""
    if x.ndim != 1 or len(parts) != 1 or parts[0].dtype.kind not in "iu" or not x.data.flags.c_contiguous:
        raise BatchingError("an index that differs between samples, into more than one axis")
    if not set(levels_of([*parts, value])) <= set(x.levels):
        raise BatchingError(f"what differs between samples {SHARED}")
    ndim = max(parts[0].ndim, np.ndim(value))
    starts = np.arange(0, x.data.size, x.shape[0]).reshape(x.data.shape[:-1] + (1,) * ndim)
    places, values = (spread(y, x.levels, ndim) if type(y) is Batched else y for y in (parts[0], value))
    places = np.where(places < 0, places + x.shape[0], places) + starts
    # ufunc.at does not broadcast every value itself: it reads beyond a short one.
    return x.data.reshape(-1), places, np.broadcast_to(values, places.shape)


def spread(x: Batched, levels: Levels, ndim: int) -> np.ndarray:
    """The data of `x` with axes of length 1 for the `levels` it lacks, and in front of each sample's up to `ndim`."""
    data = x.data
    if x.levels == levels:
        if ndim == len(x.shape):
            return data
        return data.reshape(data.shape[: len(levels)] + (1,) * (ndim - len(x.shape)) + x.shape)
    own = dict(zip(x.levels, data.shape, strict=False))
    return data.reshape(tuple(own.get(level, 1) for level in levels) + (1,) * (ndim - len(x.shape)) + x.shape)


def levels_of(values: Sequence[Any]) -> Levels:
    """All levels of the Batched among `values`."""
    found: Levels = ()
    for x in values:
        if type(x) is Batched and x.levels != found:
            found = x.levels if not found else tuple(sorted({*found, *x.levels}))
    return found


def aligned(values: Sequence[Any]) -> tuple[Levels, list[Any]]:
    """The common levels, and arrays that broadcast with each other as the samples do."""
    levels = levels_of(values)
    ndim = 0
    for x in values:
        if isinstance(x, Batched | np.ndarray) and x.ndim > ndim:
            ndim = x.ndim
    return levels, [spread(x, levels, ndim) if type(x) is Batched else x for x in values]


def lengths_of(values: Sequence[Any]) -> dict[int, int]:
    """How many samples each level has."""
    return {level: n for x in values if type(x) is Batched for level, n in zip(x.levels, x.data.shape, strict=False)}


def full(values: Sequence[Any]) -> tuple[Levels, list[Any]]:
    """The common levels, and the data of each array, with all of the hidden axes in their whole length."""
    levels, lengths = levels_of(values), lengths_of(values)
    hidden = tuple(lengths[level] for level in levels)
    arrays = []
    for x in values:
        if type(x) is Batched:
            data = spread(x, levels, x.ndim)
        else:
            data = np.asarray(x)
            data = data.reshape((1,) * len(levels) + data.shape)
        arrays.append(np.broadcast_to(data, hidden + data.shape[len(levels) :]))
    return levels, arrays


def add_level(array: Any, axis: int, level: int) -> Batched:
    """`array`, whose `axis` becomes the hidden axis of `level`."""
    if type(array) is not Batched:
        return Batched(np.moveaxis(array, axis, 0) if axis else array, (level,))
    levels = tuple(sorted((*array.levels, level)))
    source = len(array.levels) + axis
    target = levels.index(level)
    return Batched(np.moveaxis(array.data, source, target) if source != target else array.data, levels)


def remove_level(array: Batched, axis: int, level: int) -> Any:
    """`array`, whose hidden axis of `level` becomes its `axis`."""
    source = array.levels.index(level)
    rest = array.levels[:source] + array.levels[source + 1 :]
    target = len(rest) + axis
    data = np.moveaxis(array.data, source, target) if source != target else array.data
    return Batched(data, rest) if rest else data

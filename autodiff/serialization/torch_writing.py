"""Files that ``torch.load(f, weights_only=True)`` reads: an archive of a pickle and of the storages it names."""

from __future__ import annotations

import struct
import zipfile
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np

from autodiff.dtypes import DType, as_dtype
from autodiff.serialization.tree import expect_shallow, inside, is_key, refuse
from autodiff.tensor import Array, Tensor
from autodiff.writes import owner

_STORAGES = {
    "bool": "BoolStorage", "uint8": "ByteStorage", "int8": "CharStorage", "int16": "ShortStorage",
    "int32": "IntStorage", "int64": "LongStorage", "float16": "HalfStorage", "float32": "FloatStorage",
    "float64": "DoubleStorage",
}  # fmt: skip


def write_torch(state: Any, file: BinaryIO) -> None:
    """Write `state` to an open file, as ``torch.save`` does."""
    blocks = _Blocks(_tensors(state, "", 0))
    pickled = _Pickler(blocks).pickled(state)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, content in (("data.pkl", pickled), ("byteorder", b"little"), ("version", b"3\n")):
            archive.writestr(zipfile.ZipInfo(f"archive/{name}"), content)
        for block in blocks:
            little = block.numbers().astype(block.dtype.newbyteorder("<"), copy=False)
            # As bytes where they are: a copy of all weights costs a fifth of the time of writing them.
            archive.writestr(zipfile.ZipInfo(f"archive/data/{block.key}"), little.view(np.uint8).data)


def _tensors(value: Any, place: str, depth: int) -> Iterator[Tensor]:
    """The tensors in a state; TypeError for what is no part of one."""
    expect_shallow(depth, place)
    if isinstance(value, Tensor):
        yield value
    elif type(value) in (list, tuple):
        for i, part in enumerate(value):
            yield from _tensors(part, inside(place, i), depth + 1)
    elif type(value) in (dict, OrderedDict):
        for key, part in value.items():
            if not is_key(key):
                raise refuse(key, f"the keys of {place or 'the state'}")
            yield from _tensors(part, inside(place, key), depth + 1)
    elif not (is_key(value) or isinstance(value, np.dtype) or _is_number(value)):
        raise refuse(value, place)


def _is_number(value: Any) -> bool:
    return isinstance(value, np.generic) and value.dtype.kind in "biuf"


class _Block:
    """The memory from the first to the last number of the saved arrays that lie in one: a storage of the file."""

    def __init__(self, key: int, dtype: DType) -> None:
        self.key, self.dtype = key, dtype
        self.first: Array = np.empty(0, dtype)
        self.start = self.end = 0

    def reach_over(self, array: Array) -> None:
        start = _address(array)
        steps = ((length - 1) * step for length, step in zip(array.shape, array.strides, strict=True))
        self.end = max(self.end, start + sum(steps) + array.itemsize)
        if not self.first.size or start < self.start:
            self.first, self.start = array, start

    def __len__(self) -> int:
        return (self.end - self.start) // self.dtype.itemsize

    def numbers(self) -> Array:
        # All of it lies in the memory of one array, though not all of it in `first`.
        return np.lib.stride_tricks.as_strided(self.first, (len(self),), (self.dtype.itemsize,), writeable=False)


class _Blocks:
    """Which block each tensor lies in: tensors that share memory here share a block, and so they will when loaded."""

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        self._places: dict[int, tuple[_Block, Array]] = {}
        self._of_memory: dict[Any, _Block] = {}
        self._blocks: list[_Block] = []
        for tensor in tensors:
            if id(tensor) not in self._places:
                self._places[id(tensor)] = self._placed(tensor.array)

    def _placed(self, array: Array) -> tuple[_Block, Array]:
        size = array.itemsize
        if any(step < 0 or step % size for step in array.strides):
            array = array.copy()
        memory = id(owner(array)), array.dtype, _address(array) % size
        block = self._of_memory.get(memory) if array.size else None
        if block is None:
            block = _Block(len(self._blocks), array.dtype)
            self._blocks.append(block)
        if array.size:
            self._of_memory[memory] = block
            block.reach_over(array)
        return block, array

    def __iter__(self) -> Iterator[_Block]:
        return iter(self._blocks)

    def place(self, tensor: Tensor) -> tuple[_Block, int, tuple[int, ...], tuple[int, ...]]:
        """The block of a tensor, and its offset, shape and strides there."""
        block, array = self._places[id(tensor)]
        size = array.itemsize
        offset = (_address(array) - block.start) // size if array.size else 0
        return block, offset, array.shape, tuple(step // size for step in array.strides)


def _address(array: Array) -> int:
    return int(array.__array_interface__["data"][0])


class _Pickler:
    """Writes a state as a pickle of protocol 2, in which tensors are calls of PyTorch's functions on storages."""

    def __init__(self, blocks: _Blocks) -> None:
        self._blocks = blocks
        self._out = bytearray()
        self._memo: dict[int, int] = {}

    def pickled(self, state: Any) -> bytes:
        self._out += b"\x80\x02"
        self._write(state)
        return bytes(self._out + b".")

    def _write(self, value: Any) -> None:
        if id(value) in self._memo:
            self._out += b"j" + struct.pack("<I", self._memo[id(value)])
        elif isinstance(value, Tensor):
            self._tensor(value)
            self._remember(value)
        elif isinstance(value, np.dtype):
            self._name("torch", str(as_dtype(value)))
        elif isinstance(value, list | tuple | dict):
            self._container(value)
        else:
            self._plain(value.item() if isinstance(value, np.generic) else value)

    def _remember(self, value: Any) -> None:
        self._memo[id(value)] = len(self._memo)
        self._out += b"r" + struct.pack("<I", self._memo[id(value)])

    def _name(self, module: str, name: str) -> None:
        self._out += f"c{module}\n{name}\n".encode()

    def _plain(self, value: Any) -> None:
        if value is None or isinstance(value, bool):
            self._out += {None: b"N", True: b"\x88", False: b"\x89"}[value]
        elif isinstance(value, float):
            self._out += b"G" + struct.pack(">d", value)
        elif isinstance(value, str):
            text = value.encode("utf-8", "surrogatepass")
            self._out += b"X" + struct.pack("<I", len(text)) + text
        elif -(2**31) <= value < 2**31:
            self._out += b"J" + struct.pack("<i", value)
        else:
            number = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
            short = len(number) < 256
            self._out += b"\x8a" + bytes([len(number)]) if short else b"\x8b" + struct.pack("<i", len(number))
            self._out += number

    def _container(self, value: Any) -> None:
        if isinstance(value, tuple):
            self._out += b"("
            self._all(value)
            self._out += b"t"
            if value:  # the empty one is everywhere the same object, whatever it is in
                self._remember(value)
            return
        if isinstance(value, OrderedDict):
            self._name("collections", "OrderedDict")
            self._out += b")R"
        else:
            self._out += b"]" if isinstance(value, list) else b"}"
        self._remember(value)
        self._out += b"("
        if isinstance(value, list):
            self._all(value)
        else:
            self._all(part for item in value.items() for part in item)
        self._out += b"e" if isinstance(value, list) else b"u"

    def _all(self, values: Iterable[Any]) -> None:
        for value in values:
            self._write(value)

    def _tensor(self, tensor: Tensor) -> None:
        block, offset, shape, strides = self._blocks.place(tensor)
        self._name("torch._utils", "_rebuild_tensor_v2")
        self._out += b"(("
        self._plain("storage")
        self._name("torch", _STORAGES[str(block.dtype)])
        self._all((str(block.key), "cpu", len(block)))
        self._out += b"tQ"
        self._plain(offset)
        for lengths in (shape, strides):
            self._out += b"("
            self._all(lengths)
            self._out += b"t"
        self._plain(tensor.requires_grad)
        self._name("collections", "OrderedDict")
        self._out += b")RtR"

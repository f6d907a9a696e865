"""Files of ``torch.save`` without PyTorch: the zip archives of today and the pickles of before 2020.

An archive holds ``data.pkl``, a pickle that names storages, and each storage in an entry of its own. In the older
format the storages follow the pickle. No size in a file is believed before it is compared with the size of the file.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from autodiff.serialization.rebuilding import STORAGES, Storage, names, numbers
from autodiff.serialization.unpickler import Admitted, Unpickler
from autodiff.tensor import Array

_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"
_MAGIC, _VERSION = 0x1950A86A20F9469CFC6C, 1001


def is_torch_file(file: BinaryIO) -> bool:
    """Whether an open file begins like an archive or a pickle."""
    beginning = file.read(9)
    file.seek(0)
    # A safetensors file begins with the length of its header, in 8 bytes, and the header with a brace.
    return beginning.startswith(_ZIP) or (beginning.startswith(_PICKLE) and not beginning.endswith(b"{"))


def read_torch(file: BinaryIO, name: str) -> Any:
    """The state in a file of ``torch.save``; `name` is for the errors: ValueError, or TypeError for a dtype."""
    try:
        beginning = file.read(len(_ZIP))
        file.seek(0)
        return _read_archive(file) if beginning == _ZIP else _Legacy(file.read()).state
    except (ValueError, zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, OSError) as error:
        raise ValueError(f"load: {name} cannot be read: {error}") from error
    except TypeError as error:
        raise TypeError(f"load: {name} cannot be read: {error}") from error


def _read_archive(file: BinaryIO) -> Any:
    size = file.seek(0, 2)
    with zipfile.ZipFile(file) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        roots = [entry.removesuffix("data.pkl") for entry in entries if entry.endswith("/data.pkl")]
        if len(roots) != 1:
            raise ValueError("it is an archive without one data.pkl, so torch.save did not write it")
        root = roots[0]
        if f"{root}constants.pkl" in entries:
            raise ValueError("it is a program of torch.jit.save; save model.state_dict() with torch.save")
        for entry in entries.values():
            if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
                raise ValueError(f"its entry {entry.filename:.100} is compressed, which PyTorch does not do")
        if sum(entry.file_size for entry in entries.values()) > size:
            raise ValueError("its entries say that they are longer than the file")
        if f"{root}byteorder" in entries and archive.read(f"{root}byteorder") != b"little":
            raise ValueError("its numbers have the highest byte first; save them on a machine with the lowest first")

        def content(key: str, kind: str, count: int) -> Array:
            raw = archive.read(f"{root}data/{key}") if f"{root}data/{key}" in entries else None
            if raw is None or len(raw) != count * np.dtype(STORAGES[kind]).itemsize:
                raise ValueError(f"storage {key:.50} is missing or not as long as {count} numbers")
            return numbers(kind, np.frombuffer(raw, STORAGES[kind]))

        return _unpickler(archive.read(f"{root}data.pkl"), _Storages(content)).load()


def _unpickler(data: bytes, persistent: Callable[[Any], Any]) -> Unpickler:
    machine: Unpickler
    machine = Unpickler(data, names(lambda count: machine.spend(count)), persistent)
    return machine


class _Storages:
    """The storages that a pickle names, each made once, by `content` of its key, kind and length."""

    def __init__(self, content: Callable[[str, str, int], Array]) -> None:
        self._content = content
        self._made: dict[str, tuple[str, int, Storage]] = {}

    def __call__(self, described: Any) -> Storage:
        if type(described) is not tuple or len(described) not in (5, 6) or described[0] != "storage":
            raise ValueError("it refers to something outside that is no storage")
        _, admitted, key, _, count, *view = described
        kind = admitted.name if type(admitted) is Admitted else ""
        if kind not in STORAGES or type(key) is not str or type(count) is not int or count < 0:
            raise ValueError("a storage that is not as PyTorch writes them")
        if key not in self._made:
            self._made[key] = kind, count, Storage(self._content(key, kind, count))
        known_kind, known_count, storage = self._made[key]
        if (known_kind, known_count) != (kind, count):
            raise ValueError(f"storage {key:.50} is of two kinds or lengths")
        return _part(storage, view[0]) if view and view[0] is not None else storage


def _part(storage: Storage, view: Any) -> Storage:
    if type(view) is not tuple or len(view) != 3 or any(type(place) is not int or place < 0 for place in view[1:]):
        raise ValueError("a part of a storage that is not as PyTorch writes them")
    return Storage(storage.array[view[1] : view[1] + view[2]])


class _Legacy:
    """Four pickles, then a list of keys, then the storages in its order."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.waiting: dict[str, tuple[str, Array]] = {}
        self.promised = 0
        machine = _unpickler(data, _Storages(self.promise))
        if machine.load() != _MAGIC or machine.load() != _VERSION:
            raise ValueError("it is a pickle, but not one of torch.save")
        system = machine.load()
        if type(system) is not dict or system.get("little_endian") is not True:
            raise ValueError("its numbers have the highest byte first; save them on a machine with the lowest first")
        self.state = machine.load()
        keys = machine.load()
        if type(keys) is not list or any(type(key) is not str for key in keys) or sorted(keys) != sorted(self.waiting):
            raise ValueError("it does not hold the storages that it names")
        position = machine.position
        for key in keys:
            position = self.keep(key, position)

    def promise(self, key: str, kind: str, count: int) -> Array:
        """Memory for a storage whose numbers come later in the file."""
        self.promised += count * np.dtype(STORAGES[kind]).itemsize
        if self.promised > len(self.data):
            raise ValueError("its storages say that they are longer than the file")
        array = numbers(kind, np.zeros(count, STORAGES[kind]))
        self.waiting[key] = kind, array
        return array

    def keep(self, key: str, position: int) -> int:
        """Fill the memory of a storage; where the next one begins."""
        kind, array = self.waiting.pop(key)
        start = position + 8
        end = start + array.size * np.dtype(STORAGES[kind]).itemsize
        if end > len(self.data) or int.from_bytes(self.data[position:start], "little") != array.size:
            raise ValueError(f"storage {key:.50} is cut off, or not as long as it says")
        array[:] = numbers(kind, np.frombuffer(self.data[start:end], STORAGES[kind]))
        return end

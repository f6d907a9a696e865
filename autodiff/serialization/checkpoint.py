"""`save` and `load`: which format a file has, and where it comes from or goes to."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any, BinaryIO

from autodiff.files import written
from autodiff.serialization.torch_reading import is_torch_file, read_torch
from autodiff.serialization.torch_writing import write_torch
from autodiff.tensor import check_device

SUFFIX = ".safetensors"


def save(obj: Any, f: str | os.PathLike[str] | BinaryIO) -> None:
    """Write a state to a file: tensors, such as ``model.state_dict()``, numbers, strings, and containers of them.

    A file name that ends in ``.safetensors`` gives that format (`autodiff.serialization.safetensors_file` describes
    it), any other, such as ``.pt``, and an open file PyTorch's: ``torch.load(f, weights_only=True)`` reads it. A state
    is made of tensors, None, bools, numbers, strings, dtypes, lists, tuples, dictionaries and OrderedDicts; NumPy's
    numbers become Python's. In PyTorch's format tensors that share memory, in part or in whole, share it again when
    they are loaded; as safetensors, only those that are the same memory. The file is complete or absent: it is written
    beside and renamed. TypeError for anything else, named with its place; ValueError for a container in itself;
    FileNotFoundError for a missing folder.

    >>> import autodiff as ad, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ad.save({"weight": ad.tensor([1.0, 2.0]), "epoch": 3}, f"{folder}/model.safetensors")
    ...     ad.load(f"{folder}/model.safetensors")
    {'weight': tensor([1., 2.]), 'epoch': 3}
    """
    if not isinstance(f, str | os.PathLike):
        if not hasattr(f, "write"):
            raise TypeError(f"save: expected a file name or an open file, got {type(f).__name__}")
        write_torch(obj, f)
        return
    path = Path(f)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"save: the folder {path.parent} does not exist; make it with Path.mkdir first")
    if path.suffix == SUFFIX:
        from autodiff.serialization.safetensors_file import write_safetensors

        with written(path) as file:
            write_safetensors(obj, Path(file.name))
    else:
        with written(path) as file:
            write_torch(obj, file)


def load(
    f: str | os.PathLike[str] | BinaryIO,
    map_location: Any = None,
    *,
    weights_only: bool | None = True,
    mmap: bool | None = None,
) -> Any:
    """The state in a file of `save`, in anyone's ``.safetensors`` file, or in a ``.pt`` or ``.pth`` file of PyTorch.

    The content says which format it is. Nothing in a file is ever executed: what asks for more than tensors and plain
    containers is a ValueError that names it, also with ``weights_only=False``. Tensors that share memory in a file of
    PyTorch share it here. bfloat16 becomes float32, a Parameter a tensor that requires grad. All tensors are on the
    CPU, whatever `map_location` says; RuntimeError if it names another device. `mmap` changes nothing.
    FileNotFoundError if there is no such file, ValueError if it holds something else, or not all of it, TypeError for
    dtypes that the engine lacks.

    >>> import autodiff as ad, io
    >>> file = io.BytesIO()
    >>> ad.save([ad.tensor([1.0, 2.0]), {"epoch": 3}], file)
    >>> ad.load(io.BytesIO(file.getvalue()))
    [tensor([1., 2.]), {'epoch': 3}]
    """
    if isinstance(map_location, str):
        check_device(map_location)
    if isinstance(f, str | os.PathLike):
        path = Path(f)
        with path.open("rb") as file:
            return _read(file, str(path))
    if not hasattr(f, "read"):
        raise TypeError(f"load: expected a file name or an open file, got {type(f).__name__}")
    return _read(io.BytesIO(f.read()), str(getattr(f, "name", "the file")))


def _read(file: BinaryIO, name: str) -> Any:
    if is_torch_file(file):
        return read_torch(file, name)
    from autodiff.serialization.safetensors_file import from_bytes

    data = file.read()
    if data[257:262] == b"ustar":
        raise ValueError(
            f"load: {name} is a tar archive, PyTorch's format of 2016; load it in PyTorch with weights_only=False, if "
            f"you trust it, and save it again"
        )
    return from_bytes(data, name)

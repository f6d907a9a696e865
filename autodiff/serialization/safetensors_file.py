"""States as ``.safetensors``, a format without code in it that other libraries read.

The file is a plain one, https://github.com/huggingface/safetensors, with every tensor under a name of its own. What is
no tensor, and which containers the tensors are in, is a tree (`autodiff.serialization.tree`) as JSON in the metadata,
under the key ``autodiff.tree``. Files without it hold a dictionary of tensors.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from autodiff.creation import from_numpy
from autodiff.serialization.bfloat16 import widened
from autodiff.serialization.tree import Tree, decoded
from autodiff.tensor import Array, Tensor

TREE = "autodiff.tree"
# As they lie in the file. A bool is any byte, and bfloat16 comes as its bits.
_DTYPES = {
    "BOOL": "u1", "U8": "u1", "I8": "i1", "I16": "<i2", "I32": "<i4", "I64": "<i8",
    "F16": "<f2", "F32": "<f4", "F64": "<f8", "BF16": "<u2",
}  # fmt: skip
_NAMES = {"U": "uint", "F": "float", "C": "complex"}


def write_safetensors(state: Any, path: Path) -> None:
    """Write `state` over an empty file."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    tree = Tree(state)
    # Row-major order is the only one that safetensors writes right; np.ascontiguousarray gives 0-d arrays an axis.
    arrays = {name: np.asarray(array, order="C") for name, array in tree.arrays.items()}
    permissions = path.stat().st_mode
    try:
        save_file(arrays, path, {TREE: json.dumps(tree.root, allow_nan=False)})
    except SafetensorError as error:
        raise OSError(f"save: {path.parent} did not take the file ({error})") from error
    # The library puts a file of its own in the place, which nobody else may read.
    path.chmod(permissions)


def from_bytes(data: bytes, name: str) -> Any:
    """The state in the content of a file; `name` is for the errors."""
    from safetensors import SafetensorError, deserialize

    try:
        found = deserialize(data)  # type: ignore[no-untyped-call]
    except SafetensorError as error:
        raise ValueError(f"load: {name} is not a complete safetensors file ({error}); save it again") from error
    tensors = {key: _tensor(key, entry, name) for key, entry in found}
    # The library has checked the header, and that it is as long as it says.
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    tree = (header.get("__metadata__") or {}).get(TREE)
    if tree is None:
        return tensors
    try:
        return decoded(json.loads(tree), tensors)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(
            f"load: the tree in the metadata of {name} is damaged ({type(error).__name__}: {error}); save it again"
        ) from error


def _tensor(key: str, entry: dict[str, Any], name: str) -> Tensor:
    kind, shape = entry["dtype"], entry["shape"]
    if kind not in _DTYPES:
        dtype = _NAMES.get(kind[0], kind[0]) + kind[1:].lower()
        raise TypeError(
            f"load: {key!r} in {name} is of dtype {dtype}, which this engine does not have; "
            f"convert it, for example to float32, with the library that wrote the file"
        )
    flat: Array = np.frombuffer(entry["data"], _DTYPES[kind])
    # Any byte but 0 is true; NumPy computes nonsense with a bool that is 2.
    array = widened(flat) if kind == "BF16" else flat != 0 if kind == "BOOL" else flat.astype(flat.dtype.name)
    return from_numpy(array.reshape(shape))

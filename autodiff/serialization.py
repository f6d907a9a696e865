"""Tensors in files: the state of a model as safetensors, a format without code in it that other libraries read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from autodiff.creation import from_numpy
from autodiff.files import write
from autodiff.tensor import Array, Tensor

SUFFIX = ".safetensors"


def save(state: Mapping[str, Tensor], path: str | os.PathLike[str]) -> None:
    """Write tensors by their names, such as ``model.state_dict()``, to a ``.safetensors`` file.

    The file is complete or absent: it is written beside `path` and renamed. TypeError for anything but a dictionary of
    names and tensors, ValueError for another suffix, FileNotFoundError for a missing folder. The format is described at
    https://github.com/huggingface/safetensors.

    >>> import autodiff as ad, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ad.save({"weight": ad.tensor([1.0, 2.0])}, f"{folder}/model.safetensors")
    ...     ad.load(f"{folder}/model.safetensors")
    {'weight': tensor([1., 2.])}
    """
    from safetensors.numpy import save as to_bytes

    arrays = _arrays(state)
    path = _checked(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"save: the folder {path.parent} does not exist; make it with Path.mkdir first")
    write(path, to_bytes(arrays))


def load(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The tensors of a ``.safetensors`` file by their names, for ``model.load_state_dict``.

    FileNotFoundError if there is no such file, ValueError if it holds something else, or not all of it.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = _checked(path)
    try:
        arrays = load_file(path)
    except SafetensorError as error:
        raise ValueError(f"load: {path} is not a complete safetensors file ({error}); save it again") from error
    except TypeError as error:
        raise TypeError(
            f"load: {path} holds numbers of a type that NumPy does not have ({error}); "
            f"convert them to float32 with the library that wrote the file"
        ) from error
    return {name: from_numpy(array) for name, array in arrays.items()}


def _checked(path: str | os.PathLike[str]) -> Path:
    path = Path(path)
    if path.suffix != SUFFIX:
        raise ValueError(f"expected a file name that ends in {SUFFIX}, the format of save and load; got {path.name!r}")
    return path


def _arrays(state: Any) -> dict[str, Array]:
    """The arrays of `state` in row-major order, the only one that safetensors writes right."""
    if not isinstance(state, Mapping):
        raise TypeError(
            f"save: expected a dictionary of names and tensors, got {type(state).__name__}; "
            f"of a model save model.state_dict(), of a single tensor {{'x': x}}"
        )
    for name, value in state.items():
        if not isinstance(name, str):
            raise TypeError(f"save: expected names that are strings, got {name!r} ({type(name).__name__})")
        if name == "__metadata__":
            raise ValueError("save: the name '__metadata__' is reserved in safetensors files; use another")
        if not isinstance(value, Tensor):
            hint = (
                "join nested names with dots, as state_dict() does" if isinstance(value, Mapping) else "use ad.tensor"
            )
            raise TypeError(f"save: expected a Tensor for {name!r}, got {type(value).__name__}; {hint}")
    # Not np.ascontiguousarray, which gives a 0-d array the shape (1,).
    return {name: np.asarray(value.array, order="C") for name, value in state.items()}

"""How a tensor is printed: PyTorch's text, to the character."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Profile = Literal["default", "short", "full"]


@dataclasses.dataclass(frozen=True)
class _PrintOptions:
    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_PROFILES = {
    "default": _PrintOptions(),
    "short": _PrintOptions(precision=2, edgeitems=2),
    "full": _PrintOptions(threshold=math.inf),
}
_options = _PROFILES["default"]
# What stands before the name of a dtype; programs written for PyTorch get "torch.".
DTYPE_PREFIX = ""


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: Profile | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors are printed from now on; what is left out stays, except `sci_mode`, which None makes automatic.

    `precision` is the number of digits after the point, `threshold` the number of elements above which only
    `edgeitems` at each end of each dimension are shown, `linewidth` the length of lines in characters and `profile` a
    set of values, "default", "short" or "full", to start from. Raises ValueError for another profile or for what is
    no count.

    >>> set_printoptions(precision=2)
    >>> format_tensor(np.array([1 / 3]), default_dtype=np.dtype(float))
    'tensor([0.33])'
    >>> set_printoptions(profile="default")
    """
    global _options
    if profile is not None and profile not in _PROFILES:
        raise ValueError(f"expected a profile of 'default', 'short' or 'full', got {profile!r}")
    counts = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    given = {name: count for name, count in counts.items() if count is not None}
    for name, count in given.items():
        whole = isinstance(count, int) or (name == "threshold" and isinstance(count, float))
        if not (whole and count >= 0):
            raise ValueError(f"{name} expected a whole number >= 0, got {count!r}")
    start = _options if profile is None else _PROFILES[profile]
    changes: dict[str, Any] = {**given, "sci_mode": sci_mode}
    _options = dataclasses.replace(start, **changes)


def get_printoptions() -> dict[str, Any]:
    """Return the options now in force, as keyword arguments of `set_printoptions`.

    >>> get_printoptions()["edgeitems"]
    3
    """
    return dataclasses.asdict(_options)


@contextlib.contextmanager
def printoptions(**options: Any) -> Iterator[None]:
    """Set options as `set_printoptions` does, for the length of a `with` block.

    >>> with printoptions(sci_mode=True):
    ...     format_tensor(np.array([1.5]), default_dtype=np.dtype(float))
    'tensor([1.5000e+00])'
    """
    global _options
    before = _options
    try:
        set_printoptions(**options)
        yield
    finally:
        _options = before


def format_tensor(
    array: NDArray[Any],
    *,
    default_dtype: np.dtype[Any],
    requires_grad: bool = False,
    grad_fn: str | None = None,
    name: str = "tensor",
    dtype_prefix: str | None = None,
) -> str:
    """Return what PyTorch prints of a tensor with these elements, dtype names being NumPy's after `dtype_prefix`.

    Without one it is `DTYPE_PREFIX`. `default_dtype`, int64 and bool go without saying; `grad_fn` is the name of the
    function that made the tensor.

    >>> print(format_tensor(np.eye(2), default_dtype=np.dtype("float32"), requires_grad=True))
    tensor([[1., 0.],
            [0., 1.]], dtype=float64, requires_grad=True)
    """
    indent = len(name) + 1
    suffixes = []
    if (array.size == 0 and array.ndim != 1) or (array.size and not _options.edgeitems):
        suffixes.append(f"size={array.shape}")
    unsaid = {default_dtype} if array.size == 0 else {default_dtype, np.dtype(np.int64), np.dtype(np.bool_)}
    if array.dtype not in unsaid:
        prefix = DTYPE_PREFIX if dtype_prefix is None else dtype_prefix
        suffixes.append(f"dtype={prefix}{array.dtype.name}")
    if grad_fn is not None:
        suffixes.append(f"grad_fn=<{grad_fn}>")
    elif requires_grad:
        suffixes.append("requires_grad=True")
    elements = _format_elements(array, indent) if array.size else "[]"
    return _append(f"{name}({elements}", suffixes, indent) + ")"


def _append(text: str, suffixes: list[str], indent: int) -> str:
    length = len(text) - text.rfind("\n") + 1  # of the last line, and two more, as in PyTorch
    for suffix in suffixes:
        if length + len(suffix) + 2 > _options.linewidth:
            text += ",\n" + " " * indent + suffix
            length = indent + len(suffix)
        else:
            text += ", " + suffix
            length += len(suffix) + 2
    return text


def _format_elements(array: NDArray[Any], indent: int) -> str:
    summarized = array.size > _options.threshold
    shown = array
    if summarized:
        edge = _options.edgeitems
        for axis, size in enumerate(array.shape):
            if size > 2 * edge:
                shown = shown.take([*range(edge), *range(size - edge, size)], axis)
    # All elements that are shown have one format and one width.
    text, width = _choose_format(shown.ravel())
    return _format_block(array, indent, summarized, lambda value: text(value).rjust(width), width)


def _choose_format(values: NDArray[Any]) -> tuple[Callable[[Any], str], int]:
    """How to write a value, and the width that the widest of `values` needs, infinities, nan and zero not counting."""
    if values.dtype.kind != "f":
        return str, max(map(len, map(str, values.tolist())), default=1)
    counting = values[np.isfinite(values) & (values != 0)].astype(np.float64)
    whole, scientific, precision = bool((counting == np.ceil(counting)).all()), False, _options.precision
    if counting.size:
        smallest, largest = float(abs(counting).min()), float(abs(counting).max())
        wide = largest / smallest > 1000 or largest > 1e8 or smallest < 1e-4
        scientific = wide if _options.sci_mode is None else _options.sci_mode

    def text(value: float) -> str:
        if scientific:
            return f"{value:.{precision}e}"
        if whole:
            return f"{value:.0f}." if math.isfinite(value) else f"{value}"
        return f"{value:.{precision}f}"

    return text, max((len(text(value)) for value in counting.tolist()), default=1)


def _format_block(array: NDArray[Any], indent: int, summarized: bool, text: Callable[[Any], str], width: int) -> str:
    """Bracket an array whose bracket opens `indent` characters into its line."""
    if array.ndim == 0:
        return text(array.item())
    edge = _options.edgeitems
    cut = summarized and len(array) > 2 * edge
    parts = [array[:edge], array[len(array) - edge :]] if cut else [array]
    if array.ndim == 1:
        items = [[text(value) for value in part.tolist()] for part in parts]
        dots = " ..." if edge else "..."
    else:
        items = [[_format_block(row, indent + 1, summarized, text, width) for row in part] for part in parts]
        dots = "..."
    shown = [*items[0], dots, *items[1]] if cut else items[0]
    if array.ndim > 1:
        return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(shown) + "]"
    per_line = max(1, (_options.linewidth - indent) // (width + 2))
    lines = [", ".join(shown[start : start + per_line]) for start in range(0, len(shown), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"

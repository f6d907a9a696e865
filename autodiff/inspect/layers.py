"""What the layers of a model do to a batch: their activations and gradients, watched while it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import sqrt
from typing import Any

import numpy as np

from autodiff.inspect.operations import shape_text
from autodiff.inspect.profile_table import Row
from autodiff.tensor import Array, Tensor

BINS = 40


class Layers:
    """The modules of a model by their dotted paths; the model itself is at ``""``."""

    def __init__(self, model: Any) -> None:
        self.modules: dict[str, Any] = dict(model.named_modules())
        self.parameters: dict[str, Tensor] = dict(model.named_parameters())
        self.within: dict[str, list[str]] = {}
        for name in self.parameters:
            parts = name.split(".")
            for i in range(len(parts)):
                self.within.setdefault(".".join(parts[:i]), []).append(name)
        self.outputs: dict[str, Array] = {}
        self.flows: dict[str, Array] = {}
        self.slopes: dict[str, Array] = {}
        self.changes: dict[str, float] = {}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Keep the last output of each module, and the gradient that flows back to it later."""
        handles = []
        for path, module in self.modules.items():

            def seen(module: Any, inputs: Any, output: Any, path: str = path) -> None:
                first = output[0] if isinstance(output, tuple | list) and output else output
                if isinstance(first, Tensor):
                    # A copy, because the next module may write into it.
                    self.outputs[path] = first.detach().numpy().copy()
                    if first.requires_grad:
                        first.register_hook(lambda g: self.flows.update({path: g.numpy()}))

            handles.append(module.register_forward_hook(seen))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def gradients(self) -> None:
        """Keep the gradients of the parameters."""
        self.slopes = {name: p.grad.numpy() for name, p in self.parameters.items() if p.grad is not None}

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Note how far the parameters are after the block from where they were before."""
        before = {name: p.detach().numpy().copy() for name, p in self.parameters.items()}
        yield
        self.changes = {name: _norm(p.detach().numpy() - before[name]) for name, p in self.parameters.items()}
        self.sizes = {name: _norm(array) for name, array in before.items()}

    def norm(self, path: str = "") -> float | None:
        """The norm of the gradient of all parameters inside a module; None without any."""
        slopes = [self.slopes[name] for name in self.inside(path) if name in self.slopes]
        return _together(map(_norm, slopes)) if slopes else None

    def inside(self, path: str) -> list[str]:
        """The names of the parameters of a module and of those in it."""
        return self.within.get(path, [])

    def rows(self, called: Mapping[str, Any], times: Mapping[str, Row]) -> list[dict[str, Any]]:
        """A row of the table for each module that was called, each below the one that it stands in."""
        paths = [path for path in self.modules if path in called]
        places = {path: i for i, path in enumerate(paths)}
        parents = {path: _around(path, places) for path in paths}
        # A parameter that is read without a call of its module, as in attention, belongs to the one around it.
        owners = {name: _around(name, places) for name in self.parameters}
        rows: list[dict[str, Any]] = []
        for path in paths:
            parent = parents[path]
            own = [name for name, owner in owners.items() if owner == path]
            rows.append(
                {
                    "name": path,
                    "label": path.removeprefix(f"{parent}.") if parent else path,
                    "kind": type(self.modules[path]).__name__,
                    "parent": places.get(parent, -1) if parent is not None else -1,
                    "depth": rows[places[parent]]["depth"] + 1 if parent is not None else 0,
                    "parameters": sum(self.parameters[name].numel() for name in self.inside(path)),
                    "names": own,
                    **self._figures(path),
                    **_spent(times.get(path)),
                    "histograms": self._histograms(path, own),
                }
            )
        return rows

    def _figures(self, path: str) -> dict[str, Any]:
        output, flow = self.outputs.get(path), self.flows.get(path)
        known = output is not None and output.size > 0 and output.dtype.kind == "f"
        x = output.astype(np.float64) if output is not None and known else np.zeros(1)
        change = self.changes and self.inside(path)
        with np.errstate(all="ignore"):
            return {
                "shape": "" if output is None else shape_text(output.shape),
                "mean": x.mean() if known else None,
                "std": x.std() if known else None,
                "zeros": float((x == 0).mean()) if known else None,
                "gradient": None if flow is None else _norm(flow),
                "slope": self.norm(path),
                "update": _together(self.changes[name] for name in change)
                / (_together(self.sizes[name] for name in change) or 1.0)
                if change
                else None,
            }

    def _histograms(self, path: str, names: list[str]) -> list[dict[str, Any]]:
        found = [("output", self.outputs.get(path)), ("gradient of the output", self.flows.get(path))]
        for name in names:
            found += [(name, self.parameters[name].detach().numpy()), (f"gradient of {name}", self.slopes.get(name))]
        return [histogram(title, x) for title, x in found if x is not None and x.size and x.dtype.kind == "f"]


def histogram(title: str, x: Array) -> dict[str, Any]:
    """The counts of the finite values between the lowest and the highest, and a sentence on all of them.

    >>> histogram("x", np.array([0.0, 1.0, 1.0, np.nan]))["about"]
    '4 values, mean 0.6667, std 0.4714, 1 not finite'
    """
    values = x[np.isfinite(x)].astype(np.float64)
    low, high = (values.min(), values.max()) if values.size else (0.0, 0.0)
    counts = np.histogram(values, BINS, range=(low, high) if high > low else None)[0] if values.size else np.zeros(0)
    about = f"{x.size:,} value{'s' * (x.size > 1)}"
    if values.size:
        about += f", mean {values.mean():.4g}, std {values.std():.4g}"
    if lost := x.size - values.size:
        about += f", {lost:,} not finite"
    return {"title": title, "about": about, "low": low, "high": high, "counts": counts.astype(int).tolist()}


def _spent(row: Row | None) -> dict[str, Any]:
    row = row or Row("")
    return {
        "calls": row.calls, "forward": 1e3 * row.forward, "backward": 1e3 * row.backward, "seconds": row.seconds,
        "saved": row.saved,
    }  # fmt: skip


def _around(path: str, places: Mapping[str, int]) -> str | None:
    """The innermost of the modules at `places` around what is called `path`."""
    while path:
        path = path.rpartition(".")[0]
        if path in places:
            return path
    return None


def _norm(x: Array) -> float:
    with np.errstate(all="ignore"):
        return sqrt(np.square(x, dtype=np.float64).sum())


def _together(norms: Any) -> float:
    """The norm of several vectors behind each other, by their norms."""
    return sqrt(sum(norm * norm for norm in norms))

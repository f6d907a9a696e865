"""Writes docs/ops.md, the list of all ops: ``python -m autodiff.testing.page docs/ops.md``."""

from __future__ import annotations

import inspect
import sys
from importlib import import_module
from itertools import groupby
from pathlib import Path

from autodiff.op import OPS, Op
from autodiff.testing.source import formula

HEADER = """# Every op and its derivative

Written by `python -m autodiff.testing.page docs/ops.md`; the tests refuse a page that is out of date. An op is listed
with the inputs and params (after `*`) of its kernel, the domain its checks draw from, for each input the gradient as a
formula in `g` (that of the output), `y` (the output) and the inputs, or the name of the function that computes it, and
the orders of derivatives that every run of the tests checks against numerical ones. The engine sums gradients over axes
that were broadcast, so no formula mentions them. Functions that are composed of these ops are not listed.
"""


def _signature(op: Op) -> str:
    rule = next((rule for rule in (*op.rules, op.joint) if rule is not None), None)
    if rule is None:
        return ", ".join(op.input_names)
    parameters = [p for p in list(inspect.signature(rule).parameters.values())[2:] if p.name != "needs"]
    inputs = [p.name for p in parameters[: len(op.input_names)]]
    params = [str(p.replace(annotation=p.empty)) for p in parameters[len(inputs) :]]
    return ", ".join([*inputs, "*", *params] if params else inputs)


def _derivatives(op: Op) -> str:
    if op.joint is not None:
        return f"`{formula(op.joint)}`"
    shown = [
        f"{name}: `{formula(rule)}`" for name, rule in zip(op.input_names, op.rules, strict=False) if rule is not None
    ]
    return shown[0].partition(": ")[2] if len(op.rules) == 1 and shown else "; ".join(shown)


def _row(op: Op) -> str:
    domains = [str(domain) for domain in dict.fromkeys(op.domain)]
    orders = "none" if not op.differentiable else "1, 2, 3" if op.kind == "elementwise" and op.analytic else "1, 2"
    cells = (f"`{op.name}({_signature(op)})`", "; ".join(domains), _derivatives(op) or "—", orders)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def text() -> str:
    """The whole page."""
    import_module("nn.testing")
    # Not those that a program has declared for itself.
    ours = [op for op in OPS.values() if op.record.__module__.startswith(("autodiff.", "nn."))]
    ops = sorted(ours, key=lambda op: (op.record.__module__, op.name))
    lines = [HEADER]
    for module, family in groupby(ops, key=lambda op: op.record.__module__):
        lines += [f"## {module}\n", "| op | domain | derivative | orders |", "|---|---|---|---|"]
        lines += [*map(_row, family), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text())
    print(f"wrote {sys.argv[1]}")

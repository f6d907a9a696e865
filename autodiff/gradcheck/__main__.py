"""``python -m autodiff.gradcheck [op ...]``: check every op of the table, or those named, and print a table.

The exit code is 1 if an op fails, 2 if a name is unknown.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module

from autodiff.op import OPS, Op

HEADER = f"{'op':<34}{'orders':<8}{'calls':>6}{'rejected':>10}{'ε = 1e-7':>11}{'sharper':>10}{'2nd':>10}{'3rd':>10}"


def _chosen(names: Sequence[str]) -> list[Op]:
    known = {name: op for name, op in sorted(OPS.items()) if op.differentiable}
    for name in names:
        if name not in known:
            close = get_close_matches(name, known, 1)
            hint = f"; did you mean {close[0]}?" if close else ""
            print(f"expected the name of a differentiable op, got {name!r}{hint}", file=sys.stderr)
            raise SystemExit(2)
    return [known[name] for name in names] if names else list(known.values())


def _row(op: Op, examples: int) -> str:
    from autodiff.testing.check import DERIVATIVES, examine
    from autodiff.testing.subject import subject_of_op

    findings = {found.property: found for found in examine(subject_of_op(op), list(DERIVATIVES), examples)}
    first, second, third = (findings[f"{order} order"] for order in ("first", "second", "third"))
    orders = ",".join(str(i) for i, found in enumerate((first, second, third), 1) if found.accepted)
    rejected = 1 - first.accepted / first.tried
    step, *others = (findings[name] for name in ("relative difference at 1e-7", "first order", "second order"))
    figures = [f"{found.worst:10.0e}" if found.accepted else f"{'':10}" for found in (*others, third)]
    return f"{op.name:<34}{orders:<8}{first.accepted:>6}{rejected:>10.0%}{step.worst:>11.0e}{''.join(figures)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a row for each op; 1 if one of them fails."""
    parser = argparse.ArgumentParser(prog="python -m autodiff.gradcheck", description=__doc__)
    parser.add_argument("ops", nargs="*", help="names of ops; all of them if left out")
    parser.add_argument("--examples", type=int, default=100, help="calls drawn for each op (100)")
    parser.add_argument("--modules", nargs="*", default=["nn.testing"], help="modules that declare more ops and cases")
    options = parser.parse_args(arguments)
    from autodiff.testing.broken import CheckError

    for module in options.modules:
        import_module(module)
    ops = _chosen(options.ops)
    print(HEADER)
    failed = []
    for i, op in enumerate(ops):
        if sys.stderr.isatty():
            print(f"\r[{'#' * (20 * i // len(ops)):<20}] {i}/{len(ops)} {op.name:<30}", end="\r", file=sys.stderr)
        try:
            print(_row(op, options.examples), flush=True)
        except CheckError as error:
            failed.append(op.name)
            print(f"{op.name:<34}FAILED\n    {error}", flush=True)
    print(f"{len(ops) - len(failed)} of {len(ops)} ops agree with numerical derivatives", end="")
    print(f"; these do not: {', '.join(failed)}" if failed else ".")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Run programs written for PyTorch, unchanged, on PyTorch and here: ``python -m tests.parity.whole_programs folder``.

The folder has a file ``programs.toml``: a table for each program, with ``run`` (the file and its arguments), and
optionally ``folder`` (where it lies, if not in the folder of the table's name; the first folder of this path is its
repository, from which it may import), ``seconds`` (after which both are stopped: what both have printed by then is
compared) and ``data`` (where it looks for what lies in ``data``). Each is run as it is and in float64, where 9 digits
must agree for 100 lines; if it names float32 and does not run in float64, 4 digits in float32. Where they do not,
PyTorch must lose them itself, at most half as many lines later, where its weights are off by their last digit. The
generators of Python, NumPy and PyTorch are seeded, so that a program that seeds nothing draws the same numbers in both
runs; both have one thread.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from threading import Timer
from typing import Any, NamedTuple

from tests.parity.whole_programs.compare import compare

ROOT = Path(__file__).resolve().parents[3]
LIBRARIES = ("torch", "autodiff")
STARTER = Path(__file__).with_name("start.py")


class Run(NamedTuple):
    """What a program printed, whether it ended by itself without an error, and what it cost."""

    output: str
    errors: str
    status: str
    seconds: float
    megabytes: float


def run(library: str, program: dict[str, Any], folder: Path, folders: Path) -> Run:
    """The program in a copy of its folder, stopped after its time."""
    repository = folders / folder.relative_to(folders).parts[0]
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "program"
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns(".git"))
        if "data" in program:
            shutil.copytree(folders / "data", copy / program["data"], dirs_exist_ok=True)
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{copy}:{repository}", "PYTHONUNBUFFERED": "1",
                       "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "Agg", "PYTHONHASHSEED": "0",
                       "DOUBLE": "1" if program.get("double") else "",
                       "DISTURBED": "1" if program.get("disturbed") else ""}  # fmt: skip
        command = [sys.executable, str(STARTER), library, *map(str, program["run"])]
        start = time.perf_counter()
        out, err = Path(scratch) / "out", Path(scratch) / "err"
        with out.open("w") as stdout, err.open("w") as stderr:
            process = subprocess.Popen(command, cwd=copy, env=environment, stdout=stdout, stderr=stderr,
                                       stdin=subprocess.DEVNULL, start_new_session=True)  # fmt: skip
            stop = Timer(program.get("seconds", 120), os.killpg, (process.pid, signal.SIGKILL))
            stop.start()
            # Unlike process.wait, this tells what the one process has used.
            _, code, used = os.wait4(process.pid, 0)
            stop.cancel()
        status = {0: "ended", signal.SIGKILL: "stopped"}.get(code, "failed")
        return Run(out.read_text(errors="replace"), err.read_text(errors="replace"), status,
                   time.perf_counter() - start, used.ru_maxrss / 1024)  # fmt: skip


def compared(name: str, program: dict[str, Any], folder: Path) -> tuple[str, str, str]:
    """The row of the table, the verdict, and what to look at where the runs differ."""
    rows = {}
    place = folder / program.get("folder", name)
    for precision, tolerance in (("float32", 1e-4), ("float64", 1e-9)):
        program["double"] = precision == "float64"
        runs = [run(library, program, place, folder) for library in LIBRARIES]
        rows[precision] = *runs, compare(runs[0].output, runs[1].output, tolerance)
        if precision == "float32" and runs[0].status == "failed":
            return f"| {name} | fails on PyTorch: {_last_line(runs[0])} |", "failed on PyTorch", runs[0].errors
    theirs, ours, agreement = rows["float32"]
    theirs_double, ours_double, double = rows["float64"]
    # A program that names float32 somewhere does not run in float64.
    doubled = theirs_double.status != "failed"
    failed = next((run for run in (ours, ours_double)[: 1 + doubled] if run.status == "failed"), None)
    if failed is not None:
        verdict = "fails here: " + _last_line(failed)
    else:
        program["double"] = doubled
        first, _, judged = rows["float64" if doubled else "float32"]
        verdict = judged.difference or "agrees"
        if judged.until and judged.difference:
            alone = _lost_by_pytorch(first, program, place, folder)
            as_early = 0 < alone <= 1.5 * judged.until + 1
            verdict = "agrees: " if as_early else f"{verdict}; "
            verdict += f"from disturbed weights PyTorch loses them at line {alone}"
    digits = f"{double.digits:.1f}" if doubled else "-"
    costs = [f"{run.seconds:.1f} s, {run.megabytes:.0f} MB" for run in (theirs, ours)]
    cells = [name, agreement.first, agreement.last, str(agreement.numbers), f"{agreement.digits:.1f}",
             str(agreement.until or "all"), digits, *costs, verdict]  # fmt: skip
    context = f"{agreement.context}\n{double.context}\n{(failed or ours).errors[-2500:]}"
    return f"| {' | '.join(cells)} |", verdict, context


def _lost_by_pytorch(first: Run, program: dict[str, Any], folder: Path, folders: Path) -> int:
    """The line where a second run on PyTorch, from weights off by their last digit, loses digits; 0 if none does."""
    disturbed = program | {"disturbed": True, "seconds": 2 * program.get("seconds", 120)}
    tolerance = 1e-9 if program["double"] else 1e-4
    return compare(first.output, run("torch", disturbed, folder, folders).output, tolerance).until


def _last_line(run: Run) -> str:
    lines = run.errors.strip().splitlines() or [""]
    return lines[-1][:160].replace("|", "/")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.parity.whole_programs", description=__doc__)
    parser.add_argument("folder", type=Path, help="where programs.toml lies")
    parser.add_argument("part", nargs="?", default="", help="only programs with this in their names")
    parser.add_argument("--show", action="store_true", help="print what both printed where they differ")
    options = parser.parse_args()
    programs = tomllib.loads((options.folder / "programs.toml").read_text())
    print("| program | first number | last number | numbers | digits, float32 | 4 digits until line | digits, float64 "
          "| PyTorch | here | |\n|---|---|---|--:|--:|--:|--:|--:|--:|---|")  # fmt: skip
    failed = 0
    for name, program in programs.items():
        if options.part in name:
            row, verdict, context = compared(name, program, options.folder)
            print(row, flush=True)
            failed += not verdict.startswith(("agrees", "failed on PyTorch"))
            if options.show and not verdict.startswith("agrees"):
                print(context)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

"""Run the examples in PyTorch's own docstrings on PyTorch and here: ``python -m tests.parity.docstrings [part]``.

Those of all public functions, classes and methods of the modules below, of which a `part` of the name may be given.
Each example runs in a process of its own, line by line, on both, after the generators were seeded; what it prints, and
the tensors that it leaves, are compared to 3 digits, as they are printed with 4. What PyTorch itself refuses, as an
example for a GPU, is not compared, nor what memory holds that nothing was written to; an example ends at the first line
that fails here.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections import defaultdict
from typing import Any

import numpy as np

from tests.parity.docstrings.collect import examples
from tests.parity.whole_programs.compare import NAMES, NUMBER

# Of what an error here says, when that is left out on purpose.
OUTSIDE = ("complex", "sparse", "quantised", "expected device 'cpu'", "is not part of this engine", "no attribute")
# What stands for an object that prints no value.
OBJECT = re.compile(r"<(?:built-in |function |bound )?[\w .]+ (?:at|of) [^>]*>")
UNWRITTEN = re.compile(r"empty|Tensor\(\d|skip_init")


def results(library: str, found: list[tuple[str, list[str]]]) -> list[Any]:
    command = [sys.executable, "-m", "tests.parity.docstrings.start", library]
    done = subprocess.run(command, input=json.dumps(found), capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def alike(theirs: str, ours: str) -> bool:
    """Whether the same is printed, numbers but for rounding."""
    theirs, ours = (NAMES.sub("", OBJECT.sub("", text)) for text in (theirs, ours))
    if NUMBER.sub("#", theirs).split() != NUMBER.sub("#", ours).split():
        return False
    return np.allclose(*([float(x) for x in NUMBER.findall(text)] for text in (theirs, ours)), 1e-3, 1e-4, True)


def verdict(lines: list[str], theirs: Any, ours: Any) -> tuple[str, str]:
    """What became of an example, and what to look at."""
    for line, (failed, expected), (failed_here, got) in zip(lines, theirs["lines"], ours["lines"], strict=False):
        if failed:
            continue
        if failed_here:
            return ("left out" if any(words in got for words in OUTSIDE) else "fails here"), f"{line.strip()}: {got}"
        if not (alike(expected, got) or UNWRITTEN.search(line)):
            return "differs", f"{line.strip()}\n  PyTorch: {expected}\n  here:    {got}"
    for name, expected in theirs["tensors"].items() if not UNWRITTEN.search("".join(lines)) else ():
        got = ours["tensors"].get(name, "nothing")
        if not alike(expected, got):
            return "differs", f"{name}\n  PyTorch: {expected}\n  here:    {got}"
    return "agrees", ""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.parity.docstrings", description=__doc__)
    parser.add_argument("part", nargs="?", default="", help="a part of the names of functions")
    found = [(name, lines) for name, lines in examples() if parser.parse_args().part in name]
    names = defaultdict(list)
    for (name, lines), theirs, ours in zip(found, results("torch", found), results("autodiff", found), strict=True):
        kind, what = verdict(lines, theirs, ours)
        names[kind].append(name)
        if kind in ("fails here", "differs"):
            print(f"{name}: {kind}: {what[:600]}\n")
    for kind, those in sorted(names.items()):
        print(f"{len(those)} of {len(found)}: {kind}" + ("" if kind == "agrees" else ": " + ", ".join(those)))


if __name__ == "__main__":
    main()

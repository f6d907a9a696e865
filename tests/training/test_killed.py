"""Trainings that are killed at any moment and resumed end with the files, byte for byte, of one that was not.

`make test` kills a few, `make test-deep` fifty; `python -m tests.training.test_killed 50` counts what the kills hit.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import settings

PROGRAM = Path(__file__).with_name("killed_program.py")
STEPS_OF_AN_EPOCH = 5
KILLS = 50 if settings().max_examples > 1000 else 3


def start(folder: Path) -> Any:
    """A training in a process of its own, once it has begun."""
    process = subprocess.Popen([sys.executable, PROGRAM, folder], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begins\n"
    return process


def finish(folder: Path) -> float:
    """Train to the end; how long it took, in seconds."""
    with start(folder) as process:
        began = time.monotonic()
        assert process.stdout.readline() == "ends\n"
        return time.monotonic() - began


def kill(folder: Path, after: float) -> str | None:
    """Kill a training after some seconds; what that hit, None if it had ended."""
    with start(folder) as process:
        time.sleep(after)
        process.kill()
        if process.stdout.read():
            return None
    steps = max((int(path.stem[5:]) for path in folder.glob("step-*.pt")), default=0)
    if list(folder.glob(".*")):
        return "a file half written"
    return "mid-epoch" if steps % STEPS_OF_AN_EPOCH else "the start or the end of an epoch"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def kills(count: int, seed: int) -> Counter[str]:
    """Kill trainings at moments uniform in time, each up to three times, until `count` were hit; what they hit."""
    moments, hit = random.Random(seed), Counter[str]()
    with TemporaryDirectory() as name:
        whole = Path(name) / "whole"
        seconds = min(finish(whole), finish(Path(name) / "again"))
        for trial in range(10 * count):  # on a machine that gets faster meanwhile a kill may come too late
            folder = Path(name) / str(trial)
            for _ in range(3):
                what = kill(folder, moments.uniform(0, seconds))
                if what is None:
                    break
                hit[what] += 1
            else:
                finish(folder)
            assert contents(folder) == contents(whole), f"after trial {trial} of seed {seed}"
            if hit.total() >= count:
                break
    return hit


def test_a_killed_training_ends_with_the_same_bytes() -> None:
    assert kills(KILLS, seed=0).total() >= KILLS


if __name__ == "__main__":
    for what, number in kills(int(sys.argv[1]), seed=time.time_ns()).items():
        print(number, what)

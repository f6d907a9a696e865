"""Eight thousand random programs of views, writes and derivatives on PyTorch, on this engine, and on the naive one."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
import torch

import autodiff as ad
from tests.engine import naive
from tests.engine.programs import KINDS, Author, Kind, random_program
from tests.engine.running import compare, shrunk

TORCH = (torch, torch.autograd.grad)
# What PyTorch says of each kind of error.
ERRORS = {
    "stale values": "modified by an inplace operation",
    "writes to leaves": "leaf Variable that requires grad",
    "writes to pieces": "multiple views",
    "writes to views made under no_grad": "created in no_grad mode",
    "writes to shared elements": "more than one element of the written-to tensor",
}


@pytest.mark.parametrize(
    ("library", "count", "kinds"),
    [((ad, ad.grad), 8000, [*KINDS, Author.derivative]), ((naive, naive.grad), 1000, KINDS)],
    ids=["this engine", "the naive engine"],
)
def test_random_programs(library: Any, count: int, kinds: list[Kind]) -> None:
    """The same values, flags and gradients, or an error of the same kind at the same line."""

    def fails(lines: Sequence[str]) -> bool:
        return bool(compare(lines, TORCH, library)[0])

    counts: Counter[str] = Counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for seed in range(count):
            author = random_program(seed, kinds)
            text, (theirs, _), outcomes = compare(author.lines, TORCH, library)
            if text:
                lines = shrunk(author.lines, fails)
                raise AssertionError("\n".join([f"program {seed}, shrunk", *lines, compare(lines, TORCH, library)[0]]))
            raised = {kind for kind, words in ERRORS.items() if any(words in error for error in theirs.errors)}
            counts.update({*author.features, *outcomes, *raised})
    print("programs with", dict(counts.most_common()))
    for feature in ("views of views", "recorded writes through views", "detach", "no_grad", "backward", "stale values"):
        assert counts[feature] > count / 10, counts
    for kind in ERRORS:
        assert counts[kind] > count / 100, counts

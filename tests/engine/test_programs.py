"""Random programs of views, writes and derivatives, here and in the naive reference engine, step by step."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import event, settings, target
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

import autodiff as ad
from tests.engine import naive
from tests.engine.programs import CHANGING, MAKING, VIEWING, Author, Kind, random_program
from tests.engine.running import STALE, Run, compare, disagreement

LIBRARIES = [(naive, naive.grad), (ad, ad.grad)]


class Programs(RuleBasedStateMachine):
    """Each rule writes a line of a program and runs it in both engines; all that can be seen of both must be equal."""

    def __init__(self) -> None:
        super().__init__()
        self.author = Author(random.choice)
        self.runs = [Run(*library) for library in LIBRARIES]
        self.outcomes: Counter[str] = Counter()

    def write(self, kind: Kind) -> None:
        line = self.author.line(kind)
        if line is not None:
            expected, found = (each.step(line) for each in self.runs)
            self.outcomes[expected] += 1
            assert found == expected, "\n".join(self.author.lines)
            self.check("state")

    def check(self, what: str) -> None:
        expected, found = (getattr(each, what)() for each in self.runs)
        text = disagreement(expected, found, what)
        assert not text, "\n".join([*self.author.lines, text])

    @initialize(seed=st.integers(0, 2**32 - 1))
    def begins_with_a_leaf(self, seed: int) -> None:
        """What a line is in detail comes from one seed: drawing every choice singly Hypothesis repeats itself, and few
        programs got as far as a write through a view that is recorded."""
        self.author.choose = random.Random(seed).choice
        self.write(Author.leaf)
        self.write(Author.operation)

    @rule(kind=st.sampled_from(MAKING))
    def computes(self, kind: Kind) -> None:
        self.write(kind)

    @rule(kind=st.sampled_from(VIEWING))
    def views(self, kind: Kind) -> None:
        self.write(kind)

    @rule(kind=st.sampled_from(CHANGING))
    def changes(self, kind: Kind) -> None:
        self.write(kind)

    @rule()
    def differentiates(self) -> None:
        self.write(Author.backward)

    @rule()
    def looks_at_gradients(self) -> None:
        self.check("gradients")

    def teardown(self) -> None:
        self.check("gradients")
        for feature, count in (*self.author.features.items(), *self.outcomes.items()):
            event(f"{feature}: {'several' if count > 1 else 'one'}")
        target(self.author.features["recorded writes through views"], label="recorded writes through views")


TestPrograms = Programs.TestCase
TestPrograms.settings = settings(max_examples=max(150, settings().max_examples), stateful_step_count=25)


@pytest.mark.parametrize("start", range(0, 1500, 500))
def test_random_programs(start: int) -> None:
    counts: Counter[str] = Counter()
    for seed in range(start, start + 500):
        author = random_program(seed)
        text, (reference, _), outcomes = compare(author.lines, *LIBRARIES)
        assert not text, f"program {seed}\n" + "\n".join([*author.lines, text])
        stale = any(STALE.search(error) for error in reference.errors)
        counts.update({*author.features, *outcomes, *(["stale values"] * stale)})
    # The programs are about what they should be about.
    for feature in ("views of views", "recorded writes through views", "backward", "no_grad", "stale values", "error"):
        assert counts[feature] > 50, counts

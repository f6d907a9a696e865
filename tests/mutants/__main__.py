"""The mutation test of the gradient checks: ``python -m tests.mutants [op ...]``.

Every rule of every op is made wrong in every way that `mutate` knows, and the checks must notice each. A mutant that
they do not notice is compared with the rule itself over the domain: if both give the same gradients it is equivalent
(``2 * g`` where g is 0, a reduction that the engine does anyway) and listed, else it has survived, and the exit code
is 1.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import hypothesis.strategies as st
import numpy as np
from hypothesis import HealthCheck, Phase, given, settings

import autodiff as ad
import nn.testing
from autodiff.op import OPS, Op
from autodiff.tensor import wrap
from autodiff.testing import CheckError
from autodiff.testing.check import PROPERTIES, examine
from autodiff.testing.subject import leaves, live, subject_of_op
from tests.mutants.mutate import mutants

assert nn.testing  # imported for the ops of nn
# Cheap ones first: most mutants fall to the first derivatives.
CHECKS = [name for name in PROPERTIES if name != "relative difference at 1e-7"]


@contextmanager
def installed(op: Op, i: int, rule: Callable[..., Any]) -> Iterator[None]:
    """The op with another rule for input `i`, or another joint rule."""
    names = ("rules", "array_rules", "joint", "array_joint", "rule0", "rule1", "rule2")
    before = {name: getattr(op, name) for name in names}
    # A fast form of the rule stays, and must be found to differ from the wrong rule.
    if op.joint is not None:
        op.array_joint = rule if op.array_joint is op.joint else op.array_joint
        op.joint = rule
    else:
        arrays = tuple(rule if j == i and r is op.rules[i] else r for j, r in enumerate(op.array_rules))
        op.rules = tuple(rule if j == i else r for j, r in enumerate(op.rules))
        op.array_rules = arrays
        op.rule0, op.rule1, op.rule2 = (*arrays, None, None, None)[:3]
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(op, name, value)


def noticed(op: Op, examples: int) -> bool:
    """Whether the checks fail."""
    try:
        examine(subject_of_op(op), CHECKS, examples, shrink=False)
    except CheckError:
        return True
    return False


def equivalent(op: Op, i: int, rule: Callable[..., Any], examples: int) -> bool:
    """Whether the wrong rule gives the gradients of the right one everywhere, recorded or not."""
    subject = subject_of_op(op)
    same = True

    @settings(max_examples=examples, derandomize=True, database=None, deadline=None, phases=(Phase.generate,),
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(st.data())
    def run(data: st.DataObject) -> None:
        nonlocal same
        case = subject.draw(data.draw)
        found = _gradients(op, case)
        try:
            with installed(op, i, rule):
                changed = _gradients(op, case)
        except RuntimeError:
            same = False
            return
        for a, b in zip(found, changed, strict=True):
            same = same and a.shape == b.shape and np.allclose(a, b, rtol=1e-12, atol=1e-12, equal_nan=True)

    run()
    return same


def _gradients(op: Op, case: Any) -> list[Any]:
    """Those of the inputs by the plain pass, then by the recorded one."""
    xs = leaves(case.inputs)
    with np.errstate(all="ignore"):
        y = op.record(*xs, **case.params)
        if not y.requires_grad:
            return []
        seed = wrap(np.cos(np.arange(1.0, 1 + y.numel())).reshape(y.shape))
        options = {"retain_graph": True, "materialize_grads": True}
        return [
            g.array for recorded in (False, True) for g in ad.grad(y, live(xs), seed, create_graph=recorded, **options)
        ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("ops", nargs="*", help="names of ops; all of them if left out")
    parser.add_argument("--examples", type=int, default=100, help="calls drawn, as in the test suite")
    parser.add_argument("--part", default="1/1", help="such as 1/2: the first of two halves, to run side by side")
    options = parser.parse_args()
    part, parts = map(int, options.part.split("/"))
    names = options.ops or [name for name, op in sorted(OPS.items()) if op.differentiable][part - 1 :: parts]
    counts: Counter[str] = Counter()
    few, survived = [], []
    for name in names:
        op = OPS[name]
        if noticed(op, options.examples):
            sys.exit(f"{name}: the checks fail for the rules as they are")
        tried = 0
        rules = [(0, op.joint)] if op.joint is not None else [(i, r) for i, r in enumerate(op.rules) if r is not None]
        for i, rule in rules:
            for mutant in mutants(rule, op.input_names):
                tried += 1
                with installed(op, i, mutant.rule):
                    caught = noticed(op, options.examples)
                if caught:
                    counts["caught"] += 1
                    continue
                same = equivalent(op, i, mutant.rule, 3 * options.examples)
                counts["equivalent" if same else "survived"] += 1
                print(f"{name}[{i}] {'equivalent' if same else 'SURVIVED'}: {mutant.change}", flush=True)
                survived += [] if same else [name]
        counts["all"] += tried
        few += [name] if tried < 3 else []
    print(f"{counts['all']} mutants of {len(names)} ops: {counts['caught']} caught, {counts['equivalent']} equivalent, "
          f"{counts['survived']} survived; fewer than 3: {', '.join(few) or 'none'}")  # fmt: skip
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())

"""Rules keep to the dialect of `autodiff.op`, so that they run on arrays and Tensors alike, and save what they read."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from types import FunctionType
from typing import Any

import numpy as np
import pytest

import nn.functional
from autodiff.op import OPS, Op
from autodiff.testing.source import definition_of

SPEC = {"shape", "ndim", "dtype"}
PLAIN = {
    "isinstance",
    "len",
    "range",
    "zip",
    "enumerate",
    "sorted",
    "tuple",
    "reversed",
    "dict",
    "sum",
    "max",
    "min",
    "list",
    "slice",
}
assert nn.functional  # imported for the ops that it declares


def _rules(op: Op) -> Iterator[tuple[int, FunctionType]]:
    for i, rule in enumerate(op.rules):
        if rule is not None:
            yield i, rule
    if op.joint is not None:
        yield 0, op.joint


RULES = [(f"{op.name}[{i}]", op, i, rule) for op in OPS.values() for i, rule in _rules(op)]


def _breaches(function: FunctionType, seen: set[Any]) -> Iterator[str]:
    """What in a rule, and in the helpers of its own package that it calls, is outside the dialect."""
    if function in seen:
        return
    seen.add(function)
    for node in ast.walk(definition_of(function)):
        if isinstance(node, ast.AugAssign):
            yield f"line {node.lineno}: augmented assignment writes into an array that others hold"
        if isinstance(node, ast.Assign) and any(isinstance(target, ast.Subscript) for target in node.targets):
            yield f"line {node.lineno}: assigning into an array does not record"
        if not isinstance(node, ast.Call):
            continue
        if any(keyword.arg == "out" for keyword in node.keywords):
            yield f"line {node.lineno}: out= does not record"
        yield from _call(node.func, function, seen)


def _call(called: ast.expr, function: FunctionType, seen: set[Any]) -> Iterator[str]:
    if isinstance(called, ast.Name):
        target = function.__globals__.get(called.id)
        if isinstance(target, FunctionType):
            yield from _breaches(target, seen)
        elif called.id not in PLAIN:
            yield f"line {called.lineno}: {called.id}() is not known to run on Tensors"
    elif isinstance(called, ast.Attribute):
        base = function.__globals__.get(called.value.id) if isinstance(called.value, ast.Name) else None
        if base is np and called.attr in ("asarray", "array", "prod"):
            yield f"line {called.lineno}: np.{called.attr} detaches, or gives a NumPy scalar that widens float32"
        if base not in (np, math) and called.attr not in ("rule", "append", "join", "__getitem__", "index"):
            yield f"line {called.lineno}: .{called.attr}() is a method; arrays and Tensors differ there"


@pytest.mark.parametrize("rule", [r[3] for r in RULES], ids=[r[0] for r in RULES])
def test_rules_keep_to_the_dialect(rule: FunctionType) -> None:
    assert list(_breaches(rule, set())) == []


def _read(definition: ast.Lambda | ast.FunctionDef) -> set[str]:
    """The names whose values a rule reads: all uses but those of shape, ndim and dtype."""
    parents = {child: node for node in ast.walk(definition) for child in ast.iter_child_nodes(node)}
    return {
        node.id
        for node in ast.walk(definition)
        if isinstance(node, ast.Name) and not (isinstance(parents[node], ast.Attribute) and parents[node].attr in SPEC)
    }


@pytest.mark.parametrize(("op", "i", "rule"), [r[1:] for r in RULES], ids=[r[0] for r in RULES])
def test_rules_save_no_more_than_they_read(op: Op, i: int, rule: FunctionType) -> None:
    """That they save no less is seen when they run: what is not saved has a shape, but no values."""
    assert op.saves[i] <= _read(definition_of(rule))

"""The syntax tree of a derivative rule: for the page that lists the rules, the dialect check and the mutation test."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Any

Definition = ast.Lambda | ast.FunctionDef


@cache
def _definitions(file: str) -> list[Definition]:
    tree = ast.parse(Path(file).read_text())
    return [node for node in ast.walk(tree) if isinstance(node, ast.Lambda | ast.FunctionDef)]


def definition_of(function: Any) -> Definition:
    """The definition of `function` in its file; ValueError if it is not found there."""
    code = function.__code__
    names = list(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
    # An instruction's place, inside the body, tells lambdas on one line apart; those in column 0 have no place.
    inside = next((line, column) for line, _, column, _ in code.co_positions() if line and column)
    found = [
        node
        for node in _definitions(code.co_filename)
        if node.lineno == code.co_firstlineno
        and [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)] == names
        and (node.lineno, node.col_offset) <= inside <= (node.end_lineno or 0, node.end_col_offset or 0)
    ]
    if not found:
        raise ValueError(f"no definition found for {function.__qualname__} of {function.__module__}")
    return found[-1]


def formula(function: Any) -> str:
    """What a rule returns, as text; the name of a function that takes several statements."""
    definition = definition_of(function)
    if isinstance(definition, ast.Lambda):
        return ast.unparse(definition.body)
    only = definition.body[-1]
    if len(definition.body) == 1 and isinstance(only, ast.Return) and only.value is not None:
        return ast.unparse(only.value)
    return f"{definition.name}(...)"

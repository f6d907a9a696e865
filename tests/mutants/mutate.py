"""Wrong versions of a derivative rule, made mechanically from its syntax tree."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Sequence
from types import FunctionType
from typing import Any, NamedTuple

from autodiff.testing.source import Definition, definition_of

# A function of the left put in the place of one of the right, as a slip of the pen would.
TWINS = {
    "sin": "cos", "cos": "sin", "sinh": "cosh", "cosh": "sinh", "exp": "expm1", "log": "log1p", "tril": "triu",
    "triu": "tril", "maximum": "minimum", "minimum": "maximum", "greater": "less", "less": "greater", "floor": "ceil",
    "logical_and": "logical_or", "sum": "mean", "cumsum": "flip",
}  # fmt: skip
# Calls that can be forgotten: what is left is their first argument.
FORGETTABLE = {
    "swapaxes", "transpose", "sum", "conj", "flip", "negative", "reshape", "expand_dims", "tril", "triu",
    "broadcast_to", "abs", "sign", "square", "sqrt", "exp", "log", "roll", "cumsum", "squeeze", "moveaxis", "rot90",
}  # fmt: skip
COMPARISONS: dict[type[ast.cmpop], ast.cmpop] = {
    ast.Lt: ast.GtE(), ast.LtE: ast.Gt(), ast.Gt: ast.LtE(), ast.GtE: ast.Lt(), ast.Eq: ast.NotEq(),
    ast.NotEq: ast.Eq(),
}  # fmt: skip


class Mutant(NamedTuple):
    """A wrong rule, and what was changed in the right one."""

    rule: Callable[..., Any]
    change: str


def mutants(rule: FunctionType, inputs: Sequence[str]) -> Iterator[Mutant]:
    """All wrong versions of `rule`, each with one change; `inputs` are its arguments that are tensors."""
    definition = definition_of(rule)
    described = _described(definition)
    for index, node in enumerate(ast.walk(definition)):
        if node in described:
            continue
        for change, replacement in _changes(node, inputs):
            mutated = copy.deepcopy(definition)
            target = list(ast.walk(mutated))[index]
            if _replace(mutated, target, replacement):
                yield Mutant(_compiled(mutated, rule), f"{change}: {ast.unparse(node)} -> {ast.unparse(replacement)}")


def _described(definition: Definition) -> set[ast.AST]:
    """What only describes: annotations, and `g` where it stands for its shape or dtype, as all changes of it do."""
    annotations = [argument.annotation for argument in definition.args.args if argument.annotation]
    if isinstance(definition, ast.FunctionDef) and definition.returns:
        annotations.append(definition.returns)
    names = {
        node.value
        for node in ast.walk(definition)
        if isinstance(node, ast.Attribute) and node.attr in ("shape", "dtype", "ndim")
        and isinstance(node.value, ast.Name) and node.value.id == "g"
    }  # fmt: skip
    return names.union(*map(ast.walk, annotations))


def _changes(node: ast.AST, inputs: Sequence[str]) -> Iterator[tuple[str, ast.expr]]:
    """What could stand wrongly in the place of an expression."""
    if isinstance(node, ast.BinOp):
        yield from _wrong_operation(node)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "sign dropped", node.operand
    elif isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in COMPARISONS:
        yield "comparison turned", ast.Compare(node.left, [COMPARISONS[type(node.ops[0])]], node.comparators)
    elif isinstance(node, ast.Call):
        yield from _wrong_call(node)
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in ("g", "y", *inputs):
        yield from _wrong_name(node, inputs)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        yield "constant changed", ast.Constant(node.value + 1)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "negation dropped", node.operand
    elif isinstance(node, ast.BoolOp):
        yield "and for or", ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    elif isinstance(node, ast.IfExp):
        yield "branches exchanged", ast.IfExp(node.test, node.orelse, node.body)


def _wrong_operation(node: ast.BinOp) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node.op, ast.Mult | ast.MatMult):
        yield "factor dropped", node.left
        yield "factor dropped", node.right
        yield "factor doubled", ast.BinOp(node, ast.Mult(), ast.Constant(2))
    elif isinstance(node.op, ast.Div):
        yield "divisor dropped", node.left
        yield "divided twice", ast.BinOp(node, ast.Div(), node.right)
    elif isinstance(node.op, ast.Add):
        yield "sign turned", ast.BinOp(node.left, ast.Sub(), node.right)
        yield "term dropped", node.left
    elif isinstance(node.op, ast.Sub):
        yield "sign turned", ast.BinOp(node.left, ast.Add(), node.right)
        yield "term dropped", node.left
    elif isinstance(node.op, ast.BitAnd | ast.BitOr):
        other = ast.BitOr() if isinstance(node.op, ast.BitAnd) else ast.BitAnd()
        yield "and for or", ast.BinOp(node.left, other, node.right)
    elif isinstance(node.op, ast.Pow):
        yield "power dropped", node.left


def _wrong_call(node: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name == "where" and len(node.args) == 3:
        condition, yes, no = node.args
        yield "branches exchanged", ast.Call(node.func, [condition, no, yes], node.keywords)
        yield "mask forgotten", yes
    if name in TWINS and isinstance(node.func, ast.Attribute):
        yield (
            "other function",
            ast.Call(ast.Attribute(node.func.value, TWINS[name], ast.Load()), node.args, node.keywords),
        )
    if name in FORGETTABLE and node.args:
        yield "call forgotten", node.args[0]
    if name == "rule" and node.args:
        yield "call forgotten", node.args[0]
    if len(node.args) == 2 and name in ("matmul", "divide", "subtract", "rule"):
        yield "arguments exchanged", ast.Call(node.func, node.args[::-1], node.keywords)


def _wrong_name(node: ast.Name, inputs: Sequence[str]) -> Iterator[tuple[str, ast.expr]]:
    if node.id == "g":
        yield "sign turned", ast.UnaryOp(ast.USub(), node)
        yield "doubled", ast.BinOp(node, ast.Mult(), ast.Constant(2))
        yield "dropped", ast.BinOp(node, ast.Mult(), ast.Constant(0))
    elif node.id == "y":
        yield "input for output", ast.Name(inputs[0], ast.Load())
    else:
        yield "output for input", ast.Name("y", ast.Load())
        for other in inputs:
            if other != node.id:
                yield "other input", ast.Name(other, ast.Load())


def _replace(tree: ast.AST, target: ast.AST, replacement: ast.expr) -> bool:
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            if value is target:
                setattr(parent, field, replacement)
                return True
            if isinstance(value, list) and any(item is target for item in value):
                value[[item is target for item in value].index(True)] = replacement
                return True
    return False


def _compiled(definition: Definition, original: FunctionType) -> Callable[..., Any]:
    """The changed definition as a function with the globals, closure and defaults of the original."""
    free = original.__code__.co_freevars
    made = ast.FunctionDef(
        "make",
        ast.arguments([], [ast.arg(name) for name in free], None, [], [], None, []),
        [*([definition] if isinstance(definition, ast.FunctionDef) else []),
         ast.Return(ast.Name(definition.name, ast.Load()) if isinstance(definition, ast.FunctionDef) else definition)],
        [],
    )  # fmt: skip
    if isinstance(definition, ast.FunctionDef):
        definition.decorator_list = []
    module = ast.fix_missing_locations(ast.Module([made], []))
    space: dict[str, Any] = {}
    exec(compile(module, original.__code__.co_filename, "exec"), original.__globals__, space)
    rule: Callable[..., Any] = space["make"](*(cell.cell_contents for cell in original.__closure__ or ()))
    return rule

"""Every public function and method of the op table that is no op itself, and the table's completeness."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import autodiff as ad
from autodiff import methods, stub
from autodiff.op import OPS
from autodiff.testing.cases import EXPRESSIONS, NOT_DIFFERENTIABLE

CALLS = [(name, call) for name, calls in sorted(EXPRESSIONS.items()) for call in calls]
NAMESPACES: list[ModuleType] = [
    getattr(ad, name) for name in ("linalg", "special") if isinstance(getattr(ad, name, None), ModuleType)
]


def variables() -> dict[str, Any]:
    """What the expressions speak of: distinct values, so that nothing ties."""
    rng = np.random.default_rng(0)

    def distinct(*shape: int) -> ad.Tensor:
        values = np.linspace(0.25, 0.75, int(np.prod(shape)))
        return ad.tensor(rng.permutation(values).reshape(shape), requires_grad=True)

    mask = ad.tensor([[True, False, True], [False, False, True], [True, True, False]])
    return {"x": distinct(3, 3), "v": distinct(3), "s": distinct(2, 3, 3), "i": ad.tensor([2, 0]), "mask": mask}


def parts(result: Any) -> Iterator[Any]:
    if isinstance(result, tuple | list):
        for part in result:
            yield from parts(part)
    else:
        yield result


@pytest.mark.parametrize(("name", "call"), CALLS, ids=[call for _, call in CALLS])
def test_derivatives_of_first_and_second_order(name: str, call: str) -> None:
    known = variables()
    moving = [n for n in "xvs" if re.search(rf"\b{n}\b", call)]

    def function(*tensors: ad.Tensor) -> list[Any]:
        return list(parts(eval(call, {"ad": ad, **known, **dict(zip(moving, tensors, strict=True))})))

    inputs = [known[n] for n in moving]
    assert any(isinstance(y, ad.Tensor) and y.requires_grad for y in function(*inputs))
    # Central differences of numbers near 1 lose 1e-16 / 1e-6 to rounding, and 1e-12 f⁽³⁾ to the step.
    assert ad.gradcheck(function, inputs, atol=1e-6, rtol=1e-6)
    assert ad.gradgradcheck(function, inputs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("name", "call"), CALLS, ids=[call for _, call in CALLS])
def test_the_method_does_what_the_function_does(name: str, call: str) -> None:
    as_method = re.match(rf"^ad\.{name}\((\w)(?:, )?(.*)$", call, re.DOTALL)
    if as_method is None or not hasattr(ad.Tensor, name):
        return
    known = {"ad": ad, **variables()}
    expected = list(parts(eval(call, known)))
    found = list(parts(eval(f"{as_method[1]}.{name}({as_method[2]}", known)))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())
        assert a.requires_grad == b.requires_grad


def public() -> set[str]:
    """The names of all functions that come from the op table: in `ad`, its namespaces, and the methods."""
    found = {name for family, names in methods.METHODS.items() if family.__name__.startswith("autodiff.ops")
             for name in names.split()}  # fmt: skip
    for module in (ad, *NAMESPACES):
        for name in getattr(module, "__all__", dir(module)):
            if str(getattr(getattr(module, name, None), "__module__", "")).startswith("autodiff.ops"):
                found.add(name)
    return found


def test_every_public_function_is_checked() -> None:
    """A function that is no op must be in EXPRESSIONS of its family, or in NOT_DIFFERENTIABLE."""
    differentiable = {name for name, op in OPS.items()}
    assert sorted(public() - differentiable - set(EXPRESSIONS) - NOT_DIFFERENTIABLE) == []


@pytest.mark.parametrize("name", sorted(NOT_DIFFERENTIABLE))
def test_the_others_exist(name: str) -> None:
    holders = [ad, ad.Tensor, *NAMESPACES]
    assert any(callable(getattr(holder, name, None)) for holder in holders)


def test_the_stub_is_up_to_date() -> None:
    """Run `python -m autodiff.stub` when this fails."""
    assert Path(stub.__file__).with_name("_signatures.pyi").read_text() == stub.text()

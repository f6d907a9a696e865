"""Constructors, conversions and questions about dtypes beside PyTorch's."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
from tests.parity.beside_torch import DTYPES, agree, laid_out

NAN, INF = math.nan, math.inf
KINDS: list[Any] = [None, *DTYPES]


def of(m: Any, dtype: str | None) -> Any:
    return None if dtype is None else getattr(m, dtype)


LENGTHS: list[Any] = [(2, 3), (), (0, 2), [2], (1,), (-1, 2), (2.0,), ("a",), ([2],), (True,)]


@pytest.mark.parametrize("dtype", KINDS)
def test_filled(dtype: str | None) -> None:
    for size, name in product(LENGTHS, ("zeros", "ones")):
        for needs in (False, True):
            agree(lambda m, name=name, n=size, r=needs: getattr(m, name)(n, dtype=of(m, dtype), requires_grad=r))
        agree(lambda m, name=name, n=size: getattr(m, name)(size=n, dtype=of(m, dtype), device="cpu"))
        if size:
            agree(lambda m, name=name, n=size: getattr(m, name)(*n, dtype=of(m, dtype)))
        agree(lambda m, n=size: m.empty(n, dtype=of(m, dtype)).fill_(1))
    for value in (0, 3, -1, 2.7, True, NAN, INF, 200, 1e5):
        whole = dtype is not None and "int" in dtype
        if (whole and (value != value or value > 1e4)) or (dtype in ("int8", "float16") and value >= 200):
            continue  # see test_what_does_not_fit
        if dtype == "uint8" and value == -1:
            continue  # PyTorch lets it wrap to 255, where 300 is an error; here both are, as in NumPy
        agree(lambda m, v=value: m.full((2,), v, dtype=of(m, dtype)))
        agree(lambda m, v=value: m.full(size=[1, 2], fill_value=v, dtype=of(m, dtype)))
        if dtype is not None:
            agree(
                lambda m, x, v=value: (m.full_like(x, v), x.new_full((2,), v)), np.ones((2, 2), dtype), needs=(False,)
            )
        agree(lambda m, v=value: m.scalar_tensor(v, dtype=of(m, dtype)))
        agree(lambda m, v=value: m.tensor([v, 1], dtype=of(m, dtype)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_like_another(dtype: str) -> None:
    for other, layout, shape in product(KINDS, ("contiguous", "transposed"), [(), (2, 3), (0, 2)]):
        x = laid_out(np.ones(shape, dtype), layout)
        agree(lambda m, x, to=other: (m.zeros_like(x, dtype=of(m, to)), m.ones_like(x, dtype=of(m, to))), x)
        agree(lambda m, x, to=other: m.empty_like(x, dtype=of(m, to)).fill_(1), x)
        agree(lambda m, x, to=other: m.full_like(x, 1, dtype=of(m, to)), x)
        agree(
            lambda m, x, to=other: [
                *(getattr(x, f"new_{name}")(2, 3, dtype=of(m, to)) for name in ("zeros", "ones")),
                *(getattr(x, f"new_{name}")((2,)) for name in ("zeros", "ones")),
                *(getattr(x, f"new_{name}")(size=(0, 2)) for name in ("zeros", "ones")),
                x.new_empty(2, dtype=of(m, to)).fill_(0), x.new_full((2,), 1, dtype=of(m, to)),
                x.new_tensor([0, 1], dtype=of(m, to)), x.new_tensor([[1.5]]), x.new_tensor(2), x.new_tensor(np.ones(2)),
            ],
            x,
        )  # fmt: skip
    agree(lambda m, x: m.zeros_like(x, requires_grad=True), np.ones(2, dtype))
    agree(lambda m, x: x.new_ones(2, requires_grad=True, device="cpu"), np.ones(2, dtype))
    agree(lambda m, x: (x.new_zeros(-1), x.new_full(2, 1), x.new_tensor("a")), np.ones(2, dtype))


ENDS: list[Any] = [
    (5,), (0,), (2.5,), (-1,), (1, 4), (4, 1), (4, 1, -1), (0, 1, 0.1), (1, 2, 0.1), (5, 0, -2), (0, 5, 2), (3, 3),
    (0, 3, 0), (0, 1, -0.5), (NAN,), (INF,), (0, INF), (True,), (1, 2, 0.25), (0.5, 5, 1.5), (-2.5, 2.5),
    (3, 3, -1), (1e3, 1e4, 7e2), (0.1, 0.7, 0.1), (-1, 1, 1 / 3), (0, 2**40, 2**38), ("a",), (None,),
]  # fmt: skip


@pytest.mark.parametrize("ends", ENDS, ids=str)
def test_arange(ends: tuple[Any, ...]) -> None:
    for dtype in KINDS:
        numbers = [end for end in ends if isinstance(end, int | float)]
        if dtype in ("uint8", "int8", "int16", "int32"):
            # Beyond the dtype; and fractions, of which PyTorch makes the length, but not the numbers, int64 excepted.
            if any(abs(end) > 127 or end != int(end) for end in numbers if math.isfinite(end)):
                continue
            if dtype == "uint8" and min(numbers, default=0) < 0:
                continue
        if dtype == "float16" and max(numbers, default=0) > 60000:
            continue
        agree(lambda m, to=dtype: m.arange(*ends, dtype=of(m, to)))
    agree(lambda m: m.arange(*(m.tensor(end) for end in ends)))
    agree(lambda m: m.arange(*ends, requires_grad=True))
    agree(lambda m: m.arange(end=ends[0], device="cpu"))
    if len(ends) > 1:
        agree(lambda m: m.arange(**dict(zip(("start", "end", "step"), ends, strict=False))))


SPACES = [(0, 1), (1, 0), (-5, 10), (0, 10), (2.5, 2.5), (-1.5, 3.25), (0.5, 10.7), (0, -7)]


@pytest.mark.parametrize("ends", SPACES, ids=str)
def test_linspace_and_logspace(ends: tuple[float, float]) -> None:
    for steps, dtype in product([0, 1, 2, 3, 4, 5, 7, 10, 31, -1, 2.5], KINDS):
        if (dtype == "uint8" and min(ends) < 0) or (dtype == "bool" and steps in (0, 1)):
            continue  # beyond the dtype; PyTorch has bools up to one of them
        agree(lambda m, n=steps, to=dtype: m.linspace(*ends, n, dtype=of(m, to)))
        if dtype not in ("uint8", "int8", "int16", "int32", "float16"):
            agree(lambda m, n=steps, to=dtype: m.logspace(*ends, n, dtype=of(m, to)))
        for base in (2, 0.5, 1):
            agree(lambda m, n=steps, to=dtype, base=base: m.logspace(*ends, n, base=base, dtype=of(m, to)))
    agree(lambda m: m.linspace(start=ends[0], end=ends[1], steps=4, requires_grad=True, device="cpu"))
    agree(lambda m: m.linspace(m.tensor(ends[0]), m.tensor(ends[1]), 4))
    agree(lambda m: m.linspace(m.tensor([0.0]), 1, 4))
    agree(lambda m: m.linspace(0, 1))
    agree(lambda m: m.logspace(0, 2, 3, 3))
    agree(lambda m: m.logspace(0, 1, 3, base=-2), tolerance=1e-6)


def test_identity_and_triangles() -> None:
    for n, m_, dtype in product((0, 1, 2, 3, -1), (None, 0, 2, 4, -1), KINDS):
        agree(lambda m, n=n, k=m_, to=dtype: m.eye(n, *([] if k is None else [k]), dtype=of(m, to)))
    agree(lambda m: m.eye(2.0))
    agree(lambda m: m.eye(n=2, m=3, requires_grad=True))
    for rows, columns, offset in product((0, 1, 3, 4, -1), (0, 2, 3, -1), (-2, -1, 0, 1, 5, -9)):
        agree(lambda m, at=(rows, columns, offset): (m.tril_indices(*at), m.triu_indices(*at)))
    for dtype in DTYPES:
        agree(lambda m, to=dtype: m.tril_indices(row=2, col=3, offset=1, dtype=of(m, to)))
        agree(lambda m, to=dtype: m.triu_indices(2, 3, dtype=of(m, to)))


BEYOND_INT64 = 2**70
DATA: list[Any] = [
    1, 1.5, True, [], [[]], [1, 2.5], [True, 2], ((1, 2), (3, 4)), [[1], [2, 3]], [1, [2]], range(3), "a", None,
    [None], {1}, object, np.arange(3), np.ones(2), np.float32(2), np.int16(2), np.zeros((0, 2), "float16"),
    2**62, 2**63, BEYOND_INT64, [2**63], 1e300, NAN, [True, 0.5], np.array([True]), np.array(["a"]),
    [[[1.0]]], {"a": 1}, lambda: 1,
]  # fmt: skip


@pytest.mark.parametrize("data", DATA, ids=repr)
def test_data(data: Any) -> None:
    for dtype in (None, "float32", "float64", "int64", "bool"):
        if (type(data) is np.float32 and dtype in ("int64", "bool")) or (data is BEYOND_INT64 and dtype != "int64"):
            continue  # PyTorch refuses one NumPy float as an integer; here whole numbers are those of int64
        for name in ("tensor", "as_tensor", "asarray"):
            agree(lambda m, name=name, to=dtype: getattr(m, name)(data, dtype=of(m, to)))
    agree(lambda m: m.tensor(data, requires_grad=True))
    agree(lambda m: m.asarray(data, requires_grad=True))
    for copy in () if isinstance(data, np.generic) or data is BEYOND_INT64 else (True, False):
        agree(lambda m, copy=copy: m.asarray(data, copy=copy))
        agree(lambda m, copy=copy: m.asarray(data, copy=copy, dtype=m.float64))


def test_asarray_of_a_tensor() -> None:
    for copy, requires_grad, dtype in product((None, True, False), (None, True, False), (None, "float64", "float32")):
        options = {"copy": copy} if requires_grad is None else {"copy": copy, "requires_grad": requires_grad}

        def made(m: Any, x: Any, options: Any = options, dtype: Any = dtype) -> Any:
            y = m.asarray(x, dtype=of(m, dtype), **options)
            # With requires_grad=False PyTorch answers the tensor itself, which then no longer requires grad.
            return y, y.is_leaf, "requires_grad" not in options and y is x

        agree(made, np.ones(2))
        agree(made, np.ones(2), needs=(False,))
        agree(lambda m, x: made(m, x * 2), np.ones(2))


def test_what_does_not_fit() -> None:
    """PyTorch raises, but lets -1 of a uint8 wrap; here both raise where NumPy would."""
    for value, dtype in [(300, "uint8"), (200, "int8"), (NAN, "int64"), (INF, "int32")]:
        agree(lambda m, v=value, to=dtype: m.tensor([v], dtype=of(m, to)))
        agree(lambda m, v=value, to=dtype: m.full((2,), v, dtype=of(m, to)))


CONVERSIONS: list[Callable[[Any, Any], Any]] = [
    *(lambda m, x, name=name: getattr(x, name)() for name in
      ("bool", "byte", "char", "short", "int", "long", "half", "float", "double", "type", "clone", "cpu", "contiguous",
       "is_complex", "is_signed", "is_floating_point", "nelement", "dim")),
    *(lambda m, x, to=to: (x.to(of(m, to)), x.type(of(m, to)), x.to(dtype=of(m, to)), x.to("cpu", of(m, to)))
      for to in DTYPES),
    *(lambda m, x, to=to: (x.type_as(m.zeros(1, dtype=of(m, to))), x.to(m.zeros(1, dtype=of(m, to)))) for to in DTYPES),
    *(lambda m, x, kind=kind: x.type(f"torch.{kind}Tensor") for kind in
      ("Bool", "Byte", "Char", "Short", "Int", "Long", "Half", "Float", "Double", "Nonsense")),
    lambda m, x: x.type(dtype=m.float64),
    lambda m, x: x.type("nonsense"),
    lambda m, x: (x.to(copy=True) is x, x.to() is x, x.to(x.dtype, copy=True) is x, x.to(x.dtype) is x),
    lambda m, x: (x.to("cpu", x.dtype, False, True) is x, x.to("cpu", x.dtype, True) is x),
    lambda m, x: x.to(x.dtype, False, True) is x,
    lambda m, x: (m.is_complex(x), m.is_floating_point(x), m.is_tensor(x), m.is_signed(x), m.numel(x)),
    lambda m, x: x.detach_(),
    lambda m, x: (x.clone() * 2).detach_().is_leaf,
    lambda m, x: (x.itemsize, x.nbytes, x.element_size()),
]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
def test_conversions(dtype: str) -> None:
    values = [True, False, True] if dtype == "bool" else [0, 1, 3] if dtype == "uint8" else [0, -1, 3]
    fraction = 0.5 if "float" in dtype else 0
    for convert, layout in product(CONVERSIONS, ("contiguous", "strided")):
        x = (np.array(values) + (0 if dtype == "bool" else fraction)).astype(dtype)
        if fraction:
            x = np.abs(x)  # a negative float turned into a uint8 is undefined
        agree(convert, laid_out(x, layout))


NUMBERS: list[Any] = [1, 2.5, True]


def test_result_type_promote_types_can_cast() -> None:
    for a, b in product(DTYPES, DTYPES):
        agree(lambda m, a=a, b=b: str(m.promote_types(of(m, a), of(m, b))).removeprefix("torch."))
        agree(lambda m, a=a, b=b: (m.can_cast(of(m, a), of(m, b)), m.can_cast(from_=of(m, a), to=of(m, b))))
        for first, second in product([(), (2,)], [(), (2,)]):
            xs = np.ones(first, a), np.ones(second, b)
            agree(lambda m, x, y: str(m.result_type(x, y)).removeprefix("torch."), *xs)
    for a, number in product(DTYPES, NUMBERS):
        agree(lambda m, x, n=number: str(m.result_type(x, n)).removeprefix("torch."), np.ones(2, a))
        agree(lambda m, x, n=number: str(m.result_type(n, x)).removeprefix("torch."), np.ones((), a))
    for a, b in product(NUMBERS, NUMBERS):
        agree(lambda m, a=a, b=b: str(m.result_type(a, b)).removeprefix("torch."))
    agree(lambda m, x: m.result_type(x), np.ones(2))
    agree(lambda m, x: m.result_type(x, "a"), np.ones(2))


def test_limits_of_dtypes() -> None:
    def limits(m: Any, name: str, dtype: Any) -> Any:
        info = getattr(m, name)(*([] if dtype is None else [of(m, dtype)]))
        fields = ["bits", "min", "max", "dtype"]
        fields += ["eps", "tiny", "smallest_normal", "resolution"] if name == "finfo" else []
        return [getattr(info, field) for field in fields]

    for name, dtype in product(("finfo", "iinfo"), KINDS):
        agree(lambda m, name=name, to=dtype: limits(m, name, to))
    assert repr(ad.iinfo(ad.int8)) == repr(torch.iinfo(torch.int8))


@given(st.integers(-50, 50), st.integers(-50, 50), st.integers(0, 40))
def test_whole_numbers_at_equal_distances(start: int, end: int, steps: int) -> None:
    agree(lambda m: (m.linspace(start, end, steps), m.linspace(start, end, steps, dtype=m.float64)))
    agree(lambda m: m.arange(start, end, (steps + 1) / 7 if end > start else -(steps + 1) / 7, dtype=m.float64))

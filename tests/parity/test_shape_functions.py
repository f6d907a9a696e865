"""Repetition, rotation, windows, diagonals and grids beside PyTorch's, with right and wrong arguments."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

import autodiff as ad
from tests.parity.beside_torch import DTYPES, Array, agree, laid_out

SHAPED = [(), (1,), (4,), (2, 3), (3, 2, 4), (1, 3, 1), (0,), (0, 3)]
AXES = range(-4, 4)
PAIRS = list(product(AXES, AXES))
COUNTS = [(2,), (1, 2), (2, 1, 3), (0, 2, 1), (2, 2, 1, 2), (1, -1, 1), (), (-1,), (1.5,), (0,)]
RUNS: list[Any] = [0, 1, 3, -1, 1.5, [2], [0, 2, 1], [1, 2], [2, -1], [[1, 2]], [1.0], [], [3, 0, 1, 2], 2]
SHIFTS: list[Any] = [1, -4, 0, 7, (1,), (1, 2), (1, -1, 2), (), 1.5]
ROLLED: list[Any] = [None, 0, -1, 2, (0,), (0, 1), (1, 0, 1), (-1, 0), (), 5, (0, 5)]
TURNS = [(0, 1), (1, 0), (-1, 0), (0, 0), (0, -2), (0,), (0, 1, 2), (2, 0), (0, 7), ()]
SIZES = [(), (2,), (2, 2), (2, 3), (3, 2, 2), (0, 3), (7,), (-1, 2)]
STRIDES = [(), (1,), (0,), (2, 1), (1, 1), (1, 2), (0, 1), (2, 1, 3), (4, 4), (-1, 1), (9,)]
OFFSETS = [None, 0, 1, 5, -1, 30]


def runs(m: Any, x: Any, repeats: Any, dim: int | None) -> Any:
    if isinstance(repeats, list):
        repeats = m.tensor(repeats, dtype=None if repeats else m.int64)
    return x.repeat_interleave(repeats, dim), m.repeat_interleave(x, repeats, dim=dim)


def strided(m: Any, x: Any, at: tuple[Any, ...]) -> Any:
    return m.as_strided(x, *at), x.as_strided(size=at[0], stride=at[1], storage_offset=at[2])


# The arguments, and what is done with each of them.
FUNCTIONS: dict[str, tuple[list[Any], Callable[[Any, Any, Any], Any]]] = {
    "repeat": (COUNTS, lambda m, x, n: (x.repeat(n), x.repeat(*n), x.repeat(repeats=n))),
    "tile": (COUNTS, lambda m, x, n: (m.tile(x, n), x.tile(*n), m.tile(x, dims=n))),
    "repeat_interleave": (list(product(RUNS, (None, *range(-3, 3)))), lambda m, x, at: runs(m, x, *at)),
    "flip": (
        [(0,), (-1,), (0, 1), (1, -1), (0, 0), (0, 5), (0, 1, 2)],
        lambda m, x, dims: (m.flip(x, dims), x.flip(*dims), x.flip(dims=dims), m.flip(x, list(dims))),
    ),
    "fliplr, flipud": ([None], lambda m, x, _: (m.flipud(x), x.flipud())),
    "fliplr": ([None], lambda m, x, _: (m.fliplr(x), x.fliplr())),
    "rot90": (
        list(product((0, 1, 2, 3, 4, -1, -6), TURNS)),
        lambda m, x, at: (m.rot90(x, *at), x.rot90(k=at[0], dims=at[1])),
    ),
    "rot90 once": ([None], lambda m, x, _: (m.rot90(x), x.rot90())),
    "roll": (list(product(SHIFTS, ROLLED)), lambda m, x, at: (m.roll(x, *at), x.roll(shifts=at[0], dims=at[1]))),
    "roll flat": (SHIFTS, lambda m, x, shifts: (m.roll(x, shifts), x.roll(shifts))),
    "unfold": (
        list(product(range(-3, 3), (0, 1, 2, 4, 5, -1), (1, 2, 5, 0, -1))),
        lambda m, x, at: (x.unfold(*at), x.unfold(dimension=at[0], size=at[1], step=at[2])),
    ),
    "diagonal": (
        list(product((0, 1, -1, 4, -4), PAIRS)),
        lambda m, x, at: (m.diagonal(x, at[0], *at[1]), x.diagonal(offset=at[0], dim1=at[1][0], dim2=at[1][1])),
    ),
    "diagonal of a matrix": ([None], lambda m, x, _: (m.diagonal(x), x.diagonal())),
    "diag": ([0, 1, -2, 5], lambda m, x, k: (m.diag(x, k), x.diag(diagonal=k), m.diag(x))),
    "diag_embed": (
        list(product((0, 1, -2), PAIRS)),
        lambda m, x, at: (m.diag_embed(x, at[0], *at[1]), x.diag_embed(offset=at[0], dim1=at[1][0], dim2=at[1][1])),
    ),
    "diagflat": ([0, 1, -2], lambda m, x, k: (m.diagflat(x, k), x.diagflat(offset=k), x.diagflat())),
    "trace": ([None], lambda m, x, _: (m.trace(x), x.trace())),
    "triangles": ([0, 1, -1, 5, -5], lambda m, x, k: (m.tril(x, k), m.triu(x, k), x.tril(diagonal=k), x.triu())),
    "atleast_1d": ([None], lambda m, x, _: (m.atleast_1d(x), *m.atleast_1d(x, x), *m.atleast_1d([x]))),
    "atleast_2d": ([None], lambda m, x, _: (m.atleast_2d(x), *m.atleast_2d((x, x)))),
    "atleast_3d": ([None], lambda m, x, _: (m.atleast_3d(x), *m.atleast_3d(x, x))),
    "adjoint": ([None], lambda m, x, _: (m.adjoint(x), x.adjoint(), x.mT, x.mH)),
    "H": ([None], lambda m, x, _: x.H),
    "moveaxis": ([*PAIRS, ((0, 1), (1, 0))], lambda m, x, dims: (m.moveaxis(x, *dims), x.moveaxis(*dims))),
    "swapaxes": (PAIRS, lambda m, x, dims: (m.swapaxes(x, *dims), x.swapaxes(axis0=dims[0], axis1=dims[1]))),
    "combinations": (
        list(product((0, 1, 2, 3, 6, -1), (False, True))),
        lambda m, x, at: (m.combinations(x, *at), m.combinations(x, r=at[0], with_replacement=at[1])),
    ),
    "combinations of two": ([None], lambda m, x, _: m.combinations(x)),
    "squeeze": ([(0, 0), (0, -1), (0, 2), [0], ()], lambda m, x, dims: (m.squeeze(x, dims), x.squeeze(dims))),
    "named": (
        [None],
        lambda m, x, _: (
            x.reshape(shape=(-1,)), x.view(size=(-1,)), x.expand(size=(2, *x.shape)),
            m.permute(x, dims=tuple(range(x.ndim))),
            x.permute(dims=list(range(x.ndim))), m.reshape(x, shape=[-1]), m.broadcast_to(x, size=x.shape),
        ),
    ),
    "sizes": (
        [None],
        lambda m, x, _: (x.nelement(), x.ndimension(), x.nbytes, x.itemsize, m.numel(x), x.element_size()),
    ),
    "strides": ([*AXES], lambda m, x, dim: (x.stride(dim), x.size(dim))),
    "nothing given": (
        ["repeat", "tile", "flip", "view", "expand", "permute", "unfold", "roll", "as_strided", "reshape"],
        lambda m, x, name: getattr(x, name)(),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("shape", SHAPED, ids=str)
def test_functions(name: str, shape: tuple[int, ...]) -> None:
    arguments, call = FUNCTIONS[name]
    x = np.arange(float(math.prod(shape))).reshape(shape)
    if name == "roll" and not x.size:
        # PyTorch does not look at the axis where there is nothing to roll; here a wrong one is an IndexError.
        arguments = [(shifts, dims) for shifts, dims in arguments if dims in (None, 0, (0,), ())]
    for argument in arguments:
        for layout in ("contiguous", "transposed"):
            agree(lambda m, x, argument=argument: call(m, x, argument), laid_out(x, layout))


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in ("sizes", "strides")])
def test_dtypes(name: str) -> None:
    arguments, call = FUNCTIONS[name]
    for dtype, shape in product(DTYPES, [(4,), (3, 3)]):
        x = np.arange(math.prod(shape)).reshape(shape).astype(dtype)
        for argument in arguments[:: max(1, len(arguments) // 8)]:
            agree(lambda m, x, argument=argument: call(m, x, argument), x)


@pytest.mark.parametrize("offset", OFFSETS)
def test_as_strided(offset: int | None) -> None:
    for shape, size, stride in product([(6,), (2, 3), (2, 2, 2), (), (0,)], SIZES, STRIDES):
        x = np.arange(float(math.prod(shape))).reshape(shape)
        for layout in ("contiguous", "transposed"):
            agree(lambda m, x, at=(size, stride, offset): strided(m, x, at), laid_out(x, layout))


@pytest.mark.parametrize("cut", [slice(1, None), slice(1, 3), slice(None, None, 2)], ids=str)
def test_as_strided_of_a_view_reads_the_memory_around_it(cut: slice) -> None:
    x = np.arange(12.0).reshape(4, 3)
    for size, stride, offset in product(SIZES, STRIDES, OFFSETS):
        at = size, stride, offset
        agree(lambda m, x, at=at: (strided(m, x[cut], at), x[cut].storage_offset()), x, needs=(False,))


def test_windows_are_views() -> None:
    def written(m: Any, x: Any, part: Callable[[Any], Any]) -> Any:
        x = x.clone()
        part(x).fill_(7)
        return x

    parts: list[Callable[[Any], Any]] = [
        lambda x: x.diagonal(1), lambda x: x.unfold(0, 2, 2)[0], lambda x: x.as_strided((2,), (4,), 1),
        lambda x: x[1:].as_strided((2,), (1,)), lambda x: x.t().unfold(0, 1, 2), lambda x: x.mT[0], lambda x: x.H[:, 1],
        lambda x: x.t()[1:].diagonal(), lambda x: x.view(-1)[2:4],
    ]  # fmt: skip
    for part in parts:
        agree(lambda m, x, part=part: written(m, x, part), np.arange(9.0).reshape(3, 3), needs=(False,), errors=False)


def test_windows_of_windows_have_second_derivatives() -> None:
    def second(m: Any, x: Any, g: Any, call: Callable[[Any, Any], Any]) -> Any:
        grad = m.autograd.grad if hasattr(m, "autograd") else m.grad
        y = (call(m, x) ** 3).sum()
        (first,) = grad(y, [x], create_graph=True)
        return grad((first * g).sum(), [x])[0]

    calls: list[Callable[[Any, Any], Any]] = [
        lambda m, x: x.unfold(0, 2, 1).unfold(1, 3, 2),
        lambda m, x: m.as_strided(x, (3, 3), (1, 2)),
        lambda m, x: m.as_strided(x.t(), (3, 3), (1, 4)),
        lambda m, x: x.repeat_interleave(m.tensor([0, 3, 1]), 0).roll((1, 2), (0, 1)),
        lambda m, x: x.repeat(2, 1, 2).diagonal(1, 0, 2),
        lambda m, x: m.diag_embed(x.rot90(), 1).tril(),
    ]
    rng = np.random.default_rng(0)
    for call in calls:
        x, g = rng.standard_normal((2, 3, 5))
        agree(lambda m, x, g, call=call: second(m, x, g, call), x, g, needs=(True, False), errors=False)


def test_repeat_interleave_of_counts_alone() -> None:
    for counts in ([1, 0, 2], [], [0], [-1, 2], [[1, 2]], 3):
        for dtype in ("int64", "int32", "int8", "float32"):
            agree(lambda m, n: (m.repeat_interleave(n), m.repeat_interleave(repeats=n)), np.array(counts, dtype))
    for size in (3, 2, None):
        agree(lambda m, n, size=size: m.repeat_interleave(n, output_size=size), np.array([1, 2]))
        agree(lambda m, x, n, size=size: m.repeat_interleave(x, n, 0, output_size=size), np.ones(2), np.array([1, 2]))
        agree(lambda m, x, size=size: m.repeat_interleave(x, 3, output_size=size), np.ones(1))


VECTORS = [(3,), (2,), (), (0,), (1,), (2, 2)]


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_grids(count: int) -> None:
    for shapes in product(VECTORS, repeat=count):
        inputs = [np.arange(float(math.prod(shape))).reshape(shape) + i for i, shape in enumerate(shapes)]
        agree(lambda m, *xs: m.cartesian_prod(*xs), *inputs)
        agree(lambda m, *xs: m.meshgrid(*xs), *inputs)
        for indexing in ("ij", "xy", "ji"):
            agree(lambda m, *xs, how=indexing: m.meshgrid(*xs, indexing=how), *inputs)
            agree(lambda m, *xs, how=indexing: m.meshgrid(list(xs), indexing=how), *inputs)
    agree(lambda m, x, y: m.meshgrid(x, y, indexing="ij"), np.ones(2), np.ones(2, np.float32))
    agree(lambda m, x, y: m.cartesian_prod(x, y), np.ones(2), np.ones(2, int))


SHAPES: list[Any] = [(), (1,), (3,), (2, 1), (2, 3), (0,), (-1,), 3, [2], (1, 0)]


def test_broadcast_shapes() -> None:
    for count in range(4):
        for shapes in product(SHAPES, repeat=count):
            agree(lambda m, shapes=shapes: tuple(m.broadcast_shapes(*shapes)))


def test_view_as_another_dtype() -> None:
    for dtype, other, shape in product(DTYPES, DTYPES, [(4,), (2, 8), (3,), ()]):
        x = np.ones(shape, dtype)
        for layout in ("contiguous", "transposed"):
            agree(lambda m, x, to=other: x.view(getattr(m, to)), laid_out(x, layout))
    agree(lambda m, x: (x.view(dtype=m.int64), x.view(float), x.view(int)), np.ones(3))


def test_what_is_not_a_tensor_is_refused() -> None:
    for name in ("roll", "trace", "diagonal", "atleast_1d", "fliplr", "numel", "is_floating_point", "is_complex"):
        agree(lambda m, name=name: getattr(m, name)(3))
        agree(lambda m, name=name: getattr(m, name)([3.0]))


def test_numpy_functions_on_tensors_are_numpys() -> None:
    x = np.random.default_rng(0).standard_normal((3, 4))
    calls: list[Callable[[Array], Any]] = [
        lambda x: np.tile(x, 2), lambda x: np.tile(x, (2, 1, 2)), lambda x: np.repeat(x, 2), lambda x: np.roll(x, 1),
        lambda x: np.repeat(x, [1, 0, 2], axis=0), lambda x: np.roll(x, (1, 2), (0, 1)), lambda x: np.rot90(x, 3),
        lambda x: np.flip(x), lambda x: np.flip(x, 1), lambda x: np.fliplr(x), lambda x: np.flipud(x),
        lambda x: np.diagonal(x, 1), lambda x: np.tril(x, 1), lambda x: np.triu(x), lambda x: np.swapaxes(x, 0, 1),
        lambda x: np.atleast_1d(x), lambda x: np.atleast_3d(x), lambda x: np.diag(x, 1), lambda x: np.diagflat(x),
        lambda x: np.trace(x), lambda x: np.atleast_2d(x[0]), lambda x: np.broadcast_to(x, shape=(2, 3, 4)),
        lambda x: np.moveaxis(x, 0, 1), lambda x: np.expand_dims(x, (0, 2)), lambda x: np.broadcast_to(x, (2, 3, 4)),
    ]  # fmt: skip
    for call in calls:
        np.testing.assert_array_equal(call(ad.tensor(x)).numpy(), call(x))


def test_large_copies_and_triangles() -> None:
    """Beyond some sizes copies go in blocks and triangles by bits."""
    x = np.random.default_rng(0).standard_normal((3, 301, 277)).astype(np.float32)
    x[0, 5] = np.nan
    calls: list[Callable[[Any, Any], Any]] = [
        lambda m, x: x.mT.contiguous(), lambda m, x: x.permute(2, 0, 1).clone(),
        lambda m, x: x.permute(2, 1, 0).contiguous(),
        lambda m, x: x.permute(1, 0, 2).contiguous(), lambda m, x: x[:, ::2].mT.clone(),
        lambda m, x: x[0].expand(2, -1, -1).clone(),
        lambda m, x: x[:, :, :1].expand(-1, -1, 300).contiguous(), lambda m, x: m.rot90(x, 1, (1, 2)).contiguous(),
        lambda m, x: x.tril(-3), lambda m, x: x.triu(2), lambda m, x: (x > 0).tril(), lambda m, x: x.mT.triu(),
    ]  # fmt: skip
    for call in calls:
        agree(call, x, errors=False)
    for dtype in DTYPES:
        agree(lambda m, x: (x.tril(), x.triu(-1), x.t().contiguous()), np.ones((300, 310), dtype), errors=False)

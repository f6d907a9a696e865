"""Products, contractions and norms beside PyTorch's: values, dtypes, layouts, gradients, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
from tests.parity.beside_torch import DTYPES, agree, laid_out

INF = float("inf")
SHAPES = [(), (1,), (3,), (2, 3), (3, 2), (3, 3), (2, 3, 3), (2, 1, 3, 2), (0,), (0, 3), (3, 0), (4, 2, 3), (2, 0, 3)]
LAYOUTS = ["contiguous", "transposed", "strided"]
PAIRWISE = ["matmul", "mm", "bmm", "mv", "dot", "vdot", "inner", "outer", "ger", "kron", "cross"]


def drawn(*shapes: tuple[int, ...], dtype: str = "float64", seed: int = 0) -> list[Any]:
    rng = np.random.default_rng(seed)
    return [np.asarray(3 * rng.standard_normal(shape)).astype(dtype) for shape in shapes]


def both(name: str, *args: Any, **options: Any) -> Callable[..., Any]:
    """As a function, and as a method where PyTorch has one."""

    def call(m: Any, x: Any, *rest: Any) -> Any:
        as_function = getattr(m, name)(x, *rest, *args, **options)
        return as_function, getattr(x, name)(*rest, *args, **options)

    return call


@pytest.mark.parametrize("name", PAIRWISE)
@pytest.mark.parametrize("a", SHAPES, ids=str)
def test_products(name: str, a: tuple[int, ...]) -> None:
    # PyTorch's kron fails on tensors that are not contiguous.
    for b, layout in product(SHAPES, LAYOUTS[: 1 if name == "kron" else 3]):
        x, y = drawn(a, b)
        agree(both(name), laid_out(x, layout), laid_out(y, layout))


@pytest.mark.parametrize("name", PAIRWISE)
def test_dtypes_of_products(name: str) -> None:
    a, b = {"bmm": ((2, 3, 3), (2, 3, 3)), "mv": ((3, 3), (3,)), "mm": ((3, 3), (3, 3))}.get(name, ((3,), (3,)))
    for left, right in product(DTYPES, DTYPES):
        agree(both(name), *drawn(a, dtype=left), *drawn(b, dtype=right))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "int64"])
def test_integers_wrap_around(dtype: str) -> None:
    info = np.iinfo(dtype)
    rng = np.random.default_rng(0)
    for low, high in ((info.min, info.max), (0, 100), (info.max // 2, info.max)):
        x, y = (rng.integers(low, high, (5, 5), dtype=dtype, endpoint=True) for _ in range(2))
        agree(lambda m, x, y: (x @ y, x[0] @ y, x @ y[0], x[0] @ y[0], m.einsum("ij,kj->ki", x, y)), x, y)


@given(data=st.data())
def test_matmul_of_any_shapes(data: st.DataObject) -> None:
    shapes = data.draw(hnp.mutually_broadcastable_shapes(signature="(m?,n),(n,p?)->(m?,p?)", min_side=0, max_dims=2))
    layouts = st.sampled_from(LAYOUTS)
    for dtype in ("float64", "float32"):
        x, y = (laid_out(x, data.draw(layouts)) for x in drawn(*shapes.input_shapes, dtype=dtype))
        agree(both("matmul"), x, y, errors=False)


def test_special_values_of_products() -> None:
    x = np.array([[np.nan, INF, 0.0], [1.0, -INF, 0.0], [0.0, 0.0, -0.0]])
    for name in ("matmul", "kron", "cross"):
        agree(both(name), x, x.T.copy())
    agree(lambda m, x: (m.cdist(x, x[:1]), m.cdist(x, x[1:], 1.0)), x, needs=(False,))


ADDED = {
    "addmm": ((2, 3), (3, 4), (2, 4)), "addmv": ((2, 3), (3,), (2,)), "baddbmm": ((2, 3, 4), (2, 4, 2), (2, 3, 2)),
    "addbmm": ((3, 2, 4), (3, 4, 3), (2, 3)), "addr": ((2,), (3,), (2, 3)),
}  # fmt: skip


@pytest.mark.parametrize("name", ADDED)
def test_added_products(name: str) -> None:
    a, b, result = ADDED[name]
    factors: list[dict[str, Any]] = [{}, {"beta": 0}, {"alpha": 0}, {"beta": 0.5, "alpha": -2}, {"beta": 2, "alpha": 3}]
    shapes = [result, result[-1:], (1,) * len(result), (), (1, *result), (5,), (1,) * 4, (2,), (2, 1)]
    for shape, options, layout in product(shapes, factors, LAYOUTS):
        x, y, z = (laid_out(x, layout) for x in drawn(shape, a, b))
        agree(both(name, **options), x, y, z)
    for dtype, options in product(DTYPES, factors):
        if (dtype == "bool" and name == "addr") or (options.get("beta") == 0.5 and "int" in dtype):
            continue  # PyTorch truncates 0.5, in silence
        agree(both(name, **options), *drawn(result, a, b, dtype=dtype))
    x, y, z = drawn(result, a, b)
    agree(both(name), x.astype("float32"), y, z)
    if name != "addr":
        agree(both(name), x, y.astype("float32"), z)
    agree(both(name), x, y, z[:-1])
    agree(both(name), x, y[None], z)
    agree(both(name, beta=0), x + np.nan, y, z)


EQUATIONS = [
    "ij,jk->ik", "ij,jk->ki", "ij,kj", "ji,jk", "bij,bjk->bik", "bij,bkj->bik", "ib,bjk->bik", "bij,jk->bik", "i,j->ji",
    "ij,ij->", "ij,ji->", "ij,ij->i", "ij,ij->j", "ij,ij->ji", "ij,j->ij", "ij,k->kji", "ijk,kj->i", "ijk,k",
    "ii", "ii->i", "iij->ji", "iijj->ij", "ijij->ji", "iii", "ij->j", "ij->", "ijk->kij", "", "i,->i", ",", "i->i",
    "ij,jk,kl", "ij,jk,kl->li", "i,ij,j->", "ij,ij,ij->ij", "i,j,k->kji", "ab,bc,cd,de->ae", "ij,ij,jk->ik", "ii,ij,jj",
    "...ij,...jk->...ik", "...i,...i->...", "i...,j...", "...,...", "...", "...->...", "...i->i...", "b...i,oi->b...o",
    "i...j->ij", "...ij,jk->...k", "Ij,jK", "aB,Bc->ac", "i j , j k -> i k", "ij,jk->", "ij, jk", "ijk,jil->kl",
    "ij->iz", "ij->ii", "ij,jk->iij", "i1,1j", "ij->>j", "ij->i->j", "i,i,", "ij..", "i....", "......", "->", "->i",
]  # fmt: skip


@pytest.mark.parametrize("equation", EQUATIONS)
def test_einsum(equation: str) -> None:
    terms = equation.replace(" ", "").partition("->")[0].split(",")
    sizes = [(2, 3, 4, 5, 6), (1, 3, 2, 1, 2), (3, 3, 3, 3, 3), (2, 0, 3, 2, 2)]
    for lengths, extra, layout in product(sizes, [(), (2,), (1, 3)], ["contiguous", "transposed"]):
        letters = dict(zip(sorted({c for c in equation if c.isalpha()}), lengths, strict=False))
        shapes = [
            tuple(n for c in t.replace("...", ".") for n in (extra if c == "." else (letters.get(c, 2),)))
            for t in terms
        ]
        inputs = [laid_out(x, layout) for x in drawn(*shapes)]
        agree(lambda m, *xs: (m.einsum(equation, *xs), m.einsum(equation, list(xs))), *inputs)


@given(data=st.data())
def test_einsum_of_any_pair(data: st.DataObject) -> None:
    letters = st.text("abcde", max_size=4).map(lambda t: "".join(dict.fromkeys(t)))
    a, b = data.draw(letters), data.draw(letters)
    known = sorted(set(a + b))
    chosen = data.draw(st.permutations(known))[: data.draw(st.integers(0, len(known)))]
    lengths = {c: data.draw(st.sampled_from([1, 2, 3])) for c in known}
    # Now and then an axis of length 1 that broadcasts.
    shapes = [tuple(lengths[c] if data.draw(st.integers(0, 5)) else 1 for c in term) for term in (a, b)]
    x, y = (laid_out(x, data.draw(st.sampled_from(LAYOUTS))) for x in drawn(*shapes))
    agree(lambda m, x, y: m.einsum(f"{a},{b}->{''.join(chosen)}", x, y), x, y, errors=False)


def test_einsum_with_sublists() -> None:
    x, y = drawn((2, 3), (3, 4))
    for axes in ([0, 1], [1, 2], [0, 2]), ([0, 1], [1, 2]), ([3, 1], [1, 30], [30]), ([..., 1], [1, 2], [2, ...]):
        agree(lambda m, x, y, axes=axes: m.einsum(x, axes[0], y, axes[1], *axes[2:]), x, y)
    agree(lambda m, x, y: m.einsum(x, [0, 52], y, [1, 2]), x, y)
    agree(lambda m, x, y: m.einsum(x, [0, 1], y, [2, 2]), x, y)


def test_dtypes_of_einsum_and_tensordot() -> None:
    for left, right in product(DTYPES, DTYPES):
        x, y = drawn((3, 3), dtype=left) + drawn((3, 3), dtype=right)
        for equation in ("ij,jk->ik", "ij,ij->i", "ij,kl->ijkl"):
            if equation == "ij,kl->ijkl" and left != right:
                continue  # promoted there, because it is done without a product of matrices
            agree(lambda m, x, y, equation=equation: m.einsum(equation, x, y), x, y)
        agree(lambda m, x, y: m.tensordot(x, y, 1), x, y)
        if left == right:
            agree(lambda m, x: (m.einsum("ii->i", x), m.einsum("ij->ji", x), m.einsum("ij->", x)), x)


DIMS: list[Any] = [0, 1, 2, 3, 4, -1, ([0], [0]), ([1], [0]), ([0, 1], [1, 0]), ([-1], [0]), ([], []), ([0], [0, 1]),
                   ([0, 0], [0, 1]), ([2], [0]), ([0, 2], [0, 1]), ((1, 2), (0, 1)), ([9], [0])]  # fmt: skip


@pytest.mark.parametrize("dims", DIMS, ids=str)
def test_tensordot(dims: Any) -> None:
    for a, b in product([(2, 3), (3, 2), (3, 3), (2, 3, 4), (3, 4, 2), (3,), (), (0, 3), (1, 3)], repeat=2):
        for layout in ("contiguous", "transposed"):
            x, y = (laid_out(x, layout) for x in drawn(a, b))
            agree(lambda m, x, y: m.tensordot(x, y, dims=dims), x, y)
    agree(lambda m, x, y: m.tensordot(x, y, m.tensor([[1], [0]])), *drawn((2, 3), (3, 2)))
    agree(lambda m, x, y: m.tensordot(x, y), *drawn((4, 2, 3), (2, 3)))


@pytest.mark.parametrize("dim", [None, 0, 1, 2, -1, -2, 3])
def test_cross(dim: int | None) -> None:
    shapes = [(3,), (3, 3), (2, 3), (3, 2), (1, 3), (3, 1), (2, 3, 4), (2, 3, 1), (0, 3), (4,), ()]
    for a, b in product(shapes, repeat=2):
        x, y = drawn(a, b)
        agree(both("cross", dim), x, y)
        if dim is not None:
            agree(lambda m, x, y: m.linalg.cross(x, y, dim=dim), x, y)
        agree(lambda m, x, y: m.linalg.cross(x, y), x, y)
    for left, right in product(DTYPES, DTYPES):
        agree(lambda m, x, y: m.linalg.cross(x, y), *drawn((2, 3), dtype=left), *drawn((2, 3), dtype=right))


CHAINS: list[list[tuple[int, ...]]] = [
    [(2, 3), (3, 4)], [(2, 3), (3, 4), (4, 1)], [(3,), (3, 4), (4, 2)], [(3,), (3, 4), (4,)], [(3,), (3,)],
    [(2, 3), (3,)], [(5, 2), (2, 7), (7, 3), (3, 4), (4, 1)], [(2, 3)], [], [(2, 3), (4, 3)], [(2, 3), (3,), (3, 2)],
    [(2, 2, 2), (2, 2)], [(0, 3), (3, 2)], [(2, 0), (0, 2), (2, 2)], [(3,), (2, 3)], [()], [(2, 2), ()],
]  # fmt: skip


@pytest.mark.parametrize("shapes", CHAINS, ids=str)
def test_chains(shapes: list[tuple[int, ...]]) -> None:
    inputs = drawn(*shapes)
    agree(lambda m, *xs: m.linalg.multi_dot(xs), *inputs)
    agree(lambda m, *xs: m.chain_matmul(*xs), *inputs)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 5, 10, -1, -2, -3])
def test_matrix_power(n: int) -> None:
    for shape in [(3, 3), (2, 3, 3), (1, 1), (0, 0), (0, 2, 2), (2, 3), (3,), ()]:
        (x,) = drawn(shape)
        agree(both("matrix_power", n), x / 3 + np.eye(*shape[-2:]) if len(shape) > 1 and shape[-1] == shape[-2] else x)
    agree(lambda m, x: m.linalg.matrix_power(x, n), np.array([[1.0, 2.0], [3.0, 5.0]]))
    for dtype in ("int64", "uint8", "float32"):
        agree(both("matrix_power", n), np.array([[1, 2], [3, 5]], dtype))


def test_vecdot_and_vander() -> None:
    shapes = [(), (3,), (2, 3), (3, 3), (2, 1, 3), (0,), (0, 3), (1,)]
    for a, b, dim in product(shapes, shapes, (0, 1, -1, -2)):
        agree(lambda m, x, y, dim=dim: (m.linalg.vecdot(x, y, dim=dim), m.linalg.vecdot(x, y)), *drawn(a, b))
    for left, right in product(DTYPES, DTYPES):
        agree(lambda m, x, y: m.linalg.vecdot(x, y), *drawn((2, 3), dtype=left), *drawn((2, 3), dtype=right))
    for shape, count in product(shapes[1:], (None, 2, 5, 1, 0, -1)):
        agree(lambda m, x, count=count: m.linalg.vander(x, N=count), *drawn(shape))
    for dtype in [dtype for dtype in DTYPES if dtype != "float16"]:
        agree(lambda m, x: (m.linalg.vander(x), m.linalg.diagonal(m.linalg.vander(x))), *drawn((3,), dtype=dtype))


POINTS = [((3, 2), (4, 2)), ((2, 3, 2), (4, 2)), ((2, 3, 2), (2, 4, 2)), ((1, 3, 2), (5, 1, 2)), ((0, 2), (3, 2)),
          ((3, 2), (0, 2)), ((3, 0), (4, 0)), ((3, 2), (4, 3)), ((2,), (3, 2)), ((40, 3), (30, 3))]  # fmt: skip


@pytest.mark.parametrize("p", [0, 0.5, 1, 1.5, 2, 2.0, 3, INF, -1])
def test_cdist(p: float) -> None:
    for (a, b), dtype in product(POINTS, ("float64", "float32")):
        x, y = drawn(a, b, dtype=dtype)
        # PyTorch's product of matrices loses the digits of points that lie close together.
        mode = "donot_use_mm_for_euclid_dist" if len(x) > 25 else "use_mm_for_euclid_dist_if_necessary"
        agree(lambda m, x, y, mode=mode: m.cdist(x, y, p, mode), x, y)
        if x.ndim == 2:
            agree(lambda m, x, mode=mode: m.cdist(x, x[1:], p=p, compute_mode=mode), x)
    for dtype in DTYPES:
        if dtype == "float16":
            continue  # not there in PyTorch
        agree(lambda m, x: m.cdist(x, x + 1, p), *drawn((3, 2), dtype=dtype))


def test_modes_of_cdist() -> None:
    for mode in ("use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist", "no"):
        agree(lambda m, x, y, mode=mode: m.cdist(x, y, compute_mode=mode), *drawn((3, 2), (4, 2)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_distances_of_close_points_are_exact(dtype: str) -> None:
    """Where |x|² + |y|² - 2xy cancels: far from the origin, close together."""
    rng = np.random.default_rng(0)
    x = (1000 + rng.standard_normal((100, 20))).astype(dtype)
    y = (x + 1e-3 * rng.standard_normal((100, 20))).astype(dtype)
    y[:5] = x[:5]
    exact = np.sqrt(((x[:, None].astype("float64") - y.astype("float64")) ** 2).sum(-1))
    found = ad.cdist(ad.from_numpy(x), ad.from_numpy(y)).numpy()
    np.testing.assert_allclose(found, exact, rtol=1e-6 if dtype == "float32" else 1e-11)


NORMED = [(), (3,), (2, 3), (3, 2), (2, 3, 4), (0,), (0, 3), (3, 0), (1, 1)]
ORDERS = [2, 2.0, 1, 0, 3, 1.5, 0.5, -1, -2, -0.5, INF, -INF]
OVER: list[Any] = [None, 0, 1, -1, (0, 1), (-1, 0), (0, 2), (), (0, 0), 5]


@pytest.mark.parametrize("ord", ORDERS)
def test_vector_norm(ord: float) -> None:
    # PyTorch gives no gradient for the number of nonzero entries, and here it is 0.
    needs = (ord != 0,)
    for shape, dim, keepdim in product(NORMED, OVER, (False, True)):
        (x,) = drawn(shape)
        agree(lambda m, x, dim=dim, keepdim=keepdim: m.linalg.vector_norm(x, ord, dim, keepdim), x, needs=needs)
    for layout, dim, dtype in product(LAYOUTS, (None, 0, 1, (0, 1)), ("float32", "float64")):
        (x,) = drawn((3, 4), dtype=dtype)
        agree(lambda m, x, dim=dim: m.linalg.vector_norm(x, ord=ord, dim=dim), laid_out(x, layout), needs=needs)
    for dtype in DTYPES:
        agree(lambda m, x: m.linalg.vector_norm(x, ord), *drawn((3, 4), dtype=dtype), needs=(False,))


def test_the_number_of_nonzero_entries_has_gradient_zero() -> None:
    x = ad.tensor([1.0, 0.0, 2.0], requires_grad=True)
    ad.linalg.vector_norm(x, 0).backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, 0.0, 0.0]


KINKS = [[0.0, 0.0], [0.0, 3.0], [2.0, -2.0], [2.0, 2.0, 1.0], [-0.0, 0.0, 1e-200], [1e200, 1.0], [INF, 1.0],
         [-INF, INF], [np.nan, 1.0], [np.nan, INF, 0.0]]  # fmt: skip


@pytest.mark.parametrize("ord", ORDERS)
@pytest.mark.parametrize("values", KINKS, ids=str)
def test_norms_at_kinks(ord: float, values: list[float]) -> None:
    x = np.array(values)
    # The gradient at NaNs is a row of docs/differences.md, and the third power of 1e200 is infinite.
    known = not np.isnan(x).any() and ord != 0 and not (ord == 3 and 1e200 in x)
    agree(lambda m, x: m.linalg.vector_norm(x, ord), x, needs=(known,))


def test_dtypes_of_norms() -> None:
    for dtype, wanted in product(DTYPES, DTYPES):
        for name, shape in (("vector_norm", (3,)), ("matrix_norm", (2, 2)), ("norm", (2, 3))):
            call = lambda m, x, name=name, wanted=wanted: getattr(m.linalg, name)(x, dtype=getattr(m, wanted))  # noqa: E731
            agree(call, *drawn(shape, dtype=dtype))


@pytest.mark.parametrize("ord", ["fro", "nuc", INF, -INF, 1, -1, 2, -2, 3, 0, "no", None])
def test_matrix_norm(ord: Any) -> None:
    overs: list[Any] = [(-2, -1), (0, 1), (1, 0), (2, 0), (0, 0), 0, (0, 1, 2), (0, 5), None, ()]
    for shape, dim, keepdim in product([(2, 3), (3, 2), (2, 3, 4), (3,), (0, 3), (3, 0), ()], overs, (False, True)):
        (x,) = drawn(shape)
        # What is no op of the input there, a count or the norm of nothing, requires no grad.
        needs = (ord != 0 and 0 not in shape,)
        if dim is not None and ord is not None:
            agree(lambda m, x, dim=dim, keepdim=keepdim: m.linalg.matrix_norm(x, ord, dim, keepdim), x, needs=needs)
        agree(lambda m, x, dim=dim, keepdim=keepdim: m.linalg.norm(x, ord, dim, keepdim), x, needs=needs)
    agree(lambda m, x: (m.linalg.matrix_norm(x), m.linalg.norm(x)), *drawn((3, 3), dtype="float32"))


def test_norm_of_vectors() -> None:
    for ord, dim in product(ORDERS, (None, 0, -1, (0,), (1,))):
        for shape in ((3,), (2, 3), (2, 3, 4)):
            agree(lambda m, x, ord=ord, dim=dim: m.linalg.norm(x, ord, dim), *drawn(shape), needs=(ord != 0,))


def test_numpys_functions() -> None:
    """np.dot and its kin on tensors give NumPy's results, at least where PyTorch has no such function."""
    for a, b in product([(), (3,), (2, 3), (3, 3), (4, 3, 3)], repeat=2):
        x, y = drawn(a, b)
        for function in (np.dot, np.inner, np.kron, np.outer, np.vdot, np.cross, lambda x, y: np.tensordot(x, y, 1)):
            try:
                expected = function(x, y)
            except (ValueError, IndexError):
                continue
            found = function(ad.tensor(x, requires_grad=True), ad.tensor(y))
            np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-12)
            assert math.prod(found.shape) == 0 or found.requires_grad

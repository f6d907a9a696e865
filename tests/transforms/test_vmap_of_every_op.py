"""vmap over every op of the table, and over every public function that is composed of them, against a loop."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import autodiff as ad
import nn.functional
import nn.testing
from autodiff.op import OPS, Op, OpError
from autodiff.tensor import Tensor, wrap
from autodiff.testing.cases import EXPRESSIONS, case, has_cases
from autodiff.testing.drawing import Case
from autodiff.transforms import each_sample

assert nn.testing  # imported for the ops of nn and what is drawn for them
SAMPLES = 3
# What runs once a sample. A power of two of each matrix, runs of other lengths, and strides of a memory there is not.
IN_A_LOOP = {"as_strided", "matrix_exp", "sum_runs", "sum_strided"}
# What raises inside vmap where no gradient is recorded either: it speaks of memory.
WITHOUT_A_FORM = {"as_strided"}
DRAWN = sorted(name for name, op in OPS.items() if has_cases(op))


def samples(case: Case, rng: np.random.Generator) -> tuple[list[Any], list[int | None]]:
    """Some calls like `case` in one, and the axis of the samples in each input: floats move a little, others about."""
    inputs: list[Any] = []
    axes: list[int | None] = []
    for x in case.inputs:
        if x is None or rng.random() < 0.2:
            inputs.append(None if x is None else wrap(np.asarray(x)))
            axes.append(None)
            continue
        each = [
            x * (1 - 0.01 * rng.random(x.shape)) if x.dtype.kind == "f" else rng.permutation(x.ravel()).reshape(x.shape)
            for _ in range(SAMPLES)
        ]
        axis = int(rng.integers(x.ndim + 1))
        inputs.append(wrap(np.stack(each, axis)))
        axes.append(axis)
    return inputs, axes


def one(inputs: Sequence[Any], axes: Sequence[int | None], i: int) -> list[Any]:
    taken = zip(inputs, axes, strict=True)
    return [x if axis is None else wrap(np.asarray(x.array.take(i, axis))) for x, axis in taken]


def same_as_a_loop(function: Callable[..., Any], inputs: Sequence[Any], axes: Sequence[int | None]) -> Any:
    """Fail unless vmap gives what a loop does; returns that."""
    expected = [function(*one(inputs, axes, i)) for i in range(SAMPLES)]
    found = ad.vmap(function, in_dims=tuple(axes))(*inputs)
    several = isinstance(found, tuple)
    for k, y in enumerate(found if several else (found,)):
        loop = [each[k] if several else each for each in expected]
        assert y.dtype == loop[0].dtype
        # Another order of summation may round differently.
        np.testing.assert_allclose(y.array, np.stack([part.array for part in loop]), rtol=1e-9, atol=1e-10)
    return found


def looped(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of the ops that ran in a loop since, which then warn each time anew."""
    names: set[str] = set()
    real = each_sample._in_a_loop

    def noted(name: str, *args: Any) -> Any:
        names.add(name)
        each_sample._warned.discard(name)
        with pytest.warns(UserWarning, match=f"vmap: {name} cannot take all samples at once"):
            return real(name, *args)

    monkeypatch.setattr(each_sample, "_in_a_loop", noted)
    return names


@pytest.mark.parametrize("name", DRAWN)
def test_op(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The values, and the gradients by a vjp inside vmap."""
    op = OPS[name]
    in_a_loop = looped(monkeypatch)

    @settings(max_examples=25)
    @given(st.data(), st.integers(0, 2**32 - 1))
    def run(data: st.DataObject, seed: int) -> None:
        drawn = case(data.draw, op)
        inputs, axes = samples(drawn, np.random.default_rng(seed))
        if all(axis is None for axis in axes):
            return
        with np.errstate(all="ignore"):
            y = same_as_a_loop(lambda *xs: op.record(*xs, **drawn.params), inputs, axes)
            moving = [i for i, x in enumerate(inputs) if x is not None and x.dtype.kind == "f"]
            if not op.differentiable or not moving:
                return

            def pulled(u: Tensor, *xs: Any) -> Any:
                def function(*floats: Tensor) -> Tensor:
                    every = dict(zip(moving, floats, strict=True))
                    return op.record(*[every.get(i, x) for i, x in enumerate(xs)], **drawn.params)

                return ad.func.vjp(function, *[xs[i] for i in moving])[1](u)

            u = wrap(np.random.default_rng(seed).uniform(-1, 1, y.shape))
            same_as_a_loop(pulled, [u, *inputs], [0, *axes])

    run()
    assert in_a_loop <= IN_A_LOOP
    assert name not in IN_A_LOOP or name in in_a_loop


CALLS = [(name, call) for name, calls in sorted(EXPRESSIONS.items()) for call in calls if name not in WITHOUT_A_FORM]


def tensors(result: Any) -> Iterator[Tensor]:
    if isinstance(result, tuple | list):
        for part in result:
            yield from tensors(part)
    elif isinstance(result, Tensor):
        yield result


@pytest.mark.parametrize(("name", "call"), CALLS, ids=[call for _, call in CALLS])
def test_function(name: str, call: str) -> None:
    rng = np.random.default_rng(0)
    shapes = {"x": (3, 3), "v": (3,), "s": (2, 3, 3)}
    mask = ad.tensor([[True, False, True], [False, False, True], [True, True, False]])
    moving = [n for n in "xvs" if re.search(rf"\b{n}\b", call)]

    def function(*moved: Tensor) -> tuple[Tensor, ...]:
        known = {"ad": ad, "i": ad.tensor([2, 0]), "mask": mask, **dict(zip(moving, moved, strict=True))}
        return tuple(tensors(eval(call, known)))

    def gradients(*moved: Tensor) -> Any:
        def floats(*xs: Tensor) -> tuple[Tensor, ...]:
            return tuple(y for y in function(*xs) if y.dtype.kind == "f")

        value, pull = ad.func.vjp(floats, *moved)
        return pull(tuple(1.5 * ad.ones_like(y) for y in value))

    def distinct(shape: tuple[int, ...]) -> Any:
        count = int(np.prod(shape))
        each = [rng.permutation(np.linspace(0.25, 0.75, count)) * (1 - 0.01 * rng.random()) for _ in range(SAMPLES)]
        return wrap(np.stack(each).reshape(SAMPLES, *shape))

    inputs = [distinct(shapes[n]) for n in moving]
    with warnings.catch_warnings():
        # matrix_exp and repeat_interleave run in a loop, and say so.
        warnings.filterwarnings("ignore", "vmap: (matrix_exp|sum_runs) cannot")
        same_as_a_loop(function, inputs, [0] * len(inputs))
        same_as_a_loop(gradients, inputs, [0] * len(inputs))


@pytest.mark.parametrize(
    "call",
    [
        "x.argmax(0)", "x.argmin()", "x.argsort(1)", "(x > 0.5).any(1)", "(x > 0.5).all()", "x.count_nonzero(0)",
        "ad.isclose(x, x.t())", "x.long()", "x.bool()", "ad.eye(3) + x", "x == x.max()", "ad.zeros_like(x) + x",
        "x[i[0]]", "x[:, k]", "x[k, k]", "x[k] * 2", "x.index_select(0, k)", "x.gather(0, k.unsqueeze(0))",
        "ad.where(x > 0.5, x, 0.0)", "ad.linalg.matrix_rank(x)", "x.new_zeros(2) + x[0, 0]",
    ],
)  # fmt: skip
def test_without_derivatives_and_by_an_index_of_each_sample(call: str) -> None:
    rng = np.random.default_rng(1)
    x, k = wrap(rng.random((SAMPLES, 3, 3))), wrap(rng.integers(0, 3, (SAMPLES, 3)))
    same_as_a_loop(lambda x, k: eval(call, {"ad": ad, "x": x, "k": k, "i": ad.tensor([2, 0])}), [x, k], [0, 0])


REFUSED = (
    "x.nonzero()", "x[x > 0.5]", "x.masked_select(x > 0.5)", "x.unique()", "x.sum().item()", "float(x[0])",
    "x.numpy()", "x.tolist()", "1 if x[0] > 0.5 else 2", "x.as_strided((2,), (1,))", "ad.equal(x, x.flip(0))",
)  # fmt: skip


@pytest.mark.filterwarnings("ignore:vmap")
@pytest.mark.parametrize("call", REFUSED)
def test_what_depends_on_the_values_of_each_sample_is_refused(call: str) -> None:
    x = wrap(np.array([[0.1, 0.9, 0.2], [0.7, 0.8, 0.7]]))
    with pytest.raises((TypeError, AttributeError, RuntimeError), match="vmap"):
        ad.vmap(lambda x: eval(call, {"ad": ad, "x": x}))(x)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float16", "float32"])
def test_other_dtypes(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The values, where a loop gives any."""
    in_a_loop = looped(monkeypatch)

    @settings(max_examples=5, phases=[Phase.generate])
    @given(st.data(), st.integers(0, 2**32 - 1))
    def run(data: st.DataObject, seed: int) -> None:
        for name in DRAWN:
            check_dtype(OPS[name], case(data.draw, OPS[name]), dtype, seed)

    run()
    assert in_a_loop <= IN_A_LOOP


def check_dtype(op: Op, drawn: Case, dtype: str, seed: int) -> None:
    if dtype == "bool" and op.name == "pow_number":
        # `pow` never hands it bools, of which NumPy's x**2 is int8 and np.power(x, 2) int64.
        return
    inputs, axes = samples(drawn, np.random.default_rng(seed))
    for x in inputs:
        if x is not None and x.dtype.kind == "f":
            # Negative numbers wrap around in uint8; what lies beyond a dtype is any number of it.
            with np.errstate(all="ignore"):
                x.array = x.array.astype(dtype)

    def function(*xs: Any) -> Tensor:
        return op.record(*xs, **drawn.params)

    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            each = [function(*one(inputs, axes, i)) for i in range(SAMPLES)]
        except Exception:
            # Not every op takes every dtype.
            return
        if all(axis is None for axis in axes):
            return
        try:
            found = ad.vmap(function, in_dims=tuple(axes))(*inputs)
        except OpError as error:
            # Products of bools are refused where there are more axes.
            if dtype == "bool" and "expected numbers, got bools" in str(error):
                return
            raise
    assert found.dtype == each[0].dtype
    # Roundings of a few operations in another order; float16 has 11 bits, float32 24. NumPy takes the exponentials of
    # bools and uint8 in float16, and a difference of logarithms of sums has some eight roundings of it;
    # the moments of int64 are float64.
    tolerance = {"float16": 5e-3, "float32": 1e-4, "bool": 1e-2, "uint8": 1e-2, "int64": 1e-14}.get(dtype, 0.0)
    expected = np.stack([y.array for y in each])
    np.testing.assert_allclose(found.array, expected, rtol=tolerance, atol=tolerance, err_msg=op.name)


LARGE = (
    "x.relu()", "x.sigmoid()", "x.sum(0)", "x.mean((0, 1))", "x.prod(1)", "x.var(0)", "x.softmax(1)", "x.logsumexp(1)",
    "x.log_softmax(0)", "x.cumsum(1)", "x.cumprod(1)", "x.logcumsumexp(0)", "x.sort(1).values", "x.max(1).values",
    "x.cummax(0).values", "x.tril()", "x.clamp(0.2, 0.8)", "ad.where(x > 0.5, x, 0.0)", "x.masked_fill(x > 0.5, 0.0)",
    "x @ x.t()", "x.t().reshape(-1)", "x.roll(7, 1)", "x.repeat(2, 1)", "x[:, i]", "x.index_select(0, i)",
    "x.gather(1, k)", "x.scatter_add(1, k, x)", "x.index_add(0, i, x[:4])", "x.median(1).values", "x.unfold(0, 3, 2)",
    "x.t().clone()", "x.diff(dim=1)", "x.cov()", "F.cross_entropy(x, k[:, 0])", "x.erfinv()", "x.nansum(0)",
)  # fmt: skip


@pytest.mark.usefixtures("no_loops")
@pytest.mark.parametrize("call", LARGE)
def test_the_ways_of_large_arrays(call: str) -> None:
    """Kernels go other ways from some thousand elements on, and look at how memory is laid out."""
    rng = np.random.default_rng(0)
    x, k = wrap(rng.uniform(0.1, 0.9, (SAMPLES, 70, 90))), wrap(rng.integers(0, 70, (70, 90)))
    turned = wrap(np.ascontiguousarray(x.array.transpose(1, 2, 0)).transpose(2, 0, 1))

    def function(x: Tensor) -> Tensor:
        result: Tensor = eval(call, {"ad": ad, "F": nn.functional, "x": x, "k": k, "i": ad.tensor([5, 0, 57, 5])})
        return result

    for inputs in (x, turned):
        y = same_as_a_loop(function, [inputs], [0])
        u = wrap(rng.uniform(-1, 1, y.shape))
        same_as_a_loop(lambda x, u: ad.func.vjp(function, x)[1](u)[0], [inputs, u], [0, 0])

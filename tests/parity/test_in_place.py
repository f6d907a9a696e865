"""Every method of PyTorch whose name ends in an underscore, on leaves, results, views and constants."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

import autodiff as ad
from tests.parity.beside_torch import same, weights
from tests.test_differences import rows

Call = Callable[[Any, Any, list[Any]], Any]
SHAPE = (3, 2)
FLOAT = np.random.default_rng(0).uniform(0.2, 0.8, (4, *SHAPE))
BOOLS = np.array([[True, False], [True, True], [False, False]])


def unary(name: str, *arguments: Any, **options: Any) -> Call:
    return lambda m, x, others: getattr(x, name)(*arguments, **options)


def with_others(name: str, count: int, **options: Any) -> Call:
    return lambda m, x, others: getattr(x, name)(*others[:count], **options)


def at(name: str, index: Any, *, count: int = 1, **options: Any) -> Call:
    """A call with ``dim=0``, an index and so many of the others."""
    return lambda m, x, others: getattr(x, name)(0, m.tensor(index), *others[:count], **options)


ELEMENTWISE = """
abs_ absolute_ acos_ arccos_ arcsin_ arcsinh_ arctan_ arctanh_ asin_ asinh_ atan_ atanh_ ceil_ cos_ cosh_ deg2rad_
digamma_ erf_ erfc_ erfinv_ exp2_ exp_ expm1_ fix_ floor_ frac_ i0_ lgamma_ log10_ log1p_ log2_ log_ logit_
nan_to_num_ neg_ negative_ rad2deg_ reciprocal_ relu_ round_ rsqrt_ sgn_ sigmoid_ sign_ sin_ sinc_ sinh_ sqrt_ square_
tan_ tanh_ tril_ triu_ trunc_ logical_not_ zero_ detach_ requires_grad_ squeeze_ t_
"""
WITH_ONE = """
add_ arctan2_ atan2_ copysign_ div_ divide_ eq_ float_power_ floor_divide_ fmod_ ge_ greater_ greater_equal_ gt_
heaviside_ hypot_ ldexp_ le_ less_ less_equal_ lt_ mul_ multiply_ ne_ not_equal_ pow_ remainder_ sub_ subtract_
true_divide_ xlogy_ logical_and_ logical_or_ logical_xor_ copy_
"""
# Of these PyTorch wants a tensor (the row numbers-for-tensors in docs/differences.md).
NO_NUMBERS = "arctan2_ atan2_ heaviside_ hypot_ ldexp_ logical_and_ logical_or_ logical_xor_"
WHOLE = "bitwise_and_ bitwise_or_ bitwise_xor_ bitwise_left_shift_ bitwise_right_shift_ bitwise_not_"
ROWS = [2, 0, 1]
PLACES = [[2, 0], [0, 2], [1, 1]]
CALLS: dict[str, Call] = {
    **{name: unary(name) for name in ELEMENTWISE.split()},
    **{name: with_others(name, 1) for name in WITH_ONE.split()},
    **{f"{name}:number": unary(name, 2) for name in WITH_ONE.split() if name not in NO_NUMBERS.split()},
    "acosh_": lambda m, x, others: x.add_(1).acosh_(),
    "arccosh_": lambda m, x, others: x.add_(1).arccosh_(),
    "mvlgamma_": lambda m, x, others: x.add_(1).mvlgamma_(2),
    "polygamma_": unary("polygamma_", 1),
    "add_:alpha": with_others("add_", 1, alpha=2),
    "sub_:alpha": with_others("sub_", 1, alpha=2),
    "div_:floor": with_others("div_", 1, rounding_mode="floor"),
    "div_:trunc": with_others("div_", 1, rounding_mode="trunc"),
    "round_:decimals": unary("round_", decimals=1),
    "logit_:eps": unary("logit_", 0.3),
    "addcdiv_": with_others("addcdiv_", 2, value=3),
    "addcmul_": with_others("addcmul_", 2, value=3),
    "addmm_": lambda m, x, others: x.addmm_(others[0][:, :1], others[1][:1], beta=2, alpha=3),
    "addmv_": lambda m, x, others: x[:, 0].addmv_(others[0], others[1][0]),
    "addr_": lambda m, x, others: x.addr_(others[0][:, 0], others[1][0], beta=2, alpha=3),
    "addbmm_": lambda m, x, others: x.addbmm_(others[0][None, :, :1], others[1][None, :1], beta=2),
    "baddbmm_": lambda m, x, others: x.unsqueeze(0).baddbmm_(others[0][None, :, :1], others[1][None, :1], alpha=2),
    "clamp_": unary("clamp_", 0.3, 0.6),
    "clamp_:tensors": with_others("clamp_", 2),
    "clamp_max_": unary("clamp_max_", 0.5),
    "clamp_min_": unary("clamp_min_", 0.5),
    "clip_": unary("clip_", 0.3, 0.6),
    "cumsum_": unary("cumsum_", 0),
    "cumprod_": unary("cumprod_", 0),
    "fill_": unary("fill_", 3),
    "fill_:tensor": lambda m, x, others: x.fill_(others[0][0, 0]),
    "fill_diagonal_": unary("fill_diagonal_", 3),
    "fill_diagonal_:wrap": unary("fill_diagonal_", 3, wrap=True),
    "index_add_": at("index_add_", ROWS, alpha=2),
    "index_copy_": at("index_copy_", ROWS),
    "index_fill_": at("index_fill_", [0, 2], count=0, value=3),
    "index_fill_:tensor": lambda m, x, others: x.index_fill_(0, m.tensor([0, 2]), others[0][0, 0]),
    "index_reduce_": at("index_reduce_", ROWS, reduce="amax"),
    "index_put_": lambda m, x, others: x.index_put_((m.tensor([2, 0]), m.tensor([1, 1])), others[0][:2, 0]),
    "index_put_:accumulate": lambda m, x, others: x.index_put_((m.tensor([2, 2]),), others[0][:2], accumulate=True),
    "index_put_:mask": lambda m, x, others: x.index_put_((m.tensor(BOOLS),), others[0][0, 0]),
    "lerp_": with_others("lerp_", 2),
    "lerp_:number": lambda m, x, others: x.lerp_(others[0], 0.3),
    "masked_fill_": lambda m, x, others: x.masked_fill_(m.tensor(BOOLS), 3),
    "masked_fill_:tensor": lambda m, x, others: x.masked_fill_(m.tensor(BOOLS), others[0][0, 0]),
    "masked_scatter_": lambda m, x, others: x.masked_scatter_(m.tensor(BOOLS), others[0]),
    "put_": lambda m, x, others: x.put_(m.tensor([1, 3]), others[0][0]),
    "put_:accumulate": lambda m, x, others: x.put_(m.tensor([1, 1]), others[0][0], accumulate=True),
    "renorm_": unary("renorm_", 2, 0, 0.5),
    "scatter_": at("scatter_", PLACES),
    "scatter_:number": at("scatter_", PLACES, count=0, value=3),
    "scatter_add_": at("scatter_add_", PLACES),
    "scatter_reduce_": at("scatter_reduce_", PLACES, reduce="prod"),
    "squeeze_:dim": unary("squeeze_", 0),
    "unsqueeze_": unary("unsqueeze_", 1),
    "transpose_": unary("transpose_", 0, 1),
    "swapaxes_": unary("swapaxes_", 0, 1),
    "swapdims_": unary("swapdims_", 0, 1),
    "as_strided_": unary("as_strided_", (2, 2), (2, 1)),
    "+=": with_others("__iadd__", 1),
    "-=": with_others("__isub__", 1),
    "*=": with_others("__imul__", 1),
    "/=": with_others("__itruediv__", 1),
    "//=": with_others("__ifloordiv__", 1),
    "%=": with_others("__imod__", 1),
    "**=": with_others("__ipow__", 1),
}
INTEGERS: dict[str, Call] = {name: with_others(name, 1) for name in WHOLE.split()[:-1]} | {
    "bitwise_not_": unary("bitwise_not_"),
    "&=": with_others("__iand__", 1),
    "|=": with_others("__ior__", 1),
    "^=": with_others("__ixor__", 1),
    "<<=": with_others("__ilshift__", 1),
    ">>=": with_others("__irshift__", 1),
}


def grad(m: Any, y: Any, inputs: list[Any], create_graph: bool = False) -> list[Any]:
    """The gradients of a weighted sum of `y`; zeros where it does not depend on an input."""
    if not y.requires_grad:
        return []
    seed = m.tensor(weights(tuple(y.shape)), dtype=y.dtype)
    of = torch.autograd.grad if m is torch else ad.grad
    return list(of(y, inputs, seed, create_graph=create_graph, materialize_grads=True))


class Operands:
    """Leaves of one library: what is written to, and others."""

    def __init__(self, m: Any) -> None:
        self.m = m
        self.w = m.tensor(FLOAT[0], requires_grad=True)
        self.long = m.tensor(np.concatenate([FLOAT[0], FLOAT[3]]), requires_grad=True)
        self.others = [m.tensor(FLOAT[1], requires_grad=True), m.tensor(FLOAT[2], requires_grad=True)]

    def views(self, base: Any) -> list[Any]:
        """A part of a tensor of six rows, the whole, another part that overlaps the first, and one across both."""
        return [base[1:4], base, base[3:], base[:, 0]]


def on_constants(m: Any, call: Call, of: Operands) -> Iterator[Any]:
    x = m.tensor(FLOAT[0])
    result = call(m, x, [other.detach() for other in of.others])
    yield x
    yield result


def on_a_constant(m: Any, call: Call, of: Operands) -> Iterator[Any]:
    x = m.tensor(FLOAT[0])
    call(m, x, of.others)
    yield from (x, x.is_leaf, *grad(m, x, of.others))


def on_a_result(m: Any, call: Call, of: Operands) -> Iterator[Any]:
    x = of.w * 1
    call(m, x, of.others)
    yield from (x, x.is_leaf, *grad(m, x, [of.w, *of.others]))


def with_constants(m: Any, call: Call, of: Operands) -> Iterator[Any]:
    x = of.w * 1
    call(m, x, [other.detach() for other in of.others])
    yield from (x, x.is_leaf, *grad(m, x, [of.w]))


def on_a_view(m: Any, call: Call, of: Operands) -> Iterator[Any]:
    for i in range(4):
        views = of.views(of.long * 1)
        call(m, views[0], of.others)
        yield from views
        yield from grad(m, views[i], [of.long, *of.others])


def on_a_view_of_a_constant(m: Any, call: Call, of: Operands) -> Iterator[Any]:
    for i in range(4):
        views = of.views(of.long.detach().clone())
        call(m, views[0], of.others)
        yield from views
        yield from grad(m, views[i], of.others)


def on_a_transposed_view(m: Any, call: Call, of: Operands) -> Iterator[Any]:
    base = m.tensor(np.ascontiguousarray(FLOAT[0].T), requires_grad=True)
    x = base * 1
    call(m, x.T, of.others)
    yield from (x, *grad(m, x, [base, *of.others]))


def on_a_base(m: Any, call: Call, of: Operands) -> Iterator[Any]:
    base = of.w * 1
    view = base[1:].T
    call(m, base, of.others)
    yield from (base, view, *grad(m, view, [of.w, *of.others]))


def on_a_leaf(m: Any, call: Call, of: Operands) -> Iterator[Any]:
    call(m, of.w, of.others)
    yield of.w


def on_a_view_of_a_leaf(m: Any, call: Call, of: Operands) -> Iterator[Any]:
    call(m, of.w.view(3, 2), of.others)
    yield of.w


def without_grad(m: Any, call: Call, of: Operands) -> Iterator[Any]:
    with m.no_grad():
        call(m, of.w, of.others)
    yield of.w
    yield of.w.is_leaf


def with_itself(m: Any, call: Call, of: Operands) -> Iterator[Any]:
    x = of.w * 1
    call(m, x, [x, x])
    yield from (x, *grad(m, x, [of.w]))


def overwritten(m: Any, call: Call, of: Operands) -> Iterator[Any]:
    x = of.w * 1
    call(m, x, of.others)
    x.mul_(2)
    yield from (x, *grad(m, x, [of.w, *of.others]))


def wrong_shapes(m: Any, call: Call, of: Operands) -> Iterator[Any]:
    x = m.tensor(FLOAT[0])
    call(m, x, [m.tensor(FLOAT[:2]), m.tensor(FLOAT[:2])])
    yield x


def expanded(m: Any, call: Call, of: Operands) -> Iterator[Any]:
    call(m, m.tensor(FLOAT[0, 0]).expand(3, 2), of.others)
    yield None


def overlapping(m: Any, call: Call, of: Operands) -> Iterator[Any]:
    x = of.long.detach()
    call(m, x[1:4], [x[:3], x[2:5]])
    yield x


def twice(m: Any, call: Call, of: Operands) -> Iterator[Any]:
    x = of.w * 1
    call(m, x, of.others)
    inputs = [of.w, *of.others]
    slope = sum((g * g).sum() for g in grad(m, x, inputs, create_graph=True))
    # Of a linear function PyTorch's slope depends on nothing, or on everything by 0.
    yield from grad(m, slope + 0 * of.w.sum(), inputs) if isinstance(slope, m.Tensor) else ()


def other_dtypes(m: Any, call: Call, of: Operands) -> Iterator[Any]:
    for written in ("float32", "int64"):
        for read in ("float64", "float32", "int64", "int32"):
            x = m.tensor((FLOAT[0] * 5).astype(written))
            try:
                call(m, x, [m.tensor((FLOAT[i] * 5).astype(read)) for i in (1, 2)])
                yield x
            except Exception:
                yield "raises"


SCENARIOS = (
    on_constants, on_a_constant, on_a_result, with_constants, on_a_view, on_a_view_of_a_constant,
    on_a_transposed_view, on_a_base, on_a_leaf, on_a_view_of_a_leaf, without_grad, with_itself, overwritten,
    wrong_shapes, expanded, overlapping, twice, other_dtypes,
)  # fmt: skip


# Methods in place that are absent, and why.
ABSENT = {
    **dict.fromkeys(("gcd_", "igamma_", "igammac_", "lcm_", "nextafter_"), "their functions are absent"),
    "conj_physical_": "complex numbers are outside",
    **dict.fromkeys(("resize_", "resize_as_", "set_", "share_memory_"), "a tensor's memory is NumPy's"),
    **dict.fromkeys(("apply_", "map_", "map2_"), "a loop in Python over x.numpy() does that"),
    **dict.fromkeys(("resize_as_sparse_", "sparse_resize_", "sparse_resize_and_clear_"), "sparse tensors are outside"),
}
RESULTS = "on_a_result with_constants on_a_view on_a_transposed_view on_a_base with_itself overwritten"
LEAVES = "on_a_leaf on_a_view_of_a_leaf on_a_constant on_a_view_of_a_constant"
# Where the two differ: the row of docs/differences.md, the methods and the scenarios.
DIFFERENT: tuple[tuple[str, str, str], ...] = (
    ("missing-derivatives", "acosh_ arccosh_ arcsinh_ arctanh_ asinh_ atanh_", f"{RESULTS} twice"),
    ("steps-have-slope-0", "floor_divide_ //=", f"{RESULTS} on_a_constant twice"),
    ("steps-have-slope-0", "floor_divide_:number", f"{RESULTS} twice"),
    ("logical-forms-in-place", "logical_and_ logical_or_ logical_xor_", f"{RESULTS} {LEAVES}"),
    ("logical-forms-in-place", "heaviside_", f"{RESULTS} on_a_constant twice"),
    ("logical-forms-in-place", "logical_not_", f"{RESULTS} on_a_leaf on_a_view_of_a_leaf"),
    (
        "what-is-saved",
        "cumprod_ erfinv_ float_power_ index_reduce_ ldexp_ pow_ scatter_reduce_ sgn_ sinc_ **=",
        "overwritten",
    ),
    ("what-is-saved", "div_:floor div_:trunc ldexp_", "with_itself"),
    ("writes-that-overlap", "index_add_ index_copy_ scatter_ scatter_add_", "with_itself"),
    ("writes-that-overlap", "copy_ ldexp_ addmm_ addmv_ addbmm_ baddbmm_", "overlapping"),
    ("writes-that-overlap", "masked_scatter_", "overlapping with_itself"),
    (
        "writes-to-expanded-tensors",
        "tril_ triu_ zero_ addmv_ baddbmm_ fill_ fill_diagonal_ fill_diagonal_:wrap index_fill_ index_fill_:tensor "
        "index_put_ index_put_:accumulate index_put_:mask masked_fill_ masked_fill_:tensor",
        "expanded",
    ),
    ("wrong-derivatives", "as_strided_", "on_a_base"),
    ("more-dtypes", "frac_ float_power_ float_power_:number", "other_dtypes"),
    ("assigned-dtypes", "index_put_", "other_dtypes"),
)


def outcome(scenario: Any, m: Any, call: Call) -> list[Any]:
    try:
        return list(scenario(m, call, Operands(m)))
    except Exception:
        return ["raises"]


def agree(theirs: list[Any], ours: list[Any]) -> bool:
    try:
        for a, b in zip(theirs, ours, strict=True):
            # The gradient of digamma is the least exact. Zeros without memory cannot be compared.
            same(a.clone() if isinstance(a, torch.Tensor) and not a.requires_grad else a, b, 1e-5)
    except (AssertionError, ValueError):
        return False
    return True


@pytest.mark.parametrize("name", [*CALLS, *INTEGERS])
def test_in_place(name: str) -> None:
    call = (CALLS | INTEGERS)[name]
    known = {scenario for _, names, where in DIFFERENT if name in names.split() for scenario in where.split()}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for scenario in SCENARIOS:
            theirs, ours = outcome(scenario, torch, call), outcome(scenario, ad, call)
            assert agree(theirs, ours) == (scenario.__name__ not in known), (scenario.__name__, theirs, ours)


def test_the_rows_exist() -> None:
    assert {row for row, *_ in DIFFERENT} <= set(rows())


FILLS: dict[str, Call] = {
    "uniform_": unary("uniform_", -1, 2),
    "normal_": unary("normal_", 1, 2),
    "bernoulli_": unary("bernoulli_", 0.3),
    "bernoulli_:tensor": lambda m, x, others: x.bernoulli_(others[0].to(x.dtype)),
    "exponential_": unary("exponential_", 2),
    "log_normal_": unary("log_normal_", 0.5, 0.7),
    "cauchy_": unary("cauchy_", 0.5, 0.7),
    "geometric_": unary("geometric_", 0.3),
    "random_": unary("random_"),
    "random_:below": unary("random_", 100),
    "random_:between": unary("random_", 3, 100),
    "random_:to": unary("random_", 3, to=100),
}


@pytest.mark.parametrize("name", FILLS)
def test_random_fills_draw_the_same_numbers(name: str) -> None:
    whole = ["int64", "int32", "uint8", "bool"] if name == "random_" else ["int64", "uint8"] * (name[:7] == "random_")
    for dtype in ("float16", "float32", "float64", *whole):
        drawn = []
        for m in (torch, ad):
            x = m.zeros(SHAPE, dtype=getattr(m, dtype))
            m.manual_seed(7)
            assert FILLS[name](m, x, [m.tensor(FLOAT[0])]) is x
            drawn.append(x)
        # Where both compute in float64, the last digit of a logarithm or tangent may differ.
        same(*drawn, 1e-13 if dtype == "float64" else 0.0)
    for refused in (lambda m: unary(name.split(":")[0])(m, m.zeros(2, requires_grad=True), []),):
        for m in (torch, ad):
            with pytest.raises((RuntimeError, TypeError)):
                refused(m)


def test_what_a_random_fill_writes_has_no_gradient() -> None:
    for name in ("uniform_", "normal_", "exponential_", "log_normal_", "cauchy_", "random_"):
        for m in (torch, ad):
            w = m.ones(3, requires_grad=True)
            x = w * 1
            getattr(x[1:], name)()
            assert grad(m, x, [w])[0].tolist()[1:] == [0.0, 0.0]


def test_every_method_in_place_is_compared_or_its_absence_explained() -> None:
    names = {name for name in dir(torch.Tensor) if name.endswith("_") and not name.startswith("_")}
    compared = {name.split(":")[0] for name in (CALLS | INTEGERS | FILLS)}
    assert {name for name in names if not hasattr(ad.Tensor, name)} == set(ABSENT)
    assert names - set(ABSENT) <= compared, names - set(ABSENT) - compared

"""The composition root: puts operators, methods and NumPy's dispatch on Tensor.

`python -m autodiff.methods` writes `_signatures.pyi`, the stub that types what is put there.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from autodiff import assignment, creation, drawing, hooks, sampling, views
from autodiff.backward import tensor_backward
from autodiff.inplace import in_place, moved_in_place
from autodiff.op import NUMPY
from autodiff.ops import (
    added_products,
    arithmetic,
    axes,
    bessel,
    chains,
    comparison,
    conversion,
    counting,
    decompositions,
    determinants,
    diagonals,
    distances,
    einsum,
    error_function,
    exponential,
    extrema,
    gamma,
    indexing,
    integration,
    interpolation,
    kronecker,
    least_squares,
    limits,
    matrix_functions,
    moments,
    norms,
    older_decompositions,
    order_statistics,
    powers,
    products,
    properties,
    rearrangement,
    reduction,
    repetition,
    rounding,
    scan,
    scattering,
    selection,
    shape,
    softmax,
    solvers,
    sorting,
    special,
    splitting,
    trigonometric,
    windows,
)
from autodiff.outside import no_attribute
from autodiff.tensor import Tensor, missing_grad

METHODS: dict[ModuleType, str] = {
    decompositions: "cholesky",
    determinants: "det logdet slogdet",
    least_squares: "pinverse",
    matrix_functions: "matrix_exp",
    older_decompositions: "qr svd",
    solvers: "cholesky_inverse cholesky_solve inverse",
    arithmetic: "abs absolute add addcdiv addcmul copysign deg2rad div divide mul multiply neg negative positive "
    "rad2deg reciprocal sgn sign signbit sub subtract true_divide xlogy",
    rounding: "ceil fix floor floor_divide fmod frac remainder round trunc",
    powers: "float_power hypot ldexp pow rsqrt sqrt square",
    limits: "clamp clamp_max clamp_min clip fmax fmin maximum minimum nan_to_num",
    interpolation: "lerp",
    distances: "dist",
    exponential: "exp exp2 expm1 log log10 log1p log2 logaddexp logaddexp2 relu sigmoid tanh",
    trigonometric: "acos acosh arccos arccosh arcsin arcsinh arctan arctan2 arctanh asin asinh atan atan2 atanh cos "
    "cosh sin sinh tan",
    comparison: "allclose bitwise_and bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor eq "
    "equal ge greater greater_equal gt isclose isfinite isinf isnan isneginf isposinf isreal le less less_equal "
    "logical_and logical_not logical_or logical_xor lt ne not_equal",
    selection: "heaviside masked_fill masked_scatter masked_select nonzero",
    conversion: "byte char clone contiguous cpu double float half int long short to type_as",
    scan: "cummax cummin cumprod cumsum logcumsumexp",
    integration: "diff",
    sorting: "argsort kthvalue msort sort topk",
    reduction: "all any logsumexp mean nanmean nansum prod sum",
    extrema: "amax amin aminmax argmax argmin max min",
    moments: "corrcoef cov std var",
    order_statistics: "median mode nanmedian nanquantile quantile",
    norms: "norm renorm",
    counting: "bincount count_nonzero histc histogram unique unique_consecutive",
    shape: "broadcast_to expand expand_as flatten ravel reshape reshape_as squeeze unflatten unsqueeze view view_as",
    creation: "new_empty new_full new_ones new_tensor new_zeros",
    properties: "data_ptr is_complex is_signed",
    axes: "adjoint moveaxis movedim permute swapaxes swapdims t transpose",
    rearrangement: "flip fliplr flipud roll rot90",
    repetition: "repeat repeat_interleave tile",
    windows: "as_strided storage_offset unfold",
    diagonals: "diag diag_embed diagflat diagonal trace tril triu",
    indexing: "argwhere gather index_select narrow select take take_along_dim",
    scattering: "diagonal_scatter index_add index_copy index_fill index_put index_reduce put scatter scatter_add "
    "scatter_reduce select_scatter slice_scatter",
    splitting: "chunk dsplit hsplit split split_with_sizes tensor_split unbind vsplit",
    products: "bmm cross dot ger matmul mm mv outer vdot",
    added_products: "addbmm addmm addmv addr baddbmm",
    chains: "matrix_power",
    einsum: "inner",
    kronecker: "kron",
    softmax: "log_softmax softmax",
    error_function: "erf erfc erfinv",
    gamma: "digamma lgamma mvlgamma",
    bessel: "i0",
    special: "logit sinc",
    hooks: "register_hook register_post_accumulate_grad_hook retain_grad",
    assignment: "copy_ fill_ fill_diagonal_ zero_",
    drawing: "bernoulli_ cauchy_ exponential_ geometric_ log_normal_ normal_ random_ uniform_",
    sampling: "multinomial",
}
# Methods with a form in place, whose name ends in an underscore, and those whose form in place changes the view.
IN_PLACE = (
    "abs absolute acos acosh add addbmm addcdiv addcmul addmm addmv addr arccos arccosh arcsin arcsinh arctan arctan2 "
    "arctanh asin asinh atan atan2 atanh baddbmm bitwise_and bitwise_left_shift bitwise_not bitwise_or "
    "bitwise_right_shift bitwise_xor ceil clamp clamp_max clamp_min clip copysign cos cosh cumprod cumsum deg2rad "
    "digamma div divide eq erf erfc erfinv exp exp2 expm1 fix float_power floor floor_divide fmod frac ge greater "
    "greater_equal gt heaviside hypot i0 index_add index_copy index_fill index_reduce ldexp le lerp less less_equal "
    "lgamma log log10 log1p log2 logical_and logical_not logical_or logical_xor logit lt masked_fill masked_scatter "
    "mul multiply mvlgamma nan_to_num ne neg negative not_equal pow put rad2deg reciprocal relu remainder renorm round "
    "rsqrt scatter scatter_add scatter_reduce sgn sigmoid sign sin sinc sinh sqrt square sub subtract tan tanh tril "
    "triu true_divide trunc xlogy"
)
MOVED_IN_PLACE = "squeeze swapaxes swapdims t transpose unsqueeze as_strided"
# Methods that go by another name than their function, operators included.
RENAMED: dict[str, Callable[..., Any]] = {
    "_is_view": views.is_view,
    "backward": tensor_backward,
    "bernoulli": sampling.bernoulli,
    "polygamma": gamma.polygamma_of,
    "bool": conversion.bool_,
    "type": conversion.type_,
    "where": selection.where_method,
    "__add__": arithmetic._add,
    "__sub__": arithmetic._sub,
    "__mul__": arithmetic.mul,
    "__truediv__": arithmetic.true_divide,
    "__floordiv__": rounding.floor_divide,
    "__mod__": rounding.remainder,
    "__pow__": powers.pow,
    "__matmul__": products.matmul,
    "__and__": comparison.bitwise_and,
    "__or__": comparison.bitwise_or,
    "__xor__": comparison.bitwise_xor,
    "__lshift__": comparison.bitwise_left_shift,
    "__rshift__": comparison.bitwise_right_shift,
    "__lt__": comparison.lt,
    "__le__": comparison.le,
    "__gt__": comparison.gt,
    "__ge__": comparison.ge,
    "__neg__": arithmetic.neg,
    "__pos__": arithmetic.positive,
    "__abs__": arithmetic.abs,
    "__invert__": comparison.bitwise_not,
    "__getitem__": indexing.getitem,
    "__setitem__": assignment.setitem,
    "index_put_": assignment.put_at_,
}
# What these functions do on arrays of one dtype, as a ufunc that writes where it is told.
UFUNCS = {"add": np.add, "sub": np.subtract, "subtract": np.subtract, "div": np.true_divide, "divide": np.true_divide}
AUGMENTED = {
    "iadd": "add_", "isub": "sub_", "imul": "mul_", "itruediv": "div_", "ifloordiv": "floor_divide_",
    "imod": "remainder_", "ipow": "pow_", "iand": "bitwise_and_", "ior": "bitwise_or_", "ixor": "bitwise_xor_",
    "ilshift": "bitwise_left_shift_", "irshift": "bitwise_right_shift_",
}  # fmt: skip
REFLECTED = "add sub mul truediv floordiv mod pow matmul and or xor lshift rshift"
PROPERTIES: dict[str, Callable[[Tensor], Any]] = {
    "_base": views.base_of,
    "is_cpu": properties.is_cpu,
    "is_cuda": properties.is_cuda,
    "T": axes.reversed_axes,
    "mT": axes.adjoint,
    "H": axes.hermitian,
    "mH": axes.adjoint,
    "retains_grad": hooks.retains_grad,
}


def _named(name: str) -> Callable[..., Tensor]:
    """The function behind a method."""
    family = next(family for family, names in METHODS.items() if name in names.split())
    function: Callable[..., Tensor] = getattr(family, name)
    return function


def _written() -> dict[str, Callable[..., Any]]:
    """The methods that write into their tensor, by name."""
    forms = {f"{name}_": in_place(_named(name), f"{name}_", UFUNCS.get(name)) for name in IN_PLACE.split()}
    forms["polygamma_"] = in_place(gamma.polygamma_of, "polygamma_")
    forms |= {f"{name}_": moved_in_place(_named(name), f"{name}_") for name in MOVED_IN_PLACE.split()}
    return forms | {f"__{operator}__": forms[name] for operator, name in AUGMENTED.items()}


WRITTEN = _written()


def _reflected(function: Callable[..., Tensor]) -> Callable[[Tensor, Any], Tensor]:
    return lambda self, other: function(other, self)


def _or_false(compare: Callable[..., Tensor]) -> Callable[[Tensor, Any], Any]:
    """Comparing with None or a string is False (or True for !=), as everywhere in Python, and not an error."""
    known = (Tensor, np.ndarray, np.generic, int, float)
    return lambda self, other: compare(self, other) if isinstance(other, known) else NotImplemented


def _array_ufunc(self: Tensor, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
    """What NumPy's ufuncs do when a Tensor is among their inputs."""
    record = NUMPY.get(ufunc)
    if record is None or method != "__call__" or options:
        what = f"np.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}")
        extra = f" with {', '.join(options)}" if options else ""
        raise TypeError(
            f"{what}{extra} has no derivative here, so it would detach silently; use x.detach().numpy() where no "
            f"gradient is needed, or compose it from the ops of autodiff"
        )
    return record(*inputs)


def _array_function(self: Tensor, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
    """What NumPy's other functions do when a Tensor is among their arguments."""
    ours = NUMPY.get(function)
    if ours is None:
        raise TypeError(
            f"np.{function.__name__} has no derivative here, so it would detach silently; use x.detach().numpy() "
            f"where no gradient is needed, or compose it from the ops of autodiff"
        )
    return ours(*args, **kwargs)


def _getattr(self: Tensor, name: str) -> Any:
    if name == "grad":
        return missing_grad(self)
    raise no_attribute("'Tensor' object", name, self)


PROTOCOLS: dict[str, Callable[..., Any]] = {
    "__getattr__": _getattr,
    "__eq__": _or_false(comparison.eq),
    "__ne__": _or_false(comparison.ne),
    "__array_ufunc__": _array_ufunc,
    "__array_function__": _array_function,
}


def install() -> None:
    """Put everything on Tensor; `autodiff` does so once when it is imported."""
    for family, names in METHODS.items():
        for name in names.split():
            setattr(Tensor, name, getattr(family, name))
    for name, function in (RENAMED | WRITTEN).items():
        setattr(Tensor, name, function)
    for name in REFLECTED.split():
        setattr(Tensor, f"__r{name}__", _reflected(RENAMED[f"__{name}__"]))
    for name, protocol in PROTOCOLS.items():
        setattr(Tensor, name, protocol)
    for name, get in PROPERTIES.items():
        setattr(Tensor, name, property(get))

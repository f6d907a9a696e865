"""An autograd engine with a dynamic computation graph, on NumPy, written as in PyTorch.

>>> import autodiff as ad
>>> x = ad.tensor([1.0, 2.0], requires_grad=True)
>>> (x**2).sum().backward()
>>> x.grad
tensor([2., 4.])
"""

from math import e, inf, nan, pi
from typing import TYPE_CHECKING

from autodiff import linalg, methods, out, special
from autodiff.backward import backward, grad
from autodiff.creation import (
    as_tensor,
    asarray,
    empty,
    empty_like,
    from_numpy,
    full,
    full_like,
    ones,
    ones_like,
    scalar_tensor,
    tensor,
    zeros,
    zeros_like,
)
from autodiff.dtypes import bool_ as bool
from autodiff.dtypes import (
    can_cast,
    finfo,
    float16,
    float32,
    float64,
    get_default_dtype,
    iinfo,
    int8,
    int16,
    int32,
    int64,
    promote_types,
    set_default_dtype,
    uint8,
)
from autodiff.dtypes import float16 as half
from autodiff.dtypes import float32 as float
from autodiff.dtypes import float64 as double
from autodiff.dtypes import int16 as short
from autodiff.dtypes import int32 as int
from autodiff.dtypes import int64 as long
from autodiff.formatting import set_printoptions
from autodiff.function import Function
from autodiff.grad_mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from autodiff.gradcheck import GradcheckError, compare_gradients, gradcheck, gradgradcheck
from autodiff.ops.added_products import addbmm, addmm, addmv, addr, baddbmm
from autodiff.ops.arithmetic import (
    abs,
    absolute,
    add,
    addcdiv,
    addcmul,
    copysign,
    deg2rad,
    div,
    divide,
    mul,
    multiply,
    neg,
    negative,
    positive,
    rad2deg,
    reciprocal,
    rsub,
    sgn,
    sign,
    signbit,
    sub,
    subtract,
    true_divide,
    xlogy,
)
from autodiff.ops.axes import adjoint, moveaxis, movedim, permute, swapaxes, swapdims, t, transpose
from autodiff.ops.bessel import i0
from autodiff.ops.chains import chain_matmul, matrix_power
from autodiff.ops.comparison import (
    allclose,
    bitwise_and,
    bitwise_left_shift,
    bitwise_not,
    bitwise_or,
    bitwise_right_shift,
    bitwise_xor,
    eq,
    equal,
    ge,
    greater,
    greater_equal,
    gt,
    isclose,
    isfinite,
    isin,
    isinf,
    isnan,
    isneginf,
    isposinf,
    isreal,
    le,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    lt,
    ne,
    not_equal,
)
from autodiff.ops.conversion import clone
from autodiff.ops.counting import bincount, count_nonzero, histc, histogram, unique, unique_consecutive
from autodiff.ops.decompositions import cholesky
from autodiff.ops.determinants import det, logdet, slogdet
from autodiff.ops.diagonals import diag, diag_embed, diagflat, diagonal, trace, tril, triu
from autodiff.ops.distances import cdist, dist
from autodiff.ops.einsum import einsum, inner, tensordot
from autodiff.ops.error_function import erf, erfc, erfinv
from autodiff.ops.exponential import (
    exp,
    exp2,
    expm1,
    log,
    log1p,
    log2,
    log10,
    logaddexp,
    logaddexp2,
    relu,
    sigmoid,
    tanh,
)
from autodiff.ops.extrema import amax, amin, aminmax, argmax, argmin, max, min
from autodiff.ops.gamma import digamma, lgamma, mvlgamma, polygamma
from autodiff.ops.grids import cartesian_prod, combinations, meshgrid
from autodiff.ops.indexing import (
    argwhere,
    gather,
    index_select,
    narrow,
    select,
    take,
    take_along_dim,
    unravel_index,
)
from autodiff.ops.integration import cumulative_trapezoid, diff, trapezoid, trapz
from autodiff.ops.interpolation import gradient, lerp
from autodiff.ops.joining import (
    block_diag,
    cat,
    column_stack,
    concat,
    concatenate,
    dstack,
    hstack,
    row_stack,
    stack,
    vstack,
)
from autodiff.ops.kronecker import kron
from autodiff.ops.least_squares import pinverse
from autodiff.ops.limits import clamp, clamp_max, clamp_min, clip, fmax, fmin, maximum, minimum, nan_to_num
from autodiff.ops.matrix_functions import matrix_exp
from autodiff.ops.moments import corrcoef, cov, std, std_mean, var, var_mean
from autodiff.ops.norms import norm, renorm
from autodiff.ops.older_decompositions import qr, svd
from autodiff.ops.order_statistics import median, mode, nanmedian, nanquantile, quantile
from autodiff.ops.powers import float_power, hypot, ldexp, pow, rsqrt, sqrt, square
from autodiff.ops.products import bmm, cross, dot, ger, matmul, mm, mv, outer, vdot
from autodiff.ops.properties import is_complex, is_floating_point, is_signed, is_tensor, numel, result_type
from autodiff.ops.rearrangement import flip, fliplr, flipud, roll, rot90
from autodiff.ops.reduction import all, any, logsumexp, mean, nanmean, nansum, prod, sum
from autodiff.ops.repetition import repeat_interleave, tile
from autodiff.ops.rounding import ceil, fix, floor, floor_divide, fmod, frac, remainder, round, trunc
from autodiff.ops.scan import cummax, cummin, cumprod, cumsum, logcumsumexp
from autodiff.ops.scattering import (
    diagonal_scatter,
    index_add,
    index_copy,
    index_fill,
    index_put,
    index_reduce,
    put,
    scatter,
    scatter_add,
    scatter_reduce,
    select_scatter,
    slice_scatter,
)
from autodiff.ops.searching import bucketize, searchsorted
from autodiff.ops.selection import heaviside, masked_fill, masked_scatter, masked_select, nonzero, where
from autodiff.ops.shape import (
    atleast_1d,
    atleast_2d,
    atleast_3d,
    broadcast_shapes,
    broadcast_tensors,
    broadcast_to,
    flatten,
    ravel,
    reshape,
    squeeze,
    unflatten,
    unsqueeze,
)
from autodiff.ops.softmax import log_softmax, softmax
from autodiff.ops.solvers import cholesky_inverse, cholesky_solve, inverse
from autodiff.ops.sorting import argsort, kthvalue, msort, sort, topk
from autodiff.ops.special import logit, sinc
from autodiff.ops.splitting import (
    chunk,
    dsplit,
    hsplit,
    split,
    split_with_sizes,
    tensor_split,
    unbind,
    vsplit,
)
from autodiff.ops.trigonometric import (
    acos,
    acosh,
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctan2,
    arctanh,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    cos,
    cosh,
    sin,
    sinh,
    tan,
)
from autodiff.ops.windows import as_strided
from autodiff.outside import no_attribute
from autodiff.own_ops import elementwise, multilinear, operation
from autodiff.random import Generator, default_generator, get_rng_state, initial_seed, manual_seed, seed, set_rng_state
from autodiff.ranges import arange, eye, linspace, logspace, tril_indices, triu_indices
from autodiff.sampling import (
    bernoulli,
    multinomial,
    normal,
    poisson,
    rand,
    rand_like,
    randint,
    randint_like,
    randn,
    randn_like,
    randperm,
)
from autodiff.tensor import Tensor
from autodiff.threads import get_num_threads, set_num_threads

if TYPE_CHECKING:
    from autodiff import autograd, func
    from autodiff.inspect.autopsy import autopsy
    from autodiff.inspect.check_graph import check_graph
    from autodiff.inspect.draw import draw
    from autodiff.inspect.explain import explain
    from autodiff.inspect.precision import precision
    from autodiff.lines import trace_lines
    from autodiff.serialization import load, save
    from autodiff.transforms.checkpoint import checkpoint, checkpoint_sequential
    from autodiff.transforms.vmap import vmap

methods.install()
for _namespace in (globals(), vars(linalg), vars(special)):
    out.accept(_namespace)
del out
__version__ = "0.1.0"
# What needs more than NumPy, or more than the engine, is imported when it is first used, to start quickly.
_ELSEWHERE = {
    "autograd": "autodiff",
    "autopsy": "autodiff.inspect.autopsy",
    "check_graph": "autodiff.inspect.check_graph",
    "checkpoint": "autodiff.transforms.checkpoint",
    "checkpoint_sequential": "autodiff.transforms.checkpoint",
    "draw": "autodiff.inspect",
    "explain": "autodiff.inspect.explain",
    "func": "autodiff",
    "load": "autodiff.serialization",
    "precision": "autodiff.inspect.precision",
    "save": "autodiff.serialization",
    "trace_lines": "autodiff.lines",
    "vmap": "autodiff.transforms.vmap",
}


def __getattr__(name: str) -> object:
    if name not in _ELSEWHERE:
        raise no_attribute("module 'autodiff'", name)
    from importlib import import_module

    home = _ELSEWHERE[name]
    whole = home == "autodiff"
    value = globals()[name] = import_module(f"autodiff.{name}") if whole else getattr(import_module(home), name)
    return value


newaxis = None

__all__ = [
    "Function", "Generator", "GradcheckError", "Tensor", "abs", "absolute", "acos", "acosh", "add", "addbmm", "addcdiv",
    "addcmul", "addmm", "addmv", "addr", "adjoint", "all", "allclose", "amax", "amin", "aminmax", "any", "arange",
    "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "argmax", "argmin", "argsort", "argwhere",
    "as_strided", "as_tensor", "asarray", "asin", "asinh", "atan", "atan2", "atanh", "atleast_1d", "atleast_2d",
    "atleast_3d", "autograd", "autopsy", "backward", "baddbmm", "bernoulli", "bincount", "bitwise_and",
    "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "block_diag", "bmm",
    "bool", "broadcast_shapes", "broadcast_tensors", "broadcast_to", "bucketize", "can_cast", "cartesian_prod", "cat",
    "cdist", "ceil", "chain_matmul", "check_graph", "checkpoint", "checkpoint_sequential", "cholesky",
    "cholesky_inverse", "cholesky_solve", "chunk", "clamp", "clamp_max", "clamp_min", "clip", "clone", "column_stack",
    "combinations", "compare_gradients", "concat", "concatenate", "copysign", "corrcoef", "cos", "cosh",
    "count_nonzero", "cov", "cross", "cummax", "cummin", "cumprod", "cumsum", "cumulative_trapezoid",
    "default_generator", "deg2rad", "det", "diag", "diag_embed", "diagflat", "diagonal", "diagonal_scatter", "diff",
    "digamma", "dist", "div", "divide", "dot", "double", "draw", "dsplit", "dstack", "e", "einsum", "elementwise",
    "empty", "empty_like", "enable_grad", "eq", "equal", "erf", "erfc", "erfinv", "exp", "exp2", "explain", "expm1",
    "eye", "finfo", "fix", "flatten", "flip", "fliplr", "flipud", "float", "float16", "float32", "float64",
    "float_power", "floor", "floor_divide", "fmax", "fmin", "fmod", "frac", "from_numpy", "full", "full_like", "func",
    "gather", "ge", "ger", "get_default_dtype", "get_num_threads", "get_rng_state", "grad", "gradcheck",
    "gradgradcheck", "gradient", "greater", "greater_equal", "gt", "half", "heaviside", "histc", "histogram", "hsplit",
    "hstack", "hypot", "i0", "iinfo", "index_add", "index_copy", "index_fill", "index_put", "index_reduce",
    "index_select", "inf", "inference_mode", "initial_seed", "inner", "int", "int8", "int16", "int32", "int64",
    "inverse", "is_complex", "is_floating_point", "is_grad_enabled", "is_inference_mode_enabled", "is_signed",
    "is_tensor", "isclose", "isfinite", "isin", "isinf", "isnan", "isneginf", "isposinf", "isreal", "kron", "kthvalue",
    "ldexp", "le", "lerp", "less", "less_equal", "lgamma", "linalg", "linspace", "load", "log", "log1p", "log2",
    "log10", "log_softmax", "logaddexp", "logaddexp2", "logcumsumexp", "logdet", "logical_and", "logical_not",
    "logical_or", "logical_xor", "logit", "logspace", "logsumexp", "long", "lt", "manual_seed", "masked_fill",
    "masked_scatter", "masked_select", "matmul", "matrix_exp", "matrix_power", "max", "maximum", "mean", "median",
    "meshgrid", "min", "minimum", "mm", "mode", "moveaxis", "movedim", "msort", "mul", "multilinear", "multinomial",
    "multiply", "mv", "mvlgamma", "nan", "nan_to_num", "nanmean", "nanmedian", "nanquantile", "nansum", "narrow", "ne",
    "neg", "negative", "newaxis", "no_grad", "nonzero", "norm", "normal", "not_equal", "numel", "ones", "ones_like",
    "operation", "outer", "permute", "pi", "pinverse", "poisson", "polygamma", "positive", "pow", "precision", "prod",
    "promote_types", "put", "qr", "quantile", "rad2deg", "rand", "rand_like", "randint", "randint_like", "randn",
    "randn_like", "randperm", "ravel", "reciprocal", "relu", "remainder", "renorm", "repeat_interleave", "reshape",
    "result_type", "roll", "rot90", "round", "row_stack", "rsqrt", "rsub", "save", "scalar_tensor", "scatter",
    "scatter_add", "scatter_reduce", "searchsorted", "seed", "select", "select_scatter", "set_default_dtype",
    "set_grad_enabled", "set_num_threads", "set_printoptions", "set_rng_state", "sgn", "short", "sigmoid", "sign",
    "signbit", "sin", "sinc", "sinh", "slice_scatter", "slogdet", "softmax", "sort", "special", "split",
    "split_with_sizes", "sqrt", "square", "squeeze", "stack", "std", "std_mean", "sub", "subtract", "sum", "svd",
    "swapaxes", "swapdims", "t", "take", "take_along_dim", "tan", "tanh", "tensor", "tensor_split", "tensordot", "tile",
    "topk", "trace", "trace_lines", "transpose", "trapezoid", "trapz", "tril", "tril_indices", "triu", "triu_indices",
    "true_divide", "trunc", "uint8", "unbind", "unflatten", "unique", "unique_consecutive", "unravel_index",
    "unsqueeze", "var", "var_mean", "vdot", "vmap", "vsplit", "vstack", "where", "xlogy", "zeros", "zeros_like",
]  # fmt: skip

"""An autograd engine with a dynamic computation graph, on NumPy, written as in PyTorch.

>>> import autodiff as ad
>>> x = ad.tensor([1.0, 2.0], requires_grad=True)
>>> (x**2).sum().backward()
>>> x.grad
tensor([2., 4.])
"""

from autodiff import methods
from autodiff.backward import backward, grad
from autodiff.creation import (
    arange,
    as_tensor,
    asarray,
    empty,
    empty_like,
    eye,
    from_numpy,
    full,
    full_like,
    linspace,
    logspace,
    ones,
    ones_like,
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
from autodiff.dtypes import int32 as int
from autodiff.dtypes import int64 as long
from autodiff.formatting import set_printoptions
from autodiff.gradcheck import GradcheckError, compare_gradients, gradcheck, gradgradcheck
from autodiff.grad_mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from autodiff.ops.arithmetic import (
    abs,
    add,
    ceil,
    clamp,
    clip,
    div,
    floor,
    floor_divide,
    fmod,
    maximum,
    minimum,
    mul,
    neg,
    pow,
    reciprocal,
    remainder,
    round,
    rsqrt,
    sign,
    sqrt,
    square,
    sub,
    trunc,
)
from autodiff.ops.comparison import (
    allclose,
    bitwise_and,
    bitwise_not,
    bitwise_or,
    bitwise_xor,
    eq,
    equal,
    ge,
    gt,
    isfinite,
    isinf,
    isnan,
    le,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    lt,
    ne,
)
from autodiff.ops.conversion import clone
from autodiff.ops.exponential import exp, exp2, expm1, log, log1p, log2, log10, logaddexp, relu, sigmoid, tanh
from autodiff.ops.indexing import gather, index_select, narrow, select, take_along_dim
from autodiff.ops.joining import cat, chunk, concat, concatenate, split, stack, unbind
from autodiff.ops.linear_algebra import bmm, dot, einsum, matmul, mm, mv, outer
from autodiff.ops.reduction import (
    all,
    amax,
    amin,
    any,
    argmax,
    argmin,
    cumsum,
    logsumexp,
    max,
    mean,
    min,
    std,
    sum,
    var,
)
from autodiff.ops.selection import masked_fill, nonzero, where
from autodiff.ops.shape import (
    broadcast_tensors,
    broadcast_to,
    flatten,
    flip,
    movedim,
    permute,
    ravel,
    reshape,
    squeeze,
    swapaxes,
    swapdims,
    t,
    transpose,
    tril,
    triu,
    unflatten,
    unsqueeze,
)
from autodiff.ops.softmax import log_softmax, softmax
from autodiff.ops.trigonometric import acos, acosh, asin, asinh, atan, atan2, atanh, cos, cosh, sin, sinh, tan
from autodiff.random import Generator, get_rng_state, initial_seed, manual_seed, seed, set_rng_state
from autodiff.sampling import bernoulli, rand, rand_like, randint, randn, randn_like, randperm
from autodiff.tensor import Tensor

methods.install()
__version__ = "0.1.0"

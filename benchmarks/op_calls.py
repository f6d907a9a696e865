"""The calls of the table of ops: one text for both libraries, of `n` float32 numbers in all.

``m`` is the library; ``x, y`` are vectors (n), ``p`` is one of positive numbers, ``a, b`` are square matrices of about
n numbers, ``s`` a batch of 10 by 10 matrices, well conditioned, and ``h`` the same made symmetric and positive; ``i``
are n indices into x in random order, ``c`` a mask of it. All but i and c require grad.
"""

import math
from types import ModuleType
from typing import Any

import numpy as np

UNARY = (
    "abs ceil cos cosh deg2rad erf erfc exp exp2 expm1 floor frac log1p logit nan_to_num neg positive relu round "
    "sigmoid sign sin sinc sinh square tan tanh trunc asin acos atan asinh atanh erfinv"
)
POSITIVE = "digamma lgamma log log10 log2 reciprocal rsqrt sqrt i0"
BINARY = (
    "add sub mul div maximum minimum fmax fmin fmod remainder atan2 hypot copysign logaddexp logaddexp2 xlogy dist "
    "ldexp"
)
COMPARE = "eq ne lt le gt ge isclose logical_and"
PREDICATE = "isnan isinf isfinite logical_not signbit argmax argmin argsort count_nonzero"
REDUCE = "sum mean prod std var max min median nansum nanmean norm logsumexp0"
SHAPE = {
    "reshape": "x.reshape(2, -1)",
    "flip": "m.flip(x, (0,))",
    "roll": "m.roll(x, 3, 0)",
    "transpose": "a.t() * 1",
    "permute": "a.permute(1, 0) * 1",
    "repeat": "x.repeat(2)",
    "repeat_interleave": "m.repeat_interleave(x, 2)",
    "tile": "m.tile(x, (2,))",
    "rot90": "m.rot90(a)",
    "tril": "m.tril(a)",
    "triu": "m.triu(a)",
    "diag": "m.diag(a)",
    "diagonal": "m.diagonal(a) * 1",
    "trace": "m.trace(a)",
    "diag_embed": "m.diag_embed(a[0])",
    "unfold": "x.unfold(0, 4, 2) * 1",
    "expand": "a[:1].expand(4, -1) * 1",
    "squeeze": "x[None].squeeze(0) * 1",
    "movedim": "m.movedim(a, 0, 1) * 1",
}
INDEX = {
    "getitem slice": "x[2:-2] * 1",
    "getitem index": "x[i]",
    "getitem mask": "x[c]",
    "gather": "m.gather(x, 0, i)",
    "index_select": "m.index_select(x, 0, i)",
    "take": "m.take(x, i)",
    "scatter_add": "m.scatter_add(x, 0, i, y)",
    "scatter": "m.scatter(x, 0, i, y)",
    "index_add": "m.index_add(x, 0, i, y)",
    "masked_fill": "x.masked_fill(c, 0.0)",
    "masked_select": "m.masked_select(x, c)",
    "where": "m.where(c, x, y)",
    "nonzero": "m.nonzero(c)",
    "take_along_dim": "m.take_along_dim(x, i, 0)",
    "index_fill": "x.index_fill(0, i[:5], 0.0)",
}
OTHER = {
    "floor_divide": "m.floor_divide(x.detach(), p.detach())",
    "lerp": "m.lerp(x, y, 0.3)",
    "addcmul": "m.addcmul(x, y, p)",
    "addcdiv": "m.addcdiv(x, y, p)",
    "clamp": "x.clamp(0.4, 0.6)",
    "pow": "p ** 1.5",
    "pow tensor": "p ** x",
    "cat": "m.cat([x, y])",
    "stack": "m.stack([x, y])",
    "split": "m.split(x, 10)[0] * 1",
    "chunk": "m.chunk(x, 4)[0] * 1",
    "hstack": "m.hstack([x, y])",
    "cumsum": "m.cumsum(x, 0)",
    "cumprod": "m.cumprod(a, 1)",
    "cummax": "m.cummax(x, 0)[0]",
    "logcumsumexp": "m.logcumsumexp(a, 1)",
    "diff": "m.diff(x)",
    "trapezoid": "m.trapezoid(x)",
    "sort": "m.sort(x)[0]",
    "topk": "m.topk(x, 5)[0]",
    "kthvalue": "m.kthvalue(x, 5)[0]",
    "unique": "m.unique(x.detach())",
    "sum dim": "a.sum(1)",
    "mean dim": "a.mean(0)",
    "max dim": "a.max(1)[0]",
    "amax": "m.amax(a, 1)",
    "var dim": "a.var(1)",
    "logsumexp": "m.logsumexp(a, 1)",
    "softmax": "m.softmax(a, 1)",
    "log_softmax": "m.log_softmax(a, 1)",
    "quantile": "m.quantile(x[:10000], 0.3)",
    "cov": "m.cov(a[:10])",
    "searchsorted": "m.searchsorted(m.sort(x.detach())[0], y.detach())",
    "bincount": "m.bincount(i)",
    "histc": "m.histc(x.detach(), 10, 0, 1)",
    "std_mean": "m.std_mean(x)[0]",
    "aminmax": "m.aminmax(x)[0]",
}
LINEAR_ALGEBRA = {
    "matmul": "a @ b",
    "mv": "m.mv(a, b[0])",
    "dot": "m.dot(x, y)",
    "outer": "m.outer(a[0], b[0])",
    "bmm": "m.bmm(s, s)",
    "addmm": "m.addmm(a, a, b)",
    "baddbmm": "m.baddbmm(s, s, s)",
    "einsum": "m.einsum('ij,jk->ik', a, b)",
    "tensordot": "m.tensordot(a, b, 1)",
    "kron": "m.kron(a[:3, :3], b[:3, :3])",
    "cross": "m.linalg.cross(s[:, :3], s[:, 3:6], dim=1)",
    "cdist": "m.cdist(a[:100], b[:100])",
    "matrix_power": "m.matrix_power(s, 3)",
    "vector_norm": "m.linalg.vector_norm(x)",
    "det": "m.linalg.det(s)",
    "slogdet": "m.linalg.slogdet(s)[1]",
    "inv": "m.linalg.inv(s)",
    "solve": "m.linalg.solve(s, s)",
    "cholesky": "m.linalg.cholesky(h)",
    "qr": "m.linalg.qr(s)[1]",
    "eigh": "m.linalg.eigh(h)[0]",
    "svd": "m.linalg.svd(s)[1]",
    "pinv": "m.linalg.pinv(s)",
    "matrix_exp": "m.linalg.matrix_exp(s)",
}
CALLS: dict[str, str] = {
    **{name: f"m.{name}(x)" for name in UNARY.split()},
    **{name: f"m.{name}(p)" for name in POSITIVE.split()},
    **{name: f"m.{name}(x, p)" for name in BINARY.split()},
    **{name: f"m.{name}(x, p)" for name in COMPARE.split()},
    **{name: f"m.{name}(x)" for name in PREDICATE.split()},
    **{name: f"m.{name}(x)" if name[-1] != "0" else f"m.{name[:-1]}(x, 0)" for name in REDUCE.split()},
    **SHAPE,
    **INDEX,
    **OTHER,
    **LINEAR_ALGEBRA,
}


def inputs(m: ModuleType, n: int) -> dict[str, Any]:
    """What the calls speak of, the same numbers for both libraries."""
    rng = np.random.default_rng(0)
    side = math.isqrt(n)
    symmetric = rng.uniform(0.25, 0.75, (n // 100, 10, 10)) + 10 * np.eye(10)
    arrays = {
        "x": rng.uniform(0.25, 0.75, n),
        "y": rng.uniform(0.25, 0.75, n),
        "p": rng.uniform(0.25, 4, n),
        "a": rng.uniform(0.25, 0.75, (side, side)),
        "b": rng.uniform(0.25, 0.75, (side, side)),
        "s": symmetric,
        "h": symmetric + symmetric.swapaxes(1, 2),
    }
    made = {name: m.tensor(array.astype(np.float32)).requires_grad_() for name, array in arrays.items()}
    return {**made, "m": m, "i": m.tensor(rng.permutation(n)), "c": m.tensor(rng.random(n) < 0.5)}

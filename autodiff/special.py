"""`ad.special`: special functions under the names of `torch.special`.

The error function, its kin and what is made of elementary functions need NumPy only; the gamma and Bessel functions
import SciPy when the first of them is called.
"""

from autodiff.ops.arithmetic import xlogy
from autodiff.ops.bessel import bessel_j0, bessel_j1, i0, i0e, i1, i1e
from autodiff.ops.error_function import erf, erfc, erfcx, erfinv, log_ndtr, ndtr, ndtri
from autodiff.ops.exponential import exp2, expm1, log1p
from autodiff.ops.exponential import sigmoid as expit
from autodiff.ops.gamma import digamma, gammainc, gammaincc, gammaln, multigammaln, polygamma, psi, zeta
from autodiff.ops.reduction import logsumexp
from autodiff.ops.rounding import round
from autodiff.ops.softmax import log_softmax, softmax
from autodiff.ops.special import entr, logit, sinc, xlog1py

__all__ = [
    "bessel_j0", "bessel_j1", "digamma", "entr", "erf", "erfc", "erfcx", "erfinv", "exp2", "expit", "expm1", "gammainc",
    "gammaincc", "gammaln", "i0", "i0e", "i1", "i1e", "log1p", "log_ndtr", "log_softmax", "logit", "logsumexp",
    "multigammaln", "ndtr", "ndtri", "polygamma", "psi", "round", "sinc", "softmax", "xlog1py", "xlogy", "zeta",
]  # fmt: skip

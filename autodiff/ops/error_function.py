"""The error function, its complement and its inverse, and the normal distribution that they describe; without SciPy.

Each kernel is a quotient of polynomials over its whole range (the inverse needs two), so that arrays are computed
without branches. The coefficients minimise the largest relative error of the result, by weighted least squares in
60 digits; what they leave is under a third of the last place of the dtype, and the rest is rounding: a few places,
measured in the tests. float16 is computed in float32.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autodiff.domain import Domain, Interval
from autodiff.ops.blocks import by_blocks, on_vectors
from autodiff.recorders import elementwise

Array = np.ndarray[Any, Any]
Coefficients = tuple[tuple[float, ...], tuple[float, ...]]
Quotient = dict[str, list[list[Array]]]


def _quotient_of(single: Coefficients, double: Coefficients) -> Quotient:
    """Numerators and denominators by dtype, in coefficients of falling powers."""
    # NumPy adds a 0-d array to 100 numbers in 0.3 µs, and a Python float in 0.7.
    return {
        dtype: [[np.array(coefficient, dtype) for coefficient in part] for part in parts]
        for dtype, parts in (("f", single), ("d", double))
    }


# -log(1 - erf²) / x² as a function of x², up to where erf rounds to 1.
ERF = _quotient_of(
    single=(
        (0.002441092312930921, 0.04556584606400441, 0.27933639152312545, 1.273239549887323),
        (0.0024340730122779214, 0.04061691451419749, 0.2494373343765137, 1.0),
    ),
    double=(
        (
            5.053805807954763e-08, 1.9705308025007034e-06, 3.9795150150710666e-05, 0.0005570011313028045,
            0.005489120556003927, 0.03926466197995686, 0.19838151257098519, 0.6582939096496098, 1.2732395447351628,
        ),
        (
            1.4254412879508344e-12, 5.019605619600507e-08, 1.8654119708294138e-06, 3.708235296680877e-05,
            0.0005078894338497046, 0.0049185389852286, 0.03443555636137383, 0.16958182768692354, 0.5470697219136212,
            1.0,
        ),
    ),
)  # fmt: skip
# e^x² erfc(x) / t as a function of t = 1 / (x + 1), for all x from 0; exactly 1 at t = 1.
ERFCX = _quotient_of(
    single=(
        (-0.2462351306549382, 2.2066270217785826, 2.703262406277063, 2.743778695952628, 0.8721419055803858,
         0.5641895922417842),
        (0.03472736438443417, 2.2374642286637574, 1.208677904179316, 3.8170582821082477, 0.5458368473091236, 1.0),
    ),
    double=(
        (
            -0.005432681488020398, 1950.9628693563318, 4463.376412502698, 5540.120019006986, 4718.600756517901,
            2993.6397033762537, 1462.9608851209232, 557.5090517052389, 163.93121540094862, 36.59754440834868,
            5.622897132495011, 0.5641895835477563,
        ),
        (
            389.4786774731756, 1757.8630025796579, 3761.199119542408, 5058.558685965409, 4772.434968542717,
            3341.2009594305428, 1781.5855773948072, 735.0154436420174, 231.17621833919313, 55.40113284452327,
            8.966325675736375, 1.0,
        ),
    ),
)  # fmt: skip
# erfinv(x) / x as a function of 0.65 - x², for |x| up to 0.8.
INVERSE = _quotient_of(
    single=(
        (0.19206210973617321, 2.342222113412241, 3.499365562447391, 1.1397321652535826),
        (0.6436997779723599, 3.4362297257891963, 3.6926338573489477, 1.0),
    ),
    double=(
        (0.016242018738236656, 0.9724920122262319, 8.978129309642913, 28.643113407264558, 40.637445894040276,
         28.020767142304148, 9.17364767842307, 1.1397322118466824),
        (0.10011782134199164, 2.4790678780873505, 15.593434056645833, 39.37067924454316, 47.51622814928813,
         29.064590268056595, 8.67124859936997, 1.0),
    ),
)  # fmt: skip
# The y with erfc(y) = q, divided by s = √(-log q), as a function of 1 / s, for q from 0.2 down to the least number.
INVERSE_TAIL = _quotient_of(
    single=(
        (-0.5039098769390047, 3.4465882048645304, 5.979294027439131, 33.57055026375272, 14.260477855836427,
         1.000105621100035),
        (0.23447248809022425, 17.020020212165317, 22.456450499942672, 35.72028186477812, 14.27348463423421, 1.0),
    ),
    double=(
        (
            -6798.020026614769, -526129.8850249429, 4055087.202309254, 11706532.697987087, 17586963.90345773,
            23011440.78234248, 10879339.395748831, 4149337.3343704543, 1251249.8848225763, 172542.65672279432,
            9459.63784147277, 187.45097499007696, 1.0000013751286119,
        ),
        (
            -680092.5045289405, 5028909.179271538, 11421413.807196634, 25433417.095276553, 27596707.962154675,
            26622231.09977083, 12249109.847593954, 4410083.4626886705, 1269997.14254198, 173017.68877105488,
            9462.992445373908, 187.4523078236896, 1.0,
        ),
    ),
)  # fmt: skip


def _number(value: float) -> dict[str, Array]:
    """A 0-d array by dtype."""
    return {dtype: np.array(value, dtype) for dtype in "fd"}


ONE, TWO, FORTY = _number(1), _number(2), np.array(40.0)


def _horner(coefficients: list[Array], x: Array) -> Array:
    """The polynomial with these coefficients of falling powers."""
    y: Array = coefficients[0] * x
    for coefficient in coefficients[1:-1]:
        y += coefficient
        y *= x
    y += coefficients[-1]
    return y


def evaluate(quotient: Quotient, x: Array) -> Array:
    numerator, denominator = quotient[x.dtype.char]
    y = _horner(numerator, x)
    y /= _horner(denominator, x)
    return y


def _exp_of_square(x: Array, factor: float) -> Array:
    """exp(factor x²). Half a place in x² would cost up to 700 places: here c² is exact, and the rest is small."""
    if x.dtype.char == "f":
        # The square is exact in double precision.
        square = np.multiply(x, x, dtype=np.float64)
        if factor == -1:
            np.negative(square, out=square)
        else:
            square *= factor
        return np.exp(square, out=square).astype(np.float32)
    c = x * 16.0
    np.rint(c, out=c)
    c *= 1 / 16.0
    y: Array = c * c
    rest = x - c
    c += x
    rest *= c
    if factor == -1:
        np.negative(y, out=y)
        np.negative(rest, out=rest)
    else:
        y *= factor
        rest *= factor
    np.exp(y, out=y)
    y *= np.exp(rest, out=rest)
    return y


def _scaled(x: Array) -> Array:
    """e^x² erfc(x) for x from 0."""
    t = x + ONE[x.dtype.char]
    # NumPy's division takes half of the time of its reciprocal.
    np.divide(ONE[x.dtype.char], t, out=t)
    y = evaluate(ERFCX, t)
    y *= t
    return y


def _erf(x: Array) -> Array:
    # Limits by the method: np.minimum with a number takes three times as long, and np.clip as well for 100 numbers.
    size = x.clip(-6, 6)
    # Not 0, by which y would be divided; so the sign comes from x, and the least numbers are exact.
    square: Array = size * size
    square += 1e-37
    y = evaluate(ERF, square)
    np.negative(square, out=square)
    y *= square
    np.expm1(y, out=y)
    y /= square
    np.sqrt(y, out=y)
    y *= x
    return y.clip(-1, 1, out=y)


def _erfc(x: Array, square: float = 1.0) -> Array:
    """erfc(scale x) with the square of the scale."""
    size = np.abs(x)
    if x.dtype.char == "d":
        # Beyond 40 all of them are 0, and the square of the infinite would be made of inf - inf.
        np.minimum(size, FORTY, out=size)
    y = _scaled(size if square == 1 else math.sqrt(square) * size)
    y *= _exp_of_square(size, -square)
    # |y - 2| for negative x, else |y - 0|: np.where takes three times as long.
    y -= np.signbit(x) * TWO[x.dtype.char]
    return np.abs(y, out=y)


def _erfcx(x: Array) -> Array:
    y = _scaled(np.abs(x))
    negative = x < 0
    if negative.any():
        with np.errstate(over="ignore"):
            y = np.where(negative, 2 * _exp_of_square(x.clip(-28, 0), 1.0) - y, y)
    return y


def _inverse(x: Array, q: Array) -> Array:
    """erfinv(x), given also q = 1 - |x|, of which the caller may know more digits."""
    y = x * evaluate(INVERSE, 0.65 - x * x)
    (tail,) = np.nonzero(q < 0.2)
    if tail.size:
        s = np.sqrt(-np.log(q[tail]))
        y[tail] = np.copysign(s * evaluate(INVERSE_TAIL, 1 / s), x[tail])
    return y


def _log_ndtr(x: Array) -> Array:
    # Each of the two halves is given values that it can take, and is not used where they are not x.
    size = np.abs(x).clip(0, 1e18)
    low = np.log(0.5 * _scaled(math.sqrt(0.5) * size)) - 0.5 * x * x
    high = np.log1p(-0.5 * _erfc(x.clip(-1), 0.5))
    return np.where(x < -1, low, high)


def _bell(factor: float) -> Any:
    """The derivative of erf or erfc: factor e^-x²."""

    factors = {dtype: np.array(factor, dtype) for dtype in "efd"}

    @by_blocks
    def on_arrays(g: Array, y: Any, x: Array) -> Array:
        out = np.asarray(x * x)
        np.negative(out, out=out)
        np.exp(out, out=out)
        out *= factors[out.dtype.char]
        out *= g
        return out

    return on_arrays


erf = elementwise(
    "erf",
    by_blocks(on_vectors(_erf)),
    vjp=lambda g, y, x: g * (2 / math.sqrt(math.pi) * np.exp(-x * x)),
    fast=_bell(2 / math.sqrt(math.pi)),
    saves="x",
    domain=Interval(-4, 4),
    result="float",
    analytic=False,
    doc="The error function 2/√π ∫₀ˣ e^-t² dt.",
    example="ad.erf(ad.tensor([0.0, 1.0])) -> tensor([0.0000, 0.8427])",
)
erfc = elementwise(
    "erfc",
    by_blocks(on_vectors(_erfc)),
    vjp=lambda g, y, x: g * (-2 / math.sqrt(math.pi) * np.exp(-x * x)),
    fast=_bell(-2 / math.sqrt(math.pi)),
    saves="x",
    domain=Interval(-4, 6),
    result="float",
    analytic=False,
    doc="1 - erf(x), exact where that is small.",
    example="ad.erfc(ad.tensor([0.0, 2.0])) -> tensor([1.0000, 0.0047])",
)
erfcx = elementwise(
    "erfcx",
    by_blocks(on_vectors(_erfcx)),
    vjp=lambda g, y, x: g * (2 * x * y - 2 / math.sqrt(math.pi)),
    saves="x y",
    domain=Interval(-2, 20),
    result="float",
    analytic=False,
    doc="e^x² erfc(x), which does not underflow.",
    example="ad.special.erfcx(ad.tensor([0.0, 100.0])) -> tensor([1.0000, 0.0056])",
)
erfinv = elementwise(
    "erfinv",
    by_blocks(on_vectors(lambda x: _inverse(x, 1 - np.abs(x)))),
    vjp=lambda g, y, x: g * (math.sqrt(math.pi) / 2 * np.exp(y * y)),
    saves="y",
    domain=Interval(-0.95, 0.95),
    result="float",
    analytic=False,
    doc="The inverse of erf: infinite at ±1, NaN beyond.",
    example="ad.erfinv(ad.tensor([0.0, 0.5])) -> tensor([0.0000, 0.4769])",
)
ndtr = elementwise(
    "ndtr",
    by_blocks(on_vectors(lambda x: 0.5 * _erfc(-x, 0.5))),
    vjp=lambda g, y, x: g * (math.sqrt(0.5 / math.pi) * np.exp(-0.5 * x * x)),
    saves="x",
    domain=Interval(-6, 6),
    result="float",
    analytic=False,
    doc="The standard normal distribution function: the probability of a value below x.",
    example="ad.special.ndtr(ad.tensor([0.0, 1.96])) -> tensor([0.5000, 0.9750])",
)
log_ndtr = elementwise(
    "log_ndtr",
    by_blocks(on_vectors(_log_ndtr)),
    vjp=lambda g, y, x: g * (math.sqrt(2 / math.pi) / erfcx.rule(x * -math.sqrt(0.5))),
    saves="x",
    domain=Interval(-20, 5),
    result="float",
    analytic=False,
    doc="The logarithm of ndtr, exact where that underflows.",
    example="ad.special.log_ndtr(ad.tensor([0.0, -100.0])) -> tensor([-6.9315e-01, -5.0055e+03])",
)
ndtri = elementwise(
    "ndtri",
    by_blocks(on_vectors(lambda p: math.sqrt(2) * _inverse(2 * p - 1, 2 * np.minimum(p, 1 - p)))),
    vjp=lambda g, y, x: g * (math.sqrt(2 * math.pi) * np.exp(0.5 * y * y)),
    saves="y",
    domain=Domain(0.02, 0.98),
    result="float",
    analytic=False,
    doc="The inverse of ndtr, the quantile of the standard normal distribution: infinite at 0 and 1, NaN beyond.",
    example="ad.special.ndtri(ad.tensor([0.5, 0.975])) -> tensor([0.0000, 1.9600])",
)

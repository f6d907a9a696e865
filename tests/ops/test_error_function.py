"""The accuracy of the error function and its kin, in units of the last place, and what they are at their limits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import special

import autodiff as ad
from autodiff.ops import error_function
from autodiff.ops.blocks import BLOCK

Array = np.ndarray[Any, Any]
# The largest errors found among 6,000 numbers each, beside 40 digits, are in units of the last place 2.3 (erf), 5.2
# (erfinv), 4.5 (ndtri), 7.4 (erfc, erfcx, ndtr) and 8.6 (log_ndtr). More is left for an exp of other hardware.
PLACES = {"erf": 4, "erfinv": 8, "ndtri": 8, "erfc": 12, "erfcx": 12, "ndtr": 12, "log_ndtr": 12}
# Computed with 40 digits.
KNOWN: dict[str, dict[float, float]] = {
    "erf": {
        1e-200: 1.1283791670955125537e-200,
        9.5367431640625e-07: 1.0761062308265404596e-6,
        0.125: 0.14031620480133381739,
        0.5: 0.52049987781304653768,
        1.0: 0.84270079294971486934,
        2.5: 0.99959304798255504106,
        5.5: 0.99999999999999264215,
    },
    "erfc": {
        -3.0: 1.9999779095030014146,
        -0.25: 1.276326390168236933,
        0.5: 0.47950012218695346232,
        2.0: 0.0046777349810472658379,
        10.0: 2.088487583762544757e-45,
        26.0: 5.6631924088561428465e-296,
    },
    "erfcx": {
        -20.0: 1.0442939379528287901e174,
        -1.0: 5.0089800807622834663,
        0.0625: 0.9332062486492741108,
        1.0: 0.42758357615580700441,
        10.0: 0.056140992743822585858,
        1000.0: 0.0005641893014533876542,
    },
    "erfinv": {
        1e-200: 8.8622692545275799779e-201,
        9.5367431640625e-07: 8.4517185731217291722e-7,
        0.25: 0.22531205501217810473,
        0.75: 0.81341984759761854169,
        0.875: 1.0847870400692831413,
        0.9999990463256836: 3.4655050258033307173,
        0.9999999999999999: 5.8635847487551679272,
    },
    "ndtr": {
        -37.0: 5.7255712225245768227e-300,
        -10.0: 7.619853024160526066e-24,
        -1.0: 0.15865525393145705141,
        0.5: 0.69146246127401310364,
        3.0: 0.99865010196836990547,
    },
    "log_ndtr": {
        -1000.0: -500007.82669481218431,
        -30.0: -454.32124395634319711,
        -1.0: -1.8410216450092635058,
        -0.5: -1.1759117615936186089,
        2.0: -0.023012909328963488465,
        5.0: -2.8665161296376359338e-7,
    },
    "ndtri": {
        1e-300: -37.047096299361199237,
        1e-20: -9.2623400897984075796,
        0.0009765625: -3.0972690781987844624,
        0.125: -1.1503493803760081783,
        0.375: -0.31863936396437516302,
        0.75: 0.6744897501960817432,
        0.9999999990686774: 6.0093535655307438932,
    },
}
GRIDS: dict[str, Array] = {
    "erf": np.concatenate([np.linspace(-7, 7, 20_001), np.logspace(-300, 0, 1000)]),
    "erfc": np.linspace(-7, 26, 20_001),
    "erfinv": np.concatenate([np.linspace(-0.9999, 0.9999, 20_001), 1 - np.logspace(-15, -4, 1000)]),
    "erfcx": np.concatenate([np.linspace(-26, 30, 20_001), np.logspace(2, 300, 1000)]),
    "ndtr": np.linspace(-37, 9, 20_001),
    "log_ndtr": np.concatenate([np.linspace(-100, 6, 20_001), -np.logspace(2, 150, 1000)]),
    "ndtri": np.concatenate([np.logspace(-307, -1, 10_001), np.linspace(0.1, 0.9999, 10_000)]),
}
# What each is compared with in float64, and by how many places that is off itself, beside 40 digits: SciPy rounds the
# square of the argument of erfcx, and the argument of ndtr.
REFERENCES: dict[str, tuple[Any, float]] = {
    "erf": (np.vectorize(math.erf), 1),
    "erfc": (np.vectorize(math.erfc), 1),
    "erfinv": (special.erfinv, 6),
    "erfcx": (special.erfcx, 700),
    "ndtr": (special.ndtr, 2500),
    "log_ndtr": (special.log_ndtr, 60),
    "ndtri": (special.ndtri, 60),
}


def places(found: Array, exact: Array) -> Array:
    """The difference in units of the last place of `exact`, in the dtype of `found`."""
    return np.abs(found.astype(np.float64) - exact) / np.spacing(np.abs(exact).astype(found.dtype))


def computed(name: str, x: Array) -> Array:
    return getattr(ad.special, name)(ad.from_numpy(x)).numpy()


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_known_values(name: str, dtype: Any) -> None:
    limits = np.finfo(dtype)
    known = {
        x: y
        for x, y in KNOWN[name].items()
        if float(dtype(x)) == x and float(limits.tiny) < abs(y) < float(limits.max)
    }  # fmt: skip
    assert known
    found = computed(name, np.array(list(known), dtype))
    assert places(found, np.array(list(known.values()))).max() <= PLACES[name]


@pytest.mark.parametrize("name", GRIDS)
def test_values_over_the_whole_range(name: str) -> None:
    x = GRIDS[name]
    reference, off = REFERENCES[name]
    exact = reference(x)
    normal = np.abs(exact) > np.finfo(np.float64).tiny
    assert places(computed(name, x), exact)[normal].max() <= PLACES[name] + off


@pytest.mark.parametrize("name", GRIDS)
def test_float32_beside_float64(name: str) -> None:
    # The squares of larger ones are beyond float32.
    x = GRIDS[name][np.abs(GRIDS[name]) < 1e15].astype(np.float32)
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        exact = computed(name, x.astype(np.float64))
        single = exact.astype(np.float32)
        found = computed(name, x)
    normal = np.isfinite(single) & (np.abs(single) > np.finfo(np.float32).tiny)
    assert normal.mean() > 0.2
    assert places(found[normal], exact[normal]).max() <= PLACES[name]


def test_float16_is_rounded_once() -> None:
    x = np.linspace(-4, 4, 1001).astype(np.float16)
    np.testing.assert_array_equal(computed("erf", x), computed("erf", x.astype(np.float32)).astype(np.float16))


LIMITS = {
    "erf": ([-np.inf, -9.0, -0.0, 0.0, 9.0, np.inf, np.nan], [-1, -1, -0.0, 0.0, 1, 1, np.nan]),
    "erfc": ([-np.inf, -9.0, 0.0, 30.0, np.inf, np.nan], [2, 2, 1, 0, 0, np.nan]),
    "erfcx": ([-np.inf, -30.0, 0.0, np.inf, np.nan], [np.inf, np.inf, 1, 0, np.nan]),
    "erfinv": ([-1.0, -0.0, 0.0, 1.0, 1.5, np.nan], [-np.inf, -0.0, 0.0, np.inf, np.nan, np.nan]),
    "ndtr": ([-np.inf, -40.0, 0.0, np.inf, np.nan], [0, 0, 0.5, 1, np.nan]),
    "log_ndtr": ([-np.inf, np.inf, np.nan], [-np.inf, -0.0, np.nan]),
    "ndtri": ([0.0, 0.5, 1.0, -0.5, np.nan], [-np.inf, 0, np.inf, np.nan, np.nan]),
}


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_limits(name: str, dtype: Any) -> None:
    at, expected = LIMITS[name]
    with np.errstate(all="ignore"):
        found = computed(name, np.array(at, dtype))
    np.testing.assert_array_equal(found, np.array(expected, dtype))
    np.testing.assert_array_equal(np.signbit(found[:3]), np.signbit(np.array(expected[:3])))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_erf_stays_within_1_and_does_not_fall_by_more_than_rounding(dtype: Any) -> None:
    y = computed("erf", np.linspace(-7, 7, 200_001).astype(dtype))
    assert (y.min(), y.max()) == (-1, 1)
    assert np.diff(y).min() >= -2 * np.finfo(dtype).eps


@pytest.mark.parametrize("size", [0, 1, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_blocks_join_without_a_seam(size: int) -> None:
    x = np.random.default_rng(0).uniform(-3, 3, size)
    whole = error_function.erf.rule(x)
    assert whole.shape == x.shape
    np.testing.assert_allclose(whole[-5:], [math.erf(v) for v in x[-5:]], rtol=1e-15)


def test_a_round_trip() -> None:
    y = ad.linspace(-4, 4, 101, dtype=ad.float64)
    # erf(4) = 1 - 1.5e-8 has 8 digits of its distance from 1.
    assert ad.allclose(ad.erfinv(ad.erf(y)), y, rtol=0, atol=1e-8)
    assert ad.allclose(ad.special.ndtri(ad.special.ndtr(y - 4)), y - 4, rtol=1e-13, atol=1e-13)

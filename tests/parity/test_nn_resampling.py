"""Padding, shuffling, interpolation and grid sampling beside PyTorch's: values, gradients, printing, errors."""

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

import autodiff as ad
from nn import functional as F
from tests.parity.test_nn import DTYPES, Build, assert_close, copied, pair

T = torch.nn.functional
# PyTorch computes places and weights in float32 there, in another order.
TOLERANCES = {"float32": 2e-5, "float64": 1e-10}
assert_near = partial(assert_close, tolerances=TOLERANCES)
# PyTorch says which align_corners it takes, and what a single row means.
pytestmark = pytest.mark.filterwarnings("ignore:.*(align_corners|affine_grid).*")

MODULES: list[tuple[Build, tuple[int, ...]]] = [
    (lambda lib: lib.ConstantPad1d(2, 1.5), (2, 3, 4)),
    (lambda lib: lib.ConstantPad2d((1, -1, 0, 2), -2.0), (3, 4, 5)),
    (lambda lib: lib.ConstantPad3d((1, 0, -1, 2, 3, 1), 0.5), (2, 3, 4, 3)),
    (lambda lib: lib.ZeroPad1d((1, 2)), (3, 4)),
    (lambda lib: lib.ZeroPad2d((1, 2, -1, 0)), (2, 3, 4, 5)),
    (lambda lib: lib.ZeroPad3d(1), (2, 3, 2, 2, 2)),
    (lambda lib: lib.ReflectionPad1d((3, 1)), (2, 3, 4)),
    (lambda lib: lib.ReflectionPad2d((1, 2, 3, 0)), (2, 3, 4, 5)),
    (lambda lib: lib.ReflectionPad3d((1, 0, 1, 2, 3, 1)), (2, 4, 4, 3)),
    (lambda lib: lib.ReplicationPad1d((5, 1)), (3, 4)),
    (lambda lib: lib.ReplicationPad2d((1, 2, 6, 0)), (2, 3, 4, 5)),
    (lambda lib: lib.ReplicationPad3d(2), (2, 3, 2, 3, 2)),
    (lambda lib: lib.CircularPad1d((4, 1)), (2, 3, 4)),
    (lambda lib: lib.CircularPad2d((1, 2, 3, 0)), (2, 3, 4, 5)),
    (lambda lib: lib.CircularPad3d((1, 0, 1, 2, 3, 1)), (2, 4, 4, 3)),
    (lambda lib: lib.PixelShuffle(2), (2, 8, 3, 4)),
    (lambda lib: lib.PixelShuffle(3), (9, 3, 4)),
    (lambda lib: lib.PixelUnshuffle(2), (2, 3, 2, 4, 6)),
    (lambda lib: lib.ChannelShuffle(3), (2, 6, 3, 2)),
    (lambda lib: lib.Upsample(scale_factor=2), (2, 3, 4)),
    (lambda lib: lib.Upsample(scale_factor=(2, 1.5), mode="bilinear"), (2, 3, 4, 5)),
    (lambda lib: lib.Upsample(size=(3, 4, 5), mode="trilinear", align_corners=True), (2, 3, 2, 5, 4)),
    (lambda lib: lib.UpsamplingNearest2d(scale_factor=2), (2, 3, 4, 5)),
    (lambda lib: lib.UpsamplingBilinear2d(size=(7, 3)), (2, 3, 4, 5)),
]


def assert_same(ours: Any, theirs: Any, dtype: str, *inputs: Any, what: str = "") -> None:
    """Values, and gradients of inputs here and there."""
    assert_near(ours, theirs, dtype, what)
    g, torch_g = pair(np.random.default_rng(1).normal(size=ours.shape).astype(dtype))
    ours.backward(g)
    theirs.backward(torch_g)
    for a, b in inputs:
        assert_near(a.grad, b.grad, dtype, what)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("build", "shape"), MODULES)
def test_modules(build: Build, shape: tuple[int, ...], dtype: str) -> None:
    ours, theirs = copied(build, dtype)
    assert repr(ours) == repr(theirs)
    x, torch_x = pair(np.random.default_rng(0).normal(size=shape).astype(dtype), grad=True)
    assert_same(ours(x), theirs(torch_x), dtype, (x, torch_x))


def test_padding() -> None:
    """Of any axes with a constant; with negative numbers in every mode; of integers."""
    for shape, widths, mode, value in (
        ((3,), (1, 2), "constant", None),
        ((2, 3, 2, 3), (1, 2, 0, 1, -1, 2, 3, 4), "constant", 7.0),
        ((2, 3), (-1, -1), "constant", 0),
        ((2, 3, 6), (-2, 3), "reflect", None),
        ((2, 3, 6, 5), (3, -2, -1, 0), "replicate", None),
        ((2, 3, 6, 5), (3, -2, -1, 0), "circular", None),
    ):
        x, torch_x = pair(np.random.default_rng(0).normal(size=shape), grad=True)
        assert_same(F.pad(x, widths, mode, value), T.pad(torch_x, widths, mode, value), "float64", (x, torch_x))
    a, b = pair(np.arange(6).reshape(1, 2, 3))
    np.testing.assert_array_equal(F.pad(a, (1, 1), value=3).numpy(), T.pad(b, (1, 1), value=3).numpy())
    a, b = pair(np.array([True, False]))
    np.testing.assert_array_equal(F.pad(a, (1, 1), value=True).numpy(), T.pad(b, (1, 1), value=True).numpy())


SIZES = [{"size": 9}, {"size": 3}, {"size": 5}, {"size": 1}, {"scale_factor": 2}, {"scale_factor": 1.7}]
SIZES += [{"scale_factor": 0.6}, {"scale_factor": 1.3, "recompute_scale_factor": True}, {"size": 10}]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "mode", ["nearest", "nearest-exact", "area", "linear", "bilinear", "bicubic", "trilinear", "anti", "anticubic"]
)
def test_interpolation(mode: str, dtype: str) -> None:
    options: dict[str, Any] = {"antialias": True} if mode.startswith("anti") else {}
    mode = {"anti": "bilinear", "anticubic": "bicubic"}.get(mode, mode)
    ndims = {"linear": [1], "bilinear": [2], "bicubic": [2], "trilinear": [3]}.get(mode, [1, 2, 3])
    corners = [None] if mode in ("nearest", "nearest-exact", "area") else [None, False, True]
    for ndim in ndims:
        for given in SIZES:
            for align_corners in corners:
                x, torch_x = pair(
                    np.random.default_rng(0).normal(size=(2, 2, *(5, 7, 4)[:ndim])).astype(dtype), grad=True
                )
                call = {**options, **given, "mode": mode, "align_corners": align_corners}
                ours, theirs = F.interpolate(x, **call), T.interpolate(torch_x, **call)
                assert_same(ours, theirs, dtype, (x, torch_x), what=str((ndim, call)))


def test_nearest_of_many_sizes() -> None:
    """The side to which a place between two entries falls depends on the rounding of float32.

    In float64 PyTorch rounds some in one precision and some in the other, differently in one dimension and in two.
    """
    for n in range(1, 30):
        x, torch_x = pair(np.arange(n, dtype=np.float32).reshape(1, 1, n))
        for out in (*range(1, 40), 333):
            for mode in ("nearest", "nearest-exact"):
                np.testing.assert_array_equal(
                    F.interpolate(x, out, mode=mode).numpy(), T.interpolate(torch_x, out, mode=mode).numpy()
                )
        for scale in (0.7, 1.1, 2.3, 3, 1 / 3, 2.5):
            if int(n * scale):
                for mode in ("nearest", "nearest-exact"):
                    ours = F.interpolate(x, scale_factor=scale, mode=mode).numpy()
                    theirs = T.interpolate(torch_x, scale_factor=scale, mode=mode).numpy()
                    np.testing.assert_array_equal(ours, theirs, err_msg=str((n, scale, mode)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_grid_sample(mode: str, padding_mode: str, align_corners: bool, dtype: str) -> None:
    rng = np.random.default_rng(0)
    for size, out in (((4, 5), (3, 6)), ((1, 3), (2, 2)), ((2, 3, 4), (3, 2, 2))):
        if mode == "bicubic" and len(size) == 3:
            continue
        x, torch_x = pair(rng.normal(size=(2, 3, *size)).astype(dtype), grad=True)
        grid, torch_grid = pair(rng.uniform(-2.6, 2.6, (2, *out, len(size))).astype(dtype), grad=True)
        ours = F.grid_sample(x, grid, mode, padding_mode, align_corners)
        theirs = T.grid_sample(torch_x, torch_grid, mode, padding_mode, align_corners)
        assert_same(ours, theirs, dtype, (x, torch_x), (grid, torch_grid), what=str(size))


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("size", [(2, 1, 3, 4), (2, 1, 1, 4), (2, 1, 3, 2, 4)])
def test_affine_grid(size: tuple[int, ...], align_corners: bool) -> None:
    ndim = len(size) - 2
    theta, torch_theta = pair(np.random.default_rng(0).normal(size=(2, ndim, ndim + 1)), grad=True)
    ours, theirs = F.affine_grid(theta, size, align_corners), T.affine_grid(torch_theta, list(size), align_corners)
    assert_same(ours, theirs, "float64", (theta, torch_theta))


@pytest.mark.parametrize(
    "call",
    [
        lambda m, F: F.pad(m.zeros(3), (1, 1, 1, 1)),
        lambda m, F: F.pad(m.zeros(3), (1,)),
        lambda m, F: F.pad(m.zeros(3), (-2, -2)),
        lambda m, F: F.pad(m.zeros(1, 3), (3, 0), mode="reflect"),
        lambda m, F: F.pad(m.zeros(1, 3), (4, 0), mode="circular"),
        lambda m, F: F.pad(m.zeros(1, 3), (1, 0), mode="mirror"),
        lambda m, F: F.pixel_shuffle(m.zeros(3, 2, 2), 2),
        lambda m, F: F.pixel_unshuffle(m.zeros(3, 3, 2), 2),
        lambda m, F: F.interpolate(m.zeros(1, 1, 3)),
        lambda m, F: F.interpolate(m.zeros(1, 1, 3), 3, 2),
        lambda m, F: F.interpolate(m.zeros(1, 1, 3), 3, mode="bilinear"),
        lambda m, F: F.interpolate(m.zeros(1, 1, 3), 3, mode="cubic"),
        lambda m, F: F.interpolate(m.zeros(1, 1, 3), (3, 3)),
        lambda m, F: F.interpolate(m.zeros(1, 1, 3), 3, align_corners=True),
        lambda m, F: F.interpolate(m.zeros(1, 1, 3), 0),
        lambda m, F: F.interpolate(m.zeros(1, 1, 3), 3, antialias=True),
        lambda m, F: F.grid_sample(m.zeros(1, 1, 3, 3), m.zeros(1, 3, 3, 3)),
        lambda m, F: F.grid_sample(m.zeros(1, 1, 3, 3), m.zeros(2, 3, 3, 2)),
        lambda m, F: F.grid_sample(m.zeros(1, 1, 3, 3), m.zeros(1, 3, 3, 2), mode="cubic"),
        lambda m, F: F.grid_sample(m.zeros(1, 1, 3, 3), m.zeros(1, 3, 3, 2), padding_mode="wrap"),
        lambda m, F: F.grid_sample(m.zeros(1, 1, 3, 3, 3), m.zeros(1, 3, 3, 3, 3), mode="bicubic"),
        lambda m, F: F.affine_grid(m.zeros(1, 2, 2), (1, 1, 3, 3)),
    ],
)
def test_errors(call: Any) -> None:
    with pytest.raises((RuntimeError, ValueError, TypeError, NotImplementedError)):
        call(torch, T)
    with pytest.raises((RuntimeError, ValueError, TypeError), match="expected"):
        call(ad, F)

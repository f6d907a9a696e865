"""Functions of `nn.functional` in the dimensions and forms in which the tests of their layers do not call them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import autodiff as ad
import nn
from tests.parity.beside_torch import agree

rng = np.random.default_rng(0)
LINE, PLANE, SPACE = (rng.permutation(np.arange(float(np.prod(s)))).reshape(s) / 7 for s in (
    (2, 4, 9), (2, 4, 7, 6), (2, 4, 6, 5, 7)
))  # fmt: skip
CALLS: list[tuple[Callable[[Any, Any], Any], np.ndarray]] = [
    (lambda f, x: f.max_pool1d(x, 3, 2, padding=1), LINE),
    (lambda f, x: f.max_pool1d(x, 2, return_indices=True), LINE),
    (lambda f, x: f.max_pool3d(x, 2, (1, 2, 2), dilation=(2, 1, 1), ceil_mode=True), SPACE),
    (lambda f, x: f.avg_pool1d(x, 3, 2, 1, count_include_pad=False), LINE),
    (lambda f, x: f.avg_pool3d(x, 2, 1, 1, divisor_override=3), SPACE),
    (lambda f, x: f.adaptive_avg_pool1d(x, 4), LINE),
    (lambda f, x: f.adaptive_avg_pool3d(x, (2, None, 3)), SPACE),
    (lambda f, x: f.adaptive_max_pool1d(x, 4, return_indices=True), LINE),
    (lambda f, x: f.adaptive_max_pool3d(x, (2, 1, 3)), SPACE),
    (lambda f, x: f.lp_pool1d(x, 3.0, 2), LINE),
    (lambda f, x: f.lp_pool2d(x, 2.0, (2, 3), 1), PLANE),
    (lambda f, x: f.lp_pool3d(x, 2.0, 2, ceil_mode=True), SPACE),
    (lambda f, x: f.max_unpool1d(*f.max_pool1d(x, 2, return_indices=True), 2, output_size=[9]), LINE),
    (lambda f, x: f.max_unpool3d(*f.max_pool3d(x, 2, return_indices=True), 2, output_size=(6, 5, 7)), SPACE),
    (lambda f, x: f.channel_shuffle(x, 2), PLANE),
    (lambda f, x: f.softmin(x, 1), LINE),
    (lambda f, x: f.upsample(x, scale_factor=2), PLANE),
    (lambda f, x: f.upsample(x, size=(9, 4), mode="bilinear", align_corners=True), PLANE),
    (lambda f, x: f.upsample_nearest(x, (5, 9)), PLANE),
    (lambda f, x: f.upsample_bilinear(x, scale_factor=2), PLANE),
]


@pytest.mark.parametrize(("call", "x"), CALLS)
def test_other_dimensions(call: Callable[[Any, Any], Any], x: np.ndarray) -> None:
    agree(lambda m, t: call(nn.functional if m is ad else torch.nn.functional, t), x, errors=False)


def test_conv3d() -> None:
    weight, bias = rng.normal(size=(6, 2, 2, 3, 1)), rng.normal(size=6)

    def call(m: Any, x: Any, w: Any, b: Any) -> Any:
        return (nn if m is ad else torch.nn).functional.conv3d(x, w, b, (1, 2, 1), (0, 1, 0), (2, 1, 1), groups=2)

    agree(call, SPACE, weight, bias, errors=False)


def test_fractional_max_pool3d() -> None:
    samples = rng.random((2, 4, 3))

    def call(m: Any, x: Any) -> Any:
        f = (nn if m is ad else torch.nn).functional
        return f.fractional_max_pool3d(x, 2, (3, 2, 4), return_indices=True, _random_samples=m.from_numpy(samples))

    agree(call, SPACE, errors=False)


@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.2}, {"reduction": "sum", "ignore_index": 1}])
def test_linear_cross_entropy(options: dict[str, Any]) -> None:
    x, weight, bias, target = rng.normal(size=(5, 3)), rng.normal(size=(4, 3)), rng.normal(size=4), [0, 1, 3, 1, 2]

    def call(m: Any, x: Any, w: Any, b: Any) -> Any:
        f = (nn if m is ad else torch.nn).functional
        return f.linear_cross_entropy(x, w, m.tensor(target), linear_bias=b, **options)

    agree(call, x, weight, bias, errors=False)

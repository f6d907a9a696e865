"""Pooling, padding and resampling: values, windows without entries to compare, exactness and errors."""

import numpy as np
import pytest

import autodiff as ad
import nn
from autodiff.op import OpError
from nn import functional as F


def test_the_first_of_equal_entries_has_the_gradient() -> None:
    x = ad.ones(1, 4, 4).requires_grad_()
    F.max_pool2d(x, 2).sum().backward()
    assert x.grad is not None
    assert x.grad[0].tolist() == [[1, 0, 1, 0], [0, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]


def test_the_last_nan_is_the_largest() -> None:
    x = ad.tensor([[float("nan"), 1.0, float("nan"), 2.0]], requires_grad=True)
    largest, index = F.max_pool1d(x, 4, return_indices=True)
    assert largest.isnan().all()
    assert index.tolist() == [[2]]


def test_windows_of_infinities_and_integers() -> None:
    x = ad.full((1, 3), -np.inf)
    assert F.max_pool1d(x, 3, padding=1, return_indices=True)[1].tolist() == [[0]]
    assert F.max_pool1d(ad.tensor([[3, -5, 7]]), 2, stride=1).tolist() == [[3, 7]]


def test_pooling_by_single_entries_is_a_copy() -> None:
    x = ad.rand(1, 2, 3)
    for y in (F.max_pool1d(x, 1), F.avg_pool1d(x, 1), F.interpolate(x, 3)):
        assert y.tolist() == x.tolist()
        assert not np.shares_memory(y.numpy(), x.numpy())


def test_an_infinite_entry_stays_among_the_windows_that_hold_it() -> None:
    x = ad.tensor([[[np.inf, 1.0, 2.0, 3.0, 4.0]]])
    assert F.adaptive_avg_pool1d(x, 2).tolist() == [[[np.inf, 3.0]]]
    assert F.interpolate(x, 3, mode="linear", align_corners=True)[0, 0, 1:].tolist() == [2.0, 4.0]


def test_pooled_and_unpooled() -> None:
    x = ad.arange(16.0).reshape(1, 1, 4, 4)
    largest, index = nn.MaxPool2d(2, return_indices=True)(x)
    back = nn.MaxUnpool2d(2)(largest, index)
    assert back[back != 0].tolist() == largest.flatten().tolist()


def test_padding_undone_by_negative_padding() -> None:
    x = ad.rand(2, 3, 4)
    for mode in ("constant", "reflect", "replicate", "circular"):
        assert F.pad(F.pad(x, (2, 1, 1, 2), mode), (-2, -1, -1, -2), mode).tolist() == x.tolist()


def test_shuffled_pixels_come_back() -> None:
    x = ad.rand(2, 8, 3, 3)
    assert F.pixel_unshuffle(F.pixel_shuffle(x, 2), 2).tolist() == x.tolist()
    assert F.channel_shuffle(F.channel_shuffle(x, 2), 4).tolist() == x.tolist()


def test_the_identity_map_samples_the_image_itself() -> None:
    x = ad.rand(1, 2, 3, 4, dtype=ad.float64)
    theta = ad.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]], dtype=ad.float64)
    for align_corners in (False, True):
        grid = F.affine_grid(theta, x.shape, align_corners)
        for mode in ("bilinear", "nearest", "bicubic"):
            sampled = F.grid_sample(x, grid, mode, "border", align_corners)
            np.testing.assert_allclose(sampled.numpy(), x.numpy(), rtol=1e-12)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
def test_grid_sample_has_second_derivatives(mode: str, padding_mode: str) -> None:
    x = ad.rand(1, 1, 3, 4, dtype=ad.float64, requires_grad=True)
    grid = ad.tensor([[[[-0.31, 0.43], [0.52, -0.23]]]], dtype=ad.float64, requires_grad=True)

    def function(x: ad.Tensor, grid: ad.Tensor) -> ad.Tensor:
        return F.grid_sample(x, grid, mode, padding_mode)

    assert ad.gradcheck(function, [x, grid])
    assert ad.gradgradcheck(function, [x, grid])


def test_errors_say_what_was_expected() -> None:
    with pytest.raises(OpError, match=r"MaxPool2d.*expected a non-empty input \(N, C, H, W\)"):
        nn.MaxPool2d(2)(ad.zeros(3, 3))
    with pytest.raises(OpError, match="padding of at most half the window"):
        F.max_pool1d(ad.zeros(1, 5), 2, padding=2)
    with pytest.raises(OpError, match="no smaller than the window"):
        F.avg_pool1d(ad.zeros(1, 2), 3)
    with pytest.raises(OpError, match="at most 2 entries of reflect padding"):
        F.pad(ad.zeros(1, 3), (3, 0), "reflect")
    with pytest.raises(ValueError, match="either size or scale_factor"):
        F.interpolate(ad.zeros(1, 1, 3))
    with pytest.raises(OpError, match=r"output_size=\.\.\."):
        F.max_unpool1d(ad.zeros(1, 1), ad.tensor([[5]]), 2)

"""Rotation, bending and mix-up against PyTorch's operations, put together as in torchvision."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import autodiff as ad
from autodiff.data import elastic, mixup, random_rotation
from autodiff.data.warping import _smoothing


@pytest.mark.parametrize("shape", [(1, 1, 9, 9), (1, 3, 6, 11)])
@pytest.mark.parametrize("degrees", [-170.0, -33.0, 0.0, 12.5, 90.0])
def test_rotation(shape: tuple[int, int, int, int], degrees: float) -> None:
    images = ad.rand(*shape)
    angle, aspect = math.radians(degrees), shape[3] / shape[2]
    # From where a pixel comes, in halves of the image, columns first; rows count downwards.
    theta = torch.tensor([[
        [math.cos(angle), -math.sin(angle) / aspect, 0.0],
        [math.sin(angle) * aspect, math.cos(angle), 0.0],
    ]])  # fmt: skip
    grid = F.affine_grid(theta, list(shape), align_corners=False)
    expected = F.grid_sample(torch.tensor(images.numpy()), grid, align_corners=False)
    assert np.allclose(random_rotation(images, (degrees, degrees)).numpy(), expected.numpy(), atol=5e-6)


def test_bending() -> None:
    images = ad.rand(1, 2, 12, 15)
    height, width = images.shape[-2:]
    noise = ad.Generator().manual_seed(0).uniform((2, 1, height, width), np.float64, -1, 1)
    smooth = _smoothing(height, 2.0) @ noise @ _smoothing(width, 2.0).T
    # torchvision adds alpha / size to places in halves of the image.
    displacement = torch.tensor(20 * np.stack([smooth[1] / width, smooth[0] / height], -1), dtype=torch.float32)
    identity = F.affine_grid(torch.eye(2, 3)[None], [1, 2, height, width], align_corners=False)
    expected = F.grid_sample(torch.tensor(images.numpy()), identity + displacement, align_corners=False)
    bent = elastic(images, 20.0, 2.0, generator=ad.Generator().manual_seed(0))
    assert np.allclose(bent.numpy(), expected.numpy(), atol=1e-5)


def test_smoothing_far_from_the_edges() -> None:
    noise = ad.rand(1, 1, 61, 61, dtype=ad.float64).numpy()
    kernel = torch.exp(-0.5 * (torch.arange(-20, 21, dtype=torch.float64) / 2) ** 2)
    kernel /= kernel.sum()
    expected = F.conv2d(torch.tensor(noise), kernel.outer(kernel)[None, None], padding=20).numpy()
    ours = _smoothing(61, 2.0) @ noise @ _smoothing(61, 2.0).T
    assert np.allclose(ours[..., 20:-20, 20:-20], expected[..., 20:-20, 20:-20])


def test_mixup() -> None:
    images, labels = ad.rand(5, 1, 4, 4), ad.tensor([0, 3, 1, 1, 2])
    mixed, probabilities = mixup(images, labels, num_classes=4, generator=ad.Generator().manual_seed(0))
    share = probabilities[0, 0].item()
    assert not math.isclose(share, 1)
    x, y = torch.tensor(images.numpy()), F.one_hot(torch.tensor(labels.numpy()), 4).float()
    for ours, theirs in ((mixed, x), (probabilities, y)):
        expected = theirs.roll(1, 0).mul_(1.0 - share).add_(theirs.mul(share))
        assert np.allclose(ours.numpy(), expected.numpy(), atol=1e-6)

"""`random_shift` against moving the images one by one."""

import numpy as np
import pytest

import autodiff as ad
from autodiff.data import random_shift


def moved(image: np.ndarray, down: int, right: int, fill: float) -> np.ndarray:
    """The last two dimensions moved, pixel by pixel."""
    result = np.full_like(image, fill)
    height, width = image.shape[-2:]
    for i in range(height):
        for j in range(width):
            if 0 <= i - down < height and 0 <= j - right < width:
                result[..., i, j] = image[..., i - down, j - right]
    return result


@pytest.mark.parametrize("shape", [(300, 4, 5), (300, 3, 4, 5)])
@pytest.mark.parametrize("max_shift", [0, 1, 2])
def test_every_image_is_moved_as_a_whole_and_every_move_occurs(shape: tuple[int, ...], max_shift: int) -> None:
    generator = ad.Generator().manual_seed(0)
    images = ad.rand(*shape, generator=generator)
    before = images.clone()
    shifted = random_shift(images, max_shift, fill=-1.0, generator=generator)
    assert shifted.shape == shape
    assert shifted.dtype == images.dtype
    assert images.equal(before)
    moves = [(i, j) for i in range(-max_shift, max_shift + 1) for j in range(-max_shift, max_shift + 1)]
    seen = set()
    for image, result in zip(images.numpy(), shifted.numpy(), strict=True):
        matching = [move for move in moves if np.array_equal(moved(image, *move, fill=-1.0), result)]
        assert len(matching) == 1
        seen.update(matching)
    assert seen == set(moves)


def test_the_result_shares_no_memory_with_the_images() -> None:
    images = ad.rand(3, 4, 4)
    assert not np.shares_memory(random_shift(images, 0).numpy(), images.numpy())


def test_empty_edges_and_integer_images() -> None:
    images = ad.ones(50, 1, 1, dtype=ad.uint8)
    shifted = random_shift(images, 1, generator=ad.Generator().manual_seed(0))
    assert shifted.dtype == ad.uint8
    assert set(shifted.reshape(-1).tolist()) == {0, 1}
    assert random_shift(ad.zeros(0, 1, 4, 4), 2).shape == (0, 1, 4, 4)


def test_moves_come_from_the_default_generator_unless_another_is_given() -> None:
    images = ad.rand(20, 6, 6)
    ad.manual_seed(1)
    first = random_shift(images, 2)
    ad.manual_seed(1)
    assert random_shift(images, 2).equal(first)
    assert random_shift(images, 2, generator=ad.Generator().manual_seed(1)).equal(first)
    assert not random_shift(images, 2).equal(first)


@pytest.mark.parametrize("shape", [(4, 4), (2, 1, 1, 4, 4)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected images of shape .*unsqueeze"):
        random_shift(ad.zeros(*shape), 1)


@pytest.mark.parametrize("max_shift", [-1, 0.5])
def test_shifts_that_are_no_number_of_pixels_are_refused(max_shift: float) -> None:
    with pytest.raises(ValueError, match=f"a whole number of pixels, to be at least 0; got {max_shift}"):
        random_shift(ad.zeros(2, 4, 4), max_shift)  # type: ignore[arg-type]


def test_images_that_require_grad_are_refused() -> None:
    with pytest.raises(RuntimeError, match=r"detach\(\)"):
        random_shift(ad.zeros(2, 4, 4, requires_grad=True), 1)

"""Augmentation against doing the same to the images one by one; what every augmentation keeps."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
from autodiff.data import elastic, gaussian_noise, mixup, random_crop, random_flip, random_rotation, random_shift

AUGMENTATIONS: dict[str, Callable[..., ad.Tensor]] = {
    "flip": random_flip,
    "shift": lambda images, generator: random_shift(images, 2, generator=generator),
    "crop": lambda images, generator: random_crop(images, images.shape[-2:], padding=1, generator=generator),
    "rotation": lambda images, generator: random_rotation(images, 30, generator=generator),
    "elastic": lambda images, generator: elastic(images, generator=generator),
    "noise": lambda images, generator: gaussian_noise(images, generator=generator),
}
every_augmentation = pytest.mark.parametrize("augment", AUGMENTATIONS.values(), ids=AUGMENTATIONS)


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


@every_augmentation
@given(
    shape=st.sampled_from([(3, 4, 5), (2, 3, 6, 6), (0, 1, 4, 4), (1, 1, 1, 1), (2, 1, 7)]),
    dtype=st.sampled_from([ad.float32, ad.float64]),
    seed=st.integers(0, 2**32),
)
def test_shape_dtype_range_and_the_images_themselves_are_kept(
    augment: Callable[..., ad.Tensor], shape: tuple[int, ...], dtype: np.dtype, seed: int
) -> None:
    images = ad.rand(*shape, dtype=dtype, generator=ad.Generator().manual_seed(seed))
    before = images.clone()
    changed = augment(images, generator=ad.Generator().manual_seed(seed))
    assert changed.shape == shape
    assert changed.dtype == dtype
    assert images.equal(before)
    assert not np.shares_memory(changed.numpy(), images.numpy())
    assert ((changed >= 0) & (changed <= 1)).all()
    assert augment(images, generator=ad.Generator().manual_seed(seed)).equal(changed)


@every_augmentation
def test_draws_come_from_the_default_generator_unless_another_is_given(augment: Callable[..., ad.Tensor]) -> None:
    images = ad.rand(20, 1, 9, 9)
    ad.manual_seed(1)
    first = augment(images, generator=None)
    assert augment(images, generator=ad.Generator().manual_seed(1)).equal(first)
    assert not augment(images, generator=None).equal(first)
    with pytest.raises(RuntimeError, match=r"detach\(\)"):
        augment(ad.zeros(2, 4, 4, requires_grad=True), generator=None)


@pytest.mark.parametrize("name", ["flip", "crop", "rotation", "elastic"])
def test_single_images_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"expected images of shape .*unsqueeze"):
        AUGMENTATIONS[name](ad.zeros(4, 4), generator=None)


@pytest.mark.parametrize("dim", [-1, -2])
def test_about_half_of_the_images_are_mirrored(dim: int) -> None:
    images = ad.rand(400, 2, 3, 4)
    flipped = random_flip(images, dim=dim, generator=ad.Generator().manual_seed(0))
    mirrored = [result.equal(image.flip(dim)) for image, result in zip(images, flipped, strict=True)]
    same = [result.equal(image) for image, result in zip(images, flipped, strict=True)]
    assert all(one != other for one, other in zip(mirrored, same, strict=True))
    assert 150 < sum(mirrored) < 250
    assert random_flip(images, p=0).equal(images)


def test_every_place_is_cut_out() -> None:
    images = ad.arange(30).reshape(1, 5, 6).expand(500, 5, 6)
    crops = random_crop(images, (4, 3), generator=ad.Generator().manual_seed(0))
    expected = {images.numpy()[0, i : i + 4, j : j + 3].tobytes() for i in range(2) for j in range(4)}
    assert {crop.tobytes() for crop in crops.numpy()} == expected
    corners = random_crop(ad.zeros(200, 2, 2), 1, padding=1, fill=7)
    assert set(corners.reshape(-1).tolist()) == {0, 7}


@pytest.mark.parametrize(("size", "padding"), [(5, 0), (9, 2), ((4, 6), 0), (-1, 0), (2, -1)])
def test_sizes_that_cannot_be_cut_out_are_refused(size: int, padding: int) -> None:
    with pytest.raises(ValueError, match=r"random_crop: expected a size of at most that of the images, \(4, 4\)"):
        random_crop(ad.zeros(2, 4, 4), size, padding=padding)


def test_quarter_turns_are_exact() -> None:
    images = ad.rand(3, 2, 5, 5)
    for turns in range(4):
        turned = random_rotation(images, (90.0 * turns, 90.0 * turns))
        assert turned.allclose(images.rot90(turns, (-2, -1)), atol=1e-6)
    whole = ad.randint(0, 256, (2, 5, 5)).to(ad.uint8)
    assert random_rotation(whole, (90, 90)).equal(whole.rot90(1, (-2, -1)))


def test_angles_lie_in_the_range() -> None:
    images = ad.zeros(300, 21, 21)
    images[:, 10, 18] = 1.0  # a point to the right of the centre
    turned = random_rotation(images, 30, generator=ad.Generator().manual_seed(0)).numpy()
    rows, columns = (10 - np.arange(21), np.arange(21) - 10)
    angles = np.degrees(np.arctan2((turned.sum(2) * rows).sum(1), (turned.sum(1) * columns).sum(1)))
    assert angles.min() < -27
    assert angles.max() > 27
    assert np.abs(angles).max() < 31


def test_elastic_moves_pixels_by_the_stated_distance() -> None:
    slope = ad.arange(101.0).expand(40, 101, 101).clone()
    moves = elastic(slope, generator=ad.Generator().manual_seed(0)) - slope
    assert moves[:, 20:-20, 20:-20].std().item() == pytest.approx(0.08 * 50 / 5, rel=0.05)
    assert elastic(slope, alpha=0).allclose(slope)


def test_noise_has_the_stated_moments() -> None:
    noisy = gaussian_noise(ad.zeros(100, 30, 30), 0.5, 2.0, clip=False, generator=ad.Generator().manual_seed(0))
    assert noisy.mean().item() == pytest.approx(0.5, abs=0.03)
    assert noisy.std().item() == pytest.approx(2.0, abs=0.03)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: random_flip(x, dim=0), ValueError, "left to right"),
        (lambda x: random_flip(x, 1.5), ValueError, "probability"),
        (lambda x: random_rotation(x, -5), ValueError, "degrees of at least 0"),
        (lambda x: elastic(x, sigma=0), ValueError, "sigma above 0"),
        (lambda x: elastic(x, alpha=float("nan")), ValueError, "a finite alpha"),
        (lambda x: gaussian_noise(x, sigma=-1), ValueError, "sigma of at least 0"),
        (lambda x: gaussian_noise(x.to(ad.uint8)), TypeError, "divide them by 255"),
    ],
)
def test_wrong_options_are_refused(call: Callable[[ad.Tensor], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(ad.zeros(2, 4, 4))


@given(
    labels=st.lists(st.integers(0, 4), min_size=1, max_size=9),
    alpha=st.sampled_from([0.1, 1.0, 5.0]),
    seed=st.integers(0, 2**32),
)
def test_mixup_conserves_the_mass_of_labels_and_inputs(labels: list[int], alpha: float, seed: int) -> None:
    y = ad.tensor(labels)
    x = ad.eye(5, dtype=ad.float64)[y]
    mixed, probabilities = mixup(x, y, alpha=alpha, num_classes=5, generator=ad.Generator().manual_seed(seed))
    assert probabilities.sum(1).allclose(ad.ones(len(labels), dtype=ad.float64))
    assert probabilities.sum(0).allclose(x.sum(0)), "every class keeps its share of the batch"
    assert mixed.equal(probabilities), "inputs and labels are mixed alike"
    again = mixup(x, x, alpha=alpha, generator=ad.Generator().manual_seed(seed))
    assert again[1].equal(probabilities)


def test_mixup_takes_an_example_and_the_one_before_it() -> None:
    x = ad.tensor([0.0, 10.0, 100.0], dtype=ad.float64)[:, None]
    mixed, probabilities = mixup(x, ad.tensor([0, 1, 2]), num_classes=3, generator=ad.Generator().manual_seed(3))
    share = probabilities[0, 0].item()
    assert probabilities.allclose(
        share * ad.eye(3, dtype=ad.float64) + (1 - share) * ad.eye(3, dtype=ad.float64).roll(1, 0)
    )
    assert mixed.allclose(share * x + (1 - share) * x.roll(1, 0))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x, y: mixup(x, y, num_classes=2), ValueError, "classes from 0 to 1, got 0 to 2"),
        (lambda x, y: mixup(x, y), ValueError, "together with num_classes"),
        (lambda x, y: mixup(x, y.float(), num_classes=3), ValueError, "whole numbers"),
        (lambda x, y: mixup(x, y[:2], num_classes=3), ValueError, r"for 3 inputs, got \(2,\)"),
        (lambda x, y: mixup(x, y, num_classes=3, alpha=0), ValueError, "alpha above 0"),
        (lambda x, y: mixup(x.to(ad.uint8), y, num_classes=3), TypeError, "floating-point inputs"),
    ],
)
def test_what_cannot_be_mixed_is_refused(call: Callable[..., object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(ad.zeros(3, 2), ad.tensor([0, 1, 2]))

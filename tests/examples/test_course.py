"""What examples/course/ states about training, held to its numbers."""

import math
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import autodiff as ad
import optim

COURSE = Path(__file__).parents[2] / "examples" / "course"
SCRIPTS = sorted(COURSE.glob("*.py"))


def script(name: str) -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(COURSE / f"{name}.py")))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_prints_what_it_states_and_can_be_read_at_one_sitting(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runpy.run_path(str(path), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= 3
    assert "nan" not in "".join(lines)
    assert len(path.read_text().splitlines()) <= 120


def test_every_script_is_in_the_index() -> None:
    index = (COURSE.parents[1] / "docs" / "course.md").read_text()
    assert [path.name for path in SCRIPTS if f"course/{path.name}" not in index] == []


def test_the_notes_gradients_are_those_of_autograd() -> None:
    layout = script("layout_and_dimensions")
    assert layout.largest_difference() < 1e-14
    assert layout.samples_in_rows() < 1e-14


def test_the_dimensions_tell_of_a_forgotten_keepdims_and_of_a_wrong_layer() -> None:
    layout = script("layout_and_dimensions")
    assert layout.forgotten_keepdims() == (4, 4)
    assert layout.told_by_the_dimensions() == "2 (Linear): expected input (*, 5), got (7, 4)"


def test_vectorised_and_looped_gradients_agree_and_loops_are_slower() -> None:
    difference, ratio = script("vectorization").compare()
    assert difference < 1e-13
    # 280 times on an idle core; other programs may slow either side down.
    assert ratio > 10


def test_pictures_are_flattened_each_into_its_column() -> None:
    vectorization = script("vectorization")
    pictures = vectorization.pictures()
    columns = vectorization.flatten(pictures)
    assert columns.shape == (8 * 8 * 3, 4)
    assert 0 <= columns.min() < columns.max() <= 1
    np.testing.assert_array_equal(columns[:, 2] * 255, pictures[2].ravel())
    brightness = vectorization.wrongly_flattened(pictures).mean(axis=0)
    assert np.ptp(brightness) < 0.1 < np.ptp(columns.mean(axis=0))


@pytest.mark.parametrize(("first", "units"), [("zeros", 1), ("constant", 1), ("random", 4)])
def test_units_that_begin_alike_stay_alike(first: str, units: int) -> None:
    symmetry = script("symmetry_and_kinks")
    assert symmetry.different_units(symmetry.trained_hidden_weights(first)) == units


def test_the_derivatives_at_kinks() -> None:
    kinks = script("symmetry_and_kinks")
    assert {name: kinks.derivative(name) for name in kinks.KINKS} == {
        "relu at 0": [0],
        "leaky_relu, slope 0.1, at 0": [0.1],
        "abs at 0": [0],
        "clamp from 0 to 1, at both ends": [1, 1],
        "maximum of two equal numbers": [0.5, 0.5],
        "amax of three, two of them largest": [0.5, 0, 0.5],
        "max along a dimension, the same": [1, 0, 0],
    }


def test_softmax_with_two_classes_is_logistic_regression() -> None:
    softmax = script("softmax")
    one, other = softmax.two_classes(ad.linspace(-5, 5, 20, dtype=ad.float64).reshape(10, 2))
    np.testing.assert_allclose(one, other, rtol=1e-14)
    assert softmax.trained_alike() < 1e-13


def test_softmax_becomes_hardmax() -> None:
    softmax = script("softmax")
    z = ad.tensor([[5.0, 2.0, -1.0, 3.0], [0.0, 0.5, 0.2, 0.1]])
    assert softmax.hardmax(z).tolist() == [[1, 0, 0, 0], [0, 1, 0, 0]]
    assert (ad.softmax(100 * z, dim=1) - softmax.hardmax(z)).abs().max() < 1e-12


def test_j_falls_in_every_iteration_of_batch_descent_alone() -> None:
    descent = script("descent")
    batch, mini, stochastic = (descent.costs_of_descent(size, 0.5) for size in (256, 32, 1))
    assert descent.falling(batch) == 1 > descent.falling(mini) > descent.falling(stochastic) > 0.3
    assert [len(costs) - 1 for costs in (batch, mini, stochastic)] == [20, 160, 5120]
    assert mini[-1] < batch[-1] < batch[0]
    assert descent.falling(descent.costs_of_descent(256, lr=30.0)) < 0.8, "too large a rate shows in J"


def test_saddles_are_left_if_not_hit_exactly_and_plateaus_by_adam() -> None:
    descent = script("descent")
    for make in descent.OPTIMIZERS.values():
        assert descent.steps_to_leave(descent.saddle, [1.0, 0.0], -0.2, make, most=300) == 300
    beside, flat = (
        {
            name: descent.steps_to_leave(surface, start, below, make, most=300)
            for name, make in descent.OPTIMIZERS.items()
        }
        for surface, start, below in ((descent.saddle, [1.0, 1e-6], -0.2), (descent.plateau, [9.0], -0.5))
    )
    assert beside["Adam"] < beside["momentum"] < beside["gradient descent"] < 300
    assert flat["Adam"] < 100
    assert flat["gradient descent"] == 300


def test_a_penalty_is_a_decay_by_one_minus_alpha_lambda_by_m() -> None:
    forms = script("regularization_forms")
    penalty, decay = (step([1.0, -2.0], 0.1, 0.7, 10) for step in (forms.step_with_penalty, forms.step_with_decay))
    expected = (1 - 0.1 * 0.7 / 10) * np.array([1, -2]) - 0.1 * np.cos([1, -2])
    np.testing.assert_allclose(penalty, expected, rtol=1e-15)
    np.testing.assert_allclose(decay, expected, rtol=1e-15)


def test_m_as_the_batch_decays_as_many_times_as_there_are_batches() -> None:
    shrinking = script("regularization_forms").shrinking_in_an_epoch
    by_set, by_batch = (shrinking(0.1, 0.7, examples=6400, batch=64, m=m) for m in (6400, 64))
    assert math.log(by_batch) / math.log(by_set) == pytest.approx(100, rel=0.01)


def test_dropout_keeps_the_mean_scaled_in_training_or_at_test_time() -> None:
    forms = script("regularization_forms")
    # The mean of 20,000 masks is known to 0.003.
    assert forms.mean_and_test(forms.dropout_in_training, 0.8) == pytest.approx((1, 1), abs=0.01)
    assert forms.mean_and_test(forms.dropout_at_test_time, 0.8) == pytest.approx((0.8, 0.8), abs=0.01)
    assert forms.kept_by_the_module(0.8) == pytest.approx(1 / 0.8)


def test_one_sided_differences_err_by_epsilon_and_two_sided_by_its_square() -> None:
    checks = script("gradient_checks")
    # (1 + ε)³ gives 3ε + ε² too much, the two-sided rule ε².
    for epsilon in (0.1, 0.01, 0.001):
        assert checks.error(checks.one_sided, epsilon) == pytest.approx(3 * epsilon + epsilon**2, rel=1e-6)
        assert checks.error(checks.two_sided, epsilon) == pytest.approx(epsilon**2, rel=1e-4)


def test_a_whole_model_is_checked_as_one_vector_at_the_start_and_after_training() -> None:
    problem = script("gradient_checks").Problem()
    before = problem.cost(0.1).item()
    assert problem.check() < 1e-7
    problem.train(100)
    assert problem.cost(0.1).item() < 0.9 * before
    assert problem.check() < 1e-7
    assert problem.check(lambda_of_backward=0.0) > 1e-3, "a regulariser left out is noticed"
    assert script("gradient_checks").Problem(dropout=0.5).check() > 1e-3, "dropout has to be switched off"


def test_averages_reach_back_one_by_one_minus_beta_steps_and_need_a_correction_at_first() -> None:
    averages = script("averages")
    assert averages.weight_of_old_values(0.98) == pytest.approx(1 / math.e, abs=0.01)
    plain, corrected = (averages.averages([7.0] * 100, 0.9, correction) for correction in (False, True))
    assert plain[0] == pytest.approx(0.7)
    assert plain[-1] == pytest.approx(7, rel=1e-4)
    np.testing.assert_allclose(corrected, 7)


@pytest.mark.parametrize("gradient", [1e-2, 1e-6, 1e-8])
def test_epsilon_stands_outside_the_root_and_in_adam_after_the_correction(gradient: float) -> None:
    averages = script("averages")
    rmsprop = averages.first_step(lambda p: optim.RMSprop(p, lr=0.1, alpha=0.9), gradient)
    assert rmsprop == pytest.approx(averages.rmsprop_outside(gradient), rel=1e-12)
    adam = averages.first_step(lambda p: optim.Adam(p, lr=0.1), gradient)
    assert adam == pytest.approx(averages.adam_after_correction(gradient), rel=1e-9)


def test_the_other_places_of_epsilon_matter_for_small_gradients_only() -> None:
    averages = script("averages")
    assert averages.rmsprop_inside(1e-2) == pytest.approx(averages.rmsprop_outside(1e-2), rel=1e-3)
    assert averages.rmsprop_inside(1e-6) < averages.rmsprop_outside(1e-6) / 100
    assert averages.adam_before_correction(1e-2) == pytest.approx(averages.adam_after_correction(1e-2), rel=1e-3)
    assert averages.adam_before_correction(1e-8) < averages.adam_after_correction(1e-8) / 10


def test_adam_finds_the_lowest_point_of_the_notes() -> None:
    path = script("averages").lowest_point()
    assert path[0] == pytest.approx(0.1)
    assert path[-1] == pytest.approx(5, abs=1e-4)


def test_batch_norm_takes_a_bias_away_and_can_be_the_identity() -> None:
    norm = script("batch_norm")
    change, gradient = norm.bias_before_it()
    assert change < 1e-14
    assert gradient < 1e-12
    assert norm.identity() < 1e-13


def test_batch_norm_before_relu_leaves_half_of_a_gauss_and_after_it_mean_zero() -> None:
    places = script("batch_norm").before_or_after()
    # The mean of max(z, 0) of a standard normal z is 1/√2π.
    assert places["before"] == pytest.approx((1 / math.sqrt(2 * math.pi), 0), abs=0.01)
    assert places["after"][0] == pytest.approx(0, abs=1e-5)
    assert places["after"][1] < -0.5


def test_batch_norms_noise_falls_by_half_for_batches_four_times_as_large() -> None:
    noise = script("batch_norm").noise
    small, middle, large = noise(4), noise(16), noise(64)
    assert small > 1.4 * middle
    assert middle / large == pytest.approx(2, rel=0.25)


def test_batch_norm_hides_a_shift_of_the_inputs_from_later_layers() -> None:
    moved = script("batch_norm").moved_by_shift
    assert moved(normalised=True) < 0.01
    assert moved(normalised=False) > 1


def test_the_rate_is_the_hyperparameter_to_look_for_first() -> None:
    spread = script("hyperparameters").spread
    assert spread("rate") > spread("momentum") > spread("decay")


def test_random_search_on_the_right_scale_comes_nearer_than_a_grid() -> None:
    search = script("hyperparameters")
    # In a grid of 5 × 5 the nearest of 5 rates is a quarter of their distance of 0.8 decades off in the mean.
    grid, drawn = search.grid_against_random()
    assert grid == pytest.approx(0.2, rel=0.05)
    assert drawn < grid / 2
    assert search.below_a_tenth("uniform") == pytest.approx(0.1, abs=0.01)
    assert search.below_a_tenth("log") == pytest.approx(0.75, abs=0.02)
    assert [search.steps_averaged(beta) for beta in (0.9, 0.999, 0.9995)] == pytest.approx([10, 1000, 2000])


def test_panda_waits_and_caviar_has_the_steps_at_once() -> None:
    search = script("hyperparameters")
    (panda, waited), (caviar, waited_for_all) = search.panda(), search.caviar()
    assert panda < 1e-6
    assert caviar < 1e-6
    assert waited == 12 * waited_for_all


def test_one_number_decides_between_classifiers() -> None:
    metrics = script("metrics")
    assert metrics.f1(0.5, 1.0) == pytest.approx(2 / 3)
    assert metrics.f1(*metrics.CLASSIFIERS["A"]) > metrics.f1(*metrics.CLASSIFIERS["B"])
    assert metrics.average(metrics.ERRORS["A"], metrics.USERS) == pytest.approx(0.046)
    assert metrics.average(metrics.ERRORS["B"], dict.fromkeys(metrics.USERS, 1)) == pytest.approx(0.065)


def test_labels_mended_in_dev_alone_make_it_choose_otherwise_than_test() -> None:
    chosen = script("metrics").chosen_by_labels
    assert chosen(()) == {"dev": "B", "test": "B"}
    assert chosen(("dev",)) == {"dev": "A", "test": "B"}
    assert chosen(("dev", "test")) == {"dev": "A", "test": "A"}


def test_a_pipeline_needs_fewer_examples_than_learning_end_to_end() -> None:
    compare = script("metrics").pipeline_and_end_to_end
    (few_pipeline, few_direct), (pipeline, direct) = compare(100), compare(20000)
    assert few_pipeline > few_direct + 0.2
    assert pipeline - direct < few_pipeline - few_direct
    assert direct > 0.8


def test_152_layers_pass_gradients_on_with_care_only() -> None:
    deep = script("deep_nets")
    norms = {care: deep.gradient_norms(care)[0] for care in ("small", "large", "He", "residual")}
    assert norms["small"] < 1e-30
    assert norms["large"] > 1e30
    assert 1e-9 < norms["He"] < 10
    assert 0.1 < norms["residual"] < 100


def test_152_layers_learn_with_care_only() -> None:
    deep = script("deep_nets")
    without, with_care = deep.costs("small", steps=15), deep.costs("residual", steps=15)
    assert without[-1] == pytest.approx(without[0], abs=0.01)
    assert with_care[-1] < with_care[0] / 4

"""The gradient check: it agrees with right derivatives, finds planted bugs, and says where."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import autodiff as ad
from autodiff.op import OPS
from autodiff.recorders import elementwise, operation
from autodiff.tensor import Tensor


@pytest.fixture
def x() -> Tensor:
    return ad.tensor([[0.3, -0.7, 1.1], [0.9, 0.2, -0.4]], dtype=ad.float64, requires_grad=True)


@contextmanager
def planted(rule: Callable[..., Any], kernel: Callable[..., Any] = np.tanh, **declaration: Any) -> Iterator[Any]:
    """An op whose derivative is whatever the test plants."""
    make = declaration.pop("make", elementwise)
    try:
        yield make("planted", kernel, vjp=rule, **declaration)
    finally:
        del OPS["planted"]


@pytest.mark.parametrize("method", ["central", "richardson", "complex"])
def test_right_derivatives_agree(x: Tensor, method: str) -> None:
    assert ad.gradcheck(lambda x: (x.tanh() @ x.T).exp().mean(0), x, method=method)


def test_the_methods_differ_in_accuracy_as_stated(x: Tensor) -> None:
    """Central differences reach about 1e-9 here, Richardson 1e-11, the complex step rounding."""
    found = {
        m: ad.compare_gradients(lambda x: x.exp().sin(), x, method=m).relative_difference
        for m in ("central", "richardson", "complex")
    }
    assert found["central"] < 1e-7
    assert found["richardson"] < 1e-10
    assert found["complex"] < 1e-14


BUGS = {
    "missing factor": lambda g, y, x: g * (1 - y),
    "factor 2": lambda g, y, x: 2 * g * (1 - y * y),
    "wrong sign": lambda g, y, x: -g * (1 - y * y),
    "derivative forgotten": lambda g, y, x: g,
    "gradient ignored": lambda g, y, x: 1 - y * y,
    "zero": lambda g, y, x: np.zeros(g.shape, g.dtype),
    "one percent": lambda g, y, x: 1.01 * g * (1 - y * y),
    "nan": lambda g, y, x: g * np.nan,
    "one row": lambda g, y, x: g * (1 - y * y) * np.array([[1.0], [0.0]]),
}


@pytest.mark.parametrize("method", ["central", "richardson", "complex"])
@pytest.mark.parametrize("bug", BUGS)
def test_planted_bugs_are_found(x: Tensor, bug: str, method: str) -> None:
    with planted(BUGS[bug], saves="y") as op:
        with pytest.raises(ad.GradcheckError, match="DISAGREE"):
            ad.gradcheck(lambda x: op(x) * ad.tensor([[1.0, 2.0, 3.0]]), x, method=method)
        assert ad.gradcheck(lambda x: op(x) * 2, x, method=method, raise_exception=False) is False


def test_a_transposed_derivative_is_found() -> None:
    square = ad.tensor([[0.3, -0.7], [0.9, 0.2]], dtype=ad.float64, requires_grad=True)
    with (
        planted(lambda g, y, x: g, np.transpose, make=operation) as op,
        pytest.raises(ad.GradcheckError, match=r"wrong at input 0 \[0, 1\], output 0 \[0, 1\]"),
    ):
        ad.gradcheck(lambda x: op(x), square)


def test_a_bug_in_one_element_is_located(x: Tensor) -> None:
    error = np.zeros((2, 3))
    error[1, 2] = 0.5
    with planted(lambda g, y, x: g * (1 - y * y + error), saves="y") as op:
        found = ad.compare_gradients(lambda scale, x: op(x) * scale, [ad.tensor(2.0), x])
    assert not found.passed
    assert (found.worst_input, found.worst_element, found.worst_output, found.worst_output_element) == (
        1,
        (1, 2),
        0,
        (1, 2),
    )
    assert found.analytic - found.numeric == pytest.approx(1.0, abs=1e-6)


def test_the_report_says_what_where_and_how_much(x: Tensor) -> None:
    with planted(BUGS["factor 2"], saves="y") as op:
        report = str(ad.compare_gradients(op, x))
    for part in (
        "DISAGREE (central differences)",
        "relative difference",
        "3.3e-01",
        "1e-7 is right",
        "wrong at input 0 [",
        "analytic ",
        "numeric ",
        "allowed",
    ):
        assert part in report
    assert "agree (complex" in str(ad.compare_gradients(ad.exp, x, method="complex"))


def test_the_relative_difference_is_the_courses(x: Tensor) -> None:
    """‖a - b‖ / (‖a‖ + ‖b‖): a derivative twice too large gives 1/3, one of the wrong sign gives 1."""
    for bug, expected in (("factor 2", 1 / 3), ("wrong sign", 1.0), ("zero", 1.0)):
        with planted(BUGS[bug], saves="y") as op:
            assert ad.compare_gradients(op, x).relative_difference == pytest.approx(expected, abs=1e-6)


def test_equal_derivatives_have_no_difference() -> None:
    x = ad.zeros(3, dtype=ad.float64, requires_grad=True)
    assert ad.compare_gradients(lambda x: x * 0, x).relative_difference == 0.0


@pytest.mark.parametrize("function", [ad.relu, lambda x: x.clamp(0, 1), lambda x: ad.where(x > 0, x, 2 * x)])
def test_a_kink_is_recognised_and_accepted(function: Callable[[Tensor], Tensor]) -> None:
    x = ad.tensor([0.0, 0.5, -0.5], dtype=ad.float64, requires_grad=True)
    found = ad.compare_gradients(function, x)
    assert found.passed
    assert [(k.input, k.element) for k in found.kinks] == [(0, (0,))]
    assert "kink at input 0 [0]: slope" in str(found)


@pytest.mark.parametrize("function", [ad.abs, lambda x: ad.maximum(x, ad.zeros(3))])
def test_a_derivative_in_the_middle_of_a_kink_agrees_with_central_differences(
    function: Callable[[Tensor], Tensor],
) -> None:
    assert ad.gradcheck(function, ad.tensor([0.0, 0.5, -0.5], dtype=ad.float64, requires_grad=True))


def test_a_derivative_outside_the_two_slopes_of_a_kink_is_wrong() -> None:
    x = ad.tensor([0.0], dtype=ad.float64, requires_grad=True)
    with planted(lambda g, y, x: g * 7.0, lambda x: np.maximum(x, 0)) as op:
        found = ad.compare_gradients(op, x)
    assert not found.passed
    assert found.kinks == ()


def test_a_wrong_derivative_at_a_smooth_place_is_no_kink(x: Tensor) -> None:
    with planted(lambda g, y, x: g * (1 - y * y) * 1.001, saves="y") as op:
        found = ad.compare_gradients(op, x, rtol=1e-4)
    assert not found.passed
    assert found.kinks == ()


def test_a_sharply_curved_function_is_no_kink() -> None:
    x = ad.tensor([1e-3], dtype=ad.float64, requires_grad=True)
    with planted(lambda g, y, x: 0 * g, lambda x: np.sin(1000 * x)) as op:
        found = ad.compare_gradients(op, x)
    assert not found.passed
    assert found.kinks == ()


def test_a_function_that_is_not_deterministic_is_refused_with_advice(x: Tensor) -> None:
    with pytest.raises(
        ad.GradcheckError, match=r"different outputs for the same inputs.*dropout.*model\.eval\(\).*outside"
    ):
        ad.gradcheck(lambda x: x * (ad.rand(2, 3) > 0.5), x)


def test_a_random_function_seeded_inside_is_deterministic(x: Tensor) -> None:
    def seeded(x: Tensor) -> Tensor:
        generator = ad.Generator().manual_seed(0)
        return x * ad.rand(2, 3, generator=generator)

    assert ad.gradcheck(seeded, x)


def test_float32_is_refused_with_advice() -> None:
    with pytest.raises(
        ValueError, match=r"expected float64 inputs.*input 1 is float32.*x\.double\(\).*model\.double\(\)"
    ):
        ad.gradcheck(
            lambda a, b: a + b, [ad.ones(1, dtype=ad.float64, requires_grad=True), ad.ones(1, requires_grad=True)]
        )


def test_inputs_without_grad_are_refused() -> None:
    with pytest.raises(ValueError, match="requires_grad=True"):
        ad.gradcheck(ad.exp, ad.ones(2, dtype=ad.float64))


def test_an_unknown_method_is_refused(x: Tensor) -> None:
    with pytest.raises(ValueError, match="central, richardson, complex; got 'forward'"):
        ad.gradcheck(ad.exp, x, method="forward")


@pytest.mark.parametrize("function", [ad.abs, ad.floor, lambda x: ad.logaddexp(x, x * 2)])
def test_the_complex_step_is_refused_where_it_does_not_apply(x: Tensor, function: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises((ad.GradcheckError, TypeError, RuntimeError), match=r"complex|richardson"):
        ad.gradcheck(function, x, method="complex")


def test_inputs_and_gradients_are_left_as_they_were(x: Tensor) -> None:
    array, before = x.array, x.tolist()
    ad.gradcheck(ad.exp, x)
    assert x.array is array
    assert x.tolist() == before
    assert x.grad is None


def test_inputs_are_restored_after_an_error(x: Tensor) -> None:
    array = x.array
    with pytest.raises(ZeroDivisionError):
        ad.gradcheck(lambda x: x * (1 / 0 if x.array is not array else 1), x)
    assert x.array is array


def test_several_inputs_and_outputs() -> None:
    a = ad.randn(2, 3, dtype=ad.float64, requires_grad=True)
    b = ad.randn(3, dtype=ad.float64, requires_grad=True)
    index = ad.tensor([0, 0, 1])
    assert ad.gradcheck(lambda a, b, index, power: (a * b, (a[index] ** power).sum(), b.argmax()), [a, b, index, 2])


def test_an_output_that_does_not_depend_on_an_input_has_derivative_zero(x: Tensor) -> None:
    other = ad.ones(2, dtype=ad.float64, requires_grad=True)
    assert ad.gradcheck(lambda x, other: (x.sum(), other * 2), [x, other])
    with pytest.raises(ad.GradcheckError):
        ad.gradcheck(lambda x, other: x.sum() + other.detach().sum(), [x, other])


def test_non_contiguous_and_zero_dimensional_inputs() -> None:
    a = ad.tensor(np.arange(6.0).reshape(2, 3).T, requires_grad=True)
    b = ad.tensor(0.5, dtype=ad.float64, requires_grad=True)
    assert ad.gradcheck(lambda a, b: (a * b).sin(), [a, b])


def test_a_model_that_holds_its_parameters_is_checked_too() -> None:
    w = ad.randn(3, dtype=ad.float64, requires_grad=True)
    assert ad.gradcheck(lambda _: (w * w).sum(), w)


def test_infinite_values_must_agree() -> None:
    x = ad.tensor([0.0], dtype=ad.float64, requires_grad=True)
    with np.errstate(all="ignore"):
        assert ad.compare_gradients(lambda x: x * 2 + np.inf, x).passed is False


def test_second_derivatives_agree(x: Tensor) -> None:
    w = ad.randn(3, 2, dtype=ad.float64, requires_grad=True)
    assert ad.gradgradcheck(lambda x, w: (x @ w).tanh() / (1 + (x * x).sum()), [x, w])


def test_a_wrong_second_derivative_is_found(x: Tensor) -> None:
    """The first derivative is right, but its own derivative is cut off by a constant."""
    with planted(lambda g, y, x: g * (1 - np.tanh(getattr(x, "array", x)) ** 2), saves="x") as op:
        assert ad.gradcheck(op, x)
        with pytest.raises(ad.GradcheckError, match="DISAGREE"):
            ad.gradgradcheck(op, x)
        assert not ad.gradgradcheck(op, x, raise_exception=False)


def test_second_derivatives_with_given_grad_outputs(x: Tensor) -> None:
    weight = ad.randn(2, 3, dtype=ad.float64, requires_grad=True)
    assert ad.gradgradcheck(ad.sin, x, weight)
    assert ad.gradgradcheck(lambda x: (x.sin(), x.sum()), x)


def test_second_derivatives_of_a_linear_function(x: Tensor) -> None:
    assert ad.gradgradcheck(lambda x: x.sum(), x)


def test_functions_that_differentiate_themselves_can_be_checked(x: Tensor) -> None:
    def slope(x: Tensor) -> Tensor:
        (gradient,) = ad.grad((x**3).sum(), x, create_graph=True)
        return gradient

    assert ad.gradcheck(slope, x)

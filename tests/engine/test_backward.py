"""`backward` and `grad`: what they accumulate, keep, free, refuse."""

from collections.abc import Callable

import numpy as np
import pytest

import autodiff as ad
from autodiff.tensor import Tensor


@pytest.fixture
def x() -> Tensor:
    return ad.tensor([1.0, 2.0, 3.0], requires_grad=True)


def values(*tensors: Tensor | None) -> list[object]:
    return [None if t is None else t.tolist() for t in tensors]


def test_backward_accumulates(x: Tensor) -> None:
    (x * 2).sum().backward()
    first = x.grad
    (x * 3).sum().backward()
    assert values(x.grad) == [[5.0, 5.0, 5.0]]
    assert x.grad is first


def test_a_gradient_set_to_none_starts_afresh(x: Tensor) -> None:
    (x * 2).sum().backward()
    x.grad = None
    (x * 3).sum().backward()
    assert values(x.grad) == [[3.0, 3.0, 3.0]]


def test_a_gradient_kept_by_the_user_is_added_to_in_place_as_in_pytorch(x: Tensor) -> None:
    (x * 2).sum().backward()
    kept = x.grad
    x.sum().backward()
    assert kept is not None
    assert values(kept) == [[3.0, 3.0, 3.0]]


def test_gradients_of_different_leaves_share_no_memory() -> None:
    a, b = ad.ones(3, requires_grad=True), ad.ones(3, requires_grad=True)
    seed = ad.ones(3)
    (a + b).backward(seed)
    assert a.grad is not None
    assert b.grad is not None
    a.grad.array[0] = 100
    assert values(b.grad, seed) == [[1.0, 1.0, 1.0]] * 2


@pytest.mark.parametrize(
    "view", [lambda a: a.reshape(4), lambda a: a.t(), lambda a: ad.flip(a, (0,)).t(), lambda a: a[None].squeeze(0)]
)
def test_a_gradient_that_is_a_view_is_row_major_and_shares_no_memory(view: Callable[[Tensor], Tensor]) -> None:
    a = ad.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    for y in (view(a), view(a) * 1):
        seed = ad.ones_like(y).detach()
        y.backward(seed)
        assert a.grad is not None
        assert a.grad.is_contiguous()
        assert not np.shares_memory(a.grad.array, seed.array)
        a.grad = None


PIECES: list[Callable[[Tensor], Tensor]] = [
    lambda x: sum((i * piece.exp()).sum() for i, piece in enumerate(ad.split(x, 2, 1))),
    lambda x: sum((i * piece * piece).sum() for i, piece in enumerate(x)),
    lambda x: (x[0, :3] * x[1, 1:]).sum() + (x[:, 2] ** 2).sum() + x[-1, -1],
    lambda x: (x * x).sum() + (x[0] * x[1]).sum() + x.exp().sum() + x[:, 1].prod(),
    lambda x: x[ad.tensor([0, 0, 2]), ad.tensor([1, 1, 3])].exp().sum() + (x[0] * x[x > 0][0]).sum(),
    lambda x: (x.t() * ad.arange(4.0)[:, None]).sum() + x[[0, 0], [1, 1]].exp().sum() + x[[1], [0]].sum() + x[1].sum(),
]


@pytest.mark.parametrize("f", PIECES)
@pytest.mark.parametrize("inner", [False, True], ids=["leaf", "inner"])
def test_pieces_of_a_tensor_give_the_gradient_of_the_recorded_pass(f: Callable[[Tensor], Tensor], inner: bool) -> None:
    x = ad.tensor(np.linspace(-1, 2, 12).reshape(3, 4), requires_grad=True)

    def loss() -> Tensor:
        return f(x * 1 if inner else x)

    (recorded,) = ad.grad(loss(), x, create_graph=True)
    (plain,) = ad.grad(loss(), x)
    loss().backward()
    assert x.grad is not None
    np.testing.assert_allclose(plain.array, recorded.array, rtol=1e-14)
    np.testing.assert_array_equal(x.grad.array, plain.array)


def test_a_gradient_asked_for_at_a_tensor_and_its_pieces_is_of_each() -> None:
    x = ad.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    y = x * 2
    first, second = y.unbind()
    found = ad.grad((first * second).sum() + first.sum(), [x, y, first, second])
    assert values(*found) == [[[14.0, 18.0], [4.0, 8.0]], [[7.0, 9.0], [2.0, 4.0]], [7.0, 9.0], [2.0, 4.0]]


def test_a_non_scalar_needs_a_gradient(x: Tensor) -> None:
    with pytest.raises(RuntimeError, match=r"only for scalar outputs, got shape \(3,\).*y\.sum\(\).*gradient="):
        (x * 2).backward()
    (x * 2).backward(ad.tensor([1.0, 10.0, 100.0]))
    assert values(x.grad) == [[2.0, 20.0, 200.0]]


def test_one_element_counts_as_a_scalar_whatever_its_shape(x: Tensor) -> None:
    x.sum().reshape(1, 1).backward()
    assert values(x.grad) == [[1.0, 1.0, 1.0]]


@pytest.mark.parametrize("bad", [ad.ones(2), ad.ones(1, 3), np.ones(3), 1.0])
def test_a_gradient_of_another_shape_or_kind_is_an_error(x: Tensor, bad: object) -> None:
    with pytest.raises(RuntimeError, match=r"expected a gradient Tensor of the output's shape \(3,\), got"):
        (x * 2).backward(bad)


def test_what_does_not_require_grad_cannot_go_backward() -> None:
    with pytest.raises(RuntimeError, match=r"shape \(\).*does not require grad.*no_grad"):
        ad.ones(2).sum().backward()


def test_backward_of_a_leaf_gives_the_seed(x: Tensor) -> None:
    x.backward(ad.tensor([1.0, 2.0, 3.0]))
    assert values(x.grad) == [[1.0, 2.0, 3.0]]
    assert ad.grad(x.sum(), x)[0].tolist() == [1.0, 1.0, 1.0]


def test_a_second_backward_is_an_error_that_names_the_op_and_the_fix(x: Tensor) -> None:
    y = x.exp().sum()
    y.backward()
    with pytest.raises(RuntimeError, match=r"a second time: exp .*shape \(3,\).*retain_graph=True"):
        y.backward()


def test_a_second_backward_through_ops_that_saved_nothing_is_no_error(x: Tensor) -> None:
    y = (x + 1).sum()
    y.backward()
    y.backward()
    assert values(x.grad) == [[2.0, 2.0, 2.0]]


def test_retain_graph_allows_more_passes(x: Tensor) -> None:
    y = x.exp().sum()
    y.backward(retain_graph=True)
    y.backward(retain_graph=True)
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.array, 2 * np.exp([1, 2, 3]), rtol=1e-6)
    y.backward()
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()


def test_a_part_shared_by_two_graphs_is_freed_by_the_first_pass(x: Tensor) -> None:
    shared = x.exp()
    a, b = (shared * 2).sum(), (shared * 3).sum()
    a.backward()
    with pytest.raises(RuntimeError, match="second time: exp"):
        b.backward()


def test_grad_returns_and_does_not_accumulate(x: Tensor) -> None:
    (gradient,) = ad.grad((x * x).sum(), x)
    assert values(gradient, x.grad) == [[2.0, 4.0, 6.0], None]
    assert not gradient.requires_grad


def test_grad_of_several_outputs_adds_them_up(x: Tensor) -> None:
    (gradient,) = ad.grad([(x * 2).sum(), x * 3], [x], [None, ad.tensor([1.0, 10.0, 100.0])])
    assert values(gradient) == [[5.0, 32.0, 302.0]]


def test_backward_of_several_outputs_adds_them_up(x: Tensor) -> None:
    ad.backward([(x * 2).sum(), (x * x).sum()])
    assert values(x.grad) == [[4.0, 6.0, 8.0]]


@pytest.mark.parametrize("count", [0, 2])
def test_grad_needs_one_grad_output_for_each_output(x: Tensor, count: int) -> None:
    with pytest.raises(RuntimeError, match=rf"one of grad_outputs for each output, got {count} for 1"):
        ad.grad(x * 2, x, [ad.ones(3)] * count)


def test_grad_with_respect_to_what_lies_between(x: Tensor) -> None:
    middle = x * 2
    y = (middle * middle).sum()
    by_middle, by_x = ad.grad(y, [middle, x])
    assert values(by_middle, by_x) == [[4.0, 8.0, 12.0], [8.0, 16.0, 24.0]]


def test_grad_with_respect_to_the_output_itself(x: Tensor) -> None:
    y = (x * x).sum()
    assert values(*ad.grad(y, [y, x])) == [1.0, [2.0, 4.0, 6.0]]


def test_grad_stops_at_the_inputs(x: Tensor) -> None:
    """What lies below the inputs is not visited, so it stays usable for another pass."""
    middle = x.exp()
    y = (middle * middle).sum()
    ad.grad(y, middle)
    middle.sum().backward()
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.array, np.exp([1, 2, 3]), rtol=1e-6)


def test_an_input_named_twice_gets_its_gradient_twice(x: Tensor) -> None:
    assert values(*ad.grad((x * x).sum(), [x, x])) == [[2.0, 4.0, 6.0]] * 2


def test_gradients_that_grad_returns_share_no_memory(x: Tensor) -> None:
    other = ad.ones(3, requires_grad=True)
    a, b, c = ad.grad((x + other).sum(), [x, other, x])
    for i, first in enumerate([a, b, c]):
        assert not any(np.shares_memory(first.array, second.array) for second in [a, b, c][i + 1 :])


def test_an_unused_input_is_an_error_unless_allowed(x: Tensor) -> None:
    unused = ad.ones(2, requires_grad=True)
    y = (x * x).sum()
    with pytest.raises(RuntimeError, match=r"input 1 \(shape \(2,\)\) was not used.*allow_unused=True.*materialize"):
        ad.grad(y, [x, unused], retain_graph=True)
    assert values(*ad.grad(y, [x, unused], allow_unused=True, retain_graph=True)) == [[2.0, 4.0, 6.0], None]
    assert values(*ad.grad(y, [x, unused], materialize_grads=True)) == [[2.0, 4.0, 6.0], [0.0, 0.0]]


def test_an_input_that_does_not_require_grad_is_an_error(x: Tensor) -> None:
    with pytest.raises(RuntimeError, match=r"input 1 does not require grad.*requires_grad=True"):
        ad.grad(x.sum(), [x, ad.ones(2)])


def test_a_reduced_dependence_through_no_grad_is_unused(x: Tensor) -> None:
    with ad.no_grad():
        hidden = x * 2
    (gradient,) = ad.grad((x + hidden).sum(), x)
    assert values(gradient) == [[1.0, 1.0, 1.0]]


def test_backward_with_inputs_fills_only_these(x: Tensor) -> None:
    other = ad.ones(3, requires_grad=True)
    (x * other).sum().backward(inputs=[x])
    assert values(x.grad, other.grad) == [[1.0, 1.0, 1.0], None]


def test_backward_with_an_inner_tensor_as_input_fills_its_grad(x: Tensor) -> None:
    middle = x * 2
    (middle * middle).sum().backward(inputs=middle)
    assert values(middle.grad, x.grad) == [[4.0, 8.0, 12.0], None]


def test_inputs_by_name(x: Tensor) -> None:
    other, unused = ad.ones(3, requires_grad=True), ad.ones(1, requires_grad=True)
    y = (x * other).sum()
    found = ad.grad(y, {"x": x, "unused": unused}, retain_graph=True, allow_unused=True)
    assert found["x"].tolist() == [1, 1, 1]
    assert found["unused"] is None
    y.backward(inputs={"x": x})
    assert values(x.grad, other.grad) == [[1.0, 1.0, 1.0], None]


def test_backward_with_no_inputs_is_an_error(x: Tensor) -> None:
    with pytest.raises(RuntimeError, match="at least one tensor as inputs"):
        x.sum().backward(inputs=[])


@pytest.mark.parametrize("needs", [(True, False), (False, True)])
@pytest.mark.parametrize(
    "op",
    [
        lambda a, b: a * b,
        lambda a, b: a / b,
        lambda a, b: a**b,
        lambda a, b: a @ b,
        ad.maximum,
        lambda a, b: ad.cat([a, b]),
    ],
)
def test_only_the_inputs_that_need_a_gradient_get_one(op: Callable[..., Tensor], needs: tuple[bool, bool]) -> None:
    inputs = [ad.full((2, 2), value, requires_grad=need) for value, need in zip((2.0, 3.0), needs, strict=True)]
    op(*inputs).sum().backward()
    assert [a.grad is not None for a in inputs] == list(needs)


def test_the_same_tensor_twice_in_one_op() -> None:
    for op, expected in (
        (lambda a: a * a, 6.0),
        (lambda a: a + a, 2.0),
        (lambda a: a - a, 0.0),
        (lambda a: a / a, 0.0),
        (lambda a: ad.stack([a, a, a]).sum(), 3.0),
        (lambda a: ad.where(ad.tensor(True), a, a), 1.0),
        (lambda a: ad.einsum(",", a, a), 6.0),
    ):
        a = ad.tensor(3.0, requires_grad=True)
        op(a).backward()
        assert a.grad is not None
        assert a.grad.item() == expected


def test_diamonds_wait_for_all_their_paths() -> None:
    """Each level is used twice: 2^20 paths, 20 nodes; a pass that did not wait would never end."""
    x = ad.tensor(1.0, dtype=ad.float64, requires_grad=True)
    y = x
    for _ in range(20):
        y = y + y
    y.backward()
    assert x.grad is not None
    assert x.grad.item() == 2**20


def test_broadcast_inputs_get_gradients_of_their_own_shape() -> None:
    shapes = [(3,), (2, 1), (1, 1, 1), ()]
    inputs = [ad.ones(shape, requires_grad=True) for shape in shapes]
    total = inputs[0]
    for a in inputs[1:]:
        total = total * a
    total.sum().backward()
    assert [a.grad.shape for a in inputs if a.grad is not None] == shapes
    assert values(*(a.grad for a in inputs)) == [[2.0, 2.0, 2.0], [[3.0], [3.0]], [[[6.0]]], 6.0]


def test_create_graph_gives_second_and_third_derivatives() -> None:
    x = ad.tensor(2.0, dtype=ad.float64, requires_grad=True)
    y = x**4
    for expected in (32.0, 48.0, 48.0, 24.0 * 2 / 2):
        (y,) = ad.grad(y, x, create_graph=True)
        assert y.item() == expected


def test_backward_with_create_graph_leaves_a_differentiable_gradient() -> None:
    x = ad.tensor([1.0, 2.0], requires_grad=True)
    (x**3).sum().backward(create_graph=True)
    assert x.grad is not None
    assert x.grad.requires_grad
    (second,) = ad.grad(x.grad.sum(), x)
    assert second.tolist() == [6.0, 12.0]
    x.grad = None


def test_a_gradient_penalty_trains() -> None:
    """The derivative of a norm of a derivative, in one backward."""
    w = ad.tensor([[1.0, -2.0], [0.5, 1.5]], dtype=ad.float64, requires_grad=True)
    x = ad.tensor([0.3, -0.7], dtype=ad.float64, requires_grad=True)

    def penalty(w: Tensor) -> Tensor:
        (slope,) = ad.grad((w @ x).tanh().sum(), x, create_graph=True)
        return (slope * slope).sum()

    assert ad.gradcheck(penalty, w)


def test_grad_inside_no_grad_still_builds_the_graph_when_asked() -> None:
    x = ad.tensor(3.0, requires_grad=True)
    y = x**3
    with ad.no_grad():
        (first,) = ad.grad(y, x, create_graph=True)
    assert first.requires_grad


def test_differentiating_through_grad_outputs(x: Tensor) -> None:
    v = ad.ones(3, requires_grad=True)
    (slope,) = ad.grad(x * x, x, v, create_graph=True)
    (by_v,) = ad.grad(slope.sum(), v)
    assert values(by_v) == [[2.0, 4.0, 6.0]]


def test_an_input_of_zero_size_gets_a_gradient_of_zero_size() -> None:
    x = ad.ones(0, 3, requires_grad=True)
    (x * 2).sum().backward()
    assert x.grad is not None
    assert x.grad.shape == (0, 3)


def test_arguments_may_be_tuples_or_single_tensors(x: Tensor) -> None:
    assert values(*ad.grad((x.sum(),), (x,), (ad.tensor(2.0),))) == [[2.0, 2.0, 2.0]]
    assert values(*ad.grad(x.sum(), x, ad.tensor(2.0))) == [[2.0, 2.0, 2.0]]


def test_a_failing_rule_names_its_op_and_shapes() -> None:
    from autodiff.op import OPS
    from autodiff.recorders import elementwise

    try:
        broken = elementwise("broken_for_test", np.negative, vjp=lambda g, y, x: g.nonsense)
        y = broken(ad.ones(2, 3, requires_grad=True)).sum()
        with pytest.raises(
            RuntimeError, match=r"derivative of broken_for_test failed \(inputs \(2, 3\); output \(2, 3\)\)"
        ):
            y.backward()
    finally:
        del OPS["broken_for_test"]


def test_a_dead_relu_stops_an_infinite_gradient() -> None:
    """sqrt(relu(x)) is a safe root: below 0 the root's gradient is infinite, and what reaches x is 0, not NaN."""
    x = ad.tensor([-1.0, 4.0], requires_grad=True)
    with np.errstate(divide="ignore"):
        ad.sqrt(ad.relu(x)).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, 0.25]


def test_relu_passes_the_gradient_at_nan() -> None:
    x = ad.tensor([float("nan")], requires_grad=True)
    ad.relu(x).backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1.0]


def test_batched_gradients_are_those_of_the_rows() -> None:
    x = ad.tensor([1.0, 2.0, 3.0], requires_grad=True)
    calls: list[tuple[int, ...]] = []
    x.register_hook(lambda g: calls.append(g.shape))
    rows = ad.eye(3)
    (jacobian,) = ad.grad(x * x.sum(), x, rows, is_grads_batched=True, retain_graph=True)
    assert jacobian.tolist() == [[7.0, 1.0, 1.0], [2.0, 8.0, 2.0], [3.0, 3.0, 9.0]]
    assert calls == [(3,)] * 3
    y = x.exp()
    ad.grad(y, x, rows, is_grads_batched=True)
    with pytest.raises(RuntimeError, match="second time"):
        ad.grad(y, x, rows, is_grads_batched=True)


@pytest.mark.parametrize("gradients", [None, [ad.ones(())], [ad.ones(0, 2)], [ad.ones(3, 2), ad.ones(2)]])
def test_batched_gradients_need_one_number_of_rows(gradients: list[ad.Tensor] | None) -> None:
    x = ad.ones(2, requires_grad=True)
    outputs = [x * 2, x.sum()][: len(gradients or [None])]
    with pytest.raises(RuntimeError, match="is_grads_batched: expected a gradient Tensor for each output"):
        ad.grad(outputs, x, gradients, is_grads_batched=True)


def test_zeros_for_unused_inputs_and_an_error_for_them_exclude_each_other() -> None:
    x = ad.ones(2, requires_grad=True)
    with pytest.raises(ValueError, match="allow_unused left out or True"):
        ad.grad(x.sum(), x, materialize_grads=True, allow_unused=False)


def test_grad_takes_pytorchs_arguments_in_their_order() -> None:
    x = ad.tensor(3.0, requires_grad=True)
    unused = ad.tensor(1.0, requires_grad=True)
    (g, none) = ad.grad(x**2, [x, unused], None, True, True, True, True)
    assert (g.item(), none) == (6.0, None)
    assert g.requires_grad
    with pytest.raises(ValueError, match="leave only_inputs out"):
        ad.grad(x**2, x, only_inputs=False)

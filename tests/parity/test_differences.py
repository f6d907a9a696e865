"""Rows of docs/differences.md: what PyTorch does, so that a row goes when the difference goes."""

import copy
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.test_differences import rows, rows_of_tests


def test_every_row_has_a_test() -> None:
    assert sorted(rows_of_tests(Path(__file__).parent)) == sorted(rows())


# Transforms.


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_draws_in_jacfwd() -> None:
    with pytest.raises(RuntimeError, match="randomness"):
        torch.func.jacfwd(lambda x: x * torch.rand(3))(torch.ones(3))


def test_as_strided_inside_vmap() -> None:
    assert torch.vmap(lambda x: x.as_strided((2,), (1,)))(torch.ones(2, 3)).shape == (2, 2)


def test_reentrant_checkpoint() -> None:
    from torch.utils.checkpoint import checkpoint

    x = torch.ones(3, requires_grad=True)
    with pytest.warns(UserWarning, match="use_reentrant"):
        checkpoint(torch.exp, x)
    checkpoint(torch.exp, x, use_reentrant=True).sum().backward()


# Tensors.


def test_dtype_objects() -> None:
    assert isinstance(torch.float32, torch.dtype)
    assert str(torch.float32) == "torch.float32"


def test_dtypes_left_out() -> None:
    assert torch.tensor(1j).dtype == torch.complex64
    assert torch.tensor(np.ones(1, np.uint16)).dtype == torch.uint16
    assert torch.ones(1, dtype=torch.bfloat16).item() == 1
    assert torch.linalg.eig(torch.eye(2))[0].dtype == torch.linalg.eigvals(torch.eye(2)).dtype == torch.complex64


def test_cpu_only() -> None:
    assert torch.zeros(1, device="meta").device.type == "meta"
    if not torch.cuda.is_available():
        with pytest.raises(AssertionError):
            torch.zeros(1).to("cuda")


def test_plain_shapes() -> None:
    assert type(torch.ones(2).shape) is torch.Size
    assert type(torch.ones(2).device) is torch.device


def test_no_extra_attributes() -> None:
    x = torch.ones(1)
    x.requires_grd = True
    assert x.requires_grd


def test_lenient_constructors() -> None:
    for call in (lambda: torch.zeros(), lambda: torch.full(2, 1), lambda: torch.Tensor(1.5)):
        with pytest.raises(TypeError):
            call()


def test_lenient_calls() -> None:
    x: Any = torch.arange(6)
    y = x.reshape(2, 3)
    for call in (
        lambda: torch.flip(x, 0),
        lambda: torch.tile(x, 2),
        lambda: torch.arange(start=3),
        lambda: torch.reshape(x, 2, 3),
        lambda: torch.prod(y, (0, 1)),
        lambda: torch.prod(y, keepdim=True),
        lambda: torch.max(y, None),
        lambda: torch.sort(x, 0, True, stable=True),
        lambda: torch.logsumexp(torch.zeros(2, 2), ()),
        lambda: torch.logsumexp(torch.zeros(2, 2), None),
    ):
        with pytest.raises((TypeError, RuntimeError)):
            call()


def test_numbers_beyond_the_dtype() -> None:
    x, mask, first = torch.zeros(2, dtype=torch.uint8), torch.tensor([True, False]), torch.tensor([0])
    for call in (
        lambda number: torch.tensor([number], dtype=torch.uint8),
        lambda number: torch.full((2,), number, dtype=torch.uint8),
        lambda number: x.clamp(min=number),
        lambda number: x.masked_fill(mask, number),
        lambda number: x.index_fill(0, first, number),
    ):
        assert call(-1)[0].item() == 255
        with pytest.raises(RuntimeError, match="overflow"):
            call(300)


def test_fractions_in_arange() -> None:
    for dtype in (torch.int8, torch.int16, torch.int32):
        assert torch.arange(0, 4, 1.5, dtype=dtype).tolist() == [0, 1, 2]
    assert torch.arange(0, 4, 1.5, dtype=torch.int64).tolist() == [0, 1, 2, 3]


def test_ranges_of_bools() -> None:
    for function in (torch.linspace, torch.logspace):
        assert function(0, 1, 1, dtype=torch.bool).shape == (1,)
        with pytest.raises(NotImplementedError):
            function(0, 1, 2, dtype=torch.bool)


def test_meshgrid_indexing() -> None:
    torch.set_warn_always(True)
    try:
        with pytest.warns(UserWarning, match="indexing"):
            rows, _ = torch.meshgrid(torch.arange(2), torch.arange(3))
    finally:
        torch.set_warn_always(False)
    assert rows.tolist() == [[0, 0, 0], [1, 1, 1]]


def test_asarray_leaves_its_argument() -> None:
    for before in (True, False):
        x = torch.ones(1, requires_grad=before)
        assert torch.asarray(x, requires_grad=not before) is x
        assert x.requires_grad != before


def test_tensors_in_a_list() -> None:
    assert torch.tensor([torch.tensor([1.0]), torch.tensor([2.0])]).shape == (2,)


def test_lists_of_numpy_numbers() -> None:
    assert torch.tensor([np.float64(1)]).dtype == torch.float64


def test_names_of_gradients() -> None:
    x = torch.ones(2, requires_grad=True)
    first, _ = x
    for y, name in ((first, "UnbindBackward0"), (x[0], "SelectBackward0"), (1 - x, "RsubBackward1")):
        assert f"<{name}>" in repr(y)


def test_number_of_a_loss() -> None:
    # The warning is given once in a process, so that it may have been given before this test.
    torch.set_warn_always(True)
    try:
        with pytest.warns(UserWarning, match="to a scalar"):
            float(torch.ones(1, requires_grad=True).sum())
    finally:
        torch.set_warn_always(False)


def test_pickled_results() -> None:
    y = torch.ones(1, requires_grad=True) * 2
    assert pickle.loads(pickle.dumps(y)).is_leaf
    with pytest.raises(RuntimeError):
        copy.deepcopy(y)


def test_error_types() -> None:
    for call, kind in (
        (lambda: torch.ones(2) + torch.ones(3), RuntimeError),
        (lambda: nn.BCELoss()(torch.ones(2), torch.ones(3)), ValueError),
        (lambda: torch.arange(3).softmax(0), NotImplementedError),
    ):
        with pytest.raises(kind) as caught:
            call()
        assert not (isinstance(caught.value, RuntimeError) and isinstance(caught.value, ValueError))


# Gradients.


def test_views_without_grad() -> None:
    x = torch.ones(2, requires_grad=True)
    with torch.no_grad():
        view = x.view(2, 1)
    assert view.requires_grad
    view.sum().backward()
    assert x.grad is None


def test_create_graph_cycles() -> None:
    torch.set_warn_always(True)
    try:
        x = torch.ones(2, requires_grad=True)
        with pytest.warns(UserWarning, match="reference cycle"):
            (x**3).sum().backward(create_graph=True)
        x.grad = None
    finally:
        torch.set_warn_always(False)


def test_assigned_gradients() -> None:
    x = torch.ones(2, requires_grad=True)
    for bad in (torch.ones(3), torch.ones(2, dtype=torch.float64), 3.0):
        with pytest.raises((RuntimeError, TypeError)):
            x.grad = bad


def test_numpy_functions() -> None:
    x = torch.tensor([0.5])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's, about the protocol that PyTorch has
        assert not np.tanh(x).requires_grad
    with pytest.raises(RuntimeError, match="numpy"):
        np.tanh(x.requires_grad_())


def test_gradcheck_float32() -> None:
    x = torch.ones(1, requires_grad=True)
    with pytest.warns(UserWarning, match="double precision"):
        torch.autograd.gradcheck(torch.exp, x, raise_exception=False)


def test_gradcheck_kinks() -> None:
    x = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    assert not torch.autograd.gradcheck(torch.relu, x, raise_exception=False)


def test_gradcheck_randomness() -> None:
    x = torch.ones(5, dtype=torch.float64, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"Jacobian mismatch|reentrant"):
        torch.autograd.gradcheck(lambda x: x * torch.rand(5), x)


# Modules and optimizers.


def test_shapes_of_losses() -> None:
    for loss in (nn.MSELoss(), nn.L1Loss()):
        with pytest.warns(UserWarning, match="target size"):
            loss(torch.ones(3, 1), torch.ones(3))
    with pytest.raises(ValueError, match="target size"):
        nn.BCELoss()(torch.ones(3, 1), torch.ones(3))


def test_plain_containers() -> None:
    module = nn.Module()
    module.layers = [nn.Linear(1, 1)]
    assert list(module.parameters()) == []


def test_all_or_nothing_loading() -> None:
    model = nn.Sequential(nn.Linear(1, 1), nn.Linear(2, 2))
    state = {key: torch.zeros(value.shape) for key, value in model.state_dict().items()} | {
        "1.weight": torch.zeros(5, 5)
    }
    with pytest.raises(RuntimeError, match="size mismatch"):
        model.load_state_dict(state)
    assert model[0].weight.item() == 0


def test_gradient_of_ctc() -> None:
    log_probs = torch.randn(4, 1, 3, dtype=torch.float64).log_softmax(2).requires_grad_()
    loss = nn.functional.ctc_loss(log_probs, torch.tensor([[1, 2]]), (4,), (2,))
    (gradient,) = torch.autograd.grad(loss, log_probs)
    np.testing.assert_allclose(gradient.sum(2).numpy(), 0, atol=1e-12)
    impossible = nn.functional.ctc_loss(log_probs, torch.tensor([[1, 1, 1]]), (4,), (3,))
    (gradient,) = torch.autograd.grad(impossible, log_probs)
    assert gradient.isnan().any()


def test_sparse_gradients() -> None:
    table = nn.Embedding(3, 2, sparse=True)
    table(torch.tensor([1])).sum().backward()
    gradient: Any = table.weight.grad
    assert gradient.is_sparse


def test_rows_of_padding() -> None:
    with pytest.raises(AssertionError, match=r"padding_idx|Padding_idx"):
        nn.Embedding(3, 2, padding_idx=3)


def test_softmax_needs_dim() -> None:
    with pytest.warns(UserWarning, match="Implicit dimension"):
        nn.Softmax()(torch.ones(2))
    with pytest.warns(UserWarning, match="Implicit dimension"):
        nn.functional.softmax(torch.ones(2, 2))


def test_integer_targets() -> None:
    with pytest.raises(RuntimeError, match="Int"):
        nn.CrossEntropyLoss()(torch.ones(1, 2), torch.tensor([1], dtype=torch.int32))


def test_nothing_to_optimize() -> None:
    torch.optim.SGD([torch.ones(2)], lr=0.1).step()


def test_parameters_given_twice() -> None:
    p = torch.ones(2, requires_grad=True)
    with pytest.warns(UserWarning, match="duplicate"):
        torch.optim.SGD([p, p], lr=0.1)
    with pytest.raises(ValueError, match="more than one"):
        torch.optim.SGD([{"params": [p]}, {"params": [p]}], lr=0.1)


def test_learning_rates_that_are_nan() -> None:
    p = torch.ones(2, requires_grad=True)
    optimizer = torch.optim.SGD([p], lr=0.1)
    optimizer.param_groups[0]["lr"] = float("nan")
    p.grad = torch.ones(2)
    optimizer.step()
    assert p.isnan().all()


def test_implementation_switches() -> None:
    p = torch.ones(2, requires_grad=True)
    for switches in ({"fused": True, "foreach": True}, {"fused": True, "differentiable": True}):
        with pytest.raises(RuntimeError, match="fused"):
            torch.optim.Adam([p], **switches)
    p.grad = torch.ones(2)
    with pytest.raises(AssertionError, match="capturable"):
        torch.optim.Adam([p], capturable=True).step()


def test_gradients_that_are_nan() -> None:
    p = torch.ones(2, requires_grad=True)
    p.grad = torch.tensor([float("nan"), 1.0])
    torch.optim.Adam([p]).step()
    assert p.isnan().tolist() == [True, False]


def test_names_of_parameters() -> None:
    def optimizer(*names: str) -> torch.optim.Optimizer:
        adam = torch.optim.Adam([(name, torch.full((2,), float(len(name)), requires_grad=True)) for name in names])
        for p in adam.param_groups[0]["params"]:
            p.grad = p.detach()
        adam.step()
        return adam

    other = optimizer("bb", "a")
    other.load_state_dict(optimizer("a", "bb").state_dict())
    assert [state["exp_avg"][0].item() for state in other.state.values()] == pytest.approx([0.1, 0.2])
    assert other.param_groups[0]["params"][0][0].item() == pytest.approx(2, abs=0.01)


def test_loaded_counters() -> None:
    p = torch.ones(2, dtype=torch.float64, requires_grad=True)
    p.grad = torch.ones(2, dtype=torch.float64)
    optimizer = torch.optim.NAdam([p])
    optimizer.step()
    assert optimizer.state[p]["mu_product"].dtype == torch.float32
    optimizer.load_state_dict(optimizer.state_dict())
    assert optimizer.state[p]["mu_product"].dtype == torch.float64


def test_recorded_steps() -> None:
    rate = torch.tensor(0.1, requires_grad=True)
    p = torch.tensor(2.0, requires_grad=True).clone()
    (p.grad,) = torch.autograd.grad(p * p * p, [p], create_graph=True)
    torch.optim.SGD([p], lr=rate, differentiable=True).step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        (p * p).backward()


def test_first_momentum() -> None:
    start = torch.tensor(2.0, requires_grad=True)
    p = start.clone()
    optimizer = torch.optim.SGD([p], lr=0.1, momentum=0.9, differentiable=True)
    (p.grad,) = torch.autograd.grad((p * p).sum(), [p], create_graph=True)
    optimizer.step()
    p.grad = torch.zeros(())
    optimizer.step()
    assert p.item() == pytest.approx(2 * (1 - 0.38))
    assert torch.autograd.grad(p, start)[0].item() == pytest.approx(1)


def test_bfloat16_in_muon() -> None:
    p = torch.eye(2, dtype=torch.float64).requires_grad_()
    p.grad = torch.eye(2, dtype=torch.float64)
    torch.optim.Muon([p], lr=1.0, weight_decay=0.0, ns_steps=1, ns_coefficients=(1.0, 0.0, 0.0)).step()
    assert abs(p[0, 0].item() - (1 - 0.5**0.5)) > 1e-6

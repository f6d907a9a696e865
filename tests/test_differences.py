"""Rows of docs/differences.md: what happens here. The functions are named after the rows."""

import gc
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

import autodiff as ad
import nn
import optim
from autodiff.op import OpError

PAGE = Path(__file__).parents[1] / "docs" / "differences.md"


def rows() -> list[str]:
    return re.findall(r"^\| `([a-z0-9-]+)` \|", PAGE.read_text(), re.MULTILINE)


def rows_of_tests(folder: Path) -> list[str]:
    """The rows that the tests in files of this name are called after."""
    text = "".join(file.read_text() for file in folder.glob("test_differences*.py"))
    names = re.findall(r"^def test_([a-z0-9_]+)\(", text, re.MULTILINE)
    return [name.replace("_", "-") for name in names if name != "every_row_has_a_test"]


def test_every_row_has_a_test() -> None:
    assert len(rows()) == len(set(rows())) > 0
    assert sorted(rows_of_tests(Path(__file__).parent)) == sorted(rows())


# Transforms.


def test_draws_in_jacfwd() -> None:
    x = ad.ones(3)
    jacobian = ad.func.jacfwd(lambda x: x * ad.rand(3))(x)
    assert ((jacobian != 0) == ad.eye(3).bool()).all()


def test_as_strided_inside_vmap() -> None:
    with pytest.raises(AttributeError, match="inside vmap"):
        ad.vmap(lambda x: x.as_strided((2,), (1,)))(ad.ones(2, 3))


def test_reentrant_checkpoint() -> None:
    x = ad.ones(3, requires_grad=True)
    ad.checkpoint(ad.exp, x).sum().backward()
    with pytest.raises(ValueError, match="use_reentrant=False"):
        ad.checkpoint(ad.exp, x, use_reentrant=True)


# Tensors.


def test_dtype_objects() -> None:
    assert ad.float32 == np.dtype("float32")
    assert ad.ones(1).dtype == np.float32
    assert str(ad.float32) == "float32"
    assert "dtype=float64" in repr(ad.ones(1, dtype=ad.float64))


def test_dtypes_left_out() -> None:
    for array in (np.ones(1, complex), np.ones(1, np.uint16), np.ones(1, np.uint64), np.ones(1, np.longdouble)):
        with pytest.raises(TypeError, match="expected a dtype among"):
            ad.tensor(array)
    assert not hasattr(ad, "bfloat16")
    for function in (ad.linalg.eig, ad.linalg.eigvals):
        with pytest.raises(TypeError, match=r"complex.*eigh\(\)"):
            function(ad.eye(2))


def test_cpu_only() -> None:
    assert ad.zeros(2, device="cpu").to("cpu").cpu().device == "cpu"
    for call in (
        lambda: ad.zeros(2, device="cuda"),
        lambda: ad.zeros(2).to("cuda:0"),
        lambda: nn.Linear(1, 1).to("mps"),
    ):
        with pytest.raises(RuntimeError, match="expected device 'cpu'"):
            call()


def test_plain_shapes() -> None:
    assert type(ad.ones(2, 3).shape) is type(ad.ones(2, 3).size()) is tuple
    assert ad.ones(1).device == "cpu"


def test_no_extra_attributes() -> None:
    with pytest.raises(AttributeError):
        ad.ones(1).requires_grd = True


def test_lenient_constructors() -> None:
    assert ad.zeros().shape == ad.Tensor(1.5).shape == ()
    assert ad.full(2, 1).tolist() == [1, 1]
    assert ad.Tensor(2, 3).tolist() == [[0.0] * 3] * 2


def test_lenient_calls() -> None:
    x = ad.arange(6)
    assert ad.flip(x, 0).tolist() == [5, 4, 3, 2, 1, 0]
    assert ad.tile(x, 2).shape == (12,)
    assert ad.arange(start=3).tolist() == [0, 1, 2]
    y = ad.reshape(x, 2, 3)
    assert y.shape == (2, 3)
    assert ad.prod(y + 1, (0, 1)).item() == 720
    assert ad.prod(y, keepdim=True).shape == (1, 1)
    assert ad.max(y, None).item() == 5
    assert ad.sort(x, 0, True, stable=True).values.tolist() == [5, 4, 3, 2, 1, 0]
    assert ad.logsumexp(ad.zeros(2, 2), ()).shape == ad.logsumexp(ad.zeros(2, 2), None).shape == ()


def test_numbers_beyond_the_dtype() -> None:
    x, mask, first = ad.zeros(2, dtype=ad.uint8), ad.tensor([True, False]), ad.tensor([0])
    for number in (-1, 300):
        for call in (
            lambda number=number: ad.tensor([number], dtype=ad.uint8),
            lambda number=number: ad.full((2,), number, dtype=ad.uint8),
            lambda number=number: x.clamp(min=number),
            lambda number=number: x.masked_fill(mask, number),
            lambda number=number: x.index_fill(0, first, number),
        ):
            with pytest.raises(ValueError, match=rf"{number}.*uint8"):
                call()


def test_fractions_in_arange() -> None:
    for dtype in (ad.int8, ad.int16, ad.int32, ad.int64):
        assert ad.arange(0, 4, 1.5, dtype=dtype).tolist() == [0, 1, 2, 3]


def test_ranges_of_bools() -> None:
    for function in (ad.linspace, ad.logspace):
        for steps in (0, 1, 2):
            with pytest.raises(TypeError, match="bool"):
                function(0, 1, steps, dtype=ad.bool)


def test_meshgrid_indexing() -> None:
    # The suite turns warnings into errors.
    rows, columns = ad.meshgrid(ad.arange(2), ad.arange(3))
    assert rows.tolist() == [[0, 0, 0], [1, 1, 1]]
    assert columns.tolist() == [[0, 1, 2], [0, 1, 2]]


def test_asarray_leaves_its_argument() -> None:
    for before in (True, False):
        x = ad.ones(1, requires_grad=before)
        made = ad.asarray(x, requires_grad=not before)
        assert (x.requires_grad, made.requires_grad) == (before, not before)
        assert np.shares_memory(made.array, x.array)


def test_tensors_in_a_list() -> None:
    assert ad.tensor([ad.tensor([1.0]), ad.tensor([2.0])]).shape == (2, 1)


def test_lists_of_numpy_numbers() -> None:
    assert ad.tensor([np.float64(1)]).dtype == ad.float32


def test_names_of_gradients() -> None:
    x = ad.ones(2, requires_grad=True)
    first, _ = x
    assert repr(first.grad_fn) == repr(x[0].grad_fn) == "<GetitemBackward0>"
    assert repr((1 - x).grad_fn) == "<SubBackward0>"


def test_number_of_a_loss() -> None:
    # The suite turns warnings into errors.
    assert float(ad.ones(1, requires_grad=True).sum()) == 1.0


def test_pickled_results() -> None:
    with pytest.raises(RuntimeError, match=r"x\.detach\(\)"):
        pickle.dumps(ad.ones(1, requires_grad=True) * 2)


def test_error_types() -> None:
    for call in (
        lambda: ad.ones(2) + ad.ones(3),
        lambda: ad.ones(2, 3) @ ad.ones(2, 3),
        lambda: ad.ones(6).reshape(4),
        lambda: nn.Linear(2, 3)(ad.ones(1, 3)),
        lambda: nn.BCELoss()(ad.ones(2), ad.ones(3)),
    ):
        with pytest.raises(OpError) as caught:
            call()
        assert isinstance(caught.value, RuntimeError)
        assert isinstance(caught.value, ValueError)


# Gradients.


def test_views_without_grad() -> None:
    x = ad.ones(2, requires_grad=True)
    with ad.no_grad():
        assert not x.view(2, 1).requires_grad
        assert not x[:1].requires_grad


def test_create_graph_cycles() -> None:
    gc.collect()
    gc.disable()
    try:
        x = ad.ones(2, requires_grad=True)
        (x**3).sum().backward(create_graph=True)
        del x
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_assigned_gradients() -> None:
    p = ad.ones(2, requires_grad=True)
    p.grad = ad.ones(3)
    with pytest.raises(ValueError, match=r"shape \(2,\).*got \(3,\).*\.grad"):
        optim.SGD([p], lr=0.1).step()
    assert p.tolist() == [1.0, 1.0]


def test_numpy_functions() -> None:
    x = ad.tensor([0.5], requires_grad=True)
    assert repr(np.tanh(x).grad_fn) == "<TanhBackward0>"
    with pytest.raises(TypeError, match=r"no derivative here.*x\.detach\(\)\.numpy\(\)"):
        np.linalg.norm(x)


def test_gradcheck_float32() -> None:
    with pytest.raises(ValueError, match=r"float64.*x\.double\(\)"):
        ad.gradcheck(ad.exp, ad.ones(1, requires_grad=True))


def test_gradcheck_kinks() -> None:
    x = ad.zeros(1, dtype=ad.float64, requires_grad=True)
    assert ad.gradcheck(ad.relu, x)
    assert "kink at input 0 [0]" in str(ad.compare_gradients(ad.relu, x))


def test_gradcheck_randomness() -> None:
    x = ad.ones(5, dtype=ad.float64, requires_grad=True)
    with pytest.raises(ad.GradcheckError, match=r"different outputs.*model\.eval\(\).*outside"):
        ad.gradcheck(lambda x: x * ad.rand(5), x)


# Modules and optimizers.


def test_shapes_of_losses() -> None:
    for loss in (nn.MSELoss(), nn.L1Loss(), nn.BCELoss(), nn.BCEWithLogitsLoss()):
        with pytest.raises(OpError, match=r"\(3, 1\), got \(3,\)"):
            loss(ad.full((3, 1), 0.5), ad.ones(3))


def test_plain_containers() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = [nn.Linear(1, 1)]

    with pytest.warns(UserWarning, match=r"Model\.layers is a plain list.*nn\.ModuleList"):
        model = Model()
    assert list(model.parameters()) == []


def test_all_or_nothing_loading() -> None:
    model = nn.Sequential(nn.Linear(1, 1), nn.Linear(2, 2))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    state = {key: ad.zeros(value.shape) for key, value in before.items()} | {"1.weight": ad.zeros(5, 5)}
    with pytest.raises(RuntimeError, match=r"size mismatch for 1\.weight"):
        model.load_state_dict(state)
    assert all(ad.equal(value, before[key]) for key, value in model.state_dict().items())


def test_gradient_of_ctc() -> None:
    scores = ad.randn(4, 1, 3, dtype=ad.float64).requires_grad_()
    log_probs = scores.log_softmax(2).detach().requires_grad_()
    loss = nn.functional.ctc_loss(log_probs, ad.tensor([[1, 2]]), [4], [2])
    assert ad.gradcheck(lambda x: nn.functional.ctc_loss(x, ad.tensor([[1, 2]]), [4], [2]), [log_probs])
    (direct,) = ad.grad(loss, log_probs)
    # One path through each time: the shares of the classes sum to 1, over the target's length.
    np.testing.assert_allclose(direct.numpy().sum(2), -0.5)
    impossible = nn.functional.ctc_loss(log_probs, ad.tensor([[1, 1, 1]]), [4], [3])
    assert impossible.item() == float("inf")
    assert not ad.grad(impossible, log_probs)[0].any()


def test_sparse_gradients() -> None:
    with pytest.raises(OpError, match="expected sparse=False"):
        nn.Embedding(3, 2, sparse=True)


def test_rows_of_padding() -> None:
    with pytest.raises(ValueError, match="expected a padding_idx from -3 to 2"):
        nn.Embedding(3, 2, padding_idx=3)


def test_softmax_needs_dim() -> None:
    for guess in (nn.Softmax, nn.LogSoftmax, lambda: nn.functional.softmax(ad.ones(2, 2))):
        with pytest.raises(TypeError, match="dim"):
            guess()


def test_integer_targets() -> None:
    scores = ad.tensor([[2.0, 0.0]])
    losses = {nn.CrossEntropyLoss()(scores, ad.tensor([1], dtype=d)).item() for d in (ad.uint8, ad.int32, ad.int64)}
    assert len(losses) == 1


def test_nothing_to_optimize() -> None:
    with pytest.raises(ValueError, match=r"none that requires grad.*requires_grad_\(\)"):
        optim.SGD([ad.ones(2)], lr=0.1)


def test_parameters_given_twice() -> None:
    p = ad.ones(2, requires_grad=True)
    for groups in ([p, p], [{"params": [p]}, {"params": [p]}]):
        with pytest.raises(ValueError, match="was given before"):
            optim.SGD(groups, lr=0.1)


def test_learning_rates_that_are_nan() -> None:
    p = ad.ones(2, requires_grad=True)
    optimizer = optim.SGD([p], lr=0.1)
    optimizer.param_groups[0]["lr"] = float("nan")
    p.grad = ad.ones(2)
    with pytest.raises(ValueError, match="finite lr"):
        optimizer.step()
    assert p.tolist() == [1.0, 1.0]


def test_implementation_switches() -> None:
    results = []
    for switches in ({}, {"foreach": True, "fused": True, "capturable": True}, {"fused": False}):
        p = ad.ones(2, requires_grad=True)
        optimizer = optim.Adam([p], **switches)
        assert optimizer.param_groups[0].items() >= switches.items()
        p.grad = ad.tensor([1.0, 2.0])
        optimizer.step()
        results.append(p.tolist())
    assert results[0] == results[1] == results[2]


def test_gradients_that_are_nan() -> None:
    first, second = ad.ones(2, requires_grad=True), ad.ones(2, requires_grad=True)
    optimizer = optim.Adam([("first", first), ("second", second)])
    first.grad, second.grad = ad.ones(2), ad.tensor([float("nan"), 1.0])
    with pytest.raises(ValueError, match=r"nan ones of parameter second \(1 of 2 numbers\)"):
        optimizer.step()
    assert first.tolist() == second.tolist() == [1.0, 1.0]


def test_names_of_parameters() -> None:
    def optimizer(*names: str) -> optim.Optimizer:
        adam = optim.Adam([(name, ad.full((2,), float(len(name)), requires_grad=True)) for name in names])
        for p in adam.param_groups[0]["params"]:
            p.grad = p.detach()
        adam.step()
        return adam

    saved, other = optimizer("a", "bb").state_dict(), optimizer("bb", "a")
    other.load_state_dict(saved)
    assert [state["exp_avg"][0].item() for state in other.state.values()] == pytest.approx([0.1, 0.2])
    assert other.param_groups[0]["param_names"] == ["bb", "a"]
    with pytest.raises(ValueError, match=r"lacks c \(2,\); it has a \(2,\) instead"):
        optimizer("c", "bb").load_state_dict(saved)


def test_loaded_counters() -> None:
    p = ad.ones(2, dtype=ad.float64, requires_grad=True)
    p.grad = ad.ones(2, dtype=ad.float64)
    optimizer = optim.NAdam([p])
    optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())
    assert optimizer.state[p]["mu_product"].dtype == ad.float32


def test_recorded_steps() -> None:
    rate = ad.tensor(0.1, requires_grad=True)
    p = ad.tensor(2.0, requires_grad=True).clone()
    (p.grad,) = ad.grad(p * p, [p], create_graph=True)
    optim.SGD([p], lr=rate, differentiable=True).step()
    (p * p).backward()
    # p = 2 - 4 * rate, so that the derivative of its square is -8 * p.
    assert rate.grad is not None
    assert rate.grad.item() == pytest.approx(-8 * 1.6)


def test_first_momentum() -> None:
    start = ad.tensor(2.0, requires_grad=True)
    p = start.clone()
    optimizer = optim.SGD([p], lr=0.1, momentum=0.9, differentiable=True)
    (p.grad,) = ad.grad(p * p, [p], create_graph=True)
    optimizer.step()
    p.grad = ad.zeros(())
    optimizer.step()
    # Both steps together go 1.9 * 0.1 * 2 * start down.
    assert ad.grad(p, start)[0].item() == pytest.approx(1 - 0.38)


def test_bfloat16_in_muon() -> None:
    p = ad.eye(2, dtype=ad.float64).requires_grad_()
    p.grad = ad.eye(2, dtype=ad.float64)
    optim.Muon([p], lr=1.0, weight_decay=0.0, ns_steps=1, ns_coefficients=(1.0, 0.0, 0.0)).step()
    assert p[0, 0].item() == pytest.approx(1 - 0.5**0.5, rel=1e-15)

"""Every row of docs/differences.md: what happens here. The functions are named after the rows."""

import gc
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autodiff as ad
import nn
import optim
from autodiff.op import OpError

PAGE = Path(__file__).parents[1] / "docs" / "differences.md"


def rows() -> list[str]:
    return re.findall(r"^\| `([a-z0-9-]+)` \|", PAGE.read_text(), re.MULTILINE)


def named_after_rows(namespace: dict[str, Any]) -> set[str]:
    names = {name.removeprefix("test_").replace("_", "-") for name in namespace if name.startswith("test_")}
    return names - {"every-row-has-a-test"}


def test_every_row_has_a_test() -> None:
    assert len(rows()) == len(set(rows())) > 0
    assert named_after_rows(globals()) == set(rows())


def grad_at(function: Callable[[ad.Tensor], ad.Tensor], *values: float) -> list[float]:
    x = ad.tensor(values, dtype=ad.float64, requires_grad=True)
    (gradient,) = ad.grad(function(x).sum(), x)
    return [float(g) for g in gradient]


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


# Values.


def test_numpy_warnings() -> None:
    for call, value in (
        (lambda: ad.log(ad.tensor(0.0)), -np.inf),
        (lambda: ad.exp(ad.tensor(1000.0)), np.inf),
        (lambda: ad.tensor(1.0) / 0, np.inf),
    ):
        with pytest.warns(RuntimeWarning, match=r"divide by zero|overflow"):
            assert call().item() == value
        with np.errstate(all="ignore"):
            assert call().item() == value


def test_nan_stays() -> None:
    assert np.isnan(ad.sign(ad.tensor(np.nan)).item())
    assert np.isnan(grad_at(ad.abs, np.nan)[0])
    assert grad_at(lambda x: x.clamp(0, 1), np.nan) == [1.0]
    assert grad_at(ad.amax, 1.0, np.nan) == grad_at(ad.max, 1.0, np.nan) == [0.0, 1.0]


def test_outside_the_domain() -> None:
    with np.errstate(invalid="ignore"):
        assert np.isnan(ad.acosh(ad.tensor(-2.0)).item())
        assert np.isnan(grad_at(ad.acosh, -2.0)[0])


def test_integer_powers() -> None:
    for call in (lambda: 2 ** ad.tensor([-1]), lambda: ad.tensor([2]) ** -1, lambda: ad.tensor([2]) ** ad.tensor([-1])):
        with pytest.raises(OpError, match="pow"):
            call()


def test_inverse_roots() -> None:
    with np.errstate(divide="ignore"):
        assert (ad.tensor([-0.0, -np.inf]) ** -0.5).tolist() == [np.inf, 0.0]


def test_arithmetic_of_bools() -> None:
    mask = ad.tensor([False, True])
    assert (ad.tensor([1.0, 2.0]) - True).tolist() == [0.0, 1.0]
    assert (mask - 1).tolist() == [-1, 0]
    for function in (ad.abs, ad.floor, ad.ceil, ad.round, ad.trunc, ad.relu):
        assert function(mask).tolist() == [False, True]
    assert mask.argmax().item() == 1
    assert mask.clamp(max=True).tolist() == [0, 1]
    assert (mask**True).dtype == mask.square().dtype == ad.int8
    for call in (lambda: mask - mask, lambda: -mask):
        with pytest.raises((TypeError, RuntimeError), match="bool"):
            call()


def test_any_and_all() -> None:
    x = ad.tensor([[True, False]])
    assert x.any(dim=()).shape == x.all(dim=()).shape == ()
    assert ad.ones(2, dtype=ad.uint8).all().dtype == ad.ones(2, dtype=ad.uint8).any(0).dtype == ad.bool


def test_steps_have_slope_0() -> None:
    assert grad_at(lambda x: x // 2, 3.0) == [0.0]
    assert grad_at(lambda x: 7 % x, 3.0) == [-2.0]


def test_compared_dtypes() -> None:
    assert ad.allclose(ad.tensor([1]), ad.tensor([1.0]))


def test_conditions_are_bool() -> None:
    with pytest.raises(OpError, match=r"uint8.*condition != 0"):
        ad.where(ad.ones(1, dtype=ad.uint8), 1.0, 2.0)


# Indices and joins.


def test_negative_steps() -> None:
    x = ad.arange(3)
    assert x[::-1].tolist() == [2, 1, 0]
    assert np.shares_memory(x[::-1].array, x.array)


def test_small_integers_as_index() -> None:
    for dtype in (ad.uint8, ad.int8, ad.int16):
        with pytest.raises(IndexError, match=rf"{dtype}.*(long|bool)"):
            ad.arange(3)[ad.tensor([0, 1], dtype=dtype)]


def test_assigned_dtypes() -> None:
    x = ad.zeros(3)
    x[[0, 1]] = ad.tensor([1, 2])
    x[2:] = ad.tensor(3, dtype=ad.float64)
    assert x.tolist() == [1.0, 2.0, 3.0]


def test_gather_dimensions() -> None:
    with pytest.raises(RuntimeError, match="1 dimensions"):
        ad.arange(3).gather(0, ad.tensor(1))


def test_empty_vectors_in_cat() -> None:
    empty, x = ad.ones(0, requires_grad=True), ad.ones(2, 3, requires_grad=True)
    joined = ad.cat([empty, x])
    assert joined.shape == (2, 3)
    with pytest.raises(RuntimeError, match="not used"):
        ad.grad(joined.sum(), [empty, x])


# Gradients.


def test_in_place_history() -> None:
    x = ad.ones(2, requires_grad=True)
    y = x * 2
    for call in (lambda: y.add_(1), lambda: y.__setitem__(0, 5.0), lambda: ad.zeros(2).copy_(x)):
        with pytest.raises(RuntimeError, match=r"not supported.*x = x \+ y"):
            call()
    with ad.no_grad():
        x += 1
    z = ad.zeros(2)
    z += 1
    assert x.tolist() == [2.0, 2.0]
    assert z.tolist() == [1.0, 1.0]


def test_views_without_grad() -> None:
    x = ad.ones(2, requires_grad=True)
    with ad.no_grad():
        assert not x.view(2, 1).requires_grad
        assert not x[:1].requires_grad


def test_inference_tensors() -> None:
    w = ad.ones(2, requires_grad=True)
    with ad.inference_mode():
        made = ad.full((2,), 3.0)
    (w * made).sum().backward()
    assert w.grad is not None
    assert w.grad.tolist() == [3.0, 3.0]


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


def test_old_loss_arguments() -> None:
    for call in (
        lambda: nn.MSELoss(size_average=False),
        lambda: nn.CrossEntropyLoss(reduce=False),
        lambda: nn.functional.mse_loss(ad.ones(1), ad.ones(1), None),
    ):
        with pytest.raises(TypeError, match="argument"):
            call()
    assert nn.functional.mse_loss(ad.ones(2), ad.zeros(2), reduction="sum").item() == 2.0


def test_softmax_needs_dim() -> None:
    for module in (nn.Softmax, nn.LogSoftmax):
        with pytest.raises(TypeError, match="dim"):
            module()


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
    for switch in ("foreach", "fused", "capturable", "differentiable"):
        with pytest.raises(TypeError, match=switch):
            optim.Adam([ad.ones(2, requires_grad=True)], **{switch: True})

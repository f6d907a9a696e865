"""`nn.utils`: clipping, vectors of parameters, parametrizations and normalised weights; and averaged models."""

import copy
import math
import pickle
from typing import Any

import numpy as np
import pytest

import autodiff as ad
import nn
from autodiff.tensor import Tensor
from nn.utils import parametrizations, parametrize


def with_gradients(*gradients: Any) -> list[nn.Parameter]:
    parameters = [nn.Parameter(ad.zeros(len(g))) for g in gradients]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = ad.tensor(gradient)
    return parameters


def test_clipping_by_norm() -> None:
    parameters = [*with_gradients([3.0], [0.0, 4.0]), nn.Parameter(ad.zeros(1))]
    assert nn.utils.clip_grad_norm_(iter(parameters), 10.0).item() == 5.0
    assert parameters[0].grad is not None
    assert parameters[0].grad.tolist() == [3.0]
    assert nn.utils.clip_grad_norm_(parameters, 2.5, norm_type=1).item() == 7.0
    assert parameters[0].grad.item() == pytest.approx(3 * 2.5 / 7)
    assert nn.utils.clip_grad_norm_([nn.Parameter(ad.zeros(1))], 1.0).item() == 0.0
    assert nn.utils.get_total_norm(ad.tensor([1.0, -6.0]), math.inf).item() == 6.0


@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_a_norm_that_is_not_finite_names_the_parameter(bad: float) -> None:
    parameters = with_gradients([3.0], [bad, 4.0], [1e9])
    message = rf"the largest, {bad}, is that of parameter 1, of shape \(2,\)"
    with pytest.raises(RuntimeError, match=message):
        nn.utils.clip_grad_norm_(parameters, 1.0, error_if_nonfinite=True)
    assert parameters[0].grad is not None
    assert parameters[0].grad.tolist() == [3.0]
    with pytest.raises(RuntimeError, match="is that of tensor 0"):
        nn.utils.get_total_norm([ad.tensor([bad])], error_if_nonfinite=True)


def test_clipping_by_value() -> None:
    (parameter,) = with_gradients([-3.0, 0.5, 4.0])
    nn.utils.clip_grad_value_(parameter, 1)
    assert parameter.grad is not None
    assert parameter.grad.tolist() == [-1.0, 0.5, 1.0]


def test_parameters_as_a_vector() -> None:
    layer = nn.Linear(2, 3)
    vector = nn.utils.parameters_to_vector(layer.parameters())
    assert vector.requires_grad
    new = ad.arange(9.0)
    nn.utils.vector_to_parameters(new, layer.parameters())
    assert layer.weight.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert layer.bias is not None
    assert layer.bias.tolist() == [6, 7, 8]
    assert isinstance(layer.weight, nn.Parameter)
    with pytest.raises(ValueError, match=r"a vector of 9 values, got shape \(8,\)"):
        nn.utils.vector_to_parameters(new[:8], layer.parameters())
    with pytest.raises(TypeError, match="expected a tensor, got list"):
        nn.utils.vector_to_parameters([0.0], layer.parameters())  # type: ignore[arg-type]


def test_skip_init_takes_modules_only() -> None:
    with pytest.raises(RuntimeError, match=r"expected a subclass of nn\.Module"):
        nn.utils.skip_init(dict)  # type: ignore[arg-type]


class Doubled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * x

    def right_inverse(self, x: Tensor) -> Tensor:
        return x / 2


class Shifted(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + 1


def test_parametrized_weights() -> None:
    layer = nn.Linear(2, 2)
    weight, start = layer.weight, layer.weight.tolist()
    parametrize.register_parametrization(layer, "weight", Doubled())
    assert isinstance(layer, nn.Linear)
    assert type(layer).__name__ == "ParametrizedLinear"
    assert layer.weight.tolist() == start
    assert layer.parametrizations.weight.original is weight
    assert [name for name, _ in layer.named_parameters()] == ["bias", "parametrizations.weight.original"]
    layer.weight = ad.ones(2, 2)
    assert weight.tolist() == [[0.5, 0.5], [0.5, 0.5]]
    layer(ad.ones(1, 2)).sum().backward()
    assert weight.grad is not None
    assert weight.grad.tolist() == [[2.0, 2.0], [2.0, 2.0]]
    parametrize.register_parametrization(layer, "weight", Shifted())
    assert layer.weight.tolist() == [[2.0, 2.0], [2.0, 2.0]]
    with pytest.raises(RuntimeError, match="Shifted has no right_inverse"):
        layer.weight = nn.Parameter(ad.ones(2, 2))
    parametrize.remove_parametrizations(layer, "weight")
    assert type(layer) is nn.Linear
    assert layer.weight is weight
    assert layer.weight.tolist() == [[2.0, 2.0], [2.0, 2.0]]


def test_removing_a_parametrization_of_a_copy_leaves_the_first() -> None:
    layer = parametrize.register_parametrization(nn.Linear(2, 2), "weight", Doubled())
    twin = copy.deepcopy(layer)
    parametrize.remove_parametrizations(twin, "weight", leave_parametrized=False)
    assert not parametrize.is_parametrized(twin)
    assert parametrize.is_parametrized(layer, "weight")
    assert parametrize.type_before_parametrizations(layer) is type(twin) is nn.Linear
    np.testing.assert_array_equal(layer.weight.detach().numpy(), 2 * twin.weight.detach().numpy())
    with pytest.raises(RuntimeError, match="save its state_dict"):
        pickle.dumps(layer)


def test_cached_weights_are_computed_once() -> None:
    layer = parametrize.register_parametrization(nn.Linear(2, 2), "weight", Doubled())
    assert layer.weight is not layer.weight
    with parametrize.cached():
        assert layer.weight is layer.weight
    assert layer.weight is not layer.weight


class Flat(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.flatten()


def test_parametrizations_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"must keep shape and dtype: expected \(2, 2\)"):
        parametrize.register_parametrization(nn.Linear(2, 2), "weight", Flat())
    layer = parametrize.register_parametrization(nn.Linear(2, 2), "weight", Flat(), unsafe=True)
    assert layer.weight.shape == (4,)
    with pytest.raises(ValueError, match="Linear has no parameter or buffer 'other'"):
        parametrize.register_parametrization(nn.Linear(2, 2), "other", Flat())
    with pytest.raises(ValueError, match="has no parametrization of 'weight'"):
        parametrize.remove_parametrizations(nn.Linear(2, 2), "weight")
    with pytest.raises(ValueError, match="is made of 2"):
        parametrize.remove_parametrizations(parametrizations.weight_norm(nn.Linear(2, 2)), "weight", False)


@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4)])
@pytest.mark.parametrize("orthogonal_map", ["matrix_exp", "cayley", "householder"])
@pytest.mark.parametrize("use_trivialization", [True, False])
def test_orthogonal_weights(shape: tuple[int, int], orthogonal_map: str, use_trivialization: bool) -> None:
    layer = nn.Linear(*shape[::-1]).double()
    parametrizations.orthogonal(layer, orthogonal_map=orthogonal_map, use_trivialization=use_trivialization)
    with ad.no_grad():
        layer.parametrizations.weight.original.add_(0.1)
    q = layer.weight.detach().numpy()
    q = q if shape[0] >= shape[1] else q.T
    # The reflections need the signs that the map keeps on the diagonal, which the shift has made no signs any more.
    if orthogonal_map != "householder":
        np.testing.assert_allclose(q.T @ q, np.eye(min(shape)), atol=1e-12)
    layer.weight.sum().backward()
    assert np.isfinite(layer.parametrizations.weight.original.grad.numpy()).all()


def test_normalised_weights_of_the_older_way_come_off() -> None:
    for on, off in (
        (nn.utils.weight_norm, nn.utils.remove_weight_norm),
        (nn.utils.spectral_norm, nn.utils.remove_spectral_norm),
    ):
        layer = on(nn.Linear(3, 2))
        with pytest.raises(RuntimeError, match="already"):
            on(layer)
        y = layer(ad.ones(3))
        y.sum().backward()
        off(layer)
        assert [name for name, _ in layer.named_parameters()] == ["bias", "weight"]
        np.testing.assert_allclose(layer(ad.ones(3)).detach().numpy(), y.detach().numpy(), rtol=1e-6)
        with pytest.raises(ValueError, match="of 'weight'"):
            off(layer)


def test_bad_averages() -> None:
    with pytest.raises(ValueError, match="got both"):
        nn.AveragedModel(nn.Linear(1, 1), avg_fn=nn.get_swa_avg_fn(), multi_avg_fn=lambda a, b, n: None)
    with pytest.raises(ValueError, match="a decay from 0 to 1, got 2"):
        nn.get_ema_avg_fn(2)


def test_what_is_pruned_stays_zero_in_training_and_when_its_state_is_loaded() -> None:
    layer, other = (nn.utils.prune.l1_unstructured(nn.Linear(4, 2), "weight", amount=3) for _ in range(2))
    other.load_state_dict(layer.state_dict())
    for model in (layer, other):
        model(ad.ones(1, 4)).sum().backward()
        with ad.no_grad():
            for p in model.parameters():
                p -= p.grad
        model(ad.ones(1, 4))
        assert (model.weight != 0).float().tolist() == layer.weight_mask.tolist()
    assert nn.utils.prune.L1Unstructured(0.5).prune(ad.tensor([3.0, -1.0])).tolist() == [3.0, 0.0]


@pytest.mark.parametrize(
    ("prune", "error", "message"),
    [
        (lambda p, layer: p.l1_unstructured(layer, "weight", 9), ValueError, "an amount of at most 8"),
        (lambda p, layer: p.l1_unstructured(layer, "weight", -1), ValueError, "from 0 to 1, or a whole number from 0"),
        (lambda p, layer: p.l1_unstructured(layer, "weight", "half"), TypeError, "expected a number as amount"),
        (lambda p, layer: p.random_structured(layer, "bias", 1, 0), ValueError, "at least two axes"),
        (lambda p, layer: p.random_structured(layer, "weight", 1, 2), IndexError, r"dim in \[-2, 2\), got 2"),
        (lambda p, layer: p.custom_from_mask(layer, "bias", ad.ones(3)), ValueError, r"shape \(2,\), got \(3,\)"),
        (lambda p, layer: p.l1_unstructured(layer, "bias", 1, ad.ones(3)), ValueError, "importance_scores of the sh"),
        (lambda p, layer: p.remove(layer, "weight"), ValueError, "'weight' of Linear is not"),
        (
            lambda p, layer: p.global_unstructured([(layer, "bias")], p.LnStructured, amount=1, n=1),
            TypeError,
            "expected an unstructured method, got LnStructured",
        ),
    ],
)
def test_pruning_that_cannot_be_changes_nothing(prune: Any, error: type[Exception], message: str) -> None:
    layer = nn.Linear(4, 2)
    with pytest.raises(error, match=message):
        prune(nn.utils.prune, layer)
    assert list(layer.state_dict()) == ["weight", "bias"]
    assert not nn.utils.prune.is_pruned(layer)

"""Losses: their values from the formulas, and what they say of inputs that they cannot take."""

import itertools
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autodiff as ad
import nn
from autodiff.op import OpError
from autodiff.tensor import Tensor
from nn import functional as F

PAIRWISE: dict[str, Callable[..., Tensor]] = {
    "mse_loss": F.mse_loss,
    "l1_loss": F.l1_loss,
    "binary_cross_entropy": F.binary_cross_entropy,
    "binary_cross_entropy_with_logits": F.binary_cross_entropy_with_logits,
}
FORMULAS: dict[str, Callable[[Any, Any], Any]] = {
    "mse_loss": lambda x, t: (x - t) ** 2,
    "l1_loss": lambda x, t: np.abs(x - t),
    "binary_cross_entropy": lambda x, t: -(t * np.log(x) + (1 - t) * np.log(1 - x)),
    "binary_cross_entropy_with_logits": lambda x, t: t * np.log(1 + np.exp(-x)) + (1 - t) * np.log(1 + np.exp(x)),
}


def log_softmax(x: Any, axis: int) -> Any:
    return x - np.log(np.exp(x).sum(axis=axis, keepdims=True))


@pytest.mark.parametrize("name", PAIRWISE)
@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), shape=st.lists(st.integers(0, 3), max_size=3).map(tuple))
def test_pairwise_losses(name: str, seed: int, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(seed)
    x, t = rng.uniform(0.05, 0.95, (2, *shape))
    losses = FORMULAS[name](x, t)
    loss = PAIRWISE[name]
    for reduction, expected in (("none", losses), ("sum", losses.sum())):
        found = loss(ad.tensor(x), ad.tensor(t), reduction=reduction)
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)
    if losses.size:
        np.testing.assert_allclose(loss(ad.tensor(x), ad.tensor(t)).numpy(), losses.mean(), rtol=1e-12)


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), rest=st.lists(st.integers(1, 3), max_size=3).map(tuple), data=st.data())
def test_classification_losses(seed: int, rest: tuple[int, ...], data: st.DataObject) -> None:
    """Against a loop over the targets that follows the definition."""
    rng = np.random.default_rng(seed)
    classes = data.draw(st.integers(1, 4))
    ignored = data.draw(st.sampled_from([-100, 0, classes]))
    smoothing = data.draw(st.sampled_from([0.0, 0.3]))
    weight = rng.uniform(0.5, 2, classes)
    shape = (rest[0], classes, *rest[1:]) if rest else (classes,)
    x = rng.normal(size=shape)
    target = np.where(rng.random(rest) < 0.2, ignored, rng.integers(0, classes, rest))
    scores = np.moveaxis(log_softmax(x, 1 if rest else 0), 1 if rest else 0, -1)
    losses, total = np.zeros(rest), 0.0
    for place in np.ndindex(rest):
        if target[place] != ignored:
            chosen, row = target[place], scores[place]
            smooth = (weight * row).mean()
            losses[place] = -(1 - smoothing) * weight[chosen] * row[chosen] - smoothing * smooth
            total += weight[chosen]
    args = ad.tensor(x), ad.tensor(target), ad.tensor(weight)
    for reduction, expected in (("none", losses), ("sum", losses.sum()), ("mean", losses.sum() / (total or math.nan))):
        found = F.cross_entropy(*args, ignore_index=ignored, reduction=reduction, label_smoothing=smoothing)
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-14)
        if not smoothing:
            logs = ad.log_softmax(args[0], 1 if rest else 0)
            found = F.nll_loss(logs, *args[1:], ignore_index=ignored, reduction=reduction)
            np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("function", [F.nll_loss, F.cross_entropy, partial(F.cross_entropy, label_smoothing=0.2)])
@pytest.mark.usefixtures("no_loops")
def test_weights_and_ignored_targets_that_differ_inside_vmap(function: Any, reduction: str) -> None:
    ad.manual_seed(0)
    x, w = ad.randn(3, 4, 5, dtype=ad.float64), ad.rand(3, 5, dtype=ad.float64) + 0.1
    # All are ignored in one sample, one in another, and none in the last.
    target = ad.tensor([[-100] * 4, [2, -100, 0, 4], [1, 1, 3, 0]])
    loss = partial(function, reduction=reduction)
    gradient = ad.func.grad(lambda *args: loss(*args).sum())
    for axes in itertools.product((0, None), repeat=3):
        if axes == (None, None, None):
            continue
        given = [a if axis == 0 else a[1] for a, axis in zip((x, target, w), axes, strict=True)]
        for found in (loss, gradient):
            rows = [
                found(*(a if axis is None else a[i] for a, axis in zip(given, axes, strict=True))) for i in range(3)
            ]
            np.testing.assert_allclose(ad.vmap(found, axes)(*given).numpy(), ad.stack(rows).numpy(), rtol=1e-12)


def test_cross_entropy_of_probabilities_is_that_of_the_classes_they_are_sure_of() -> None:
    x = ad.randn(4, 3, 2)
    target = ad.randint(0, 3, (4, 2))
    sure = F.one_hot(target, 3).movedim(-1, 1).float()
    for reduction in ("none", "mean", "sum"):
        for smoothing in (0.0, 0.1):
            options: dict[str, Any] = {"reduction": reduction, "label_smoothing": smoothing}
            a, b = F.cross_entropy(x, target, **options), F.cross_entropy(x, sure, **options)
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-6)  # float32


@pytest.mark.parametrize("dtype", [ad.uint8, ad.int8, ad.int16, ad.int32, ad.int64])
def test_targets_of_any_integer_dtype(dtype: Any) -> None:
    x = ad.randn(5, 200)
    target = ad.tensor([0, 3, 99, 100, 127])
    assert F.cross_entropy(x, target.to(dtype)).item() == F.cross_entropy(x, target).item()


def test_no_overflow() -> None:
    far = ad.tensor([[1000.0, 0.0], [-1000.0, 0.0]], requires_grad=True)
    loss = F.cross_entropy(far, ad.tensor([1, 0]))
    loss.backward()
    assert loss.item() == 1000
    np.testing.assert_array_equal(far.grad.numpy(), [[0.5, -0.5], [-0.5, 0.5]])
    x = ad.tensor([1000.0, -1000.0], requires_grad=True)
    loss = F.binary_cross_entropy_with_logits(x, ad.tensor([0.0, 1.0]))
    loss.backward()
    assert loss.item() == 1000
    np.testing.assert_array_equal(x.grad.numpy(), [0.5, -0.5])


def test_binary_cross_entropy_at_the_ends() -> None:
    """Logarithms stop at -100 and the gradient's denominator at 1e-12, as in PyTorch."""
    x = ad.tensor([0.0, 1.0, 0.0, 1.0], requires_grad=True)
    losses = F.binary_cross_entropy(x, ad.tensor([0.0, 1.0, 1.0, 0.0]), reduction="none")
    np.testing.assert_array_equal(losses.detach().numpy(), [0, 0, 100, 100])
    losses.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [0, 0, -1e12, 1e12])


@pytest.mark.parametrize("target", [[0.5, 1.5], [-0.1, 0.0], [float("nan"), 1.0]])
def test_binary_cross_entropy_of_targets_that_are_no_probabilities(target: list[float]) -> None:
    with pytest.raises(OpError, match="expected targets from 0 to 1, got"):
        F.binary_cross_entropy(ad.full((2,), 0.5), ad.tensor(target))


def test_weights() -> None:
    x, t, w = (ad.rand(3, 2, dtype=ad.float64) for _ in range(3))
    for loss in (F.binary_cross_entropy, F.binary_cross_entropy_with_logits):
        plain = loss(x, t, reduction="none")
        np.testing.assert_allclose(loss(x, t, w, reduction="sum").item(), (plain * w).sum().item())
        np.testing.assert_allclose(loss(x, t, w[0]).item(), (plain * w[0]).mean().item())
    p = ad.tensor([2.0, 0.5], dtype=ad.float64)
    expected = -(p * t * x.sigmoid().log() + (1 - t) * (1 - x.sigmoid()).log())
    found = F.binary_cross_entropy_with_logits(x, t, pos_weight=p, reduction="none")
    np.testing.assert_allclose(found.numpy(), expected.numpy())


def test_the_mean_over_ignored_targets_alone_is_nan_and_its_gradient_0() -> None:
    x = ad.randn(2, 3).requires_grad_()
    loss = F.cross_entropy(x, ad.tensor([-100, -100]))
    loss.backward()
    assert math.isnan(loss.item())
    np.testing.assert_array_equal(x.grad.numpy(), np.zeros((2, 3)))


@pytest.mark.parametrize("name", PAIRWISE)
def test_shapes_that_would_broadcast_are_refused(name: str) -> None:
    message = rf"{name} expected a target of the input's shape \(3, 1\), got \(3,\); .*target.reshape\(\(3, 1\)\)"
    with pytest.raises(OpError, match=message):
        PAIRWISE[name](ad.rand(3, 1), ad.rand(3))
    with pytest.raises(TypeError, match=rf"{name} expected tensors, got .*; make one with ad.tensor"):
        PAIRWISE[name](ad.rand(3), np.zeros(3))


@pytest.mark.parametrize("loss", [F.cross_entropy, F.nll_loss])
def test_bad_targets(loss: Callable[..., Tensor]) -> None:
    x = ad.randn(3, 4)
    name = loss.__name__
    with pytest.raises(TypeError, match=rf"{name} expected tensors, got int64 \(3,\); make one with ad.tensor"):
        loss(x, np.array([0, 1, 2]))
    for bad, low, high in (([0, 4, 1], 0, 4), ([0, -1, 1], -1, 1)):
        with pytest.raises(
            IndexError, match=rf"{name} expected class indices from 0 to 3, .*\(3, 4\).*; got {low} to {high}$"
        ):
            loss(x, ad.tensor(bad))
    with pytest.raises(OpError, match=rf"{name} expected class indices of an integer dtype, got float32 \(3,\): use"):
        loss(x, ad.tensor([0.0, 1.0, 2.0]))
    with pytest.raises(OpError, match=r"of an integer dtype, got bool"):
        loss(x, ad.tensor([True, False, True]))
    with pytest.raises(OpError, match=r"shape \(3,\) for an input of shape \(3, 4\).*\(3, 1\): use target.reshape"):
        loss(x, ad.tensor([[0], [1], [2]]))
    with pytest.raises(OpError, match=r"expected class indices of shape \(3,\).*got int64 \(2,\): check both shapes"):
        loss(x, ad.tensor([0, 1]))
    with pytest.raises(OpError, match=r"expected scores of shape \(C\), \(N, C\) or"):
        loss(ad.tensor(1.0), ad.tensor(0))
    with pytest.raises(OpError, match=r"expected a weight of shape \(4,\), one for each class.*got float32 \(3,\)"):
        loss(x, ad.tensor([0, 1, 2]), ad.ones(3))
    with pytest.raises(ValueError, match='expected reduction "none", "mean" or "sum", got'):
        loss(x, ad.tensor([0, 1, 2]), reduction="average")


def test_other_bad_inputs() -> None:
    x = ad.randn(3, 4)
    with pytest.raises(OpError, match=r"expected probabilities from 0 to 1, got -1 to 2; apply sigmoid\(\) first, or"):
        F.binary_cross_entropy(ad.tensor([-1.0, 2.0]), ad.zeros(2))
    with pytest.raises(OpError, match="expected probabilities from 0 to 1, got nan"):
        F.binary_cross_entropy(ad.tensor([math.nan]), ad.zeros(1))
    with pytest.raises(ValueError, match=r"label_smoothing from 0 to 1, got 1\.5"):
        F.cross_entropy(x, ad.tensor([0, 1, 2]), label_smoothing=1.5)
    with pytest.raises(ValueError, match="ignore_index is for targets that are class indices"):
        F.cross_entropy(x, x.softmax(1), ignore_index=0)
    with pytest.raises(ValueError, match='expected reduction "none", "mean" or "sum", got'):
        nn.MSELoss(reduction="average")
    with pytest.raises(ValueError, match='expected reduction "none", "mean" or "sum", got'):
        F.mse_loss(x, x, reduction="average")


def test_the_targets_can_be_overwritten_before_backward() -> None:
    x = ad.randn(2, 3).requires_grad_()
    target = ad.tensor([0, 1])
    loss = F.cross_entropy(x, target)
    target.fill_(2)
    (gradient,) = ad.grad(loss, x)
    (expected,) = ad.grad(F.cross_entropy(x, ad.tensor([0, 1])), x)
    np.testing.assert_array_equal(gradient.numpy(), expected.numpy())


def test_modules_pass_their_options_on() -> None:
    x, t = ad.randn(3, 4), ad.tensor([0, 1, 2])
    weight = ad.tensor([1.0, 2.0, 3.0, 4.0])
    options: dict[str, Any] = {"ignore_index": 1, "reduction": "sum"}
    module: nn.Module = nn.CrossEntropyLoss(weight, label_smoothing=0.1, **options)
    assert module(x, t).item() == F.cross_entropy(x, t, weight, label_smoothing=0.1, **options).item()
    assert list(module.state_dict()) == ["weight"]
    module = nn.NLLLoss(weight, **options)
    assert module(x, t).item() == F.nll_loss(x, t, weight, **options).item()
    p, q = ad.rand(3, 4), ad.rand(3, 4)
    assert nn.MSELoss(reduction="sum")(p, q).item() == F.mse_loss(p, q, reduction="sum").item()
    assert nn.L1Loss(reduction="sum")(p, q).item() == F.l1_loss(p, q, reduction="sum").item()
    module = nn.BCELoss(weight, reduction="sum")
    assert module(p, q).item() == F.binary_cross_entropy(p, q, weight, reduction="sum").item()
    module = nn.BCEWithLogitsLoss(weight, reduction="sum", pos_weight=weight)
    expected = F.binary_cross_entropy_with_logits(p, q, weight, reduction="sum", pos_weight=weight)
    assert module(p, q).item() == expected.item()
    assert list(module.state_dict()) == ["weight", "pos_weight"]


def test_the_name_that_the_mean_had_first() -> None:
    p, q = ad.rand(3, 4), ad.rand(3, 4)
    with pytest.warns(UserWarning, match="write reduction='mean'"):
        assert F.mse_loss(p, q, reduction="elementwise_mean").item() == F.mse_loss(p, q).item()
    with pytest.warns(UserWarning, match="write reduction='mean'"):
        assert nn.CrossEntropyLoss(reduction="elementwise_mean").reduction == "mean"

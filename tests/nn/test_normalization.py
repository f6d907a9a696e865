"""Batch normalisation: the statistics of the batch in training, the running ones in evaluation."""

from typing import Any

import numpy as np
import pytest

import autodiff as ad
import nn
from autodiff.op import OpError
from nn import functional as F


def batch(*shape: int) -> ad.Tensor:
    return ad.tensor(np.random.default_rng(0).normal(3, 2, shape))


@pytest.mark.parametrize("shape", [(8, 3), (4, 3, 5)])
def test_training_normalises_each_channel_of_the_batch(shape: tuple[int, ...]) -> None:
    module = nn.BatchNorm1d(3, eps=1e-12, affine=False).double()
    axes = tuple(axis for axis in range(len(shape)) if axis != 1)
    y = module(batch(*shape)).numpy()
    np.testing.assert_allclose(y.mean(axes), np.zeros(3), atol=1e-12)
    np.testing.assert_allclose(y.var(axes), np.ones(3), rtol=1e-9)


@pytest.mark.parametrize("momentum", [0.1, 0.7, None])
def test_running_averages(momentum: float | None) -> None:
    module = nn.BatchNorm1d(3, momentum=momentum).double()
    mean, var = np.zeros(3), np.ones(3)
    for step in range(1, 4):
        x = batch(6 + step, 3) * step
        module(x)
        rate = 1 / step if momentum is None else momentum
        mean = (1 - rate) * mean + rate * x.numpy().mean(0)
        var = (1 - rate) * var + rate * x.numpy().var(0, ddof=1)
    np.testing.assert_allclose(module.running_mean.numpy(), mean, rtol=1e-12)
    np.testing.assert_allclose(module.running_var.numpy(), var, rtol=1e-12)
    assert module.num_batches_tracked.item() == 3
    module.eval()
    x = batch(5, 3)
    expected = (x.numpy() - mean) / np.sqrt(var + module.eps)
    np.testing.assert_allclose(module(x).detach().numpy(), expected, rtol=1e-12)
    assert module.num_batches_tracked.item() == 3


def test_evaluation_takes_a_single_row_and_leaves_the_averages() -> None:
    module = nn.BatchNorm1d(2)
    module(ad.randn(4, 2))
    before = {key: value.numpy().copy() for key, value in module.state_dict().items()}
    module.eval()
    assert module(ad.randn(1, 2)).shape == (1, 2)
    for key, value in module.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[key])


def test_without_running_averages_the_batch_is_used_in_evaluation_too() -> None:
    module = nn.BatchNorm1d(3, track_running_stats=False)
    x = batch(4, 3).float()
    training = module(x)
    assert list(module.state_dict()) == ["weight", "bias"]
    np.testing.assert_array_equal(module.eval()(x).detach().numpy(), training.detach().numpy())


def test_weight_and_bias() -> None:
    module = nn.BatchNorm1d(2)
    assert [(name, p.tolist()) for name, p in module.named_parameters()] == [("weight", [1, 1]), ("bias", [0, 0])]
    with ad.no_grad():
        module.weight.copy_(ad.tensor([2.0, 3.0]))
        module.bias.copy_(ad.tensor([1.0, -1.0]))
    plain = nn.BatchNorm1d(2, affine=False)
    x = ad.randn(5, 2)
    expected = plain(x) * ad.tensor([2.0, 3.0]) + ad.tensor([1.0, -1.0])
    np.testing.assert_allclose(module(x).detach().numpy(), expected.numpy(), rtol=1e-5, atol=1e-6)  # float32
    assert list(plain.parameters()) == []
    assert [name for name, _ in nn.BatchNorm1d(2, bias=False).named_parameters()] == ["weight"]


def test_reset() -> None:
    module = nn.BatchNorm1d(2)
    module(ad.randn(5, 2))
    with ad.no_grad():
        module.weight.fill_(3)
    module.reset_parameters()
    state: dict[str, Any] = {key: value.tolist() for key, value in module.state_dict().items()}
    assert state == {
        "weight": [1, 1], "bias": [0, 0], "running_mean": [0, 0], "running_var": [1, 1], "num_batches_tracked": 0,
    }  # fmt: skip


def test_bad_inputs() -> None:
    module = nn.BatchNorm1d(3)
    message = r"^BatchNorm1d: expected input \(N, 3\) or \(N, 3, L\), got "
    for shape in ((3,), (4, 2), (4, 1), (4, 3, 2, 2)):
        with pytest.raises(OpError, match=message):
            module(ad.zeros(*shape))
    with pytest.raises(OpError, match=r"more than one value per channel in training.*\(1, 3\); use a larger batch"):
        module(ad.zeros(1, 3))
    assert module.num_batches_tracked.item() == 0
    with pytest.raises(OpError, match=r"of float32, to which its running_mean belongs; got float64 \(4, 3\)"):
        module(batch(4, 3))
    with pytest.raises(OpError, match="expected running_mean and running_var, because it is not training"):
        F.batch_norm(ad.zeros(4, 3), None, None)
    with pytest.raises(OpError, match=r"expected an input \(N, 2, \*\) of float32, to which its weight belongs"):
        F.batch_norm(ad.zeros(4, 3), None, None, ad.ones(2), training=True)
    with pytest.raises(ValueError, match=r"positive eps, got 0\.0"):
        F.batch_norm(ad.zeros(4, 3), None, None, training=True, eps=0.0)

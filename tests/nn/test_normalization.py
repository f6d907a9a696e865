"""Normalisation: the statistics of the batch in training, the running ones in evaluation; those of each sample."""

from typing import Any

import numpy as np
import pytest

import autodiff as ad
import nn
from autodiff import writes
from autodiff.op import OpError
from nn import functional as F
from nn.functional import standardize, standardize_arrays


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


def test_averages_that_a_graph_has_saved_are_seen_to_be_written() -> None:
    module, x = nn.BatchNorm1d(2), ad.ones(2, requires_grad=True)
    for average in (module.running_mean, module.running_var[:1], module.running_var.detach()):
        y = (average * x[: len(average)]).sum()
        module(ad.randn(4, 2))
        with pytest.raises(RuntimeError, match="modified by an inplace operation: mul saved an input"):
            y.backward()


def test_averages_that_nothing_else_holds_cost_the_backward_pass_no_search() -> None:
    module = nn.BatchNorm1d(2)
    before = writes.last
    module(ad.randn(4, 2))
    assert writes.last == before


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


@pytest.mark.parametrize(
    ("view", "groups"),
    [
        ((4, 6, 1), None),
        ((4, 6, 1), 1),
        ((4, 6, 1), 3),
        ((2, 3, 4), None),
        ((2, 3, 4), 3),
        ((3, 4, 2), 2),
        ((3, 600, 1), None),
        ((3, 600, 1), 1),
        ((2, 2, 2100), None),
        ((2, 2, 2100), 1),
    ],
)
@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("affine", [True, False])
def test_in_parts(
    view: tuple[int, int, int], groups: int | None, centred: bool, affine: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arrays that are computed in parts, or with many numbers, give what the rules give."""
    params = {"view": view, "groups": groups, "eps": 0.1, "centred": centred, "moments": None}
    draw = np.random.default_rng(0).normal
    x, g, *parameters = draw(size=view), draw(size=view), *(draw(size=view[1]) for _ in range(2 * affine))

    def results() -> list[Any]:
        inputs = [ad.tensor(a, requires_grad=True) for a in (x, *parameters)]
        y = standardize.standardize(*inputs, *[None] * (3 - len(inputs)), **params)
        return [
            y,
            *ad.grad(y, inputs, ad.tensor(g), retain_graph=True),
            *ad.grad(y, inputs, ad.tensor(g), create_graph=True),
        ]

    y, *gradients = results()
    recorded = gradients[len(gradients) // 2 :]
    monkeypatch.setattr(standardize_arrays, "PART", 9)
    monkeypatch.setattr(standardize_arrays, "LARGE", 3)
    monkeypatch.setattr(standardize_arrays, "MANY", 3)
    buffer = np.getbufsize()
    for part, expected in zip(results(), [y, *recorded, *recorded], strict=True):
        np.testing.assert_allclose(part.detach().numpy(), expected.detach().numpy(), rtol=1e-12, atol=1e-13)
    assert np.getbufsize() == buffer


@pytest.mark.parametrize(
    ("view", "groups", "axes"), [((4, 6, 1), None, (0, 3)), ((2, 3, 4), None, (0, 3)), ((2, 6, 4), 3, (2, 3))]
)
def test_the_statistics_are_those_of_what_is_taken_together(
    view: tuple[int, int, int], groups: int | None, axes: tuple[int, int]
) -> None:
    x = np.random.default_rng(0).normal(5, 2, view)
    moments: list[Any] = []
    standardize.standardize(ad.tensor(x), None, None, view=view, groups=groups, eps=1e-5, centred=True, moments=moments)
    apart = x.reshape(view[0], groups or view[1], -1, view[2])
    for found, wanted in zip(moments, (apart.mean(axes), apart.var(axes)), strict=True):
        np.testing.assert_allclose(found, wanted.reshape(-1), rtol=1e-13)


def test_of_one_sample() -> None:
    x = batch(3, 4, 5)
    for function, axes in (
        (lambda x: F.layer_norm(x, (4, 5), eps=1e-12), (1, 2)),
        (lambda x: F.group_norm(x, 1, eps=1e-12), (1, 2)),
        (lambda x: F.group_norm(x, 4, eps=1e-12), 2),
        (lambda x: F.instance_norm(x, eps=1e-12), 2),
    ):
        y = function(x).numpy()
        np.testing.assert_allclose(y.mean(axes), np.zeros(np.mean(y, axes).shape), atol=1e-12)
        np.testing.assert_allclose(y.var(axes), np.ones(np.mean(y, axes).shape), rtol=1e-9)
    np.testing.assert_allclose((F.rms_norm(x, (5,), eps=0.0).numpy() ** 2).mean(-1), np.ones((3, 4)), rtol=1e-12)
    lengths = ad.linalg.vector_norm(F.normalize(x, dim=2), dim=2)
    np.testing.assert_allclose(lengths.numpy(), np.ones((3, 4)), rtol=1e-12)
    assert F.normalize(ad.zeros(2, 3)).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_what_samples_norms_refuse() -> None:
    for call, message in (
        (lambda: nn.LayerNorm(3)(ad.ones(2, 4)), r"LayerNorm: .*last dimensions are \(3,\), got float32 \(2, 4\)"),
        (lambda: F.layer_norm(ad.ones(2, 3), (3,), ad.ones(2)), r"a weight of float32 \(3,\), as the input has, got"),
        (lambda: nn.GroupNorm(2, 4)(ad.ones(2, 6)), r"GroupNorm: expected input \(N, 4, \*\), got \(2, 6\)"),
        (lambda: F.group_norm(ad.ones(2, 5), 2), r"with C a multiple of 2, got shape \(2, 5\)"),
        (lambda: nn.InstanceNorm2d(3)(ad.ones(2, 3)), r"expected input \(N, 3, H, W\) or \(3, H, W\), got \(2, 3\)"),
        (lambda: F.local_response_norm(ad.ones(2, 3), 2), r"at least 1, got shape \(2, 3\) and size 2"),
    ):
        with pytest.raises(OpError, match=message):
            call()
    with pytest.raises(ValueError, match="num_channels divisible by num_groups, got 5, 2"):
        nn.GroupNorm(2, 5)
    with pytest.raises(ValueError, match="more than one value in each channel of a sample"):
        nn.InstanceNorm1d(3)(ad.ones(2, 3, 1))
    with pytest.raises(RuntimeError, match="layer_norm: expected a floating-point tensor"):
        F.layer_norm(ad.tensor([1, 2]), (2,))


def test_lazy_norms_learn_their_size() -> None:
    layer = nn.LazyBatchNorm2d(dtype=ad.float64)
    assert layer(ad.randn(2, 3, 2, 2, dtype=ad.float64)).shape == (2, 3, 2, 2)
    assert type(layer) is nn.BatchNorm2d
    assert layer.num_features == 3
    assert layer.weight.tolist() == [1, 1, 1]
    assert layer.weight.dtype == ad.float64
    unbatched = nn.LazyInstanceNorm1d(affine=False, track_running_stats=False)
    unbatched(ad.randn(4, 5))
    assert unbatched.num_features == 4
    with pytest.raises(OpError, match=r"with a dimension of channels, got shape \(3,\)"):
        nn.LazyBatchNorm1d()(ad.ones(3))

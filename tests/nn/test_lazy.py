"""Lazy layers: what they know before their first input, what they become, and what they say meanwhile."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

import autodiff as ad
import nn
import optim
from autodiff.op import OpError
from nn.lazy import LazyModuleMixin

FAMILIES = {
    "LazyLinear": ((3,), (2, 4)),
    **{f"LazyConv{n}d": ((3, 1), (2, 4, *(3,) * n)) for n in (1, 2, 3)},
    **{f"LazyConvTranspose{n}d": ((3, 1), (2, 4, *(3,) * n)) for n in (1, 2, 3)},
    **{f"LazyBatchNorm{n}d": ((), (2, 4, *(3,) * n)) for n in (1, 2, 3)},
    **{f"LazyInstanceNorm{n}d": ((1e-5, 0.1, True), (2, 4, *(3,) * n)) for n in (1, 2, 3)},
}


@pytest.mark.parametrize("name", FAMILIES)
def test_the_first_input_makes_an_ordinary_layer(name: str) -> None:
    arguments, shape = FAMILIES[name]
    lazy = getattr(nn, name)(*arguments)
    weight = lazy.weight
    assert lazy.has_uninitialized_params()
    assert type(weight) is nn.UninitializedParameter
    lazy(ad.ones(shape))
    assert type(lazy) is getattr(nn, name.removeprefix("Lazy"))
    # Whoever held the parameter holds the finished one.
    assert lazy.weight is weight
    assert type(weight) is nn.Parameter
    assert 4 in weight.shape


@pytest.mark.parametrize("again", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_copies_are_lazy_too(again: Callable[[Any], Any]) -> None:
    lazy = nn.LazyLinear(3, dtype=ad.float64)
    copied = again(lazy)
    lazy(ad.ones(1, 2, dtype=ad.float64))
    assert copied.has_uninitialized_params()
    assert copied(ad.ones(1, 5, dtype=ad.float64)).dtype == ad.float64
    assert copied.in_features == 5


def test_states() -> None:
    finished, lazy = nn.Linear(4, 3), nn.LazyLinear(3)
    lazy.load_state_dict(finished.state_dict())
    assert ad.equal(lazy.weight, finished.weight)
    x = ad.ones(1, 4)
    assert ad.equal(lazy(x), finished(x))
    with pytest.raises(RuntimeError, match="weight of the state is not initialised yet"):
        finished.load_state_dict(nn.LazyLinear(3).state_dict())


USES: list[Callable[[Any], Any]] = [
    lambda w: w.shape,
    lambda w: w + 1,
    lambda w: w.numel(),
    lambda w: len(w),
    lambda w: optim.SGD([w], lr=0.1).step(),
    lambda w: nn.init.zeros_(w),
    lambda w: nn.utils.parameters_to_vector([w]),
]


@pytest.mark.parametrize("use", USES)
def test_a_weight_without_a_shape_says_what_to_do(use: Callable[[Any], Any]) -> None:
    layer = nn.LazyLinear(3)
    layer.weight.grad = ad.ones(1)
    with pytest.raises(RuntimeError, match=r"neither shape nor values before its first call; call the model once"):
        use(layer.weight)


def test_a_failed_first_call_leaves_the_layer_lazy() -> None:
    model = nn.Sequential(nn.LazyConv2d(4, 3), nn.ReLU())
    with pytest.raises(OpError, match=r"LazyConv2d.*expected an input \(N, C, H, W\) or \(C, H, W\), got \(5,\)"):
        model(ad.ones(5))
    assert model[0].has_uninitialized_params()
    assert model(ad.ones(1, 2, 5, 5)).shape == (1, 4, 3, 3)
    with pytest.raises(RuntimeError, match=r"\(1, 3, 5, 5\)"):
        model(ad.ones(1, 3, 5, 5))


def test_the_size_is_that_of_the_first_input() -> None:
    layer = nn.LazyLinear(3)
    layer(ad.ones(2, 4))
    with pytest.raises(OpError, match=r"expected input \(\*, 4\), got \(2, 5\)"):
        layer(ad.ones(2, 5))


def test_a_lazy_layer_of_one_s_own() -> None:
    class Nameless(LazyModuleMixin):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.UninitializedParameter()

        def forward(self, x: ad.Tensor) -> ad.Tensor:
            return x * self.weight

    with pytest.raises(NotImplementedError, match=r"Nameless has no initialize_parameters\(\).*materialize"):
        Nameless()(ad.ones(2))


def test_buffers_without_a_shape() -> None:
    buffer = nn.UninitializedBuffer(dtype=ad.float64)
    assert not buffer.requires_grad
    with pytest.raises(RuntimeError, match="UninitializedBuffer: a lazy module's parameters and buffers"):
        buffer.sum()
    buffer.materialize((2, 3))
    assert buffer.shape == (2, 3)
    assert buffer.dtype == ad.float64
    assert repr(nn.UninitializedParameter()) == "<UninitializedParameter>"

"""Programs over what modules and `nn.utils` offer besides their main forms, run in both libraries."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import autodiff as ad
import nn


def both(program: Callable[[Any, Any], Any]) -> None:
    """The same results from each library and its `nn`."""
    ad.manual_seed(0)
    torch.manual_seed(0)
    equal(program(ad, nn), program(torch, torch.nn))


def equal(ours: Any, theirs: Any) -> None:
    """Tensors to a few roundings, anything else exactly; what they stand in is compared part by part."""
    if isinstance(ours, ad.Tensor):
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=2e-5, atol=2e-6)
    elif isinstance(ours, list | tuple):
        assert isinstance(theirs, list | tuple)
        for a, b in zip(ours, theirs, strict=True):
            equal(a, b)
    else:
        assert ours == theirs


class Scaled:
    """What both versions of a module share."""

    scale: Any

    def forward(self, x: Any) -> Any:
        return self.inner(x) * self.scale  # type: ignore[attr-defined]

    def extra_repr(self) -> str:
        return "by scale"

    def get_extra_state(self) -> dict[str, int]:
        return {"version": 3}

    def set_extra_state(self, state: dict[str, int]) -> None:
        self.loaded = state


def scaled(m: Any, lib: Any) -> Any:
    module = type("Scaled", (Scaled, lib.Module), {})()
    module.add_module("inner", lib.Linear(2, 2))
    module.register_module("spare", None)
    module.register_parameter("scale", lib.Parameter(m.tensor([2.0, 3.0])))
    module.register_parameter("nothing", None)
    module.register_buffer("mean", m.zeros(2), persistent=False)
    module.count = lib.Buffer(m.ones(1))
    module.temporary = lib.Buffer(m.ones(1), persistent=False)
    return module


def test_modules() -> None:
    def program(m: Any, lib: Any) -> Any:
        module = lib.Sequential(scaled(m, lib), lib.ReLU())
        state = module.state_dict()
        extra = state["0._extra_state"]
        again = lib.Sequential(scaled(m, lib), lib.ReLU())
        again.load_state_dict(state)
        return [
            repr(module),
            list(state),
            extra,
            again[0].loaded,
            [name for name, _ in module.named_modules()],
            [name for name, _ in module.named_children()],
            [type(child).__name__ for child in module[0].children()],
            [name for name, _ in module.named_buffers()],
            type(module.get_submodule("0.inner")).__name__,
            module.get_parameter("0.inner.bias"),
            module.get_buffer("0.count"),
            module(m.ones(1, 2)),
            again(m.ones(1, 2)),
        ]

    both(program)
    for m, lib in ((ad, nn), (torch, torch.nn)):
        layer = lib.Linear(2, 3)
        assert layer.to_empty(device="cpu") is layer
        with pytest.raises(RuntimeError):
            layer.to_empty(device="nowhere")
        assert m.is_tensor(layer.weight)


def test_buffers() -> None:
    def program(m: Any, lib: Any) -> Any:
        module, x = lib.Module(), m.ones(2)
        module.a = buffer = lib.Buffer(x)
        before = list(module.state_dict())
        module.a = lib.Buffer(m.zeros(2), persistent=False)
        x += 1
        return before, list(module.state_dict()), module.a, buffer, list(dict(module.named_buffers()))

    both(program)
    for lib in (nn, torch.nn):
        with pytest.raises((TypeError, AttributeError)):
            lib.Buffer([1.0])


@pytest.mark.parametrize("kind", ["ModuleDict", "ParameterDict"])
def test_dictionaries(kind: str) -> None:
    def program(m: Any, lib: Any) -> Any:
        element = (lambda n: lib.Linear(1, n)) if kind == "ModuleDict" else (lambda n: lib.Parameter(m.ones(n)))
        things = getattr(lib, kind)({"a": element(1), "b": element(2)})
        things["c"] = element(3)
        seen = [list(things), len(things), "b" in things, list(things.state_dict())]
        things.pop("a")
        things.update({"d": element(4)})
        if kind == "ParameterDict":
            seen += [list(things.copy()), things.setdefault("e", element(5)), things.popitem()[0]]
        seen += [list(things.keys()), len(list(things.values())), repr(things).count("\n")]
        things.clear()
        return [*seen, len(things)]

    both(program)


def lazy(m: Any, lib: Any, name: str, rank: int) -> Any:
    convolution = "Conv" in name
    layer = getattr(lib, name)(3, 2) if convolution else getattr(lib, name)(affine=True)
    weight = layer.weight
    seen = [repr(layer), isinstance(weight, lib.UninitializedParameter), list(layer.state_dict())]
    if "BatchNorm" in name:
        seen.append(isinstance(layer.running_mean, lib.UninitializedBuffer))
    x = m.arange(float(2 * 4 * 3**rank)).reshape(2, 4, *(3,) * rank)
    return [*seen, layer(x), repr(layer), layer.weight, layer.weight is weight, lib.Parameter is type(layer.weight)]


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("family", ["LazyBatchNorm", "LazyInstanceNorm", "LazyConv", "LazyConvTranspose"])
def test_lazy_layers(family: str, rank: int) -> None:
    both(lambda m, lib: lazy(m, lib, f"{family}{rank}d", rank))


def test_losses_by_other_names() -> None:
    def program(m: Any, lib: Any) -> Any:
        scores = m.arange(24.0).reshape(4, 2, 3).cos().log_softmax(2).requires_grad_()
        targets, lengths = m.tensor([[1, 2], [2, 2]]), (m.tensor([4, 3]), m.tensor([2, 1]))
        losses = [lib.CTCLoss(reduction=r)(scores, targets, *lengths) for r in ("none", "mean", "sum")]
        return [*losses, repr(lib.CTCLoss(1, zero_infinity=True))]

    both(program)
    ours, theirs = nn.NLLLoss2d, torch.nn.NLLLoss2d
    scores, targets = (
        np.random.default_rng(0).normal(size=(2, 3, 4, 4)),
        np.random.default_rng(1).integers(0, 3, (2, 4, 4)),
    )
    with pytest.warns(FutureWarning):
        expected = theirs()(torch.from_numpy(scores), torch.from_numpy(targets))
    with pytest.warns(FutureWarning):
        assert ours()(ad.from_numpy(scores), ad.from_numpy(targets)).item() == pytest.approx(expected.item())


def test_bases_of_cells() -> None:
    for lib in (nn, torch.nn):
        assert all(issubclass(getattr(lib, name), lib.RNNCellBase) for name in ("RNNCell", "LSTMCell", "GRUCell"))


@pytest.mark.parametrize("name", ["dirac", "kaiming_normal", "kaiming_uniform", "xavier_normal", "xavier_uniform"])
def test_old_names_of_initialisers(name: str) -> None:
    def program(m: Any, lib: Any) -> Any:
        with pytest.warns(FutureWarning, match="deprecated"):
            return getattr(lib.init, name)(m.empty(3, 4, 2))

    both(program)


def test_gradients_as_one() -> None:
    def program(m: Any, lib: Any) -> Any:
        utils, p = lib.utils, [m.ones(2, requires_grad=True), m.ones(2, 2, requires_grad=True)]
        (p[0].sum() * 3 + (p[1] * 2).sum()).backward()
        norms = [utils.get_total_norm([q.grad for q in p], order) for order in (2.0, 1.0, float("inf"))]
        utils.clip_grads_with_norm_(p, 1.0, norms[0])
        return [*norms, [q.grad for q in p]]

    both(program)


def test_parameters_as_one_vector() -> None:
    def program(m: Any, lib: Any) -> Any:
        layer = lib.Linear(2, 3)
        vector = lib.utils.parameters_to_vector(layer.parameters())
        lib.utils.vector_to_parameters(m.arange(9.0), layer.parameters())
        return vector, layer.weight, layer.bias

    both(program)


def test_fused_weights() -> None:
    def program(m: Any, lib: Any) -> Any:
        convolution, linear, norm = lib.Conv1d(2, 3, 2), lib.Linear(2, 3), lib.BatchNorm1d(3)
        norm(m.arange(12.0).reshape(4, 3) ** 1.5)
        statistics = norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        utils = lib.utils.fusion
        return (
            utils.fuse_conv_bn_weights(convolution.weight, None, *statistics),
            utils.fuse_linear_bn_weights(linear.weight, linear.bias, *statistics),
            lib.utils.fuse_conv_bn_weights(convolution.weight, convolution.bias, *statistics),
        )

    both(program)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_normalised_weights_taken_off() -> None:
    def program(m: Any, lib: Any) -> Any:
        utils = lib.utils
        one = utils.remove_weight_norm(utils.weight_norm(lib.Linear(2, 3)))
        two = utils.spectral_norm(lib.Linear(2, 3))
        two(m.ones(1, 2))
        two = utils.remove_spectral_norm(two)
        return one.weight, list(one.state_dict()), two.weight, list(two.state_dict())

    both(program)


def test_modules_without_values() -> None:
    for m, lib in ((ad, nn), (torch, torch.nn)):
        m.manual_seed(0)
        first = m.rand(1).item()
        m.manual_seed(0)
        layer = lib.utils.skip_init(lib.Linear, 2, 3)
        assert tuple(layer.weight.shape) == (3, 2)
        assert m.rand(1).item() == first


def test_packed_sequences() -> None:
    def program(m: Any, lib: Any) -> Any:
        rnn = lib.utils.rnn
        packed = rnn.pack_padded_sequence(m.arange(12.0).reshape(3, 4, 1), [2, 3, 1, 3], enforce_sorted=False)
        order = m.tensor([2, 0, 3, 1])
        own = rnn.PackedSequence(packed.data, packed.batch_sizes)
        return (
            packed.data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices,
            rnn.invert_permutation(order), rnn.invert_permutation(None), rnn.pad_packed_sequence(own),
        )  # fmt: skip

    both(program)


def test_parametrizations() -> None:
    def program(m: Any, lib: Any) -> Any:
        parametrize = lib.utils.parametrize
        calls = []

        class Doubled(lib.Module):  # type: ignore[misc]
            def forward(self, w: Any) -> Any:
                calls.append(1)
                return w * 2

            def right_inverse(self, w: Any) -> Any:
                return w / 2

        layer = lib.Linear(2, 1)
        before = layer.weight.detach().clone()
        parametrize.register_parametrization(layer, "weight", Doubled())
        seen = [
            parametrize.is_parametrized(layer), parametrize.is_parametrized(layer, "bias"),
            parametrize.type_before_parametrizations(layer) is lib.Linear,
            isinstance(layer.parametrizations.weight, parametrize.ParametrizationList), list(layer.state_dict()),
            layer.weight, before,
        ]  # fmt: skip
        calls.clear()
        with parametrize.cached():
            layer(m.ones(1, 2))
            layer(m.ones(1, 2))
        seen.append(len(calls))
        layer.weight = m.ones(1, 2)
        seen.append(layer.parametrizations.weight.original)
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
        return [*seen, layer.weight, type(layer) is lib.Linear, list(layer.state_dict())]

    both(program)


def test_batch_norm_inside_vmap() -> None:
    def program(m: Any, lib: Any) -> Any:
        model = lib.Sequential(lib.Linear(2, 3), lib.BatchNorm1d(3))
        m.func.replace_all_batch_norm_modules_(model)
        return repr(model), model[1].running_mean, model[1].track_running_stats

    both(program)


def test_memory_and_defaults() -> None:
    for m in (ad, torch):
        x = m.zeros(4)
        assert x.data_ptr() == x.view(2, 2).data_ptr() != x[1:].data_ptr()
        assert x[1:].data_ptr() - x.data_ptr() == 4
        assert (x.is_cpu, x.is_cuda) == (True, False)
        assert m.get_default_dtype() == m.float32
        assert (m.pi, m.e, m.inf, m.newaxis, m.short) == (np.pi, np.e, np.inf, None, m.int16)
        assert m.default_generator.initial_seed() == m.initial_seed()
        assert [int(i) for i in m.unravel_index(m.tensor(7), (2, 4))] == [1, 3]
        assert m.unravel_index(m.tensor([[1, 5]]), (6,))[0].tolist() == [[1, 5]]

"""Embeddings, distances, bilinear and lazy layers beside PyTorch's."""

import copy
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import autodiff as ad
import nn
from nn import functional as F
from tests.parity.beside_torch import agree, same

rng = np.random.default_rng(0)
DTYPES = ["float32", "float64"]
Build = Callable[[Any], Any]


def functional(m: Any) -> Any:
    return F if m is ad else torch.nn.functional


def seeded(build: Build) -> tuple[Any, Any]:
    """The same module in both, of equal bits, from the same seed."""
    ad.manual_seed(0)
    torch.manual_seed(0)
    ours, theirs = build(nn), build(torch.nn)
    assert repr(ours) == repr(theirs)
    for (name, a), (other, b) in zip(ours.state_dict().items(), theirs.state_dict().items(), strict=True):
        assert name == other
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    assert ad.rand(1).item() == torch.rand(1).item()
    return ours, theirs


def beside(ours: Any, theirs: Any, *inputs: Any, dtype: str = "float64") -> None:
    """Outputs, gradients of inputs and of parameters."""
    ours, theirs = ours.to(getattr(ad, dtype)), theirs.to(getattr(torch, dtype))
    given = [x.astype(dtype) if isinstance(x, np.ndarray) and x.dtype.kind == "f" else x for x in inputs]
    if any(x.dtype.kind == "f" for x in given):
        agree(lambda m, *xs: (ours if m is ad else theirs)(*xs), *given, errors=False)
    for m, module in ((ad, ours), (torch, theirs)):
        xs = [m.from_numpy(x) if isinstance(x, np.ndarray) else x for x in given]
        y = module(*xs)
        y.backward(m.from_numpy(np.cos(np.arange(y.numel())).reshape(tuple(y.shape)).astype(dtype)))
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        same(b, a)
        same(b.grad, a.grad)


def beside_of_pairs(build: Build, a: Any, b: Any) -> None:
    ours, theirs = seeded(build)
    agree(lambda m, x, y: (ours if m is ad else theirs)(x, y), a, b, errors=False)


EMBEDDINGS: list[dict[str, Any]] = [
    {},
    {"padding_idx": 2},
    {"padding_idx": -1},
    {"scale_grad_by_freq": True},
    {"padding_idx": 0, "scale_grad_by_freq": True},
    {"max_norm": 1.5},
    {"max_norm": 1.0, "norm_type": 1.0, "padding_idx": 1},
    {"max_norm": 0.5, "norm_type": float("inf")},
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (6,), (3, 4), (0,)])
@pytest.mark.parametrize("options", EMBEDDINGS)
def test_embedding(options: dict[str, Any], shape: tuple[int, ...], dtype: str) -> None:
    ours, theirs = seeded(lambda lib: lib.Embedding(5, 3, **options))
    if not shape or np.prod(shape):
        beside(ours, theirs, rng.integers(0, 5, shape), dtype=dtype)
    else:
        assert ours(ad.zeros(shape, dtype=ad.int64)).shape == theirs(torch.zeros(shape, dtype=torch.int64)).shape


def test_embedding_of_given_vectors() -> None:
    values = rng.normal(size=(4, 3))
    for freeze in (True, False):
        ours = nn.Embedding.from_pretrained(ad.from_numpy(values), freeze, padding_idx=1)
        theirs = torch.nn.Embedding.from_pretrained(torch.from_numpy(values), freeze, padding_idx=1)
        assert ours.weight.requires_grad == theirs.weight.requires_grad == (not freeze)
        assert repr(ours) == repr(theirs)
        bag = nn.EmbeddingBag.from_pretrained(ad.from_numpy(values), freeze, mode="max")
        assert bag.weight.requires_grad == (not freeze)
        assert repr(bag) == repr(torch.nn.EmbeddingBag.from_pretrained(torch.from_numpy(values), freeze, mode="max"))
    assert np.shares_memory(ours.weight.detach().numpy(), values)


BAGS: list[dict[str, Any]] = [
    {},
    {"padding_idx": 2},
    {"max_norm": 1.5},
    {"include_last_offset": True},
    {"include_last_offset": True, "padding_idx": 0},
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("options", BAGS)
def test_embedding_bag(options: dict[str, Any], mode: str, dtype: str) -> None:
    index = rng.integers(0, 5, 12)
    for offsets in ([0, 3, 3, 7, 12], [0, 1, 12], [0, 4, 10, 12]):
        ours, theirs = seeded(lambda lib: lib.EmbeddingBag(5, 3, mode=mode, **options))
        given = offsets if options.get("include_last_offset") else offsets[:-1]
        beside(ours, theirs, index, np.array(given), dtype=dtype)
    ours, theirs = seeded(lambda lib: lib.EmbeddingBag(5, 3, mode=mode, **options))
    if not options.get("include_last_offset"):
        beside(ours, theirs, index.reshape(3, 4), dtype=dtype)


@pytest.mark.parametrize("padding", [None, 2])
def test_bags_of_weighted_rows(padding: int | None) -> None:
    index, weights, table = rng.integers(0, 5, 8), rng.normal(size=8), rng.normal(size=(5, 3))
    for shape, offsets in (((8,), np.array([0, 2, 2])), ((2, 4), None)):

        def weighted(m: Any, i: Any, w: Any, p: Any, o: Any = offsets) -> Any:
            o = None if o is None else m.from_numpy(o)
            return functional(m).embedding_bag(i, w, o, mode="sum", per_sample_weights=p, padding_idx=padding)

        agree(weighted, index.reshape(shape), table, weights.reshape(shape), errors=False)


REFUSED: list[Callable[[Any, Any], Any]] = [
    lambda m, f: f.embedding(m.tensor([3]), m.zeros(3, 2)),
    lambda m, f: f.embedding(m.tensor([-1]), m.zeros(3, 2)),
    lambda m, f: f.embedding(m.tensor([1.0]), m.zeros(3, 2)),
    lambda m, f: f.embedding(m.tensor([1]), m.zeros(3)[0]),
    lambda m, f: f.embedding_bag(m.tensor([1]), m.zeros(3, 2)),
    lambda m, f: f.embedding_bag(m.tensor([[1]]), m.zeros(3, 2), m.tensor([0])),
    lambda m, f: f.embedding_bag(m.tensor([1]), m.zeros(3, 2), m.tensor([1])),
    lambda m, f: f.embedding_bag(m.tensor([1]), m.zeros(3, 2), m.tensor([0]), mode="min"),
    lambda m, f: f.embedding_bag(m.tensor([1]), m.zeros(3, 2), m.tensor([0]), per_sample_weights=m.ones(1)),
    lambda m, f: f.embedding_bag(m.tensor([1]), m.zeros(3, 2), m.tensor([0]), mode="max", scale_grad_by_freq=True),
    lambda m, f: f.bilinear(m.zeros(2, 3), m.zeros(3, 4), m.zeros(1, 3, 4)),
    lambda m, f: f.bilinear(m.zeros(2, 3), m.zeros(2, 4), m.zeros(1, 4, 3)),
    lambda m, f: f.pdist(m.zeros(2)),
    lambda m, f: f.pdist(m.zeros(2, 2), -1.0),
    lambda m, f: f.cosine_similarity(m.zeros(2, 2), m.zeros(3, 2)),
    lambda m, f: f.pairwise_distance(m.zeros(2, 2), m.zeros(2, 3)),
]


@pytest.mark.parametrize("call", REFUSED)
def test_what_both_refuse(call: Callable[[Any, Any], Any]) -> None:
    for m in (ad, torch):
        with pytest.raises((RuntimeError, ValueError, IndexError, TypeError, NotImplementedError)):
            call(m, functional(m))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (4,), (2, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_bilinear(bias: bool, shape: tuple[int, ...], dtype: str) -> None:
    ours, theirs = seeded(lambda lib: lib.Bilinear(3, 4, 2, bias=bias))
    beside(ours, theirs, rng.normal(size=(*shape, 3)), rng.normal(size=(*shape, 4)), dtype=dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_distances(dtype: str) -> None:
    a, b = rng.normal(size=(2, 4, 3, 5)).astype(dtype)
    for dim, eps in itertools.product((0, 1, -1), (1e-8, 3.0)):
        agree(lambda m, x, y, d=dim, e=eps: functional(m).cosine_similarity(x, y, d, e), a, b, errors=False)
        beside_of_pairs(lambda lib, d=dim, e=eps: lib.CosineSimilarity(d, e), a, b)
    agree(lambda m, x, y: functional(m).cosine_similarity(x, y, 2), a, b[:1], errors=False)
    agree(lambda m, x, y: functional(m).cosine_similarity(x, y), a[0], np.zeros((3, 5), dtype), errors=False)
    for p, keepdim in itertools.product((2.0, 1.0, 3.5, float("inf"), 0.5), (False, True)):
        beside_of_pairs(lambda lib, p=p, k=keepdim: lib.PairwiseDistance(p, keepdim=k), a, b)
        agree(lambda m, x, y, p=p: functional(m).pairwise_distance(x, y, p), a, b[0, 0], errors=False)
    for p in (2.0, 1.0, 3.5, float("inf"), 0.0):
        for n in (2, 6):  # PyTorch crashes in the backward pass of no pairs
            agree(lambda m, x, p=p: functional(m).pdist(x, p), a.reshape(12, 5)[:n], errors=False)


def test_a_lazy_layer_has_the_weights_of_the_layer_that_it_becomes() -> None:
    for bias in (True, False):
        ad.manual_seed(0)
        torch.manual_seed(0)
        ours, theirs = nn.LazyLinear(3, bias), torch.nn.LazyLinear(3, bias)
        assert repr(ours) == repr(theirs)
        assert repr(ours.weight) == repr(theirs.weight)
        assert list(ours.state_dict()) == list(theirs.state_dict())
        ours.double()
        theirs.double()
        x = rng.normal(size=(2, 4))
        same(theirs(torch.from_numpy(x)), ours(ad.from_numpy(x)))
        assert type(ours) is nn.Linear
        assert repr(ours) == repr(theirs)
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())


def test_states_of_lazy_layers() -> None:
    for m, lib in ((ad, nn), (torch, torch.nn)):
        model = lib.Sequential(lib.LazyLinear(3), lib.LazyLinear(2))
        empty = copy.deepcopy(model)
        model.load_state_dict(lib.Sequential(lib.Linear(4, 3), lib.Linear(3, 2)).state_dict())
        assert tuple(model[0].weight.shape) == (3, 4)
        assert tuple(model(m.zeros(1, 4)).shape) == (1, 2)
        assert repr(model[1]) == "Linear(in_features=3, out_features=2, bias=True)"
        with pytest.raises(RuntimeError):
            model.load_state_dict(empty.state_dict())
        for use in (lambda w: w.shape, lambda w: w + 1, lambda w: w.sum()):
            with pytest.raises((RuntimeError, ValueError)):
                use(empty[0].weight)

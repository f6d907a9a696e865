"""Embeddings and bags of them: values, gradients, padding, norms, and what they refuse."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
import nn
from autodiff.op import OpError
from nn import functional as F

index = st.integers(0, 4)


def table() -> ad.Tensor:
    return ad.arange(15.0, dtype=ad.float64).reshape(5, 3).cos().requires_grad_()


@given(st.lists(index, max_size=6), st.none() | st.integers(-5, 4))
def test_rows_are_those_of_the_table_and_gradients_are_counts(chosen: list[int], padding: int | None) -> None:
    weight = table()
    y = F.embedding(ad.tensor(chosen, dtype=ad.int64), weight, padding)
    np.testing.assert_array_equal(y.detach().numpy(), weight.detach().numpy()[chosen].reshape(-1, 3))
    (g,) = ad.grad(y, weight, ad.ones(*y.shape, dtype=ad.float64))
    counts = np.bincount(chosen, minlength=5)
    if padding is not None:
        counts[padding] = 0
    np.testing.assert_array_equal(g.numpy(), np.repeat(counts[:, None], 3, 1))


def test_gradients_divided_by_how_often_a_row_is_used() -> None:
    weight, chosen = table(), ad.tensor([[3, 1, 3], [3, 0, 0]])
    y = F.embedding(chosen, weight, scale_grad_by_freq=True)
    np.testing.assert_array_equal(y.detach().numpy(), weight.detach().numpy()[chosen.numpy()])
    (g,) = ad.grad(y.sum(), weight)
    np.testing.assert_allclose(g.numpy()[:, 0], [1, 1, 0, 1, 0])
    offsets = ad.tensor([0, 2, 2])
    for mode, shares in (("sum", [1, 1, 0, 1, 0]), ("mean", [1 / 4, 1 / 2, 0, (1 / 2 + 2 / 4) / 3, 0])):
        bags = F.embedding_bag(chosen.flatten(), weight, offsets, mode=mode, scale_grad_by_freq=True)
        (g,) = ad.grad(bags.sum(), weight)
        np.testing.assert_allclose(g.numpy()[:, 2], shares, rtol=1e-14)


@given(st.data())
def test_bags_are_sums_means_and_maxima(data: st.DataObject) -> None:
    chosen = data.draw(st.lists(index, max_size=8))
    inner = sorted(data.draw(st.lists(st.integers(0, len(chosen)), max_size=3)))
    mode, last = data.draw(st.sampled_from(["sum", "mean", "max"])), data.draw(st.booleans())
    padding = data.draw(st.none() | index)
    weights = [1.0 + i for i in range(len(chosen))] if mode == "sum" and data.draw(st.booleans()) else None
    starts, ends = [0, *inner], [*inner, len(chosen)]
    weight = table()
    y = F.embedding_bag(
        ad.tensor(chosen, dtype=ad.int64), weight, ad.tensor([*starts, len(chosen)] if last else starts), mode=mode,
        per_sample_weights=None if weights is None else ad.tensor(weights, dtype=ad.float64), include_last_offset=last,
        padding_idx=padding,
    )  # fmt: skip
    rows = weight.detach().numpy()
    for bag, start, end in zip(y.detach().numpy(), starts, ends, strict=True):
        places = [i for i in range(start, end) if chosen[i] != padding]
        picked = rows[[chosen[i] for i in places]] * (1 if weights is None else np.array(weights)[places, None])
        expected = getattr(picked, mode)(0) if places else np.zeros(3)
        np.testing.assert_allclose(bag, expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_gradients_of_bags(mode: str) -> None:
    chosen, offsets = ad.tensor([0, 2, 2, 4, 1, 3]), ad.tensor([0, 3, 3])
    assert ad.gradcheck(lambda w: F.embedding_bag(chosen, w, offsets, mode=mode, padding_idx=4), table())
    if mode == "sum":
        weights = ad.arange(1.0, 7.0, dtype=ad.float64).requires_grad_()
        both = [table(), weights]
        bag = lambda w, p: F.embedding_bag(chosen, w, offsets, mode="sum", per_sample_weights=p)  # noqa: E731
        assert ad.gradcheck(bag, both)
        assert ad.gradgradcheck(bag, both)


def test_bags_of_equal_lengths() -> None:
    weight, chosen = table(), ad.tensor([[0, 1], [2, 2]])
    offsets = ad.tensor([0, 2])
    assert ad.equal(F.embedding_bag(chosen, weight), F.embedding_bag(chosen.flatten(), weight, offsets))
    assert F.embedding_bag(ad.zeros(0, 4, dtype=ad.int64), weight).shape == (0, 3)
    assert F.embedding_bag(ad.zeros(2, 0, dtype=ad.int64), weight).tolist() == [[0.0] * 3] * 2


def test_the_first_of_equal_maxima_has_the_gradient() -> None:
    weight = ad.ones(3, 1, requires_grad=True)
    (g,) = ad.grad(F.embedding_bag(ad.tensor([2, 0]), weight, ad.tensor([0]), mode="max").sum(), weight)
    assert g.tolist() == [[0], [0], [1]]


@pytest.mark.parametrize("layer", [nn.Embedding, nn.EmbeddingBag])
def test_padding_starts_at_0_and_learns_nothing(layer: Any) -> None:
    module = layer(4, 2, padding_idx=-1)
    assert module.padding_idx == 3
    assert module.weight[3].tolist() == [0, 0]
    with ad.no_grad():
        module.weight[3] = 7.0
    y = module(ad.tensor([[3, 0]]))
    y.sum().backward()
    assert module.weight.grad is not None
    assert module.weight.grad[3].tolist() == [0, 0]
    if layer is nn.Embedding:
        assert y[0, 0].tolist() == [7, 7]
    else:
        assert ad.equal(y[0], module.weight[0])


@pytest.mark.parametrize(("norm_type", "lengths"), [(2.0, [1, 0.5, 2]), (1.0, [1, 0.7, 2.8])])
def test_rows_that_are_used_are_shortened_in_place(norm_type: float, lengths: list[float]) -> None:
    module = nn.Embedding.from_pretrained(ad.tensor([[3.0, 4.0], [0.3, 0.4], [1.2, 1.6]]), max_norm=1.0,
                                          norm_type=norm_type)  # fmt: skip
    module(ad.tensor([0, 1, 0]))
    np.testing.assert_allclose(np.linalg.norm(module.weight.numpy(), norm_type, axis=1), lengths, rtol=1e-6)
    # What was saved before is stale now.
    ad.manual_seed(0)
    trained = nn.Embedding(2, 2, max_norm=0.1)
    squares = (trained.weight**2).sum()
    trained(ad.tensor([0]))
    with pytest.raises(RuntimeError, match="in place"):
        squares.backward()


def test_second_derivatives_and_vmap() -> None:
    weight = table()
    (g,) = ad.grad((F.embedding(ad.tensor([1, 1, 3]), weight) ** 3).sum(), weight, create_graph=True)
    (h,) = ad.grad(g.sum(), weight)
    np.testing.assert_allclose(h.numpy(), 6 * weight.detach().numpy() * np.array([[0], [2], [0], [1], [0]]))
    batched = ad.vmap(lambda w: F.embedding(ad.tensor([2, 0]), w))(ad.stack([weight, weight * 2]))
    assert ad.equal(batched[1], weight[ad.tensor([2, 0])] * 2)


def test_what_is_printed() -> None:
    assert repr(nn.Embedding(5, 3, 1, 2.0, 1.0, True)) == (
        "Embedding(5, 3, padding_idx=1, max_norm=2.0, norm_type=1.0, scale_grad_by_freq=True)"
    )
    assert repr(nn.EmbeddingBag(5, 3, mode="sum")) == "EmbeddingBag(5, 3, mode='sum')"


WEIGHT = ad.zeros(3, 2)
REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: F.embedding(ad.tensor([0, 3]), WEIGHT), IndexError, "from 0 to 2 for the 3 rows.*got 0 to 3"),
    (lambda: F.embedding(ad.tensor([-1]), WEIGHT), IndexError, "got -1 to -1"),
    (lambda: F.embedding(ad.tensor([1.0]), WEIGHT), OpError, r"integer indices.*input\.long\(\)"),
    (lambda: F.embedding([1], WEIGHT), TypeError, r"expected tensors, got .*ad\.tensor"),
    (lambda: F.embedding(ad.tensor([1]), ad.zeros(3)), OpError, r"weight of shape \(rows, features\)"),
    (lambda: F.embedding(ad.tensor([1]), WEIGHT, padding_idx=3), ValueError, "padding_idx from -3 to 2"),
    (lambda: nn.Embedding(3, 2, padding_idx=-4), ValueError, "padding_idx from -3 to 2"),
    (lambda: nn.EmbeddingBag(3, 2, sparse=True), OpError, "expected sparse=False"),
    (lambda: nn.Embedding(3, 2, _weight=ad.zeros(2, 2)), OpError, r"expected a weight of shape \(3, 2\)"),
    (lambda: nn.Embedding.from_pretrained(ad.zeros(3)), OpError, r"embeddings of shape \(rows, features\)"),
    (lambda: F.embedding_bag(ad.tensor([1]), WEIGHT), OpError, r"\(B, L\) without offsets, or \(N\) with a vector"),
    (lambda: F.embedding_bag(ad.tensor([[1]]), WEIGHT, ad.tensor([0])), OpError, "without offsets"),
    (lambda: F.embedding_bag(ad.tensor([1, 1]), WEIGHT, ad.tensor([1])), OpError, r"offsets from 0 on.*got \[1\]"),
    (lambda: F.embedding_bag(ad.tensor([1, 1]), WEIGHT, ad.tensor([0, 3])), OpError, "growing up to 2"),
    (lambda: F.embedding_bag(ad.tensor([1, 1]), WEIGHT, ad.tensor([0, 2, 1])), OpError, "growing up to 2"),
    (lambda: F.embedding_bag(ad.tensor([[1]]), WEIGHT, mode="min"), ValueError, 'mode "sum", "mean" or'),
    (lambda: F.embedding_bag(ad.tensor([[1]]), WEIGHT, mode="max", scale_grad_by_freq=True), ValueError, "without"),
    (lambda: F.embedding_bag(ad.tensor([[1]]), WEIGHT, per_sample_weights=ad.ones(1, 1)), OpError, 'mode "sum"'),
    (lambda: F.embedding_bag(ad.tensor([[1]]), WEIGHT, mode="sum", per_sample_weights=ad.ones(2)), OpError,
     r"shape of the input \(1, 1\)"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), REFUSED)
def test_what_is_refused(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("offsets", [None, ad.tensor([0, 2, 2, 5])])
@pytest.mark.parametrize("mode", ["sum", "mean"])
@pytest.mark.usefixtures("no_loops")
def test_padding_in_bags_that_differ_inside_vmap(mode: str, offsets: ad.Tensor | None) -> None:
    chosen = ad.tensor([[[0, 1], [1, 1], [2, 3]], [[1, 1], [4, 0], [1, 4]]])
    shape = (3, 2) if offsets is None else (6,)

    def squares(index: ad.Tensor, weight: ad.Tensor) -> ad.Tensor:
        return (F.embedding_bag(index.reshape(shape), weight, offsets, mode=mode, padding_idx=1) ** 2).sum()

    weight = table().detach()
    for found in (squares, ad.func.grad(squares, 1)):
        rows = ad.vmap(found, (0, None))(chosen, weight)
        np.testing.assert_allclose(rows.numpy(), ad.stack([found(i, weight) for i in chosen]).numpy(), rtol=1e-13)

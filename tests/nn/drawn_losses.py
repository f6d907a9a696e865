"""Losses, distances, embeddings and bilinear layers, with inputs at which they are differentiable twice."""

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

import autodiff as ad
import nn
from autodiff.tensor import Tensor

Draw = Callable[[st.SearchStrategy[Any]], Any]
Built = tuple[nn.Module, list[Tensor], list[Tensor]]
sizes = st.integers(1, 3)
reductions = st.sampled_from(["none", "mean", "sum"])


def generator(draw: Draw) -> np.random.Generator:
    return np.random.default_rng(draw(st.integers(0, 2**32 - 1)))


def _tensor(values: Any) -> Tensor:
    return ad.tensor(values, dtype=ad.float64, requires_grad=True)


def _steps(draw: Draw, *shape: int) -> Any:
    """Different numbers, no two of them nearer than 0.2, nor their differences to multiples of 0.37."""
    count = int(np.prod(shape))
    return generator(draw).permutation(np.arange(count) * 0.6 - 0.3 * count + 0.11).reshape(shape)


def _elementwise(
    build: Callable[..., nn.Module], low: float, high: float, target: tuple[float, float], **more: Any
) -> Callable[[Draw], Built]:
    """A loss of an input from low to high and a target between two numbers, which requires grad too."""

    def built(draw: Draw) -> Built:
        rng, shape = generator(draw), tuple(draw(st.lists(sizes, min_size=1, max_size=2)))
        options = {name: draw(st.sampled_from(values)) for name, values in more.items()}
        inputs = [_tensor(rng.uniform(low, high, shape)), _tensor(rng.uniform(*target, shape))]
        return build(reduction=draw(reductions), **options), inputs, []

    return built


def _robust(build: Callable[..., nn.Module], name: str) -> Callable[[Draw], Built]:
    """Differences on both sides of a threshold of 1, none near to it."""

    def built(draw: Draw) -> Built:
        rng, n = generator(draw), draw(sizes)
        z = rng.choice([-1, 1], n) * np.where(rng.random(n) < 0.5, rng.uniform(0.1, 0.9, n), rng.uniform(1.1, 2, n))
        target = rng.normal(size=n)
        return build(reduction=draw(reductions), **{name: 1.0}), [_tensor(target + z), _tensor(target)], []

    return built


def _gaussian(draw: Draw) -> Built:
    rng, shape = generator(draw), (draw(sizes), draw(sizes))
    var = rng.uniform(0.5, 2, draw(st.sampled_from([shape, shape[:1], (shape[0], 1)])))
    module = nn.GaussianNLLLoss(full=draw(st.booleans()), reduction=draw(reductions))
    return module, [_tensor(rng.normal(size=shape)), _tensor(rng.normal(size=shape)), _tensor(var)], []


def _divergence(draw: Draw) -> Built:
    rng, shape = generator(draw), (draw(sizes), draw(sizes))
    module = nn.KLDivLoss(reduction=draw(st.sampled_from(["none", "batchmean", "sum"])), log_target=draw(st.booleans()))
    return module, [_tensor(rng.normal(size=shape)), _tensor(rng.uniform(0.1, 1, shape))], []


def _signed(build: Callable[..., nn.Module], inputs: int, columns: bool) -> Callable[[Draw], Built]:
    """Losses with a margin, of one or two inputs and a target of signs."""

    def built(draw: Draw) -> Built:
        rng, n = generator(draw), draw(sizes)
        shape = (n, 3) if columns else (n,)
        given = [_tensor(_steps(draw, *shape) + 0.07 * i) for i in range(inputs)]
        return build(margin=0.137, reduction=draw(reductions)), given, [ad.tensor(rng.choice([-1.0, 1.0], n))]

    return built


def _soft_margin(draw: Draw) -> Built:
    rng, shape = generator(draw), (draw(sizes), draw(sizes))
    signs = ad.tensor(rng.choice([-1.0, 1.0], shape))
    return nn.SoftMarginLoss(reduction=draw(reductions)), [_tensor(rng.normal(size=shape))], [signs]


def _multi_margin(draw: Draw) -> Built:
    rng, n, c = generator(draw), draw(sizes), draw(sizes)
    weight = ad.tensor(rng.uniform(0.5, 2, c)) if draw(st.booleans()) else None
    module = nn.MultiMarginLoss(draw(st.sampled_from([1, 2])), 0.137, weight, reduction=draw(reductions))
    return module, [_tensor(_steps(draw, n, c))], [ad.tensor(rng.integers(0, c, n))]


def _multi_label(draw: Draw) -> Built:
    rng, n, c = generator(draw), draw(sizes), draw(sizes)
    labels = np.array([rng.permutation(c) for _ in range(n)])
    labels[rng.random((n, c)) < 0.4] = -1
    return nn.MultiLabelMarginLoss(reduction=draw(reductions)), [_tensor(_steps(draw, n, c))], [ad.tensor(labels)]


def _triplets(build: Callable[..., nn.Module]) -> Callable[[Draw], Built]:
    """Distances of about 0, 1 and 10, so that no margin is exactly met."""

    def built(draw: Draw) -> Built:
        rng, n = generator(draw), draw(sizes)
        anchor, near = rng.normal(size=(2, n, 2)) * 0.2
        far = anchor + rng.choice([0.7, 10.0], (n, 1)) + rng.uniform(0, 0.1, (n, 2))
        module = build(margin=3.0, swap=draw(st.booleans()), reduction=draw(reductions))
        return module, [_tensor(x) for x in (anchor, near + 0.7, far + 0.9)], []

    return built


def _ctc(draw: Draw) -> Built:
    rng, times, n = generator(draw), draw(st.integers(1, 4)), draw(st.integers(1, 2))
    lengths = rng.integers(0, min(2, times) + 1, n)
    module = nn.CTCLoss(draw(st.integers(0, 2)), draw(reductions), zero_infinity=True)
    labels = (module.blank + 1 + rng.integers(0, 2, (n, 2))) % 3
    given = [ad.tensor(labels), ad.tensor(rng.integers(1, times + 1, n)), ad.tensor(lengths)]
    return module, [_tensor(rng.normal(size=(times, n, 3)) - 2)], given


class _Loss(nn.Module):
    """The loss of a module that returns more."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return self.module(input, target).loss


def _adaptive(draw: Draw) -> Built:
    rng, n = generator(draw), draw(st.integers(0, 1))
    module = nn.AdaptiveLogSoftmaxWithLoss(4, 6, [2, 4], 1.5, head_bias=draw(st.booleans()))
    # With a target in each cluster, so that every parameter has a gradient.
    return _Loss(module), [_tensor(rng.normal(size=(n + 2, 4)))], [ad.tensor([2, 5, *rng.integers(0, 6, n)])]


def _linear_cross_entropy(draw: Draw) -> Built:
    rng, n, deep = generator(draw), draw(sizes), draw(st.sampled_from([(), (2,)]))
    module = nn.LinearCrossEntropyLoss(2, 3, out_features=deep, bias=draw(st.booleans()), label_smoothing=0.1)
    return module, [_tensor(rng.normal(size=(n, 2)))], [ad.tensor(rng.integers(0, 3, (n, *deep)))]


def _old_nll(draw: Draw) -> Built:
    rng = generator(draw)
    # The class warns; what it makes is an NLLLoss.
    module = object.__new__(nn.NLLLoss2d)
    nn.NLLLoss.__init__(module, reduction=draw(reductions))
    return module, [_tensor(rng.normal(size=(2, 3, 2, 1)))], [ad.tensor(rng.integers(0, 3, (2, 2, 1)))]


def _cosine(draw: Draw) -> Built:
    rng, n = generator(draw), draw(st.integers(2, 3))
    return nn.CosineSimilarity(draw(st.integers(-1, 1))), [_tensor(rng.normal(size=(n, 3))) for _ in range(2)], []


def _distance(draw: Draw) -> Built:
    rng, n = generator(draw), draw(sizes)
    module = nn.PairwiseDistance(draw(st.sampled_from([1.0, 2.0, 3.5])), keepdim=draw(st.booleans()))
    return module, [_tensor(_steps(draw, n, 3)), _tensor(rng.uniform(-0.04, 0.04, (n, 3)))], []


def _embedding(draw: Draw) -> Built:
    rng = generator(draw)
    index = rng.integers(0, 3, tuple(draw(st.lists(sizes, max_size=2))))
    return nn.Embedding(3, draw(sizes)), [], [ad.tensor(index)]


def _bag(draw: Draw) -> Built:
    rng, count, mode = generator(draw), draw(sizes), draw(st.sampled_from(["sum", "mean", "max"]))
    module = nn.EmbeddingBag(4, 2, mode=mode, padding_idx=draw(st.sampled_from([None, 1])))
    nn.init.normal_(module.weight)
    index = ad.tensor(rng.integers(0, 4, 5))
    offsets = ad.tensor(np.sort(np.append(0, rng.integers(0, 6, count - 1))))
    return module, [], [index, offsets]


def _bilinear(draw: Draw) -> Built:
    rng, rows = generator(draw), tuple(draw(st.lists(sizes, max_size=2)))
    module = nn.Bilinear(2, 3, 2, bias=draw(st.booleans()))
    return module, [_tensor(rng.normal(size=(*rows, 2))), _tensor(rng.normal(size=(*rows, 3)))], []


def _lazy_linear(draw: Draw) -> Built:
    module, x = nn.LazyLinear(2, bias=draw(st.booleans())), _tensor(generator(draw).normal(size=(draw(sizes), 3)))
    module(x.float())
    return module, [x], []


DRAWN: dict[str, Callable[[Draw], Built]] = {
    "HuberLoss": _robust(nn.HuberLoss, "delta"),
    "SmoothL1Loss": _robust(nn.SmoothL1Loss, "beta"),
    "PoissonNLLLoss": _elementwise(nn.PoissonNLLLoss, 0.5, 2, (1.1, 3), log_input=[True, False], full=[True, False]),
    "GaussianNLLLoss": _gaussian,
    "KLDivLoss": _divergence,
    "SoftMarginLoss": _soft_margin,
    "MultiLabelSoftMarginLoss": _elementwise(nn.MultiLabelSoftMarginLoss, -3, 3, (0.0, 1.0)),
    "NLLLoss2d": _old_nll,
    "MarginRankingLoss": _signed(nn.MarginRankingLoss, 2, False),
    "HingeEmbeddingLoss": _signed(nn.HingeEmbeddingLoss, 1, False),
    "CosineEmbeddingLoss": _signed(nn.CosineEmbeddingLoss, 2, True),
    "MultiMarginLoss": _multi_margin,
    "MultiLabelMarginLoss": _multi_label,
    "TripletMarginLoss": _triplets(nn.TripletMarginLoss),
    "TripletMarginWithDistanceLoss": _triplets(nn.TripletMarginWithDistanceLoss),
    "CTCLoss": _ctc,
    "AdaptiveLogSoftmaxWithLoss": _adaptive,
    "LinearCrossEntropyLoss": _linear_cross_entropy,
    "CosineSimilarity": _cosine,
    "PairwiseDistance": _distance,
    "Embedding": _embedding,
    "EmbeddingBag": _bag,
    "Bilinear": _bilinear,
    "LazyLinear": _lazy_linear,
}

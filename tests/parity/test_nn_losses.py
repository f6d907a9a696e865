"""Losses beside PyTorch's: values, gradients of every input, each argument's alternatives, and errors in both."""

import itertools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import autodiff as ad
import nn
from nn import functional as F
from tests.parity.beside_torch import agree, same

Array = np.ndarray[Any, Any]
DTYPES = ["float32", "float64"]
REDUCTIONS = ["none", "mean", "sum"]
rng = np.random.default_rng(0)


def functional(m: Any) -> Any:
    return F if m is ad else torch.nn.functional


def needs(name: str, inputs: list[Array]) -> list[bool]:
    """PyTorch has no derivative by the target of the soft margin loss; ours is checked without it."""
    fixed = name in ("soft_margin_loss", "SoftMarginLoss")
    return [x.dtype.kind == "f" and not (fixed and i) for i, x in enumerate(inputs)]


def calls(name: str, **options: Any) -> Callable[..., Any]:
    return lambda m, *inputs: getattr(functional(m), name)(*inputs, **options)


def normal(*shape: int) -> Array:
    return rng.normal(size=shape)


def uniform(*shape: int) -> Array:
    return rng.uniform(0.1, 0.9, shape)


def signs(*shape: int) -> Array:
    return rng.choice([-1.0, 1.0], shape)


LABELS = np.array([[2, 0, -1, 1], [-1, 1, 2, 3], [3, 2, 1, 0]])
# A name, its inputs, and what its options may be besides the reduction.
CASES: list[tuple[str, list[Array], dict[str, list[Any]]]] = [
    ("mse_loss", [normal(3, 4), normal(3, 4)], {}),
    ("l1_loss", [normal(3, 4), normal(3, 4)], {}),
    ("huber_loss", [normal(3, 4), normal(3, 4)], {"delta": [1.0, 0.3]}),
    ("smooth_l1_loss", [normal(3, 4), normal(3, 4)], {"beta": [1.0, 0.3, 0.0]}),
    ("poisson_nll_loss", [uniform(3, 4), uniform(3, 4) * 4], {"log_input": [True, False], "full": [False, True]}),
    ("gaussian_nll_loss", [normal(3, 4), normal(3, 4), uniform(3, 4)], {"full": [False, True], "eps": [1e-6, 0.4]}),
    ("gaussian_nll_loss", [normal(3, 4), normal(3, 4), uniform(3, 1)], {}),
    ("gaussian_nll_loss", [normal(3, 4), normal(3, 4), uniform(3)], {}),
    ("kl_div", [normal(3, 4), uniform(3, 4)], {"log_target": [False, True]}),
    ("kl_div", [normal(3, 4), np.zeros((3, 4))], {}),
    ("soft_margin_loss", [normal(3, 4), signs(3, 4)], {}),
    ("multilabel_soft_margin_loss", [normal(3, 4), uniform(3, 4)], {}),
    ("multilabel_soft_margin_loss", [normal(4), uniform(4), uniform(4)], {}),
    ("margin_ranking_loss", [normal(5), normal(5), signs(5)], {"margin": [0, 0.4]}),
    ("hinge_embedding_loss", [normal(3, 4), signs(3, 4)], {"margin": [1.0, 0.2]}),
    ("hinge_embedding_loss", [normal(4), np.array([1, -1, 0, 1])], {}),
    ("cosine_embedding_loss", [normal(5, 3), normal(5, 3), signs(5).astype(int)], {"margin": [0, 0.3]}),
    ("cosine_embedding_loss", [normal(3), normal(3), np.array(-1)], {"margin": [-0.5]}),
    ("multi_margin_loss", [normal(3, 4), np.array([0, 3, 1])], {"p": [1, 2], "margin": [1.0, 0.3]}),
    ("multi_margin_loss", [normal(4), np.array(2)], {}),
    ("multilabel_margin_loss", [normal(3, 4), LABELS], {}),
    ("multilabel_margin_loss", [normal(4), LABELS[0]], {}),
    (
        "triplet_margin_loss",
        [normal(5, 3), normal(5, 3), normal(5, 3)],
        {"margin": [1.0, 0.1], "p": [2, 1, 3.5], "swap": [False, True], "eps": [1e-6, 0.1]},
    ),
    ("triplet_margin_loss", [normal(3), normal(3), normal(3)], {}),
    ("triplet_margin_with_distance_loss", [normal(5, 3), normal(5, 3), normal(5, 3)], {"swap": [False, True]}),
]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("name", "inputs", "options"), CASES)
def test_losses(name: str, inputs: list[Array], options: dict[str, list[Any]], reduction: str, dtype: str) -> None:
    given = [x.astype(dtype) if x.dtype.kind == "f" else x for x in inputs]
    for values in itertools.product(*options.values()):
        chosen = dict(zip(options, values, strict=True))
        agree(calls(name, reduction=reduction, **chosen), *given, needs=needs(name, given), errors=False)


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss"])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_weighted_losses(name: str, reduction: str) -> None:
    def call(m: Any, x: Any, t: Any, w: Any) -> Any:
        return getattr(functional(m), name)(x, t, reduction=reduction, weight=w)

    agree(call, normal(3, 4), normal(3, 4), uniform(3, 4), errors=False)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_weights_of_classes(reduction: str) -> None:
    def weighted(name: str, *inputs: Array, **options: Any) -> None:
        def call(m: Any, x: Any, t: Any, w: Any) -> Any:
            return getattr(functional(m), name)(x, t, weight=w, reduction=reduction, **options)

        agree(call, *inputs, needs=[True, False, False], errors=False)

    for p in (1, 2):
        weighted("multi_margin_loss", normal(3, 4), np.array([0, 3, 1]), uniform(4), p=p)
    weighted("multilabel_soft_margin_loss", normal(3, 4), uniform(3, 4), uniform(4))


def test_batchmean() -> None:
    agree(calls("kl_div", reduction="batchmean"), normal(3, 4), uniform(3, 4), errors=False)
    agree(calls("kl_div", reduction="batchmean"), np.array(0.3), np.array(0.5), errors=False)


def test_numbers_as_variances() -> None:
    agree(lambda m, x, t: functional(m).gaussian_nll_loss(x, t, 0.7), normal(3), normal(3), errors=False)


def test_at_kinks() -> None:
    """Differences of 0 and of exactly the threshold, margins that are exactly met."""
    zero, steps = np.zeros(5), np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    for name, options in (
        ("l1_loss", {}),
        ("huber_loss", {"delta": 0.5}),
        ("smooth_l1_loss", {"beta": 0.5}),
        ("smooth_l1_loss", {"beta": 0.0}),
    ):
        agree(calls(name, reduction="none", **options), steps, zero, errors=False)
    agree(calls("hinge_embedding_loss", margin=0.5, reduction="none"), steps, -np.ones(5), errors=False)
    agree(calls("margin_ranking_loss", margin=0.5, reduction="none"), steps, zero, np.ones(5), errors=False)
    agree(calls("multi_margin_loss"), np.array([[0.0, 1.0, 0.5]]), np.array([1]), errors=False)
    agree(calls("multilabel_margin_loss"), np.array([[0.0, 1.0, 0.5]]), np.array([[1, -1, 0]]), errors=False)
    agree(calls("triplet_margin_loss"), np.zeros((1, 2)), np.zeros((1, 2)), np.zeros((1, 2)), errors=False)


def test_the_older_arguments() -> None:
    for name in ("mse_loss", "kl_div", "poisson_nll_loss", "binary_cross_entropy_with_logits", "smooth_l1_loss"):
        for averages, reduces in itertools.product((None, True, False), repeat=2):
            agree(calls(name, size_average=averages, reduce=reduces), normal(3), uniform(3), errors=False)
    for name in ("mse_loss", "kl_div", "binary_cross_entropy_with_logits", "smooth_l1_loss"):
        agree(calls(name, reduction="elementwise_mean"), normal(3), uniform(3), errors=False)
    for averages, reduces in itertools.product((None, True, False), repeat=2):
        call = calls("cross_entropy", size_average=averages, reduce=reduces)
        agree(call, normal(3, 2), np.array([0, 1, 1]), errors=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name in ("MSELoss", "NLLLoss", "TripletMarginLoss", "BCELoss", "MultiMarginLoss", "KLDivLoss"):
                ours, theirs = (
                    getattr(lib, name)(size_average=averages, reduce=reduces).reduction for lib in (nn, torch.nn)
                )
                assert ours == theirs


MODULES: list[tuple[str, dict[str, Any], list[Array]]] = [
    ("MSELoss", {}, [normal(3), normal(3)]),
    ("L1Loss", {}, [normal(3), normal(3)]),
    ("HuberLoss", {"delta": 0.5}, [normal(3), normal(3)]),
    ("SmoothL1Loss", {"beta": 0.5}, [normal(3), normal(3)]),
    ("PoissonNLLLoss", {"log_input": False, "full": True, "eps": 0.1}, [uniform(3), uniform(3) * 5]),
    ("GaussianNLLLoss", {"full": True, "eps": 0.3}, [normal(3), normal(3), uniform(3)]),
    ("KLDivLoss", {"log_target": True}, [normal(3), normal(3)]),
    ("BCELoss", {}, [uniform(3), uniform(3)]),
    ("BCEWithLogitsLoss", {}, [normal(3), uniform(3)]),
    ("SoftMarginLoss", {}, [normal(3), signs(3)]),
    ("NLLLoss", {"ignore_index": 1}, [normal(3, 4), np.array([0, 1, 3])]),
    ("CrossEntropyLoss", {"ignore_index": 1, "label_smoothing": 0.1}, [normal(3, 4), np.array([0, 1, 3])]),
    ("MarginRankingLoss", {"margin": 0.5}, [normal(3), normal(3), signs(3)]),
    ("HingeEmbeddingLoss", {"margin": 0.5}, [normal(3), signs(3)]),
    ("CosineEmbeddingLoss", {"margin": 0.1}, [normal(3, 2), normal(3, 2), signs(3)]),
    ("MultiLabelMarginLoss", {}, [normal(3, 4), LABELS]),
    ("MultiLabelSoftMarginLoss", {}, [normal(3, 4), uniform(3, 4)]),
    ("MultiMarginLoss", {"p": 2, "margin": 0.5}, [normal(3, 4), np.array([0, 1, 3])]),
    (
        "TripletMarginLoss",
        {"margin": 0.5, "p": 1, "swap": True, "eps": 0.1},
        [normal(3, 2), normal(3, 2), normal(3, 2)],
    ),
    ("TripletMarginWithDistanceLoss", {"margin": 0.5, "swap": True}, [normal(3, 2), normal(3, 2), normal(3, 2)]),
]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("name", "options", "inputs"), MODULES)
def test_modules(name: str, options: dict[str, Any], inputs: list[Array], reduction: str) -> None:
    ours = getattr(nn, name)(reduction=reduction, **options)
    theirs = getattr(torch.nn, name)(reduction=reduction, **options)
    agree(lambda m, *xs: (ours if m is ad else theirs)(*xs), *inputs, needs=needs(name, inputs), errors=False)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    if name != "TripletMarginWithDistanceLoss":
        assert repr(ours) == repr(theirs)


REFUSED: list[tuple[str, list[Array], dict[str, Any]]] = [
    ("binary_cross_entropy", [uniform(3, 1), uniform(3)], {}),
    ("gaussian_nll_loss", [normal(3, 4), normal(3, 4), -uniform(3, 4)], {}),
    ("gaussian_nll_loss", [normal(3, 4), normal(3, 4), uniform(2)], {}),
    ("gaussian_nll_loss", [normal(3, 4), normal(3, 4), uniform(1, 1)], {}),
    ("huber_loss", [normal(3), normal(3)], {"delta": 0.0}),
    ("smooth_l1_loss", [normal(3), normal(3)], {"beta": -1.0}),
    ("multi_margin_loss", [normal(3, 4), np.array([0, 1, 3])], {"p": 3}),
    ("multi_margin_loss", [normal(3, 4), np.array([0, 1, 4])], {}),
    ("multi_margin_loss", [normal(3, 4), np.array([0, 1])], {}),
    ("multilabel_margin_loss", [normal(3, 4), LABELS[:2]], {}),
    ("multilabel_margin_loss", [normal(3, 4), np.full((3, 4), 4)], {}),
    ("cosine_embedding_loss", [normal(3, 2), normal(3, 2), signs(3, 2)], {}),
    ("triplet_margin_loss", [normal(3, 2), normal(3, 2), normal(3, 2)], {"margin": 0.0}),
    ("margin_ranking_loss", [normal(3), normal(3), signs(3, 1)], {}),
    ("mse_loss", [normal(3), normal(3)], {"reduction": "average"}),
    ("kl_div", [normal(3), normal(3)], {"reduction": "average"}),
    ("l1_loss", [normal(3), normal(2)], {}),
]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("name", "inputs", "options"), REFUSED)
def test_what_both_refuse(name: str, inputs: list[Array], options: dict[str, Any]) -> None:
    for m in (ad, torch):
        with pytest.raises((RuntimeError, ValueError, IndexError)):
            calls(name, **options)(m, *map(m.from_numpy, inputs))


def ctc(dim: int, **options: Any) -> Callable[..., Any]:
    """Through log_softmax along `dim`, whose derivative PyTorch's gradient takes for granted."""
    return lambda m, x, *given: functional(m).ctc_loss(x.log_softmax(dim), *given, **options)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_ctc(reduction: str, dtype: str) -> None:
    x = rng.normal(size=(7, 4, 5)).astype(dtype)
    targets = np.array([[1, 2, 2], [3, 3, 1], [4, 0, 0], [2, 1, 4]])
    lengths = np.array([7, 6, 4, 7])
    for blank, each in itertools.product((0, 4), ([3, 2, 1, 3], [1, 0, 0, 2])):
        t = np.where(targets == blank, 3, targets)
        flat = np.concatenate([row[:n] for row, n in zip(t, each, strict=True)])
        for given in (t, flat):
            agree(ctc(2, blank=blank, reduction=reduction), x, given, lengths, np.array(each), errors=False)
    one = ctc(1, input_lengths=(7,), target_lengths=(3,), reduction=reduction)
    agree(one, x[:, 0], targets[0], errors=False)


def test_ctc_of_targets_that_are_too_long() -> None:
    given = normal(3, 3, 4), np.array([[1, 1, 2], [1, 2, 3], [1, 1, 3]]), np.array([3, 2, 0]), np.array([3, 3, 0])
    for reduction in REDUCTIONS:
        agree(ctc(2, reduction=reduction, zero_infinity=True), *given, errors=False)
    agree(ctc(2, reduction="none"), *given, needs=[False] * 4, errors=False)


@pytest.mark.parametrize("dtype", DTYPES)
def test_ctc_of_long_sequences(dtype: str) -> None:
    x = (normal(200, 2, 6) * 5).astype(dtype)
    call = ctc(2, input_lengths=(200, 150), target_lengths=(60, 40), reduction="sum")
    # Both add 200 logarithms of float32, each in its own order.
    agree(call, x, rng.integers(1, 6, (2, 60)), errors=False, tolerance=1e-4 if dtype == "float32" else 1e-10)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", [(), (6,)])
def test_adaptive_log_softmax(bias: bool, shape: tuple[int, ...]) -> None:
    options: dict[str, Any] = {"cutoffs": [3, 5, 9], "div_value": 1.5, "head_bias": bias}
    ad.manual_seed(0)
    torch.manual_seed(0)
    ours, theirs = (
        nn.AdaptiveLogSoftmaxWithLoss(8, 12, **options),
        torch.nn.AdaptiveLogSoftmaxWithLoss(8, 12, **options),
    )
    assert repr(ours) == repr(theirs)
    for (name, a), (other, b) in zip(ours.state_dict().items(), theirs.state_dict().items(), strict=True):
        assert name == other
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    ours, theirs = ours.double(), theirs.double()
    x, t = normal(*shape, 8), rng.integers(0, 12, shape)
    agree(lambda m, x, t: (ours if m is ad else theirs)(x, t), x, t, errors=False)
    agree(lambda m, x: (ours if m is ad else theirs).log_prob(x), normal(5, 8), errors=False)
    for scale in (1, 10):
        x = normal(50, 8) * scale
        same(theirs.predict(torch.tensor(x)), ours.predict(ad.tensor(x)))
    for module, parameters in ((ours, list(ours.parameters())), (theirs, list(theirs.parameters()))):
        m = ad if module is ours else torch
        module(m.tensor(normal(1, 8) * 0 + 1).reshape(1, 8), m.tensor([7])).loss.backward()
        assert len(parameters) == len(list(ours.parameters()))
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert (a.grad is None) == (b.grad is None)
        if a.grad is not None:
            same(b.grad, a.grad)


@pytest.mark.parametrize("options", [{}, {"bias": True}, {"out_features": (2,), "bias": True}])
def test_linear_cross_entropy(options: dict[str, Any]) -> None:
    ad.manual_seed(0)
    torch.manual_seed(0)
    ours = nn.LinearCrossEntropyLoss(4, 3, label_smoothing=0.1, **options)
    theirs = torch.nn.LinearCrossEntropyLoss(4, 3, label_smoothing=0.1, **options)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    shape = (5, *options.get("out_features", ()))
    x = normal(5, 4).astype(np.float32)
    agree(lambda m, x, t: (ours if m is ad else theirs)(x, t), x, rng.integers(0, 3, shape), errors=False)

"""Losses that ask for a margin between the scores of what is right and what is wrong.

`reduction` is "mean", "sum" or "none", which gives the loss of each sample. Shapes never broadcast.
"""

from collections.abc import Callable

import numpy as np

import autodiff as ad
from autodiff.op import OpError, describe
from autodiff.ops.indexing import gather
from autodiff.tensor import Array, Tensor, wrap
from nn.functional.distance import pairwise_distance
from nn.functional.operands import arrays_of, check_positive, check_same_shape
from nn.functional.reduction import reduced


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, margin - t (x₁ - x₂)): x₁ should be the larger one where t is 1, the smaller one where t is -1.

    OpError if the shapes differ.

    >>> import autodiff as ad
    >>> margin_ranking_loss(ad.tensor([1.0, 2.0]), ad.tensor([0.0, 5.0]), ad.tensor([1.0, 1.0]))
    tensor(1.5000)
    """
    check_same_shape("margin_ranking_loss", input1, input2, "second input")
    check_same_shape("margin_ranking_loss", input1, target)
    return reduced((margin - target * (input1 - input2)).clamp(min=0), reduction, size_average, reduce)


def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """x where t is 1, and max(0, margin - x) where it is -1: of the distances x of pairs that belong together or not.

    OpError if the shapes differ.

    >>> import autodiff as ad
    >>> hinge_embedding_loss(ad.tensor([0.5, 0.2]), ad.tensor([1, -1]), reduction="none")
    tensor([0.5000, 0.8000])
    """
    check_same_shape("hinge_embedding_loss", input, target)
    apart = ad.where(target != 1, (margin - input).clamp(min=0), 0.0)
    return reduced(apart + ad.where(target != -1, input, 0.0), reduction, size_average, reduce)


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """1 - cos(x₁, x₂) where t is 1, and max(0, cos(x₁, x₂) - margin) where it is -1.

    Inputs (N, D) or (D), and a target (N) or (). OpError for other shapes.

    >>> import autodiff as ad
    >>> cosine_embedding_loss(ad.tensor([[1.0, 0.0]]), ad.tensor([[0.0, 1.0]]), ad.tensor([1]))
    tensor(1.)
    """
    name = "cosine_embedding_loss"
    check_same_shape(name, input1, input2, "second input")
    shape, (_, t) = input1.shape, arrays_of(name, input1, target)
    if len(shape) not in (1, 2) or t.shape != shape[:-1]:
        raise OpError(f"{name} expected inputs (N, D) or (D) with a target (N) or (), got {shape} and {t.shape}")
    squares1, squares2 = (x.square().sum(-1) + 1e-12 for x in (input1, input2))
    cosine = (input1 * input2).sum(-1) / (squares1 * squares2).sqrt()
    apart = ad.where(target == -1, (cosine - margin).clamp(min=0), 0.0)
    return reduced(apart + ad.where(target == 1, 1 - cosine, 0.0), reduction, size_average, reduce)


def _classes(name: str, input: Tensor, target: Tensor, shape: tuple[int, ...], wanted: str) -> Array:
    """The target, of class indices in `shape`, once it fits an input (C) or (N, C)."""
    x, t = arrays_of(name, input, target)
    if x.ndim not in (1, 2) or t.shape != shape or not x.shape[-1]:
        raise OpError(f"{name} expected scores (N, C) or (C) and a target {wanted}, got {x.shape} and {t.shape}")
    if t.dtype.kind not in "iu":
        raise OpError(f"{name} expected class indices of an integer dtype, got {describe(target)}: use target.long()")
    return t


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Σ max(0, margin - x[y] + x[i])ᵖ / C over the classes i other than the target y.

    Scores (N, C) or (C) and class indices (N) or (); p is 1 or 2, and `weight` (C) multiplies the losses of each class.
    OpError for other shapes, IndexError for indices outside 0 to C - 1.

    >>> import autodiff as ad
    >>> multi_margin_loss(ad.tensor([[0.1, 0.2, 0.4]]), ad.tensor([2]))
    tensor(0.5000)
    """
    if p not in (1, 2):
        raise ValueError(f"multi_margin_loss expected p to be 1 or 2, got {p!r}")
    input = input if input.ndim else input.reshape(1)
    # One sample may have its class in a vector.
    target = target.reshape(()) if input.ndim == 1 and target.shape == (1,) else target
    t = _classes("multi_margin_loss", input, target, input.shape[:-1], "(N) or ()")
    classes = input.shape[-1]
    if t.size and not 0 <= t.min() <= t.max() < classes:
        raise IndexError(
            f"multi_margin_loss expected class indices from 0 to {classes - 1}, got {t.min()} to {t.max()}"
        )
    at = t.astype(np.int64)
    excess = (margin - gather(input, -1, wrap(at[..., None])) + input).relu()
    others = wrap((np.arange(classes) != at[..., None]).astype(input.dtype))
    losses = ((excess if p == 1 else excess.square()) * others).sum(-1) / classes
    if weight is not None:
        if weight.shape != (classes,):
            raise OpError(f"multi_margin_loss expected a weight of shape ({classes},), got {describe(weight)}")
        losses = losses * weight[wrap(at)]
    return reduced(losses, reduction, size_average, reduce)


def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Σ max(0, 1 - x[y] + x[i]) / C over the target classes y of a sample and the classes i that are none of them.

    Scores (N, C) or (C), and targets of the same shape: class indices, of which those from the first -1 on do not
    count. OpError for other shapes, IndexError for indices outside -1 to C - 1.

    >>> import autodiff as ad
    >>> multilabel_margin_loss(ad.tensor([[0.1, 0.2, 0.4, 0.8]]), ad.tensor([[3, 0, -1, 1]]))
    tensor(0.8500)
    """
    if not input.ndim and not target.ndim:
        input, target = input.reshape(1), target.reshape(1)
    t = _classes("multilabel_margin_loss", input, target, input.shape, "of the same shape")
    classes = t.shape[-1]
    if t.size and not -1 <= t.min() <= t.max() < classes:
        raise IndexError(
            f"multilabel_margin_loss expected class indices from 0 to {classes - 1}, or -1 behind the last; "
            f"got {t.min()} to {t.max()}"
        )
    counts = np.logical_and.accumulate(t >= 0, axis=-1)
    # As many columns as the sample with the most labels needs.
    used = max(1, int(counts.sum(-1).max(initial=0)))
    counts, at = counts[..., :used], np.where(counts, t, 0)[..., :used].astype(np.int64)
    wanted = ((at[..., None] == np.arange(classes)) & counts[..., None]).any(-2)
    excess = (1 - gather(input, -1, wrap(at)).unsqueeze(-1) + input.unsqueeze(-2)).relu()
    pairs = wrap((counts[..., :, None] & ~wanted[..., None, :]).astype(input.dtype))
    return reduced((excess * pairs).sum((-2, -1)) / classes, reduction, size_average, reduce)


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, margin + d(anchor, positive) - d(anchor, negative)) for the distances d of `pairwise_distance`.

    With `swap` the distance of positive and negative counts where it is the smaller one (Balntas et al. 2016). Shapes
    (N, D) or (D), OpError if they differ.

    >>> import autodiff as ad
    >>> triplet_margin_loss(ad.tensor([0.0]), ad.tensor([2.0]), ad.tensor([1.0]))
    tensor(2.)
    """

    def distance(a: Tensor, b: Tensor) -> Tensor:
        return pairwise_distance(a, b, p, eps)

    losses = _triplet("triplet_margin_loss", anchor, positive, negative, distance, margin, swap)
    return reduced(losses, reduction, size_average, reduce)


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """`triplet_margin_loss` for distances of one's own, by default those of `pairwise_distance`.

    >>> import autodiff as ad
    >>> squared = lambda a, b: (a - b).square().sum(-1)
    >>> triplet_margin_with_distance_loss(ad.zeros(1, 1), ad.ones(1, 1), ad.ones(1, 1) * 2, distance_function=squared)
    tensor(0.)
    """
    distance = pairwise_distance if distance_function is None else distance_function
    name = "triplet_margin_with_distance_loss"
    return reduced(_triplet(name, anchor, positive, negative, distance, margin, swap), reduction)


def _triplet(
    name: str,
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    distance: Callable[[Tensor, Tensor], Tensor],
    margin: float,
    swap: bool,
) -> Tensor:
    check_positive(name, "margin", margin)
    check_same_shape(name, anchor, positive, "positive")
    check_same_shape(name, anchor, negative, "negative")
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = ad.minimum(far, distance(positive, negative))
    return (margin + near - far).clamp(min=0)

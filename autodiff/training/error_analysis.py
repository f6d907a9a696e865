"""What the examples have in common that a model gets wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodiff.grad_mode import no_grad
from autodiff.tensor import Tensor
from nn import functional as F

MISLABELLED = "mislabelled"


@dataclass(frozen=True)
class Category:
    """A kind of error: how many of the examined errors are of it, and what the error would be without them."""

    name: str
    count: int
    share: float
    ceiling: float


@dataclass(frozen=True)
class ErrorTable:
    """Categories of errors, the largest first, out of `examined` errors of a set on which the model has `error`."""

    categories: tuple[Category, ...]
    examined: int
    error: float

    def __str__(self) -> str:
        width = max([len(category.name) for category in self.categories] + [8])
        lines = [f"{'category':<{width}}  errors    share  best error without them"]
        lines += [
            f"{row.name:<{width}}  {row.count:>6}  {100 * row.share:>5.1f} %  {100 * row.ceiling:.2f} % "
            f"(-{100 * (self.error - row.ceiling):.2f} %)"
            for row in self.categories
        ]
        lines += [
            f"{self.examined} errors examined of an error of {100 * self.error:.2f} %; one may be of several kinds"
        ]
        if any(row.name == MISLABELLED for row in self.categories):
            lines += [
                "Wrong labels are worth mending if they hide which of two models is better: in dev and test set alike,",
                "and look for them among what the model got right as well, or it looks better than it is.",
            ]
        return "\n".join(lines)


def error_table(tags: Sequence[str | Iterable[str]], error: float) -> ErrorTable:
    """Count the categories of errors that someone has looked at, with what mending each would bring at most.

    `tags` holds for each of some hundred wrong examples of the dev set its category or several, or none; `error` is the
    fraction of the whole dev set that is wrong. The ceiling of a category is the error if all of it went right. The
    category "mislabelled" is for labels that are wrong themselves. ValueError for no examples or an `error` outside
    [0, 1].
    Source: Ng, "Machine Learning Yearning", 2018.

    >>> from autodiff.training import error_table
    >>> table = error_table(["dog"] * 5 + [["blurred", "great cat"]] * 43 + ["great cat"] * 18 + [[]] * 34, error=0.10)
    >>> print("\\n".join(str(table).splitlines()[:4]))
    category   errors    share  best error without them
    great cat      61   61.0 %  3.90 % (-6.10 %)
    blurred        43   43.0 %  5.70 % (-4.30 %)
    dog             5    5.0 %  9.50 % (-0.50 %)
    """
    if not len(tags):
        raise ValueError("error_table: expected the categories of some errors, got none; look at a hundred or so")
    if not 0 <= error <= 1:
        raise ValueError(f"error_table: expected the error as a fraction from 0 to 1, got {error}; 8 % is 0.08")
    counts = Counter(name for one in tags for name in {*([one] if isinstance(one, str) else one)})
    rows = [Category(name, count, count / len(tags), error * (1 - count / len(tags))) for name, count in counts.items()]
    return ErrorTable(tuple(sorted(rows, key=lambda row: (-row.count, row.name))), len(tags), error)


def worst_examples(scores: Tensor, labels: Tensor, count: int | None = None) -> NDArray[np.int64]:
    """The places of the examples that a classifier gets wrong, those first whose label it gives least probability.

    `scores` are (n, classes), before the softmax, `labels` (n,). ValueError for other shapes.

    >>> import autodiff as ad
    >>> from autodiff.training import worst_examples
    >>> worst_examples(ad.tensor([[1.0, 0.0], [3.0, 0.0], [0.0, 9.0]]), ad.tensor([1, 1, 1]))
    array([1, 0])
    """
    _check(scores, labels)
    with no_grad():
        losses = F.cross_entropy(scores, labels, reduction="none").numpy()
    wrong = np.flatnonzero(scores.detach().numpy().argmax(1) != labels.numpy())
    return wrong[np.argsort(-losses[wrong], kind="stable")][:count]


def confusion(predictions: Any, labels: Any, classes: int | None = None) -> NDArray[np.int64]:
    """How many examples of each class (row) get each answer (column), by scikit-learn.

    `classes` is their number if not all occur. ModuleNotFoundError without scikit-learn, ValueError for predictions and
    labels of different lengths and for numbers that are no classes.

    >>> import autodiff as ad
    >>> from autodiff.training import confusion
    >>> confusion(ad.tensor([0, 1, 1, 2]), ad.tensor([0, 1, 2, 2]))
    array([[1, 0, 0],
           [0, 1, 0],
           [0, 1, 1]])
    """
    try:
        from sklearn.metrics import confusion_matrix
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "confusion counts with scikit-learn, which is not installed: pip install 'autodiff-numpy[train]'",
            name="sklearn",
        ) from error
    given, true = (np.asarray(x.detach() if isinstance(x, Tensor) else x) for x in (predictions, labels))
    if given.ndim != 1 or given.shape != true.shape or not true.size:
        raise ValueError(
            f"confusion: expected an answer for each label, got the shapes {given.shape} and {true.shape}; "
            f"of scores take argmax(1)"
        )
    if given.dtype.kind not in "iu" or true.dtype.kind not in "iu" or min(given.min(), true.min()) < 0:
        raise ValueError(f"confusion: expected classes, whole numbers from 0 on, got {given.dtype} and {true.dtype}")
    highest = int(max(given.max(), true.max()))
    if classes is not None and highest >= classes:
        raise ValueError(f"confusion: expected classes below {classes}, got {highest}")
    counts: NDArray[np.int64] = confusion_matrix(true, given, labels=range(classes or highest + 1))
    return counts


def _check(scores: Tensor, labels: Tensor) -> None:
    if scores.ndim != 2 or labels.shape != scores.shape[:1]:
        raise ValueError(f"expected scores (n, classes) and labels (n,), got {scores.shape} and {labels.shape}")

"""Pictures of what a model gets wrong and how it learns, as matplotlib figures: ``.savefig("picture.png")``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autodiff.grad_mode import no_grad
from autodiff.tensor import Tensor
from autodiff.training.error_analysis import worst_examples
from autodiff.training.learning_curve import LearningCurve

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_worst_examples(
    images: Tensor, scores: Tensor, labels: Tensor, count: int = 30, names: Sequence[str] | None = None
) -> Figure:
    """Draw the images that a classifier gets most wrong, with its answer, the label and the probability it gave that.

    `images` are (n, height, width) or (n, 1 or 3, height, width) from 0 to 1; `names` those of the classes. Order and
    errors are those of `worst_examples`; ModuleNotFoundError without matplotlib.
    """
    places = worst_examples(scores, labels)
    if len(images) != len(labels):
        raise ValueError(f"draw_worst_examples: expected an image for each of {len(labels)} labels, got {len(images)}")
    shown = places[:count]
    columns = min(10, max(len(shown), 3))
    rows = max(1, -(-len(shown) // columns))
    figure = _figure((1.2 * columns, 1.55 * rows + 0.4))
    figure.suptitle(f"{len(shown)} of {len(places)} errors:\nanswer, label and its probability", fontsize=9)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    with no_grad():
        probabilities = scores.softmax(1).numpy()
    for panel in panels:
        panel.set_axis_off()
    for panel, i in zip(panels, shown.tolist(), strict=False):
        answer, label = int(probabilities[i].argmax()), int(labels[i].item())
        panel.imshow(_pixels(images[i].detach().numpy()), cmap="gray_r", vmin=0, vmax=1)
        title = f"{_name(names, answer)}\nnot {_name(names, label)} ({probabilities[i, label]:.3f})"
        panel.set_title(title, fontsize=7, pad=2)
    return figure


def draw_confusion(counts: NDArray[np.int64], names: Sequence[str] | None = None) -> Figure:
    """Draw a confusion matrix: numbers of examples, coloured by their share of the label's row.

    `names` are those of the classes. Returns a matplotlib figure. ModuleNotFoundError without matplotlib, ValueError
    for a matrix that is not square or has not as many names.
    """
    classes = len(counts)
    if counts.ndim != 2 or counts.shape[1] != classes or (names is not None and len(names) != classes):
        raise ValueError(
            f"draw_confusion: expected a square matrix and a name for each class, got {counts.shape}"
            + (f" and {len(names)} names" if names is not None else "")
        )
    figure = _figure((1.6 + 0.5 * classes, 1.3 + 0.45 * classes))
    panel = figure.subplots()
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    panel.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i, j in np.argwhere(counts > 0):
        colour = "white" if shares[i, j] > 0.5 else "black"
        panel.text(j, i, f"{counts[i, j]}", ha="center", va="center", fontsize=8, color=colour)
    ticks = [_name(names, number) for number in range(classes)]
    panel.set_xticks(range(classes), ticks, rotation=45 if names else 0, ha="right" if names else "center")
    panel.set_yticks(range(classes), ticks)
    right = np.trace(counts) / max(counts.sum(), 1)
    panel.set(xlabel="answer", ylabel="label", title=f"{100 * right:.1f} % right")
    return figure


def draw_learning_curve(curve: LearningCurve, desired: float | None = None) -> Figure:
    """Draw the errors of a `learning_curve`, and the error that is wanted, such as the human level, as a line.

    A dev error that still falls asks for more data; two errors that have met above the wanted one do not: that is bias.
    ModuleNotFoundError without matplotlib.
    """
    figure = _figure((5.5, 3.6))
    panel = figure.subplots()
    for name, errors, colour in (("dev", curve.dev, "tab:orange"), ("train", curve.train, "tab:blue")):
        panel.plot(curve.sizes, [100 * error for error in errors], "o-", label=name, color=colour)
    if desired is not None:
        panel.axhline(100 * desired, linestyle="--", color="tab:green", label="wanted")
    panel.set(xlabel="training examples", ylabel="error, %", ylim=(0, None))
    panel.grid(alpha=0.25)
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(frameon=False)
    return figure


def _figure(size: tuple[float, float]) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "pictures are drawn with matplotlib, which is not installed: pip install 'autodiff-numpy[train]'",
            name="matplotlib",
        ) from error
    return Figure(figsize=size, layout="constrained")


def _pixels(image: NDArray[Any]) -> NDArray[Any]:
    if image.ndim == 2:
        return image
    return image[0] if len(image) == 1 else np.moveaxis(image, 0, -1)


def _name(names: Sequence[str] | None, number: int) -> str:
    return str(number) if names is None else names[number]

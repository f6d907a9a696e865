"""What a model is worth on data, and what it says of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import autodiff as ad
from autodiff.tensor import Tensor
from autodiff.training.batches import loader_of, parts
from autodiff.training.scores import Means, Metric, Metrics, named


def evaluate(
    model: Any,
    loss: Callable[[Any, Any], Any],
    data: Any,
    metrics: Metrics = (),
    *,
    batch_size: int | None = None,
) -> dict[str, float]:
    """The mean loss and metrics of `model` over `data`, which is what `fit` takes, each batch counted by its examples.

    The model is in evaluation mode meanwhile, and the default generator is left where it was. The errors are those of
    the data in `fit`.

    >>> import nn
    >>> model = nn.Linear(1, 1, bias=False)
    >>> _ = model.weight.data.fill_(2.0)
    >>> evaluate(model, nn.MSELoss(), (ad.tensor([[1.0], [2.0]]), ad.tensor([[2.0], [6.0]])))
    {'loss': 2.0}
    """
    return mean_values(model, loss, loader_of(data, model, batch_size), named(metrics))


def mean_values(model: Any, loss: Any, loader: ad.data.DataLoader, metrics: dict[str, Metric]) -> dict[str, float]:
    """`evaluate` for a loader and metrics by name."""
    means = Means()
    with _evaluating(model):
        for batch in loader:
            inputs, target = parts(batch)
            output = model(*inputs)
            values = {"loss": loss(output, target)} | {name: of(output, target) for name, of in metrics.items()}
            means.add(values, len(inputs[0]))
    if not means.count:
        raise ValueError("evaluate: the data gave no batch")
    return means.values()


def predict(model: Any, data: Any, *, batch_size: int | None = None) -> Tensor:
    """The outputs of `model` for all of `data`, one after the other, in evaluation mode and without a graph.

    `data` is a tensor or an array of inputs, or what `fit` takes, whose targets are left aside.

    >>> import nn
    >>> predict(nn.Flatten(), ad.ones(3, 2, 2)).shape
    (3, 4)
    """
    if not isinstance(data, tuple | ad.data.DataLoader | ad.data.Dataset):
        data = (data,)
    loader = loader_of(data, model, batch_size)
    with _evaluating(model):
        outputs = [model(*(batch[:-1] or batch)) for batch in loader]
    return ad.cat(outputs)


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    """Evaluation mode, and each module back in its own; no graph; no draw that the training would notice."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with ad.no_grad(), ad.random.fork_rng():
            yield
    finally:
        for module, mode in modes:
            module.training = mode

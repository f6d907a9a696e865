"""Averages of a model's weights over the steps of its training."""

from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import chain
from typing import Any

import autodiff as ad
from autodiff.tensor import Tensor
from nn.batch_norm import BatchNorm1d, BatchNorm2d, BatchNorm3d
from nn.module import Module

# Of the average, the present value and the number of models averaged.
AverageFunction = Callable[[Tensor, Tensor, Tensor], Tensor]
MultiAverageFunction = Callable[[list[Tensor], list[Tensor], Tensor], None]


def get_ema_avg_fn(decay: float = 0.999) -> AverageFunction:
    """The exponential moving average decay · average + (1 − decay) · value; ValueError for a decay outside [0, 1]."""
    if not 0.0 <= decay <= 1.0:
        raise ValueError(f"get_ema_avg_fn expected a decay from 0 to 1, got {decay}")

    def update(average: Tensor, value: Tensor, number: Tensor) -> Tensor:
        return decay * average + (1 - decay) * value

    return update


def get_swa_avg_fn() -> AverageFunction:
    """The mean of all values so far: average + (value − average) / (number + 1)."""

    def update(average: Tensor, value: Tensor, number: Tensor) -> Tensor:
        return average + (value - average) / (number + 1)

    return update


def get_ema_multi_avg_fn(decay: float = 0.999) -> MultiAverageFunction:
    """`get_ema_avg_fn` for lists of averages and values, in place."""
    if not 0.0 <= decay <= 1.0:
        raise ValueError(f"get_ema_multi_avg_fn expected a decay from 0 to 1, got {decay}")

    def update(averages: list[Tensor], values: list[Tensor], number: Tensor) -> None:
        for average, value in zip(averages, values, strict=True):
            average.lerp_(value.to(average.dtype), 1 - decay)

    return update


def get_swa_multi_avg_fn() -> MultiAverageFunction:
    """`get_swa_avg_fn` for lists of averages and values, in place."""

    def update(averages: list[Tensor], values: list[Tensor], number: Tensor) -> None:
        # As in PyTorch a number of the default dtype, to which it is rounded.
        weight = (1 / (number + 1)).item()
        for average, value in zip(averages, values, strict=True):
            average.lerp_(value.to(average.dtype), weight)

    return update


class AveragedModel(Module):
    """A copy of a model whose weights are the average of those that the model has at each `update_parameters`.

    By default the mean of all (stochastic weight averaging, Izmailov et al. 2018), or what `avg_fn` computes of an
    average, a value and the number averaged so far: ``get_ema_avg_fn(0.99)`` for example. `multi_avg_fn` gets lists
    of averages and values, and writes the averages in place. Buffers are copied, or averaged too if `use_buffers`.
    ValueError if both functions are given.

    >>> import autodiff as ad, nn
    >>> model = nn.Linear(1, 1)
    >>> average = nn.AveragedModel(model)
    >>> for value in (1.0, 2.0, 6.0):
    ...     _ = nn.init.constant_(model.weight, value)
    ...     average.update_parameters(model)
    >>> average.module.weight.item()
    3.0
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: AverageFunction | None = None,
        multi_avg_fn: MultiAverageFunction | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise ValueError("AveragedModel expected avg_fn or multi_avg_fn, got both")
        self.module = deepcopy(model).to(device=device)
        self.register_buffer("n_averaged", ad.tensor(0))
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Take the present values of `model` into the average; the first ones are the average."""
        averages, values = self._averaged(self.module), self._averaged(model)
        with ad.no_grad():
            if self.n_averaged.item() == 0:
                _copy(averages, values)
            elif self.multi_avg_fn is not None:
                self.multi_avg_fn(averages, values, self.n_averaged)
            else:
                update = self.avg_fn or get_swa_avg_fn()
                _copy(averages, [update(a, v, self.n_averaged) for a, v in zip(averages, values, strict=True)])
            if not self.use_buffers:
                _copy(self.module.buffers(), model.buffers())
            self.n_averaged.add_(1)

    def _averaged(self, model: Module) -> list[Tensor]:
        buffers = model.buffers() if self.use_buffers else ()
        return [tensor.detach() for tensor in chain(model.parameters(), buffers)]


def _copy(to: Iterable[Tensor], values: Iterable[Tensor]) -> None:
    for tensor, value in zip(to, values, strict=True):
        tensor.copy_(value)


def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Compute the running averages of the batch normalisation in `model` anew, over one pass through the data.

    A batch is a tensor, or a list or tuple that starts with one. Call it on an averaged model, whose weights no batch
    has passed before. (Izmailov et al. 2018, section 3.2)

    >>> import autodiff as ad, nn
    >>> model = nn.BatchNorm1d(1)
    >>> nn.update_bn([ad.tensor([[1.0], [3.0]]), ad.tensor([[5.0], [7.0]])], model)
    >>> model.running_mean
    tensor([4.])
    """
    momenta = {m: m.momentum for m in model.modules() if isinstance(m, BatchNorm1d | BatchNorm2d | BatchNorm3d)}
    if not momenta:
        return
    training = model.training
    model.train()
    try:
        for module in momenta:
            module.reset_running_stats()
            module.momentum = None
        with ad.no_grad():
            for batch in loader:
                input = batch[0] if isinstance(batch, list | tuple) else batch
                model(input if device is None else input.to(device=device))
    finally:
        for module, momentum in momenta.items():
            module.momentum = momentum
        model.train(training)

"""What a model consists of and what a call costs: a table of its layers."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import autodiff as ad
from autodiff.tensor import Tensor
from nn.attention import MultiheadAttention
from nn.bilinear import Bilinear
from nn.conv import Convolution
from nn.linear import Linear
from nn.module import Module
from nn.parameter import UninitializedTensor
from nn.rnn import RNNBase
from nn.rnn_cell import RNNCellBase


class Row(NamedTuple):
    """One call of one module; shapes are those of its outputs, memory is in bytes."""

    path: str
    layer: str
    output_shapes: tuple[tuple[int, ...], ...]
    parameters: int
    multiply_adds: int
    activation_bytes: int


class Summary(NamedTuple):
    """The rows of a model's table, in the order of the calls, and the totals; printing it gives the table."""

    rows: list[Row]
    parameters: int
    trainable_parameters: int
    parameter_bytes: int
    multiply_adds: int
    activation_bytes: int

    def __str__(self) -> str:
        cells = [("Layer", "Output shape", "Parameters", "Multiply-adds", "Activations"), *map(_cells, self.rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [
            "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(row, "<<>>>", widths, strict=True))
            for row in cells
        ]
        rule = "-" * max(map(len, lines))
        totals = [
            f"Parameters: {self.parameters:,} ({self.trainable_parameters:,} trainable), {_size(self.parameter_bytes)}",
            f"Multiply-adds: {self.multiply_adds:,}",
            f"Activations: {_size(self.activation_bytes)}",
        ]
        return "\n".join([lines[0].rstrip(), rule, *(line.rstrip() for line in lines[1:]), rule, *totals])


def summary(model: Module, input: Any, **kwargs: Any) -> Summary:
    """Call `model` on an input, or a tuple of inputs, and tabulate each layer.

    Columns: the shape of the output, its own parameters (a shared one where it is first used), the
    multiply-adds of the matrix products in linear, convolutional, recurrent and attention layers, and the memory of
    the outputs of layers that call no others, unless they are views of the input. The model is called in evaluation
    mode without recording, and is afterwards what it was.

    >>> import autodiff as ad, nn
    >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> print(nn.summary(model, ad.zeros(16, 4)))
    Layer         Output shape  Parameters  Multiply-adds  Activations
    ------------------------------------------------------------------
    Sequential    (16, 2)                -              -            -
      0 (Linear)  (16, 8)               40            512        512 B
      1 (ReLU)    (16, 8)                -              -        512 B
      2 (Linear)  (16, 2)               18            256        128 B
    ------------------------------------------------------------------
    Parameters: 58 (58 trainable), 232 B
    Multiply-adds: 768
    Activations: 1.1 KiB
    """
    recorder = _Recorder(model)
    modes = [(module, module.training) for module in model.modules()]
    handles = []
    try:
        for module in model.modules():
            handles.append(module.register_forward_pre_hook(recorder.enter))
            handles.append(module.register_forward_hook(recorder.leave, with_kwargs=True))
        with ad.no_grad():
            model.eval()(*(input if isinstance(input, tuple | list) else (input,)), **kwargs)
    finally:
        for handle in handles:
            handle.remove()
        for module, training in modes:
            module.training = training
    rows = [row for row in recorder.rows if row is not None]
    parameters = [p for p in model.parameters() if not isinstance(p, UninitializedTensor)]
    return Summary(
        rows,
        sum(p.numel() for p in parameters),
        sum(p.numel() for p in parameters if p.requires_grad),
        sum(p.array.nbytes for p in parameters),
        sum(row.multiply_adds for row in rows),
        sum(row.activation_bytes for row in rows),
    )


class _Recorder:
    """Makes the rows: a place when a module is called, the row itself when it returns."""

    def __init__(self, model: Module) -> None:
        self.paths = {module: path for path, module in model.named_modules()}
        self.rows: list[Row | None] = []
        self.open: list[int] = []
        self.counted: set[int] = set()

    def enter(self, module: Module, args: Any) -> None:
        self.open.append(len(self.rows))
        self.rows.append(None)

    def leave(self, module: Module, args: Any, kwargs: Any, output: Any) -> None:
        place = self.open.pop()
        inputs, outputs = _tensors((args, kwargs)), _tensors(output)
        innermost = place == len(self.rows) - 1
        own = [p for p in module.parameters(recurse=innermost) if id(p) not in self.counted]
        self.counted |= {id(p) for p in own}
        self.rows[place] = Row(
            self.paths[module],
            type(module).__name__,
            tuple(x.shape for x in outputs),
            sum(p.numel() for p in own),
            _multiply_adds(module, inputs, outputs),
            sum(x.array.nbytes for x in outputs if not _is_view(x, inputs)) if innermost else 0,
        )


def _is_view(x: Tensor, inputs: list[Tensor]) -> bool:
    return any(np.may_share_memory(x.array, y.array) for y in inputs)


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return [tensor for element in values for tensor in _tensors(element)]


def _attention(module: Any, inputs: list[Tensor], outputs: list[Tensor]) -> int:
    query, key, value = inputs[:3]
    embedding = module.embed_dim
    # The projections of the three inputs and of the output, then scores and weighted sums.
    projected = sum(x.numel() for x in (query, key, value)) * embedding + query.numel() * embedding
    keys = key.numel() // key.shape[-1]
    batch = 1 if query.ndim == 2 else query.shape[0 if module.batch_first else 1]
    total: int = projected + 2 * query.numel() * (keys // max(batch, 1))
    return total


def _recurrent(module: Any, inputs: list[Tensor], outputs: list[Tensor]) -> int:
    steps = inputs[0].numel() // max(module.input_size, 1)
    weights = sum(p.numel() for name, p in module.named_parameters(recurse=False) if name.startswith("weight"))
    return int(steps * weights)


def _convolution(module: Any, inputs: list[Tensor], outputs: list[Tensor]) -> int:
    # Each output, or each input of a transposed convolution, meets one slice of the weight.
    weights: int = math.prod(module.weight.shape[1:])
    return (inputs if module.transposed else outputs)[0].numel() * weights


_MULTIPLY_ADDS: dict[Any, Callable[[Any, list[Tensor], list[Tensor]], int]] = {
    Linear: lambda module, inputs, outputs: outputs[0].numel() * module.in_features,
    Bilinear: lambda module, inputs, outputs: outputs[0].numel() * module.in1_features * module.in2_features,
    Convolution: _convolution,
    RNNBase: _recurrent,
    RNNCellBase: _recurrent,
    MultiheadAttention: _attention,
}


def _multiply_adds(module: Module, inputs: list[Tensor], outputs: list[Tensor]) -> int:
    return next((count(module, inputs, outputs) for cls, count in _MULTIPLY_ADDS.items() if isinstance(module, cls)), 0)


def _cells(row: Row) -> tuple[str, ...]:
    depth = row.path.count(".") + 1 if row.path else 0
    name = row.path.rpartition(".")[2]
    return (
        "  " * depth + (f"{name} ({row.layer})" if name else row.layer),
        ", ".join(map(str, row.output_shapes)) or "-",
        f"{row.parameters:,}" if row.parameters else "-",
        f"{row.multiply_adds:,}" if row.multiply_adds else "-",
        _size(row.activation_bytes) if row.activation_bytes else "-",
    )


def _size(number: int) -> str:
    """Bytes in units of 1024."""
    if number < 1024:
        return f"{number} B"
    power = min((number.bit_length() - 1) // 10, 3)
    return f"{number / 1024**power:,.1f} {'KMG'[power - 1]}iB"

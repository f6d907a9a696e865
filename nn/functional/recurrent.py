"""Recurrent layers: all steps of one layer in one direction as one op, whatever the cell.

The rows of a batch of sequences lie one step behind the other, (steps * batch, ...), each step with the rows of the
sequences that have not ended: the layout of a `PackedSequence`. The state of all sequences is one array, of which a
step writes the first rows. So it ends as the last state of each sequence, and in the reverse direction, where the
number of rows grows, each sequence starts from its initial state, without any case for either.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np

import autodiff as ad
from autodiff.compiled import loop_named, usable
from autodiff.op import Recorder
from autodiff.ops.packing import outputs
from autodiff.ops.shape import sum_rows
from autodiff.recorders import operation
from autodiff.tensor import Array, Tensor, wrap
from nn.functional.linear import linear
from nn.functional.recurrent_cells import Cell, GRUCell, LSTMCell, ReluCell, TanhCell
from nn.functional.small_products import dot_into

# The derivatives that need no order of the steps are computed on so many numbers at a time, which stay in the cache.
BLOCK = 32768
Steps = list[tuple[int, int]]
# x, w_ih, w_hh, b_ih, b_hh, h, c and w_hr.
Inputs = tuple[Any, Any, Any, Any, Any, Any, Any, Any]


def steps_of(sizes: Sequence[int], reverse: bool) -> Steps:
    """The first row and the number of rows of each step, in the order in which the layer takes them."""
    steps = [*zip(accumulate(sizes, initial=0), sizes, strict=False)]
    return steps[::-1] if reverse else steps


class Layer:
    """The kernel of a cell's op, the rule, and its fast form."""

    def __init__(self, cell: type[Cell]) -> None:
        self.cell = cell

    def kernel(
        self, x: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, h: Any, c: Any, w_hr: Any,
        sizes: Sequence[int], reverse: bool,
    ) -> Any:  # fmt: skip
        """The outputs of all steps, the last h and, if there is one, the last c: flattened, one behind the other.

        With them comes what the fast form of the rule needs beside the inputs.
        """
        inputs = (x, w_ih, w_hh, b_ih, b_hh, h, c, w_hr)
        if any(hasattr(part, "each_sample") for part in inputs):
            # Inside vmap, where each sample may have weights of its own.
            tensors: list[Any] = [None if part is None else wrap(part) for part in inputs]
            return composed(self.cell, *tensors, sizes=sizes, reverse=reverse).array, None
        cell, rows, batch, size = self.cell, len(x), len(h), len(w_hh) // len(self.cell.factors)
        dtype = np.result_type(*(part for part in inputs if part is not None))
        factors = np.repeat(np.array(cell.factors, dtype), size)
        gates = np.dot(x, (w_ih * factors[:, None]).T).astype(dtype, copy=False)
        weight = np.ascontiguousarray((w_hh * factors[:, None]).T, dtype)
        bias = None if b_hh is None else b_hh * factors
        if b_ih is not None:
            gates += b_ih * factors if cell.bias_apart else b_ih * factors + bias
        before = np.empty((rows, h.shape[1]), dtype)
        kept = np.empty((cell.kept, rows, size), dtype)
        packed = np.empty(rows * h.shape[1] + h.size + (0 if c is None else c.size), dtype)
        ys = packed[: before.size].reshape(before.shape)
        h, c = np.array(h, dtype), None if c is None else np.array(c, dtype)
        hidden, loop = np.empty((batch, gates.shape[1]), dtype), self.loop("advance", gates)
        ahead = None if loop is None else np.empty((batch, size), dtype)
        for start, n in steps_of(sizes, reverse):
            stop = start + n
            state, part = h[:n], hidden[:n]
            before[start:stop] = state
            dot_into(state, weight, part)
            if cell.bias_apart and bias is not None:
                part += bias
            memory, each = None if c is None else c[:n], [k[start:stop] for k in kept]
            if loop is None or ahead is None:
                new = cell.advance(gates[start:stop], part, state, memory, each, factors)
            else:
                new = ahead[:n]
                loop(gates[start:stop], part, state, memory, *each, new)
            state[...] = new if w_hr is None else np.dot(new, w_hr.T)
            ys[start:stop] = state
        packed[before.size : before.size + h.size] = h.reshape(-1)
        if c is not None:
            packed[before.size + h.size :] = c.reshape(-1)
        return packed, (gates, before, kept)

    def loop(self, name: str, gates: Array) -> Any:
        """The loop that takes the place of the cell's method `name`, if it has one for these gates."""
        return loop_named(f"{self.cell.loops}_{name}") if self.cell.loops and usable(gates) else None

    def rule(self, g: Any, inputs: Inputs, needs: Sequence[bool], sizes: Sequence[int], reverse: bool) -> Sequence[Any]:
        """The gradients of the inputs through the composed steps: where they are recorded, and inside vmap."""
        recorded = isinstance(g, Tensor)
        with ad.enable_grad():
            # Behind copies of their own inputs are where this differentiation ends, even if one is made from another.
            copies: list[Any] = [
                None if x is None else x.clone() if isinstance(x, Tensor) else wrap(x).requires_grad_() for x in inputs
            ]
            wanted = [x for x, need in zip(copies, needs, strict=True) if need]
            y = composed(self.cell, *copies, sizes=sizes, reverse=reverse)
            seed = g if recorded else wrap(g)
            found = ad.grad(y, wanted, seed, create_graph=recorded, materialize_grads=True)
        each = iter(found if recorded else [x.array for x in found])
        return [next(each) if need else None for need in needs]

    def by_hand(self, g: Array, inputs: Inputs, memo: Any, needs: Sequence[bool], steps: Steps) -> Sequence[Any]:
        """Backpropagation through time: a step does what depends on the one after it, and all else is done at once."""
        x, w_ih, w_hh, _, _, h, c, w_hr = inputs
        gates, before, kept = memo
        d, extra = np.empty_like(gates), np.empty((len(gates), gates.shape[1] // len(self.cell.factors)), gates.dtype)
        loop = self.loop("retreat", gates)
        for rows in _blocks(*gates.shape) if loop is None else ():
            self.cell.slopes(d[rows], extra[rows], gates[rows], before[rows], list(kept[:, rows]))
        dy = g[: before.size].reshape(before.shape)
        dh = np.array(g[before.size : before.size + h.size].reshape(h.shape))
        dc = None if c is None else np.array(g[before.size + h.size :].reshape(c.shape))
        projected = None if w_hr is None else np.empty_like(before)
        for start, n in steps:
            stop = start + n
            state = dh[:n]
            total = dy[start:stop] + state
            if projected is not None:
                projected[start:stop] = total
                total = total.dot(w_hr)
            memory = None if dc is None else dc[:n]
            if loop is None:
                past = self.cell.retreat(d[start:stop], extra[start:stop], gates[start:stop], total, memory)
            else:
                saved = [part[start:stop] for part in (d, extra, gates, before, *kept)]
                past = loop(*saved, total, memory)
            dot_into(d[start:stop], w_hh, state)
            if past is not None:
                state += past
        of_w_hh, of_b_hh = d.T.dot(before) if needs[2] else None, sum_rows(d) if needs[4] else None
        of_projection = None if projected is None else projected.T.dot(self.cell.unprojected(gates, kept))
        self.cell.at_input(d, extra)
        of_x, of_w_ih = d.dot(w_ih) if needs[0] else None, d.T.dot(x) if needs[1] else None
        of_b_ih = sum_rows(d) if needs[3] else None
        return of_x, of_w_ih, of_w_hh, of_b_ih, of_b_hh, dh, dc, of_projection


def _blocks(rows: int, width: int) -> list[slice]:
    step = max(1, BLOCK // width)
    return [slice(start, start + step) for start in range(0, rows, step)]


def composed(
    cell: type[Cell], x: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Any, b_hh: Any, h: Tensor, c: Any, w_hr: Any,
    *, sizes: Sequence[int], reverse: bool,
) -> Tensor:  # fmt: skip
    """What the op of a cell computes, made of other ops a step at a time."""
    a = linear(x, w_ih, b_ih)
    ys: dict[int, Tensor] = {}
    for start, n in steps_of(sizes, reverse):
        new, new_c = cell.step(a[start : start + n], linear(h[:n], w_hh, b_hh), h[:n], None if c is None else c[:n])
        if w_hr is not None:
            new = linear(new, w_hr)
        ys[start] = new
        h = new if n == len(h) else ad.cat([new, h[n:]])
        c = None if c is None else new_c if n == len(c) else ad.cat([new_c, c[n:]])
    parts = [*(ys[start] for start in sorted(ys)), h] + ([] if c is None else [c])
    return ad.cat([part.flatten() for part in parts])


def _declare(cell: type[Cell]) -> Recorder:
    layer = Layer(cell)
    return operation(
        cell.name,
        layer.kernel,
        arity=8,
        joint=lambda g, y, x, w_ih, w_hh, b_ih, b_hh, h, c, w_hr, needs, sizes, reverse: layer.rule(
            g, (x, w_ih, w_hh, b_ih, b_hh, h, c, w_hr), needs, sizes, reverse
        ),
        fast=lambda g, y, x, w_ih, w_hh, b_ih, b_hh, h, c, w_hr, memo, needs, sizes, reverse: layer.by_hand(
            g, (x, w_ih, w_hh, b_ih, b_hh, h, c, w_hr), memo, needs, steps_of(sizes, reverse)[::-1]
        ),
        memo=True,
        saves="x w_ih w_hh b_ih b_hh h c w_hr",
        analytic=cell.analytic,
        doc=f"All steps of one layer: {cell.__doc__}",
    )


CELLS = {cell.name: _declare(cell) for cell in (TanhCell, ReluCell, LSTMCell, GRUCell)}


GATES = {cell.name: len(cell.factors) for cell in (TanhCell, ReluCell, LSTMCell, GRUCell)}


def recur(
    name: str,
    x: Tensor,
    states: Sequence[Tensor],
    weights: Sequence[Tensor | None],
    sizes: Sequence[int],
    reverse: bool = False,
) -> list[Tensor]:
    """The outputs (rows, size) of a layer, its last h and, for an LSTM, its last c, given the first ones.

    `weights` are w_ih, w_hh, b_ih, b_hh and w_hr, in PyTorch's layout, the last three None where there are none.
    """
    *gates, w_hr = weights
    h, c = (*states, None)[:2]
    packed = CELLS[name](x, *gates, h, c, w_hr, sizes=tuple(sizes), reverse=reverse)
    return outputs(packed, (len(x), states[0].shape[1]), *(state.shape for state in states))

"""L-BFGS, the quasi-Newton method for whole data sets."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from autodiff.grad_mode import enable_grad
from autodiff.tensor import Array, Tensor, wrap
from autodiff.writes import record_write
from optim.gradients import check_gradients, gradient
from optim.line_search import Point, strong_wolfe
from optim.optimizer import Optimizer, Params
from optim.options import Group, check_rate, numbers_for_tensors, options

# What follows the curvature of the function less than this is no information on it.
LEAST_CURVATURE = 1e-10


class LBFGS(Optimizer):
    """Newton's method with a curvature estimated from the last steps (Liu and Nocedal, Math. Programming 1989).

    A step makes up to ``max_iter`` iterations and calls its ``closure``, which sets the gradients anew and returns the
    loss, up to ``max_eval`` times (5/4 of ``max_iter`` if None). It ends early where no gradient is above
    ``tolerance_grad`` or nothing changes by ``tolerance_change``. ``history_size`` steps are remembered.
    ``line_search_fn="strong_wolfe"`` looks for a good length of each step; without it this is ``lr``. ValueError for
    options out of range and for several parameter groups, TypeError for a step without closure.

    >>> import autodiff as ad, optim
    >>> w = ad.tensor([-1.2, 1.0], dtype=ad.float64, requires_grad=True)
    >>> optimizer = optim.LBFGS([w], max_iter=60, line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2
    ...     loss.backward()
    ...     return loss
    >>> optimizer.step(closure)
    tensor(24.2000, dtype=float64, grad_fn=<AddBackward0>)
    >>> w
    tensor([1.0000, 1.0000], dtype=float64, requires_grad=True)
    """

    bounds: ClassVar = dict.fromkeys(("lr", "tolerance_grad", "tolerance_change"), math.inf)

    def __init__(
        self,
        params: Params,
        lr: Any = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        if max_eval is None:
            max_eval = max_iter * 5 // 4
        super().__init__(params, options(locals()))

    def check_options(self, group: Group, index: int) -> None:
        super().check_options(group, index)
        if group["line_search_fn"] not in (None, "strong_wolfe"):
            raise ValueError(f"expected line_search_fn None or 'strong_wolfe', got {group['line_search_fn']!r}")

    def add_param_group(self, param_group: Group) -> None:
        if self.param_groups:
            raise ValueError("LBFGS doesn't support per-parameter options: expected one parameter group, got another")
        super().add_param_group(param_group)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Make up to ``max_iter`` iterations; returns the loss before them."""
        if closure is None:
            raise TypeError(
                "LBFGS evaluates the loss several times a step: expected step(closure), where closure() calls "
                "zero_grad(), computes the loss, calls its backward() and returns it"
            )
        check_rate(self.param_groups[0], 0)
        group = numbers_for_tensors(self.param_groups[0])
        state = self.state[group["params"][0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        with enable_grad():
            loss = closure()
        check_gradients([p for p in group["params"] if p.grad is not None], self.label)
        state["func_evals"] += 1
        point = Point(0, float(loss), self._gradient(), None)
        if np.abs(point.gradient).max() > group["tolerance_grad"]:
            self._iterate(closure, point, state, group)
        return loss

    def _iterate(self, closure: Callable[[], Any], point: Point, state: dict[str, Any], group: Group) -> None:
        calls, tolerance = 1, group["tolerance_change"]
        for iteration in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            direction = self._direction(point.gradient, state, group["history_size"])
            state["prev_flat_grad"], state["prev_loss"] = wrap(point.gradient), point.value
            step = group["lr"]
            if state["n_iter"] == 1:
                step *= min(1.0, 1.0 / np.abs(point.gradient).sum())
            state["d"], state["t"] = wrap(direction), float(step)
            slope = point.gradient @ direction
            if slope > -tolerance:
                break
            before, x = point, self._values()
            evaluate = self._along(closure, x, direction)
            if group["line_search_fn"]:
                start, longest = Point(0, before.value, before.gradient, slope), np.abs(direction).max()
                point, more = strong_wolfe(evaluate, start, step, longest, 1e-9, group["max_eval"] - calls)
                self._set_values(x + point.step * direction)
            elif iteration < group["max_iter"]:
                point, more = evaluate(step), 1
            else:
                # In a stochastic setting there is no use for the loss after the last iteration.
                self._set_values(x + step * direction)
                break
            calls += more
            state["func_evals"] += more
            state["t"] = float(point.step)
            if (
                calls >= group["max_eval"]
                or np.abs(point.gradient).max() <= group["tolerance_grad"]
                or np.abs(point.step * direction).max() <= tolerance
                or abs(point.value - before.value) < tolerance
            ):
                break

    def _direction(self, gradient: Array, state: dict[str, Any], history_size: int) -> Array:
        """The way down that the estimate of the curvature gives, which it brings up to date first."""
        if state["n_iter"] == 1:
            state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1)
            return -gradient
        changes, steps, inverses = state["old_dirs"], state["old_stps"], state["ro"]
        change = gradient - state["prev_flat_grad"].array
        step = state["d"].array * state["t"]
        curvature = change @ step
        if curvature > LEAST_CURVATURE:
            if len(changes) == history_size:
                for remembered in (changes, steps, inverses):
                    del remembered[0]
            changes.append(wrap(change))
            steps.append(wrap(step))
            inverses.append(wrap(np.asarray(1.0 / curvature)))
            state["H_diag"] = wrap(np.asarray(curvature / (change @ change)))
        # The two loops of Nocedal and Wright, algorithm 7.4.
        shares = state.setdefault("al", [None] * history_size)
        direction = -gradient
        for i in reversed(range(len(steps))):
            part = (steps[i].array @ direction) * inverses[i].array
            direction -= part * changes[i].array
            shares[i] = wrap(np.asarray(part))
        direction *= state["H_diag"].array if isinstance(state["H_diag"], Tensor) else state["H_diag"]
        for i in range(len(steps)):
            part = (changes[i].array @ direction) * inverses[i].array
            direction += (shares[i].array - part) * steps[i].array
        return direction

    def _along(self, closure: Callable[[], Any], x: Array, direction: Array) -> Callable[[Any], Point]:
        """The function that moves the parameters from `x` by a step along `direction` and evaluates there."""

        def evaluate(step: Any) -> Point:
            self._set_values(x + step * direction)
            with enable_grad():
                value = float(closure())
            gradient = self._gradient()
            return Point(step, value, gradient, gradient @ direction)

        return evaluate

    def _gradient(self) -> Array:
        parts = [np.zeros_like(p.array) if p.grad is None else gradient(p) for p in self.param_groups[0]["params"]]
        return np.concatenate([part.reshape(-1) for part in parts])

    def _values(self) -> Array:
        return np.concatenate([p.array.reshape(-1) for p in self.param_groups[0]["params"]])

    def _set_values(self, values: Array) -> None:
        start = 0
        for p in self.param_groups[0]["params"]:
            p.array[...] = values[start : start + p.numel()].reshape(p.shape)
            start += p.numel()
        record_write(*[p.array for p in self.param_groups[0]["params"]])

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """As of every optimizer, but the parameters have to be in the same order: the state is of all together."""
        own = self.param_groups[0].get("param_names")
        saved = [group.get("param_names", own) for group in state_dict.get("param_groups", [])[:1]]
        if saved and own and saved[0] != own:
            raise ValueError(
                f"LBFGS keeps one vector for all parameters: expected them in the order {own}, the loaded state dict "
                f"has {saved[0]}"
            )
        super().load_state_dict(state_dict)

    def restored_state(self, p: Tensor, label: str, values: Mapping[str, Any], group: Group) -> dict[str, Any]:
        size = sum(p.numel() for p in self.param_groups[0]["params"])
        for name in ("d", "prev_flat_grad"):
            if name in values and tuple(values[name].shape) != (size,):
                raise ValueError(
                    f"{name!r} does not fit: expected {size} numbers for all parameters together, the loaded state has "
                    f"the shape {tuple(values[name].shape)}"
                )
        state = super().restored_state(p, label, values, group)
        if isinstance(state.get("t"), Tensor):
            state["t"] = state["t"].item()
        return state

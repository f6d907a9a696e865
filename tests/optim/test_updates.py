"""The update formulas against the same formulas on Python numbers, and that it does not show how they are batched."""

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

import autodiff as ad
import optim
from autodiff.tensor import Tensor
from optim.elementwise import BLOCK, SMALL

Make = Callable[[Any], optim.Optimizer]
STEPS = 12


def sgd(p: float, gradients: list[float], lr: float, **options: Any) -> float:
    momentum, dampening = options.get("momentum", 0.0), options.get("dampening", 0.0)
    buffer = None
    for g in gradients:
        g = (-g if options.get("maximize") else g) + options.get("weight_decay", 0.0) * p
        if momentum:
            buffer = g if buffer is None else momentum * buffer + (1 - dampening) * g
            g = g + momentum * buffer if options.get("nesterov") else buffer
        p -= lr * g
    return p


def rmsprop(p: float, gradients: list[float], lr: float, alpha: float = 0.99, **options: Any) -> float:
    square = mean = buffer = 0.0
    for g in gradients:
        g = (-g if options.get("maximize") else g) + options.get("weight_decay", 0.0) * p
        square = alpha * square + (1 - alpha) * g**2
        mean = alpha * mean + (1 - alpha) * g if options.get("centered") else 0.0
        buffer = options.get("momentum", 0.0) * buffer + g / (math.sqrt(square - mean**2) + options.get("eps", 1e-8))
        p -= lr * buffer
    return p


def adam(
    p: float, gradients: list[float], lr: float, betas: tuple[float, float] = (0.9, 0.999), **options: Any
) -> float:
    mean = square = largest = 0.0
    decay = options.get("weight_decay", 0.0)
    for step, g in enumerate(gradients, start=1):
        if options.get("maximize"):
            g = -g
        if options.get("decoupled"):
            p *= 1 - lr * decay
        else:
            g += decay * p
        mean = betas[0] * mean + (1 - betas[0]) * g
        square = betas[1] * square + (1 - betas[1]) * g**2
        largest = max(largest, square) if options.get("amsgrad") else square
        corrected = largest / (1 - betas[1] ** step)
        p -= lr * mean / (1 - betas[0] ** step) / (math.sqrt(corrected) + options.get("eps", 1e-8))
    return p


def adamw(p: float, gradients: list[float], lr: float, weight_decay: float = 1e-2, **options: Any) -> float:
    return adam(p, gradients, lr, weight_decay=weight_decay, decoupled=True, **options)


def all_options(**choices: tuple[Any, ...]) -> list[dict[str, Any]]:
    return [dict(zip(choices, values, strict=True)) for values in product(*choices.values())]


CASES = [
    *(
        (optim.SGD, sgd, {"lr": 0.05, **options})
        for options in all_options(
            momentum=(0.0, 0.9),
            dampening=(0.0, 0.3),
            weight_decay=(0.0, 0.1),
            nesterov=(False, True),
            maximize=(False, True),
        )
        if not options["nesterov"] or (options["momentum"] and not options["dampening"])
    ),
    *(
        (optim.RMSprop, rmsprop, {"lr": 0.02, "alpha": 0.9, "eps": 1e-3, **options})
        for options in all_options(
            momentum=(0.0, 0.9), weight_decay=(0.0, 0.1), centered=(False, True), maximize=(False, True)
        )
    ),
    *(
        (cls, formula, {"lr": 0.03, "betas": (0.8, 0.95), "eps": 1e-3, **options})
        for cls, formula in ((optim.Adam, adam), (optim.AdamW, adamw))
        for options in all_options(weight_decay=(0.0, 0.1), amsgrad=(False, True), maximize=(False, True))
    ),
]
OPTIMIZERS: dict[str, Make] = {
    "SGD": lambda p: optim.SGD(p, lr=0.05),
    "SGD, momentum": lambda p: optim.SGD(p, lr=0.05, momentum=0.9, dampening=0.1, weight_decay=0.01),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.05, centered=True, momentum=0.5),
    "Adam": lambda p: optim.Adam(p, lr=0.05, amsgrad=True),
    "AdamW": lambda p: optim.AdamW(p, lr=0.05),
}


def parameter(values: Any) -> Tensor:
    return ad.from_numpy(np.array(values)).requires_grad_()


def descend(make: Make, params: list[Tensor], gradients: list[list[np.ndarray]]) -> optim.Optimizer:
    """One step for each entry of `gradients`, which has an array for each parameter."""
    optimizer = make(params)
    for arrays in gradients:
        for p, array in zip(params, arrays, strict=True):
            p.grad = ad.from_numpy(array.copy())
        optimizer.step()
    return optimizer


@pytest.mark.parametrize(("cls", "formula", "options"), CASES, ids=lambda part: str(getattr(part, "__name__", part)))
def test_updates_follow_the_formula(cls: Callable[..., Any], formula: Callable[..., float], options: Any) -> None:
    rng = np.random.default_rng(0)
    start = [rng.standard_normal(shape) for shape in ((), (3,), (2, 4), (1, 1, 2))]
    gradients = [[rng.standard_normal(array.shape) for array in start] for _ in range(STEPS)]
    params = [parameter(array) for array in start]

    descend(lambda p: cls(p, **options), params, gradients)

    for index, (p, array) in enumerate(zip(params, start, strict=True)):
        for position in np.ndindex(array.shape):
            seen = [float(arrays[index][position]) for arrays in gradients]
            expected = formula(float(array[position]), seen, **options)
            # float64: 12 steps of some ten roundings each; a wrong formula is off in the second digit.
            np.testing.assert_allclose(p.array[position], expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_batches_do_not_show(name: str, dtype: Any) -> None:
    """Trained together or each with an optimizer of its own: the same bits, of parameters and state."""
    rng = np.random.default_rng(1)
    shapes = [(), (7,), (0, 3), (5, 3), (SMALL,), (SMALL + 1,), (2, BLOCK + 3), *[(63, 65)] * 12]
    start = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    gradients = [[rng.standard_normal(shape).astype(dtype) for shape in shapes] for _ in range(3)]
    together, alone = [[parameter(array) for array in start] for _ in range(2)]

    optimizer = descend(OPTIMIZERS[name], together, gradients)
    for index, p in enumerate(alone):
        own = descend(OPTIMIZERS[name], [p], [[arrays[index]] for arrays in gradients])
        assert together[index].array.tobytes() == p.array.tobytes()
        assert optimizer.state[together[index]].keys() == own.state[p].keys()
        for key, value in own.state[p].items():
            other = optimizer.state[together[index]][key]
            assert (other.shape, other.dtype) == (value.shape, value.dtype)
            assert other.array.tobytes() == value.array.tobytes()


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("size", [6, SMALL + 6])
def test_the_memory_of_a_parameter_stays_whatever_its_strides(name: str, size: int) -> None:
    rng = np.random.default_rng(2)
    start = rng.standard_normal((size, 2))
    gradients = [[rng.standard_normal((size, 2)), rng.standard_normal(3)] for _ in range(3)]
    memory = np.zeros((2, 2 * size))
    strided = memory.T[::2]
    strided[...] = start
    plain, other = [parameter(start), parameter(np.ones(3))], [parameter(strided), parameter(np.ones(3))]
    other[0].data = ad.from_numpy(strided)

    descend(OPTIMIZERS[name], plain, gradients)
    descend(OPTIMIZERS[name], other, gradients)

    assert np.array_equal(memory.T[::2], plain[0].array)
    assert not memory.T[1::2].any()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_gradient_is_left_as_it_is(name: str) -> None:
    p, q = parameter(np.ones(4)), parameter(np.ones(2 * BLOCK))
    for tensor in (p, q):
        tensor.grad = ad.full_like(tensor, 3.0)
    optimizer = OPTIMIZERS[name]([p, q])
    for _ in range(2):
        optimizer.step()
    assert p.grad is not None
    assert q.grad is not None
    assert (p.grad.array == 3).all()
    assert (q.grad.array == 3).all()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_parameters_without_gradient_wait(name: str) -> None:
    """Each parameter goes its own way through the steps in which it has a gradient, and has no state before."""
    rng = np.random.default_rng(3)
    start, gradients = rng.standard_normal((4, 3)), rng.standard_normal((6, 4, 3))
    has_gradient = np.array([[1, 1, 1, 1, 1, 1], [1, 0, 1, 0, 0, 1], [0, 0, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0]], bool).T
    params = [parameter(array) for array in start]
    optimizer = OPTIMIZERS[name](params)
    for row, present in zip(gradients, has_gradient, strict=True):
        for p, g, given in zip(params, row, present, strict=True):
            p.grad = ad.from_numpy(g) if given else None
        optimizer.step()

    for index, p in enumerate(params):
        own = parameter(start[index])
        expected = descend(OPTIMIZERS[name], [own], [[g] for g in gradients[has_gradient[:, index], index]])
        assert np.array_equal(p.array, own.array)
        state, own_state = optimizer.state_dict()["state"], expected.state_dict()["state"]
        assert {key: value.tolist() for key, value in state.get(index, {}).items()} == {
            key: value.tolist() for key, value in own_state.get(0, {}).items()
        }
    assert 3 not in optimizer.state_dict()["state"]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_replaced_data_is_what_is_trained(name: str) -> None:
    rng = np.random.default_rng(4)
    start, gradients = rng.standard_normal((2, 5)), rng.standard_normal((4, 2, 5))
    kept = [parameter(array) for array in start]
    replaced = [parameter(array) for array in start]
    first, second = OPTIMIZERS[name](kept), OPTIMIZERS[name](replaced)
    for row in gradients:
        old = replaced[1].array
        before = old.copy()
        replaced[1].data = ad.from_numpy(before.copy())
        for p, q, g in zip(kept, replaced, row, strict=True):
            p.grad = ad.from_numpy(g)
            q.grad = ad.from_numpy(g)
        first.step()
        second.step()
        assert np.array_equal(old, before)
    assert np.array_equal(kept[1].array, replaced[1].array)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_parameters_in_the_same_memory_are_updated_one_after_the_other(name: str) -> None:
    rng = np.random.default_rng(5)
    start, gradients = rng.standard_normal((3, 3)), rng.standard_normal((4, 2, 3, 3))
    tied = [parameter(start), parameter(start)]
    tied[1].data = tied[0].data.t()
    optimizer = OPTIMIZERS[name](tied)
    expected = start.copy()
    single = [parameter(start), parameter(start.T)]
    each = [OPTIMIZERS[name]([p]) for p in single]
    for row in gradients:
        for p, g in zip(tied, row, strict=True):
            p.grad = ad.from_numpy(g)
        optimizer.step()
        for p, own, g in zip(single, each, row, strict=True):
            p.data = ad.from_numpy(expected if p is single[0] else expected.T)
            p.grad = ad.from_numpy(g)
            own.step()
    assert np.array_equal(tied[0].array, expected)
    assert np.array_equal(tied[1].array, expected.T)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_parameters_of_several_dtypes(name: str) -> None:
    rng = np.random.default_rng(6)
    dtypes = (np.float32, np.float64, np.float16, np.float32)
    start = [rng.standard_normal(3).astype(dtype) for dtype in dtypes]
    gradients = [[rng.standard_normal(3).astype(dtype) for dtype in dtypes] for _ in range(3)]
    params = [parameter(array) for array in start]
    optimizer = descend(OPTIMIZERS[name], params, gradients)
    for index, p in enumerate(params):
        own = parameter(start[index])
        descend(OPTIMIZERS[name], [own], [[arrays[index]] for arrays in gradients])
        assert p.array.dtype == dtypes[index]
        assert np.array_equal(p.array, own.array)
        assert all(v.dtype == p.dtype for key, v in optimizer.state[p].items() if key != "step")


def test_a_numpy_rate_does_not_widen_float32() -> None:
    results = []
    for rate in (0.1, np.float64(0.1)):
        p = parameter(np.linspace(0, 1, 7, dtype=np.float32))
        p.grad = ad.from_numpy(np.linspace(1, 2, 7, dtype=np.float32))
        optim.SGD([p], lr=rate).step()
        results.append(p.array)
    assert np.array_equal(*results)


def test_a_step_makes_a_graph_recorded_before_it_stale() -> None:
    p = parameter(np.ones(3))
    loss = (p * p).sum()
    p.grad = ad.ones(3, dtype=ad.float64)
    optim.SGD([p], lr=0.1).step()
    with pytest.raises(RuntimeError, match="inplace"):
        loss.backward()


def test_options_may_change_between_steps() -> None:
    p = parameter(np.zeros(2))
    p.grad = ad.ones(2, dtype=ad.float64)
    optimizer = optim.SGD([p], lr=1.0)
    optimizer.step()
    optimizer.param_groups[0]["momentum"] = 0.5
    optimizer.step()
    optimizer.param_groups[0]["lr"] = 2.0
    optimizer.step()
    # -1 without momentum, -1 for a new buffer of 1, -2 * 1.5 for the buffer 0.5 * 1 + 1.
    assert p.tolist() == [-5.0, -5.0]


def test_nothing_to_do_without_gradients() -> None:
    p = parameter(np.ones(2))
    optimizer = optim.Adam([p])
    optimizer.step()
    assert p.tolist() == [1.0, 1.0]
    assert optimizer.state_dict()["state"] == {}

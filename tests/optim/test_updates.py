"""The update formulas against the same formulas on Python numbers, and that it does not show how they are batched."""

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

import autodiff as ad
import optim
from autodiff.tensor import Tensor
from optim import elementwise
from optim.elementwise import BLOCK, LONG_BLOCK, SMALL
from tests.optim import formulas
from tests.optim.cases import ELEMENTWISE, Make

STEPS = 12


def all_options(**choices: tuple[Any, ...]) -> list[dict[str, Any]]:
    return [dict(zip(choices, values, strict=True)) for values in product(*choices.values())]


DECAYS: dict[str, tuple[Any, ...]] = {"weight_decay": (0.0, 0.1), "maximize": (False, True)}
CASES: list[tuple[Any, Callable[..., float], dict[str, Any]]] = [
    *(
        (optim.SGD, formulas.sgd, {"lr": 0.05, **options})
        for options in all_options(momentum=(0.0, 0.9), dampening=(0.0, 0.3), nesterov=(False, True), **DECAYS)
        if not options["nesterov"] or (options["momentum"] and not options["dampening"])
    ),
    *(
        (optim.RMSprop, formulas.rmsprop, {"lr": 0.02, "alpha": 0.9, "eps": 1e-3, **options})
        for options in all_options(momentum=(0.0, 0.9), centered=(False, True), **DECAYS)
    ),
    *(
        (cls, formula, {"lr": 0.03, "betas": (0.8, 0.95), "eps": 1e-3, **options})
        for cls, formula in ((optim.Adam, formulas.adam), (optim.AdamW, formulas.adamw))
        for options in all_options(amsgrad=(False, True), **DECAYS)
    ),
    *(
        (cls, formula, {"lr": 0.03, "betas": (0.8, 0.95), "eps": 1e-3, **options})
        for cls, formula in ((optim.NAdam, formulas.nadam), (optim.RAdam, formulas.radam))
        for options in all_options(decoupled_weight_decay=(False, True), **DECAYS)
    ),
    *(
        (cls, formula, {"lr": 0.03, **given, **options})
        for cls, formula, given in (
            (optim.Adamax, formulas.adamax, {"betas": (0.8, 0.95), "eps": 1e-3}),
            (optim.Adagrad, formulas.adagrad, {"lr_decay": 0.1, "initial_accumulator_value": 0.2, "eps": 1e-3}),
            (optim.Adadelta, formulas.adadelta, {"rho": 0.8, "eps": 1e-2}),
            (optim.ASGD, formulas.asgd, {"lambd": 0.1, "alpha": 0.5}),
            (optim.Lion, formulas.lion, {"betas": (0.8, 0.95)}),
        )
        for options in all_options(**DECAYS)
    ),
    *(
        (
            optim.Rprop,
            formulas.rprop,
            {"lr": 0.03, "etas": (0.4, 1.3), "step_sizes": (0.02, 0.05), "maximize": maximize},
        )
        for maximize in (False, True)
    ),
]
# These keep numbers in float32 between steps.
ROUNDED = {optim.NAdam: 1e-6, optim.ASGD: 1e-6}


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
            tolerance = ROUNDED.get(cls, 1e-13)
            np.testing.assert_allclose(p.array[position], expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_batches_do_not_show(name: str, dtype: Any) -> None:
    """Trained together or each with an optimizer of its own: the same bits, of parameters and state."""
    rng = np.random.default_rng(1)
    shapes = [(), (7,), (0, 3), (5, 3), (SMALL,), (SMALL + 1,), (2, BLOCK + 3), *[(63, 65)] * 12]
    start = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    gradients = [[rng.standard_normal(shape).astype(dtype) for shape in shapes] for _ in range(3)]
    together, alone = [[parameter(array) for array in start] for _ in range(2)]

    optimizer = descend(ELEMENTWISE[name], together, gradients)
    for index, p in enumerate(alone):
        own = descend(ELEMENTWISE[name], [p], [[arrays[index]] for arrays in gradients])
        assert together[index].array.tobytes() == p.array.tobytes()
        assert optimizer.state[together[index]].keys() == own.state[p].keys()
        for key, value in own.state[p].items():
            other = optimizer.state[together[index]][key]
            assert (other.shape, other.dtype) == (value.shape, value.dtype)
            assert other.array.tobytes() == value.array.tobytes()


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_blocks_and_threads_do_not_show(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    start, gradients = rng.standard_normal(SMALL + 1), [[rng.standard_normal(SMALL + 1)] for _ in range(3)]
    whole, cut = parameter(start), parameter(start)
    expected = descend(ELEMENTWISE[name], [whole], gradients).state[whole]
    for constant, size in {"BLOCK": 100, "LONG_BLOCK": 1000, "FEW": 1000}.items():
        monkeypatch.setattr(elementwise, constant, size)
    state = descend(ELEMENTWISE[name], [cut], gradients).state[cut]
    assert cut.array.tobytes() == whole.array.tobytes()
    assert {key: value.tolist() for key, value in state.items()} == {k: v.tolist() for k, v in expected.items()}


@pytest.mark.parametrize("where", [0, 150, SMALL])
def test_a_number_that_is_not_finite_is_found_in_every_block(where: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for constant, size in {"BLOCK": 100, "LONG_BLOCK": 1000, "FEW": 1000}.items():
        monkeypatch.setattr(elementwise, constant, size)
    p = parameter(np.ones(SMALL + 1))
    p.grad = ad.zeros_like(p)
    p.grad[where] = np.nan
    with pytest.raises(ValueError, match=rf"parameter 0 of group 0 \(1 of {SMALL + 1} numbers\)"):
        optim.SGD([p], lr=0.1).step()
    assert np.array_equal(p.array, np.ones(SMALL + 1))


@pytest.mark.parametrize(("size", "most"), [(1, 99), (BLOCK + 1, BLOCK), (10 * BLOCK + 7, BLOCK), (10**7, LONG_BLOCK)])
def test_blocks_are_all_of_an_array_and_of_equal_length(size: int, most: int) -> None:
    blocks = [range(size)[block] for block in elementwise._blocks(size, most)]
    assert [block.start for block in blocks] == [0, *(block.stop for block in blocks[:-1])]
    assert blocks[-1].stop == size
    lengths = {len(block) for block in blocks[1:-1]}
    assert len(lengths) <= 1
    assert max(map(len, blocks)) <= most
    assert all(length - len(blocks[-1]) < 16 * len(blocks) for length in lengths)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_the_tensors_of_a_state_stay_when_parameters_are_batched_anew(name: str) -> None:
    rng = np.random.default_rng(3)
    gradients = [[rng.standard_normal(3) for _ in range(3)] for _ in range(4)]
    together, alone = [[parameter(np.ones(3)) for _ in range(3)] for _ in range(2)]
    optimizer = descend(ELEMENTWISE[name], together, gradients[:2])
    held = [dict(optimizer.state[p]) for p in together]
    for arrays in gradients[2:]:
        for p, array in zip(together, arrays, strict=True):
            p.grad = None if p is together[1] else ad.from_numpy(array)
        optimizer.step()
    for index, (p, entries) in enumerate(zip(alone, held, strict=True)):
        steps = gradients[:2] if index == 1 else gradients
        own = descend(ELEMENTWISE[name], [p], [[arrays[index]] for arrays in steps]).state[p]
        for key, value in entries.items():
            assert optimizer.state[together[index]][key] is value
            assert value.tolist() == own[key].tolist()


def test_an_entry_of_the_state_may_have_any_name() -> None:
    class Last(optim.Elementwise):
        """Steps by the gradient and by those of the step before."""

        def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
            p -= g + state.get("gradient", 0.0) + state.get("parameter", 0.0)
            state["gradient"], state["parameter"] = g.copy(), g.copy()

    params = [parameter(np.zeros(2)) for _ in range(3)]
    descend(lambda p: Last(p, {"lr": 1.0}), params, [[np.full(2, 1.0)] * 3, [np.full(2, 10.0)] * 3])
    assert [p.tolist() for p in params] == [[-13.0, -13.0]] * 3


@pytest.mark.parametrize("count", [1, 2])
def test_an_entry_of_the_state_may_be_replaced(count: int) -> None:
    params = [parameter(np.ones(3)) for _ in range(count)]
    gradients = [[np.ones(3)] * count]
    optimizer = descend(lambda p: optim.SGD(p, lr=1.0, momentum=0.5), params, gradients)
    optimizer.state[params[0]]["momentum_buffer"] = ad.full((3,), 4.0, dtype=ad.float64)
    descend(lambda _: optimizer, params, gradients)
    assert params[0].tolist() == [1 - 1 - (0.5 * 4 + 1)] * 3
    assert [p.tolist() for p in params[1:]] == [[1 - 1 - (0.5 * 1 + 1)] * 3] * (count - 1)


@pytest.mark.parametrize("name", ELEMENTWISE)
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

    descend(ELEMENTWISE[name], plain, gradients)
    descend(ELEMENTWISE[name], other, gradients)

    assert np.array_equal(memory.T[::2], plain[0].array)
    assert not memory.T[1::2].any()


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_the_gradient_is_left_as_it_is(name: str) -> None:
    p, q = parameter(np.ones(4)), parameter(np.ones(2 * BLOCK))
    for tensor in (p, q):
        tensor.grad = ad.full_like(tensor, 3.0)
    optimizer = ELEMENTWISE[name]([p, q])
    for _ in range(2):
        optimizer.step()
    assert p.grad is not None
    assert q.grad is not None
    assert (p.grad.array == 3).all()
    assert (q.grad.array == 3).all()


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_parameters_without_gradient_wait(name: str) -> None:
    """Each parameter goes its own way through the steps in which it has a gradient, and has no state before."""
    rng = np.random.default_rng(3)
    start, gradients = rng.standard_normal((4, 3)), rng.standard_normal((6, 4, 3))
    has_gradient = np.array([[1, 1, 1, 1, 1, 1], [1, 0, 1, 0, 0, 1], [0, 0, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0]], bool).T
    params = [parameter(array) for array in start]
    optimizer = ELEMENTWISE[name](params)
    for row, present in zip(gradients, has_gradient, strict=True):
        for p, g, given in zip(params, row, present, strict=True):
            p.grad = ad.from_numpy(g) if given else None
        optimizer.step()

    for index, p in enumerate(params):
        own = parameter(start[index])
        expected = descend(ELEMENTWISE[name], [own], [[g] for g in gradients[has_gradient[:, index], index]])
        assert np.array_equal(p.array, own.array)
        state, own_state = optimizer.state_dict()["state"], expected.state_dict()["state"]
        assert {key: value.tolist() for key, value in state.get(index, {}).items()} == {
            key: value.tolist() for key, value in own_state.get(0, {}).items()
        }
    # Adagrad's state is there from the beginning, as in PyTorch.
    assert (3 in optimizer.state_dict()["state"]) == (name == "Adagrad")


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_replaced_data_is_what_is_trained(name: str) -> None:
    rng = np.random.default_rng(4)
    start, gradients = rng.standard_normal((2, 5)), rng.standard_normal((4, 2, 5))
    kept = [parameter(array) for array in start]
    replaced = [parameter(array) for array in start]
    first, second = ELEMENTWISE[name](kept), ELEMENTWISE[name](replaced)
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


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_parameters_in_the_same_memory_are_updated_one_after_the_other(name: str) -> None:
    rng = np.random.default_rng(5)
    start, gradients = rng.standard_normal((3, 3)), rng.standard_normal((4, 2, 3, 3))
    tied = [parameter(start), parameter(start)]
    tied[1].data = tied[0].data.t()
    optimizer = ELEMENTWISE[name](tied)
    expected = start.copy()
    single = [parameter(start), parameter(start.T)]
    each = [ELEMENTWISE[name]([p]) for p in single]
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


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_parameters_of_several_dtypes(name: str) -> None:
    rng = np.random.default_rng(6)
    dtypes = (np.float32, np.float64, np.float16, np.float32)
    start = [rng.standard_normal(3).astype(dtype) for dtype in dtypes]
    gradients = [[rng.standard_normal(3).astype(dtype) for dtype in dtypes] for _ in range(3)]
    params = [parameter(array) for array in start]
    optimizer = descend(ELEMENTWISE[name], params, gradients)
    for index, p in enumerate(params):
        own = parameter(start[index])
        descend(ELEMENTWISE[name], [own], [[arrays[index]] for arrays in gradients])
        assert p.array.dtype == dtypes[index]
        assert np.array_equal(p.array, own.array)
        assert all(v.dtype == p.dtype for key, v in optimizer.state[p].items() if v.shape)


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

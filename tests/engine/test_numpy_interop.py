"""NumPy's functions on tensors: recorded where there is a rule, refused where the gradient would be lost."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autodiff as ad
from autodiff.op import NUMPY
from autodiff.tensor import Tensor

RNG = np.random.default_rng(0)
MATRIX = RNG.uniform(0.1, 0.9, (3, 3))

CALLS: dict[str, Callable[[Any], Any]] = {
    "tanh": np.tanh,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "negative": np.negative,
    "add": lambda x: np.add(x, 2.0),
    "left array": lambda x: MATRIX * x,
    "right array": lambda x: x / MATRIX,
    "array minus": lambda x: MATRIX - x,
    "array @": lambda x: MATRIX @ x,
    "@ array": lambda x: x @ MATRIX,
    "power": lambda x: np.power(x, 2.0),
    "number **": lambda x: 2.0**x,
    "np scalar": lambda x: np.float64(3) * x,
    "maximum": lambda x: np.maximum(x, MATRIX.T),
    "where": lambda x: np.where(MATRIX > 0.5, x, 0.0),
    "sum": np.sum,
    "sum axis": lambda x: np.sum(x, axis=0, keepdims=True),
    "mean": lambda x: np.mean(x, axis=(0, 1)),
    "max": lambda x: np.max(x, axis=1),
    "min": np.min,
    "var": lambda x: np.var(x, axis=0),
    "std ddof": lambda x: np.std(x, axis=1, ddof=1),
    "cumsum": lambda x: np.cumsum(x, axis=1),
    "reshape": lambda x: np.reshape(x, (1, 9)),
    "ravel": np.ravel,
    "transpose": np.transpose,
    "transpose axes": lambda x: np.transpose(x, (1, 0)),
    "expand_dims": lambda x: np.expand_dims(x, (0, 2)),
    "squeeze": lambda x: np.squeeze(np.expand_dims(x, 0), 0),
    "swapaxes": lambda x: np.swapaxes(x, 0, 1),
    "moveaxis": lambda x: np.moveaxis(x, 0, 1),
    "broadcast_to": lambda x: np.broadcast_to(x, (2, 3, 3)),
    "flip": lambda x: np.flip(x, 0),
    "flip all": np.flip,
    "tril": np.tril,
    "triu": lambda x: np.triu(x, 1),
    "concatenate": lambda x: np.concatenate([x, MATRIX], axis=1),
    "stack": lambda x: np.stack([MATRIX, x]),
    "einsum": lambda x: np.einsum("ij,jk->ik", x, MATRIX),
    "matmul": lambda x: np.matmul(x, x),
    "dot": lambda x: np.dot(x, MATRIX),
    "copy": np.copy,
}


@pytest.mark.parametrize("name", CALLS)
def test_the_function_gives_numpys_result_and_records_it(name: str) -> None:
    call = CALLS[name]
    x = ad.tensor(MATRIX, requires_grad=True)
    y = call(x)
    assert isinstance(y, Tensor)
    assert y.requires_grad
    np.testing.assert_allclose(y.detach().numpy(), call(MATRIX), rtol=1e-14)
    assert ad.gradcheck(call, x)


def test_questions_of_shape_give_plain_numbers() -> None:
    x = ad.zeros(2, 3)
    assert np.shape(x) == (2, 3)
    assert np.ndim(x) == 2
    assert np.size(x) == 6
    assert np.size(x, 1) == 3


def test_tests_and_positions_carry_no_gradient() -> None:
    x = ad.tensor(MATRIX, requires_grad=True)
    for y in (np.isnan(x), np.greater(x, 0.5), np.argmax(x, axis=0), np.sign(x) > 0, np.any(x > 0.5), np.all(x > 0)):
        assert not y.requires_grad
    assert np.array_equal(x, x)
    assert np.allclose(x, MATRIX)


@pytest.mark.parametrize(
    "call",
    [
        np.linalg.matrix_transpose,
        np.linalg.norm,
        np.median,
        np.ptp,
        np.cbrt,
        np.fft.fft,
        np.histogram,
        np.unwrap,
        lambda x: np.percentile(x, 50),
        np.add.reduce,
        np.add.accumulate,
        lambda x: np.multiply.outer(x, x),
        lambda x: np.add.at(x, 0, 1.0),
        lambda x: np.divmod(x, 2),
    ],
)
def test_a_function_without_a_rule_is_refused_with_advice(call: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=r"np\..* has no derivative here.*x\.detach\(\)\.numpy\(\).*ops of autodiff"):
        call(ad.tensor(MATRIX, requires_grad=True))


def test_a_refused_function_works_on_the_detached_array() -> None:
    x = ad.tensor(MATRIX, requires_grad=True)
    assert np.linalg.inv(x.detach().numpy()).shape == (3, 3)


@pytest.mark.parametrize("options", [{"out": np.zeros(3)}, {"where": np.array([True, False, True])}, {"dtype": float}])
def test_options_that_would_bypass_the_graph_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=rf"np\.add with {next(iter(options))}.*detach silently"):
        np.add(ad.ones(3), ad.ones(3), **options)


def test_writing_a_recorded_tensor_into_an_array_is_refused() -> None:
    x = ad.tensor([1.0, 2.0], requires_grad=True)
    array = np.zeros(2)
    with pytest.raises(RuntimeError, match="lose the gradient"):
        array[:] = x
    with pytest.raises((RuntimeError, TypeError)):
        array += x
    array[:] = x.detach()
    assert array.tolist() == [1.0, 2.0]


def test_asarray_of_a_constant_shares_memory_and_of_a_recorded_tensor_is_refused() -> None:
    x = ad.ones(2)
    assert np.shares_memory(np.asarray(x), x.array)
    assert not np.shares_memory(np.array(x), x.array)
    assert np.asarray(x, dtype=np.float64).dtype == np.float64
    with pytest.raises(RuntimeError, match="lose the gradient"):
        np.asarray(x.requires_grad_())


def test_an_array_beside_a_tensor_gives_a_tensor_with_pytorchs_dtype() -> None:
    x = ad.ones(3)
    assert isinstance(np.arange(3) * x, Tensor)
    assert (np.arange(3) * x).dtype == ad.float32
    assert (np.ones(3) * x).dtype == ad.float64
    assert (np.float64(2) * x).dtype == ad.float32


def test_every_entry_of_the_dispatch_table_is_a_numpy_function() -> None:
    assert all(
        callable(function) and function.__module__.startswith("numpy")
        for function in NUMPY
        if not isinstance(function, np.ufunc)
    )

"""Large arrays are computed in blocks, by several threads: the results are those of one piece, bit for bit."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import autodiff as ad
from autodiff import compiled
from autodiff import threads as sharing
from autodiff.ops import blocks
from autodiff.ops.blocks import BLOCK, by_blocks
from autodiff.threads import share, share_products
from nn import functional as F

SIZE = 3 * BLOCK + 17
CALLS = {
    "abs": lambda x: ad.abs(x),
    "digamma": lambda x: ad.digamma(x[: BLOCK // 8]),
    "erf": lambda x: ad.erf(x),
    "erfc": lambda x: ad.erfc(x),
    "fmod": lambda x: ad.fmod(x, x.flip(0)),
    "i0": lambda x: ad.i0(x[: BLOCK // 8]),
    "lgamma": lambda x: ad.lgamma(x[: BLOCK // 8]),
    "log_softmax": lambda x: ad.log_softmax(x[: 3 * BLOCK].reshape(-1, 1024), 1),
    "logit": lambda x: ad.logit(x),
    "remainder": lambda x: ad.remainder(x, x.flip(0)),
    "sigmoid": lambda x: ad.sigmoid(x),
    "sign": lambda x: ad.sign(x),
    "sinc": lambda x: ad.sinc(x),
    "softmax": lambda x: ad.softmax(x[: 3 * BLOCK].reshape(-1, 1024), 1),
    **{
        name: getattr(F, name)
        for name in (
            "celu", "elu", "gelu", "hardsigmoid", "hardshrink", "hardswish", "hardtanh", "leaky_relu", "logsigmoid",
            "mish", "relu", "selu", "silu", "softplus", "softshrink", "softsign",
        )
    },
    "gelu_tanh": lambda x: F.gelu(x, "tanh"),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _same_number_of_threads_afterwards() -> Iterator[None]:
    before = ad.get_num_threads()
    yield
    ad.set_num_threads(before)


def numbers(dtype: type[np.floating] = np.float32) -> np.ndarray:
    x = np.random.default_rng(0).uniform(-3, 3, SIZE).astype(dtype)
    x[[0, BLOCK - 1, BLOCK, SIZE - 1]] = 0, np.inf, -np.inf, np.nan
    return x


def value_and_gradient(name: str, array: np.ndarray) -> list[bytes]:
    x = ad.tensor(array, requires_grad=True)
    with np.errstate(all="ignore"):
        y = CALLS[name](x)
        y.backward(ad.tensor(np.random.default_rng(1).normal(size=y.shape).astype(array.dtype)))
    return [y.detach().numpy().tobytes(), x.grad.numpy().tobytes()]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CALLS)
def test_the_bits_do_not_depend_on_threads_and_blocks(
    name: str, dtype: type[np.floating], monkeypatch: pytest.MonkeyPatch
) -> None:
    # With numba small arrays are NumPy's and large ones are not; tests/nn/test_loops.py has the threads of those.
    monkeypatch.setattr(compiled, "_has_numba", lambda: False)
    array = numbers(dtype)
    ad.set_num_threads(1)
    expected = value_and_gradient(name, array)
    for threads in (2, 3):
        ad.set_num_threads(threads)
        assert value_and_gradient(name, array) == expected
    if "softmax" in name:
        # Each block of rows decides whether its peaks have to be subtracted.
        return
    # In one piece: no block is reached.
    monkeypatch.setattr(blocks, "_in_blocks", lambda function, block, results, args, params: function(*args, **params))
    monkeypatch.setattr(blocks, "BLOCK", 1 << 30)
    assert value_and_gradient(name, array) == expected


@pytest.mark.parametrize("scale", [1, 5, 1000])
@pytest.mark.parametrize("shape", [(400, 1000), (1000, 2), (30, 7, 40)], ids=str)
@pytest.mark.parametrize("axis", [-1, 1, 0])
def test_large_softmaxes_are_those_of_float64(shape: tuple[int, ...], axis: int, scale: int) -> None:
    """Where the peaks are subtracted and where not; the rounding of x is a part of that of its logarithm."""
    x = (np.random.default_rng(0).standard_normal(shape) * scale).astype(np.float32)
    shifted = x.astype(np.float64) - x.max(axis, keepdims=True)
    logarithms = shifted - np.log(np.exp(shifted).sum(axis, keepdims=True))
    tensor = ad.tensor(x)
    np.testing.assert_allclose(ad.log_softmax(tensor, axis).numpy(), logarithms, rtol=5e-7, atol=1e-6)
    np.testing.assert_allclose(ad.softmax(tensor, axis).numpy(), np.exp(logarithms), rtol=1e-5, atol=1e-37)


@pytest.mark.parametrize("sign", [1, -1, 0])
def test_large_running_sums_are_exact_and_do_not_fall(sign: int) -> None:
    x = np.random.default_rng(0).uniform(0, 1, SIZE).astype(np.float32) ** 20
    x *= np.random.default_rng(1).integers(0, 2, SIZE) if sign else np.random.default_rng(1).choice([-1, 1], SIZE)
    x *= sign or 1
    for array in (x, x[::-1]):
        sums = ad.cumsum(ad.tensor(array), 0).numpy()
        # In double the order of the additions costs 1e-13 of the largest sum: float32 keeps 6e-8 of each.
        expected = np.cumsum(array.astype(np.float64))
        np.testing.assert_allclose(sums, expected, rtol=1.2e-7, atol=1e-12 * np.abs(expected).max())
        if sign:
            assert (sign * np.diff(sums) >= 0).all()


@pytest.mark.parametrize("function", [np.add, np.multiply])
def test_running_results_of_many_rows_are_those_of_numpy(function: np.ufunc) -> None:
    x = np.random.default_rng(0).normal(size=(2, 700, 130)).astype(np.float32)
    scan = ad.cumsum if function is np.add else ad.cumprod
    for array in (x, x[:, :, ::-1], x[:, ::-1], x.reshape(1400, 130)):
        expected = function.accumulate(array, axis=-1, dtype=np.float64).astype(np.float32)
        np.testing.assert_array_equal(scan(ad.tensor(array), -1).numpy(), expected)


@pytest.mark.parametrize("name", ["cholesky", "qr", "eigh", "svd"])
@pytest.mark.parametrize("part", [0, -1])
def test_large_stacks_of_matrices_go_piece_by_piece(name: str, part: int) -> None:
    few = np.random.default_rng(0).uniform(0.25, 0.75, (3, 4, 4)) + 4 * np.eye(4)
    few += few.mT + np.diag([0.0, 1.0, 2.0, 3.0])

    def gradient(array: np.ndarray) -> np.ndarray:
        x = ad.tensor(array).requires_grad_()
        found = getattr(ad.linalg, name)(x)
        y = found if name == "cholesky" else found[part]
        (y * y * y).sum().backward()
        assert x.grad is not None
        return x.grad.numpy()

    many = np.tile(few, (BLOCK // few.size + 1, 1, 1))
    np.testing.assert_allclose(gradient(many), np.tile(gradient(few), (len(many) // 3, 1, 1)), rtol=1e-9, atol=1e-12)


def test_layouts_and_broadcasting() -> None:
    add = by_blocks(lambda a, b, factor: a + factor * b)
    x = np.arange(4.0 * BLOCK).reshape(4, 2, -1)
    for a, b in ((x, x), (x.T, x.T), (x[:, :, ::2], x[:, :, 1::2]), (x.T, x[::-1].T), (x, x[:1]), (x, x[0, 0])):
        np.testing.assert_array_equal(add(a, b, factor=2.0), a + 2 * b)
    assert add(x.T, x.T, factor=1.0).base is None


def test_kernels_with_a_memo() -> None:
    both = by_blocks(lambda x: (2 * x, x + 1), results=2)
    for x in (np.arange(2.0 * BLOCK + 3), np.arange(4.0 * BLOCK).reshape(4, -1).T[::2], np.arange(3.0)):
        y, memo = both(x)
        np.testing.assert_array_equal(y, 2 * x)
        np.testing.assert_array_equal(memo, x + 1)


def test_an_error_in_a_block_arrives() -> None:
    done = []

    def work(i: int) -> None:
        if i == 1:
            raise ValueError("of block 1")
        done.append(i)

    for threads in (1, 2, 4):
        ad.set_num_threads(threads)
        with pytest.raises(ValueError, match="of block 1"):
            share(work, 50)
    assert 1 not in done


def test_an_error_in_another_thread_arrives() -> None:
    ad.set_num_threads(2)
    begun = threading.Event()
    caller = threading.get_ident()

    def work(i: int) -> None:
        if threading.get_ident() != caller:
            begun.set()
            raise ValueError("in a thread")
        assert begun.wait(10)

    with pytest.raises(ValueError, match="in a thread"):
        share(work, 2)


def test_products_take_one_thread_each_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the library's threads, whose number is the same again afterwards, even if several threads share at once."""
    ad.set_num_threads(2)
    number, seen = [4], []
    monkeypatch.setattr(sharing, "_openblas", lambda: (lambda: number[0], lambda value: number.__setitem__(0, value)))

    def work(i: int) -> None:
        seen.append(number[0])
        if i == 5:
            raise ValueError("in a block")

    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(share_products, work, count) for count in (2, 2, 6)]
        assert [type(call.exception()) for call in calls] == [type(None), type(None), ValueError]
    assert set(seen) == {1}
    assert number == [4]


def test_the_threads_of_numpys_openblas_are_found() -> None:
    functions = sharing._openblas()
    if "openblas" not in np.show_config("dicts")["Build Dependencies"]["blas"]["name"]:
        pytest.skip("this NumPy has another library")
    assert functions is not None
    assert functions[0]() >= 1


def test_errstate_holds_in_every_thread() -> None:
    ad.set_num_threads(2)
    both = threading.Barrier(2, timeout=10)
    found = []

    def work(i: int) -> None:
        both.wait()
        found.append(np.geterr()["divide"])

    with np.errstate(divide="raise"):
        share(work, 2)
    assert found == ["raise", "raise"]
    with np.errstate(all="ignore"):
        share(work, 2)
    assert found[2:] == ["ignore", "ignore"]


def test_threads_may_call_at_once_and_blocks_may_share_again() -> None:
    ad.set_num_threads(2)
    x = ad.tensor(np.nan_to_num(numbers(), posinf=1, neginf=1))
    expected = ad.erf(x).numpy()

    def call(i: int) -> bool:
        results: list[np.ndarray] = [expected] * 3
        share(lambda k: results.__setitem__(k, ad.erf(x).numpy()), 3)
        return all(np.array_equal(result, expected) for result in results)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(call, range(8)))


@pytest.mark.skipif(not hasattr(os, "fork") or sys.version_info >= (3, 12), reason="forking beside threads warns")
def test_a_forked_process_computes_too() -> None:
    ad.set_num_threads(2)
    x = ad.tensor(numbers())
    expected = ad.sigmoid(x).numpy()
    child = os.fork()
    if not child:
        os._exit(0 if np.array_equal(ad.sigmoid(x).numpy(), expected, equal_nan=True) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, expected in (("3", 3), ("0", None), ("many", None)):
        monkeypatch.setenv("OMP_NUM_THREADS", value)
        monkeypatch.setattr(sharing, "_threads", 0)
        assert ad.get_num_threads() == expected or (expected is None and ad.get_num_threads() >= 1)
    ad.set_num_threads(4)
    assert ad.get_num_threads() == 4
    with pytest.raises(RuntimeError, match=r"expected a number of threads from 1, got 0"):
        ad.set_num_threads(0)
    with pytest.raises(TypeError, match=r"expected an integer, got 2\.5"):
        ad.set_num_threads(2.5)  # type: ignore[arg-type]


def test_one_thread_starts_none(monkeypatch: pytest.MonkeyPatch) -> None:
    ad.set_num_threads(1)
    ad.sigmoid(ad.tensor(numbers()))
    assert sharing._pool is None

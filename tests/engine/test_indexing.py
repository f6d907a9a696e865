"""Indexing: every form against NumPy (PyTorch's where they differ), its gradient, and what is refused."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import autodiff as ad
from autodiff.tensor import Tensor

ARRAY = np.arange(24.0).reshape(2, 3, 4)
T = ad.tensor

FORMS: dict[str, tuple[Any, Any]] = {
    "integer": (1, 1),
    "negative": (-1, -1),
    "slice": (np.s_[0:1], np.s_[0:1]),
    "step": (np.s_[:, ::2], np.s_[:, ::2]),
    "reversed": (np.s_[::-1], np.s_[::-1]),
    "empty": (np.s_[1:1], np.s_[1:1]),
    "None": (None, None),
    "ellipsis": (np.s_[..., 0], np.s_[..., 0]),
    "None ... None": (np.s_[None, ..., None], np.s_[None, ..., None]),
    "two": ((0, 1), (0, 1)),
    "element": ((0, 1, 2), (0, 1, 2)),
    "list": ([0, 1, 0], [0, 1, 0]),
    "array": (np.array([1, 0]), np.array([1, 0])),
    "tensor": (T([1, 0, 1]), np.array([1, 0, 1])),
    "int32": (T([1, 0], dtype=ad.int32), np.array([1, 0])),
    "0-d tensor": (T(1), 1),
    "negative tensor": (T([-1, 0]), np.array([-1, 0])),
    "2-d tensor": (T([[0, 1], [1, 1]]), np.array([[0, 1], [1, 1]])),
    "no places": (T([], dtype=ad.int64), np.array([], int)),
    "mask": (T([True, False]), np.array([True, False])),
    "mask list": ([True, False], [True, False]),
    "2-d mask": (T(ARRAY[:, :, 0] > 5), ARRAY[:, :, 0] > 5),
    "full mask": (T(ARRAY > 7), ARRAY > 7),
    "True": (True, True),
    "False": (False, False),
    "pair": ((T([0, 1]), T([2, 0])), (np.array([0, 1]), np.array([2, 0]))),
    "grid": ((T([[0], [1]]), T([[0, 2]])), (np.array([[0], [1]]), np.array([[0, 2]]))),
    "slice tensor": ((slice(None), T([2, 0])), (slice(None), np.array([2, 0]))),
    "apart": ((T([0, 1]), slice(None), T([3, 0])), (np.array([0, 1]), slice(None), np.array([3, 0]))),
    "together": ((slice(None), T([0, 1]), T([3, 0])), (slice(None), np.array([0, 1]), np.array([3, 0]))),
    "tensor ...": ((T([0, 1]), ..., T([3, 0])), (np.array([0, 1]), ..., np.array([3, 0]))),
    "numpy integer": (np.int64(1), 1),
    # An integer selects before the arrays are looked at, as in PyTorch: NumPy would put the array's axis first.
    "integer : tensor": ((0, slice(None), T([1, 0])), (slice(None), [1, 0])),
    "0-d : tensor": ((T(1), slice(None), T([1, 0])), (slice(None), [1, 0])),
}
SELECTED_FIRST = {"integer : tensor": 0, "0-d : tensor": 1}


@pytest.mark.parametrize("name", FORMS)
def test_values_and_gradients(name: str) -> None:
    ours, numpys = FORMS[name]
    source = ARRAY[SELECTED_FIRST[name]] if name in SELECTED_FIRST else ARRAY
    x = ad.tensor(ARRAY, requires_grad=True)
    y = x[ours]
    np.testing.assert_array_equal(y.detach().numpy(), source[numpys])
    weight = np.arange(1.0, y.numel() + 1).reshape(y.shape)
    y.backward(ad.tensor(weight))
    expected = np.zeros_like(ARRAY)
    np.add.at(expected[SELECTED_FIRST[name]] if name in SELECTED_FIRST else expected, numpys, weight)
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.array, expected)


@pytest.mark.parametrize("name", FORMS)
def test_assignment(name: str) -> None:
    ours, numpys = FORMS[name]
    x, expected = ad.tensor(ARRAY), ARRAY.copy()
    x[ours] = 99
    (expected[SELECTED_FIRST[name]] if name in SELECTED_FIRST else expected)[numpys] = 99
    np.testing.assert_array_equal(x.numpy(), expected)


@given(hnp.array_shapes(min_dims=1, max_dims=3, max_side=4), st.data())
def test_random_basic_and_advanced_indices(shape: tuple[int, ...], data: st.DataObject) -> None:
    array = np.arange(float(np.prod(shape))).reshape(shape)
    index = data.draw(
        st.one_of(
            hnp.basic_indices(shape, allow_newaxis=True),
            hnp.integer_array_indices(shape),
            hnp.arrays(bool, shape),
        )
    )
    x = ad.tensor(array, requires_grad=True)
    as_tensors = tuple(T(i) if isinstance(i, np.ndarray) else i for i in index) if isinstance(index, tuple) else index
    y = x[as_tensors]
    np.testing.assert_array_equal(y.detach().numpy(), array[index])
    y.sum().backward()
    expected = np.zeros_like(array)
    np.add.at(expected, index, 1.0)
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.array, expected)


def test_places_named_twice_receive_the_sum() -> None:
    x = ad.zeros(3, requires_grad=True)
    x[T([0, 0, 2])].backward(ad.tensor([1.0, 10.0, 100.0]))
    assert x.grad is not None
    assert x.grad.tolist() == [11.0, 0.0, 100.0]


def test_slices_are_views_and_arrays_copies() -> None:
    x = ad.zeros(3, 3)
    assert np.shares_memory(x[1:, None].array, x.array)
    assert np.shares_memory(x[0].array, x.array)
    assert not np.shares_memory(x[[0, 1]].array, x.array)


def test_an_element_is_a_0d_tensor() -> None:
    assert ad.ones(2)[0].shape == ()
    assert isinstance(ad.ones(2)[0], Tensor)


@pytest.mark.parametrize(
    "index", [5, (0, 3), (0, 0, 0, 0), T([0, 2]), [0, -3], T([True, False, True]), (slice(None), T([[True, False]]))]
)
def test_an_index_out_of_range_is_an_error_with_both_shapes(index: Any) -> None:
    x = ad.tensor(ARRAY)
    with pytest.raises(IndexError, match=r"\(2, 3, 4\)"):
        x[index]
    with pytest.raises(IndexError, match=r"\(2, 3, 4\)"):
        x[index] = 0


@pytest.mark.parametrize("index", ["a", 1.0, T([0.0, 1.0]), (0, "b")])
def test_an_index_of_another_kind_is_an_error(index: Any) -> None:
    with pytest.raises((IndexError, TypeError), match=r"getitem|index"):
        ad.tensor(ARRAY)[index]


@pytest.mark.parametrize("dtype", [ad.uint8, ad.int8, ad.int16])
def test_small_integers_as_an_index_are_ambiguous_and_refused(dtype: np.dtype) -> None:
    """PyTorch reads uint8 as a mask and refuses the other two."""
    with pytest.raises((IndexError, TypeError, RuntimeError), match=rf"{dtype}.*(long|bool)"):
        ad.tensor(ARRAY)[ad.tensor([0, 1], dtype=dtype)]


@pytest.mark.parametrize("value", [ad.ones(2), np.ones((3, 3)), [1.0, 2.0]])
def test_an_assigned_value_must_broadcast(value: Any) -> None:
    with pytest.raises(RuntimeError, match=r"shape \(2, 3, 4\)"):
        ad.tensor(ARRAY)[0] = value


def test_assigned_values_broadcast_and_convert() -> None:
    x = ad.zeros(2, 3)
    x[0] = ad.tensor([1, 2, 3])
    x[:, 0] = True
    x[1, 1:] = np.float64(2.5)
    x[1, 0] = ad.tensor([7.0])
    assert x.tolist() == [[1.0, 2.0, 3.0], [7.0, 2.5, 2.5]]


# Functions that read by index.


def test_select_narrow_and_index_select() -> None:
    x = ad.tensor(ARRAY, requires_grad=True)
    np.testing.assert_array_equal(x.select(1, -1).detach().numpy(), ARRAY[:, -1])
    np.testing.assert_array_equal(x.narrow(2, 1, 2).detach().numpy(), ARRAY[:, :, 1:3])
    np.testing.assert_array_equal(x.narrow(2, -2, 2).detach().numpy(), ARRAY[:, :, 2:4])
    np.testing.assert_array_equal(x.index_select(1, T([2, 0, 2])).detach().numpy(), ARRAY[:, [2, 0, 2]])
    assert ad.gradcheck(lambda x: (x.select(0, 1), x.narrow(1, 1, 2), x.index_select(2, T([0, 0, 3]))), x)


@pytest.mark.parametrize(("start", "length"), [(0, 5), (3, 2), (5, 0), (-5, 1), (0, -1)])
def test_narrow_refuses_what_reaches_out(start: int, length: int) -> None:
    with pytest.raises((IndexError, RuntimeError), match=r"narrow|start|length"):
        ad.tensor(ARRAY).narrow(2, start, length)


def test_select_and_index_select_refuse_what_is_out_of_range() -> None:
    x = ad.tensor(ARRAY)
    for call in (
        lambda: x.select(1, 3),
        lambda: x.select(3, 0),
        lambda: x.index_select(0, T([2])),
        lambda: x.index_select(0, T([-1])),
    ):
        with pytest.raises((IndexError, RuntimeError), match=r"range|bounds|expected indices"):
            call()
    with pytest.raises((IndexError, RuntimeError), match=r"1-d|vector"):
        x.index_select(0, T([[0]]))


@given(st.integers(0, 2), st.data())
def test_gather_is_take_along_axis(dim: int, data: st.DataObject) -> None:
    shape = [*ARRAY.shape]
    shape[dim] = data.draw(st.integers(0, 4))
    index = data.draw(hnp.arrays(np.int64, tuple(shape), elements=st.integers(0, ARRAY.shape[dim] - 1)))
    x = ad.tensor(ARRAY, requires_grad=True)
    expected = np.take_along_axis(ARRAY, index, dim)
    np.testing.assert_array_equal(x.gather(dim, T(index)).detach().numpy(), expected)
    np.testing.assert_array_equal(x.take_along_dim(T(index), dim).detach().numpy(), expected)
    assert ad.gradcheck(lambda x: x.gather(dim, T(index)), x)


def test_gather_reads_only_the_places_of_a_shorter_index() -> None:
    x = ad.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    assert x.gather(0, T([[2]])).tolist() == [[5.0]]


@pytest.mark.parametrize(
    ("index", "error"),
    [
        (T([[0, 4]]), "0 to 3"),
        (T([[-1]]), "0 to 3"),
        (T([0]), "2 dimensions"),
        (T([[0.0]]), "integer index"),
        (T([[0], [0], [0], [0]]), r"\(4, 1\)"),
    ],
)
def test_gather_refuses_bad_indices(index: Tensor, error: str) -> None:
    with pytest.raises((IndexError, RuntimeError, TypeError), match=error):
        ad.zeros(3, 4).gather(1, index)


def test_masks_write_and_read() -> None:
    x = ad.tensor([[1.0, -1.0], [-2.0, 2.0]], requires_grad=True)
    assert x[x < 0].tolist() == [-1.0, -2.0]
    y = x.masked_fill(x < 0, 0.0)
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[1.0, 0.0], [0.0, 1.0]]

"""The tensor handle: leaves, detaching, conversions, printing, copying."""

import copy
import pickle
import weakref

import numpy as np
import pytest

import autodiff as ad
from autodiff.tensor import Tensor


@pytest.fixture
def leaf() -> Tensor:
    return ad.tensor([1.0, 2.0, 3.0], requires_grad=True)


def test_a_made_tensor_is_a_leaf_and_a_computed_one_is_not(leaf: Tensor) -> None:
    computed = leaf * 2
    assert leaf.is_leaf
    assert leaf.grad_fn is None
    assert not computed.is_leaf
    assert computed.requires_grad
    assert repr(computed.grad_fn) == "<MulBackward0>"


def test_what_is_computed_from_constants_is_a_leaf() -> None:
    computed = ad.ones(2) * 2
    assert computed.is_leaf
    assert not computed.requires_grad
    assert computed.grad_fn is None


def test_only_leaves_receive_grad(leaf: Tensor) -> None:
    middle = leaf * 2
    middle.sum().backward()
    assert leaf.grad is not None
    with pytest.warns(UserWarning, match=r"not a leaf.*computed by mul.*retain_grad"):
        assert middle.grad is None


def test_requires_grad_can_be_switched_on_a_leaf() -> None:
    x = ad.ones(2)
    assert x.requires_grad_() is x
    assert x.requires_grad
    x.requires_grad = False
    assert not (x * 2).requires_grad
    x.requires_grad = True
    assert (x * 2).requires_grad


def test_what_was_computed_before_switching_on_stays_unrecorded() -> None:
    x = ad.ones(2)
    before = x * 2
    x.requires_grad_()
    assert not before.requires_grad


def test_a_graph_outlives_switching_its_leaf_off(leaf: Tensor) -> None:
    y = (leaf * leaf).sum()
    other = ad.ones(3, requires_grad=True)
    y = y + (leaf * other).sum()
    leaf.requires_grad_(False)
    with pytest.raises(RuntimeError, match="does not require grad"):
        leaf.sum().backward()
    y.backward()
    assert leaf.grad is None
    assert other.grad is not None
    assert other.grad.tolist() == [1.0, 2.0, 3.0]


def test_requires_grad_cannot_be_switched_off_on_a_computed_tensor(leaf: Tensor) -> None:
    with pytest.raises(RuntimeError, match=r"leaf tensors only.*mul.*detach\(\)"):
        (leaf * 2).requires_grad_(False)


@pytest.mark.parametrize("dtype", [ad.int64, ad.uint8, ad.bool])
def test_only_floats_can_require_grad(dtype: np.dtype) -> None:
    with pytest.raises(RuntimeError, match=rf"floating-point dtype.*{dtype}.*x\.float\(\)"):
        ad.ones(2, dtype=dtype).requires_grad_()


def test_detach_and_data_share_memory_without_history(leaf: Tensor) -> None:
    for cut in (leaf.detach(), leaf.data, (leaf * 1).detach()):
        assert not cut.requires_grad
        assert cut.is_leaf
    leaf.detach().array[0] = 7
    leaf.data.array[1] = 8
    assert leaf.tolist() == [7.0, 8.0, 3.0]


def test_assigning_data_keeps_the_tensor_and_takes_the_new_shape_and_dtype(leaf: Tensor) -> None:
    leaf.data = ad.ones(2, 2, dtype=ad.float64)
    assert leaf.requires_grad
    assert leaf.shape == (2, 2)
    (leaf * 3).sum().backward()
    assert leaf.grad is not None
    assert leaf.grad.dtype == ad.float64
    assert leaf.grad.tolist() == [[3.0, 3.0], [3.0, 3.0]]


def test_assigning_anything_else_to_data_is_an_error(leaf: Tensor) -> None:
    with pytest.raises(TypeError, match=r"expects a Tensor, got ndarray.*ad\.tensor"):
        leaf.data = np.ones(3)


def test_shape_and_memory_questions() -> None:
    x = ad.zeros(2, 3, 4)
    assert x.shape == x.size() == (2, 3, 4)
    assert (x.size(1), x.size(-1)) == (3, 4)
    assert x.ndim == x.dim() == 3
    assert x.numel() == 24
    assert x.stride() == (12, 4, 1)
    assert x.is_contiguous()
    assert not x.transpose(0, 2).is_contiguous()
    assert x.transpose(0, 2).contiguous().is_contiguous()
    assert x.element_size() == 4
    assert x.device == "cpu"
    assert len(x) == 2


def test_item_needs_exactly_one_element() -> None:
    assert ad.tensor([[2.5]]).item() == 2.5
    assert type(ad.tensor(3).item()) is int
    assert type(ad.tensor(True).item()) is bool
    for x in (ad.ones(3), ad.ones(0)):
        with pytest.raises(RuntimeError, match=rf"{x.numel()} elements.*exactly one"):
            x.item()


def test_conversions_to_python_numbers() -> None:
    assert float(ad.tensor([1.5])) == 1.5
    assert int(ad.tensor(2.7)) == 2
    assert bool(ad.tensor(0.0)) is False
    assert complex(ad.tensor(2.0)) == 2
    assert [10, 20, 30][ad.tensor(1)] == 20
    assert list(range(ad.tensor(2))) == [0, 1]


@pytest.mark.parametrize("convert", [float, int, bool])
def test_conversion_of_many_elements_is_an_error_with_advice(convert: type) -> None:
    with pytest.raises(RuntimeError, match=r"3 elements.*x\.(sum|any)\(\)"):
        convert(ad.ones(3))


def test_only_integers_index_a_list() -> None:
    with pytest.raises(TypeError, match="only integer tensors"):
        [1, 2][ad.tensor(1.0)]


def test_tolist_nests() -> None:
    assert ad.tensor([[1, 2], [3, 4]]).tolist() == [[1, 2], [3, 4]]
    assert ad.tensor(1.5).tolist() == 1.5
    assert ad.tensor([]).tolist() == []


def test_numpy_shares_memory_and_refuses_to_lose_a_gradient(leaf: Tensor) -> None:
    x = ad.zeros(2)
    x.numpy()[0] = 5
    assert x.tolist() == [5.0, 0.0]
    with pytest.raises(RuntimeError, match=r"lose the gradient.*x\.detach\(\)\.numpy\(\)"):
        leaf.numpy()


def test_iteration_gives_rows_that_carry_gradients(leaf: Tensor) -> None:
    first, *rest = leaf
    assert len(rest) == 2
    (first * 5).backward()
    assert leaf.grad is not None
    assert leaf.grad.tolist() == [5.0, 0.0, 0.0]


def test_a_zero_dimensional_tensor_has_no_length_and_no_rows() -> None:
    with pytest.raises(TypeError, match="0-d"):
        len(ad.tensor(1.0))
    with pytest.raises(TypeError, match="0-d"):
        iter(ad.tensor(1.0))


def test_membership() -> None:
    x = ad.tensor([1.0, 2.0])
    assert 2 in x
    assert 3 not in x
    assert ad.tensor(1.0) in x


def test_equality_is_elementwise_and_hash_is_identity() -> None:
    x, y = ad.ones(2), ad.ones(2)
    assert (x == y).tolist() == [True, True]
    assert {x: "x", y: "y"}[y] == "y"
    for other in (None, "text"):
        assert (x == other) is False
        assert (x != other) is True


def test_repr_is_pytorchs(leaf: Tensor) -> None:
    assert repr(leaf) == "tensor([1., 2., 3.], requires_grad=True)"
    assert repr(leaf * 2) == "tensor([2., 4., 6.], grad_fn=<MulBackward0>)"
    assert repr(ad.tensor([1, 2], dtype=ad.int32)) == "tensor([1, 2], dtype=int32)"
    assert repr(ad.zeros(0, 3)) == "tensor([], size=(0, 3))"
    assert str(ad.tensor(True)) == "tensor(True)"


def test_format_of_a_scalar_is_that_of_its_number(leaf: Tensor) -> None:
    assert f"{ad.tensor(3.14159):.2f}" == "3.14"
    assert f"{ad.tensor(7):3d}" == "  7"
    assert f"{leaf.sum():.1f}" == "6.0"
    assert f"{ad.tensor(1.5)}" == "1.5"
    assert f"{ad.ones(2)}" == "tensor([1., 1.])"
    with pytest.raises(TypeError, match=r"\(2,\) cannot be formatted with '\.2f'.*one element"):
        format(ad.ones(2), ".2f")


def test_deepcopy_of_a_leaf_copies_values_and_gradient(leaf: Tensor) -> None:
    (leaf * 2).sum().backward()
    twin = copy.deepcopy({"a": leaf, "b": leaf})
    assert twin["a"] is twin["b"]
    assert twin["a"].requires_grad
    assert twin["a"].grad.tolist() == [2.0, 2.0, 2.0]
    twin["a"].detach().array[0] = 9
    twin["a"].grad.array[0] = 9
    assert leaf.tolist() == [1.0, 2.0, 3.0]
    assert leaf.grad is not None
    assert leaf.grad.tolist() == [2.0, 2.0, 2.0]


def test_deepcopy_of_a_computed_tensor_is_an_error(leaf: Tensor) -> None:
    with pytest.raises(RuntimeError, match=r"only leaf tensors.*detach\(\)\.clone\(\)"):
        copy.deepcopy(leaf * 2)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_keeps_values_dtype_and_requires_grad(protocol: int) -> None:
    for x in (ad.tensor([1.5], requires_grad=True), ad.tensor([[1, 2]]), ad.tensor(True), ad.zeros(0, 2)):
        twin = pickle.loads(pickle.dumps(x, protocol))
        assert (twin.dtype, twin.shape, twin.requires_grad) == (x.dtype, x.shape, x.requires_grad)
        assert ad.equal(twin, x)


def test_pickle_of_a_computed_tensor_is_an_error(leaf: Tensor) -> None:
    with pytest.raises(RuntimeError, match=r"only leaf tensors.*x\.detach\(\)"):
        pickle.dumps(leaf * 2)


def test_a_tensor_has_no_room_for_other_attributes(leaf: Tensor) -> None:
    with pytest.raises(AttributeError):
        leaf.nmae = "weight"


def test_a_tensor_can_be_referred_to_weakly(leaf: Tensor) -> None:
    assert weakref.ref(leaf)() is leaf


def test_tensor_constructor_makes_the_default_dtype() -> None:
    assert ad.Tensor([1, 2]).dtype == ad.float32
    assert ad.Tensor(2, 3).shape == (2, 3)
    assert ad.Tensor().shape == (0,)


def test_transposes() -> None:
    x = ad.tensor([[1.0, 2.0, 3.0]], requires_grad=True)
    assert x.T.shape == x.mT.shape == x.t().shape == (3, 1)
    (x.T * ad.tensor([[1.0], [2.0], [3.0]])).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[1.0, 2.0, 3.0]]


def test_views_share_memory_and_copies_do_not() -> None:
    x = ad.zeros(2, 3)
    views = {
        "view": x.view(3, 2),
        "reshape": x.reshape(6),
        "transpose": x.transpose(0, 1),
        "permute": x.permute(1, 0),
        "slice": x[:, 1:],
        "select": x[0],
        "unsqueeze": x.unsqueeze(0),
        "expand": x.expand(4, 2, 3),
        "narrow": x.narrow(0, 0, 1),
        "squeeze": x.squeeze(),
        "flatten": x.flatten(),
        "detach": x.detach(),
        "split": x.split(1)[1],
        "unbind": x.unbind()[0],
    }
    copies = {
        "clone": x.clone(),
        "flip": x.flip(0),
        "mask": x[x == 0],
        "index": x[[0, 1]],
        "to": x.double(),
        "tril": x.tril(),
        "reshape of a transpose": x.T.reshape(6),
        "cat": ad.cat([x]),
        "masked_fill": x.masked_fill(x > 0, 1.0),
    }
    for name, y in views.items():
        assert np.shares_memory(x.array, y.array), name
    for name, y in copies.items():
        assert not np.shares_memory(x.array, y.array), name

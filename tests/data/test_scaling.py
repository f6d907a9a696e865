"""Scalers are fitted on training data and undone exactly; scikit-learn's give the same."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import autodiff as ad
from autodiff.data import Standardizer, standardize

tables = arrays.arrays(
    np.float64,
    st.tuples(st.integers(1, 8), st.integers(1, 4)),
    elements=st.floats(-1e6, 1e6).map(lambda x: round(x, 3)),
)


@given(tables)
def test_standardized_features_have_mean_0_and_variance_1_or_0_and_are_inverted(table: np.ndarray) -> None:
    x = ad.from_numpy(table)
    scaler = Standardizer().fit(x)
    z = scaler.transform(x)
    size = np.abs(table).max() + 1
    assert np.abs(z.mean(0).numpy() * scaler.std.numpy()[0]).max() < 1e-12 * size
    for column, deviation in zip(table.T, z.numpy().std(0), strict=True):
        assert deviation == pytest.approx(0 if np.ptp(column) == 0 else 1, abs=1e-6)
    assert scaler.inverse_transform(z).allclose(x, atol=1e-9 * size)


@given(tables)
def test_the_numbers_are_scikit_learn_s(table: np.ndarray) -> None:
    from sklearn.preprocessing import StandardScaler

    x, other = ad.from_numpy(table), ad.from_numpy(table[::-1] * 2)
    for ours, theirs in zip(
        standardize(Standardizer(), x, other), standardize(StandardScaler(), x, other), strict=True
    ):
        assert ours.dtype == theirs.dtype
        assert ours.allclose(theirs, rtol=1e-6, atol=1e-6)


def test_a_channel_has_one_mean() -> None:
    images = ad.rand(20, 3, 5, 5) * ad.tensor([1.0, 10.0, 100.0])[:, None, None]
    scaler = Standardizer(dim=(0, 2, 3))
    z = standardize(scaler, images)[0]
    assert scaler.mean.shape == (1, 3, 1, 1)
    assert z.dtype == ad.float32
    assert z.mean((0, 2, 3)).allclose(ad.zeros(3), atol=1e-5)
    assert z.std((0, 2, 3), correction=0).allclose(ad.ones(3), atol=1e-5)


def test_others_are_scaled_by_the_training_data() -> None:
    train, dev, test = standardize(Standardizer(), ad.tensor([[0.0], [2.0]]), ad.tensor([[4.0]]), ad.tensor([[1.0]]))
    assert (train.tolist(), dev.tolist(), test.tolist()) == ([[-1], [1]], [[3]], [[0]])


def test_integers_become_floats_and_gradients_go_through() -> None:
    scaler = Standardizer().fit(np.array([[0, 255], [2, 255]], np.uint8))
    x = ad.tensor([[1.0, 255.0]], requires_grad=True)
    scaler.transform(x).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[1, 1]]
    assert scaler.transform(np.array([[4, 255]], np.uint8)).tolist() == [[3, 0]]


def test_any_scaler_is_taken_and_sees_rows_of_the_training_data() -> None:
    class Recorder:
        fitted: Any = None

        def fit(self, x: Any) -> None:
            self.fitted = x

        def transform(self, x: Any) -> Any:
            return x.astype(np.float64) * 2

    recorder = Recorder()
    train, dev = standardize(recorder, ad.ones(4, 1, 2, 2), ad.zeros(2, 1, 2, 2))
    assert recorder.fitted.shape == (4, 4)
    assert (train.shape, train.dtype, dev.shape) == ((4, 1, 2, 2), ad.float32, (2, 1, 2, 2))
    assert train.sum() == 32


@pytest.mark.parametrize(
    ("x", "message"), [(ad.zeros(0, 2), "no example"), (ad.tensor([[1.0, ad.nan]]), r"nan or infinity in .*\(1, 2\)")]
)
def test_what_cannot_be_fitted_is_refused(x: ad.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Standardizer().fit(x)


def test_wrong_use_is_refused() -> None:
    from sklearn.preprocessing import MinMaxScaler

    with pytest.raises(RuntimeError, match=r"call fit\(x\) with the training data first"):
        Standardizer().transform(ad.zeros(2, 2))
    with pytest.raises(TypeError, match="expected a scaler"):
        standardize(Standardizer, ad.zeros(2, 2))
    with pytest.raises(ValueError, match=r"the training data, \(2,\), got \(3,\)"):
        standardize(MinMaxScaler(), ad.ones(2, 2), ad.ones(2, 3))

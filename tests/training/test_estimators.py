"""`Classifier` and `Regressor` among scikit-learn's tools, and what they say of bad input."""

import json
import os
import pickle
import subprocess
import sys
from functools import partial
from typing import Any

import numpy as np
import pytest
from joblib import Parallel, delayed, parallel_config
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits, make_moons, make_multilabel_classification
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import RandomizedSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import autodiff as ad
import nn
import optim
from autodiff.training.estimators import Classifier, Regressor, network

# One of the checks runs only where SCIPY_ARRAY_API was set before SciPy was imported. With the default of 100 epochs
# they pass too, and take four times as long.
CHECKS = """
import json
from collections import Counter
from sklearn.utils.estimator_checks import check_estimator
from autodiff.training.estimators import Classifier, Regressor
for kind in Classifier, Regressor:
    results = check_estimator(kind(epochs=30, learning_rate=0.01), on_skip=None)
    print(json.dumps(Counter(result["status"] for result in results)))
"""


def moons(rows: int = 200) -> tuple[np.ndarray, np.ndarray]:
    X, y = make_moons(rows, noise=0.1, random_state=0)
    return X, y


def small(**options: Any) -> Classifier:
    return Classifier(**{"hidden_sizes": [16], "learning_rate": 0.05, "epochs": 20, "random_state": 0, **options})


def bits(estimator: Any) -> bytes:
    return b"".join(tensor.numpy().tobytes() for tensor in estimator.module_.state_dict().values())


def test_check_estimator_passes_in_full() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHECKS],
        env={**os.environ, "SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    counts = [json.loads(line) for line in done.stdout.splitlines()]
    assert [list(count) for count in counts] == [["passed"], ["passed"]]
    assert [count["passed"] >= 50 for count in counts] == [True, True]


def test_pipelines_searches_and_calibration_take_it() -> None:
    X, y = moons()
    pipeline = make_pipeline(StandardScaler(), small())
    assert cross_val_score(pipeline, X, y, cv=3).min() > 0.9
    space = {"classifier__learning_rate": [1e-6, 0.05], "classifier__hidden_sizes": [(4,), (16, 16)]}
    found = RandomizedSearchCV(pipeline, space, n_iter=3, cv=2, random_state=0).fit(X, y)
    assert found.best_params_["classifier__learning_rate"] == 0.05
    calibrated = CalibratedClassifierCV(small(), cv=3).fit(X, y)
    assert calibrated.score(X, y) > 0.95


def test_string_classes_come_back() -> None:
    X, y = load_digits(return_X_y=True)
    names = np.array(["zero", "one", "two"])
    X, y = X[y < 3] / 16, names[y[y < 3]]
    classifier = small(epochs=5).fit(X, y)
    assert classifier.classes_.tolist() == ["one", "two", "zero"]
    assert classifier.score(X, y) > 0.98
    np.testing.assert_allclose(classifier.predict_proba(X).sum(1), 1)


def test_labels_of_which_several_hold() -> None:
    X, y = make_multilabel_classification(200, n_features=6, n_classes=4, random_state=0)
    X = StandardScaler().fit_transform(X)
    classifier = small(hidden_sizes=[64], epochs=60).fit(X, y)
    assert classifier.predict_proba(X).shape == classifier.decision_function(X).shape == (200, 4)
    np.testing.assert_array_equal(classifier.predict(X), classifier.predict_proba(X) > 0.5)
    assert (classifier.predict(X) == y).mean() > 0.95


def test_several_numbers_are_predicted() -> None:
    X = np.random.default_rng(0).normal(size=(200, 2))
    y = np.column_stack([X.sum(1), X[:, 0] * X[:, 1], X[:, 1]])
    regressor = Regressor(hidden_sizes=[32], learning_rate=0.02, random_state=0).fit(X, y)
    assert regressor.score(X, y) > 0.97
    assert regressor.predict(X[:5]).shape == (5, 3)


def test_the_same_seed_gives_the_same_bits_in_any_thread_and_process() -> None:
    X, y = moons()
    ad.manual_seed(1)
    before = ad.get_rng_state()
    options = {"dropout": 0.3, "batch_norm": True, "early_stopping": True, "patience": 3}
    alone = [bits(small(**options, random_state=seed).fit(X, y)) for seed in range(4)]
    assert len(set(alone)) == 4
    assert ad.equal(ad.get_rng_state(), before)
    for backend in "threading", "loky":
        with parallel_config(backend=backend, n_jobs=2):
            fitted = Parallel()(delayed(small(**options, random_state=seed).fit)(X, y) for seed in range(4))
        assert [bits(classifier) for classifier in fitted] == alone
    # A state goes on where it is, as everywhere in scikit-learn.
    state = np.random.RandomState(0)
    assert bits(small(random_state=state).fit(X, y)) != bits(small(random_state=state).fit(X, y))


def test_what_is_pickled_and_what_is_cloned() -> None:
    X, y = moons()
    classifier = small(batch_norm=True).fit(X, y)
    again = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(again.predict_proba(X), classifier.predict_proba(X))
    unfitted = clone(classifier)
    assert unfitted.get_params() == classifier.get_params()
    with pytest.raises(NotFittedError):
        unfitted.predict(X)
    assert bits(unfitted.fit(X, y)) == bits(classifier)


def test_predictions_do_not_depend_on_the_rows_beside_them() -> None:
    X, y = moons(2100)
    classifier = small(epochs=1).fit(X, y)
    one_by_one = np.concatenate([classifier.predict_proba(X[i : i + 1]) for i in range(0, 2100, 300)])
    np.testing.assert_allclose(classifier.predict_proba(X)[::300], one_by_one, rtol=1e-12)
    assert classifier.module_[0].weight.dtype == np.float32


def test_heavy_classes_are_found_more_often() -> None:
    generator = np.random.default_rng(0)
    X = generator.normal(size=(400, 2))
    for y in (X[:, 0] + generator.normal(size=400) > 1).astype(int), np.digitize(X[:, 0], [0.0, 1.5]):
        rarest = np.bincount(y).argmin()
        found = [
            (small(class_weight=weight).fit(X, y).predict(X)[y == rarest] == rarest).mean()
            for weight in (None, "balanced", {**dict.fromkeys(range(3), 1e-4), rarest: 1000.0})
        ]
        assert found[0] < found[1] <= found[2] == 1


def test_weights_of_classes_do_not_change_the_length_of_steps() -> None:
    X, y = moons()
    plain = partial(small, optimizer="SGD", epochs=2)
    assert bits(plain(class_weight={0: 512.0, 1: 512.0}).fit(X, y)) == bits(plain().fit(X, y))


def test_early_stopping_restores_the_best_epoch() -> None:
    X, y = moons(60)
    y[::5] = 1 - y[::5]
    stopped = small(hidden_sizes=[100], early_stopping=True, validation_fraction=0.3, patience=4, epochs=200).fit(X, y)
    losses = stopped.history_["dev_loss"]
    assert len(losses) == stopped.best_epoch_ + 4 < 200
    assert min(losses) == losses[stopped.best_epoch_ - 1]
    at_best = small(
        hidden_sizes=[100], early_stopping=True, validation_fraction=0.3, epochs=stopped.best_epoch_
    ).fit(X, y)  # fmt: skip
    assert bits(stopped) == bits(at_best)


def test_rows_may_be_there_twice_and_counts_be_integers_of_numpy() -> None:
    X, y = moons(40)
    counts = {name: np.int64(3) for name in ("epochs", "batch_size", "patience")}
    classifier = small(early_stopping=True, hidden_sizes=np.array([8, 4]), **counts)
    assert len(classifier.fit(np.repeat(X, 3, 0), np.repeat(y, 3)).history_["loss"]) == 3


def test_a_warm_start_goes_on() -> None:
    X, y = moons()
    classifier = small(warm_start=True, epochs=1).fit(X, y)
    first = classifier.history_["loss"][-1]
    for _ in range(5):
        classifier.fit(X, y)
    assert classifier.history_["loss"][-1] < first / 1.5
    with pytest.raises(ValueError, match=r"expected the classes .* of the last fit"):
        classifier.fit(X, y + 1)
    with pytest.raises(ValueError, match="features"):
        classifier.fit(X[:, :1], y)


def convolutional(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, outputs)
    )


def test_modules_and_optimizers_of_ones_own() -> None:
    X, y = load_digits(return_X_y=True)
    momentum = partial(optim.SGD, momentum=0.9)
    classifier = Classifier(module=convolutional, optimizer=momentum, learning_rate=0.05, epochs=3, random_state=0)
    assert pickle.loads(pickle.dumps(classifier)).fit(X / 16, y).score(X / 16, y) > 0.9


def test_rates_follow_a_schedule_and_callbacks_see_each_epoch() -> None:
    X, y = moons()
    rates: list[float] = []
    halved = partial(optim.lr_scheduler.ExponentialLR, gamma=0.5)
    classifier = small(epochs=3, schedule=halved, callbacks=[lambda run: rates.append(run.history["lr"][-1])])
    classifier.fit(X, y)
    assert rates == classifier.history_["lr"] == [0.05, 0.025, 0.0125]


def test_weights_are_float32_whatever_the_default_is() -> None:
    X, y = moons()
    expected = small(epochs=1).fit(X, y)
    ad.set_default_dtype(ad.float64)
    try:
        classifier = small(epochs=1).fit(X, y)
    finally:
        ad.set_default_dtype(ad.float32)
    assert classifier.module_[0].weight.dtype == expected.module_[0].weight.dtype == np.float32
    assert classifier.predict_proba(X).dtype == np.float64


class Slope(nn.Module):
    """A line through 0: what is there to decay has one dimension."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(ad.zeros(1))

    def forward(self, x: ad.Tensor) -> ad.Tensor:
        return x * self.slope


def test_a_module_without_matrices_is_trained() -> None:
    regressor = Regressor(module=lambda inputs, outputs: Slope(), learning_rate=0.1).fit(X[:, :1], 2 * X[:, 0])
    assert abs(regressor.module_.slope.item() - 2) < 0.1


def test_what_is_said_of_a_module_that_is_none() -> None:
    with pytest.raises(TypeError, match=r"expected module to make an nn.Module .*, got None"):
        Regressor(module=lambda inputs, outputs: None).fit(X, Y)  # type: ignore[arg-type,return-value]


def test_weights_decay_and_biases_do_not() -> None:
    X, y = moons()
    classifier = small(optimizer="SGD", weight_decay=100.0, learning_rate=0.01, epochs=30).fit(X, y)
    first, last = classifier.module_[0], classifier.module_[-1]
    assert abs(first.weight.detach().numpy()).max() < 1e-5
    assert abs(first.bias.detach().numpy()).max() > 0.1
    assert isinstance(last, nn.Linear)


def test_a_last_batch_of_one_row_does_not_stop_batch_norm() -> None:
    X, y = moons(65)
    assert small(batch_norm=True, epochs=2).fit(X, y).score(X, y) > 0.5


def test_layers_stand_in_the_course_order() -> None:
    layers = network(3, 2, [5, 4], activation=nn.GELU, batch_norm=True, dropout=0.1)
    kinds = [nn.Linear, nn.BatchNorm1d, nn.GELU, nn.Dropout]
    assert [type(layer) for layer in layers] == [*kinds, *kinds, nn.Linear]
    assert len(network(3, 2, [])) == 1


X, Y = moons(20)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (X[:0], Y[:0], "0 sample"),
        (np.where(X > 1, np.nan, X), Y, "NaN"),
        (np.where(X > 1, np.inf, X), Y, "infinity"),
        (X, np.where(Y, np.nan, 0.0), "NaN"),
        (X, Y * 0 + 7, r"two classes or more to tell apart, got one class: \[7\]"),
        (X, X[:, 0], "continuous"),
        (X, np.stack([Y, Y + 1], 1), "got several classes a row"),
        (X, Y[:-1], "inconsistent numbers of samples"),
        (X[:, 0], Y, "Expected 2D array"),
        (np.array([["a", "b"]] * 20), Y, "could not convert string"),
    ],
)
def test_what_is_said_of_bad_data(X: Any, y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Classifier().fit(X, y)


def test_what_is_said_of_targets_that_are_no_numbers() -> None:
    with pytest.raises(ValueError, match="could not convert string"):
        Regressor().fit(X, np.where(Y, "a", "b"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"activation": "relux"}, "expected activation to be a name in nn or a function, got 'relux'"),
        ({"optimizer": "adam"}, "expected optimizer to be a name in optim or a function, got 'adam'"),
        ({"optimizer": None}, "expected optimizer to be a name in optim"),
        ({"epochs": 0}, "expected integers from 1 as epochs, got 0"),
        ({"hidden_sizes": [8, 0]}, "expected integers from 1 as hidden_sizes, got 0"),
        ({"early_stopping": True, "patience": 0}, "expected integers from 1 as patience, got 0"),
        ({"batch_size": 1.5}, "expected integers from 1 as batch_size, got 1.5"),
        ({"module": lambda inputs, outputs: nn.Linear(inputs, 2)}, r"scores of shape \(20, 1\), got \(20, 2\)"),
        ({"learning_rate": -1.0}, "lr"),
        ({"class_weight": {5: 1.0}}, "class_weight"),
    ],
)
def test_what_is_said_of_bad_parameters(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Classifier(**options).fit(X, Y)


def test_labels_have_no_class_weight() -> None:
    with pytest.raises(ValueError, match="class_weight=None"):
        Classifier(class_weight="balanced").fit(X, np.stack([Y, 1 - Y], 1))


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_a_loss_that_is_no_number_ends_the_training() -> None:
    with pytest.raises(FloatingPointError, match="learning rate"):
        Regressor(optimizer="SGD", learning_rate=1e6, random_state=0).fit(X, X[:, 0])


def test_training_alone_does_not_import_scikit_learn() -> None:
    subprocess.run(
        [sys.executable, "-c", "import autodiff.training, sys; assert 'sklearn' not in sys.modules"], check=True
    )


def test_what_is_said_without_scikit_learn() -> None:
    program = "import sys; sys.modules['sklearn.base'] = None; import autodiff.training.estimators"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert 'run: pip install "autodiff-numpy[train]"' in done.stderr

"""Neural networks as scikit-learn's estimators: what takes those takes these.

Pipelines, cross-validation, searches, calibration and metrics are scikit-learn's (the extra ``train``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

import autodiff as ad
import nn
import optim
from autodiff.data import DataLoader, TensorDataset
from autodiff.random import Generator, drawing_from
from autodiff.tensor import Tensor
from autodiff.training import loop
from autodiff.training.early_stopping import EarlyStopping
from autodiff.training.run import Callback
from nn.functional import binary_cross_entropy_with_logits, cross_entropy
from optim.lr_scheduler import LRScheduler

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.model_selection import train_test_split
    from sklearn.utils import check_random_state, compute_class_weight
    from sklearn.utils.multiclass import check_classification_targets, type_of_target
    from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data
except ImportError as error:
    raise ImportError('estimators expect scikit-learn; run: pip install "autodiff-numpy[train]"') from error

Array = NDArray[Any]
Loss = Callable[[Tensor, Tensor], Tensor]
# How many rows are predicted at once: the convolutions of a whole set of images might not fit into memory.
ROWS = 1000


def network(
    inputs: int,
    outputs: int,
    hidden_sizes: Iterable[int] = (100,),
    activation: str | Callable[[], nn.Module] = "ReLU",
    dropout: float = 0.0,
    batch_norm: bool = False,
) -> nn.Sequential:
    """A fully connected network; each hidden layer is linear, normalised, activated and dropped out, in this order.

    The last layer is linear: its outputs are scores. `activation` is a name in `nn`, or what makes a module.

    >>> network(4, 3, hidden_sizes=[8], activation="Tanh", dropout=0.5)
    Sequential(
      (0): Linear(in_features=4, out_features=8, bias=True)
      (1): Tanh()
      (2): Dropout(p=0.5, inplace=False)
      (3): Linear(in_features=8, out_features=3, bias=True)
    )
    """
    make_activation = _named(nn, "activation", activation)
    layers: list[nn.Module] = []
    for size in hidden_sizes:
        size = _count("hidden_sizes", size)
        layers.append(nn.Linear(inputs, size))
        if batch_norm:
            layers.append(nn.BatchNorm1d(size))
        layers.append(make_activation())
        if dropout:
            layers.append(nn.Dropout(dropout))
        inputs = size
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


@dataclass(eq=False, repr=False)
class _Network(BaseEstimator):  # type: ignore[misc]
    """What `Classifier` and `Regressor` share: the parameters, the module and its training."""

    hidden_sizes: Sequence[int] = (100,)
    activation: str | Callable[[], nn.Module] = "ReLU"
    _: KW_ONLY
    dropout: float = 0.0
    batch_norm: bool = False
    module: Callable[[int, int], nn.Module] | None = None
    optimizer: str | Callable[..., optim.Optimizer] = "Adam"
    learning_rate: float = 0.001
    weight_decay: float = 0.0
    schedule: Callable[[optim.Optimizer], LRScheduler] | None = None
    batch_size: int = 32
    epochs: int = 100
    early_stopping: bool = False
    validation_fraction: float = 0.1
    patience: int = 10
    callbacks: Sequence[Callback] = ()
    warm_start: bool = False
    random_state: Any = None

    def _validated(self, X: Any, y: Any) -> tuple[Array, Array]:
        continued = self._continues()
        X, y = validate_data(self, X, y, reset=not continued, dtype=np.float32, multi_output=True)
        return X, column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y

    def _continues(self) -> bool:
        return self.warm_start and hasattr(self, "module_")

    def _train(self, X: Array, targets: Array, outputs: int, loss: Loss, stratify: Array | None = None) -> Self:
        """Make the module, unless it goes on with the one it has, and train it on rows that have been validated."""
        random = check_random_state(self.random_state)
        parts: list[Any] = [X, targets]
        if self.early_stopping:
            X, X_dev, targets, targets_dev = train_test_split(
                X, targets, test_size=self.validation_fraction, random_state=random, stratify=stratify
            )
            parts = [X, targets, X_dev, targets_dev]

        def checked(scores: Tensor, y: Tensor) -> Tensor:
            if scores.shape != (len(y), outputs):
                raise ValueError(f"expected module to make scores of shape {(len(y), outputs)}, got {scores.shape}")
            return loss(scores, y)

        with drawing_from(Generator().manual_seed(int(random.randint(2**31)))):
            if not self._continues():
                self.module_ = self._made_module(X.shape[1], outputs).float()
            parameters: list[Any] = list(self.module_.named_parameters())
            if self.weight_decay:
                parameters = optim.decay_groups(parameters, self.weight_decay)
            optimizer = _named(optim, "optimizer", self.optimizer)(parameters, lr=self.learning_rate)
            self._run([ad.tensor(part) for part in parts], checked, optimizer)
        return self

    def _made_module(self, inputs: int, outputs: int) -> nn.Module:
        if self.module is None:
            return network(inputs, outputs, self.hidden_sizes, self.activation, self.dropout, self.batch_norm)
        made = self.module(inputs, outputs)
        if not isinstance(made, nn.Module):
            raise TypeError(f"expected module to make an nn.Module of the numbers of inputs and outputs, got {made!r}")
        return made

    def _run(self, parts: list[Tensor], loss: Loss, optimizer: optim.Optimizer) -> None:
        """The epochs on the rows and targets of `parts`, of which the second pair, if any, is for early stopping."""
        epochs, batch_size = _count("epochs", self.epochs), _count("batch_size", self.batch_size)
        # A last batch of one row would have no variance for batch normalisation.
        drop_last = len(parts[0]) % batch_size == 1 < len(parts[0])
        train = DataLoader(TensorDataset(*parts[:2]), batch_size, shuffle=True, drop_last=drop_last)
        stopping = EarlyStopping(_count("patience", self.patience)) if self.early_stopping else None
        self.history_ = loop.fit(
            self.module_,
            loss,
            optimizer,
            train,
            DataLoader(TensorDataset(*parts[2:]), ROWS) if stopping else None,
            epochs=epochs,
            schedule=self.schedule and self.schedule(optimizer),
            early_stopping=stopping,
            after_epoch=self.callbacks,
            progress=False,
            # A random split puts rows that are there twice into both parts.
            allow_shared_rows=True,
        )
        self.best_epoch_ = stopping.best_epoch if stopping else len(self.history_["loss"])

    def _scores(self, X: Any) -> Array:
        """What the module computes of each row, in float64.

        In float32 the last digits of a row would depend on the rows beside it: matrix products round by their size.
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float32).astype(np.float64)
        module = deepcopy(self.module_).double().eval()
        with ad.no_grad():
            return np.concatenate([module(ad.from_numpy(X[i : i + ROWS])).numpy() for i in range(0, len(X), ROWS)])


@dataclass(eq=False, repr=False)
class Classifier(ClassifierMixin, _Network):  # type: ignore[misc]
    """A network that tells classes apart, or, for a `y` of rows of zeros and ones, labels of which several may hold.

    Two classes and labels are scored by logits, the loss being binary cross-entropy; more classes by softmax and
    cross-entropy. Standardise `X` before, as in ``make_pipeline(StandardScaler(), Classifier())``.

    - `hidden_sizes`, `activation` (a name in `nn`), `dropout`, `batch_norm`: the layers of `network`.
    - `module`: a function of the numbers of inputs and outputs that makes another network; two classes have one output.
    - `optimizer` (a name in `optim`, or what makes one of parameter groups and ``lr``), `learning_rate`,
      `weight_decay` (of weights, not of biases), `schedule` (a function of the optimizer that makes one).
    - `batch_size`, `epochs`; `callbacks`: functions that are called after each epoch, as ``after_epoch`` of `fit`.
    - `early_stopping`: train until the loss of `validation_fraction` of the data has not become less for `patience`
      epochs, then restore the weights of the best epoch.
    - `class_weight`: how much an example of a class counts, as a dict, or "balanced" for the inverse of its frequency.
    - `warm_start`: go on from the weights of the last `fit`.
    - `random_state`: the same number gives the same bits, in any thread or process.

    Weights are float32, predictions float64. `fit` takes no ``sample_weight``: scikit-learn expects weights to equal
    repeated rows to seven digits, which batches in float32 cannot. After it there are ``module_``, ``classes_``,
    ``history_`` (a `History`) and ``best_epoch_``.

    ValueError for data that are empty, infinite or missing, fewer than two classes, and targets that are no classes;
    FloatingPointError when the loss becomes infinite or NaN.

    >>> from sklearn.datasets import make_moons
    >>> X, y = make_moons(200, noise=0.1, random_state=0)
    >>> classifier = Classifier(hidden_sizes=[20], learning_rate=0.05, epochs=30, random_state=0).fit(X, y)
    >>> classifier.score(X, y)
    1.0
    >>> classifier.predict([[0.0, 1.0], [1.0, -0.5]])
    array([0, 1])
    """

    class_weight: Any = None

    def fit(self, X: Any, y: Any) -> Self:
        """Train on rows `X` (n, features) and their classes `y` (n,), or labels (n, labels)."""
        X, y = self._validated(X, y)
        check_classification_targets(y)
        kind = type_of_target(y)
        if kind == "multiclass-multioutput":
            raise ValueError("expected one class for each row, or labels that are 0 or 1; got several classes a row")
        several = kind == "multilabel-indicator"
        classes, targets = (np.arange(y.shape[1]), y) if several else np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(f"expected rows of two classes or more to tell apart, got one class: {classes}")
        if self._continues() and not np.array_equal(classes, self.classes_):
            raise ValueError(f"warm_start: expected the classes {self.classes_} of the last fit, got {classes}")
        if several and self.class_weight is not None:
            raise ValueError("expected class_weight=None for labels of which several may hold")
        self.classes_: Array = classes
        self.several_ = several
        if several:
            return self._train(X, y.astype(np.float32), y.shape[1], binary_cross_entropy_with_logits)
        weights = compute_class_weight(self.class_weight, classes=classes, y=y)
        # With a mean of 1 over the rows, they leave the learning rate what it is.
        weight = ad.tensor(weights / weights[targets].mean(), dtype=ad.float32)
        if len(classes) > 2:
            return self._train(X, targets, len(classes), partial(_cross_entropy, weight), stratify=targets)
        return self._train(X, targets[:, None].astype(np.float32), 1, partial(_two_classes, weight), stratify=targets)

    def decision_function(self, X: Any) -> Array:
        """The scores: (n,) for two classes, positive for the second; else (n, classes) or (n, labels)."""
        scores = self._scores(X)
        return scores if self.several_ or scores.shape[1] > 1 else scores[:, 0]

    def predict_proba(self, X: Any) -> Array:
        """The probabilities (n, classes), or of each label (n, labels)."""
        scores = ad.from_numpy(self._scores(X))
        if scores.shape[1] > 1 and not self.several_:
            return scores.softmax(1).numpy()
        p = scores.sigmoid().numpy()
        return p if self.several_ else np.hstack([1 - p, p])

    def predict(self, X: Any) -> Array:
        """The most likely class of each row, or its labels of at least even chances."""
        scores = self.decision_function(X)
        if self.several_:
            return (scores > 0).astype(self.classes_.dtype)
        return np.asarray(self.classes_[(scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(1)])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


@dataclass(eq=False, repr=False)
class Regressor(RegressorMixin, _Network):  # type: ignore[misc]
    """A network that predicts a number for each row, or several.

    The loss is the mean squared error. The parameters are those of `Classifier`, without ``class_weight``. Standardise
    the targets too, with scikit-learn's ``TransformedTargetRegressor``, if they are far from 0 or large.

    >>> X = np.linspace(-1, 1, 100)[:, None]
    >>> regressor = Regressor(hidden_sizes=[20], learning_rate=0.05, random_state=0).fit(X, X[:, 0] ** 2)
    >>> bool(abs(regressor.predict([[0.5]])[0] - 0.25) < 0.02)
    True
    """

    def fit(self, X: Any, y: Any) -> Self:
        """Train on rows `X` (n, features) and numbers `y` (n,) or (n, outputs)."""
        X, y = self._validated(X, y)
        self.several_ = y.ndim == 2
        targets = y.astype(np.float32).reshape(len(y), -1)
        return self._train(X, targets, targets.shape[1], nn.functional.mse_loss)

    def predict(self, X: Any) -> Array:
        """The numbers, in the shape of those that were fitted."""
        scores = self._scores(X)
        return scores if self.several_ else scores[:, 0]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _two_classes(weight: Tensor, scores: Tensor, y: Tensor) -> Tensor:
    return binary_cross_entropy_with_logits(scores, y, weight[y.long()])


def _cross_entropy(weight: Tensor, scores: Tensor, y: Tensor) -> Tensor:
    # Not the weight of cross_entropy itself: it divides by the weights of the batch, which undoes rare heavy ones.
    return (cross_entropy(scores, y, reduction="none") * weight[y]).mean()


def _count(parameter: str, value: Any) -> int:
    if not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"expected integers from 1 as {parameter}, got {value!r}")
    return int(value)


def _named(package: Any, parameter: str, value: Any) -> Callable[..., Any]:
    """What `value` is called in `package`, or `value` itself if it is no name."""
    made: Any = getattr(package, value, None) if isinstance(value, str) else value
    if not callable(made):
        raise ValueError(f"expected {parameter} to be a name in {package.__name__} or a function, got {value!r}")
    return cast("Callable[..., Any]", made)

"""scikit-learn estimators: thin, cheap to clone, nothing is loaded before `fit`.

They take paths, arrays of images, PIL images, and tables; a plain 2-D array of numbers is passed through as features
already made. Frozen features come from the store, so a grid search forwards every item once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted, column_or_1d, validate_data

from icecore.api.estimating import OnFeatures, Transfer
from icecore.api.features_or_items import holds_items
from icecore.api.pretrained import PretrainedModel
from icecore.errors import UsageError
from icecore.evaluation import median_classes
from icecore.tasks import Classification, Multilabel, Ordinal, Regression, Task


class FeatureExtractor(TransformerMixin, OnFeatures):  # type: ignore[misc]  # scikit-learn is untyped
    """From inputs to frozen features, for pipelines.

    Args:
        backbone: an id or a `PretrainedModel`.
        layer: a layer or several (side by side in the result); see `PretrainedModel.extract_features`.
        pooling: see there.
        batch_size: items in one forward pass; of texts, 64 tokens for each.
        device: `cpu`, `cuda`, `mps` or `auto`.
        precision: `float32` or `bfloat16`; see `PretrainedModel.load`.
        engine: `auto`, `eager`, `openvino`, `onnxruntime` or `compile`; see there.
        store: a folder; by default `ICECORE_STORE` or the user's cache directory.

    An item that cannot be read is an error here, because scikit-learn knows rows by their position alone.

    Example:
        >>> import numpy as np
        >>> images = np.random.default_rng(0).integers(0, 255, (4, 32, 32, 3), dtype=np.uint8)
        >>> FeatureExtractor("icecore:vision-s@random").fit_transform(images).shape
        (4, 1024)
    """

    def __init__(
        self,
        backbone: str | PretrainedModel | None = None,
        layer: str | int | Sequence[str | int] = "last",
        pooling: str | Sequence[str] = "mean",
        *,
        batch_size: int = 32,
        device: str = "auto",
        precision: str = "float32",
        engine: str = "auto",
        store: Any = None,
    ) -> None:
        self.backbone = backbone
        self.layer = layer
        self.pooling = pooling
        self.batch_size = batch_size
        self.device = device
        self.precision = precision
        self.engine = engine
        self.store = store

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]  # whatever comes, features are float32
        return tags

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learns nothing; notes the width of features that are passed through."""
        del y
        if not holds_items(X):
            validate_data(self, X, dtype=np.float32)
        self.fitted_ = True
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Features, float32 (n, d). Raises BadItemsError for items that cannot be read."""
        check_is_fitted(self)
        return np.hstack(list(self._matrices(X).values()))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the columns, (d,): `last_0`, `last_1`, ..., in pipelines and data frames (`set_output`); those of
        features that are passed through stay as they are.
        """
        check_is_fitted(self)
        if hasattr(self, "n_features_in_"):
            return np.asarray(_check_feature_names_in(self, input_features))
        return np.array([f"{name}_{i}" for name, width in self._widths().items() for i in range(width)], object)


class TransferClassifier(ClassifierMixin, Transfer):  # type: ignore[misc]  # scikit-learn is untyped
    """A small classifier on frozen features: of one class, of classes in an order, or of several labels a row.

    A matrix (n, k) of 0 and 1 for y is several labels a row; then `predict` gives such a matrix, by thresholds that
    were tuned on rows left out, and `predict_proba` each label's own probability.

    Args:
        backbone: an id or a `PretrainedModel`; not needed for features already made.
        layer: a layer, or several to choose from.
        pooling: see `PretrainedModel.extract_features`.
        head: a name (`logistic`, `ridge`, `svm`, `svm-rbf`, `knn`, `centroid`, `lda`, `mlp`, `mlp:256,relu`), `auto` to
            choose by cross-validation, a scikit-learn classifier, or torch layers.
        penalty: how simple the head has to be; larger is simpler, for every head. None is the head's own default, or,
            where something is chosen, the best in cross-validation.
        balanced: let every class count the same, however rare it is.
        order: the classes in their order, the lowest first, where they have one; None where they have none.
        batch_size: items in one forward pass; of texts, 64 tokens for each.
        device: `cpu`, `cuda`, `mps` or `auto`.
        precision: `float32` or `bfloat16`; see `PretrainedModel.load`.
        engine: `auto`, `eager`, `openvino`, `onnxruntime` or `compile`; see there.
        store: a folder; by default `ICECORE_STORE` or the user's cache directory.
        random_state: seed of the head and of the choice.

    Attributes:
        classes_: labels, sorted or in their order, (k,); of several labels a row their column numbers.
        task_: what was learned.
        head_: the fitted head.
        layers_: the layer that it reads, or several whose features are put side by side.
        tuning_: what the last `fine_tune` did.
        network_: the tuned network, where it was adopted.

    Example:
        >>> X, y = np.float32([[0, 0], [0, 1], [5, 5], [5, 6]]), np.array(["a", "a", "b", "b"])
        >>> TransferClassifier().fit(X, y).predict(X).tolist()
        ['a', 'a', 'b', 'b']
    """

    def __init__(
        self,
        backbone: str | PretrainedModel | None = None,
        layer: str | int | Sequence[str | int] = "last",
        pooling: str | Sequence[str] = "mean",
        head: Any = "logistic",
        *,
        penalty: float | None = None,
        balanced: bool = False,
        order: Sequence[Any] | None = None,
        batch_size: int = 32,
        device: str = "auto",
        precision: str = "float32",
        engine: str = "auto",
        store: Any = None,
        random_state: Any = 0,
    ) -> None:
        self.backbone = backbone
        self.layer = layer
        self.pooling = pooling
        self.head = head
        self.penalty = penalty
        self.balanced = balanced
        self.order = order
        self.batch_size = batch_size
        self.device = device
        self.precision = precision
        self.engine = engine
        self.store = store
        self.random_state = random_state

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Fit the head on features of X, (n,) inputs or (n, d) features, and labels y, (n,) or (n, k) of 0 and 1.

        Where layer, head or penalty are chosen, rows of one of the `groups` (n,) stay together in every fold of that
        choice, as equal inputs do: of one patient, one session. Folds around the estimator have groups of their own,
        `cross_val_score(model, X, y, groups=groups, params={"groups": groups}, cv=GroupKFold())`.
        """
        _require_targets(self, y)
        if not holds_items(X):
            X, y = validate_data(self, X, y, dtype=np.float32, multi_output=True)
        return self._fit(X, *self._task(y), groups)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities, float64 (n, k), in the order of `classes_`."""
        check_is_fitted(self)
        return self._says(X)[:, : len(self.classes_)]

    def predict(self, X: Any) -> np.ndarray:
        """The most probable label of each input, (n,); the median of classes in an order; (n, k) of several labels."""
        said = self._says(X)
        if isinstance(self.task_, Multilabel):
            proba, thresholds = np.hsplit(said, 2)
            return np.asarray(proba >= thresholds, np.int64)
        chosen = median_classes(said) if isinstance(self.task_, Ordinal) else said.argmax(1)
        labels: np.ndarray = self.classes_[chosen]
        return labels

    def _columns_of(self, y: Any) -> Any:
        if not isinstance(self.task_, Multilabel):
            return y
        return [np.flatnonzero(row).tolist() for row in np.asarray(y)]

    def _task(self, y: Any) -> tuple[Task, np.ndarray]:
        """What is learned, and what heads learn from. Sets `classes_`."""
        if np.ndim(y) == 2 and type_of_target(y) == "multilabel-indicator":
            answers = np.asarray(y.toarray() if hasattr(y, "toarray") else y).astype(np.int64)
            self.classes_ = np.arange(answers.shape[1])
            return Multilabel(tuple(self.classes_.tolist())), answers
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        if self.order is not None:
            ordered = Ordinal.of("y", y.tolist(), list(self.order))
            self.classes_ = np.array(ordered.classes, dtype=y.dtype)
            return ordered, ordered.encode(y.tolist(), "y")
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            only = self.classes_.tolist()[0]
            raise UsageError(f"Got 1 class: all labels are {only!r}.", expected="A classifier needs at least two.")
        return Classification(tuple(self.classes_.tolist())), codes


class TransferRegressor(RegressorMixin, Transfer):  # type: ignore[misc]  # scikit-learn is untyped
    """A small model of a number on frozen features.

    Args:
        backbone: an id or a `PretrainedModel`; not needed for features already made.
        layer: a layer, or several to choose from.
        pooling: see `PretrainedModel.extract_features`.
        head: a name (`ridge`, `svm`, `svm-rbf`, `knn`, `mlp`, `mlp:256,relu`), `auto` to choose by cross-validation, a
            scikit-learn regressor, or torch layers with one output.
        penalty: how simple the head has to be; larger is simpler. None is the head's own default, of `ridge` the best
            in leave-one-out, or, where something is chosen, the best in cross-validation.
        batch_size: items in one forward pass; of texts, 64 tokens for each.
        device: `cpu`, `cuda`, `mps` or `auto`.
        precision: `float32` or `bfloat16`; see `PretrainedModel.load`.
        engine: `auto`, `eager`, `openvino`, `onnxruntime` or `compile`; see there.
        store: a folder; by default `ICECORE_STORE` or the user's cache directory.
        random_state: seed of the head and of the choice.

    Attributes:
        head_: the fitted head.
        layers_: the layer that it reads, or several whose features are put side by side.
        task_: what was learned.
        tuning_: what the last `fine_tune` did.
        network_: the tuned network, where it was adopted.

    Example:
        >>> X = np.float32([[0, 0], [1, 0], [2, 0], [3, 1], [4, 1], [5, 0]])
        >>> TransferRegressor().fit(X, 2 * X[:, 0] + 1).predict(np.float32([[2.5, 0]])).round(1).tolist()
        [6.0]
    """

    def __init__(
        self,
        backbone: str | PretrainedModel | None = None,
        layer: str | int | Sequence[str | int] = "last",
        pooling: str | Sequence[str] = "mean",
        head: Any = "ridge",
        *,
        penalty: float | None = None,
        batch_size: int = 32,
        device: str = "auto",
        precision: str = "float32",
        engine: str = "auto",
        store: Any = None,
        random_state: Any = 0,
    ) -> None:
        self.backbone = backbone
        self.layer = layer
        self.pooling = pooling
        self.head = head
        self.penalty = penalty
        self.batch_size = batch_size
        self.device = device
        self.precision = precision
        self.engine = engine
        self.store = store
        self.random_state = random_state

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Fit the head on features of X, (n,) inputs or (n, d) features, and numbers y, (n,).

        `groups` (n,) are as in `TransferClassifier.fit`.
        """
        _require_targets(self, y)
        if not holds_items(X):
            X, y = validate_data(self, X, y, dtype=np.float32, y_numeric=True)
        numbers = Regression().encode(column_or_1d(y, warn=True).tolist(), "y")
        return self._fit(X, Regression(), numbers, groups)

    def predict(self, X: Any) -> np.ndarray:
        """Numbers, float64 (n,)."""
        return self._says(X)[:, 0]


def _require_targets(estimator: Any, y: Any) -> None:
    if y is None:
        raise UsageError(f"{type(estimator).__name__} requires y to be passed, but the target y is None.")
    row = next((i for i, value in enumerate(y) if value is None), None) if isinstance(y, Iterable) else None
    if row is not None:
        raise UsageError(
            f"y holds None at position {row}.", expected="A label for every row.", do="Leave such rows out of X and y."
        )

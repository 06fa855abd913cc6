"""scikit-learn estimators: thin, cheap to clone, nothing is loaded before `fit`.

They take paths, arrays of images, PIL images, and tables; a plain 2-D array of numbers is passed through as features
already made. Frozen features come from the store, so a grid search forwards every item once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from icecore import heads
from icecore.api.loading import loaded
from icecore.api.options import open_store
from icecore.api.pretrained import PretrainedModel
from icecore.data import read
from icecore.errors import UsageError
from icecore.features import Features, Silent, extract
from icecore.prefix import columns_of
from icecore.selection import Candidate, choose, features_of


class _OnFeatures(BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """What the estimators share: from whatever came to matrices of features."""

    backbone: str | PretrainedModel | None
    layer: str | int | Sequence[str | int]
    pooling: str
    batch_size: int
    device: str
    store: Any

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        return tags

    def _matrices(self, X: Any, *, reset: bool) -> dict[str, np.ndarray]:
        """Features by layer, (n, d) each. Plain features come as the layer `features`."""
        if not holds_items(X):
            values = validate_data(self, X, reset=reset, dtype=np.float32, ensure_min_samples=1)
            return {"features": np.asarray(values)}
        features = self._extracted(X)
        return {layer: features.matrix(layer) for layer in features.layers}

    def _extracted(self, X: Any) -> Features:
        if self.backbone is None:
            raise UsageError(
                f"{type(self).__name__} got inputs that are no features, and it has no backbone.",
                do="Give one: backbone='timm:resnet18.a1_in1k', a local folder, or a PretrainedModel.",
            )
        backbone = loaded(self.backbone, self.device)
        dataset = read(X, labelled=False, modality=backbone.modality)
        columns = columns_of(backbone, self.layer, self.pooling)
        return extract(
            backbone,
            dataset,
            columns,
            store=open_store(self.store),
            batch_size=self.batch_size,
            strict=True,
            progress=Silent(),
        )


class FeatureExtractor(TransformerMixin, _OnFeatures):  # type: ignore[misc]  # scikit-learn is untyped
    """From inputs to frozen features, for pipelines.

    Args:
        backbone: an id or a `PretrainedModel`.
        layer: a layer or several (side by side in the result); see `PretrainedModel.extract_features`.
        pooling: see there.
        batch_size: items in one forward pass.
        device: `cpu`, `cuda`, `mps` or `auto`.
        store: a folder; by default `ICECORE_STORE` or the user's cache directory.

    An item that cannot be read is an error here, because scikit-learn knows rows by their position alone.

    Example:
        >>> import numpy as np
        >>> images = np.random.default_rng(0).integers(0, 255, (4, 32, 32, 3), dtype=np.uint8)
        >>> FeatureExtractor("icecore:vision-s@random").fit_transform(images).shape
        (4, 640)
    """

    def __init__(
        self,
        backbone: str | PretrainedModel | None = None,
        layer: str | int | Sequence[str | int] = "last",
        pooling: str = "mean",
        *,
        batch_size: int = 32,
        device: str = "auto",
        store: Any = None,
    ) -> None:
        self.backbone = backbone
        self.layer = layer
        self.pooling = pooling
        self.batch_size = batch_size
        self.device = device
        self.store = store

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
        return np.hstack(list(self._matrices(X, reset=False).values()))


class TransferClassifier(ClassifierMixin, _OnFeatures):  # type: ignore[misc]  # scikit-learn is untyped
    """A small classifier on frozen features.

    Args:
        backbone: an id or a `PretrainedModel`; not needed for features already made.
        layer: a layer, or several to choose from.
        pooling: see `PretrainedModel.extract_features`.
        head: a name (`logistic`, `ridge`, `svm`, `svm-rbf`, `knn`, `centroid`, `lda`, `mlp`, `mlp:256,relu,dropout0.3`),
            `auto` to choose by cross-validation, a scikit-learn classifier, or torch layers.
        penalty: how simple the head has to be; larger is simpler, for every head. None is the head's own default.
        balanced: let every class count the same, however rare it is.
        batch_size: items in one forward pass.
        device: `cpu`, `cuda`, `mps` or `auto`.
        store: a folder; by default `ICECORE_STORE` or the user's cache directory.
        random_state: seed of the head and of the choice.

    Attributes:
        classes_: labels, sorted, (k,).
        head_: the fitted head.
        layers_: names of the layers that it reads.

    Example:
        >>> X, y = np.float32([[0, 0], [0, 1], [5, 5], [5, 6]]), np.array(["a", "a", "b", "b"])
        >>> TransferClassifier().fit(X, y).predict(X).tolist()
        ['a', 'a', 'b', 'b']
    """

    def __init__(
        self,
        backbone: str | PretrainedModel | None = None,
        layer: str | int | Sequence[str | int] = "last",
        pooling: str = "mean",
        head: Any = "logistic",
        *,
        penalty: float | None = None,
        balanced: bool = False,
        batch_size: int = 32,
        device: str = "auto",
        store: Any = None,
        random_state: int | None = 0,
    ) -> None:
        self.backbone = backbone
        self.layer = layer
        self.pooling = pooling
        self.head = head
        self.penalty = penalty
        self.balanced = balanced
        self.batch_size = batch_size
        self.device = device
        self.store = store
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:
        """Fit the head on features of X, (n,) inputs or (n, d) features, and labels y, (n,)."""
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None.")
        if not holds_items(X):
            X, y = validate_data(self, X, y, dtype=np.float32)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"All labels are {self.classes_[0]!r}; a classifier needs at least two classes.")
        matrices = self._matrices(X, reset=False)
        if len(codes) != len(next(iter(matrices.values()))):
            raise ValueError(f"Got {len(next(iter(matrices.values())))} inputs and {len(codes)} labels.")
        candidate = self._candidate(matrices, codes)
        self.layers_ = candidate.layer
        self.head_ = self._head(candidate.head, candidate.penalty)
        self.head_.fit(features_of(matrices, candidate.layer), codes, n_classes=len(self.classes_))
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities, float64 (n, k), in the order of `classes_`."""
        check_is_fitted(self)
        return self.head_.predict_proba(features_of(self._matrices(X, reset=False), self.layers_))

    def predict(self, X: Any) -> np.ndarray:
        """The most probable label of each input, (n,)."""
        proba = self.predict_proba(X)
        labels: np.ndarray = self.classes_[proba.argmax(1)]
        return labels

    def _candidate(self, matrices: dict[str, np.ndarray], codes: np.ndarray) -> Candidate:
        if self.head != "auto" and len(matrices) == 1:
            return Candidate(next(iter(matrices)), self.head, self.penalty)
        choice = choose(
            matrices,
            codes,
            len(self.classes_),
            heads=[self.head],
            class_weight="balanced" if self.balanced else None,
            seed=self._seed,
        )
        return choice.candidate

    def _head(self, spec: Any, penalty: float | None) -> heads.Head:
        return heads.make(spec, penalty=penalty, class_weight="balanced" if self.balanced else None, seed=self._seed)

    @property
    def _seed(self) -> int:
        return 0 if self.random_state is None else int(self.random_state)


def holds_items(X: Any) -> bool:
    """Whether X holds inputs (paths, images, tables with a path column) rather than features already made."""
    if isinstance(X, np.ndarray):
        return X.ndim >= 3 or (X.ndim == 1 and X.dtype.kind in "OUS" and _is_item(X[:1]))
    if hasattr(X, "columns") and hasattr(X, "dtypes"):
        return not all(getattr(kind, "kind", "O") in "biuf" for kind in np.ravel(list(X.dtypes)))
    if hasattr(X, "to_numpy") and getattr(X, "ndim", 0) == 1:
        return _is_item(list(X[:1]))
    return isinstance(X, Sequence) and _is_item(X[:1])


def _is_item(first: Any) -> bool:
    if isinstance(first, str):
        return True
    return len(first) > 0 and (
        isinstance(first[0], str | bytes) or hasattr(first[0], "__fspath__") or _is_image(first[0])
    )


def _is_image(value: Any) -> bool:
    return hasattr(value, "convert") or (isinstance(value, np.ndarray) and value.ndim >= 2)

"""scikit-learn estimators: thin, cheap to clone, nothing is loaded before `fit`.

They take paths, arrays of images, PIL images, and tables; a plain 2-D array of numbers is passed through as features
already made. Frozen features come from the store, so a grid search forwards every item once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from icecore import heads
from icecore.api.describing import bare_manifest
from icecore.api.features_or_items import holds_items
from icecore.api.loading import loaded
from icecore.api.options import columns_for, open_store
from icecore.api.pretrained import PretrainedModel
from icecore.api.tuning import Request, training_settings, tune
from icecore.artifact import Predictor
from icecore.backbones import LAST, Extractor
from icecore.data import read
from icecore.errors import UsageError
from icecore.features import Features, Silent, extract, named
from icecore.prefix import Column
from icecore.selection import Candidate, choose, features_of

_GIVEN = "features"  # the layer that features already made are called


class _OnFeatures(BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """What the estimators share: from whatever came to matrices of features."""

    backbone: str | PretrainedModel | None
    layer: str | int | Sequence[str | int]
    pooling: str | Sequence[str]
    batch_size: int
    device: str
    precision: str
    engine: str
    store: Any

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        return tags

    def _matrices(self, X: Any) -> dict[str, np.ndarray]:
        """Features by layer, (n, d) each. Plain features must have the width that `fit` saw."""
        if not holds_items(X):
            return {_GIVEN: validate_data(self, X, reset=False, dtype=np.float32)}
        return self._extracted(X)

    def _extracted(self, X: Any) -> dict[str, np.ndarray]:
        backbone = self._backbone()
        features: Features = extract(
            backbone,
            read(X, labelled=False, modality=backbone.modality),
            self._columns(backbone),
            store=open_store(self.store),
            batch_size=self.batch_size,
            strict=True,
            progress=Silent(),
        )
        return {name: features.matrix(column) for name, column in features.named().items()}

    def _backbone(self) -> Extractor:
        return loaded(self._network, device=self.device, precision=self.precision, engine=self.engine)

    @property
    def _network(self) -> str | PretrainedModel:
        """The tuned network, where there is one. Raises UsageError where there is none at all."""
        network: str | PretrainedModel | None = getattr(self, "network_", None) or self.backbone
        if network is None:
            raise UsageError(
                f"{type(self).__name__} got inputs that are no features, and it has no backbone.",
                do="Give one: backbone='timm:resnet18.a1_in1k', a local folder, or a PretrainedModel.",
            )
        return network

    def _columns(self, backbone: Extractor) -> list[Column]:
        return columns_for(backbone, self.layer if self._network is self.backbone else LAST, self.pooling)


class FeatureExtractor(TransformerMixin, _OnFeatures):  # type: ignore[misc]  # scikit-learn is untyped
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


class TransferClassifier(ClassifierMixin, _OnFeatures):  # type: ignore[misc]  # scikit-learn is untyped
    """A small classifier on frozen features.

    Args:
        backbone: an id or a `PretrainedModel`; not needed for features already made.
        layer: a layer, or several to choose from.
        pooling: see `PretrainedModel.extract_features`.
        head: a name (`logistic`, `ridge`, `svm`, `svm-rbf`, `knn`, `centroid`, `lda`, `mlp`, `mlp:256,relu`), `auto` to
            choose by cross-validation, a scikit-learn classifier, or torch layers.
        penalty: how simple the head has to be; larger is simpler, for every head. None is the head's own default, or,
            where something is chosen, the best in cross-validation.
        balanced: let every class count the same, however rare it is.
        batch_size: items in one forward pass; of texts, 64 tokens for each.
        device: `cpu`, `cuda`, `mps` or `auto`.
        precision: `float32` or `bfloat16`; see `PretrainedModel.load`.
        engine: `auto`, `eager`, `openvino`, `onnxruntime` or `compile`; see there.
        store: a folder; by default `ICECORE_STORE` or the user's cache directory.
        random_state: seed of the head and of the choice.

    Attributes:
        classes_: labels, sorted, (k,).
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
        self.batch_size = batch_size
        self.device = device
        self.precision = precision
        self.engine = engine
        self.store = store
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:
        """Fit the head on features of X, (n,) inputs or (n, d) features, and labels y, (n,)."""
        if y is None:
            raise UsageError(f"{type(self).__name__} requires y to be passed, but the target y is None.")
        plain = not holds_items(X)
        if plain:
            X, y = validate_data(self, X, y, dtype=np.float32)
        codes, self.network_ = self._encoded(y), None
        matrices = {_GIVEN: X} if plain else self._extracted(X)
        found = len(next(iter(matrices.values())))
        if found != len(codes):
            raise UsageError(f"Got {found} inputs and {len(codes)} labels.", expected="One label for each input.")
        options: dict[str, Any] = {"class_weight": "balanced" if self.balanced else None, "seed": self._seed()}
        candidate = self._candidate(matrices, codes, **options)
        self.layers_ = candidate.layer
        self.head_ = heads.make(candidate.head, penalty=candidate.penalty, **options)
        self.head_.fit(features_of(matrices, candidate.layer), codes, n_classes=len(self.classes_))
        return self

    def fine_tune(
        self,
        X: Any,
        y: Any,
        *,
        unfreeze: int | str = 2,
        folds: int | None = None,
        keep: bool = False,
        **training: Any,
    ) -> Self:
        """Train the network's last blocks on inputs, after `fit`, and adopt them where that pays.

        See `TransferModel.fine_tune`; `tuning_` holds its report. Raises UsageError for features already made, which
        have no network below them.

        Example:
            >>> images = np.random.default_rng(0).integers(0, 255, (20, 32, 32, 3), dtype=np.uint8)
            >>> images[::2] //= 4
            >>> model = TransferClassifier("icecore:vision-s@random").fit(images, ["dark", "light"] * 10)
            >>> model = model.fine_tune(images, ["dark", "light"] * 10, unfreeze=1, epochs=1, folds=1)
            >>> model.tuning_.adopted, model.predict(images[:2]).tolist()
            (False, ['dark', 'light'])
        """
        check_is_fitted(self)
        if not holds_items(X) or self.layers_ == _GIVEN:
            raise UsageError(
                "Features already made cannot be fine-tuned: there is no network below them.",
                do="Fit on inputs (paths, images, texts) with a backbone, and give these.",
            )
        backbone = self._backbone()
        defaults = {"class_weight": "balanced" if self.balanced else None, "seed": self._seed()}
        self.tuning_, tuned = tune(
            self._predictor(backbone),
            read(X, y=y, labelled=True, modality=backbone.modality),
            Request(training_settings(unfreeze=unfreeze, **defaults | training), folds, keep),
            store=open_store(self.store),
            progress=Silent(),
            batch_size=self.batch_size,
            strict=True,
        )
        if self.tuning_.adopted:
            self.network_ = PretrainedModel(tuned.backbone, changes=tuned.changes, base=tuned.base)
            self.head_, self.layers_ = tuned.heads["label"], LAST
        return self

    def _predictor(self, backbone: Extractor) -> Predictor:
        """The fitted head on the network, as fine-tuning takes it."""
        names = [self.layers_] if isinstance(self.layers_, str) else self.layers_
        net = self._network if isinstance(self._network, PretrainedModel) else PretrainedModel(backbone)
        columns = named(self._columns(backbone))
        manifest = bare_manifest(backbone, [columns[name] for name in names], self.classes_.tolist(), self.head_)
        return Predictor(manifest, backbone, {"label": self.head_}, changes=net.changes, base=net.base)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities, float64 (n, k), in the order of `classes_`."""
        check_is_fitted(self)
        return self.head_.predict_proba(features_of(self._matrices(X), self.layers_))

    def predict(self, X: Any) -> np.ndarray:
        """The most probable label of each input, (n,)."""
        proba = self.predict_proba(X)
        labels: np.ndarray = self.classes_[proba.argmax(1)]
        return labels

    def _encoded(self, y: Any) -> np.ndarray:
        """Class codes of the labels, (n,). Sets `classes_`."""
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            only = self.classes_.tolist()[0]
            raise UsageError(f"Got 1 class: all labels are {only!r}.", expected="A classifier needs at least two.")
        return codes

    def _candidate(self, matrices: dict[str, np.ndarray], codes: np.ndarray, **options: Any) -> Candidate:
        """What is to be fitted: as said, or chosen where several layers or heads are open. A given penalty stays."""
        open_head = isinstance(self.head, str) and self.head == "auto"
        if not open_head and len(matrices) == 1:
            return Candidate(next(iter(matrices)), self.head, self.penalty)
        if open_head and self.penalty is not None:
            raise UsageError("head='auto' chooses its own penalty.", do="Leave the penalty out, or name a head.")
        found = choose(matrices, codes, len(self.classes_), heads=[self.head], **options).candidate
        return Candidate(found.layer, found.head, found.penalty if self.penalty is None else self.penalty)

    def _seed(self) -> int:
        if isinstance(self.random_state, int):
            return self.random_state
        return int(check_random_state(self.random_state).randint(1 << 31))

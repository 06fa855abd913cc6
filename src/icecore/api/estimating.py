"""What the scikit-learn estimators share: from whatever came to features, and from these to a fitted head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from icecore.api.describing import bare_manifest
from icecore.api.features_or_items import holds_items
from icecore.api.loading import loaded
from icecore.api.options import columns_for, open_store
from icecore.api.pretrained import PretrainedModel
from icecore.api.tuning import Request, training_settings, tune
from icecore.artifact import Predictor
from icecore.backbones import LAST, Extractor, Layer
from icecore.data import read
from icecore.errors import UsageError
from icecore.evaluation import duplicate_groups, merged
from icecore.features import Features, Silent, extract, named
from icecore.prefix import Column, pool
from icecore.selection import Candidate, choose, features_of, fit_candidate
from icecore.tasks import AnyHead, Task

_LONG = 8  # steps that every pooling can divide
GIVEN = "features"  # the layer that features already made are called


class OnFeatures(BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
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
            return {GIVEN: validate_data(self, X, reset=False, dtype=np.float32)}
        return self._extracted(X)

    def _extracted(self, X: Any) -> dict[str, np.ndarray]:
        return _by_layer(self._features(X))

    def _features(self, X: Any) -> Features:
        backbone = self._backbone()
        return extract(
            backbone,
            read(X, labelled=False, modality=backbone.modality),
            self._columns(backbone),
            store=open_store(self.store),
            batch_size=self.batch_size,
            strict=True,
            progress=Silent(),
        )

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

    def _widths(self) -> dict[str, int]:
        """How many numbers each column has, from the shapes of the network's layers; nothing is computed for it."""
        backbone = self._backbone()
        layers = backbone.layers()
        return {name: _width(layers[one.layer], one.pooling) for name, one in named(self._columns(backbone)).items()}


class Transfer(OnFeatures):
    """A small head on frozen features. Subclasses say what it learns and how it answers."""

    head: Any
    penalty: float | None
    random_state: Any
    task_: Task
    head_: AnyHead
    layers_: str | tuple[str, ...]
    network_: PretrainedModel | None

    def fine_tune(
        self,
        X: Any,
        y: Any,
        *,
        unfreeze: int | str = 2,
        folds: int | None = None,
        keep: bool = False,
        search: int = 0,
        groups: Any = None,
        **training: Any,
    ) -> Self:
        """Train the network's last blocks on inputs, after `fit`, and adopt them where that pays.

        `groups` (n,) are as in `fit`; all else, `search` and the settings of the training included, is as in
        `TransferModel.fine_tune`. `tuning_` holds its report. Raises UsageError for features already made, which have
        no network below them.
        """
        check_is_fitted(self)
        if not holds_items(X) or self.layers_ == GIVEN:
            raise UsageError(
                "Features already made cannot be fine-tuned: there is no network below them.",
                do="Fit on inputs (paths, images, texts) with a backbone, and give these.",
            )
        backbone = self._backbone()
        defaults = {"class_weight": self._class_weight, "seed": self._seed()}
        self.tuning_, tuned = tune(
            self._predictor(backbone),
            read(X, y=self._columns_of(y), labelled=True, modality=backbone.modality, groups=groups),
            Request(training_settings(unfreeze=unfreeze, **defaults | training), folds, keep, search),
            store=open_store(self.store),
            progress=Silent(),
            batch_size=self.batch_size,
            strict=True,
        )
        if self.tuning_.adopted:
            self.network_ = PretrainedModel(tuned.backbone, changes=tuned.changes, base=tuned.base)
            self.head_, self.layers_ = tuned.heads["label"], LAST
        return self

    @property
    def _class_weight(self) -> Any:
        return "balanced" if getattr(self, "balanced", False) else None

    def _columns_of(self, y: Any) -> Any:
        """Labels as data sets take them."""
        return y

    def _fit(self, X: Any, task: Task, y: np.ndarray, groups: Any) -> Self:
        """Choose what is open, and fit a head on inputs, or features (n, d), and what it learns from."""
        self.network_ = None
        features = self._features(X) if holds_items(X) else None
        matrices = {GIVEN: X} if features is None else _by_layer(features)
        found = len(next(iter(matrices.values())))
        if found != len(y):
            raise UsageError(f"Got {found} inputs and {len(y)} labels.", expected="One label for each input.")
        together = _together(features, groups, found)
        options: dict[str, Any] = {"class_weight": self._class_weight, "seed": self._seed()}
        candidate = self._candidate(matrices, task, y, together, **options)
        self.head_ = fit_candidate(candidate, matrices, y, task, **options)
        self.task_, self.layers_ = task, candidate.layer
        return self

    def _says(self, X: Any) -> np.ndarray:
        """What the head says, (n, width)."""
        check_is_fitted(self)
        return self.task_.says(self.head_, features_of(self._matrices(X), self.layers_))

    def _candidate(
        self, matrices: dict[str, np.ndarray], task: Task, y: np.ndarray, groups: np.ndarray | None, **options: Any
    ) -> Candidate:
        """What is to be fitted: as said, or chosen where several layers or heads are open. A given penalty stays."""
        open_head = isinstance(self.head, str) and self.head == "auto"
        if not open_head and len(matrices) == 1:
            return Candidate(next(iter(matrices)), self.head, self.penalty)
        if open_head and self.penalty is not None:
            raise UsageError("head='auto' chooses its own penalty.", do="Leave the penalty out, or name a head.")
        found = choose(matrices, y, task, groups, heads=[self.head], **options).candidate
        return Candidate(found.layer, found.head, found.penalty if self.penalty is None else self.penalty)

    def _predictor(self, backbone: Extractor) -> Predictor:
        """The fitted head on the network, as fine-tuning takes it."""
        names = [self.layers_] if isinstance(self.layers_, str) else self.layers_
        net = self._network if isinstance(self._network, PretrainedModel) else PretrainedModel(backbone)
        columns = named(self._columns(backbone))
        manifest = bare_manifest(backbone, [columns[name] for name in names], self.task_, self.head_)
        return Predictor(manifest, backbone, {"label": self.head_}, changes=net.changes, base=net.base)

    def _seed(self) -> int:
        if isinstance(self.random_state, int):
            return self.random_state
        return int(check_random_state(self.random_state).randint(1 << 31))


def _by_layer(features: Features) -> dict[str, np.ndarray]:
    return {name: features.matrix(column) for name, column in features.named().items()}


def _together(features: Features | None, given: Any, n: int) -> np.ndarray | None:
    """Numbers (n,), equal for rows that stay on one side of every fold: equal inputs, and those of one given group."""
    exact = None if features is None else duplicate_groups(features.origins)
    if given is None:
        return exact
    check_consistent_length(given, range(n))
    own = np.unique(np.asarray(given), return_inverse=True)[1]
    return own if exact is None else merged(exact, own)


def _width(layer: Layer, pooling: str) -> int:
    """Numbers of a pooled item; where the item has any length, of one that is long enough for every pooling."""
    value = torch.zeros(1, *(size if size > 0 else _LONG for size in layer.shape))
    return pool(layer, value, pooling).numel()

"""What a report is made from: a model, what its fit kept, and where its items lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from icecore.artifact import Evidence, Manifest, TargetEvidence, TargetRef
from icecore.data import Item, modality_named
from icecore.evaluation import LearningCurve, median_classes


@dataclass(frozen=True)
class Material:
    """What is known of a model and of the items that it was fitted on.

    Attributes:
        manifest: of the model.
        evidence: what the fit kept of its items, n of them; None for models without.
        items: where each can be read, n of them; None for those that cannot be found.
        features: by target what its head reads, (n, d), with rows of NaN where there is nothing; empty where the
            features could not be had.
        curves: learning curves by target, where they were made.
        notes: sentences about what could not be found, for readers of the page.
    """

    manifest: Manifest
    evidence: Evidence | None = None
    items: Sequence[Item | None] = ()
    features: Mapping[str, np.ndarray] = field(default_factory=dict)
    curves: Mapping[str, LearningCurve] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def noun(self) -> str:
        """What the items are called, in the plural."""
        return modality_named(self.manifest.modality).noun

    def scored(self, target: TargetRef) -> Scored | None:
        """How the model did on a target's items; None where that was not kept, or it is no classification."""
        if self.evidence is None or target.name not in self.evidence.targets:
            return None
        own = self.evidence.targets[target.name]
        usable = target.task in ("classification", "ordinal") and own.scored.any()
        return Scored(own, np.asarray(self.evidence.groups)) if usable else None


@dataclass(frozen=True)
class Scored:
    """The items of a classification with what was said of each by a model that had not seen it.

    Attributes:
        target: labels and probabilities.
        groups: (n,) equal for items that are one.
    """

    target: TargetEvidence
    groups: np.ndarray

    @property
    def y(self) -> np.ndarray:
        """Class codes, (n,)."""
        return np.asarray(self.target.y, np.int64)

    @property
    def known(self) -> np.ndarray:
        """Which items were scored, (n,) bool."""
        return np.asarray(self.target.scored, bool)

    @property
    def names(self) -> list[str]:
        """Of the classes, as texts."""
        return [str(name) for name in self.target.classes]

    @property
    def proba(self) -> np.ndarray:
        """Probabilities, (n, k), zeros where an item was not scored."""
        return np.where(self.known[:, None], np.nan_to_num(self.target.proba), 0.0)

    @property
    def predicted(self) -> np.ndarray:
        """The class that is predicted, (n,); -1 where an item was not scored."""
        called = median_classes(self.proba) if self.target.task == "ordinal" else self.proba.argmax(1)
        return np.where(self.known, called, -1)

    @property
    def confidence(self) -> np.ndarray:
        """Probability of the predicted class, (n,)."""
        return np.asarray(self.proba.max(1))

    @property
    def wrong(self) -> np.ndarray:
        """Which items were scored and got another label, (n,) bool."""
        return np.asarray(self.known & (self.predicted != self.y))

    def only(self, values: np.ndarray) -> np.ndarray:
        """Those of values (n, ...) that belong to scored items."""
        return np.asarray(values[self.known])

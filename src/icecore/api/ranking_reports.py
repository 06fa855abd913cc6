"""What `rank` reports."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from icecore.api.contestants import LeftOut
from icecore.api.jsonable import as_json, bad_json
from icecore.data import BadItem
from icecore.evaluation import Estimate


@dataclass(frozen=True, slots=True)
class RankedLayer:
    """One layer of a network, or several side by side.

    Attributes:
        layer: its name, with the pooling where there are several; of several layers, how many and from where to where.
        depth: 0 for the first that was compared, 1 for the last; None for several side by side.
        head: the probe that did best on it, with its penalty.
        score: cross-validated, of the best probe; the probe is chosen without the rows that score it.
        knn: likewise of k nearest neighbours.
        centroid: likewise of the nearest class mean.
        logme: see `icecore.evaluation.logme`.
        h_score: see `icecore.evaluation.h_score`.
    """

    layer: str
    depth: float | None
    head: str
    score: Estimate
    knn: Estimate
    centroid: Estimate | None
    logme: Estimate | None
    h_score: Estimate | None


@dataclass(frozen=True, slots=True)
class RankedBackbone:
    """A network and its place.

    Attributes:
        rank: from 1; equal for those that cannot be told apart from the best of their rank.
        backbone: its id.
        score: cross-validated, of the best probe on its best layer, both chosen without the rows that score them.
        behind: how much higher its score is than the best's, on the same rows; negative or 0.
        layer: its best.
        head: the probe that did best there.
        items: it was probed on.
        knn: of k nearest neighbours on its best layer for that.
        centroid: likewise of the nearest class mean.
        logme: the highest of any layer.
        h_score: the highest of any layer.
        leep: from its own classifier, where it has one.
        seconds_per_item: that extraction takes, measured here.
        parameters: their number, where it can be counted.
        licence: of the weights.
        layers: every layer that was compared, in the order in which they run; several side by side last.
    """

    rank: int
    backbone: str
    score: Estimate
    behind: Estimate
    layer: str
    head: str
    items: int
    knn: Estimate
    centroid: Estimate | None
    logme: Estimate | None
    h_score: Estimate | None
    leep: Estimate | None
    seconds_per_item: float | None
    parameters: int | None
    licence: str
    layers: tuple[RankedLayer, ...]

    @property
    def by_depth(self) -> dict[str, Estimate]:
        """Score of each single layer, in the order in which they run."""
        return {layer.layer: layer.score for layer in self.layers if layer.depth is not None}


@dataclass(frozen=True, slots=True)
class HeatReport:
    """One round: how many items, which networks, and how long extraction and probes took."""

    items: int
    backbones: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class Ranking:
    """Networks, the best first. `to_json` is what `icecore rank --json` prints.

    Attributes:
        target: what was predicted.
        task: `classification`, `regression`, `multilabel` or `ordinal`.
        described: the same in words, such as `3 classes`.
        score_name: what the scores are: accuracy, R2 and so on.
        items: that could have been used, without the test rows of a given split.
        backbones: everyone's place.
        left_out: the networks that could not be compared, and why.
        heats: the rounds.
        done: how the ranking came about, in a sentence.
        whole_seconds: what all networks on all items would have taken, by what was measured.
        evaluation: where the figures come from, in words.
        bad: items that some network could not use; none was scored on them.
        notes: to say aloud.
    """

    target: str
    task: str
    described: str
    score_name: str
    items: int
    backbones: tuple[RankedBackbone, ...]
    left_out: tuple[LeftOut, ...]
    heats: tuple[HeatReport, ...]
    done: str
    whole_seconds: float
    evaluation: str
    bad: tuple[BadItem, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def best(self) -> RankedBackbone:
        """The first."""
        return self.backbones[0]

    def bad_json(self) -> list[dict[str, Any]]:
        """The items set aside."""
        return bad_json(self.bad)

    def to_json(self) -> dict[str, Any]:
        """One JSON object."""
        return {
            "target": self.target,
            "task": self.task,
            "score": self.score_name,
            "items": self.items,
            "bad_items": len(self.bad),
            "ranking": as_json(self.backbones),
            "left_out": as_json(self.left_out),
            "heats": as_json(self.heats),
            "whole_seconds": self.whole_seconds if math.isfinite(self.whole_seconds) else None,
            "done": self.done,
            "evaluation": self.evaluation,
            "notes": list(self.notes),
        }

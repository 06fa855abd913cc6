"""The parts of a page: what is said of one target, and what the whole page holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from icecore.artifact import Manifest, TargetRef
from icecore.reporting.confusion import Confusion
from icecore.reporting.curve import Curve
from icecore.reporting.feature_map import FeatureMap
from icecore.reporting.figures import Figures
from icecore.reporting.reliability import Reliability
from icecore.reporting.residuals import Residuals


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence worth knowing, with the section that shows it, if any."""

    strong: str
    said: str
    to: str = ""
    link: str = "See which"


@dataclass(frozen=True)
class Gallery:
    """Items to look at, the most telling first.

    Attributes:
        id: of its section.
        title: of its section.
        said: the sentences above it.
        rows: places of the items in the evidence.
        captions: what is said under each; empty for what the model said of it.
        total: how many there are, of which these are the first.
    """

    id: str
    title: str
    said: str
    rows: tuple[int, ...]
    captions: tuple[str, ...]
    total: int


@dataclass(frozen=True)
class Group:
    """Items that belong together: what is said of them, a tag where they matter more."""

    said: str
    rows: tuple[int, ...]
    captions: tuple[str, ...]
    tag: str = ""


@dataclass(frozen=True)
class Groups:
    """Groups of items under one text; `total` counts those that are not shown too, `tagged` the tagged ones."""

    said: str
    found: tuple[Group, ...]
    total: int
    tagged: int = 0


@dataclass(frozen=True)
class Layers:
    """Scores by layer: (name, score, share of the width)."""

    said: str
    rows: tuple[tuple[str, float, float], ...]


@dataclass(frozen=True)
class Part:
    """One target of the model. Whatever is None or empty has no section."""

    place: int
    id: str
    target: TargetRef
    figures: Figures
    big: str = ""
    big_said: str = ""
    findings: tuple[Finding, ...] = ()
    confusion: Confusion | None = None
    confusion_said: str = ""
    residuals: Residuals | None = None
    reliability: Reliability | None = None
    galleries: tuple[Gallery, ...] = ()
    map: FeatureMap | None = None
    map_said: str = ""
    duplicates: Groups | None = None
    apart: str = ""
    layers: Layers | None = None
    curve: Curve | None = None
    table: bool = False

    @property
    def sections(self) -> list[tuple[str, str]]:
        """Ids and titles of its sections, in the order of the page."""
        own = {gallery.id: gallery.title for gallery in self.galleries}
        every: list[tuple[str, str, Any]] = [
            ("glance", "At a glance", True),
            ("confusion", "What it mixes up", self.confusion),
            ("residuals", "How far off it is", self.residuals),
            ("reliability", "Its confidence", self.reliability),
            ("mistakes", own.get("mistakes", ""), "mistakes" in own),
            ("suspects", own.get("suspects", ""), "suspects" in own),
            ("map", "A map of the items", self.map),
            ("duplicates", "Items found twice", self.duplicates),
            ("outliers", own.get("outliers", ""), "outliers" in own),
            ("layers", "Where the answer lies", self.layers),
            ("curve", "Would more labels help", self.curve),
            ("all", "All items", self.table),
        ]
        return [(self.id + id_, title) for id_, title, there in every if there]


@dataclass(frozen=True)
class Contents:
    """A whole page.

    Attributes:
        title: of the page.
        lead: one sentence under it.
        manifest: of the model.
        parts: one for each target.
        facts: how the model was made, term by term.
        warnings: to be said aloud.
        missing: what is not on the page, and why.
        sampled: which items are on the page, where not all are; else empty.
        data: what the page's scripts read, JSON.
    """

    title: str
    lead: str
    manifest: Manifest
    parts: tuple[Part, ...]
    facts: Sequence[tuple[str, str]]
    warnings: Sequence[str] = ()
    missing: Sequence[str] = ()
    sampled: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sections(self) -> list[tuple[str, str]]:
        """Ids and titles of all sections, in order; of several targets with their names."""
        several = len(self.parts) > 1
        own = [
            (id_, f"{part.target.name}: {title}" if several and id_.endswith("glance") else title)
            for part in self.parts
            for id_, title in part.sections
        ]
        return [*own, ("made", "How it was made"), *([("missing", "What is missing")] if self.missing else [])]

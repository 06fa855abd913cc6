"""What a prediction of a model costs: as its fit measured it, or else timed on a few of its items."""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from icecore import artifact
from icecore.api.ensemble_reports import MemberReport
from icecore.api.inspecting import parameters_of
from icecore.api.joining import Member
from icecore.api.remembering import items_of
from icecore.artifact import Predictor
from icecore.data import Dataset, Item
from icecore.errors import IcecoreError
from icecore.features import Progress, Silent
from icecore.store import Store

_TIMED, _FIRST = 32, 2  # items; the first are not timed


def cost_of(member: Member, progress: Progress, *, measure: bool) -> MemberReport:
    """Parameters of its network, and milliseconds an item from reading to features.

    Where the fit took all features from the store these are timed now, if `measure` and if network and items can be
    found; else they are not known.
    """
    spent, network = member.evidence.spent, member.manifest.network
    computed, parameters = spent.get("computed"), spent.get("parameters")
    milliseconds = 1000 * spent["seconds"] / computed if computed else None
    if measure and milliseconds is None:
        with progress.task(f"timing {network.id}", 1) as task:
            milliseconds, counted = _timed(member)
            task.advance(1)
        parameters = parameters if counted is None else counted
    return MemberReport(member.name, network.id, None if parameters is None else int(parameters), milliseconds)


def _timed(member: Member) -> tuple[float | None, int | None]:
    """Milliseconds an item and parameters, as far as they can be had."""
    found = (item for item in items_of(member.evidence, member.manifest.modality) if item is not None)
    items = list(islice(found, _TIMED))
    try:
        predictor = member.model if isinstance(member.model, Predictor) else artifact.load(member.model)
        if not items:
            return None, parameters_of(predictor.base)
        _seconds(predictor, items[:_FIRST])
        return 1000 * _seconds(predictor, items) / len(items), parameters_of(predictor.base)
    except IcecoreError:  # its network is not here, or an extra is missing
        return None, None


def _seconds(predictor: Predictor, items: list[Item]) -> float:
    """To read items and to compute their features, with an empty store."""
    with TemporaryDirectory() as place:
        began = time.perf_counter()
        dataset = Dataset("", items, modality=predictor.manifest.modality)
        predictor.features(dataset, Store(Path(place)), progress=Silent())
        return time.perf_counter() - began

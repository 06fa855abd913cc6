"""The report of a fit: what was fitted, and what was seen of the data on the way."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from icecore.api.fitting import FittedTarget
from icecore.api.honesty import suspect_labels
from icecore.api.reports import FitReport
from icecore.api.separating import Separated, leaks_json
from icecore.backbones import Extractor
from icecore.errors import UsageError
from icecore.features import Features
from icecore.selection import CALIBRATIONS

_STAYED = (
    "The features, and the work on them, would take more memory than they may: they stay in the store, and a part of "
    "the rows is kept apart to score on. --memory (memory=) sets the limit.",
)


def fit_report(
    backbone: Extractor, features: Features, fitted: Sequence[FittedTarget], apart: Separated, *, in_store: bool
) -> FitReport:
    """What a fit did."""
    said = (*features.notes, *_STAYED * in_store, *apart.notes, *(note for one in fitted for note in one.notes))
    of_classes = [one for one in fitted if one.evidence.task == "classification"]
    return FitReport(
        backbone.id,
        [one.report for one in fitted],
        len(features),
        features.bad,
        features.report,
        (*backbone.notes, *said),
        near_duplicates=apart.nearly_the_same,
        leaks=leaks_json(apart.leaks, features),
        suspects={one.labels.name: suspect_labels(one.evidence, features.dataset.inputs) for one in of_classes},
    )


def require_calibration(name: str) -> None:
    """Raise UsageError, before any work, for a calibration that there is not."""
    if name not in CALIBRATIONS:
        close = difflib.get_close_matches(str(name), CALIBRATIONS, n=1)
        raise UsageError(
            f"There is no calibration {name!r}.",
            expected=f"One of {', '.join(CALIBRATIONS)}.",
            do=f"Did you mean {close[0]}?" if close else "",
        )

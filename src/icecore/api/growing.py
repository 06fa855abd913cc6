"""Learning curves for a report: the chosen head fitted again on parts of the rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from icecore.api.fitting import Percent
from icecore.artifact import Predictor, TargetRef
from icecore.errors import DataError, IcecoreError
from icecore.evaluation import LearningCurve, learning_curve
from icecore.features import Progress
from icecore.heads import make
from icecore.reporting import Material

_PATIENCE = 60.0  # seconds
_FITS = 12  # on all rows that the curve's fits on parts of them are worth

FitPredict = Callable[[np.ndarray, np.ndarray], np.ndarray]


def with_curves(material: Material, predictor: Predictor, progress: Progress, *, asked: bool) -> Material:
    """The material with a learning curve of each target of classes; where it would take more than a minute, only if
    `asked`, else with a note that says so.
    """
    curves: dict[str, LearningCurve] = {}
    notes = list(material.notes)
    for target in predictor.manifest.targets:
        fit_predict = _fitting(material, predictor, target)
        if fit_predict is None:
            continue
        with threadpool_limits(1, user_api="blas"):
            seconds = 0.0 if asked else _FITS * _seconds(fit_predict, material, target)
            if seconds > _PATIENCE:
                notes.append(
                    f"The learning curve of {target.name} was left out, because it takes some {seconds / 60:.0f} "
                    "minutes: --learning-curve makes it."
                )
                continue
            with suppress(DataError):  # too few items
                curves[target.name] = _curve(fit_predict, material, target, progress)
    return replace(material, curves=curves, notes=tuple(notes))


def _fitting(material: Material, predictor: Predictor, target: TargetRef) -> FitPredict | None:
    """Fits the head that was chosen on some rows and predicts others; None where it cannot be made again."""
    scored, features = material.scored(target), material.features.get(target.name)
    spec, _, penalty = str(target.chosen.get("head", "")).partition(", penalty ")
    if scored is None or features is None or target.task != "classification" or not np.isfinite(features).all():
        return None
    if target.name not in predictor.heads:  # an ensemble has none of its own
        return None
    config, _ = predictor.heads[target.name].state()
    how: dict[str, Any] = {"penalty": float(penalty) if penalty else None, "class_weight": config.get("class_weight")}
    try:
        make(spec, **how)
    except (IcecoreError, ValueError):  # of the user's own layers or estimator
        return None

    def fit_predict(train: np.ndarray, test: np.ndarray) -> np.ndarray:
        head = make(spec, **how).fit(features[train], scored.y[train], n_classes=len(scored.names))
        return np.asarray(head.predict_proba(features[test]))

    return fit_predict


def _seconds(fit_predict: FitPredict, material: Material, target: TargetRef) -> float:
    """How long one fit on all rows takes."""
    rows = np.arange(len(material.features[target.name]))
    began = time.monotonic()
    fit_predict(rows, rows[:1])
    return time.monotonic() - began


def _curve(fit_predict: FitPredict, material: Material, target: TargetRef, progress: Progress) -> LearningCurve:
    scored = material.scored(target)
    assert scored is not None  # noqa: S101 - `_fitting` has looked
    with progress.task(f"learning curve of {target.name}", 100) as task:
        return learning_curve(fit_predict, scored.y, len(scored.names), scored.groups, progress=Percent(task.advance))

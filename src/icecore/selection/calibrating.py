"""Whether and how probabilities are calibrated: by cross-validated log loss, on rows that the head has not seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from icecore.evaluation.folds import folds, untested
from icecore.heads.calibrating import isotonic, tempered

if TYPE_CHECKING:
    from icecore.heads.steps import Step

Calibration = Literal["auto", "temperature", "isotonic", "none"]
CALIBRATIONS: tuple[Calibration, ...] = ("auto", "temperature", "isotonic", "none")

_LEARN: dict[str, Callable[[np.ndarray, np.ndarray], Step]] = {"temperature": tempered, "isotonic": isotonic}
_LEAST_ROWS = 50  # fewer say less about probabilities than a head's own temperature, which it has from its own folds
_MOST_ROWS = 2000  # that a choice is made on
_FOLDS = 5
_TINY = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Calibrated:
    """How probabilities are calibrated.

    Attributes:
        method: `temperature`, `isotonic` or `none`.
        step: that does it, from all rows; None for `none`.
        proba: (repeats, n, k) probabilities of the rows, each calibrated by a step chosen and learned without it.
        losses: cross-validated log loss of each method that was tried.
    """

    method: str
    step: Step | None
    proba: np.ndarray
    losses: dict[str, float]


def calibrate(
    y: np.ndarray, proba: np.ndarray, groups: np.ndarray | None = None, *, method: str = "auto", seed: int = 0
) -> Calibrated:
    """Choose a calibration, learn it, and calibrate each row by one that was chosen and learned without it.

    `auto` takes the simplest (none, one temperature, a curve for each class) within one standard error of the least
    log loss. Of fewer than 50 rows nothing can be learned: they stay as they are.

    Args:
        y: class codes (n,).
        proba: (repeats, n, k) of rows that the head has not seen; NaN in rows that are not scored.
        groups: (n,), equal for equal items.
        method: `auto`, `temperature`, `isotonic` or `none`.
        seed: of the folds.

    Example:
        >>> y = np.array([0, 1] * 80 + [1, 0] * 20)
        >>> sure = np.where(np.eye(2)[[0, 1] * 100] == 1, 0.999, 0.001)[None]
        >>> found = calibrate(y, sure)
        >>> found.method, found.proba[0, 0].round(1).tolist()
        ('temperature', [0.8, 0.2])
    """
    y, groups = np.asarray(y), np.arange(len(y)) if groups is None else np.asarray(groups)
    rows = np.flatnonzero(np.isfinite(proba[0]).all(axis=1))
    rows = rows[~untested(y[rows], groups[rows])] if len(rows) else rows
    if method == "none" or len(rows) < _LEAST_ROWS:
        return Calibrated("none", None, proba, {})
    data = _Data(y[rows], proba[:, rows], groups[rows], seed)
    out = proba.copy()
    for train, test in data.folds():
        step = _step(_chosen(data.part(train), method)[0], data.part(train))
        out[:, rows[test]] = data.part(test).calibrated(step)
    name, losses = _chosen(data, method)
    return Calibrated(name, _step(name, data), out, losses)


@dataclass(frozen=True)
class _Data:
    y: np.ndarray  # (n,)
    proba: np.ndarray  # (repeats, n, k)
    groups: np.ndarray  # (n,)
    seed: int

    def part(self, rows: np.ndarray) -> _Data:
        return _Data(self.y[rows], self.proba[:, rows], self.groups[rows], self.seed)

    def folds(self) -> list[tuple[np.ndarray, np.ndarray]]:
        return folds(np.zeros(len(self.y), np.intp), self.groups, n_splits=_FOLDS, seed=self.seed)

    def calibrated(self, step: Step | None) -> np.ndarray:
        """(repeats, n, k)."""
        if step is None:
            return self.proba
        return step(self.proba.reshape(-1, self.proba.shape[2])).reshape(self.proba.shape)

    def losses(self, step: Step | None) -> np.ndarray:
        """(n,) log loss of each row, the mean over repeats."""
        own = self.calibrated(step)[:, np.arange(len(self.y)), self.y]
        return np.asarray(-np.log(np.maximum(own, _TINY)).mean(axis=0))


def _step(name: str, data: _Data) -> Step | None:
    if name == "none":
        return None
    repeats, _, k = data.proba.shape
    return _LEARN[name](data.proba.reshape(-1, k), np.tile(data.y, repeats))


def _chosen(data: _Data, method: str) -> tuple[str, dict[str, float]]:
    """The method, and the cross-validated log loss of each that was tried, simplest first."""
    if method != "auto":
        return method, {}
    some = np.random.default_rng(data.seed).permutation(len(data.y))[:_MOST_ROWS]
    data = data.part(np.sort(some))
    tried = {name: _cross_validated(name, data) for name in ("none", *_LEARN)}
    means = {name: float(losses.mean()) for name, losses in tried.items()}
    best = tried[min(means, key=means.__getitem__)]
    codes = np.unique(data.groups, return_inverse=True)[1]
    return next(name for name, losses in tried.items() if _no_worse(losses - best, codes)), means


def _cross_validated(name: str, data: _Data) -> np.ndarray:
    losses = np.empty(len(data.y))
    for train, test in data.folds():
        losses[test] = data.part(test).losses(_step(name, data.part(train)))
    return losses


def _no_worse(behind: np.ndarray, codes: np.ndarray) -> bool:
    """Whether a mean is within one standard error of zero; groups count as one."""
    mean = float(behind.mean())
    error = float(np.sqrt((np.bincount(codes, behind - mean) ** 2).sum())) / len(behind)
    return mean <= error

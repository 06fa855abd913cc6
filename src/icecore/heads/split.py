"""The training and the test rows of a fold, brought to scale and turned to their axes once for all heads."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from icecore.heads.axes import Axes
from icecore.heads.scaling import standardisation
from icecore.heads.steps import Standardise


class Split:
    """One fold.

    Args:
        X: training rows (n, d).
        codes: their class codes (n,), 0..k-1, none absent.
        k: number of classes.
        X_test: test rows (m, d); none to fit alone.
    """

    def __init__(self, X: np.ndarray, codes: np.ndarray, k: int, X_test: np.ndarray | None = None) -> None:
        self.X, self.codes, self.k = X, codes, k
        self.X_test = X[:0] if X_test is None else X_test

    @cached_property
    def scale(self) -> Standardise:
        """The scale of the training rows."""
        return standardisation(self.X)

    @cached_property
    def Z(self) -> np.ndarray:  # noqa: N802  # standardised rows are called so everywhere here
        """Training rows on that scale, (n, d)."""
        return self.scale(self.X)

    @cached_property
    def Z_test(self) -> np.ndarray:  # noqa: N802  # likewise
        """Test rows on that scale, (m, d)."""
        return self.scale(self.X_test)

    @cached_property
    def axes(self) -> Axes:
        """Training rows along their principal axes."""
        return Axes.of(self.Z)

    @cached_property
    def along_axes(self) -> np.ndarray:
        """Test rows along the axes of the training rows, (m, r)."""
        return np.asarray(self.Z_test @ self.axes.basis)

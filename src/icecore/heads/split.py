"""The training and the test rows of a fold, brought to scale and turned to their axes once for all heads."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from icecore.heads.axes import Axes
from icecore.heads.kernels import rbf
from icecore.heads.scaling import standardisation
from icecore.heads.steps import Standardise


class Sides:
    """Training and test rows, whatever is learnt of them: what every head needs of them is computed once.

    Args:
        X: training rows (n, d).
        X_test: test rows (m, d); none to fit alone.
    """

    def __init__(self, X: np.ndarray, X_test: np.ndarray | None = None) -> None:
        self.X, self.X_test = X, X[:0] if X_test is None else X_test
        self._kernels: tuple[float, np.ndarray, np.ndarray] | None = None

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

    def kernels(self, gamma: float) -> tuple[np.ndarray, np.ndarray]:
        """RBF similarities of the training rows, (n, n), and of the test rows to them, (m, n). The last are kept."""
        if self._kernels is None or self._kernels[0] != gamma:
            self._kernels = gamma, rbf(self.Z, self.Z, gamma), rbf(self.Z_test, self.Z, gamma)
        return self._kernels[1:]


class Split:
    """One fold with classes.

    Args:
        X: training rows (n, d), or both sides of a fold, which several splits may share.
        codes: class codes (n,) of the training rows, 0..k-1, none absent.
        k: number of classes.
        X_test: test rows (m, d); none to fit alone.
    """

    def __init__(self, X: np.ndarray | Sides, codes: np.ndarray, k: int, X_test: np.ndarray | None = None) -> None:
        self.sides = X if isinstance(X, Sides) else Sides(X, X_test)
        self.codes, self.k = codes, k

    @property
    def X(self) -> np.ndarray:  # noqa: N802  # a matrix
        """Training rows, (n, d)."""
        return self.sides.X

    @property
    def X_test(self) -> np.ndarray:  # noqa: N802  # likewise
        """Test rows, (m, d)."""
        return self.sides.X_test

    @property
    def scale(self) -> Standardise:
        """The scale of the training rows."""
        return self.sides.scale

    @property
    def Z(self) -> np.ndarray:  # noqa: N802  # likewise
        """Training rows on that scale, (n, d)."""
        return self.sides.Z

    @property
    def Z_test(self) -> np.ndarray:  # noqa: N802  # likewise
        """Test rows on that scale, (m, d)."""
        return self.sides.Z_test

    @property
    def axes(self) -> Axes:
        """Training rows along their principal axes."""
        return self.sides.axes

    @property
    def along_axes(self) -> np.ndarray:
        """Test rows along the axes of the training rows, (m, r)."""
        return self.sides.along_axes

"""Principal axes: coordinates in which a linear head is quick to fit, and no other head than it would be elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_SMALLEST = 1e-11  # a direction with less than this part of the largest one's sum of squares is rounding


@dataclass(frozen=True, eq=False)
class Axes:
    """Rows in the coordinates of their principal axes, at most as many as there are rows or features.

    A linear head whose penalty does not change under rotation, fitted on these and unfolded by `basis @ weight`, is the
    head fitted on the rows themselves: its weight lies in their span (the representer theorem). Here its problem is as
    small as it gets, and it is known how far the rows reach along each axis, which is what a solver wants to know.

    Attributes:
        rows: (n, r).
        basis: (d, r), orthonormal.
        squares: (r,), the sum of squares along each axis.
    """

    rows: np.ndarray
    basis: np.ndarray
    squares: np.ndarray

    @property
    def width(self) -> int:
        """The number of features that the rows had."""
        return len(self.basis)

    @staticmethod
    def of(Z: np.ndarray) -> Axes:
        """Of rows Z (n, d), by the eigenvectors of the smaller Gram matrix."""
        if Z.shape[1] <= len(Z):
            squares, basis = principal(Z.T @ Z)
            return Axes(Z @ basis, basis, squares)
        squares, left = principal(Z @ Z.T)
        reach = np.sqrt(squares)
        return Axes(left * reach, Z.T @ left / reach, squares)


def principal(gram: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues (r,) and eigenvectors (m, r) of a Gram matrix (m, m), without those that are rounding."""
    values, vectors = np.linalg.eigh(gram)
    kept = values > _SMALLEST * values[-1]
    return values[kept], vectors[:, kept]

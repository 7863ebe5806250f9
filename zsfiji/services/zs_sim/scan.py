"""Noise that extends along the lines of a scanned image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from zsfiji.services.zs_sim import views

PairsUsed = Literal["all", "rows", "columns"]

PAIRS = {
    "all": views.PAIRS,
    "rows": views.PAIRS_OF_OTHER_ROWS,
    "columns": views.PAIRS_OF_OTHER_COLUMNS,
}
"""The pairs of views by name: "rows" are those of other rows."""

_STRONGER = 0.1
"""Difference of the two correlations that shows a direction. White noise has 0.01 in 256 x 256
pixels; half of the noise of a pixel in its neighbour gives 0.5."""


def pairs_for(planes: Sequence[np.ndarray]) -> PairsUsed:
    """Choose the pairs of views whose noise is independent.

    Second differences across the rows leave little but noise. If these are correlated along the
    rows, and those across the columns are not correlated along the columns, the noise extends along
    the rows: of an electron or laser scanning microscope, whose detector is slower than its scan or
    whose lines differ in brightness.

    Parameters
    ----------
    planes : sequence of numpy.ndarray
        float32 (row, col).

    Returns
    -------
    {"all", "rows", "columns"}
        A key of :data:`PAIRS`.
    """
    along_rows = float(np.mean([_correlation(plane) for plane in planes]))
    along_cols = float(np.mean([_correlation(plane.T) for plane in planes]))
    if along_rows > along_cols + _STRONGER:
        return "rows"
    return "columns" if along_cols > along_rows + _STRONGER else "all"


def _correlation(plane: np.ndarray) -> float:
    """Correlation of neighbours along a row, of what differs between rows."""
    if min(plane.shape) < 4:
        return 0.0
    across = np.diff(plane.astype(np.float64), 2, axis=0)
    products, power = across[:, :-1] * across[:, 1:], np.square(across[:, :-1])
    # The half of the squares with less power, because edges of the specimen are few and strong.
    covariance, variance = _sums(products), _sums(power)
    weaker = variance <= np.median(variance)
    total = variance[weaker].sum()
    return float(covariance[weaker].sum() / total) if total > 0 else 0.0


def _sums(values: np.ndarray, edge: int = 16) -> np.ndarray:
    """Sums over squares; what is left over at the borders is left out."""
    edge = min(edge, *values.shape)
    rows, cols = (n // edge * edge for n in values.shape)
    blocks: np.ndarray = values[:rows, :cols].reshape(rows // edge, edge, cols // edge, edge)
    return blocks.sum((1, 3))

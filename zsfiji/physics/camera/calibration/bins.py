"""Blocks of similar brightness, and the noise variance of the smoothest of them.

The constants are those of a prototype, tuned by hand on simulated captures (see :mod:`.corner`).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtr, chdtri

_EDGES = np.r_[np.linspace(0, 0.9, 16), 0.94, 0.97, 0.985, 1]
"""Quantiles of the brightness that separate the bins: narrow at the top, where blocks are few. From
the prototype."""

_FEW = 600
"""With fewer blocks than this, the bins have equal numbers of blocks. From the prototype."""

_A_BIN = 16
"""Blocks in each of those bins. The prototype had 30; no measurement of 16 is kept."""

_DEGREES = np.geomspace(0.25, 80, 48)
"""Degrees of freedom at which :func:`_mean_of_lowest` is tabulated; enough for interpolation."""


class Bins:
    """Blocks sorted into bins of similar brightness.

    Parameters
    ----------
    mean : numpy.ndarray
        Mean value of each block, shape (blocks,).

    Attributes
    ----------
    place : numpy.ndarray
        The bin of each block, shape (blocks,).
    count : numpy.ndarray
        Blocks in each bin, shape (bins,).
    mean : numpy.ndarray
        Mean value of the blocks in each bin, shape (bins,).
    """

    def __init__(self, mean: NDArray[np.float64]) -> None:
        few = np.linspace(0, 1, max(len(mean) // _A_BIN, 1) + 1)
        edges = np.unique(np.quantile(mean, _EDGES if len(mean) >= _FEW else few))
        number = max(len(edges) - 1, 1)
        place = np.clip(np.searchsorted(edges, mean, side="right") - 1, 0, number - 1)
        _, self.place = np.unique(place, return_inverse=True)
        self.count = np.bincount(self.place)
        self.mean = self.average(mean)

    def __len__(self) -> int:
        return len(self.count)

    def average(self, values: NDArray) -> NDArray[np.float64]:
        """Mean of `values`, one a block, over each bin."""
        return np.bincount(self.place, values) / self.count

    def lowest(
        self, energy: NDArray, degrees: NDArray | float, share: float
    ) -> NDArray[np.float64]:
        """Variance in each bin, from the share of its blocks with the least energy.

        Parameters
        ----------
        energy : numpy.ndarray
            Mean of some squared coefficients of each block, shape (blocks,).
        degrees : float or numpy.ndarray
            Number of independent coefficients among those, for each bin or for all.
        share : float
            Share of the blocks, above 0 and at most 1.

        Returns
        -------
        numpy.ndarray
            The mean energy of all blocks, if the chosen ones contain only noise, shape (bins,).
        """
        order = np.lexsort((energy, self.place))
        total = np.r_[0.0, np.cumsum(energy[order], dtype=np.float64)]
        first = np.r_[0, np.cumsum(self.count)[:-1]]
        taken = np.maximum(np.rint(share * self.count).astype(int), 1)
        mean = (total[first + taken] - total[first]) / taken
        return mean / np.interp(np.log(degrees), np.log(_DEGREES), _mean_of_lowest(share))


@lru_cache(None)
def _mean_of_lowest(share: float) -> NDArray[np.float64]:
    """Mean of the lowest share of a chi-squared variable over its degrees of freedom."""
    return chdtr(_DEGREES + 2, chdtri(_DEGREES, 1 - share)) / share


def line(
    x: NDArray[np.float64],
    v: NDArray[np.float64],
    error: NDArray[np.float64],
    floor: float,
) -> tuple[float, float, float]:
    """Fit a line to points, some of which are too high because of structure.

    Iteratively reweighted least squares. Its limits (1.5 standard errors above, 3 below) are those
    of the prototype.

    Parameters
    ----------
    x, v : numpy.ndarray
        Brightness and variance, shape (bins,).
    error : numpy.ndarray
        Relative standard error of the variances, shape (bins,).
    floor : float
        Lower limit of the variance.

    Returns
    -------
    gain, intercept, error of the gain : float
        The line; its slope is 0 where it would be negative.
    """
    gain, intercept = 0.0, float(np.median(v))
    if len(x) < 4 or np.ptp(x) == 0:
        return gain, intercept, np.inf
    deviation = np.inf
    darkest = float(x.min())
    trust = np.ones(len(x))
    fitted = np.maximum(v, floor)
    for _ in range(15):
        weight = trust / (error * fitted) ** 2
        total = weight.sum()
        centre = float((weight * x).sum() / total)
        level = float((weight * v).sum() / total)
        spread = float((weight * (x - centre) ** 2).sum())
        gain = max(float((weight * (x - centre) * v).sum()) / spread, 0.0)
        deviation = spread**-0.5
        intercept = level - gain * centre
        if gain * darkest + intercept < 0:
            # A variance cannot be negative: the line is zero at the darkest bin.
            away = x - darkest
            gain = float((weight * away * v).sum() / (weight * away**2).sum())
            intercept = -gain * darkest
        fitted = np.maximum(gain * x + intercept, floor)
        z = (v - fitted) / (error * fitted)
        # Structure lies far above the line; far below are only outliers.
        trust = np.where(
            z > 1.5, (1.5 / np.maximum(z, 1.5)) ** 2, np.where(z < -3, 3 / np.maximum(-z, 3), 1)
        )
    return gain, intercept, deviation

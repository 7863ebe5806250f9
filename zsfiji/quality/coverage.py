"""Whether a standard deviation of the error is right: how often the error lies within it."""

from __future__ import annotations

import numpy as np

BRIGHT = 0.8
"""Quantile of the truth above which pixels count as structure. Chosen by eye."""


def coverage(
    truth: np.ndarray,
    result: np.ndarray,
    deviation: np.ndarray,
    times: float = 2.0,
    *,
    bright: bool = False,
) -> float:
    """Share of the pixels whose error lies within so many standard deviations.

    For errors with a normal distribution and the right standard deviation it is 0.68 for one and
    0.954 for two.

    Parameters
    ----------
    truth, result, deviation : numpy.ndarray
        Of one shape and in one unit.
    times : float
        How many standard deviations.
    bright : bool
        Whether only pixels count where the truth is among the brightest fifth.
    """
    inside = np.abs(np.asarray(result, np.float64) - truth) <= times * np.asarray(deviation)
    if bright:
        inside = inside[truth > np.quantile(truth, BRIGHT)]
    return float(np.mean(inside))

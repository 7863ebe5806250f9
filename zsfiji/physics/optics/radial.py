"""From the radial profile of a PSF to values on pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

_FEWEST = 3
"""Least number of nodes along a pixel for the mean over it. Not tuned."""


def radii(spacing: Sequence[float], shape: Sequence[int], step: float) -> NDArray[np.float64]:
    """Radii from 0 to beyond the corner of a field, `step` apart at most.

    Parameters
    ----------
    spacing, shape : sequence
        Pixel sizes and odd sizes of the field, (row, col).
    step : float
        In the unit of `spacing`.

    Returns
    -------
    numpy.ndarray
        Increasing.
    """
    reach = math.hypot(*((n // 2 + 0.5) * s for n, s in zip(shape, spacing, strict=True)))
    return np.linspace(0, reach, max(int(np.ceil(reach / step)) + 1, 8))


def on_pixels(
    radius: NDArray[np.float64],
    profile: NDArray[np.float64],
    spacing: Sequence[float],
    shape: Sequence[int],
) -> NDArray[np.float64]:
    """Rotate a radial profile around its axis, and take the mean over the area of each pixel.

    Parameters
    ----------
    radius : numpy.ndarray
        From :func:`radii`.
    profile : numpy.ndarray
        (..., radius).
    spacing, shape : sequence
        Pixel sizes and odd sizes, (row, col).

    Returns
    -------
    numpy.ndarray
        (..., row, col), the axis at the middle pixel.
    """
    spline = CubicSpline(radius, profile, axis=-1)
    half = [n // 2 for n in shape]
    # One quadrant is enough. In each direction as many nodes (Gauss-Legendre) as the profile needs.
    count = max(_FEWEST, int(np.ceil(max(spacing) / (2 * radius[1]))))
    nodes, weights = np.polynomial.legendre.leggauss(count)
    rows, columns = (
        (np.arange(h + 1)[:, None] + nodes / 2) * s for h, s in zip(half, spacing, strict=True)
    )
    quadrant = np.zeros((*profile.shape[:-1], half[0] + 1, half[1] + 1))
    for y, weight_y in zip(rows.T, weights / 2, strict=True):
        for x, weight_x in zip(columns.T, weights / 2, strict=True):
            quadrant += weight_y * weight_x * spline(np.hypot(y[:, None], x[None, :]))
    below = np.concatenate((quadrant[..., :0:-1, :], quadrant), axis=-2)
    return np.concatenate((below[..., :0:-1], below), axis=-1)

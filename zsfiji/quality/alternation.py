"""Brightness that alternates from pixel to pixel, which no lens makes.

Raw images of colour cameras have it (every second pixel lies behind another filter), and interlaced
ones, or detectors whose rows are read by two amplifiers. Methods that compare neighbouring pixels
take it for noise or structure, so users have to know.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve

from zsfiji.images.middle import middle
from zsfiji.physics.noise import Noise

_STRONG = 0.3
"""Half of the difference, in standard deviations of the noise, that matters. Not tuned: real images
of 15 kinds have at most 0.1."""

_CERTAIN = 8.0
"""The same in standard deviations of its own error. Not tuned."""

_EDGES = 0.1
"""Share of the largest and of the smallest differences that do not count. Not tuned."""

_MOST_PIXELS = 512
"""Edge in pixels of the middle in which it is looked for: bounds the time. Not tuned."""

_AROUND = {
    "row": np.array([[0, 1, 0], [0, 0, 0], [0, 1, 0]]) / 2,
    "column": np.array([[0, 0, 0], [1, 0, 1], [0, 0, 0]]) / 2,
    "pixel, as on a chessboard,": np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]) / 4,
}
"""The neighbours that have the other brightness."""


def alternation(noise: Noise, plane: NDArray) -> dict[str, float]:
    """Measure how much brighter every second row, column or pixel is.

    Parameters
    ----------
    noise : Noise
        The noise of the plane.
    plane : numpy.ndarray
        Shape (row, col).

    Returns
    -------
    dict of str to float
        In the unit of the plane; only what is certain and not small beside the noise.
    """
    part = plane[middle(plane.shape, _MOST_PIXELS)].astype(np.float64)
    if min(part.shape) < 8:
        return {}
    sign = {
        "row": 1 - 2 * (np.arange(part.shape[0]) % 2)[:, None],
        "column": 1 - 2 * (np.arange(part.shape[1]) % 2),
    }
    sign["pixel, as on a chessboard,"] = sign["row"] * sign["column"]
    least = _STRONG * float(np.sqrt(noise.variance(np.median(part))))
    found = {}
    for name, around in _AROUND.items():
        # A slope has the same mean on both sides.
        half = ((part - convolve(part, around, mode="mirror")) * sign[name])[1:-1, 1:-1] / 2
        # A single edge is not alternation. (The trimmed mean of scipy.stats is slow to load.)
        cut = round(_EDGES * half.size)
        height = abs(float(np.sort(half, axis=None)[cut : half.size - cut].mean()))
        error = float(half.std()) / np.sqrt(half.size)
        if height > max(least, _CERTAIN * error):
            found[name] = 2 * height
    return found


def alternation_said(noise: Noise, plane: NDArray) -> list[str]:
    """Say it to the user, if there is any: the strongest."""
    found = alternation(noise, plane)
    if not found:
        return []
    name = max(found, key=lambda key: found[key])
    return [
        f"Every second {name} is brighter by {found[name]:.3g}. If this is the raw image of a "
        "colour camera, or an interlaced one, convert it first: the methods take the pattern for "
        "noise or specimen."
    ]

"""How fine the detail is that an image shows: Fourier ring correlation, and width of ridges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates
from skimage.feature import hessian_matrix
from skimage.morphology import skeletonize

FRC_THRESHOLD = 1 / 7
"""The usual limit of the ring correlation of two images of the same (Nieuwenhuizen 2013)."""

_REACH = 12
_MOST_POINTS = 4000


def frc(first: NDArray, second: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fourier ring correlation of two planes of the same.

    Parameters
    ----------
    first, second : numpy.ndarray
        Shape (row, col): two captures, or a restored image and the truth.

    Returns
    -------
    frequency : numpy.ndarray
        In cycles a pixel, up to 0.5.
    correlation : numpy.ndarray
        -1 to 1, of the rings about these frequencies.
    """
    shape = first.shape
    window = np.outer(*(np.hanning(n) for n in shape))
    one, two = (np.fft.rfft2((image - np.mean(image)) * window) for image in (first, second))
    radius = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1]))
    rings = min(shape) // 2
    ring = np.minimum((radius * 2 * rings).round().astype(int), rings + 1).ravel()

    def total(values: NDArray) -> NDArray:
        return np.bincount(ring, values.ravel(), rings + 2)[1 : rings + 1]

    power = total(np.abs(one) ** 2) * total(np.abs(two) ** 2)
    shared = total((one * two.conj()).real)
    frequency = np.arange(1, rings + 1) / (2 * rings)
    return frequency, shared / np.sqrt(np.maximum(power, np.finfo(float).tiny))


def frc_resolution(
    first: NDArray, second: NDArray, spacing: float = 1.0, threshold: float = FRC_THRESHOLD
) -> float:
    """Give the period at which the smoothed ring correlation first falls below `threshold`.

    Parameters
    ----------
    first, second : numpy.ndarray
        Shape (row, col).
    spacing : float
        Size of a pixel.
    threshold : float
        1/7 for two captures; 0.5 for a restored image against the truth, which has no noise.

    Returns
    -------
    float
        In the unit of `spacing`; two pixels where the correlation never falls so low.
    """
    frequency, correlation = frc(first, second)
    smooth = gaussian_filter(correlation, 1.5, mode="nearest")
    below = np.flatnonzero(smooth < threshold)
    if not below.size:
        return 2 * spacing
    last = int(below[0])
    if last == 0:
        return spacing / float(frequency[0])
    # Linear between the rings on both sides of the threshold.
    high, low = smooth[last - 1], smooth[last]
    part = (high - threshold) / (high - low)
    return spacing / float(frequency[last - 1] + part * (frequency[last] - frequency[last - 1]))


def ridge_width(image: NDArray, truth: NDArray, spacing: float = 1.0) -> float:
    """Full width at half maximum of thin bright lines, from the mean profile across them.

    Parameters
    ----------
    image : numpy.ndarray
        Shape (row, col).
    truth : numpy.ndarray
        The same shape: an image of the lines that shows where they run.
    spacing : float
        Size of a pixel.

    Returns
    -------
    float
        In the unit of `spacing`; NaN where there are no lines.
    """
    smooth = gaussian_filter(np.asarray(truth, dtype=np.float64), 1.5)
    dark, bright = smooth.min(), np.quantile(smooth, 0.995)
    lines = skeletonize(smooth > dark + 0.35 * (bright - dark))
    lines[:_REACH], lines[-_REACH:], lines[:, :_REACH], lines[:, -_REACH:] = (False,) * 4
    rows, cols = np.nonzero(lines)
    if not rows.size:
        return float("nan")
    step = -(-rows.size // _MOST_POINTS)
    rows, cols = rows[::step], cols[::step]
    rr, rc, cc = hessian_matrix(smooth, sigma=2, order="rc", use_gaussian_derivatives=False)
    # Across a bright line the second derivative is lowest: the eigenvector of that direction.
    angle = 0.5 * np.arctan2(2 * rc, rr - cc)[rows, cols] + np.pi / 2
    offsets = np.arange(-_REACH, _REACH + 0.25, 0.25)
    where = [
        rows[:, None] + offsets * np.cos(angle)[:, None],
        cols[:, None] + offsets * np.sin(angle)[:, None],
    ]
    profiles = map_coordinates(np.asarray(image, dtype=np.float64), where, order=1)
    profile = np.median(profiles, axis=0)
    return _half_width(profile - profile.min(), offsets) * spacing


def _half_width(profile: NDArray, offsets: NDArray) -> float:
    """Distance between the places beside the middle where the profile is half its maximum."""
    near = np.abs(offsets) <= 3
    top = int(np.flatnonzero(near)[np.argmax(profile[near])])
    half = profile[top] / 2
    edges = []
    for side in (profile[top:], profile[top::-1]):
        below = np.flatnonzero(side < half)
        end = int(below[0]) if below.size else len(side) - 1
        if end == 0:
            return float("nan")
        fall = side[end - 1] - side[end]
        edges.append(end - 1 + (float((side[end - 1] - half) / fall) if fall > 0 else 1.0))
    return sum(edges) * float(offsets[1] - offsets[0])

"""Resolution of images: Fourier ring correlation, decorrelation analysis, and width of lines."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates
from skimage.feature import hessian_matrix
from skimage.morphology import skeletonize

FRC_THRESHOLD = 1 / 7
"""The usual threshold of the ring correlation of two images of one object (Nieuwenhuizen et al.,
Nature Methods 10, 557, 2013)."""

_REACH = 12
"""Pixels to each side of a line in which its profile is measured. Chosen by eye."""

_MOST_POINTS = 4000
"""Most profiles that are measured: bounds the time. Not tuned."""

_PROMINENCE = 1e-3
"""Least height of a peak of the decorrelation curve above what follows it. Chosen by eye."""


def frc(first: NDArray, second: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fourier ring correlation of two planes of one object.

    Parameters
    ----------
    first, second : numpy.ndarray
        Shape (row, col): two captures, or a restored image and the ground truth.

    Returns
    -------
    frequency : numpy.ndarray
        In cycles per pixel, up to 0.5.
    correlation : numpy.ndarray
        -1 to 1, of the rings around these frequencies.
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
        1/7 for two captures; 0.5 for a restored image and the ground truth, which has no noise.

    Returns
    -------
    float
        In the unit of `spacing`; two pixels if the correlation does not fall below the threshold.
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
        Of the same shape: an image that shows where the lines are.
    spacing : float
        Size of a pixel.

    Returns
    -------
    float
        In the unit of `spacing`; NaN if there are no lines.
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
    # The second derivative is lowest across a bright line: this is the angle of that eigenvector.
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
    """Distance between the two places where the profile is half of its maximum near the middle."""
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


def decorrelation_resolution(image: NDArray, spacing: float = 1.0) -> float:
    """Estimate the resolution of a single image by decorrelation analysis.

    Descloux, Grussmayer and Radenovic, Nature Methods 16, 918 (2019): the image is correlated with
    itself after all amplitudes inside a circle of frequencies were set to 1 and all others to 0.
    The correlation has a peak where the signal ends. This is repeated with stronger and stronger
    high-pass filters; the highest frequency of a peak gives the resolution. The numbers of circles
    and filters (100 and 20) were not tuned.

    Parameters
    ----------
    image : numpy.ndarray
        Shape (row, col).
    spacing : float
        Size of a pixel.

    Returns
    -------
    float
        A period in the unit of `spacing`; NaN if no filter gives a peak.
    """
    field = np.asarray(image, dtype=np.float64)
    window = np.outer(*(np.hanning(n) for n in field.shape))
    spectrum = np.fft.rfft2((field - field.mean()) * window)
    rows, cols = np.fft.fftfreq(field.shape[0])[:, None], np.fft.rfftfreq(field.shape[1])
    radius = 2 * np.hypot(rows, cols)
    inside = radius <= 1
    order = np.argsort(radius[inside])
    magnitude, distance = np.abs(spectrum[inside])[order], radius[inside][order]
    limits = np.linspace(0, 1, 101)[1:]
    ends = np.searchsorted(distance, limits, side="right")
    # The high-pass filters: from the size of the image down to two pixels.
    scales = np.geomspace(4 * min(field.shape), 0.5, 20)
    best = 0.0
    for scale in scales:
        kept = magnitude * (1 - np.exp(-2 * (np.pi * scale * distance / 2) ** 2))
        total = float((kept**2).sum())
        if total == 0:
            return float("nan")
        curve = np.cumsum(kept)[ends - 1] / np.sqrt(total * np.maximum(ends, 1))
        peak = _last_peak(curve)
        if peak is not None:
            best = max(best, float(limits[peak]))
    return 2 * spacing / best if best > 0 else float("nan")


def _last_peak(curve: NDArray) -> int | None:
    """Index of the highest point after which a curve falls; its end does not count."""
    end = len(curve)
    while end > 1:
        top = int(np.argmax(curve[:end]))
        if top < end - 1 and curve[top] - curve[top:end].min() > _PROMINENCE:
            return top if top > 0 else None
        end = top
    return None

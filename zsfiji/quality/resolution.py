"""Resolution of images: Fourier ring correlation, decorrelation analysis, and width of lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.signal.windows import tukey
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

_LOWEST = 0.05
"""Least height of a peak of the decorrelation curve: lower ones are chance."""

_CIRCLES, _FILTERS = 200, 10
"""Numbers of circles, and of high-pass filters in each series. Not tuned."""

_NARROWEST = 0.15
"""Standard deviation in pixels of the Gaussian of the strongest high-pass filter, as published."""

_FADED = 0.25
"""Share of the rows and columns at whose ends the image is faded out. Not tuned."""


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
    r"""Estimate the resolution of a single image by decorrelation analysis.

    Descloux, Grussmayer and Radenovic, Nature Methods 16, 918 (2019). The image :math:`I` is
    correlated with a copy whose amplitudes were set to 1 inside a circle of frequencies :math:`r`
    and to 0 outside:

    .. math:: d(r) = \frac{\sum_{k < r} |I_k|}{\sqrt{\sum |I_k|^2 \sum_{k < r} 1}}

    It has a maximum where the signal ends, for noise has the same amplitude everywhere. This is
    repeated after high-pass filters, from a mild one to a strong one (the image minus the image
    filtered by a Gaussian, from 2 / r of the first maximum down to 0.15 pixels). In a second,
    finer series the filters lie between the neighbours of the one with the highest frequency, and
    of the one with the best compromise of frequency and height, as in the paper. The highest
    frequency of a maximum gives the resolution.

    Parameters
    ----------
    image : numpy.ndarray
        Shape (row, col), on its own grid: in an image whose pixels were repeated or interpolated
        the grid is found and not the structure.
    spacing : float
        Size of a pixel.

    Returns
    -------
    float
        A period in the unit of `spacing`, at least two pixels; NaN if there is no maximum.
    """
    curves = _Decorrelation(image)
    first = curves.peak(None)
    weakest = 2 / first.frequency if first else min(np.shape(image)) / 2
    scales = np.geomspace(max(weakest, 2 * _NARROWEST), _NARROWEST, _FILTERS)
    peaks = [curves.peak(scale) for scale in scales]
    finer: list[float] = []
    for best in _best_filters(peaks):
        ends = scales[max(best - 1, 0)], scales[min(best + 1, len(scales) - 1)]
        finer += list(np.geomspace(*ends, _FILTERS))
    peaks += [curves.peak(scale) for scale in finer]
    found = [peak.frequency for peak in (first, *peaks) if peak is not None]
    return 2 * spacing / max(found) if found else float("nan")


class _Peak(NamedTuple):
    """The maximum of a decorrelation curve: its frequency (1 is two pixels), and its height."""

    frequency: float
    height: float


class _Decorrelation:
    """The decorrelation curves of an image."""

    def __init__(self, image: NDArray) -> None:
        field = np.asarray(image, dtype=np.float64)
        # Only the border is faded out, as in the paper: a jump there has power at all frequencies.
        window = np.outer(*(tukey(n, _FADED) for n in field.shape))
        spectrum = np.fft.rfft2((field - field.mean()) * window)
        rows, cols = np.fft.fftfreq(field.shape[0])[:, None], np.fft.rfftfreq(field.shape[1])
        # One half of the plane of frequencies is enough; its first column has the other half too.
        radius = 2 * np.hypot(rows, cols)
        inside = radius <= 1
        order = np.argsort(radius[inside])
        self._amplitude = np.abs(spectrum[inside])[order]
        self._radius = radius[inside][order]
        self._limits = np.linspace(0, 1, _CIRCLES + 1)[1:]
        self._counts = np.searchsorted(self._radius, self._limits, side="right")

    def peak(self, scale: float | None) -> _Peak | None:
        """The maximum after a high-pass filter, given by its Gaussian in pixels, or without one."""
        kept = self._amplitude
        if scale is not None:
            kept = kept * -np.expm1(-2 * (np.pi * scale * self._radius / 2) ** 2)
        total = float((kept**2).sum())
        if total == 0:
            return None
        counts = np.maximum(self._counts, 1)
        curve = np.cumsum(kept)[counts - 1] / np.sqrt(total * counts)
        top = _last_peak(curve)
        if top is None or curve[top] < _LOWEST:
            return None
        return _Peak(float(self._limits[top]), float(curve[top]))


def _best_filters(peaks: Sequence[_Peak | None]) -> set[int]:
    """Numbers of the filters with the highest frequency, and with the best compromise."""
    frequency = [peak.frequency if peak else 0.0 for peak in peaks]
    both = [np.sqrt(peak.frequency * peak.height) if peak else 0.0 for peak in peaks]
    return {int(np.argmax(v)) for v in (frequency, both) if max(v) > 0}


def _last_peak(curve: NDArray) -> int | None:
    """Index of the highest point after which a curve falls; its end does not count."""
    end = len(curve)
    while end > 1:
        top = int(np.argmax(curve[:end]))
        if top < end - 1 and curve[top] - curve[top:end].min() > _PROMINENCE:
            return top if top > 0 else None
        end = top
    return None

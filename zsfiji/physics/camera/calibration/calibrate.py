"""The noise of an image, from two measurements that fail on different images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from zsfiji import progress
from zsfiji.physics.camera.calibration import corner, smoothest
from zsfiji.physics.camera.calibration.filters import EXPLAINED
from zsfiji.physics.camera.calibration.saturation import find_saturation
from zsfiji.physics.noise import Noise, no_noise

_NOTHING = 2e-4
"""Standard deviation of the noise, relative to the contrast of the image, below which the image has
no noise. Chosen by eye, for images without noise."""

_SMALLEST = 16
"""Planes with a shorter edge are measured in the smoothest blocks alone. Not tuned."""

_CLOSE = 1.15
"""Factor within which the two measurements agree. Then the smoothest blocks decide, because they
measure the noise at all frequencies. Chosen so that real detectors, which are never quite white,
keep that measurement (docs/methods/zero-shot-denoise.md, section 1)."""


def calibrate(planes: Sequence[np.ndarray]) -> Noise:
    """Measure the noise in one image or in several of the same detector.

    Parameters
    ----------
    planes : sequence of numpy.ndarray
        Shapes (row, col), any unit and scale, finite.

    Returns
    -------
    Noise
        Of the unit of the planes, with its confidence.

    Raises
    ------
    Cancelled
        If the user asked to stop.
    """
    saturation, saturated = find_saturation(planes)
    progress.stop_if_cancelled()
    found = smoothest.measure(planes, saturation)
    if found.floor > 0 and min(min(p.shape) for p in planes) >= _SMALLEST:
        progress.stop_if_cancelled()
        found = _decided(found, corner.measure(planes, saturation), planes)
    return _finished(found, planes, saturation, saturated)


def in_smoothest(planes: Sequence[np.ndarray]) -> Noise:
    """Measure the noise in the smoothest blocks alone.

    For decimated images: their highest frequencies contain structure that optics passed.

    Parameters
    ----------
    planes : sequence of numpy.ndarray
        As :func:`calibrate` takes them.

    Returns
    -------
    Noise
        Of the unit of the planes.
    """
    saturation, saturated = find_saturation(planes)
    return _finished(smoothest.measure(planes, saturation), planes, saturation, saturated)


def least_noise(planes: Sequence[np.ndarray]) -> Noise:
    """Measure a lower limit of the noise, where the rest may be fine structure.

    Parameters
    ----------
    planes : sequence of numpy.ndarray
        As :func:`calibrate` takes them.

    Returns
    -------
    Noise
        White noise with the power of the frequencies that optics pass least, of confidence 0.
    """
    saturation, saturated = find_saturation(planes)
    if min(min(p.shape) for p in planes) < _SMALLEST:
        found = smoothest.measure(planes, saturation)
    else:
        found = corner.measure(planes, saturation).least
    return _finished(found, planes, saturation, saturated)


def _finished(
    found: Noise, planes: Sequence[np.ndarray], saturation: float | None, saturated: float
) -> Noise:
    """The noise with its saturation; no noise where it is negligible (see :data:`_NOTHING`)."""
    if found.floor > 0 and _negligible(found, planes):
        found = no_noise(len(found.spectrum))
    return replace(found, saturation=saturation, saturated=saturated)


def _decided(smooth: Noise, found: corner.Found, planes: Sequence[np.ndarray]) -> Noise:
    """The noise by the measurement that is more reliable here."""
    noise = found.noise
    if not noise.white and found.agreement < EXPLAINED:
        # No filter of the bank: noise, or structure in every block. The blocks know the spectrum.
        return replace(smooth, confidence=0.0)
    if noise.white and smooth.white:
        level = _levels(planes, (0.5, 0.95))
        ratio = smooth.variance(level) / noise.variance(level)
        if ratio.min() > 1 / _CLOSE and ratio.max() < _CLOSE:
            return replace(smooth, confidence=noise.confidence)
    return noise


def _negligible(noise: Noise, planes: Sequence[np.ndarray]) -> bool:
    """Whether the noise is negligible compared with the contrast of the image."""
    low, high = _levels(planes, (0.01, 0.99))
    return bool(noise.variance(high) < (_NOTHING * (high - low)) ** 2)


def _levels(planes: Sequence[np.ndarray], quantiles: tuple[float, ...]) -> np.ndarray:
    """Quantiles of the pixels of all planes, by every fourth row and column."""
    return np.quantile(np.concatenate([p[::4, ::4].ravel() for p in planes]), quantiles)

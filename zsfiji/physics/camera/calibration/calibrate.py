"""The noise of an image, from two measurements that fail on different images."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
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

_USUAL = (2.0**-7, 2.0**40)
"""Largest pixel values that are measured as they are; planes of other ones are brought to 1 first,
because small constants in the measurement, and 32-bit numbers, have a scale."""

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

    def found(scaled: Sequence[np.ndarray], saturation: float | None) -> Noise:
        progress.stop_if_cancelled()
        smooth = smoothest.measure(scaled, saturation)
        if smooth.floor > 0 and min(min(p.shape) for p in scaled) >= _SMALLEST:
            progress.stop_if_cancelled()
            return _decided(smooth, corner.measure(scaled, saturation), scaled)
        return smooth

    return _measured(planes, found)


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
    return _measured(planes, smoothest.measure)


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

    def found(scaled: Sequence[np.ndarray], saturation: float | None) -> Noise:
        if min(min(p.shape) for p in scaled) < _SMALLEST:
            return smoothest.measure(scaled, saturation)
        return corner.measure(scaled, saturation).least

    return _measured(planes, found)


def _measured(
    planes: Sequence[np.ndarray],
    how: Callable[[Sequence[np.ndarray], float | None], Noise],
) -> Noise:
    """The noise with its saturation; no noise where it is negligible (see :data:`_NOTHING`).

    `how` measures it, given the planes in a usual scale and the value at which they are cut off.
    """
    unit = _unit(planes)
    if unit != 1:
        planes = [(p / unit).astype(np.float32) for p in planes]
    saturation, saturated = find_saturation(planes)
    found = how(planes, saturation)
    if found.floor > 0 and _negligible(found, planes):
        found = no_noise(len(found.spectrum))
    return replace(
        found,
        gain=found.gain * unit,
        intercept=found.intercept * unit**2,
        floor=found.floor * unit**2,
        saturation=None if saturation is None else saturation * unit,
        saturated=saturated,
    )


def _unit(planes: Sequence[np.ndarray]) -> float:
    """What planes are divided by first: a power of two, which changes no digit, and usually 1."""
    largest = max(max(-float(p.min()), float(p.max())) for p in planes)
    if largest == 0 or _USUAL[0] <= largest <= _USUAL[1]:
        return 1.0
    return 2.0 ** math.floor(math.log2(largest))


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

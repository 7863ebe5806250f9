"""The noise of the smoothest blocks at each brightness.

This is the usual way (Foi et al., IEEE TIP 17 (2008)), done in the DCT domain, where structure is
sparse and noise is not. docs/methods/zero-shot-denoise.md, section 1, says where it fails.

Unless said otherwise, the constants are those of the prototype of Zero-Shot Denoise, which was
checked on 12 real images; no other values were measured.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter
from scipy.special import chdtri

from zsfiji import progress
from zsfiji.physics.camera.calibration.blocks import Blocks, blocks
from zsfiji.physics.noise import Noise, is_white, no_noise, radial_frequency, resampled

BLOCK = 16
"""Edge of the blocks, where the image is large enough. Not tuned."""

_SMALLEST_BLOCK = 4
"""Edge of the blocks in the smallest images. Not tuned."""

_MOST_BLOCKS = 20_000
"""Blocks of all planes together: bounds the time. Not tuned."""

_BINS = 40
"""Bins of brightness, at most. Not tuned."""

_QUANTILE = 0.35
"""Quantile of the energies of the blocks at one brightness: low enough to be free of structure
where a third of the blocks is, and high enough to vary little. Not tuned."""

_ALL_CONSTANT = 0.95
"""Share of pixels equal to their surroundings, above which the image has no noise. Chosen by eye,
for masks and simulated images."""

_MANY = 0.3
"""Share of such pixels above which the second differences are not used: they are mostly zero in
images of single photons. Chosen by eye."""

_CONTRADICTED = 1 / 3
"""Variance of the second differences, relative to what the noise of the blocks predicts, below
which the blocks have measured structure. Chosen by eye, with a test on dense structure."""

_MOST_ROWS = 512
"""Rows of a plane in which second differences are taken: bounds the time. Not tuned."""

_FEWEST = 500
"""Least number of second differences for a reliable median. Not tuned."""

_MEDIAN_OF_NORMAL = 0.6745
"""Median of the absolute value of a normal variable of standard deviation 1."""

_MEDIAN_OF_CHI2 = float(chdtri(1, 0.5))
"""Median of the chi-squared distribution with one degree of freedom."""


def measure(planes: Sequence[np.ndarray], saturation: float | None) -> Noise:
    """Measure the noise in the smoothest blocks.

    Parameters
    ----------
    planes : sequence of numpy.ndarray
        Shapes (row, col), any unit and scale, finite.
    saturation : float or None
        The value at which pixels are cut off.

    Returns
    -------
    Noise
        No noise where most pixels equal their neighbours.
    """
    found = _in_blocks(planes, saturation, BLOCK)
    progress.stop_if_cancelled()
    if not found.white:
        # Between dense spots there is space for small blocks only.
        closer = _in_blocks(planes, saturation, BLOCK // 2)
        found = closer if closer.white else found
    if found.floor > 0:
        differences = _Differences(planes, found)
        if differences.constant > _ALL_CONSTANT:
            return no_noise(len(found.spectrum))
        if differences.variance < _CONTRADICTED * differences.expected:
            # Every block has structure, which was taken for noise. The differences are right.
            level = differences.level
            return Noise(0.0, level, level, np.ones_like(found.spectrum), True)
    return found


def photon_transfer(planes: Sequence[np.ndarray], noise: Noise) -> tuple[np.ndarray, np.ndarray]:
    """The points of the photon transfer curve, to which the calibration fits a line.

    Parameters
    ----------
    planes : sequence of numpy.ndarray
        The planes that were calibrated.
    noise : Noise
        Their noise.

    Returns
    -------
    mean, variance : numpy.ndarray
        Of groups of smooth blocks of similar brightness, in grey levels and grey levels squared;
        shape (groups,).
    """
    taken = _taken(planes, noise.saturation, len(noise.spectrum))
    size = taken.energy.shape[-1]
    band = radial_frequency(size) > 0.35
    taken = taken.where(taken.energy[:, band].mean(1) > 0)
    if len(taken) < 2:
        return np.empty(0), np.empty(0)
    mean, variance = _grouped(taken.mean, taken.energy[:, band])
    return mean, variance / resampled(noise.spectrum, size)[band].mean()


def _in_blocks(planes: Sequence[np.ndarray], saturation: float | None, largest: int) -> Noise:
    """Measure the noise in the smoothest of overlapping blocks, of the edge `largest` or less."""
    progress.stop_if_cancelled()
    taken = _taken(planes, saturation, largest)
    size = taken.energy.shape[-1]
    flat = np.ones((size, size))
    frequency = radial_frequency(size)
    measured = (frequency > 0.22) & (frequency < 0.5)
    taken = taken.where(taken.energy[:, measured].mean(1) > 0)
    if len(taken) < 2:
        return no_noise(size)
    progress.stop_if_cancelled()
    gain, intercept, floor = _line(taken.mean, taken.energy[:, measured])
    # Blocks of a few pixels are too small for a spectrum.
    variance = np.maximum(gain * taken.mean + intercept, floor)
    progress.stop_if_cancelled()
    large = size >= BLOCK // 2
    spectrum = _spectrum(taken.energy / variance[:, None, None]) if large else flat
    if not large or is_white(spectrum):
        # Texture is weakest at the highest frequencies: white noise is measured there.
        high = frequency > 0.35 if large else measured
        return Noise(*_line(taken.mean, taken.energy[:, high]), flat, True)
    scale = float(spectrum.mean())
    return Noise(gain * scale, intercept * scale, floor * scale, spectrum / scale, False)


class _Differences:
    """Second differences of pixels, to check the noise that was measured in blocks.

    Their median does not see structure that fills less than half of the pixels, even if it is in
    every block. It cannot measure the noise of single photons, where most pixels are equal.

    Attributes
    ----------
    variance, expected : float
        Robust variance of the differences, in variances of the noise, and the value that the noise
        predicts; equal where nothing can be said.
    level : float
        Variance of white noise that has these differences, in grey levels squared.
    constant : float
        Share of the pixels that equal their surroundings.
    """

    def __init__(self, planes: Sequence[np.ndarray], noise: Noise) -> None:
        scaled, plain, constant, total = [], [], 0, 0
        for plane in planes[:: -(-len(planes) // 8)]:
            if min(plane.shape) < 3:
                continue
            part = plane[:_MOST_ROWS].astype(np.float64)
            once = part[:-2] - 2 * part[1:-1] + part[2:]
            twice = np.abs(once[:, :-2] - 2 * once[:, 1:-1] + once[:, 2:])
            mean = uniform_filter(part, 3)[1:-1, 1:-1]
            constant += int(np.count_nonzero(twice == 0))
            total += twice.size
            variance = noise.variance(mean)
            changing = twice > 0
            scaled.append((twice[changing] / np.sqrt(variance[changing]))[::3])
            plain.append(twice[changing][::3])
        values = np.concatenate(scaled) if scaled else np.empty(0)
        self.constant = constant / total if total else 0.0
        self.expected = self.variance = self.level = 0.0
        if values.size > _FEWEST and not _MANY < self.constant < _ALL_CONSTANT:
            self.variance = float((np.median(values) / _MEDIAN_OF_NORMAL) ** 2)
            self.level = float((np.median(np.concatenate(plain)) / _MEDIAN_OF_NORMAL) ** 2 / 36)
            # Frequency response of (1, -2, 1) in both directions; a DCT index is a frequency.
            k = np.arange(len(noise.spectrum)) / (2 * len(noise.spectrum))
            response = (2 - 2 * np.cos(2 * np.pi * k)) ** 2
            weight = np.outer(response, response)
            # White noise gives exactly 6**2; the coarse frequencies of the blocks are scaled to it.
            self.expected = 36 * float((weight * noise.spectrum).sum() / weight.sum())


def _taken(planes: Sequence[np.ndarray], saturation: float | None, largest: int) -> Blocks:
    """Blocks of the edge `largest`, or smaller where a plane is too small for two of them."""
    shortest = min(min(p.shape) for p in planes)
    size = largest
    while size > _SMALLEST_BLOCK and size * 2 > shortest:
        size //= 2
    size = min(size, shortest)
    return blocks(
        planes,
        size,
        apart=max(1, size // 4),
        most=_MOST_BLOCKS,
        saturation=saturation,
        tolerated=0.01,
    )


def _line(mean: NDArray, energy: NDArray) -> tuple[float, float, float]:
    """Fit a line of variance over mean to the smoothest blocks.

    Parameters
    ----------
    mean : numpy.ndarray
        Mean value of each block, shape (blocks,).
    energy : numpy.ndarray
        Squared DCT coefficients in the band that is measured, shape (blocks, coefficients).

    Returns
    -------
    gain, intercept, floor : float
        The line and the lower limit of the variance.
    """
    x, v = _grouped(mean, energy)
    typical = float(np.median(v))
    lowest = 0.5 * float(max(np.quantile(v, 0.02), 1e-3 * typical))
    if len(x) < 4 or np.ptp(x) == 0:
        return 0.0, typical, typical
    gain, intercept = max(float(np.polyfit(x, v, 1)[0]), 0.0), 0.0
    weight = np.ones(len(x))
    for _ in range(20):
        w = weight / np.maximum(gain * x + intercept, lowest)
        design = np.stack([x, np.ones_like(x)], 1)
        gain, intercept = np.linalg.lstsq(design * w[:, None], v * w, rcond=None)[0]
        if gain <= 0:
            gain, intercept = 0.0, typical
        off = np.abs(gain * x + intercept - v) / np.maximum(gain * x + intercept, lowest)
        weight = 1 / np.sqrt(np.maximum(off, 0.05))
    low, high = (np.maximum(gain * e + intercept, lowest) for e in (x.min(), x.max()))
    if high < 1.1 * low:
        return 0.0, typical, typical
    return float(gain), float(intercept), lowest


def _grouped(mean: NDArray, energy: NDArray) -> tuple[NDArray, NDArray]:
    """Brightness and noise variance of groups of blocks, from the smoothest blocks of each.

    Parameters
    ----------
    mean, energy : numpy.ndarray
        As :func:`_line` takes them.
    """
    count = energy.shape[1]
    block = energy.mean(1, dtype=np.float64) / (chdtri(count, 1 - _QUANTILE) / count)
    bins = int(np.clip(len(mean) // 30, 1, _BINS))
    edges = np.quantile(mean, np.linspace(0, 1, bins + 1))
    place = np.clip(np.searchsorted(edges, mean, side="right") - 1, 0, bins - 1)
    groups = [place == i for i in range(bins)]
    groups = [g for g in groups if g.any()]
    x = np.array([np.median(mean[g]) for g in groups])
    v = np.array([np.quantile(block[g], _QUANTILE) for g in groups])
    return x, v


def _spectrum(energy: NDArray) -> NDArray:
    """Spectrum of the noise from the smoothest blocks, shape (block, block).

    Parameters
    ----------
    energy : numpy.ndarray
        Squared DCT coefficients over the block's noise variance, shape (blocks, block, block).
    """
    size = energy.shape[-1]
    frequency = radial_frequency(size)
    low = (frequency > 0) & (frequency < 0.22)
    inside = np.sort(energy[:, low], axis=1)
    # Without the largest tenth, so that single coefficients of structure do not decide.
    texture = inside[:, : max(1, int(0.9 * inside.shape[1]))].mean(1)
    smooth = texture <= np.quantile(texture, 0.3)
    spectrum = np.median(energy[smooth], axis=0).astype(float) / _MEDIAN_OF_CHI2
    lowest = frequency < 0.10
    ring = (frequency >= 0.10) & (frequency < 0.16)
    if ring.any():
        spectrum[lowest] = np.median(spectrum[ring])
    return np.maximum(spectrum, 1e-3 * spectrum.max())

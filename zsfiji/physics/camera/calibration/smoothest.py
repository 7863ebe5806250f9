"""The noise of the smoothest blocks of each brightness.

It is the usual way (Foi et al., IEEE TIP 17 (2008)) in the DCT domain, where structure is sparse
and noise is not. docs/zero-shot-denoise.md tells where it fails.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter
from scipy.stats import chi2

from zsfiji import progress
from zsfiji.physics.camera.calibration.blocks import Blocks, blocks
from zsfiji.physics.noise import Noise, is_white, no_noise, radial_frequency, resampled

BLOCK = 16
"""Edge of the blocks, where the image is large enough."""

_SMALLEST_BLOCK = 4
_MOST_BLOCKS = 20_000
_BINS = 40
_QUANTILE = 0.35
"""Of the energies of the blocks of one brightness: low enough to be free of structure where a third
of the blocks is, and high enough to vary little."""

_ALL_CONSTANT = 0.95
_MANY = 0.3
_CONTRADICTED = 1 / 3
_MOST_ROWS = 512
_FEWEST = 500
_MEDIAN_OF_NORMAL = 0.6745
_MEDIAN_OF_CHI2 = float(chi2.ppf(0.5, 1))


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
        Without noise where the image is made of single values.
    """
    found = _in_blocks(planes, saturation, BLOCK)
    progress.stop_if_cancelled()
    if not found.white:
        # Between dense spots there is room for small blocks only, and noise is there too.
        closer = _in_blocks(planes, saturation, BLOCK // 2)
        found = closer if closer.white else found
    if found.floor > 0:
        differences = _Differences(planes, found)
        if differences.constant > _ALL_CONSTANT:
            return no_noise(len(found.spectrum))
        if differences.variance < _CONTRADICTED * differences.expected:
            # Structure in every block has been taken for noise; most pixels know better.
            level = differences.level
            return Noise(0.0, level, level, np.ones_like(found.spectrum), True)
    return found


def photon_transfer(planes: Sequence[np.ndarray], noise: Noise) -> tuple[np.ndarray, np.ndarray]:
    """The points that the line of a calibration goes through.

    Parameters
    ----------
    planes : sequence of numpy.ndarray
        The planes that were calibrated.
    noise : Noise
        What was found in them.

    Returns
    -------
    mean, variance : numpy.ndarray
        Of groups of smooth blocks of like brightness, in grey levels and grey levels squared;
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
    # Blocks of a few pixels cannot tell a spectrum.
    variance = np.maximum(gain * taken.mean + intercept, floor)
    progress.stop_if_cancelled()
    told = size >= BLOCK // 2
    spectrum = _spectrum(taken.energy / variance[:, None, None]) if told else flat
    if not told or is_white(spectrum):
        # Texture is weakest at the highest frequencies, and white noise may be measured there.
        high = frequency > 0.35 if told else measured
        return Noise(*_line(taken.mean, taken.energy[:, high]), flat, True)
    scale = float(spectrum.mean())
    return Noise(gain * scale, intercept * scale, floor * scale, spectrum / scale, False)


class _Differences:
    """What the second differences of single pixels say of a noise that blocks were asked about.

    Their median is blind to structure that fills less than half of the pixels, be it in every
    block; it cannot tell the noise of single photons, where most pixels are equal.

    Attributes
    ----------
    variance, expected : float
        Robust variance of the differences in standard deviations of the noise, and what the noise
        should give; equal where nothing can be told.
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
            told = twice > 0
            scaled.append((twice[told] / np.sqrt(variance[told]))[::3])
            plain.append(twice[told][::3])
        known = np.concatenate(scaled) if scaled else np.empty(0)
        self.constant = constant / total if total else 0.0
        self.expected = self.variance = self.level = 0.0
        if known.size > _FEWEST and not _MANY < self.constant < _ALL_CONSTANT:
            self.variance = float((np.median(known) / _MEDIAN_OF_NORMAL) ** 2)
            self.level = float((np.median(np.concatenate(plain)) / _MEDIAN_OF_NORMAL) ** 2 / 36)
            # Frequency response of (1, -2, 1) in both directions; a DCT index is a frequency.
            k = np.arange(len(noise.spectrum)) / (2 * len(noise.spectrum))
            response = (2 - 2 * np.cos(2 * np.pi * k)) ** 2
            weight = np.outer(response, response)
            # White noise has 6**2 exactly; the blocks' coarse frequencies are scaled to that.
            self.expected = 36 * float((weight * noise.spectrum).sum() / weight.sum())


def _taken(planes: Sequence[np.ndarray], saturation: float | None, largest: int) -> Blocks:
    """Blocks of the edge `largest`, or smaller where a plane has no room for two of them."""
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
    """Fit the variance as a line over the mean, by what the smoothest blocks have.

    Parameters
    ----------
    mean : numpy.ndarray
        Mean value of each block, shape (blocks,).
    energy : numpy.ndarray
        Squared DCT coefficients in the band that is measured, shape (blocks, coefficients).

    Returns
    -------
    gain, intercept, floor : float
        The line and the smallest variance that is believed.
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
    """Brightness and noise variance of groups of blocks, by the smoothest blocks of each group.

    Parameters
    ----------
    mean, energy : numpy.ndarray
        As :func:`_line` takes them.
    """
    count = energy.shape[1]
    block = energy.mean(1, dtype=np.float64) / (chi2.ppf(_QUANTILE, count) / count)
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
    # Without its largest tenth, lest single coefficients of structure decide.
    texture = inside[:, : max(1, int(0.9 * inside.shape[1]))].mean(1)
    smooth = texture <= np.quantile(texture, 0.3)
    spectrum = np.median(energy[smooth], axis=0).astype(float) / _MEDIAN_OF_CHI2
    lowest = frequency < 0.10
    ring = (frequency >= 0.10) & (frequency < 0.16)
    if ring.any():
        spectrum[lowest] = np.median(spectrum[ring])
    return np.maximum(spectrum, 1e-3 * spectrum.max())

"""The noise of a camera or a detector, measured in the image itself.

The model: a pixel of expected value m has noise of the variance ``gain * m + offset``
(Poisson-Gaussian; `offset` holds the read noise and what a camera adds to every pixel, so it is
negative where that is more than the noise), with one spectrum everywhere. It is the usual model of
Foi et al., IEEE TIP 17 (2008), fitted in the DCT domain, where structure is sparse and noise is
not; specs/zero_shot_denoise.md, section 5, has the figures behind the constants.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.fft import dctn
from scipy.ndimage import map_coordinates, uniform_filter
from scipy.stats import chi2

from zsfiji import progress

BLOCK = 16
"""Edge of the blocks that the noise is measured in, where the image is large enough."""

_SMALLEST_BLOCK = 4
_MOST_BLOCKS = 20_000
_BINS = 40
_ALL_CONSTANT = 0.95
_MANY = 0.3
_NOTHING = 2e-4
_CONTRADICTED = 1 / 3
_MOST_ROWS = 512
_FEWEST = 500
_MEDIAN_OF_NORMAL = 0.6745
_MEDIAN_OF_CHI2 = float(chi2.ppf(0.5, 1))


@dataclass(frozen=True)
class Noise:
    """What is known about the noise of an image.

    Attributes
    ----------
    gain : float
        Growth of the variance with the pixel value, in grey levels; 0 for noise that does not
        depend on the brightness.
    offset : float
        Variance at the pixel value 0, in grey levels squared; may be negative (see above).
    floor : float
        Smallest variance that is believed, in grey levels squared; above 0 unless there is no
        noise at all.
    spectrum : numpy.ndarray
        Power of the orthonormal DCT coefficients of the stabilised noise, shape (block, block),
        mean 1. Index k is the frequency ``k / (2 block)`` cycles per pixel.
    white : bool
        Whether neighbouring pixels have independent noise.
    saturation : float or None
        The value at which pixels are cut off, if some are.
    saturated : float
        Share of the pixels that are cut off.
    """

    gain: float
    offset: float
    floor: float
    spectrum: np.ndarray
    white: bool
    saturation: float | None = None
    saturated: float = 0.0

    def variance(self, mean: np.ndarray | float) -> np.ndarray:
        """Variance of pixels of the expected value `mean`, in grey levels squared."""
        return np.maximum(self.gain * np.asarray(mean) + self.offset, self.floor)

    def correlation(self, lags: int = 6) -> np.ndarray:
        """Correlation of the noise of pixels 0 to `lags` apart, mean of rows and columns."""
        return autocorrelation(self.spectrum, lags)

    def as_settings(self) -> dict[str, Any]:
        """Give all of it in types that JSON has."""
        return {
            "gain": self.gain,
            "offset": self.offset,
            "floor": self.floor,
            "spectrum": [[float(f"{v:.6g}") for v in row] for row in self.spectrum],
            "white": self.white,
            "saturation": self.saturation,
            "saturated": self.saturated,
        }

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Noise:
        """Make it from what :meth:`as_settings` gave."""
        return cls(**{**settings, "spectrum": np.asarray(settings["spectrum"], dtype=float)})


def calibrate(planes: Sequence[np.ndarray]) -> Noise:
    """Measure the noise in one image or in several of the same detector.

    Parameters
    ----------
    planes : sequence of numpy.ndarray
        Shapes (row, col), any unit and scale, finite.

    Returns
    -------
    Noise
        Of the unit of the planes.

    Raises
    ------
    Cancelled
        If the user asked to stop.
    """
    saturation, saturated = find_saturation(planes)
    progress.stop_if_cancelled()
    found = _in_blocks(planes, saturation, BLOCK)
    progress.stop_if_cancelled()
    if not found.white:
        # Between dense spots there is room for small blocks only, and noise is there too.
        closer = _in_blocks(planes, saturation, BLOCK // 2)
        found = closer if closer.white else found
    if found.floor > 0:
        differences = _Differences(planes, found)
        if differences.constant > _ALL_CONSTANT or _negligible(found, planes):
            found = _no_noise(found.spectrum.shape[0])
        elif differences.variance < _CONTRADICTED * differences.expected:
            # Structure in every block has been taken for noise; most pixels know better.
            level = differences.level
            found = Noise(0.0, level, level, np.ones_like(found.spectrum), True)
            if _negligible(found, planes):
                found = _no_noise(found.spectrum.shape[0])
    return replace(found, saturation=saturation, saturated=saturated)


def photon_transfer(planes: Sequence[np.ndarray], noise: Noise) -> tuple[np.ndarray, np.ndarray]:
    """The points that the line of a calibration goes through.

    Parameters
    ----------
    planes : sequence of numpy.ndarray
        The planes that were calibrated.
    noise : Noise
        What :func:`calibrate` found in them.

    Returns
    -------
    mean, variance : numpy.ndarray
        Of groups of smooth blocks of like brightness, in grey levels and grey levels squared;
        shape (groups,).
    """
    size = noise.spectrum.shape[0]
    blocks = _blocks(planes, noise.saturation, size)
    energy = dctn(blocks, axes=(1, 2), norm="ortho") ** 2
    band = radial_frequency(blocks.shape[-1]) > 0.35
    alive = energy[:, band].mean(1) > 0
    if alive.sum() < 2:
        return np.empty(0), np.empty(0)
    mean, variance = _grouped(blocks.mean((1, 2))[alive], energy[alive][:, band])
    share = resampled(noise.spectrum, blocks.shape[-1])[band].mean()
    return mean, variance / share


def _in_blocks(planes: Sequence[np.ndarray], saturation: float | None, largest: int) -> Noise:
    """Measure the noise in the smoothest of overlapping blocks, of the edge `largest` or less."""
    blocks = _blocks(planes, saturation, largest)
    size = blocks.shape[-1]
    flat = np.ones((size, size))
    progress.stop_if_cancelled()
    energy = dctn(blocks, axes=(1, 2), norm="ortho") ** 2
    mean = blocks.mean((1, 2))
    frequency = radial_frequency(size)
    measured = (frequency > 0.22) & (frequency < 0.5)
    alive = energy[:, measured].mean(1) > 0
    if alive.sum() < 2:
        return _no_noise(size)
    energy, mean = energy[alive], mean[alive]

    progress.stop_if_cancelled()
    gain, offset, floor = _line(mean, energy[:, measured])
    # Blocks of a few pixels cannot tell a spectrum.
    variance = np.maximum(gain * mean + offset, floor)
    progress.stop_if_cancelled()
    spectrum = _spectrum(energy / variance[:, None, None]) if size >= BLOCK // 2 else flat
    if size < BLOCK // 2 or is_white(spectrum):
        # Texture is weakest at the highest frequencies, and white noise may be measured there.
        high = frequency > 0.35 if size >= BLOCK // 2 else measured
        return Noise(*_line(mean, energy[:, high]), flat, True)
    scale = float(spectrum.mean())
    return Noise(gain * scale, offset * scale, floor * scale, spectrum / scale, False)


def _no_noise(size: int) -> Noise:
    return Noise(0.0, 0.0, 0.0, np.ones((size, size)), True)


def _negligible(noise: Noise, planes: Sequence[np.ndarray]) -> bool:
    """Whether the noise is nothing beside the contrast of the image."""
    low, high = np.quantile(np.concatenate([p[::4, ::4].ravel() for p in planes]), (0.01, 0.99))
    return bool(noise.variance(high) < (_NOTHING * (high - low)) ** 2)


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


def find_saturation(planes: Sequence[np.ndarray]) -> tuple[float | None, float]:
    """Tell whether the brightest pixels were cut off.

    Parameters
    ----------
    planes : sequence of numpy.ndarray
        The planes, of one detector.

    Returns
    -------
    value : float or None
        The value that they were cut off at; None if they were not.
    share : float
        Share of all pixels that have it.
    """
    top = max(float(p.max()) for p in planes)
    low = min(float(p.min()) for p in planes)
    if top == low:
        return None, 0.0
    count = sum(int(np.count_nonzero(p == top)) for p in planes)
    # An uncut histogram thins out towards its end; a cut one piles up there.
    near = top - 0.02 * (top - low)
    below = sum(int(np.count_nonzero((p >= near) & (p < top))) for p in planes)
    if count < 8 or count <= below:
        return None, 0.0
    return top, count / sum(p.size for p in planes)


def radial_frequency(size: int) -> np.ndarray:
    """Radial frequency of DCT coefficients in cycles per pixel, shape (size, size)."""
    k = np.arange(size) / (2 * size)
    return np.hypot(k[:, None], k[None])


def resampled(spectrum: np.ndarray, size: int) -> np.ndarray:
    """Give the spectrum for DCT blocks of another size, shape (size, size)."""
    have = spectrum.shape[0]
    k = np.minimum(np.arange(size) * have / size, have - 1)
    rows, cols = np.meshgrid(k, k, indexing="ij")
    return np.maximum(map_coordinates(spectrum, [rows, cols], order=1), 1e-3)


def autocorrelation(spectrum: np.ndarray, lags: int = 6) -> np.ndarray:
    """Correlation at distances of 0 to `lags` pixels that a DCT spectrum means.

    Parameters
    ----------
    spectrum : numpy.ndarray
        Shape (block, block).
    lags : int
        Largest distance, less than the block.

    Returns
    -------
    numpy.ndarray
        Shape (lags + 1,), the first one 1; mean of rows and columns.
    """
    size = spectrum.shape[0]
    index = np.minimum(np.abs(np.fft.fftfreq(2 * size) * 2 * size).astype(int), size - 1)
    full = np.fft.ifft2(spectrum[np.ix_(index, index)]).real
    full /= full[0, 0]
    return (full[0, : lags + 1] + full[: lags + 1, 0]) / 2


def is_white(spectrum: np.ndarray) -> bool:
    """Whether a measured spectrum is that of noise independent from pixel to pixel.

    Asked where hardly any optics passes structure: correlated noise falls there too, usually to
    a tenth, and white noise stays.
    """
    frequency = radial_frequency(spectrum.shape[0])
    middle = np.median(spectrum[(frequency > 0.25) & (frequency < 0.33)])
    axes = [spectrum[-3:, : spectrum.shape[1] // 2], spectrum[: spectrum.shape[0] // 2, -3:]]
    high = [np.median(part) for part in (spectrum[frequency > 0.45], *axes)]
    return bool(min(high) > 0.5 * middle and max(high) < 2 * middle)


def _blocks(planes: Sequence[np.ndarray], saturation: float | None, largest: int) -> np.ndarray:
    """Overlapping blocks from all over the planes, shape (count, size, size)."""
    shortest = min(min(p.shape) for p in planes)
    size = largest
    while size > _SMALLEST_BLOCK and size * 2 > shortest:
        size //= 2
    size = min(size, shortest)
    share = max(_MOST_BLOCKS // len(planes), 16)
    parts = []
    for plane in planes:
        step = max(1, size // 4)
        while (plane.shape[0] // step) * (plane.shape[1] // step) > share:
            step += 1
        view = np.lib.stride_tricks.sliding_window_view(plane, (size, size))[::step, ::step]
        parts.append(view.reshape(-1, size, size).astype(np.float64))
    blocks = np.concatenate(parts)
    if saturation is not None:
        free = (blocks >= saturation).mean((1, 2)) <= 0.01
        if free.sum() >= 16:
            blocks = blocks[free]
    return blocks


def _line(mean: np.ndarray, energy: np.ndarray) -> tuple[float, float, float]:
    """Fit the variance as a line over the mean, by what the smoothest blocks have.

    Parameters
    ----------
    mean : numpy.ndarray
        Mean value of each block, shape (blocks,).
    energy : numpy.ndarray
        Squared DCT coefficients in the band that is measured, shape (blocks, coefficients).

    Returns
    -------
    gain, offset, floor : float
        The line and the smallest variance that is believed.
    """
    x, v = _grouped(mean, energy)
    typical = float(np.median(v))
    lowest = 0.5 * float(max(np.quantile(v, 0.02), 1e-3 * typical))
    if len(x) < 4 or np.ptp(x) == 0:
        return 0.0, typical, typical
    gain, offset = max(float(np.polyfit(x, v, 1)[0]), 0.0), 0.0
    weight = np.ones(len(x))
    for _ in range(20):
        w = weight / np.maximum(gain * x + offset, lowest)
        design = np.stack([x, np.ones_like(x)], 1)
        gain, offset = np.linalg.lstsq(design * w[:, None], v * w, rcond=None)[0]
        if gain <= 0:
            gain, offset = 0.0, typical
        off = np.abs(gain * x + offset - v) / np.maximum(gain * x + offset, lowest)
        weight = 1 / np.sqrt(np.maximum(off, 0.05))
    low, high = (np.maximum(gain * e + offset, lowest) for e in (x.min(), x.max()))
    if high < 1.1 * low:
        return 0.0, typical, typical
    return float(gain), float(offset), lowest


def _grouped(mean: np.ndarray, energy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Brightness and noise variance of groups of blocks, by the smoothest blocks of each group.

    Parameters
    ----------
    mean, energy : numpy.ndarray
        As :func:`_line` takes them.
    """
    quantile = 0.35
    count = energy.shape[1]
    block = energy.mean(1) / (chi2.ppf(quantile, count) / count)
    bins = int(np.clip(len(mean) // 30, 1, _BINS))
    edges = np.quantile(mean, np.linspace(0, 1, bins + 1))
    place = np.clip(np.searchsorted(edges, mean, side="right") - 1, 0, bins - 1)
    groups = [place == i for i in range(bins)]
    groups = [g for g in groups if g.any()]
    x = np.array([np.median(mean[g]) for g in groups])
    v = np.array([np.quantile(block[g], quantile) for g in groups])
    return x, v


def _spectrum(energy: np.ndarray) -> np.ndarray:
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
    spectrum = np.median(energy[smooth], axis=0) / _MEDIAN_OF_CHI2
    lowest = frequency < 0.10
    ring = (frequency >= 0.10) & (frequency < 0.16)
    if ring.any():
        spectrum[lowest] = np.median(spectrum[ring])
    return np.maximum(spectrum, 1e-3 * spectrum.max())

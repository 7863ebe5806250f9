"""The noise of a camera or a detector: how its variance grows with brightness, and its spectrum.

The model: a pixel of expected value m has noise of the variance ``gain * m + intercept``
(Poisson-Gaussian), with the same spectrum everywhere. `intercept` is the variance that the line has
at the pixel value 0, so a camera with a large offset has a negative one.
:mod:`zsfiji.physics.camera.calibration` measures gain, intercept and spectrum.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from pydantic import PlainSerializer, PlainValidator
from scipy.fft import dct
from scipy.ndimage import convolve1d, map_coordinates

SURE = 0.5
"""Confidence below which a measured noise is uncertain, and the user is warned.

On 280 simulated captures that nothing was tuned on, the prototype's confidence was below it for 38
of the 40 variances that were wrong by more than a factor of 1.2, and for all 14 that were wrong by
more than 1.5.
"""

_COARSE = 8
"""Edge of the DCT blocks for the noise of decimated images: the same as the blocks of the DCT
filter (:data:`zsfiji.physics.filters.dct.BLOCK`)."""


def _rounded(spectrum: np.ndarray) -> list[list[float]]:
    return [[float(f"{v:.6g}") for v in row] for row in spectrum]


Spectrum = Annotated[
    np.ndarray,
    PlainValidator(lambda rows: np.asarray(rows, dtype=float)),
    PlainSerializer(_rounded),
]
"""An array that pydantic keeps as rows of numbers with six digits."""


@dataclass(frozen=True)
class Noise:
    """What is known about the noise of an image.

    Attributes
    ----------
    gain : float
        Slope of the variance over the pixel value, in grey levels; 0 for noise that does not
        depend on the brightness.
    intercept : float
        Variance at the pixel value 0, in grey levels squared; may be negative (see above).
    floor : float
        Lower limit of the variance, in grey levels squared; above 0 unless there is no noise at
        all.
    spectrum : numpy.ndarray
        Power of the orthonormal DCT coefficients of the stabilised noise, shape (block, block),
        mean 1. Index k is the frequency ``k / (2 block)`` cycles per pixel.
    white : bool
        Whether neighbouring pixels have independent noise.
    saturation : float or None
        The value at which pixels are cut off, if some are.
    saturated : float
        Share of the pixels that are cut off.
    confidence : float
        How reliable the variance is, 0 to 1. Below :data:`SURE` noise and fine structure could not
        be told apart in the image, or it has too few pixels. 0 for correlated noise whose spectrum
        no filter explains.
    """

    gain: float
    intercept: float
    floor: float
    spectrum: Spectrum
    white: bool
    saturation: float | None = None
    saturated: float = 0.0
    confidence: float = 1.0

    def variance(self, mean: np.ndarray | float) -> np.ndarray:
        """Variance of pixels of the expected value `mean`, in grey levels squared."""
        return np.maximum(self.gain * np.asarray(mean) + self.intercept, self.floor)

    def correlation(self, lags: int = 6) -> np.ndarray:
        """Correlation of the noise of pixels 0 to `lags` apart, mean of rows and columns."""
        return autocorrelation(self.spectrum, lags)


def no_noise(size: int = 8) -> Noise:
    """The noise of an image that has none, with a flat spectrum of `size` coefficients a side."""
    return Noise(0.0, 0.0, 0.0, np.ones((size, size)), True)


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
    """Correlation at distances of 0 to `lags` pixels of noise with a given DCT spectrum.

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
    full = autocovariance(spectrum)
    middle = slice(size - 1, size + lags)
    return (full[size - 1, middle] + full[middle, size - 1]) / 2


def autocovariance(spectrum: np.ndarray) -> np.ndarray:
    """Autocovariance of noise with a given DCT spectrum, 1 at lag 0; lags as in `dct_spectrum`."""
    size = spectrum.shape[0]
    index = np.minimum(np.abs(np.fft.fftfreq(2 * size) * 2 * size).astype(int), size - 1)
    full = np.fft.ifft2(spectrum[np.ix_(index, index)]).real
    lags = np.arange(1 - size, size)
    return full[np.ix_(lags, lags)] / full[0, 0]


def dct_spectrum(covariance: np.ndarray) -> np.ndarray:
    """Power of the DCT coefficients of noise of a given autocovariance, leakage included.

    Parameters
    ----------
    covariance : numpy.ndarray
        At lags of ``1 - size`` to ``size - 1`` pixels each way, shape (2 size - 1, 2 size - 1).

    Returns
    -------
    numpy.ndarray
        Shape (size, size), mean 1.
    """
    size = (len(covariance) + 1) // 2
    matrix = dct(np.eye(size), axis=0, norm="ortho")
    padded = np.pad(matrix, ((0, 0), (size, size)))
    # What a covariance of 1 at each lag adds to the power of the coefficients of one axis.
    share = np.stack(
        [(matrix * np.roll(padded, lag, 1)[:, size:-size]).sum(1) for lag in range(1 - size, size)],
        1,
    )
    energy = share @ covariance @ share.T
    return np.maximum(energy / energy.mean(), 1e-6)


def decimated(noise: Noise, d: int) -> Noise:
    """The noise of every d-th pixel of an image that was averaged over d x d pixels.

    Parameters
    ----------
    noise : Noise
        Noise of the image.
    d : int
        Pixels that are averaged, and the distance of those that are kept.
    """
    covariance = autocovariance(noise.spectrum)
    reach = len(noise.spectrum) - 1
    box = np.convolve(np.ones(d), np.ones(d)) / d**2
    for axis in (0, 1):
        covariance = convolve1d(covariance, box, axis=axis, mode="constant")
    size = min(_COARSE, reach // d + 1)
    lags = reach + d * np.arange(1 - size, size)
    kept = np.zeros((2 * _COARSE - 1,) * 2)
    middle = slice(_COARSE - size, _COARSE + size - 1)
    kept[middle, middle] = covariance[np.ix_(lags, lags)]
    factor = float(kept[_COARSE - 1, _COARSE - 1])
    spectrum = dct_spectrum(kept)
    white = is_white(spectrum)
    return replace(
        noise,
        gain=noise.gain * factor,
        intercept=noise.intercept * factor,
        floor=noise.floor * factor,
        spectrum=np.ones_like(spectrum) if white else spectrum,
        white=white,
    )


def is_white(spectrum: np.ndarray) -> bool:
    """Whether a measured spectrum is that of noise independent from pixel to pixel.

    It is judged at high frequencies, where optics pass hardly any structure. White noise is flat
    there; correlated noise falls, usually to a tenth. The rule (at the highest frequencies between
    half and twice the power at 0.25 to 0.33 cycles per pixel) is that of the prototype, which was
    right on its 12 real images; the limits were not tuned.
    """
    frequency = radial_frequency(spectrum.shape[0])
    middle = np.median(spectrum[(frequency > 0.25) & (frequency < 0.33)])
    axes = [spectrum[-3:, : spectrum.shape[1] // 2], spectrum[: spectrum.shape[0] // 2, -3:]]
    high = [np.median(part) for part in (spectrum[frequency > 0.45], *axes)]
    return bool(min(high) > 0.5 * middle and max(high) < 2 * middle)

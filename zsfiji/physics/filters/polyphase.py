"""Correlated noise: work on every d-th pixel, in d x d images (polyphase decomposition).

A box filter averages d x d pixels. Every d-th row and column of its result is an image whose noise
is nearly independent from pixel to pixel. The d x d images that begin at different pixels are
denoised one by one and put together again, so that no pixel is lost.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.ndimage import convolve1d, shift, uniform_filter

from zsfiji.physics.noise import Noise, autocovariance

_LARGEST_D = 4
"""Coarsest working resolution. Coarser ones were not tried: 4 was already too coarse for one of the
two development images with correlated noise."""

_INDEPENDENT = 0.04
"""Correlation below which noise counts as independent.

Lowered from 0.1, because the development images of one camera, whose noise has 0.05 to 0.06 at two
pixels, were better at three: docs/methods/zero-shot-denoise.md, section 2.
"""


def working_resolution(noise: Noise) -> int:
    """Distance in pixels at which the noise is nearly independent."""
    if noise.white:
        return 1
    correlation = noise.correlation(_LARGEST_D)
    return next((d for d in range(2, _LARGEST_D) if correlation[d] < _INDEPENDENT), _LARGEST_D)


def lost_structure(noise: Noise, plane: np.ndarray, d: int) -> float:
    """Measure how much structure the box filter of a working resolution removes.

    Parameters
    ----------
    noise : Noise
        The noise of the plane.
    plane : numpy.ndarray
        float32 (row, col).
    d : int
        Working resolution in pixels.

    Returns
    -------
    float
        Mean square of what the filter removes, minus the part of the noise in it, in variances of
        the noise.
    """
    kernel = np.convolve(np.ones(d), [1.0] if d % 2 else [0.5, 0.5]) / d
    smooth = plane
    for axis in (0, 1):
        smooth = convolve1d(smooth, kernel, axis=axis, mode="reflect")
    taken = (plane - smooth) ** 2 / noise.variance(smooth)
    if noise.saturation is not None:
        taken = taken[plane < noise.saturation]
    covariance = autocovariance(noise.spectrum)
    twice = np.convolve(kernel, kernel)
    once = np.pad(kernel, (len(twice) - len(kernel)) // 2)
    reach, size = len(twice) // 2, len(covariance) // 2
    near = covariance[size - reach : size + reach + 1, size - reach : size + reach + 1]
    expected = 1 - 2 * once @ near @ once + twice @ near @ twice
    return float(taken.mean() - expected) if taken.size else 0.0


def smoothed(plane: np.ndarray, d: int) -> np.ndarray:
    """Box filter over d x d pixels; float32 (row, col) in and out."""
    if d == 1:
        return plane
    return uniform_filter(plane, d, mode="reflect")


def phases(d: int) -> Iterator[tuple[slice, slice]]:
    """Walk over the d x d images, as slices for rows and columns."""
    for row in range(d):
        for col in range(d):
            yield slice(row, None, d), slice(col, None, d)


def centred(plane: np.ndarray, d: int) -> np.ndarray:
    """Undo the shift by half a pixel that a box of even width causes."""
    if d % 2:
        return plane
    return shift(plane, (-0.5, -0.5), order=3, mode="nearest")

"""Check the residual, which a denoiser has removed, for structure.

The checks do not depend on the denoiser. The strength of noise depends on brightness alone: at the
same brightness it is the same beside structure and away from it. And stabilised noise is symmetric
and nearly normal, whatever filter it went through.
"""

from __future__ import annotations

from enum import Enum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter
from scipy.stats import kurtosis, skew

from zsfiji.images.middle import middle
from zsfiji.physics.noise import Noise

WINDOW = 13
"""Edge in pixels of the windows in which the strength of white noise is measured: its mean square
varies by a ninth between them. No measurement of other values is kept."""

_WINDOW_CORRELATED = 9
"""The same for correlated noise, in units of its working resolution. Chosen by eye."""

_WHITE, _CORRELATED = (1.25, 1.6), (1.5, 2.0)
"""Strength of the residual, in variances of the noise, above which structure is put back, and above
which as much is put back as gives the least error: for white noise two and five standard deviations
of the strength. In a window fewer pixels of correlated noise are independent."""

_BINS = 12
"""Bins of brightness. Not tuned."""

_SMOOTH = 0.3
"""Share of the pixels of each brightness that count as having the least structure. Not tuned."""

_UP_TO = 3.0
"""How many times stronger than measured correlated noise may be. Chosen by eye."""

_SKEW, _KURTOSIS = 0.25, 0.33
"""Limits of skewness and kurtosis. Residuals of real and simulated captures with correlated noise
had up to 0.15 and 0.2."""

_EVEN = 0.24
"""Negative kurtosis above which structure is everywhere. Residuals of real captures had up to
0.14."""

_COARSE_KURTOSIS = 0.5
"""Limit of the kurtosis at 2 to 4 pixels, where fewer independent values are left. Chosen by
eye."""

_LOOK = 512
"""Edge in pixels of the middle of a plane, which is judged: bounds the time. Not tuned."""


def put_back(
    noisy: NDArray[np.float32], restored: NDArray[np.float32], noise: Noise, d: int = 1
) -> tuple[NDArray[np.float32], float]:
    """Put part of the residual back where it is stronger than the noise.

    If the residual has noise of variance n and structure of variance s, putting the share
    ``s / (n + s)`` of it back gives the least error, ``n s / (n + s)``: less than that of the noisy
    and of the restored image.

    Parameters
    ----------
    noisy, restored : numpy.ndarray
        float32 (row, col), in the unit of the image.
    noise : Noise
        The noise of `noisy`. The strength of white noise is used as it is; that of correlated noise
        is compared with the residual where there is least structure.
    d : int
        Working resolution in pixels.

    Returns
    -------
    restored : numpy.ndarray
        float32 (row, col).
    share : float
        Share of the pixels where there certainly was structure.
    """
    if noise.floor == 0:
        return restored, 0.0
    deviation = np.sqrt(noise.variance(restored)).astype(np.float32)
    taken = (noisy - restored) / deviation
    if noise.saturation is not None:
        taken[noisy >= noise.saturation] = 0
    window = WINDOW if noise.white else (_WINDOW_CORRELATED * d) | 1
    strength = uniform_filter(taken * taken, window)
    if not noise.white:
        strength /= _away_from_structure(strength, restored, deviation, window, d)
    more, much_more = _WHITE if noise.white else _CORRELATED
    share = np.clip((strength - more) / (much_more - more), 0, 1)
    share *= 1 - 1 / np.maximum(strength, 1)
    spared = (restored + share * taken * deviation).astype(np.float32)
    return spared, float(np.mean(strength > much_more))


class Shape(Enum):
    """How the values of a residual are distributed, compared with those of noise."""

    NOISE = "noise"
    SPARSE = "sparse"
    DENSE = "dense"


def shape(noisy: NDArray[np.float32], restored: NDArray[np.float32], noise: Noise) -> Shape:
    """Find out whether a residual is too skewed, too peaked or too even for noise.

    Parameters
    ----------
    noisy, restored : numpy.ndarray
        float32 (row, col), in the unit of the image. Large planes are judged by their middle.
    noise : Noise
        The noise of `noisy`.

    Returns
    -------
    Shape
        DENSE for values that are too even: there is structure everywhere. SPARSE for other values
        that noise does not have.
    """
    place = middle(noisy.shape, _LOOK)
    noisy, restored = noisy[place], restored[place]
    taken = (noisy - restored) / np.sqrt(noise.variance(restored))
    there = np.ones(noisy.shape, dtype=bool)
    if noise.saturation is not None:
        there = noisy < noise.saturation
    levels = [gaussian_filter(taken, scale) for scale in (1, 2, 4)]
    fine, coarse = ((larger - smaller)[there] for larger, smaller in pairwise(levels))
    # Few independent pixels are left at the coarse scale: their moments vary more.
    peaked = kurtosis(fine)
    if peaked < -_EVEN:
        return Shape.DENSE
    skewed = max(abs(skew(fine)), abs(skew(coarse))) > _SKEW
    if skewed or peaked > _KURTOSIS or kurtosis(coarse) > _COARSE_KURTOSIS:
        return Shape.SPARSE
    return Shape.NOISE


def _away_from_structure(
    strength: NDArray, restored: NDArray, deviation: NDArray, window: int, d: int
) -> NDArray[np.float32]:
    """Strength that noise has at each pixel's brightness, where there is least structure."""
    detail = (restored - gaussian_filter(restored, 2 * d)) / deviation
    detail = uniform_filter(detail * detail, window)
    brightness = gaussian_filter(restored, d)
    edges = np.quantile(brightness[::2, ::2], np.linspace(0, 1, _BINS + 1)[1:-1])
    place = np.searchsorted(edges, brightness)
    usual = np.ones(_BINS, dtype=np.float32)
    for number in range(_BINS):
        here = place == number
        if here.any():
            smooth = detail[here] <= np.quantile(detail[here], _SMOOTH)
            usual[number] = np.median(strength[here][smooth])
    return uniform_filter(np.clip(usual, 1, _UP_TO)[place], window)

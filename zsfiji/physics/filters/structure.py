"""Check the residual, which a denoiser has removed, for structure.

The checks do not depend on the denoiser. The strength of noise depends on brightness alone: at the
same brightness it is the same beside structure and away from it. And stabilised noise is symmetric
and nearly normal, whatever filter it went through.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, maximum_filter, uniform_filter

from zsfiji.images.middle import middle
from zsfiji.physics.filters.dct import MARGIN, dct_denoise
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

_STRIP = 2**20
"""Pixels that are processed at once: bounds the memory, no result depends on it."""

_LOOK = 512
"""Edge in pixels of the middle of a plane, which is judged: bounds the time. Not tuned."""


def put_back(
    noisy: NDArray[np.float32], restored: NDArray[np.float32], noise: Noise, d: int = 1
) -> tuple[NDArray[np.float32], float]:
    """Put part of the residual back where it is stronger than the noise.

    First, for white noise, what a DCT filter takes for structure in it. If what remains of the
    residual has noise of variance n and structure of variance s, putting the share
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
    strength = _strength(noisy, restored, noise, d)
    certain = float(np.mean(strength > _limits(noise)[1]))
    if noise.white and certain > 0:
        spared = _with_structure(noisy, restored, noise, strength)
        del strength
        strength = _strength(noisy, spared, noise, d)
    else:
        spared = restored.copy()
    for rows, _, _ in _strips(restored.shape, 0):
        taken, deviation = _taken(noisy[rows], spared[rows], noise)
        share = _sure(strength[rows], noise)
        share *= 1 - 1 / np.maximum(strength[rows], 1)
        spared[rows] += share * taken * deviation
    return spared, certain


def _with_structure(
    noisy: NDArray[np.float32],
    restored: NDArray[np.float32],
    noise: Noise,
    strength: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Add what a filter takes for structure in a residual, where that is stronger than noise."""
    result = np.empty(restored.shape, dtype=np.float32)
    for rows, around, inside in _strips(restored.shape, MARGIN):
        taken, deviation = _taken(noisy[around], restored[around], noise)
        found = dct_denoise(torch.from_numpy(taken), noise.spectrum, grids=1).numpy()
        sure = _sure(strength[rows], noise)
        result[rows] = restored[rows] + sure * (found * deviation)[inside]
    return result


def lost(
    noisy: NDArray[np.float32], restored: NDArray[np.float32], noise: Noise
) -> tuple[NDArray[np.bool_], float]:
    """Find where a restored image certainly lacks structure, at its own resolution.

    Parameters
    ----------
    noisy, restored, noise
        As :func:`put_back` takes them.

    Returns
    -------
    there : numpy.ndarray
        bool (row, col): windows in which the residual is too strong for noise.
    share : float
        Share of the pixels in whose own window it is.
    """
    if noise.floor == 0:
        return np.zeros(restored.shape, dtype=bool), 0.0
    strong = _strength(noisy, restored, noise, 1) > _limits(noise)[1]
    return maximum_filter(strong, _window(noise, 1)), float(strong.mean())


def _limits(noise: Noise) -> tuple[float, float]:
    """The strengths between which structure becomes certain."""
    return _WHITE if noise.white else _CORRELATED


def _sure(strength: NDArray[np.float32], noise: Noise) -> NDArray[np.float32]:
    """How certain structure is: 0 for the strength of noise, 1 above the upper limit."""
    more, much_more = _limits(noise)
    return np.clip((strength - more) / (much_more - more), 0, 1)


def _window(noise: Noise, d: int) -> int:
    """Edge of the windows in which the strength is measured."""
    return WINDOW if noise.white else (_WINDOW_CORRELATED * d) | 1


def _strength(
    noisy: NDArray[np.float32], restored: NDArray[np.float32], noise: Noise, d: int
) -> NDArray[np.float32]:
    """Mean square of the residual around each pixel, in variances of the noise."""
    window = _window(noise, d)
    strength = np.empty(restored.shape, dtype=np.float32)
    for rows, around, inside in _strips(restored.shape, window // 2):
        taken, _ = _taken(noisy[around], restored[around], noise)
        strength[rows] = uniform_filter(taken * taken, window)[inside]
    if not noise.white:
        _compare_away_from_structure(strength, restored, noise, window, d)
    return strength


def _strips(shape: tuple[int, ...], margin: int) -> Iterator[tuple[slice, slice, slice]]:
    """Strips of a plane: the rows, the rows with `margin` more, and the former within the latter.

    Without strips, the arrays of the checks would take several times the memory of the plane.
    """
    # An even number of rows: the blocks of the DCT filter begin at every second one.
    number = max(2, _STRIP // shape[1] // 2 * 2)
    for first in range(0, shape[0], number):
        last = min(first + number, shape[0])
        start = max(first - margin, 0)
        around = slice(start, min(last + margin, shape[0]))
        yield slice(first, last), around, slice(first - start, last - start)


def _taken(
    noisy: NDArray[np.float32], restored: NDArray[np.float32], noise: Noise
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The residual in standard deviations of the noise, 0 in saturated pixels, and these."""
    deviation = np.sqrt(noise.variance(restored)).astype(np.float32)
    taken = (noisy - restored) / deviation
    if noise.saturation is not None:
        taken[noisy >= noise.saturation] = 0
    return taken, deviation


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
    noisy, restored, there = _looked_at(noisy, restored, noise)
    taken = (noisy - restored) / np.sqrt(noise.variance(restored))
    levels = [gaussian_filter(taken, scale) for scale in (1, 2, 4)]
    fine, coarse = ((larger - smaller)[there] for larger, smaller in pairwise(levels))
    # Few independent pixels are left at the coarse scale: their moments vary more.
    skew, kurtosis = _skew_and_kurtosis(fine)
    if kurtosis < -_EVEN:
        return Shape.DENSE
    coarse_skew, coarse_kurtosis = _skew_and_kurtosis(coarse)
    skewed = max(abs(skew), abs(coarse_skew)) > _SKEW
    if skewed or kurtosis > _KURTOSIS or coarse_kurtosis > _COARSE_KURTOSIS:
        return Shape.SPARSE
    return Shape.NOISE


def _looked_at(
    noisy: NDArray[np.float32], restored: NDArray[np.float32], noise: Noise
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """The middle of both images, and which of its pixels are not saturated."""
    place = middle(noisy.shape, _LOOK)
    noisy, restored = noisy[place], restored[place]
    there = np.ones(noisy.shape, dtype=bool)
    if noise.saturation is not None:
        there = noisy < noise.saturation
    return noisy, restored, there


def _skew_and_kurtosis(values: NDArray[np.float32]) -> tuple[float, float]:
    """Both are 0 for a normal distribution, and NaN for values that are all the same."""
    # scipy.stats has them as well, but takes most of a second to load.
    centred = values - values.mean(dtype=np.float64)
    square = centred * centred
    variance = square.mean()
    with np.errstate(divide="ignore", invalid="ignore"):
        skew = (square * centred).mean() / variance**1.5
        kurtosis = (square * square).mean() / variance**2 - 3
    return float(skew), float(kurtosis)


def alike(removed: NDArray, kept: NDArray, there: NDArray[np.bool_]) -> float:
    """Correlation of the fine detail that a filter removed with that which it kept.

    Noise does not depend on the structure beside it, so both are hardly correlated. They are if the
    filter splits one thing in two.

    Parameters
    ----------
    removed, kept : numpy.ndarray
        Shape (row, col), of a stabilised plane.
    there : numpy.ndarray
        Pixels that count, bool (row, col).

    Returns
    -------
    float
        -1 to 1; 0 where one of both is constant.
    """
    detail = [(image - gaussian_filter(image, 1))[there] for image in (removed, kept)]
    if not there.any() or min(float(np.ptp(d)) for d in detail) == 0:
        return 0.0
    return float(np.corrcoef(detail[0], detail[1])[0, 1])


def evenness(removed: NDArray, there: NDArray[np.bool_]) -> float:
    """How much more even than noise a residual is: its negative kurtosis at 1 to 2 pixels.

    Parameters
    ----------
    removed, there : numpy.ndarray
        As :func:`alike` takes them.

    Returns
    -------
    float
        0 to 2; 0 for a residual that is as peaked as noise, or more.
    """
    fine = gaussian_filter(removed, 2) - gaussian_filter(removed, 1)
    kurtosis = _skew_and_kurtosis(fine[there])[1] if there.any() else 0.0
    return max(-kurtosis, 0.0) if np.isfinite(kurtosis) else 0.0


def _compare_away_from_structure(
    strength: NDArray[np.float32],
    restored: NDArray[np.float32],
    noise: Noise,
    window: int,
    d: int,
) -> None:
    """Divide `strength` by its value at each brightness where there is least structure."""
    detail, brightness = np.empty_like(strength), np.empty_like(strength)
    # A Gaussian of scipy ends four deviations away.
    for rows, around, inside in _strips(restored.shape, window // 2 + 8 * d + 1):
        part = restored[around]
        fine = (part - gaussian_filter(part, 2 * d)) / np.sqrt(noise.variance(part))
        detail[rows] = uniform_filter((fine * fine).astype(np.float32), window)[inside]
        brightness[rows] = gaussian_filter(part, d)[inside]
    edges = np.quantile(brightness[::2, ::2], np.linspace(0, 1, _BINS + 1)[1:-1])
    place = np.empty(strength.shape, dtype=np.uint8)
    for rows, _, _ in _strips(strength.shape, 0):
        place[rows] = np.searchsorted(edges, brightness[rows])
    usual = np.ones(_BINS, dtype=np.float32)
    for number in range(_BINS):
        here = place == number
        if here.any():
            details = detail[here]
            smooth = details <= np.quantile(details, _SMOOTH)
            usual[number] = np.median(strength[here][smooth])
    usual = usual.clip(1, _UP_TO)
    for rows, around, inside in _strips(strength.shape, window // 2):
        strength[rows] /= uniform_filter(usual[place[around]], window)[inside]

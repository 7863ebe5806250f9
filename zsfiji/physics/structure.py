"""What was taken out of an image, checked for structure by what noise never does.

The checks do not ask the model that took it out. Noise depends on brightness alone: at the same
brightness it is no stronger beside structure than away from it. And noise is symmetric and close to
normal once it is stabilised, whatever filter it went through.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter
from scipy.stats import kurtosis, skew

from zsfiji.physics.middle import middle
from zsfiji.physics.noise import Noise

WINDOW = 13
"""Edge of the windows that the strength of white noise is measured in, in pixels: its mean square
varies by a ninth between them."""

_WINDOW_CORRELATED = 9
"""The same for correlated noise, in units of its working resolution."""

_WHITE, _CORRELATED = (1.25, 1.6), (1.5, 2.0)
"""Strength, in units of the noise's, from which on structure is put back, and from which on as much
as makes the least error: two and five standard deviations. A window has fewer independent pixels of
correlated noise."""

_BINS = 12
"""Bins of brightness. Not tuned."""

_SMOOTH = 0.3
"""Share of the places of each brightness that have the least structure around them."""

_UP_TO = 3.0
"""Times that correlated noise may be stronger than it was measured."""

_SKEW, _KURTOSIS = 0.25, 0.33
"""Of what is taken out of real and simulated correlated noise: up to 0.15 and 0.2."""

_EVEN = 0.24
"""Negative kurtosis from which on structure is everywhere; what is taken out of real captures has
up to 0.14."""

_COARSE_KURTOSIS = 0.5
"""The same at 2 to 4 pixels, where few independent values are left."""

_STRIP = 2**20
"""Pixels that are worked on at once: bounds the memory, no result depends on it."""

_LOOK = 512
"""Edge of the middle of a plane that is judged."""


def put_back(
    noisy: NDArray[np.float32], restored: NDArray[np.float32], noise: Noise, d: int = 1
) -> tuple[NDArray[np.float32], float]:
    """Take less out where what was taken out is stronger than noise.

    Where noise of variance n and structure of variance s were taken out, giving back the share
    ``s / (n + s)`` of it makes the least error, ``n s / (n + s)``: less than that of either image.

    Parameters
    ----------
    noisy, restored : numpy.ndarray
        float32 (row, col), in the unit of the image.
    noise : Noise
        The noise of `noisy`. White noise is believed; correlated noise is compared with what was
        taken out where there is least structure.
    d : int
        Working resolution in pixels.

    Returns
    -------
    restored : numpy.ndarray
        float32 (row, col).
    share : float
        Share of the pixels where there was structure beyond doubt.
    """
    if noise.floor == 0:
        return restored, 0.0
    window = WINDOW if noise.white else (_WINDOW_CORRELATED * d) | 1
    strength = np.empty(restored.shape, dtype=np.float32)
    for rows, around, inside in _strips(restored.shape, window // 2):
        taken, _ = _taken(noisy[around], restored[around], noise)
        strength[rows] = uniform_filter(taken * taken, window)[inside]
    if not noise.white:
        _compare_away_from_structure(strength, restored, noise, window, d)
    more, much_more = _WHITE if noise.white else _CORRELATED
    spared = np.empty(restored.shape, dtype=np.float32)
    for rows, _, _ in _strips(restored.shape, 0):
        taken, deviation = _taken(noisy[rows], restored[rows], noise)
        share = np.clip((strength[rows] - more) / (much_more - more), 0, 1)
        share *= 1 - 1 / np.maximum(strength[rows], 1)
        spared[rows] = restored[rows] + share * taken * deviation
    return spared, float(np.mean(strength > much_more))


def _strips(shape: tuple[int, ...], margin: int) -> Iterator[tuple[slice, slice, slice]]:
    """Rows of a plane, some at a time: those rows, with `margin` more, and where they are there.

    The arrays that the checks need would otherwise take several times the memory of the plane.
    """
    number = max(1, _STRIP // shape[1])
    for first in range(0, shape[0], number):
        last = min(first + number, shape[0])
        start = max(first - margin, 0)
        around = slice(start, min(last + margin, shape[0]))
        yield slice(first, last), around, slice(first - start, last - start)


def _taken(
    noisy: NDArray[np.float32], restored: NDArray[np.float32], noise: Noise
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What was taken out, in standard deviations of the noise, and these; 0 in saturated pixels."""
    deviation = np.sqrt(noise.variance(restored)).astype(np.float32)
    taken = (noisy - restored) / deviation
    if noise.saturation is not None:
        taken[noisy >= noise.saturation] = 0
    return taken, deviation


class Shape(Enum):
    """What the values of something that was taken out look like, beside those of noise."""

    NOISE = "noise"
    SPARSE = "sparse"
    DENSE = "dense"


def shape(noisy: NDArray[np.float32], restored: NDArray[np.float32], noise: Noise) -> Shape:
    """Tell whether what was taken out is too skewed, too peaked or too even for noise.

    Parameters
    ----------
    noisy, restored : numpy.ndarray
        float32 (row, col), in the unit of the image. Big planes are judged by their middle.
    noise : Noise
        The noise of `noisy`.

    Returns
    -------
    Shape
        DENSE for values that are too even, which structure in every place has; SPARSE for others
        that noise has not.
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


def _compare_away_from_structure(
    strength: NDArray[np.float32],
    restored: NDArray[np.float32],
    noise: Noise,
    window: int,
    d: int,
) -> None:
    """Divide `strength` by what it is at each brightness where there is least structure."""
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

"""Two-line resolution: how close two lines may be and still be seen as two, as they are.

Fourier ring correlation says up to which frequency an image agrees with the truth on the whole; it
says little about two lines side by side. Here each pair of lines is looked at by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from zsfiji.physics.specimens import LinePair

DIP = 0.1
"""Least depth of the dip between two lines, relative to the weaker of them above the background. A
camera image of two lines at the limit of Rayleigh has 0.19."""

WEAKER = 0.3
"""Least brightness of the weaker of two lines, relative to the stronger. The true
ones are equal."""

AGREES = 0.25
"""Largest error of the distance that is found, relative to the true one, for a pair that counts."""

ENOUGH = 0.75
"""Share of the pairs of a distance that have to be resolved."""

_REACH = 250.0
"""Nanometres on either side of the lines that the profile has. Not tuned."""

_MIDDLE = 0.7
"""Share of the length of a pair over which the profile is the mean: without its ends."""

_STEP = 5.0
"""Distance in nm between the points of a profile. Not tuned."""


@dataclass(frozen=True)
class Seen:
    """What an image shows of a pair.

    Attributes
    ----------
    distance : float
        The true distance in nm; 0 for a single line.
    resolved : bool
        Whether the two lines are seen, at the true distance; of a single line whether it was split.
    """

    distance: float
    resolved: bool


def look(image: NDArray, pairs: Iterable[LinePair], pixel: float) -> list[Seen]:
    """Look at each pair of lines in an image.

    The profile across a pair is the mean along the middle 70 % of its length. A pair is resolved if
    the profile has two maxima, the lower one at least :data:`WEAKER` of the higher one, with a dip
    between them of at least :data:`DIP` of the lower one, and a distance that agrees with the true
    one within :data:`AGREES`. Brightness is counted above the minimum of the profile. A single line
    with two such maxima was split: it counts against the image.

    Parameters
    ----------
    image : numpy.ndarray
        Shape (row, col).
    pairs : iterable of LinePair
        The pairs.
    pixel : float
        Size of a pixel in nm.

    Returns
    -------
    list of Seen
        Of the pairs whose profile lies inside the image.
    """
    found = []
    for pair in pairs:
        profile = _profile(np.asarray(image, dtype=np.float64), pair, pixel)
        if profile is None:
            continue
        distance = _distance(profile)
        resolved = distance > 0
        if pair.distance > 0:
            resolved = resolved and abs(distance - pair.distance) <= AGREES * pair.distance
        found.append(Seen(pair.distance, resolved))
    return found


def two_line_resolution(seen: Sequence[Seen]) -> float:
    """Give the smallest distance at which lines are seen as two, and at all larger ones.

    Parameters
    ----------
    seen : sequence of Seen
        What :func:`look` found, of one image or of several.

    Returns
    -------
    float
        In nm; infinite if not even the pairs of the largest distance are resolved.
    """
    best = float("inf")
    for distance in sorted({s.distance for s in seen if s.distance > 0}, reverse=True):
        if np.mean([s.resolved for s in seen if s.distance == distance]) < ENOUGH:
            break
        best = distance
    return best


def split(seen: Sequence[Seen]) -> float:
    """Share of the single lines that an image shows as two; NaN without single lines."""
    single = [s.resolved for s in seen if s.distance == 0]
    return float(np.mean(single)) if single else float("nan")


def _profile(image: NDArray, pair: LinePair, pixel: float) -> NDArray | None:
    """Mean profile across a pair, in steps of 5 nm; None if it does not lie in the image."""
    half = pair.distance / 2 + _REACH
    across = np.arange(-half, half + _STEP, _STEP)
    along = np.arange(-0.5, 0.51, 0.05) * pair.length * _MIDDLE
    middle = np.array([pair.row, pair.col])
    places = middle + across[:, None, None] * pair.across + along[None, :, None] * pair.along
    index = np.moveaxis(places / pixel - 0.5, -1, 0)
    limits = np.array(image.shape)[:, None, None] - 1
    if (index < 0).any() or (index > limits).any():
        return None
    return map_coordinates(image, index, order=3, mode="nearest").mean(1)


def _distance(profile: NDArray) -> float:
    """Distance in nm of the two maxima with a dip between them; 0 if there are none."""
    inner = profile[1:-1]
    tops = 1 + np.flatnonzero((inner > profile[:-2]) & (inner >= profile[2:]))
    if len(tops) < 2:
        return 0.0
    first = tops[np.argmax(profile[tops])]
    base = profile.min()
    best, found = WEAKER * (profile[first] - base), 0.0
    for top in tops[tops != first]:
        low, high = sorted((first, top))
        height = profile[top] - base
        dip = profile[top] - profile[low : high + 1].min()
        if height > best and dip >= DIP * height:
            best, found = height, (high - low) * _STEP
    return found

"""Centre of a spot, to a fraction of a pixel, and its width."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def peak(values: NDArray[np.floating]) -> tuple[int, ...]:
    """The brightest pixel after a slight smoothing, so that noise does not choose it."""
    smooth = ndimage.gaussian_filter(np.asarray(values, dtype=np.float64), 1.0, mode="nearest")
    return tuple(int(i) for i in np.unravel_index(int(smooth.argmax()), smooth.shape))


def width_at_half(profile: NDArray[np.floating], middle: float) -> float:
    """Full width at half maximum of a peak in a profile, in samples.

    Parameters
    ----------
    profile : numpy.ndarray
        Values along a line; zero is the background.
    middle : float
        Position of the peak; the value there is the maximum that is halved.

    Returns
    -------
    float
        Distance between the two crossings of half the maximum, found on a cubic spline. If a side
        does not fall to half, it counts up to the end of the profile.
    """
    fine = 32
    where = np.arange((len(profile) - 1) * fine + 1) / fine
    spline = ndimage.spline_filter(np.asarray(profile, dtype=np.float64), order=3, mode="mirror")

    def at(positions: NDArray[np.float64]) -> NDArray[np.float64]:
        return ndimage.map_coordinates(spline, [positions], order=3, mode="mirror", prefilter=False)

    curve = at(where)
    half = at(np.array([middle]))[0] / 2
    below = curve < half
    right = np.flatnonzero(below & (where > middle))
    left = np.flatnonzero(below & (where < middle))
    end = where[-1] if right.size == 0 else _crossing(where, curve, half, int(right[0]) - 1)
    start = where[0] if left.size == 0 else _crossing(where, curve, half, int(left[-1]))
    return float(end - start)


def _crossing(
    where: NDArray[np.float64], curve: NDArray[np.float64], half: float, index: int
) -> float:
    step = curve[index + 1] - curve[index]
    return float(where[index] + (where[1] - where[0]) * (half - curve[index]) / step)


def widths(values: NDArray[np.floating], middle: Sequence[float]) -> tuple[float, ...]:
    """Full widths at half maximum, in pixels, of the lines along each axis through `middle`."""
    result = []
    for axis, position in enumerate(middle):
        line = tuple(slice(None) if a == axis else round(m) for a, m in enumerate(middle))
        result.append(width_at_half(np.asarray(values)[line], position))
    return tuple(result)


def spot_centre(
    values: NDArray[np.floating], start: Sequence[float], widths: Sequence[float]
) -> tuple[float, ...]:
    """Centre of a spot: the fixed point of the centroid under a Gaussian window.

    The window keeps distant noise out of the centroid. It moves with the spot, so that the centre
    of a symmetric spot has no bias. Negative values are noise, and count too.

    Parameters
    ----------
    values : numpy.ndarray
        The spot, its background subtracted.
    start : sequence of float
        First guess, within about a width.
    widths : sequence of float
        Full widths at half maximum of the window, in pixels.

    Returns
    -------
    tuple of float
        Position in pixels along each axis.
    """
    array = np.asarray(values, dtype=np.float64)
    sigma = np.maximum(np.asarray(widths, dtype=np.float64) / 2.355, 0.7)
    at = np.asarray(start, dtype=np.float64)
    for _ in range(50):
        # Only the part inside the window is used: bead images are large.
        low = np.clip(np.floor(at - 4 * sigma).astype(int), 0, None)
        high = np.minimum(np.ceil(at + 4 * sigma).astype(int) + 1, array.shape)
        if np.any(high <= low):
            break
        part = array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
        offsets = [np.arange(a, b) - c for a, b, c in zip(low, high, at, strict=True)]
        for axis, (offset, s) in enumerate(zip(offsets, sigma, strict=True)):
            window = np.exp(-0.5 * (offset / s) ** 2)
            part = part * window.reshape([-1 if a == axis else 1 for a in range(array.ndim)])
        total = part.sum()
        if total <= 0:
            break
        move = np.array(
            [
                (part.sum(axis=tuple(b for b in range(array.ndim) if b != a)) @ offsets[a]) / total
                for a in range(array.ndim)
            ]
        )
        # For a spot as wide as its window, the centroid moves half of the distance.
        step = np.clip(2 * move, -sigma, sigma)
        at = np.clip(at + step, 0, np.asarray(array.shape) - 1.0)
        if np.abs(step).max() < 1e-4:
            break
    return tuple(float(a) for a in at)

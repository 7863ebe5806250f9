"""Spectra of noise that a filter has correlated: after resampling, demosaicing or smoothing.

A bank of filters, from which the one is chosen whose spectrum agrees with the smoothest blocks.
Structure can add power at some frequencies, but never take it away. The bank and the limits are
those of a prototype, tuned by hand on simulated captures (see :mod:`.corner`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from zsfiji.physics.noise import dct_spectrum

SIZE = 8
"""Edge of the blocks in pixels, as in the prototype; other sizes were not tried."""

ROWS, COLS = np.indices((SIZE, SIZE))
LOWER, HIGHER = np.minimum(ROWS, COLS), np.maximum(ROWS, COLS)
SQUARE = ROWS**2 + COLS**2
"""Squared radial frequency of the coefficients, in DCT indices."""

OUTERMOST = LOWER >= 6
"""Coefficients nearest to the corner."""

MIDDLE = (SQUARE >= 10) & (SQUARE <= 28)
"""Coefficients where correlated noise has most of its power, except for the lowest frequencies."""

_GRID = 64
"""Samples of the filters' transfer functions: enough for lags of up to 7 pixels. Not tuned."""

_ROUND = np.arange(0.4, 1.31, 0.1)
"""Lengths of the round filters in pixels. Not tuned."""

_CORNER = LOWER >= 5
"""Coefficients that :func:`fit_round` uses. Its constants were found on simulated captures of dense
structure, each with white noise and with the noise of a round filter (320 pairs), and on bright
specimens at NA 1.4."""

_NOT_WHITE = 4.0
"""Variance of the logarithms of the corner's power, in squared errors, below which it may be
flat."""

_STILL_FALLS = 2.15
"""Least exponent of the fall with frequency, mean of the corner and its outermost part. White noise
with dense structure had up to 2.1, except in one capture of 160; filtered noise 2.2 or more."""

_STEADY = ((0.62, 2.2), (0.95, 6.0))
"""Least ratio of the exponents (outermost part over corner), and the largest mean squared misfit,
in squared errors, that is allowed with it. With white noise the power of bright structure falls
more and more steeply: ratios of 0.2 to 0.7, with misfits of 2.5 to 22."""

_ONLY_ADDS = 0.55
"""Least power at middle frequencies in the cleanest part of the image, relative to the filter's.
Less than 1 because both have errors."""

EXPLAINED = 0.6
"""Least share of the frequencies that have to agree with a filter, to use its noise."""

_ALIKE = 0.45
"""How much worse the fit of another filter may be: two standard errors of nine coefficients."""

_CAPS = ((6, 20.0), (5, 8.0), (0, 2.5))
"""(lower index, cost) pairs: how much one frequency with structure may add to the loss. Structure
becomes weaker towards the corner. From the prototype."""


@dataclass(frozen=True)
class Filtered:
    """The spectrum of the bank that agrees best with what was measured.

    Attributes
    ----------
    spectrum : numpy.ndarray
        Its power, mean 1, shape (8, 8).
    level : float
        The factor that fits it to the measured power.
    rounding : float
        Variance of the rounding, which is not filtered.
    agreed : numpy.ndarray
        The frequencies that agree, bool (8, 8).
    asked : numpy.ndarray
        The frequencies that could be compared, bool (8, 8).
    """

    spectrum: NDArray[np.float64]
    level: float
    rounding: float
    agreed: NDArray[np.bool_]
    asked: NDArray[np.bool_]

    @property
    def agreement(self) -> float:
        """Share of the compared frequencies that agree."""
        return float((self.agreed & self.asked).sum() / self.asked.sum())

    @property
    def model(self) -> NDArray[np.float64]:
        """The power that was fitted, shape (8, 8)."""
        return self.level * self.spectrum + self.rounding


@lru_cache(None)
def bank() -> NDArray[np.float64]:
    """DCT spectra of filtered noise, leakage between coefficients included: (filters, 8, 8).

    Gaussian blurs and linear interpolations, with different strengths along rows and columns;
    interpolation by half a pixel with a blur; and round filters, which are not separable.
    """
    f = np.fft.fftfreq(_GRID)

    def blur(sigma: float) -> NDArray:
        return np.exp(-((2 * np.pi * sigma * f) ** 2))

    def shift(part: float) -> NDArray:
        return 1 - 4 * part * (1 - part) * np.sin(np.pi * f) ** 2

    families = [
        [blur(s) for s in np.arange(0.15, 1.41, 0.05)],
        [shift(d) for d in np.arange(0.05, 0.51, 0.05)],
        [shift(0.5) * blur(s) for s in (0.2, 0.3, 0.4, 0.5, 0.6, 0.8)],
    ]
    powers = [np.outer(p, q) for family in families for p in family for q in family]
    radius = 2 * np.pi * np.hypot(f[:, None], f)
    powers += [(1 + (radius * a) ** 2) ** -2.0 for a in _ROUND]
    lags = np.arange(1 - SIZE, SIZE)
    spectra = []
    for power in powers:
        spectra.append(dct_spectrum(np.fft.ifft2(power).real[np.ix_(lags, lags)]))
    return np.array(spectra)


def fit(power: NDArray[np.float64], rounding: float, blocks: float) -> Filtered:
    """Find the filter whose spectrum agrees with most frequencies.

    Parameters
    ----------
    power : numpy.ndarray
        Measured noise power of the coefficients of smooth blocks, shape (8, 8).
    rounding : float
        Variance of the rounding to whole grey levels; 0 where there is none.
    blocks : float
        Number of independent blocks it was measured in.

    Returns
    -------
    Filtered
        The best of the bank.
    """
    spectra = bank()
    measured = np.log(np.maximum(power, 1e-9 * max(power.max(), 1e-9)))
    error = _error(blocks)
    usable = (SQUARE >= 10) & (power > 0.2 * rounding)
    cap = np.select([least <= LOWER for least, _ in _CAPS], [c for _, c in _CAPS])[usable]
    best = (np.inf, 0, float(np.maximum(power.mean() - rounding, 1e-9)))
    # At least one frequency has only noise; it gives the level.
    anchors = np.argwhere((SQUARE >= 20) & usable & (power > 1.3 * rounding))
    for row, col in anchors:
        level = np.maximum(power[row, col] - rounding, 1e-9) / spectra[:, row, col]
        z = measured[usable] - np.log(level[:, None] * spectra[:, usable] + rounding)
        z /= error
        above = np.minimum(z * z / 2, cap + 0.3 * np.log1p(np.maximum(z, 0)))
        loss = np.where(z > 0, above, np.minimum(z * z / 2, 8 - 4 * z)).sum(1)
        least = int(loss.argmin())
        if loss[least] < best[0]:
            best = (float(loss[least]), least, float(level[least]))
    spectrum, level_found = spectra[best[1]], best[2]
    model = level_found * spectrum + rounding
    agreed = usable & (np.abs(measured - np.log(model)) < 2.5 * error)
    return Filtered(spectrum, level_found, rounding, agreed, _told(model, rounding))


def fit_round(
    power: NDArray[np.float64], rounding: float, blocks: float, cleanest: float
) -> Filtered | None:
    """Find a round filter from the corner, if structure hides the noise at all other frequencies.

    Towards the corner the power of a round filter keeps falling with the same exponent. That of
    structure falls more and more steeply, and ends in white noise. And because structure only adds
    power, no frequency has less power than the filter leaves.

    Parameters
    ----------
    power, rounding, blocks
        As :func:`fit` takes them.
    cleanest : float
        Power of :data:`MIDDLE` over that of the corner, where the image has least structure.

    Returns
    -------
    Filtered or None
        The filter; None if the corner does not show one.
    """
    spectra = bank()[-len(_ROUND) :]
    inner = np.maximum(power - rounding, 1e-3 * power)
    levels = np.exp(np.log(inner[_CORNER] / spectra[:, _CORNER]).mean(1))
    models = levels[:, None, None] * spectra + rounding
    measured = np.log(power[_CORNER])
    error = _error(blocks)
    off = (measured - np.log(models[:, _CORNER])) / error
    misfit = (off**2).mean(1)
    if np.var(measured) < _NOT_WHITE * error**2:
        return None
    outermost, corner = (
        -np.polyfit(np.log(SQUARE[there]) / 2, np.log(inner[there]), 1)[0]
        for there in (OUTERMOST, _CORNER)
    )
    if outermost + corner < 2 * _STILL_FALLS:
        return None
    best = int(misfit.argmin())
    middle = models[best][MIDDLE].mean() / models[best][OUTERMOST].mean()
    if cleanest < _ONLY_ADDS * middle:
        return None
    steady = outermost / corner
    if not any(steady > least and misfit[best] < most for least, most in _STEADY):
        return None
    # Filters that are similar in the corner differ elsewhere: take the one with the least noise.
    chosen = int((misfit <= misfit[best] + _ALIKE * max(misfit[best], 1)).argmax())
    agreed = np.zeros_like(_CORNER)
    agreed[_CORNER] = np.abs(off[chosen]) < 2.5
    return Filtered(spectra[chosen], float(levels[chosen]), rounding, agreed, _CORNER)


def _error(blocks: float) -> float:
    """Standard error of the logarithm of a median power; 5 % for filters not in the bank."""
    return float(np.sqrt(2.7 / max(blocks, 1) + 0.05**2))


def _told(model: NDArray, rounding: float) -> NDArray[np.bool_]:
    """The frequencies at which the noise is stronger than that of the rounding."""
    for times in (2.0, 1.2):
        chosen = (model > times * rounding) & (SQUARE >= 10)
        if chosen.sum() >= 8:
            return chosen
    return SQUARE >= 10

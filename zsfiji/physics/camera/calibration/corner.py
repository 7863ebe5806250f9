"""The noise at the frequencies that optics pass least.

Along the diagonals of the pixel grid frequencies go up to 0.71 cycles per pixel, where hardly any
microscope has contrast: the corner of the DCT. White noise has its full power there. At each
brightness, lower frequencies are used as well, as far as they agree with the corner. Noise whose
power falls towards the corner, in a way that a filter explains, is called correlated.

The constants were tuned by hand on simulated captures (benchmarks/captures.py, seeds below 1000;
`_AGREEMENT` also on 5000 to 5279) and on a prototype's set of the same kind. So were the limits
inside the functions, the formula of the confidence among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zsfiji import progress
from zsfiji.physics.camera.calibration import filters
from zsfiji.physics.camera.calibration.bins import Bins, line
from zsfiji.physics.camera.calibration.blocks import Blocks, blocks
from zsfiji.physics.camera.calibration.filters import (
    EXPLAINED,
    HIGHER,
    LOWER,
    MIDDLE,
    OUTERMOST,
    SIZE,
    SQUARE,
    Filtered,
)
from zsfiji.physics.noise import Noise, no_noise

GROUPS = (
    OUTERMOST,
    LOWER == 5,
    LOWER == 4,
    (LOWER >= 2) & (LOWER < 4) & (HIGHER >= 6),
    (LOWER < 2) & (HIGHER >= 6),
)
"""Coefficients in groups, from the corner to lower frequencies, which optics pass more of."""

_MOST_BLOCKS = 16_500
"""Blocks of all planes: more make no difference, and take time."""

_ENOUGH_BLOCKS = 400
"""Blocks below which the confidence falls."""

_FEWEST_BLOCKS = 2
"""With fewer blocks there is nothing to measure. Not tuned."""

_KEPT = 0.5
"""Share of the blocks of a bin that are taken to be free of structure in the corner. In the
prototype the lowest 20 % and all blocks were both worse."""

_KEPT_DIM = 0.95
"""The same for pixels with about one photon; see :data:`_DIM`."""

_DIM = 0.2
"""Square of the gain over the variance, above which a pixel has about one photon. The smoothest
blocks would be those that few photons have hit, so nearly all blocks are kept there."""

_OVERLAP = 2.5
"""Number of overlapping blocks that count as one independent block."""

_UNEVEN, _UNEVEN_MOST = 0.15, 4.0
"""How much the number of independent coefficients falls in a block of uneven brightness."""

_EXTRAPOLATED = 0.45
"""Share of the structure extrapolated from lower frequencies that is subtracted in the corner."""

_AGREE, _AGREE_ERRORS = 0.04, 1.5
"""How far above the corner another group may lie to be used: a share, or standard errors."""

_ROUNDING = 1 / 12
"""Variance of rounding to whole numbers."""

_NEAR = 4.0
"""Standard deviations below the saturation value at which blocks are not affected by it."""

_MIDDLE_ASKED = 1.6
"""Power of the middle over the corner, above which a filter is searched for."""

_MIDDLE_ALONE = 1.8
"""The same for noise that is correlated by the shape of the corner alone."""

_AGREEMENT = 0.92
"""Share of the frequencies that have to agree with a filter; white noise below structure reached
0.89, but for one capture in 440."""

_STEEP = 1.6
"""Least ratio of that filter's power in the middle to that in the corner."""

_PLAIN = 3.0
"""The same ratio, below which the filter is so faint that structure may have caused it: the
confidence is less. Filtered noise of simulated captures had 6 or more, and the one white noise in
286 that was called correlated and wrong by more than a factor of 1.5 had 1.66."""

_SHAPE, _SEPARABLE = 0.74, 0.1
"""Fall inside the corner, on a logarithmic scale, above which noise is correlated; and the weight
of the correction for structure at low frequencies."""

_EXTRAPOLATED_MARGIN = 0.15
"""Margin for a filter that only the corner shows: its effect on lower frequencies is not certain.
Chosen for a confidence below 0.4."""

_CLEAN = 0.34
"""Share of the bins that are the cleanest."""

_PHOTONS = 8.0
"""Squared contrast over the variance of the noise, below which the noise would hide the image."""

_FALL = 0.7
"""Share of the expected variance, below which bright bins have lost noise in the detector."""

_ON_LINE, _MOST_ON_LINE = 0.2, 0.85
"""Largest relative distance of the darker bins from a line, and the share of them within it."""

_FALLEN, _BEFORE_FALL = 5, 10
"""Most bins that may have lost noise, and least number of darker bins."""

_MEDIAN_OF_CHI2 = 0.4549
"""Median of the chi-squared distribution with one degree of freedom."""


@dataclass(frozen=True)
class Found:
    """Result of the measurement in the corner.

    Attributes
    ----------
    noise : Noise
        The noise, with its confidence.
    least : Noise
        White noise with the power found in the corner: a lower limit of the noise.
    agreement : float
        Share of the frequencies that agree with a filter of the bank; 1 for white noise, and where
        the corner alone decides.
    """

    noise: Noise
    least: Noise
    agreement: float = 1.0


@dataclass(frozen=True)
class _Line:
    """The line of variance over brightness, and how it was found."""

    gain: float
    intercept: float
    error: float
    corner: tuple[float, float]
    by_group: NDArray[np.float64]
    extrapolated: float
    above: float


def measure(planes: Sequence[np.ndarray], saturation: float | None) -> Found:
    """Measure the noise from the corner of the DCT outwards.

    Parameters
    ----------
    planes : sequence of numpy.ndarray
        Shapes (row, col), at least 8 pixels each way, any unit and scale, finite.
    saturation : float or None
        The value at which pixels are cut off.

    Returns
    -------
    Found
        The noise.
    """
    taken = blocks(planes, SIZE, apart=4, most=_MOST_BLOCKS, saturation=saturation, fewest=64)
    progress.stop_if_cancelled()
    # Constant blocks say nothing about noise: they were clipped or masked.
    taken = taken.where(np.asarray(taken.energy[:, SQUARE >= 10].any(1)))
    if len(taken) < _FEWEST_BLOCKS:
        return Found(no_noise(SIZE), no_noise(SIZE))
    whole = all(np.array_equal(p[::3], np.rint(p[::3])) for p in planes)
    rounding = _ROUNDING if whole else 0.0
    bins = Bins(taken.mean)
    first = bins.lowest(_power(taken, GROUPS[0]), GROUPS[0].sum(), _KEPT)
    floor = max(float(np.median(first)) * 1e-2, 1e-12)
    share = taken.uncut
    if saturation is not None:
        taken, share = _far_from(saturation, taken, float(first[: len(bins) // 3 + 1].max()))
        bins = Bins(taken.mean)
        first = bins.lowest(_power(taken, GROUPS[0]), GROUPS[0].sum(), _KEPT)
    kept = _below_fall(bins.mean, first, _error(bins, GROUPS[0].sum()), floor)
    if kept < len(bins):
        taken = taken.where(bins.place < kept)
        bins = Bins(taken.mean)
        first = bins.lowest(_power(taken, GROUPS[0]), GROUPS[0].sum(), _KEPT)
    gain, intercept, _ = line(bins.mean, first, _error(bins, GROUPS[0].sum()), floor)
    share *= min(1.0, len(taken) / _ENOUGH_BLOCKS)

    progress.stop_if_cancelled()
    energies = [_power(taken, group) for group in GROUPS]
    counts = [int(group.sum()) for group in GROUPS]
    fitted = _outwards(energies, counts, bins, taken, gain, intercept, floor)
    corner_gain, corner_intercept = fitted.corner
    unit = np.maximum(corner_gain * taken.mean + corner_intercept, floor)
    ratio = bins.lowest(_power(taken, MIDDLE) / unit, MIDDLE.sum(), 0.1)
    margin = 3.0
    middle = float(np.quantile(ratio, 0.1))
    only_rounding = bool(rounding) and float(np.median(fitted.by_group[0])) < 1.5 * _ROUNDING
    flat = np.ones((SIZE, SIZE))
    least = Noise(corner_gain, corner_intercept, floor, flat, True, confidence=0.0)
    if middle > _MIDDLE_ASKED:
        progress.stop_if_cancelled()
        power, smooth = _smooth_power(taken, bins, ratio, middle, floor)
        found = filters.fit(power, rounding, smooth / _OVERLAP)
        correlated, margin = _correlated(power, rounding, found, middle, only_rounding)
        agreement = found.agreement
        if not correlated or agreement < EXPLAINED:
            below = filters.fit_round(power, rounding, smooth / _OVERLAP, float(ratio.min()))
            if below is not None:
                correlated, margin, agreement = True, _EXTRAPOLATED_MARGIN, 1.0
                found = below
        if correlated:
            sure = share * min(1.0, margin / 0.4)
            noise = _filtered(found, taken, bins, ratio, middle, sure)
            return Found(noise, least, agreement)
    if only_rounding:
        # For noise below half a grey level the model of rounding does not hold.
        share *= 0.4
    confidence = share * min(1.0, margin / 0.4) * (1 - fitted.above)
    confidence /= 1 + (fitted.extrapolated / 0.15) ** 2
    white = Noise(fitted.gain, fitted.intercept, floor, flat, True, confidence=float(confidence))
    return Found(white, least)


def _power(taken: Blocks, group: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean energy of one group of coefficients in each block."""
    return taken.energy[:, group].mean(1, dtype=np.float64)


def _error(bins: Bins, coefficients: NDArray | float) -> NDArray[np.float64]:
    """Relative standard error of the variance of each bin."""
    return np.sqrt(2 * 1.4 * _OVERLAP / (coefficients * bins.count)) + 0.01


def _below_fall(
    x: NDArray[np.float64], v: NDArray[np.float64], error: NDArray[np.float64], floor: float
) -> int:
    """Number of bins below the brightness at which a soft saturation reduces the noise.

    Shot noise grows with brightness, and structure only adds to it. If the brightest bins have far
    less noise than a line through all others predicts, and the others agree with the line, the
    detector or a display curve has compressed the brightest pixels.

    Parameters
    ----------
    x, v, error : numpy.ndarray
        Brightness, variance and its relative standard error of each bin, the darkest first.
    floor : float
        Lower limit of the variance.
    """
    for kept in range(len(x) - 1, max(len(x) - _FALLEN, _BEFORE_FALL) - 1, -1):
        gain, intercept, _ = line(x[:kept], v[:kept], error[:kept], floor)
        expected = np.maximum(gain * x + intercept, floor)
        ratio = v / expected
        near = np.abs(ratio[:kept] - 1) < np.maximum(_ON_LINE, 2.5 * error[:kept])
        if ratio[kept:].max() < _FALL and near.mean() > _MOST_ON_LINE and gain > 0:
            return kept
    return len(x)


def _far_from(saturation: float, taken: Blocks, variance: float) -> tuple[Blocks, float]:
    """Blocks well below saturation, and their share of all blocks, at most 1.

    Closer to it, blocks without saturated pixels are so by chance, and show too little noise. How
    close follows from the `variance` in the dark.
    """
    dark = taken.mean < saturation - _NEAR * variance**0.5
    share = taken.uncut
    least = min(max(round(0.3 * len(taken)), 64), len(taken))
    if dark.sum() < least:
        dark = taken.mean <= np.partition(taken.mean, least - 1)[least - 1]
        share *= 0.3
    return taken.where(dark), min(1.0, share / 0.4)


def _outwards(
    energies: Sequence[NDArray[np.float64]],
    counts: Sequence[int],
    bins: Bins,
    taken: Blocks,
    gain: float,
    intercept: float,
    floor: float,
) -> _Line:
    """Fit the variance to the first group of coefficients, and to others that agree with it.

    Parameters
    ----------
    energies : sequence of numpy.ndarray
        Energy of each group in each block, the most reliable group first.
    counts : sequence of int
        Coefficients in each group.
    bins : Bins
        The brightness of the blocks.
    taken : Blocks
        The blocks.
    gain, intercept, floor : float
        A first line.
    """
    x = bins.mean
    contrast = np.maximum(taken.energy.sum((1, 2), dtype=np.float64), 0) / (SIZE**2 - 1)
    weight = 1 / _error(bins, 4) ** 2
    corner, extrapolated, error = (gain, intercept), 0.0, np.inf
    joined = by_group = np.empty(0)
    for turn in range(3):
        unit = np.maximum(gain * taken.mean + intercept, floor)
        at = np.maximum(gain * x + intercept, floor)
        # In a block of uneven brightness, shot noise makes the coefficients depend on each other.
        excess = np.minimum(gain**2 * np.maximum(contrast - unit, 0) / unit**2, _UNEVEN_MOST)
        uneven = 1 + _UNEVEN * bins.average(excess)
        # A bin may span a wide range of brightness: blocks are compared in units of the line.
        low, most = (
            np.array(
                [
                    bins.lowest(energy / unit, count / uneven, share) * at
                    for energy, count in zip(energies, counts, strict=True)
                ]
            )
            for share in (_KEPT, _KEPT_DIM)
        )
        by_group = low
        if turn == 0:
            gain, intercept, _ = line(x, low[0], _error(bins, counts[0]), floor)
            continue
        used = np.where(gain**2 / at > _DIM, most, low)
        if len(used) > 2:
            base = np.maximum(used[0], floor)
            near, next_ = (float(np.average(used[k] / base, weights=weight)) - 1 for k in (1, 2))
            extrapolated = min(near**2 / next_, 0.6) if 0.1 < near < next_ else 0.0
        total = used[0] * counts[0] / (1 + _EXTRAPOLATED * extrapolated)
        number = np.full(len(x), float(counts[0]))
        corner = line(x, total / number, _error(bins, counts[0]), floor)[:2]
        base = np.maximum(corner[0] * x + corner[1], floor)
        open_ = np.ones(len(x), dtype=bool)
        for k in range(1, len(used)):
            ratio = used[k] / base
            around = np.median(
                np.stack([np.r_[ratio[:1], ratio[:-1]], ratio, np.r_[ratio[1:], ratio[-1:]]]), 0
            )
            expected = _error(bins, counts[k])
            agrees = open_ & (around < 1 + np.maximum(_AGREE, _AGREE_ERRORS * expected))
            agrees &= ratio < 1 + 2.5 * expected
            if k <= 2:
                # A group counts only where the groups nearer to the corner agreed.
                open_ = open_ & agrees
            total = total + np.where(agrees, used[k] * counts[k], 0)
            number = number + np.where(agrees, counts[k], 0)
        joined = total / number
        gain, intercept, error = line(x, joined, _error(bins, number / uneven), floor)
    fitted = np.maximum(gain * x + intercept, floor)
    above = float(np.mean(joined > 1.25 * fitted))
    return _Line(gain, intercept, error, corner, by_group, extrapolated, above)


def _smooth_power(
    taken: Blocks, bins: Bins, ratio: NDArray, middle: float, floor: float
) -> tuple[NDArray[np.float64], int]:
    """Power of the coefficients in the smoothest blocks of the cleanest bins, and their number."""
    outer = bins.lowest(_power(taken, (LOWER >= 2) & (HIGHER >= 5)), 24, _KEPT)
    reference = np.maximum(outer, floor)[bins.place]
    low = np.sort(taken.energy[:, (SQUARE > 0) & (SQUARE < 10)], 1)[:, :-1]
    texture = low.mean(1) / reference
    wide = np.log(np.quantile(ratio, 0.9) / middle) > 0.5
    clean = (ratio <= (np.quantile(ratio, _CLEAN) if wide else np.inf))[bins.place]
    smooth = clean & (texture <= np.quantile(texture[clean], 0.5 if wide else 0.3))
    power = np.median(taken.energy[smooth], 0).astype(float) / _MEDIAN_OF_CHI2
    return power, int(smooth.sum())


def _correlated(
    power: NDArray, rounding: float, found: Filtered, middle: float, only_rounding: bool
) -> tuple[bool, float]:
    """Whether the noise is filtered, and by what margin.

    The corner of white noise is flat, whatever the structure; that of filtered noise keeps falling.
    """
    inner = np.maximum(power - rounding, 1e-3 * max(float(power[7, 7]), 1e-9))
    last = inner[7, 7]
    separable = max(float(inner[2, 2] * last / (inner[2, 7] * inner[7, 2])), 1.0)
    score = float(
        np.log((inner[6, 7] + inner[7, 6]) / 2 / last)
        + 0.5 * np.log(inner[6, 6] / last)
        - _SEPARABLE * np.log(separable)
    )
    steep = found.spectrum[MIDDLE].mean() / found.spectrum[GROUPS[0]].mean()
    if only_rounding and middle > _MIDDLE_ALONE:
        return True, 0.3
    if found.agreement >= _AGREEMENT and steep > _STEEP:
        return True, 0.4 * min(1.0, float(steep - _STEEP) / (_PLAIN - _STEEP))
    return score > _SHAPE and middle > _MIDDLE_ALONE, abs(score - _SHAPE)


def _filtered(
    found: Filtered, taken: Blocks, bins: Bins, ratio: NDArray, middle: float, share: float
) -> Noise:
    """The variance of filtered noise, from the frequencies that agree with the filter."""
    use = found.asked
    for better in (found.agreed, found.model > 8 * found.rounding):
        use = use & better if (use & better).sum() >= 8 else use
    outer = use & (np.median(SQUARE[use]) <= SQUARE)
    energies, counts = [], []
    for cells in (outer, use & ~outer):
        if cells.any():
            unfiltered = (taken.energy[:, cells] - found.rounding) / found.spectrum[cells]
            energies.append(np.maximum(unfiltered.mean(1, dtype=np.float64), 0))
            counts.append(int(cells.sum()))
    first = bins.lowest(energies[0], counts[0], _KEPT)
    floor = max(1e-2 * float(np.median(first)), 1e-12)
    gain, intercept, _ = line(bins.mean, first, _error(bins, counts[0]), floor)
    fitted = _outwards(energies, counts, bins, taken, gain, intercept, floor)
    spectrum = found.spectrum + found.rounding / found.level
    # If noise this strong would hide the image, it may in fact be structure.
    top, bottom = float(bins.mean[-3:].mean()), float(bins.mean[0])
    hidden = (fitted.gain * top + fitted.intercept) * spectrum[0, 0] / spectrum.mean()
    contrast = float((top - bottom) ** 2 / max(hidden, 1e-12))
    wide = float(np.log(np.quantile(ratio, 0.9) / middle))
    confidence = share * (1 - fitted.above) * min(1.0, found.agreement / 0.9) ** 4
    confidence *= min(1.0, found.agreed.sum() / 12) * min(1.0, contrast / _PHOTONS)
    confidence /= 1 + (max(wide - 0.4, 0) / 0.5) ** 2
    return Noise(
        fitted.gain,
        fitted.intercept + found.rounding,
        floor,
        spectrum / spectrum.mean(),
        False,
        confidence=float(confidence),
    )

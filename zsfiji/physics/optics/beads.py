"""The PSF of a microscope from an image of beads smaller than its resolution."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from zsfiji import progress
from zsfiji.errors import UserError
from zsfiji.images.metadata import REPLACE_THEM
from zsfiji.physics.optics.centre import spot_centre, widths
from zsfiji.physics.optics.fit import gaussian, round_lateral
from zsfiji.physics.optics.kernel import Psf
from zsfiji.physics.optics.prepare import border_level, prepare
from zsfiji.physics.optics.resample import sample
from zsfiji.words import counted

Fit = Literal["none", "radial", "gaussian"]

BORDER = "at the border"
CROWDED = "too close to another bead"
SATURATED = "saturated"
ODD_WIDTH = "wider or narrower than the others"
UNLIKE = "shaped unlike the others"

_OVER_NOISE = 8.0
"""Height of a bead in the filtered image, in standard deviations of its noise. Chosen by eye."""

_LOWEST = 0.05
"""Least height relative to the brightest spot: dimmer beads would only add noise. Chosen by eye."""

_TALL = 0.3
"""Threshold relative to the brightest spot, above which the threshold is doubtful. Chosen by
eye."""

_SIDE_LOBE = 0.2
"""A spot dimmer than this share of its neighbour is a diffraction ring of it. An Airy ring has
0.02, one of an aberrated lens several times that. Chosen by eye."""

_WIDTHS = (0.7, 1.4)
"""Range of the widths of beads, relative to the median; two beads that touch are wider. Chosen by
eye."""

_LIKENESS = 0.8
"""Least correlation with the median bead, relative to the median of these correlations. Chosen by
eye."""

_WINDOW = 3.0
"""Half of the window in full widths at half maximum: about the second dark ring. Chosen by eye."""

_MOST = 500
"""Most beads that are averaged: more hardly lower the noise, and take time. Not tuned."""


@dataclass(frozen=True)
class Beads:
    """The PSF measured in an image of beads.

    Attributes
    ----------
    psf : Psf
        Mean of the beads.
    positions : numpy.ndarray
        (bead, axis), centres of the beads that were used, in pixels.
    fwhm : numpy.ndarray
        (bead, axis), full widths at half maximum of each of them in micrometres.
    rejected : dict of str to int
        Reason -> number of spots that were left out.
    """

    psf: Psf
    positions: NDArray[np.float64]
    fwhm: NDArray[np.float64]
    rejected: dict[str, int]

    def report(self) -> str:
        """The result in a few lines for the log."""
        n = len(self.positions)
        lines = [f"{counted(n, 'bead')} averaged"]
        mean, spread = self.fwhm.mean(axis=0), self.fwhm.std(axis=0)
        for name, m, s in zip(("z", "y", "x")[-len(mean) :], mean, spread, strict=True):
            lines.append(
                f"FWHM along {name}: {1000 * m:.0f} nm (standard deviation {1000 * s:.0f} nm)"
            )
        for reason, count in sorted(self.rejected.items()):
            lines.append(f"{count} left out: {reason}")
        return "\n".join(lines)


def from_beads(
    image: NDArray,
    spacing: Sequence[float],
    *,
    window: Sequence[int | None] | None = None,
    saturation: float | None = None,
    fit: Fit = "none",
) -> Beads:
    """Find the beads, centre each to a fraction of a pixel, and take their mean.

    Parameters
    ----------
    image : numpy.ndarray
        (row, col) or (pln, row, col), a single channel and frame.
    spacing : sequence of float
        Pixel sizes in micrometres, one for each axis.
    window : sequence of int or None, optional
        Odd sizes in pixels of the field around a bead; by default, and along axes with None, three
        widths to each side.
    saturation : float, optional
        Value at which the camera saturates. By default the largest value of the image, if several
        neighbouring pixels have it.
    fit : {"none", "radial", "gaussian"}
        "radial" also takes the mean over all directions in each slice, which suits well-adjusted
        lenses and reduces the noise of few beads; "gaussian" fits a Gaussian.

    Returns
    -------
    Beads
        The PSF on the grid of the image, and the beads that it was made from.

    Raises
    ------
    UserError
        If no bead can be used; the text says why.
    Cancelled
        If the user asked to stop.
    """
    values = _checked(image)
    if len(spacing) != values.ndim:
        raise ValueError(f"{values.ndim} axes, {len(spacing)} pixel sizes")
    progress.report(0, "Looking for beads")
    spots, heights = _spots(values)
    size = _typical_widths(values, spots[:30])
    half = [
        max(int(np.ceil(_WINDOW * w)), 5) if n is None else int(n) // 2
        for n, w in zip(window or [None] * values.ndim, size, strict=True)
    ]
    _require_size(values, half)
    full = _saturation(values) if saturation is None else saturation
    chosen, reasons = _select(values, spots, heights, half, full)
    cut = []
    for number, spot in enumerate(chosen):
        progress.report(0.5 + 0.5 * number / len(chosen), "Centring the beads")
        cut.append(_cut(values, spot, half, size))
    fwhm = np.array([bead.fwhm for bead in cut]).reshape(-1, values.ndim)
    kept = _of_usual_width(fwhm) if len(cut) else np.zeros(0, dtype=bool)
    reasons[ODD_WIDTH] += int((~kept).sum())
    cut, fwhm = [c for c, k in zip(cut, kept, strict=True) if k], fwhm[kept]
    kept = _alike([bead.centred for bead in cut])
    reasons[UNLIKE] += int((~kept).sum())
    cut, fwhm = [c for c, k in zip(cut, kept, strict=True) if k], fwhm[kept]
    if not cut:
        raise UserError(_none_left(reasons))
    psf = prepare(_mean(cut, values, half), spacing)
    if fit == "radial":
        psf = round_lateral(psf)
    elif fit == "gaussian":
        psf = gaussian(psf)
    return Beads(
        replace(psf, origin="measured"),
        np.array([bead.spot - half + bead.centre for bead in cut]),
        fwhm * np.asarray(spacing),
        {reason: n for reason, n in reasons.items() if n},
    )


def _checked(image: NDArray) -> NDArray:
    values = np.asarray(image)
    if values.ndim not in (2, 3):
        raise UserError(
            f"Beads can be measured in one image or one stack, of one channel and one frame; "
            f"this one has {counted(values.ndim, 'axis', 'axes')}. Duplicate "
            "the channel and frame with the beads."
        )
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise UserError(f"The bead image has pixels that are NaN or infinite. {REPLACE_THEM}")
    if values.size == 0 or values.min() == values.max():
        raise UserError("The bead image is empty: all its pixels have the same value.")
    return values


def _spots(values: NDArray) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Local maxima of the image without its smooth background, the brightest first."""
    pixels = values.astype(np.float32)
    # A difference of Gaussians removes a sloping background. Both widths were chosen by eye.
    fine = ndimage.gaussian_filter(pixels, 1.0)
    progress.stop_if_cancelled()
    fine -= ndimage.gaussian_filter(pixels, 6.0)
    progress.report(0.3, "Looking for beads")
    tallest = float(fine.max())
    noise = 1.4826 * float(np.median(np.abs(fine - np.median(fine))))
    threshold = max(_OVER_NOISE * noise, _LOWEST * tallest)
    if threshold > _TALL * tallest:
        # Either there is no bead, or there are so many that they look like noise. Noise has
        # negative values as large as its positive ones, beads do not.
        threshold = max(_TALL * tallest, -2 * float(fine.min()))
    top = (fine == ndimage.maximum_filter(fine, size=5)) & (fine > threshold)
    spots = np.argwhere(top)
    if len(spots) == 0:
        raise UserError(
            "No bead was found: nothing in the image stands out of its noise. "
            "Choose an image of bright, separate beads in focus."
        )
    heights = fine[top].astype(np.float64)
    order = np.argsort(-heights, kind="stable")
    return spots[order], heights[order]


def _typical_widths(values: NDArray, spots: NDArray[np.int64]) -> tuple[float, ...]:
    """Median FWHM in pixels of the brightest spots."""
    found = []
    reach = [12 if values.ndim == 2 or axis else 20 for axis in range(values.ndim)]
    for spot in spots:
        low = [max(s - r, 0) for s, r in zip(spot, reach, strict=True)]
        box = tuple(slice(a, s + r + 1) for a, s, r in zip(low, spot, reach, strict=True))
        part = values[box].astype(np.float64)
        smooth = ndimage.gaussian_filter(part - np.median(part), 0.7)
        found.append(widths(smooth, [s - a for s, a in zip(spot, low, strict=True)]))
    return tuple(float(w) for w in np.median(found, axis=0))


def _require_size(values: NDArray, half: Sequence[int]) -> None:
    for n, h in zip(values.shape, half, strict=True):
        if n < 2 * h + 1:
            raise UserError(
                f"The bead image of {' x '.join(map(str, values.shape))} is too small: the field "
                f"around a bead needs {' x '.join(str(2 * h + 1) for h in half)}. "
                "Take a larger image, or for a stack more slices, or choose a smaller window."
            )


def _saturation(values: NDArray) -> float:
    """The value at which the camera saturates; infinity if no neighbouring pixels share it."""
    most = values.max()
    _, count = ndimage.label(values == most)
    return float(most) if np.count_nonzero(values == most) >= 3 * count else np.inf


def _select(
    values: NDArray,
    spots: NDArray[np.int64],
    heights: NDArray[np.float64],
    half: Sequence[int],
    full: float,
) -> tuple[list[NDArray[np.int64]], Counter[str]]:
    reasons: Counter[str] = Counter()
    chosen: list[NDArray[np.int64]] = []
    far = np.asarray(half)
    for i, (spot, height) in enumerate(zip(spots, heights, strict=True)):
        near = (np.abs(spots - spot) <= far).all(axis=1)
        near[i] = False
        if (near & (heights * _SIDE_LOBE > height)).any():
            continue  # not a bead: a diffraction ring, or out-of-focus light, of a brighter one
        if ((spot < far) | (spot + far >= values.shape)).any():
            reasons[BORDER] += 1
        elif (near & (heights > _SIDE_LOBE * height)).any():
            reasons[CROWDED] += 1
        elif _around(values, spot, [1] * values.ndim).max() >= full:
            reasons[SATURATED] += 1
        elif len(chosen) < _MOST:
            chosen.append(spot)
    return chosen, reasons


def _around(values: NDArray, spot: NDArray[np.int64], half: Sequence[int]) -> NDArray:
    return values[tuple(slice(s - h, s + h + 1) for s, h in zip(spot, half, strict=True))]


@dataclass(frozen=True)
class _Bead:
    """One bead, cut out of the image.

    Attributes
    ----------
    spot : numpy.ndarray
        Its brightest pixel.
    centre : numpy.ndarray
        Its centre in the field around that pixel, in pixels.
    centred : numpy.ndarray
        Its light on a grid with its centre in the middle.
    fwhm : tuple of float
        Its widths in pixels.
    """

    spot: NDArray[np.int64]
    centre: NDArray[np.float64]
    centred: NDArray[np.float64]
    fwhm: tuple[float, ...]


def _cut(
    values: NDArray, spot: NDArray[np.int64], half: Sequence[int], size: Sequence[float]
) -> _Bead:
    light = _light(values, spot, half)
    centre = np.array(spot_centre(light, half, size))
    centred = _moved(light, centre)
    return _Bead(spot, centre, centred, widths(centred, half))


def _light(values: NDArray, spot: NDArray[np.int64], half: Sequence[int]) -> NDArray[np.float64]:
    """The field around a spot without its background."""
    part = _around(values, spot, half).astype(np.float64)
    return part - border_level(part)[0]


def _moved(light: NDArray[np.float64], centre: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same on a grid whose middle is at `centre`."""
    return sample(light, centre.tolist(), (1.0,) * light.ndim, light.shape)


def _mean(beads: Sequence[_Bead], values: NDArray, half: Sequence[int]) -> NDArray[np.float64]:
    """The mean bead, corrected for the blur of the interpolation.

    Each bead was moved by a fraction of a pixel, which blurs detail near the Nyquist limit. If the
    mean is moved to where a bead was recorded, it differs from the record by the same blur: the
    mean of these differences is added (twicing; Tukey, Exploratory Data Analysis, 1977).
    """
    mean = np.mean([bead.centred for bead in beads], axis=0)
    middle = np.asarray(half, dtype=np.float64)
    missing = np.zeros_like(mean)
    for bead in beads:
        progress.stop_if_cancelled()
        record = _light(values, bead.spot, half)
        missing += _moved(record - _moved(mean, 2 * middle - bead.centre), bead.centre)
    return mean + missing / len(beads)


def _of_usual_width(fwhm: NDArray[np.float64]) -> NDArray[np.bool_]:
    ratio = fwhm / np.median(fwhm, axis=0)
    return np.array([bool(((r >= _WIDTHS[0]) & (r <= _WIDTHS[1])).all()) for r in ratio])


def _alike(beads: list[NDArray[np.float64]]) -> NDArray[np.bool_]:
    if len(beads) < 3:
        return np.ones(len(beads), dtype=bool)
    flat = np.array([bead.ravel() / bead.max() for bead in beads])
    middle = np.median(flat, axis=0)
    likeness = [float(np.corrcoef(bead, middle)[0, 1]) for bead in flat]
    least = _LIKENESS * float(np.median(likeness))
    return np.array([value >= least for value in likeness])


def _none_left(reasons: Counter[str]) -> str:
    advice = {
        BORDER: "They are too near to the border: take a larger field, or choose a smaller window.",
        CROWDED: "They are too close together: dilute the beads, or choose a smaller window.",
        SATURATED: "They are saturated: acquire again with less light or a shorter exposure.",
        ODD_WIDTH: "Their widths differ too much: they may be clumps, or out of focus.",
        UNLIKE: "Their shapes differ too much: they may be clumps, or not be beads.",
    }
    reason, _ = reasons.most_common(1)[0]
    counts = ", ".join(f"{n} {reason}" for reason, n in reasons.most_common() if n)
    return f"No bead can be used: {counts}. {advice[reason]}"

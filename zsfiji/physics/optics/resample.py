"""Resampling a PSF to another grid without losing light, and cropping it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.interpolate import make_interp_spline

from zsfiji.errors import UserError
from zsfiji.physics.optics.kernel import Psf, focal_plane, normalised, part
from zsfiji.physics.optics.measure import fwhm
from zsfiji.physics.optics.pupil import from_optics

ENERGY = 0.999
"""Share of the light that a cropped PSF keeps. Chosen by eye."""

_LEAST_ENERGY = 0.8
"""Share of the light that a PSF must keep when it is cropped to a small image. Chosen by eye."""

_LEAST_WIDTH = 1.0
"""Least width of a PSF in pixels: a narrower one blurs nothing on this grid."""

_DARK = 4
"""Dark pixels that are added around a PSF, so that its spline ends smoothly. Not tuned."""

_DEGREE = 5
"""Degree of the spline through the cumulative sums of light. Not tuned."""


def sample(
    values: NDArray[np.floating],
    centre: Sequence[float],
    ratio: Sequence[float],
    shape: Sequence[int],
) -> NDArray[np.float64]:
    """Interpolate `values` on a grid whose middle pixel is at `centre`.

    A cubic spline gives the values between the pixels. If the new pixels are larger than the old
    ones, the mean over each of them is taken, which avoids aliasing.

    Parameters
    ----------
    values : numpy.ndarray
        The values to interpolate; zero outside.
    centre : sequence of float
        Position of the middle pixel of the result, in pixels of `values`.
    ratio : sequence of float
        Size of a new pixel in old ones, along each axis.
    shape : sequence of int
        Odd sizes of the result.

    Returns
    -------
    numpy.ndarray
        Values on the new grid.
    """
    result = np.asarray(values, dtype=np.float64)
    for axis, (c, step, n) in enumerate(zip(centre, ratio, shape, strict=True)):
        parts = max(1, int(np.ceil(step - 1e-6)) * 2 - 1)
        inside = (np.arange(parts) - (parts - 1) / 2) / parts
        fine = ((np.arange(n) - n // 2)[:, None] + inside).ravel() * step + c
        result = _along(result, axis, fine)
        split = (*result.shape[:axis], n, parts, *result.shape[axis + 1 :])
        result = result.reshape(split).mean(axis + 1)
    return result


def _along(
    values: NDArray[np.float64], axis: int, positions: NDArray[np.float64]
) -> NDArray[np.float64]:
    # One axis after the other: the weights of a spline are separable.
    lines = np.moveaxis(values, axis, -1)
    n = lines.shape[-1]
    impulses = np.pad(np.eye(n), ((0, 0), (2, 2)))
    spline = ndimage.spline_filter1d(impulses, order=3, axis=-1, mode="mirror")
    weights = np.stack(
        [
            ndimage.map_coordinates(row, [positions + 2], order=3, mode="constant", prefilter=False)
            for row in spline
        ]
    )
    return np.moveaxis(lines @ weights, -1, axis)


def rebin(values: NDArray[np.floating], axis: int, ratio: float, size: int) -> NDArray[np.float64]:
    """Convert means over pixels into means over other pixels, along one axis.

    The sum of all values up to the edge of a pixel is the integral of the light up to there, which
    does not depend on the pixel size. A spline through these sums gives the integral up to the
    edges of the new pixels, and its differences are the new values. They include the new pixel and
    no longer the old one, and no light is lost.

    Parameters
    ----------
    values : numpy.ndarray
        Means over the old pixels; zero outside.
    axis : int
        The axis.
    ratio : float
        Size of a new pixel in old ones.
    size : int
        Number of the new pixels; both grids have the same middle.

    Returns
    -------
    numpy.ndarray
        Means over the new pixels.
    """
    lines = np.moveaxis(np.asarray(values, dtype=np.float64), axis, -1)
    n = lines.shape[-1] + 2 * _DARK
    # A line with light in a single pixel gives one column of the weights.
    sums = np.tri(n + 1, n, -1)[:, _DARK : n - _DARK]
    old = np.arange(n + 1) - n / 2
    new = np.clip((np.arange(size + 1) - size / 2) * ratio, old[0], old[-1])
    weights = np.diff(make_interp_spline(old, sums, k=_DEGREE)(new), axis=0) / ratio
    return np.moveaxis(lines @ weights.T, -1, axis)


def resample(psf: Psf, spacing: Sequence[float], *, energy: float = ENERGY) -> Psf:
    """The same PSF on another grid.

    A PSF whose optics are known is calculated on that grid. Otherwise its pixels are replaced by
    those of the new grid along rows and columns, see :func:`rebin`; slices are interpolated, or
    averaged if they are farther apart on the new grid.

    Parameters
    ----------
    psf : Psf
        The PSF.
    spacing : sequence of float
        Pixel sizes of the new grid in micrometres, one for each axis.
    energy : float
        Share of the light that the result has to contain; the rest of its border is cropped.

    Returns
    -------
    Psf
        Centred, of sum 1, of odd sizes.
    """
    ratio = tuple(new / old for new, old in zip(spacing, psf.spacing, strict=True))
    if all(abs(r - 1) < 1e-6 for r in ratio):
        return crop(psf, energy)
    psf = crop(psf, 1 - (1 - energy) / 10)  # the rest is cropped later anyway, and takes most time
    # Slices to the last one, rows and columns to the edge of the last one.
    sizes = zip(psf.values.shape, ratio, (0, 1, 1)[-len(ratio) :], strict=True)
    shape = tuple(2 * int(np.ceil((n // 2 + edge / 2) / r)) + 1 for n, r, edge in sizes)
    if psf.optics is not None:
        return crop(replace(from_optics(psf.optics, spacing, shape), own=psf.own), energy)
    values = psf.values
    if values.ndim == 3:
        middle = [n // 2 for n in values.shape]
        values = sample(values, middle, (ratio[0], 1, 1), (shape[0], *values.shape[1:]))
    for axis in (-2, -1):
        values = rebin(values, axis, ratio[axis], shape[axis])
    light = normalised(values, spacing)
    return crop(replace(psf, values=light.values, spacing=light.spacing), energy)


def crop(psf: Psf, energy: float = ENERGY, largest: Sequence[int] | None = None) -> Psf:
    """Crop the border until the share `energy` of the light is left, and in any case to `largest`.

    Every axis loses the same share of the light, at both ends.
    """
    values = psf.values
    halves = []
    for axis, n in enumerate(values.shape):
        profile = values.sum(axis=tuple(a for a in range(values.ndim) if a != axis))
        folded = profile[n // 2 :].copy()
        folded[1:] += profile[: n // 2][::-1]
        enough = np.flatnonzero(np.cumsum(folded) >= 1 - (1 - energy) / values.ndim - 1e-12)
        half = int(enough[0]) if enough.size else n // 2
        if largest is not None:
            half = min(half, (largest[axis] - 1) // 2)
        halves.append(half)
    cut = tuple(
        slice(n // 2 - half, n // 2 + half + 1)
        for n, half in zip(values.shape, halves, strict=True)
    )
    return part(psf, cut)


def pad(psf: Psf, shape: Sequence[int]) -> Psf:
    """Put zeros around the PSF; `shape` is odd and at least as large."""
    around = [((new - n) // 2,) * 2 for new, n in zip(shape, psf.values.shape, strict=True)]
    return replace(psf, values=np.pad(psf.values, around))


def match(
    psf: Psf,
    spacing: Sequence[float],
    shape: Sequence[int],
    *,
    energy: float = ENERGY,
    pixels: Sequence[int] | None = None,
) -> Psf:
    """Bring a PSF onto the grid of an image, or say why it does not fit.

    Parameters
    ----------
    psf : Psf
        The PSF. For a 2D image the slice in focus of a 3D PSF is taken.
    spacing : sequence of float
        Pixel sizes of the grid in micrometres: (row, col) or (pln, row, col). For an upsampled
        result, those of the result; for pairs of odd and even slices, twice the slice spacing.
    shape : sequence of int
        Sizes of the image on that grid.
    energy : float
        Share of the light to keep.
    pixels : sequence of int, optional
        Sizes of the image as the user knows it, for messages, if its grid is another one.

    Returns
    -------
    Psf
        On that grid and not larger than the image.

    Raises
    ------
    UserError
        If the image has slices and the PSF has none, if the PSF is as wide as the image or narrower
        than a pixel, or if the image has too few rows and columns for most of its light. Slices
        farther from the focus than the depth of the stack are left out: all slices of a wide-field
        PSF have the same light, however far they are.
    """
    if len(spacing) == 2:
        psf = focal_plane(psf)
    elif psf.values.ndim == 2:
        raise UserError(
            "The PSF has a single slice and the image is a stack to be deconvolved in 3D. "
            "Choose a PSF that is a stack too, or work slice by slice in 2D."
        )
    width = fwhm(psf)
    for name, w, step, n in zip(_axis_names(psf), width, spacing, shape, strict=True):
        if w > n * step / 2 and name == "z":
            raise UserError(
                f"The PSF is {w:.3g} microns deep and the stack only {n * step:.3g}: 3D needs "
                "twice the depth of the PSF. Choose 2d, take more slices, or check the slice "
                "spacings of both."
            )
        if w > n * step / 2:
            raise UserError(
                f"The PSF is {w:.3g} microns wide along {name} and the image only "
                f"{n * step:.3g}. Check the pixel sizes of both; they are in microns."
            )
        if name != "z" and w < _LEAST_WIDTH * step:
            raise UserError(
                f"The PSF is {w:.3g} microns wide along {name}, less than a pixel of "
                f"{step:.3g} microns: there is nothing to deconvolve. "
                "Check the pixel sizes of both; they are in microns."
            )
    whole = resample(_as_deep(psf, spacing, shape), spacing, energy=energy)
    fitted = crop(whole, 1.0, largest=[n if n % 2 else n - 1 for n in shape])
    kept = _share(whole, fitted)
    if kept < _LEAST_ENERGY:
        own = pixels or shape
        # What it takes on the image's own grid; along z no more than the image has.
        taken = [
            int(np.ceil(n * m / s)) for n, m, s in zip(whole.values.shape, own, shape, strict=True)
        ]
        raise UserError(
            f"The image of {_times(own)} pixels holds only {kept:.0%} of the light of the PSF, "
            f"whose {_times(psf.own or psf.values.shape)} pixels cover {_times(taken)} pixels of "
            "the image. Choose a larger image or a smaller PSF, and check the pixel sizes of both."
        )
    return fitted


def _as_deep(psf: Psf, spacing: Sequence[float], shape: Sequence[int]) -> Psf:
    """Leave out slices farther from the focus than half of the image's depth."""
    if psf.values.ndim == 2:
        return psf
    middle = psf.values.shape[0] // 2
    half = int((shape[0] - 1) // 2 * spacing[0] / psf.spacing[0] + 1e-6)
    if half >= middle:
        return psf
    return part(psf, slice(middle - half, middle + half + 1))


def _share(whole: Psf, part: Psf) -> float:
    cut = tuple(
        slice((n - m) // 2, (n + m) // 2)
        for n, m in zip(whole.values.shape, part.values.shape, strict=True)
    )
    return float(whole.values[cut].sum())


def _times(shape: Sequence[int]) -> str:
    """Sizes in the order of ImageJ: width x height x slices."""
    return " x ".join(str(n) for n in shape[::-1])


def _axis_names(psf: Psf) -> tuple[str, ...]:
    return ("z", "y", "x")[-psf.values.ndim :]

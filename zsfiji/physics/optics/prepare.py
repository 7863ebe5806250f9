"""Prepare a PSF that was measured, or made by another program, for convolution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from zsfiji.errors import UserError
from zsfiji.images.axes import STACK_DIMS, size
from zsfiji.physics.optics.centre import peak, spot_centre, widths
from zsfiji.physics.optics.kernel import Psf, normalised
from zsfiji.physics.optics.origin import calculated, origin
from zsfiji.physics.optics.resample import sample
from zsfiji.physics.optics.spacing import spacing_micrometres
from zsfiji.words import counted

_NOISE_CORRELATION = 0.5
"""Correlation of neighbouring pixels at the border: below this it is noise, above it the tail of
the PSF. Chosen by eye."""

_SUPPORT = 3.0
"""Standard deviations of the smoothed noise, above which a pixel belongs to the spot. Not tuned."""

_LEAST_PEAK = 6.0
"""Least height of the peak, in standard deviations of the noise. Not tuned."""


def prepare(
    values: ArrayLike,
    spacing: Sequence[float],
    *,
    background: float | None = None,
    properties: Mapping[str, str] | None = None,
) -> Psf:
    """Subtract the background, remove the noise around the spot, centre, normalise.

    The values are taken as means over the pixels. A PSF that zsfiji has calculated is calculated
    again from its optics.

    Parameters
    ----------
    values : array_like
        (row, col) or (pln, row, col); axes of length 1 before these are dropped. Any size.
    spacing : sequence of float
        Pixel sizes in micrometres, one for each axis.
    background : float, optional
        Level to subtract; 0 for none. By default it is measured at the border: the median if the
        border is noise, the minimum if it is the smooth tail of the PSF.
    properties : mapping of str to str, optional
        ImageJ properties of the image, which may say where the PSF comes from.

    Returns
    -------
    Psf
        On its own grid. Its centre is moved to the middle pixel; the sizes are odd, and large
        enough for the side that reaches farther.

    Raises
    ------
    UserError
        If the values are not those of a spot: wrong number of axes, NaN, all zero, all the
        same, negative, or nothing brighter than the noise.
    """
    array = _checked(values)
    if len(spacing) != array.ndim:
        raise ValueError(f"{array.ndim} axes, {len(spacing)} pixel sizes")
    known = None if background is not None else calculated(array, spacing, properties or {})
    if known is not None:
        return known
    level, noise = border_level(array)
    if background is not None:
        level = background
    light = array - level
    top = peak(light)
    if light[top] <= 0:
        raise UserError(
            f"Nothing in the PSF is brighter than its background of {level:.4g}. "
            "Give a smaller background, or choose another file."
        )
    if noise > 0:
        light, top = _only_the_spot(light, top, noise)
    light = np.clip(light, 0, None)
    centre = spot_centre(light, top, widths(light, top))
    # Odd sizes around the centre that reach to the farther end of the light.
    shape = tuple(
        2 * int(np.ceil(max(c, n - 1 - c) - 1e-3)) + 1
        for c, n in zip(centre, light.shape, strict=True)
    )
    psf = normalised(sample(light, centre, (1.0,) * light.ndim, shape), spacing)
    return replace(psf, origin=origin(properties or {}), own=array.shape)


def prepare_image(image: xr.DataArray, *, background: float | None = None) -> Psf:
    """The same for an open image, whose calibration has the pixel sizes.

    Raises
    ------
    UserError
        As :func:`prepare`; also if the image is not calibrated, or has more than slices.
    """
    others = [dim for dim in STACK_DIMS if dim != "pln"]
    if any(size(image, dim) > 1 for dim in others):
        raise UserError(
            "The PSF has several frames, channels or SIM patterns. Duplicate the one that is meant "
            "(Image > Duplicate...)."
        )
    single = image.isel({dim: 0 for dim in others if dim in image.dims})
    if size(single, "pln") == 1 and "pln" in single.dims:
        single = single.isel(pln=0)
    dims = [str(dim) for dim in single.dims]
    return prepare(
        single.data,
        spacing_micrometres(single, dims),
        background=background,
        properties=image.attrs.get("properties"),
    )


def _checked(values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values)
    if array.dtype.kind not in "uif":
        raise UserError("The PSF has values that are not real numbers. Give its intensities.")
    while array.ndim > 2 and array.shape[0] == 1:
        array = array[0]
    if array.ndim not in (2, 3):
        raise UserError(
            f"The PSF has {counted(array.ndim, 'axis', 'axes')} "
            f"({' x '.join(map(str, array.shape))}). It must be one image, "
            "or one stack of slices, of a single channel."
        )
    if min(array.shape[-2:]) < 3:
        raise UserError(
            f"The PSF is {' x '.join(map(str, array.shape))} pixels large, which is too small: "
            "it needs at least 3 x 3."
        )
    array = array.astype(np.float64)
    bad = int(array.size - np.count_nonzero(np.isfinite(array)))
    if bad:
        raise UserError(
            f"The PSF has {counted(bad, 'value')} that {'is' if bad == 1 else 'are'} NaN or "
            "infinite. Choose another file."
        )
    if not array.any():
        raise UserError("The PSF is empty: all its values are zero. Choose another file.")
    if array.max() <= 0:
        raise UserError("The PSF has only negative values. It must hold intensities.")
    if array.min() == array.max():
        raise UserError("The PSF is flat: all its values are the same. Choose another file.")
    return array


def border_level(array: NDArray[np.float64]) -> tuple[float, float]:
    """Background and noise around a spot, from the outermost rows and columns.

    Returns
    -------
    level : float
        The median if neighbouring pixels of the border are not correlated, as in noise. Otherwise
        the minimum: a smooth border is the tail of the PSF, which belongs to the spot.
    noise : float
        Standard deviation of the noise, measured robustly; 0 for a smooth border.
    """
    # Each edge is a line of pixels, or one line in each slice; no corner counts twice.
    edges = [array[..., 0, :-1], array[..., :-1, -1], array[..., -1, 1:], array[..., 1:, 0]]
    lines = [e.reshape(-1, e.shape[-1]) for e in edges]
    pixels = np.concatenate([line.ravel() for line in lines])
    spread = [line - line.mean(axis=1, keepdims=True) for line in lines]
    variance = sum(float((s**2).sum()) for s in spread)
    products = sum(float((s[:, 1:] * s[:, :-1]).sum()) for s in spread)
    if variance == 0 or products / variance > _NOISE_CORRELATION:
        return float(pixels.min()), 0.0
    level = float(np.median(pixels))
    return level, float(1.4826 * np.median(np.abs(pixels - level)))


def _only_the_spot(
    light: NDArray[np.float64], top: tuple[int, ...], noise: float
) -> tuple[NDArray[np.float64], tuple[int, ...]]:
    """Cut out the region connected to the peak; gives it and the place of the peak in it."""
    # Noise clipped at zero has a mean of 0.4 standard deviations in every pixel, which in a large
    # field is more light than the spot. So everything not connected to the spot is set to zero.
    if light[top] < _LEAST_PEAK * noise:
        raise UserError(
            f"No spot stands out of the noise of the PSF: its peak is {light[top]:.4g} above the "
            f"background, the noise {noise:.4g}. Average several beads, or use PSF Generator..."
        )
    sigma = 1.0
    smooth = ndimage.gaussian_filter(light, sigma, mode="nearest")
    remaining = (2 * np.sqrt(np.pi) * sigma) ** (-light.ndim / 2)  # of white noise
    labels, _ = ndimage.label(smooth > _SUPPORT * noise * remaining)
    spot = ndimage.binary_dilation(labels == labels[top], iterations=1)
    box = ndimage.find_objects(spot.astype(np.uint8))[0]
    return np.where(spot, light, 0.0)[box], tuple(
        t - b.start for t, b in zip(top, box, strict=True)
    )

"""Bring an image and its PSFs together: planes or stacks, and a common grid."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import xarray as xr

from zsfiji.errors import UserError
from zsfiji.images.axes import size
from zsfiji.physics.optics.kernel import DIMS, Psf
from zsfiji.physics.optics.measure import fwhm
from zsfiji.physics.optics.resample import ENERGY, match
from zsfiji.physics.optics.spacing import spacing_micrometres
from zsfiji.words import counted

_log = logging.getLogger(__name__)


def match_to_image(
    psfs: Sequence[Psf],
    image: xr.DataArray,
    *,
    upsample: int,
    axes: int,
    slice_step: int = 1,
    energy: float = ENERGY,
) -> list[Psf]:
    """Bring PSFs onto the grid of an image, or onto a finer one.

    Parameters
    ----------
    psfs : sequence of Psf
        One for all channels of the image, or one for each channel.
    image : xarray.DataArray
        Calibrated.
    upsample : int
        Pixels of the grid per pixel of the image, along rows and along columns.
    axes : int
        2 for planes, 3 for stacks.
    slice_step : int
        Use the grid of every n-th slice.
    energy : float
        Share of the light of a PSF to keep.

    Returns
    -------
    list of Psf
        As many as were given.

    Raises
    ------
    UserError
        If the number of PSFs is not that of the channels, the image is not calibrated, or a PSF
        does not fit the image; see :func:`.resample.match`.
    """
    channels = size(image, "ch")
    if len(psfs) not in (1, channels):
        raise UserError(
            f"{counted(len(psfs), 'PSF')} for {counted(channels, 'channel')}: give one PSF for all "
            "channels, or one for each channel."
        )
    dims = DIMS[-axes:]
    steps = (slice_step, 1 / upsample, 1 / upsample)[-axes:]
    spacing = [s * f for s, f in zip(spacing_micrometres(image, dims), steps, strict=True)]
    shape = [round(size(image, d) / f) for d, f in zip(dims, steps, strict=True)]
    pixels = [size(image, d) for d in dims]
    return [match(p, spacing, shape, energy=energy, pixels=pixels) for p in psfs]


def choose_axes(image: xr.DataArray, psfs: Sequence[Psf], dimensions: str, fewest: int) -> int:
    """Choose between the deconvolution of planes and of stacks.

    Parameters
    ----------
    image : xarray.DataArray
        The image.
    psfs : sequence of Psf
        Its PSFs.
    dimensions : {"auto", "2d", "3d"}
        "auto" takes stacks if the PSFs are stacks, and the image has enough slices and is twice as
        deep as the PSFs; otherwise the log says why not.
    fewest : int
        Least number of slices of a stack.

    Returns
    -------
    int
        2 for planes, 3 for stacks.

    Raises
    ------
    UserError
        If stacks are chosen and there are too few slices, or the slice spacing is not known.
    """
    slices, deep = size(image, "pln"), all(p.values.ndim == 3 for p in psfs)
    if dimensions == "3d":
        if slices < fewest:
            raise UserError(
                f"The stack has {counted(slices, 'slice')}; deconvolution in 3D needs "
                f"at least {fewest}. Choose 2d, or acquire more slices."
            )
        return 3
    if dimensions == "2d" or slices == 1:
        return 2
    if not deep:
        _log.warning("Deconvolving slice by slice, because the PSF is a single slice.")
    elif slices < fewest:
        found = counted(slices, "slice")
        _log.warning("Deconvolving slice by slice: %s; 3D needs %d.", found, fewest)
    else:
        depth = slices * spacing_micrometres(image, ("pln",))[0]
        needed = 2 * max(fwhm(psf)[0] for psf in psfs)
        if depth >= needed:
            return 3
        _log.warning(
            "Deconvolving slice by slice: the stack is %.3g microns deep, and 3D needs twice the "
            "depth of the PSF, %.3g microns (or one of the slice spacings is wrong).",
            depth,
            needed,
        )
    return 2

"""Distinguish pictures with indexed colours from measured intensities that have a colour LUT.

Both are 8-bit images with 256 colours. The LUT of a measured image changes gradually from value to
value. The colours of a picture (GIF, PNG, ImageJ's "8-bit Color") are in any order, and their
indices are not intensities.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from zsfiji.images.axes import size

_GENTLE = 8
"""Median change of a colour from one value to the next, out of 255. Measured: the steepest LUTs of
ImageJ and Fiji (Spectrum, Rainbow RGB) reach 6, adaptive palettes of photographs 20."""


def is_palette(colours: np.ndarray, pixels: np.ndarray) -> bool:
    """Whether pixels are indices of colours and not intensities.

    Parameters
    ----------
    colours : numpy.ndarray
        uint8 (256, 3).
    pixels : numpy.ndarray
        Any shape; only 8-bit images have palettes.

    Returns
    -------
    bool
        Judged by the colours between the lowest and the highest pixel.
    """
    if pixels.dtype != np.uint8 or not pixels.size:
        return False
    used = np.asarray(colours[int(pixels.min()) : int(pixels.max()) + 1], np.int16)
    if len(used) < 2:
        return False
    return float(np.median(np.abs(np.diff(used, axis=0)).max(axis=1))) > _GENTLE


def shown(pixels: np.ndarray, colours: np.ndarray) -> tuple[np.ndarray, bool]:
    """The picture that colour indices show.

    Parameters
    ----------
    pixels : numpy.ndarray
        uint8, any shape.
    colours : numpy.ndarray
        uint8 (256, 3).

    Returns
    -------
    picture : numpy.ndarray
        uint8, of the shape of `pixels` if all colours are grey, otherwise with red, green and blue
        as the last axis.
    rgb : bool
        Whether it has that axis.
    """
    colours = np.asarray(colours, np.uint8)
    used = colours[np.unique(pixels)]
    if (used == used[:, :1]).all():
        return colours[pixels, 0], False
    return colours[pixels], True


def picture(image: xr.DataArray, colours: np.ndarray) -> xr.DataArray | None:
    """The image, RGB or grey, that an image of numbered colours shows.

    Parameters
    ----------
    image : xarray.DataArray
        The numbers, without channels.
    colours : numpy.ndarray
        uint8 (256, 3).

    Returns
    -------
    xarray.DataArray or None
        The picture, uint8, with the metadata of `image` but its looks; None where the pixels are
        measured values, or channels.
    """
    if size(image, "ch") > 1 or not is_palette(colours, image.data):
        return None
    kept = {k: v for k, v in image.attrs.items() if k not in ("display_ranges", "luts")}
    flat = image.isel(ch=0, drop=True) if "ch" in image.dims else image
    pixels, rgb = shown(flat.data, colours)
    dims = (*flat.dims, "ch") if rgb else flat.dims
    return xr.DataArray(
        pixels, dims=dims, coords=flat.coords, attrs={**kept, "rgb": True} if rgb else kept
    )

"""The metadata of an image: the keys of ``DataArray.attrs``.

=================  =================================================================================
key                value
=================  =================================================================================
``title``          str, the name in the window's title bar
``units``          dict, axis -> unit ("micron", "nm", "sec"); an uncalibrated axis is left out
``spacing``        dict, axis -> pixel spacing, for axes of length 1, which have one coordinate
                   only, and for axes that ImageJ has and the image does not
``value_unit``     str, the unit of the pixel values ("Gray Value", "Counts")
``luts``           list of uint8 arrays (256, 3), one for each channel
``display_ranges`` list of (minimum, maximum), one for each channel
``mode``           "composite", "color" or "grayscale": how ImageJ shows several channels
``slice_labels``   list of str or None, one for each plane in ImageJ's order: channels fastest;
                   without the angle and the phase of a SIM pattern, which ImageJ's labels have
``info``           str, ImageJ's "Info" text
``properties``     dict, str -> str, ImageJ's image properties
``roi``            (x, y, width, height) of a rectangular selection, in pixels
``region``         (x, y, width, height) of the image within a larger image
``overlay``        list of bytes, each an encoded ImageJ ROI
``rgb``            True for a 24-bit colour image (`ch` of length 3, uint8)
``path``           str, the file the image came from
=================  =================================================================================

Every key may be missing.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import xarray as xr

from zsfiji.errors import UserError
from zsfiji.images.axes import STACK_DIMS, planes, size
from zsfiji.words import counted

GEOMETRY_KEYS = ("units", "spacing", "slice_labels", "overlay")
"""Keys that remain valid on the same pixel grid."""

LOOK_KEYS = ("luts", "mode", "rgb")
"""Keys that say how the image is shown."""

TEXT_KEYS = ("info", "properties", "value_unit")
"""Keys with text."""


def carry(
    source: xr.DataArray, pixels: Any, *, title: str, properties: dict[str, str] | None = None
) -> xr.DataArray:
    """Give `pixels` the axes, the calibration and the metadata of `source`.

    The display ranges are left out, because the intensities have changed. The selection is left
    out, because it has already been used.

    Parameters
    ----------
    source : xarray.DataArray
        The image that `pixels` were computed from.
    pixels : array_like
        An array of the same shape.
    title : str
        Title of the result.
    properties : dict, optional
        ImageJ properties to add to those of the source.

    Returns
    -------
    xarray.DataArray
        The result as an image.
    """
    kept = {k: source.attrs[k] for k in GEOMETRY_KEYS + LOOK_KEYS + TEXT_KEYS if k in source.attrs}
    kept["title"] = title
    if properties:
        kept["properties"] = {**kept.get("properties", {}), **properties}
    return xr.DataArray(pixels, dims=source.dims, coords=source.coords, attrs=kept)


def bulk_ranges(image: xr.DataArray) -> list[tuple[float, float]]:
    """Display range of each channel, from the 0.1 to the 99.9 percent quantile of its pixels.

    Parameters
    ----------
    image : xarray.DataArray
        The image; NaN and infinite pixels do not count.
    """
    ranges = []
    for index in planes(image, ("ch",)):
        pixels = image.isel(index).data
        # A million pixels from all planes are enough for the percentiles.
        every = max(1, math.ceil(math.sqrt(pixels.size / 1e6)))
        sample = pixels[..., ::every, ::every]
        sample = sample[np.isfinite(sample)]
        low, high = np.percentile(sample, (0.1, 99.9)) if sample.size else (0.0, 1.0)
        ranges.append((float(low), float(high if high > low else low + 1)))
    return ranges


def show_as_map(image: xr.DataArray) -> None:
    """Show an image, which has no values below zero, from zero on in the colours of heat.

    Parameters
    ----------
    image : xarray.DataArray
        The image, changed in place: its LUTs, display ranges and mode.
    """
    image.attrs["luts"] = [heat()] * size(image, "ch")
    image.attrs["display_ranges"] = [(0.0, high) for _, high in bulk_ranges(image)]
    image.attrs["mode"] = "color"


def heat() -> np.ndarray:
    """A LUT from black over red and yellow to white, uint8 (256, 3): brightness grows evenly."""
    grey = np.linspace(0, 3, 256)[:, None]
    return np.rint(255 * np.clip(grey - np.arange(3), 0, 1)).astype(np.uint8)


def look_like(source: xr.DataArray, image: xr.DataArray) -> None:
    """Give `image` the display ranges of its source, so that the two can be compared by eye.

    Parameters
    ----------
    source : xarray.DataArray
        The source.
    image : xarray.DataArray
        The image, changed in place unless it has display ranges of its own, or other planes: an
        image of several frames has other grey levels than these.
    """
    ranges = source.attrs.get("display_ranges")
    planes_of = [{d: i.sizes.get(d, 1) for d in STACK_DIMS} for i in (source, image)]
    if planes_of[0] != planes_of[1]:
        return
    if ranges and len(ranges) == image.sizes.get("ch", 1) and not source.attrs.get("rgb"):
        image.attrs.setdefault("display_ranges", ranges)


def is_rgb(image: xr.DataArray) -> bool:
    """Whether ImageJ keeps the image as 24-bit colour, its three channels in one plane."""
    return (
        bool(image.attrs.get("rgb")) and image.sizes.get("ch", 1) == 3 and image.dtype == np.uint8
    )


def crop_to_roi(image: xr.DataArray) -> xr.DataArray:
    """Crop the image to its rectangular selection, which means "this region" to an ImageJ user.

    Parameters
    ----------
    image : xarray.DataArray
        The image; without a ``roi`` it is returned unchanged.

    Returns
    -------
    xarray.DataArray
        The region, a view of the same pixels, without the overlay, whose positions are no longer
        right.

    Raises
    ------
    UserError
        If the selection lies outside the image.
    """
    roi = image.attrs.get("roi")
    if roi is None:
        return image
    left, top, width, height = inside(roi, image.sizes["col"], image.sizes["row"])
    region = image.isel(row=slice(top, top + height), col=slice(left, left + width))
    gone = ("roi", "overlay") if region.shape != image.shape else ("roi",)
    region.attrs = {k: v for k, v in image.attrs.items() if k not in gone}
    if region.shape != image.shape:
        region.attrs["region"] = (left, top, width, height)
    for dim in ("row", "col"):
        # Coordinates that start at zero have no origin set by the user; those of the region start
        # at zero, too, as in ImageJ. With an origin, each pixel keeps its coordinates.
        if dim in image.coords and image.coords[dim].size and image.coords[dim][0] == 0:
            region = region.assign_coords({dim: image.coords[dim][: region.sizes[dim]].data})
    return region


def inside(box: tuple[int, int, int, int], width: int, height: int) -> tuple[int, int, int, int]:
    """The part of a selection (x, y, width, height) that lies on an image of that size.

    Raises
    ------
    UserError
        If no pixel does.
    """
    left, top = max(box[0], 0), max(box[1], 0)
    columns, rows = min(box[0] + box[2], width) - left, min(box[1] + box[3], height) - top
    if columns < 1 or rows < 1:
        raise UserError(
            "The selection lies outside the image. Draw it again, or choose Select None."
        )
    return left, top, columns, rows


REPLACE_THEM = (
    "Replace them first by a grey level near them, for example with Process > Math > Macro... and "
    'the code "if (isNaN(v) || abs(v)==1/0) v=100".'
)
"""What to do about pixels that are not finite."""


def require_finite(image: xr.DataArray) -> None:
    """Refuse pixels that are not finite numbers.

    Raises
    ------
    UserError
        If there is a NaN or an infinite value; the text says how many and what to do.
    """
    if image.dtype.kind != "f":
        return
    bad = int(image.size - np.count_nonzero(np.isfinite(image.data)))
    if bad:
        raise UserError(
            f"{bad} of the {counted(image.size, 'pixel')} {'is' if bad == 1 else 'are'} NaN "
            f"or infinite. {REPLACE_THEM}"
        )

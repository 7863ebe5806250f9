"""The grid of a result with smaller pixels or fewer axes than its image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from zsfiji.images.axes import STACK_DIMS, pixel_size, planes
from zsfiji.images.metadata import is_rgb


def finer(image: xr.DataArray, scale: int) -> xr.DataArray:
    """Give an image without pixel values on a finer grid of the same field of view.

    Parameters
    ----------
    image : xarray.DataArray
        The image.
    scale : int
        Pixels of the result per pixel of the image, along rows and along columns. 1 gives the image
        itself.

    Returns
    -------
    xarray.DataArray
        Zeros that take no memory, with the axes, the calibration and the metadata, for
        :meth:`xarray.DataArray.copy` with data. An overlay, which would be at the wrong place, is
        left out.
    """
    if scale == 1:
        return image
    coords = {d: c for d, c in image.coords.items() if d not in ("row", "col")}
    spacing = dict(image.attrs.get("spacing", {}))
    for dim in ("row", "col"):
        step = pixel_size(image, dim)
        if dim in image.coords:
            first = float(image.coords[dim][0]) - step / 2 + step / (2 * scale)
            coords[dim] = first + np.arange(image.sizes[dim] * scale) * step / scale
        elif dim in spacing:
            spacing[dim] = step / scale
    attrs = {k: v for k, v in image.attrs.items() if k != "overlay"}
    if spacing:
        attrs["spacing"] = spacing
    shape = tuple(n * scale if d in ("row", "col") else n for d, n in image.sizes.items())
    empty = np.broadcast_to(np.float32(0), shape)
    return xr.DataArray(empty, dims=image.dims, coords=coords, attrs=attrs)


def without_axes(image: xr.DataArray, dims: Sequence[str]) -> xr.DataArray:
    """Give the first planes along some axes as an image without these axes.

    Parameters
    ----------
    image : xarray.DataArray
        The image; without any of the axes it is returned itself.
    dims : sequence of str
        The axes; rows and columns are not among them.

    Returns
    -------
    xarray.DataArray
        A view of its pixels. A plane keeps its label only if it is the only one along the axes.
    """
    there = [dim for dim in dims if dim in image.dims]
    if not there:
        return image
    result = image.isel(dict.fromkeys(there, 0), drop=True)
    labels = image.attrs.get("slice_labels")
    if labels:
        over = [dim for dim in STACK_DIMS if dim != "ch" or not is_rgb(image)]
        own = any(image.sizes[dim] > 1 for dim in there)
        at = [all(p.get(dim, 0) == 0 for dim in there) for p in planes(image, over)]
        kept = [label for label, here in zip(labels, at, strict=False) if here and not own]
        result.attrs = {k: v for k, v in image.attrs.items() if k != "slice_labels"}
        if kept:
            result.attrs["slice_labels"] = kept
    return result

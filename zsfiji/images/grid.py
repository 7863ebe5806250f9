"""The grid of a result with smaller pixels than its image."""

from __future__ import annotations

import numpy as np
import xarray as xr

from zsfiji.images.axes import pixel_size


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

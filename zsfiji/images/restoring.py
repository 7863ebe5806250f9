"""What every restoring service does with an image: check it, group its planes, take them out."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import xarray as xr

from zsfiji.errors import UserError
from zsfiji.images.axes import planes, size
from zsfiji.images.metadata import require_finite

Position = dict[Hashable, int]
"""Where a plane is: indices for :meth:`xarray.DataArray.isel`."""


def require_pixels(image: xr.DataArray) -> None:
    """Refuse an image without enough pixels, or with some that are no numbers.

    Raises
    ------
    UserError
        If the image is empty, narrower than two pixels or not finite.
    """
    if image.size == 0:
        raise UserError("The image is empty. Open another one.")
    height, width = size(image, "row"), size(image, "col")
    if min(height, width) < 2:
        raise UserError(
            f"The image is {width} x {height} pixels. Denoising needs at least 2 x 2: "
            "choose a larger image or region."
        )
    require_finite(image)


def require_contrast(image: xr.DataArray) -> None:
    """Refuse an image that has the same value everywhere.

    Raises
    ------
    UserError
        If it has.
    """
    values = image.data
    if values.min() == values.max():
        raise UserError(
            "All pixels of the image have the same value, so there is nothing to restore. "
            "Choose another image or region."
        )


def groups(image: xr.DataArray, fit_per: str) -> list[list[Position]]:
    """Positions of the planes that share a model.

    Parameters
    ----------
    image : xarray.DataArray
        The image.
    fit_per : {"channel", "plane"}
        One model for each channel, shared by all slices and frames, or one for each plane.

    Returns
    -------
    list of list of dict
        The groups in the order of the channels, or of the planes in ImageJ's order.

    Raises
    ------
    UserError
        If `fit_per` is neither.
    """
    if fit_per == "plane":
        return [[p] for p in planes(image)]
    if fit_per != "channel":
        raise UserError(f"There is no '{fit_per}' to fit per. Choose channel or plane.")
    by_channel: list[list[Position]] = [[] for _ in range(size(image, "ch"))]
    for position in planes(image):
        by_channel[position.get("ch", 0)].append(position)
    return by_channel


def spread(positions: list[Position], image: xr.DataArray, pixels: int) -> list[Position]:
    """Choose of `positions` so many, spread evenly, that their planes have at most `pixels`."""
    most = max(1, pixels // (size(image, "row") * size(image, "col")))
    return positions[:: -(-len(positions) // most)]


def pixels_of(image: xr.DataArray, position: Position) -> np.ndarray:
    """Give one plane as a contiguous float32 array (row, col)."""
    return np.ascontiguousarray(image.isel(position).data, dtype=np.float32)


def place(image: xr.DataArray, position: Position) -> tuple[Any, ...]:
    """Index of the plane at `position` in an array of the shape of `image`."""
    return tuple(position.get(d, slice(None)) for d in image.dims)


def described(image: xr.DataArray) -> dict[str, Any]:
    """Say what a model was fitted to, in types that JSON has."""
    return {
        "title": str(image.attrs.get("title", "")),
        "shape": [int(n) for n in image.shape],
        "dims": [str(d) for d in image.dims],
    }

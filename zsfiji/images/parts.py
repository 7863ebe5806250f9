"""What every method does with an image: check it, and process it part by part.

A part is what a method restores as one unit: a plane, a z stack, or the patterns of a raw SIM
image. It is given by its axes, such as :data:`PLANE`; an image has one part at each position along
its other axes.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from zsfiji.errors import UserError
from zsfiji.images.axes import STACK_DIMS, planes, size
from zsfiji.images.metadata import require_finite

Position = dict[Hashable, int]
"""Position of a part: an index for each axis that it does not have, for :meth:`DataArray.isel`."""

PLANE = ("row", "col")
STACK = ("pln", "row", "col")
PATTERN = ("ang", "pha", "row", "col")

_NOUNS = {"t": "time point", "pln": "slice", "ch": "channel", "ang": "angle", "pha": "phase"}
"""What the axes over which parts lie are called in messages."""

_BRIGHTEST = 1e13
"""Largest pixel value that is taken. Up to 1e14 all results were those of the same image in other
units; at 1e20 squares no longer fit into 32-bit numbers."""


def require_pixels(image: xr.DataArray, *, faintest: float = 1e-15) -> None:
    """Refuse an image without enough pixels, or with values that nothing can be computed from.

    Parameters
    ----------
    image : xarray.DataArray
        The image.
    faintest : float
        How large its largest value has to be at least, unless all are 0. Measured: far below it
        32-bit numbers are too coarse, and results would be wrong without a word.

    Raises
    ------
    UserError
        If the image is empty, narrower than two pixels or not finite, or if its values are much too
        small or too large.
    """
    if image.size == 0:
        raise UserError("The image is empty. Open another one.")
    height, width = size(image, "row"), size(image, "col")
    if min(height, width) < 2:
        raise UserError(
            f"The image is {width} x {height} pixels. At least 2 x 2 are needed: choose a larger "
            "image or region."
        )
    require_finite(image)
    largest = max(abs(float(image.data.min())), abs(float(image.data.max())))
    if largest and not faintest <= largest <= _BRIGHTEST:
        raise UserError(
            f"The largest pixel value is {largest:.1e}. It has to be between {faintest:g} and "
            f"{_BRIGHTEST:g}: multiply the image by a constant, with Process > Math > Multiply..."
        )


def require_size(
    image: xr.DataArray,
    smallest: int,
    needs: str,
    otherwise: str = "choose a larger image or region",
) -> None:
    """Refuse an image that is too small for a method.

    Parameters
    ----------
    image : xarray.DataArray
        The image.
    smallest : int
        Least rows and columns.
    needs : str
        What needs them, with its verb, such as "A reconstruction needs".
    otherwise : str
        What the user can do.

    Raises
    ------
    UserError
        If it has fewer.
    """
    height, width = size(image, "row"), size(image, "col")
    if min(height, width) < smallest:
        raise UserError(
            f"The image is {width} x {height} pixels. {needs} at least {smallest} x {smallest}: "
            f"{otherwise}."
        )


def require_contrast(image: xr.DataArray) -> None:
    """Refuse an image that has the same value everywhere.

    Raises
    ------
    UserError
        If all values are the same.
    """
    values = image.data
    if values.min() == values.max():
        raise UserError(
            "All pixels of the image have the same value, so there is nothing to restore. "
            "Choose another image or region."
        )


def positions(image: xr.DataArray, part: Sequence[str] = PLANE) -> list[Position]:
    """Positions of all parts of an image.

    Parameters
    ----------
    image : xarray.DataArray
        The image.
    part : sequence of str
        The axes of a part.

    Returns
    -------
    list of dict
        In ImageJ's order: channels fastest, frames slowest.
    """
    return list(planes(image, [dim for dim in STACK_DIMS if dim not in part]))


def groups(image: xr.DataArray, fit_per: str, part: Sequence[str] = PLANE) -> list[list[Position]]:
    """Positions of the parts that share a model.

    Parameters
    ----------
    image : xarray.DataArray
        The image.
    fit_per : {"channel", "plane"}
        One model for each channel, shared by all parts of it, or one for each part.
    part : sequence of str
        The axes of a part.

    Returns
    -------
    list of list of dict
        The groups in the order of the channels, or of the parts in ImageJ's order.

    Raises
    ------
    UserError
        If `fit_per` is neither of the two.
    """
    if fit_per == "plane":
        return [[position] for position in positions(image, part)]
    if fit_per != "channel":
        raise UserError(f"fit_per is '{fit_per}'. Choose channel or plane.")
    by_channel: list[list[Position]] = [[] for _ in range(size(image, "ch"))]
    for position in positions(image, part):
        by_channel[position.get("ch", 0)].append(position)
    return by_channel


def spread(
    positions: list[Position], image: xr.DataArray, pixels: int, part: Sequence[str] = PLANE
) -> list[Position]:
    """Choose evenly spread `positions` whose parts have at most `pixels` together, at least one."""
    most = max(1, pixels // math.prod(size(image, dim) for dim in part))
    return positions[:: -(-len(positions) // most)]


def pixels_of(image: xr.DataArray, position: Position, part: Sequence[str] = PLANE) -> np.ndarray:
    """Give one part as an array.

    Parameters
    ----------
    image : xarray.DataArray
        The image.
    position : dict
        Position of the part.
    part : sequence of str
        Its axes, in the order of the result. An axis that the image does not have gets length 1.

    Returns
    -------
    numpy.ndarray
        float32, contiguous. It is a copy unless the part is the whole image in this form.
    """
    found = image.isel(position)
    found = found.expand_dims([dim for dim in part if dim not in found.dims])
    return np.ascontiguousarray(found.transpose(*part).data, dtype=np.float32)


def middle_part(
    image: xr.DataArray, where: Sequence[Position], part: Sequence[str] = PLANE
) -> np.ndarray:
    """Give the part in the middle of some positions; see :func:`pixels_of`."""
    return pixels_of(image, where[len(where) // 2], part)


def named(position: Position) -> str:
    """Say where a part lies, such as "slice 3, channel 1"; nothing for the only part."""
    return ", ".join(f"{_NOUNS[str(dim)]} {index + 1}" for dim, index in position.items())


def place(image: xr.DataArray, position: Position) -> tuple[Any, ...]:
    """Index of the part at `position` in an array of the shape of `image`.

    The indexed part has its axes in the order of the image.
    """
    return tuple(position.get(d, slice(None)) for d in image.dims)


def described(image: xr.DataArray) -> dict[str, Any]:
    """Say what a model was fitted to, in types that JSON has."""
    return {
        "title": str(image.attrs.get("title", "")),
        "shape": [int(n) for n in image.shape],
        "dims": [str(d) for d in image.dims],
    }

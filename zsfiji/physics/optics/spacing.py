"""The pixel size of an image in micrometres, from its calibration or from the user."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from zsfiji.errors import UserError
from zsfiji.images.axes import pixel_size
from zsfiji.images.units import micrometres

_OPTIONS = {"row": "pixel size", "col": "pixel size", "pln": "slice spacing"}
_NAMES = {"row": "pixel height", "col": "pixel width", "pln": "slice spacing (voxel depth)"}


def with_spacing(
    image: xr.DataArray, lateral: float | None, axial: float | None = None
) -> xr.DataArray:
    """The image with other pixel sizes, for files with none or wrong ones.

    Parameters
    ----------
    image : xarray.DataArray
        The image; it is not changed, and the pixels are not copied.
    lateral : float or None
        Width and height of a pixel in micrometres; None leaves them.
    axial : float or None
        Slice spacing (z step) in micrometres; None leaves it.
    """
    steps = {"row": lateral, "col": lateral, "pln": axial}
    given = {d: s for d, s in steps.items() if s is not None and d in image.dims}
    if not given:
        return image
    spacing = {k: v for k, v in image.attrs.get("spacing", {}).items() if k not in given}
    coords = {}
    for dim, step in given.items():
        if image.sizes[dim] > 1:
            coords[dim] = np.arange(image.sizes[dim]) * step
        else:
            spacing[dim] = step
    units = {**image.attrs.get("units", {}), **dict.fromkeys(given, "micron")}
    return image.assign_coords(coords).assign_attrs(units=units, spacing=spacing)


def spacing_micrometres(image: xr.DataArray, dims: Sequence[str]) -> tuple[float, ...]:
    """Pixel sizes of `image` along `dims`.

    Parameters
    ----------
    image : xarray.DataArray
        An image whose attrs name the units.
    dims : sequence of str
        Of ``pln``, ``row`` and ``col``.

    Returns
    -------
    tuple of float
        In micrometres, in the order of `dims`.

    Raises
    ------
    UserError
        If an axis has no calibration, or a unit that is not a length.
    """
    spacings = []
    name = image.attrs.get("title") or "this image"
    for dim in dims:
        unit = str(image.attrs.get("units", {}).get(dim, "")).strip()
        factor = micrometres(unit)
        if factor is None:
            what = f'has the unit "{unit}"' if unit else "has no unit of length"
            raise UserError(
                f"The {_NAMES[dim]} of {name} {what}. "
                f"Set it under Image > Properties..., in microns, or give the {_OPTIONS[dim]}."
            )
        size = pixel_size(image, dim) * factor
        if not size > 0:
            raise UserError(
                f"The {_NAMES[dim]} of {name} is {size:g} microns. "
                "Set it under Image > Properties..."
            )
        spacings.append(size)
    return tuple(spacings)

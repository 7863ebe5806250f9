"""The axes of an image, and walking over its planes.

An image is an :class:`xarray.DataArray` whose dimensions are a subset of :data:`DIMS` in that
order; `row` and `col` are always there.

``t``, ``pln``, ``row``, ``col`` and ``ch`` are PyImageJ's names, in PyImageJ's order. ``ang`` and
``pha`` are the angles and the phases of the illumination patterns of a raw SIM image. These names
are abbreviations of the common ones: OME has "angle" and "phase" (types of its modulo annotations,
in tifffile A and P), and SCIFIO has an axis "Phase". They come after ``t`` and before ``pln``, so
that the planes have the same order in memory whether they become slices or frames in ImageJ; see
:mod:`zsfiji.images.folding`.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from zsfiji.errors import UserError
from zsfiji.words import counted

DIMS = ("t", "ang", "pha", "pln", "row", "col", "ch")
"""Frames, pattern angles, pattern phases, slices, rows, columns, channels."""

PATTERN_DIMS = ("ang", "pha")
"""The axes that ImageJ does not have."""

STACK_DIMS = ("t", "ang", "pha", "pln", "ch")
"""The axes over which planes are stacked, slowest first: channels run fastest, as in ImageJ."""

PIXEL_DTYPES = (np.uint8, np.uint16, np.float32)
"""The pixel types that ImageJ has."""


def as_image(
    data: Any,
    dims: Sequence[str] | None = None,
    attrs: Mapping[str, Any] | None = None,
) -> xr.DataArray:
    """Make an image out of an array.

    Parameters
    ----------
    data : array_like
        The pixels. An :class:`xarray.DataArray` keeps its coordinates and attributes.
    dims : sequence of str, optional
        Names of the axes, from :data:`DIMS`. Without it a 2D array is (row, col) and a 3D one
        (pln, row, col); arrays of more axes need it.
    attrs : mapping, optional
        Metadata, with the keys of :mod:`zsfiji.images.metadata`.

    Returns
    -------
    xarray.DataArray
        The image, in the order of :data:`DIMS`; the pixels are not copied unless ImageJ lacks
        their type: booleans become 8 bit, other numbers 32-bit floats.

    Raises
    ------
    UserError
        If the axes are not known or the pixels are not numbers.
    """
    if isinstance(data, xr.DataArray):
        image = data if dims is None else data.rename(dict(zip(data.dims, dims, strict=True)))
        if attrs:
            image = image.assign_attrs(attrs)
    else:
        array = np.asarray(data)
        if dims is None:
            guess: dict[int, tuple[str, ...]] = {2: ("row", "col"), 3: ("pln", "row", "col")}
            if array.ndim not in guess:
                raise UserError(
                    f"The array has {counted(array.ndim, 'axis', 'axes')}, and it is not known "
                    "which of them are slices, frames and channels. "
                    f"Give an xarray.DataArray with the dimensions {', '.join(DIMS)}."
                )
            if array.ndim == 3 and array.dtype == np.uint8 and array.shape[-1] in (3, 4):
                raise UserError(
                    f"The array has the shape {array.shape}, which looks like a colour picture. "
                    "Give an xarray.DataArray with the dimensions row, col, ch, or with pln, row, "
                    "col if the first axis is slices."
                )
            dims = guess[array.ndim]
        image = xr.DataArray(array, dims=tuple(dims), attrs=dict(attrs or {}))
    unknown = [str(d) for d in image.dims if d not in DIMS]
    if unknown or "row" not in image.dims or "col" not in image.dims:
        raise UserError(
            f"The image has the axes {', '.join(map(str, image.dims))}. "
            f"zsfiji takes row and col, and of t, ang, pha, pln and ch those that are there."
        )
    image = image.transpose(*(d for d in DIMS if d in image.dims))
    return image.astype(_pixel_dtype(image.dtype), copy=False)


def _pixel_dtype(dtype: np.dtype) -> np.dtype:
    own = dtype.newbyteorder("=")
    if own in PIXEL_DTYPES:
        return own
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    if np.issubdtype(dtype, np.integer) or np.issubdtype(dtype, np.floating):
        return np.dtype(np.float32)
    raise UserError(f"Pixels of the type {dtype} are not supported. Convert them to numbers first.")


def size(image: xr.DataArray, dim: str) -> int:
    """Length of `dim`, 1 where the image does not have it."""
    return int(image.sizes.get(dim, 1))


def planes(image: xr.DataArray, over: Sequence[str] = STACK_DIMS) -> Iterator[dict[Hashable, int]]:
    """Walk over the positions along the axes `over`, in the order of :data:`STACK_DIMS`.

    Parameters
    ----------
    image : xarray.DataArray
        The image.
    over : sequence of str
        The axes to walk; those that the image does not have are skipped.

    Yields
    ------
    dict
        Indices for :meth:`xarray.DataArray.isel`; an empty one for an image without such axes.
    """
    dims = [d for d in STACK_DIMS if d in over and d in image.dims]
    for index in np.ndindex(*(image.sizes[d] for d in dims)):
        yield dict(zip(dims, index, strict=True))


def count(image: xr.DataArray, over: Sequence[str] = STACK_DIMS) -> int:
    """Number of positions that :func:`planes` walks."""
    return math.prod(size(image, d) for d in over)


def pixel_size(image: xr.DataArray, dim: str) -> float:
    """Spacing of the pixels along `dim`, in the unit of its calibration; 1 if uncalibrated."""
    places = _places(image, dim)
    if places.size < 2:
        return float(image.attrs.get("spacing", {}).get(dim, 1.0))
    return float(places[1] - places[0])


def step_and_origin(image: xr.DataArray, dim: str) -> tuple[float, float]:
    """Spacing of the pixels along `dim`, as ImageJ has it, and its origin.

    Returns
    -------
    step : float
        Above 0; 1 if uncalibrated. ImageJ's axes are even: the mean of uneven ones.
    origin : float
        The pixel whose coordinate is 0.
    """
    places = _places(image, dim)
    step = pixel_size(image, dim)
    # With the first at zero the second is the step exactly.
    if places.size > 1 and places[0] != 0:
        step = float(places[-1] - places[0]) / (places.size - 1)
    step = abs(step)
    if not 0 < step < math.inf:
        step = 1.0
    return step, -float(places[0]) / step + 0.0 if places.size else 0.0


def _places(image: xr.DataArray, dim: str) -> np.ndarray:
    """Coordinates along `dim`; none where they are names or dates, which ImageJ does not have."""
    if dim not in image.coords or image.coords[dim].dtype.kind not in "iuf":
        return np.zeros(0)
    return np.atleast_1d(image.coords[dim].data).astype(float)


def set_calibration(
    image: xr.DataArray,
    steps: Mapping[str, float],
    units: Mapping[str, str],
    origins: Mapping[str, float] | None = None,
) -> None:
    """Set the calibration of an image.

    Parameters
    ----------
    image : xarray.DataArray
        Changed in place.
    steps : mapping
        Axis -> spacing of its pixels, 1 for axes that are left out.
    units : mapping
        Axis -> unit of the spacing.
    origins : mapping, optional
        Axis -> pixel whose coordinate is 0.
    """
    spacing = {}
    for dim in ("t", "pln", "row", "col"):
        step, origin = steps.get(dim, 1.0), (origins or {}).get(dim, 0.0)
        if dim in image.dims:
            image.coords[dim] = (np.arange(image.sizes[dim]) - origin) * step
        elif origin:
            image.coords[dim] = -origin * step
        if size(image, dim) == 1 and (step != 1 or dim in units):
            spacing[dim] = step
    if units:
        image.attrs["units"] = dict(units)
    if spacing:
        image.attrs["spacing"] = spacing

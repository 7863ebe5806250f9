"""Images of ImageJ2: ``Dataset`` and ``ImgPlus``, which only Fiji has.

The pixels of a ``Dataset`` are read by PyImageJ; the calibration's units, the title and the looks,
which PyImageJ leaves behind, are added here. A new ``Dataset`` lies in Java's memory, so that it
lives as long as Fiji needs it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import xarray as xr

from zsfiji.bridge.convert.images import (
    is_gray,
    java_array,
    lut_colours,
    to_imageplus,
    to_imglib2,
)
from zsfiji.bridge.start import host
from zsfiji.bridge.start.classes import jc
from zsfiji.errors import UserError
from zsfiji.images.axes import DIMS, PATTERN_DIMS, as_image, size, step_and_origin
from zsfiji.images.palette import picture

_AXES = {
    "X": "col",
    "Y": "row",
    "Channel": "ch",
    "Z": "pln",
    "Phase": "pha",
    "Angle": "ang",
    "Time": "t",
}
"""ImageJ2's names of the axes, in the order in which ImageJ keeps their pixels. A Dataset has the
axes of SIM patterns as they are: "Phase" is SCIFIO's name, and OME's "angle" has none there."""

_WITHOUT_UNIT = ("", "null", "pixel", "pixels")


def is_dataset(image: Any) -> bool:
    """Whether `image` is a ``Dataset`` or an ``ImgPlus``; always False in the embedded ImageJ."""
    return _gateway() is not None and isinstance(image, (jc.Dataset, jc.ImgPlus))


def from_dataset(image: Any) -> xr.DataArray:
    """Copy an image out of ImageJ2.

    Parameters
    ----------
    image : net.imagej.Dataset or net.imagej.ImgPlus
        The image, with its axes in any order.

    Returns
    -------
    xarray.DataArray
        The image: uint8, uint16 or float32, which pixels of other types become; dimensions t, ang,
        pha, pln, row, col, ch without those of length 1. With title, units, display ranges, LUTs
        and colour of the Dataset. A picture of numbered colours is read as the RGB or grey image
        that it shows; see :mod:`zsfiji.images.palette`.

    Raises
    ------
    UserError
        If it has axes that zsfiji does not know.
    """
    gateway = _required_gateway()
    dataset = image if isinstance(image, jc.Dataset) else gateway.dataset().create(image)
    axes = {
        str(dataset.axis(number).type().getLabel()): dataset.axis(number)
        for number in range(dataset.numDimensions())
    }
    array = gateway.py.to_xarray(dataset)
    names = {d: _AXES.get(str(d), d) for d in array.dims}
    array = array.rename({d: name for d, name in names.items() if d != name})
    array = array.squeeze(
        [d for d in array.dims if array.sizes[d] == 1 and d not in ("row", "col")], drop=True
    )
    odd = [str(d) for d in array.dims if d not in DIMS]
    if odd:
        raise UserError(
            f"{dataset.getName()} has the axis {', '.join(odd)}, and zsfiji knows "
            f"{', '.join(_AXES)}. Work on one position of that axis, or name it in Image > "
            "Properties..."
        )
    result = as_image(array.drop_vars(["ch", *PATTERN_DIMS], errors="ignore"))
    result.name = None
    result.attrs = _looks(dataset, size(result, "ch")) | _calibration(axes, result)
    luts = result.attrs.get("luts", [])
    shown = picture(result, luts[0]) if len(luts) == 1 else None
    return result if shown is None else shown


def _calibration(axes: dict[str, Any], image: xr.DataArray) -> dict[str, Any]:
    """Units of the axes, and the spacings that the coordinates cannot tell."""
    units, spacing = {}, {}
    for label, axis in axes.items():
        dim = _AXES.get(label, "ch")
        if dim in ("ch", *PATTERN_DIMS):
            continue
        unit = str(axis.unit() or "")
        if unit not in _WITHOUT_UNIT:
            units[dim] = unit
        step = float(axis.averageScale(0, 1))
        if size(image, dim) == 1 and (step != 1 or dim in units):
            spacing[dim] = step
    found = {"units": units, "spacing": spacing}
    return {key: value for key, value in found.items() if value}


def _looks(dataset: Any, channels: int) -> dict[str, Any]:
    """Title, and how the image is shown."""
    looks: dict[str, Any] = {"title": str(dataset.getName() or "Untitled")}
    if dataset.getSource():
        looks["path"] = str(dataset.getSource())
    if dataset.isRGBMerged() and channels == 3:
        return looks | {"rgb": True}
    ranges = [
        (float(dataset.getChannelMinimum(n)), float(dataset.getChannelMaximum(n)))
        for n in range(channels)
    ]
    if all(math.isfinite(high - low) and high > low for low, high in ranges):
        looks["display_ranges"] = ranges
    tables = [dataset.getColorTable(n) for n in range(int(dataset.getColorTableCount()))]
    if len(tables) == channels and all(table is not None for table in tables):
        colours = [_colours(table) for table in tables]
        if channels > 1 or not is_gray(colours[0]):
            looks["luts"] = colours
    return looks


def _colours(table: Any) -> np.ndarray:
    """The colours of a table, uint8 (256, 3)."""
    packed = [int(table.lookupARGB(0, 255, value)) for value in range(256)]
    return np.stack([np.right_shift(packed, shift) & 255 for shift in (16, 8, 0)], 1).astype("u1")


def to_dataset(image: xr.DataArray) -> Any:
    """Copy an image into ImageJ2, without showing it.

    Parameters
    ----------
    image : xarray.DataArray
        The image, as :func:`zsfiji.images.axes.as_image` takes it. Pixels that are neither uint8,
        uint16 nor float32 become 32-bit floats.

    Returns
    -------
    net.imagej.Dataset
        The image, with the axes X, Y, and those of Channel, Z, Phase, Angle, Time that are longer
        than 1.

    Raises
    ------
    UserError
        If ImageJ has no room for it.
    """
    from jpype import JArray

    gateway = _required_gateway()
    image = as_image(image)
    rgb = bool(image.attrs.get("rgb"))
    # A Dataset keeps colours as three channels.
    imp = to_imageplus(image.assign_attrs(rgb=False))
    axes, stack = [], []
    for label, dim in _AXES.items():
        if size(image, dim) == 1 and dim not in ("row", "col"):
            continue
        step, origin = step_and_origin(image, dim)
        unit = image.attrs.get("units", {}).get(dim)
        if dim not in ("row", "col"):
            stack.append(size(image, dim))
        axes.append(jc.DefaultLinearAxis(jc.Axes.get(label), unit, step, -origin * step))
    title = str(image.attrs.get("title") or "Untitled")
    plus = jc.ImgPlus(to_imglib2(imp, stack), title, JArray(jc.CalibratedAxis)(axes))
    dataset = gateway.dataset().create(plus)
    luts = list(imp.getLuts())
    dataset.initializeColorTables(len(luts))
    for channel, lut in enumerate(luts):
        dataset.setColorTable(
            jc.ColorTable8([java_array(column) for column in lut_colours(lut).T]), channel
        )
        dataset.setChannelMinimum(channel, lut.min)
        dataset.setChannelMaximum(channel, lut.max)
    dataset.setRGBMerged(rgb)
    return dataset


def _gateway() -> Any:
    running = host.current()
    return None if running is None else running.gateway


def _required_gateway() -> Any:
    gateway = host.start().gateway
    if gateway is None:
        raise UserError(
            "A Dataset needs a Fiji, and the ImageJ that zsfiji brings runs: name a Fiji with "
            "--fiji or ZSFIJI_FIJI, or use an ImagePlus."
        )
    return gateway

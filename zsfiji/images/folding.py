"""Angles and phases of a raw SIM image, as the slices or the frames of an ImageJ hyperstack.

ImageJ has channels, slices and frames only. For a window or a TIFF file the pattern axes become
slices if the image has no slices of its own, otherwise frames; phases run faster than angles. The
planes keep their order. The property :data:`PROPERTY` says how this was done, as in
``slices angles=3 phases=5``, and each plane has a label such as "angle 2/3, phase 1/5". Both are
checked when the image comes back: if planes were deleted, added or reordered, the image has the
axes that ImageJ shows.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from zsfiji.images.axes import PATTERN_DIMS, STACK_DIMS, pixel_size, planes, size
from zsfiji.images.metadata import is_rgb
from zsfiji.words import counted

PROPERTY = "zsfiji.patterns"
"""The property of an image that says how its pattern axes are folded."""

_INTO = {"slices": "pln", "frames": "t"}
_NAMES = {"ang": "angle", "pha": "phase"}
_VALUE = re.compile(r"(slices|frames) angles=(\d{1,4}) phases=(\d{1,4})")
_LABEL = re.compile(r"(angle|phase) \d+/\d+")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Folding:
    """How pattern axes are folded.

    Attributes
    ----------
    into : {"pln", "t"}
        The axis that contains them.
    angles, phases : int
        Their lengths.
    """

    into: str
    angles: int
    phases: int

    @classmethod
    def of(cls, properties: Mapping[str, str]) -> Folding | None:
        """Read it from the properties of an image; None without it."""
        found = _VALUE.fullmatch(str(properties.get(PROPERTY, "")))
        if found is None:
            return None
        folding = cls(_INTO[found[1]], int(found[2]), int(found[3]))
        return folding if folding.patterns > 1 else None

    @property
    def patterns(self) -> int:
        """Number of patterns."""
        return self.angles * self.phases

    def __str__(self) -> str:
        """The text of the property."""
        name = next(name for name, dim in _INTO.items() if dim == self.into)
        return f"{name} angles={self.angles} phases={self.phases}"

    def unfolded(self, sizes: Mapping[str, int]) -> dict[str, int] | None:
        """Lengths of the axes without the folding; None if it does not fit `sizes`."""
        length = sizes.get(self.into, 1)
        most = self.patterns if self.into == "pln" else length
        if length % self.patterns or length > most or not length:
            return None
        lengths = {self.into: length // self.patterns, "ang": self.angles, "pha": self.phases}
        return {**sizes, **lengths}


def fold(image: xr.DataArray) -> xr.DataArray:
    """Combine the pattern axes with the slices or the frames.

    Parameters
    ----------
    image : xarray.DataArray
        The image, its axes in the order of :data:`zsfiji.images.axes.DIMS`.

    Returns
    -------
    xarray.DataArray
        The image with ImageJ's axes only, and with the property and the labels that :func:`unfold`
        needs; an image without pattern axes is returned unchanged. If patterns became frames, the
        frame interval is that of the time points divided by the number of patterns. Coordinates
        along the pattern axes are lost.
    """
    if not any(dim in image.dims for dim in PATTERN_DIMS):
        return image
    single = [dim for dim in (*PATTERN_DIMS, "pln") if dim in image.dims and size(image, dim) == 1]
    image = image.squeeze(single).drop_vars(PATTERN_DIMS, errors="ignore")
    into = "t" if "pln" in image.dims else "pln"
    folding = Folding(into, size(image, "ang"), size(image, "pha"))
    if folding.patterns == 1:
        return image
    merged = [dim for dim in ("t", *PATTERN_DIMS) if dim in image.dims]
    if into == "pln" and "t" in merged:
        merged.remove("t")
    first = image.dims.index(merged[0])
    dims = (*image.dims[:first], into, *image.dims[first + len(merged) :])
    shape = (*image.shape[:first], -1, *image.shape[first + len(merged) :])
    attrs = {
        **image.attrs,
        "properties": {**image.attrs.get("properties", {}), PROPERTY: str(folding)},
        "slice_labels": _labels(image, folding),
    }
    share = 1.0 if into == "pln" else 1 / folding.patterns
    folded = xr.DataArray(image.data.reshape(shape), dims=dims, attrs=attrs)
    return _calibrated(folded, image, into, share)


def unfold(image: xr.DataArray) -> xr.DataArray:
    """Restore the pattern axes that :func:`fold` combined with others.

    Parameters
    ----------
    image : xarray.DataArray
        An image with ImageJ's axes.

    Returns
    -------
    xarray.DataArray
        The image with its pattern axes, a view of the same pixels. An image without folded axes is
        returned unchanged. If its planes have changed or are in another order, it is returned with
        ImageJ's axes and without the property, and the log says so.
    """
    properties = dict(image.attrs.get("properties", {}))
    if properties.pop(PROPERTY, None) is None:
        return image
    folding = Folding.of(image.attrs["properties"])
    attrs = {key: value for key, value in image.attrs.items() if key != "properties"}
    if properties:
        attrs["properties"] = properties
    lengths = None if folding is None else folding.unfolded(_sizes(image))
    if folding is None or lengths is None:
        _tell(image, folding)
        return _with(image, attrs)
    into = folding.into
    dims = [dim for dim in ("t", *PATTERN_DIMS) if dim in lengths and lengths[dim] > 1]
    if into == "pln" and "t" in dims:
        dims.remove("t")
    at = image.dims.index(into)
    shape = (*image.shape[:at], *(lengths[d] for d in dims), *image.shape[at + 1 :])
    pixels = image.data.reshape(shape)
    result = xr.DataArray(pixels, dims=(*image.dims[:at], *dims, *image.dims[at + 1 :]))
    result.attrs = attrs
    own = _own_labels(result, folding, attrs.get("slice_labels") or [])
    if own is None:
        _tell(image, folding)
        return _with(image, attrs)
    result.attrs.pop("slice_labels", None)
    if any(own):
        result.attrs["slice_labels"] = own
    share = 1.0 if into == "pln" else float(folding.patterns)
    return _calibrated(result, image, into, share)


def _sizes(image: xr.DataArray) -> dict[str, int]:
    return {str(dim): int(length) for dim, length in image.sizes.items()}


def _with(image: xr.DataArray, attrs: dict[str, Any]) -> xr.DataArray:
    result = image.copy(deep=False)
    result.attrs = attrs
    return result


def _tell(image: xr.DataArray, folding: Folding | None) -> None:
    """Log that an image keeps the axes that ImageJ shows."""
    title = image.attrs.get("title") or "The image"
    if folding is None:
        _log.warning(
            "%s has the property %s = %r, which zsfiji cannot read. It keeps the axes that ImageJ "
            "shows.",
            title,
            PROPERTY,
            image.attrs["properties"][PROPERTY],
        )
        return
    what = "slices" if folding.into == "pln" else "frames"
    there = size(image, folding.into)
    changed = "in another order, or some of them are new"
    if folding.unfolded(_sizes(image)) is None:
        changed = f"{there} of them" if there > 1 else "none of them"
    _log.warning(
        "The %s of %s were the patterns of a raw SIM image (%s, %s), but now there are %s. They "
        "are used as plain %s.",
        what,
        title,
        counted(folding.angles, "angle"),
        counted(folding.phases, "phase"),
        changed,
        what,
    )


def _over(image: xr.DataArray) -> list[str]:
    """The axes along which planes have labels of their own."""
    return [dim for dim in STACK_DIMS if dim != "ch" or not is_rgb(image)]


def _label(position: Mapping[Any, int], folding: Folding) -> str:
    lengths = {"ang": folding.angles, "pha": folding.phases}
    return ", ".join(
        f"{_NAMES[dim]} {position[dim] + 1}/{lengths[dim]}"
        for dim in PATTERN_DIMS
        if lengths[dim] > 1
    )


def _labels(image: xr.DataArray, folding: Folding) -> list[str]:
    """Labels of the planes in a folded image: the pattern, then the label that the plane had."""
    own = image.attrs.get("slice_labels") or []
    labels = []
    for number, position in enumerate(planes(image, _over(image))):
        label = _label(position, folding)
        behind = own[number] if number < len(own) else None
        labels.append(f"{label}; {behind}" if behind else label)
    return labels


def _own_labels(
    image: xr.DataArray, folding: Folding, labels: Sequence[str | None]
) -> list[str | None] | None:
    """Labels without the pattern; None if they show that the planes are not in order.

    Labels without any pattern show nothing: ImageJ may have removed them.
    """
    if not any(label and _LABEL.match(label) for label in labels):
        return list(labels)
    own: list[str | None] = []
    for number, position in enumerate(planes(image, _over(image))):
        label = labels[number] if number < len(labels) else None
        expected = _label(position, folding)
        if not label or not label.startswith(expected):
            return None
        behind = label.removeprefix(expected)
        if behind and not behind.startswith("; "):
            return None
        own.append(behind.removeprefix("; ") or None)
    return own


def _calibrated(
    result: xr.DataArray, source: xr.DataArray, into: str, share: float
) -> xr.DataArray:
    """Give `result` the calibration of `source`, the steps along `into` as `share` of those."""
    spacing = dict(source.attrs.get("spacing", {}))
    known = into in spacing or into in source.attrs.get("units", {})
    coords = {
        dim: coordinate
        for dim, coordinate in source.coords.items()
        if dim != into and set(coordinate.dims) <= set(result.dims)
    }
    # Indexing `coords` directly would make xarray create a coordinate for an axis without one.
    there = dict(source.coords).get(into)
    if there is not None and there.dtype.kind not in "iuf":
        # Names or dates, which ImageJ's axes do not have.
        source, there = source.drop_vars(into), None
    step = pixel_size(source, into) * (share if known else 1.0)
    first = 0.0 if there is None else float(np.atleast_1d(there.data)[0])
    spacing.pop(into, None)
    if into not in result.dims:
        if known or step != 1:
            spacing[into] = step
        if first:
            coords[into] = xr.DataArray(first)
    elif known or there is not None:
        coords[into] = xr.DataArray(first + np.arange(result.sizes[into]) * step, dims=into)
    result = result.assign_coords(coords)
    result.attrs.pop("spacing", None)
    if spacing:
        result.attrs["spacing"] = spacing
    return result

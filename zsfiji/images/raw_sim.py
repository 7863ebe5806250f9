"""The order of the frames in a raw SIM image that another program saved.

Microscopes save the angles and phases of the patterns as slices, frames or channels, mixed with the
real slices, time points and channels, or as tiles of one large image. An order names these axes
from the slowest to the fastest, as in "angle-z-phase"; :data:`PRESETS` are those of some
microscopes. Axes that an order does not name are slower than the patterns.

Source of the presets: the manual of SIMcheck (Ball et al., Sci. Rep. 5, 15915, 2015).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import xarray as xr

from zsfiji.errors import UserError
from zsfiji.images.axes import (
    DIMS,
    PATTERN_DIMS,
    STACK_DIMS,
    count,
    pixel_size,
    planes,
    set_calibration,
    size,
)
from zsfiji.words import counted

PRESETS = {
    "angle-major": "angle-phase",
    "phase-major": "phase-angle",
    "omx": "angle-z-phase",
    "elyra": "phase-angle-time-z",
    "n-sim": "mosaic-angle-phase",
}
"""Preset -> order. "mosaic" are tiles; its first axis goes down, its second one to the right."""

AS_SAVED = "as saved"
"""The order of an image that has axes of patterns already."""

_WORDS = {"time": "t", "angle": "ang", "phase": "pha", "z": "pln", "channel": "ch"}
_NOUNS = {"pln": "slice", "t": "frame", "ch": "channel"}
_USUAL = ((3, 3), (3, 5), (5, 5))
"""Angles and phases of the usual microscopes. The number of planes may be a multiple of theirs."""
_HEXAGONAL = (1, 7)
_FEWEST = 3
"""Phases without which the light that is modulated cannot be told from that which is not."""


@dataclass(frozen=True)
class Order:
    """An order of the frames.

    Attributes
    ----------
    axes : tuple of str
        All of :data:`zsfiji.images.axes.STACK_DIMS`, the slowest first.
    named : frozenset of str
        Those that the text of the order names.
    mosaic : bool
        Whether the frames are tiles.
    """

    axes: tuple[str, ...]
    named: frozenset[str]
    mosaic: bool = False

    @classmethod
    def of(cls, text: str) -> Order:
        """Read an order such as "angle-z-phase", or a preset.

        Raises
        ------
        UserError
            If it is neither.
        """
        plain = text.strip().lower()
        words = PRESETS.get(plain, plain).split("-")
        mosaic = words[0] == "mosaic"
        named = [_WORDS.get(word, "") for word in words[mosaic:]]
        known = "" not in named and len(set(named)) == len(named)
        if not known or not set(PATTERN_DIMS) <= set(named) or (mosaic and len(named) > 2):
            raise UserError(
                f"The order of the frames '{text}' is not known. Choose one of "
                f"{', '.join(PRESETS)}, or name the axes from the slowest to the fastest, as in "
                f"angle-z-phase: {', '.join(_WORDS)}."
            )
        rest = [dim for dim in ("t", "ch", "pln") if dim not in named]
        return cls((*rest, *named), frozenset(named), mosaic)


@dataclass(frozen=True, eq=False)
class Candidates:
    """The orders that a raw image may have.

    Attributes
    ----------
    frames : numpy.ndarray
        (frame, row, col): planes (or tiles) of the image.
    orders : dict of str to numpy.ndarray
        Order -> (angle, phase): which of `frames` make up one stack of patterns, that in the
        middle of the slices and of the time points. The slower the slices or time points are, the
        earlier it comes: read in a later order, an image of an earlier one may have all angles, but
        of different time points; read in an earlier one, that of a later one lacks an angle.
    """

    frames: np.ndarray
    orders: dict[str, np.ndarray]


@dataclass(frozen=True)
class _Layout:
    """Where the patterns are: the axes of the image that contain angles, phases or both."""

    hosts: dict[str, tuple[str, ...]]
    angles: int
    phases: int

    @property
    def tiles(self) -> tuple[int, int]:
        """Tiles along rows and columns."""
        return self.patterns("row"), self.patterns("col")

    def patterns(self, host: str) -> int:
        """Patterns along an axis of the image."""
        lengths = {"ang": self.angles, "pha": self.phases}
        return math.prod(lengths[dim] for dim in self.hosts.get(host, ()))


def arrange(
    image: xr.DataArray, order: str, angles: int = 0, phases: int = 0, slices: int = 0
) -> xr.DataArray:
    """Give a raw SIM image its axes of angles and phases.

    Parameters
    ----------
    image : xarray.DataArray
        With the patterns as slices, frames, channels or tiles. Angles may be on one of these axes
        and phases on another, if their numbers are given or the order is "elyra".
    order : str
        A preset (:data:`PRESETS`), or an order such as "angle-z-phase".
    angles, phases : int
        Numbers of angles and of phases; 0 finds 3 x 3, 3 x 5, 5 x 5 or 1 x 7 from the number of
        planes.
    slices : int
        Real slices, where real slices and time points are on one axis; 0 where they are not.

    Returns
    -------
    xarray.DataArray
        The same pixels, not copied, with the axes `ang` and `pha`, and without axes of length 1.
        Labels follow their planes; the interval between time points is that between planes times
        the number of patterns. An image with axes of patterns keeps its order.

    Raises
    ------
    UserError
        If the number of planes does not fit, or if it may be several numbers of angles and phases.
    """
    _require_grey(image)
    _require_counts(angles, phases)
    if any(dim in image.dims for dim in PATTERN_DIMS):
        return _as_saved(image, angles, phases)
    wanted = Order.of(order)
    image = image.squeeze(
        [dim for dim in STACK_DIMS if dim in image.dims and size(image, dim) == 1]
    )
    layout = _layout_of(image, wanted, angles, phases)
    pixels, labels = image, _labels(image)
    for host in layout.hosts:
        lengths = _lengths(image, wanted, layout, host, slices)
        pixels = _split(pixels, host, lengths)
        if not wanted.mosaic:
            labels = _split(labels, host, lengths)
    if wanted.mosaic:
        labels = labels.expand_dims(ang=layout.angles, pha=layout.phases)
    pixels, labels = _in_order(pixels), _in_order(labels)
    pixels.attrs = _attrs(image, layout, list(labels.data.flat))
    _calibrate(pixels, image, layout)
    return pixels


def require_layout(
    sizes: Mapping[str, int], order: str = "", angles: int = 0, phases: int = 0
) -> None:
    """Refuse an image whose number of planes does not fit, before a pixel is read.

    Parameters
    ----------
    sizes : mapping
        Length of each axis of the image.
    order : str
        As for :func:`arrange`; empty where it is to be found.
    angles, phases : int
        As for :func:`arrange`.

    Raises
    ------
    UserError
        As :func:`arrange`, or where the order is to be found as :func:`candidates`.
    """
    dims = [dim for dim in DIMS if dim in sizes]
    # It takes the memory of a single pixel.
    image = xr.DataArray(np.broadcast_to(np.uint8(0), [sizes[dim] for dim in dims]), dims=dims)
    _require_counts(angles, phases)
    if not order:
        _tried(image, angles, phases)
    elif any(dim in sizes for dim in PATTERN_DIMS):
        _as_saved(image, angles, phases)
    else:
        _layout_of(image, Order.of(order), angles, phases)


def _layout_of(image: xr.DataArray, order: Order, angles: int, phases: int) -> _Layout:
    """Where the patterns are, in an order that is known."""
    if order.mosaic:
        return _tiles(image, order, angles, phases)
    return _layout(image, angles, phases, apart=order == Order.of("elyra"))


def candidates(image: xr.DataArray, angles: int = 0, phases: int = 0) -> Candidates:
    """Find the orders that fit the number of planes, to try them.

    Parameters
    ----------
    image : xarray.DataArray
        A raw image. Its first channel is used, unless the patterns are channels.
    angles, phases : int
        As for :func:`arrange`.

    Returns
    -------
    Candidates
        A single one, :data:`AS_SAVED`, if the image has axes of patterns. Of orders that give the
        same stack the first one is there.

    Raises
    ------
    UserError
        If no order fits.
    """
    _require_grey(image)
    _require_counts(angles, phases)
    names, tiles, layout = _tried(image, angles, phases)
    # Arranging the numbers of the planes instead of their pixels shows where each of them goes.
    few = image.isel(row=[0] * tiles[0], col=[0] * tiles[1])
    numbers = few.copy(data=np.arange(few.size).reshape(few.shape))
    places = list(np.ndindex(few.shape))
    orders: dict[str, np.ndarray] = {}
    for name in names:
        placed = arrange(numbers, name, layout.angles, layout.phases)
        middle: dict[Any, int] = {
            dim: size(placed, dim) // 2 for dim in ("t", "pln") if dim in placed.dims
        }
        if "ch" in placed.dims:
            middle["ch"] = 0
        index = placed.isel(middle).data[..., 0, 0]
        if not any(np.array_equal(index, other) for other in orders.values()):
            orders[name] = index
    used = np.unique(np.concatenate([index.ravel() for index in orders.values()]))
    height, width = (size(image, d) // n for d, n in zip(("row", "col"), tiles, strict=True))
    frames = []
    for number in used:
        at: dict[Any, Any] = dict(zip(few.dims, places[number], strict=True))
        for dim, length in (("row", height), ("col", width)):
            at[dim] = slice(at[dim] * length, (at[dim] + 1) * length)
        frames.append(image.isel(at).data)
    return Candidates(
        np.stack(frames), {name: np.searchsorted(used, index) for name, index in orders.items()}
    )


def _tried(
    image: xr.DataArray, angles: int, phases: int
) -> tuple[list[str], tuple[int, int], _Layout]:
    """Orders to try, tiles along rows and columns, and where the patterns are."""
    if any(dim in image.dims for dim in PATTERN_DIMS):
        there = _as_saved(image, angles, phases)
        return [AS_SAVED], (1, 1), _Layout({}, size(there, "ang"), size(there, "pha"))
    try:
        layout = _layout(image, angles, phases)
    except UserError:
        names = ["mosaic-angle-phase", "mosaic-phase-angle"]
        found = {}
        for name in names:
            with suppress(UserError):
                found[name] = _tiles(image, Order.of(name), angles, phases)
        if not found or count(image) > 1:
            raise
        # Both have the same number of tiles only if there are as many angles as phases.
        name, layout = next(iter(found.items()))
        alike = [n for n, other in found.items() if other.tiles == layout.tiles]
        return alike, layout.tiles, layout
    names = ["angle-phase", "phase-angle"]
    host = next(iter(layout.hosts))
    if size(image, host) > layout.patterns(host):
        word = next(word for word, dim in _WORDS.items() if dim == host)
        names += [
            f"angle-{word}-phase",
            f"phase-{word}-angle",
            f"phase-angle-{word}",
            f"angle-phase-{word}",
        ]
    return names, (1, 1), layout


def _require_grey(image: xr.DataArray) -> None:
    if image.attrs.get("rgb"):
        raise UserError(
            "The image is a colour (RGB) picture, and a raw SIM image has grey levels. Open the "
            "file of the camera, or convert it with Image > Type > 8-bit."
        )


def _require_counts(angles: int, phases: int) -> None:
    if phases and phases < _FEWEST:
        raise UserError(
            f"A pattern with {counted(phases, 'phase')} cannot be reconstructed: it takes at least "
            f"{_FEWEST}. Give the number of phases of each angle."
        )


def _as_saved(image: xr.DataArray, angles: int, phases: int) -> xr.DataArray:
    """An image that has axes of patterns, with both of them."""
    there = (size(image, "ang"), size(image, "pha"))
    if angles not in (0, there[0]) or phases not in (0, there[1]):
        raise UserError(
            f"The image has {counted(there[0], 'angle')} and {counted(there[1], 'phase')}, but "
            f"{angles or there[0]} and {phases or there[1]} were asked for. Leave the numbers of "
            "angles and phases at 0."
        )
    _require_counts(*there)
    return _in_order(image)


def _in_order(image: xr.DataArray) -> xr.DataArray:
    """The image with both axes of patterns, the axes in the order of the house."""
    image = image.expand_dims([dim for dim in PATTERN_DIMS if dim not in image.dims])
    return image.transpose(*(dim for dim in DIMS if dim in image.dims))


def _pairs(angles: int, phases: int, number: int) -> list[tuple[int, int]]:
    """Numbers of angles and phases that have just this number of patterns."""
    if angles and phases:
        return [(angles, phases)] if angles * phases == number else []
    usual = [*_USUAL, _HEXAGONAL]
    found = [p for p in usual if angles in (0, p[0]) and phases in (0, p[1])]
    if angles and number % angles == 0 and number // angles >= _FEWEST:
        found.append((angles, number // angles))
    if phases and number % phases == 0:
        found.append((number // phases, phases))
    return [pair for pair in found if math.prod(pair) == number][:1]


def _layout(image: xr.DataArray, angles: int, phases: int, *, apart: bool = False) -> _Layout:
    """Find the patterns.

    Raises
    ------
    UserError
        If the number of planes does not fit.
    """
    for exact in ("ch", *_NOUNS):
        for pair in _pairs(angles, phases, size(image, exact)):
            return _Layout({exact: PATTERN_DIMS}, *pair)
    for host in _NOUNS:
        number = size(image, host)
        pairs = [(angles, phases)] if angles and phases else _USUAL
        fits = [
            pair
            for pair in pairs
            if angles in (0, pair[0]) and phases in (0, pair[1]) and number % math.prod(pair) == 0
        ]
        if len(fits) > 1:
            raise UserError(
                f"The {counted(number, _NOUNS[host])} may be "
                + " or ".join(f"{number // (a * p)} x {a} angles x {p} phases" for a, p in fits)
                + ". Give the numbers of angles and phases."
            )
        if fits:
            return _Layout({host: PATTERN_DIMS}, *fits[0])
    if apart or (angles > 1 and phases):
        for first, second in permutations(("pln", "t", "ch"), 2):
            for pair in [(angles, phases)] if angles and phases else _USUAL:
                if not size(image, first) % pair[0] and not size(image, second) % pair[1]:
                    return _Layout({first: ("ang",), second: ("pha",)}, *pair)
    raise _misfit(image, angles, phases)


def _misfit(image: xr.DataArray, angles: int, phases: int) -> UserError:
    """What is wrong with the number of planes."""
    has = ", ".join(counted(size(image, dim), noun) for dim, noun in _NOUNS.items())
    if angles and phases:
        one = counted(angles, "angle") + f" x {counted(phases, 'phase')}"
        number = angles * phases
        return UserError(
            f"The image has {has}, but {one} need {counted(angles * phases, 'plane')}, or a "
            "whole multiple of "
            f"{angles * phases}, on one of these axes. Open the whole raw stack without other "
            "planes, or give other numbers of angles and phases.",
            in_dialog=f"The image has {has}. {one} need {counted(number, 'plane')} on one of "
            f"these axes, or a whole multiple of {number}.",
        )
    needed = ", ".join(f"{a * p} ({a} angles x {p} phases)" for a, p in _USUAL)
    short = ", ".join(f"{a * p} ({a} x {p})" for a, p in _USUAL)
    return UserError(
        f"The image has {has}, which is no raw SIM image of the usual kinds: those have {needed} "
        "planes, or a whole multiple of them, or 7 (hexagonal). Open the whole raw stack without "
        "other planes, or give the numbers of angles and phases.",
        in_dialog=f"The image has {has}. Raw SIM images have {short}, a multiple of these, or 7 "
        "planes. For others enter the numbers of angles and phases.",
    )


def _tiles(image: xr.DataArray, order: Order, angles: int, phases: int) -> _Layout:
    """Find the tiles.

    Raises
    ------
    UserError
        If the image cannot be divided, or may be divided in several ways.
    """
    down, across = (dim for dim in order.axes if dim in PATTERN_DIMS)
    height, width = size(image, "row"), size(image, "col")
    fits = []
    for pair in [(angles, phases)] if angles and phases else _USUAL:
        layout = _Layout({"row": (down,), "col": (across,)}, *pair)
        rows, cols = layout.tiles
        # Where the numbers are not given, the tiles are square, as cameras are.
        square = bool(angles and phases) or height * cols == width * rows
        asked = angles in (0, pair[0]) and phases in (0, pair[1])
        if square and asked and height % rows == 0 and width % cols == 0:
            fits.append(layout)
    if len(fits) == 1:
        return fits[0]
    if not fits and angles and phases:
        why = f"It cannot be divided into {angles} angles x {phases} phases."
    elif not fits:
        why = "It cannot be divided into square tiles of 3 x 3, 3 x 5 or 5 x 5 patterns."
    else:
        why = "It can be divided in several ways."
    raise UserError(
        f"The image has {width} x {height} pixels. {why} Open the whole mosaic, or give other "
        "numbers of angles and phases."
    )


def _lengths(
    image: xr.DataArray, order: Order, layout: _Layout, host: str, slices: int
) -> dict[str, int]:
    """Axes into which an axis of the image is split, the slowest first, and their lengths."""
    rest = size(image, host) // layout.patterns(host)
    real = {host: rest}
    others = [dim for dim in ("t", "pln", "ch") if dim in order.named]
    if slices and host in ("pln", "t"):
        own = size(image, "t" if host == "pln" else "pln")
        wrong = rest % slices != 0 if own == 1 else slices != (rest if host == "pln" else own)
        if wrong:
            raise UserError(
                f"The image does not have {counted(slices, 'slice')}: its "
                f"{counted(size(image, host), _NOUNS[host])} are {rest} x {layout.angles} angles x "
                f"{layout.phases} phases. Give another number of slices, or 0."
            )
        if own == 1:
            real = {"pln": slices, "t": rest // slices}
    elif host not in order.named and len(others) == 1 and size(image, others[0]) == 1:
        real = {others[0]: rest}
    if host in ("row", "col"):
        return {layout.hosts[host][0]: layout.patterns(host), host: rest}
    lengths = {"ang": layout.angles, "pha": layout.phases}
    found = {dim: lengths[dim] for dim in layout.hosts[host]}
    found |= {dim: length for dim, length in real.items() if length > 1}
    return {dim: found[dim] for dim in order.axes if dim in found}


def _split(image: xr.DataArray, host: str, lengths: dict[str, int]) -> xr.DataArray:
    at = image.dims.index(host)
    shape = (*image.shape[:at], *lengths.values(), *image.shape[at + 1 :])
    dims: tuple[Hashable, ...] = (*image.dims[:at], *lengths, *image.dims[at + 1 :])
    coords = {
        name: coordinate
        for name, coordinate in image.coords.items()
        if host not in coordinate.dims and name not in lengths
    }
    return xr.DataArray(image.data.reshape(shape), dims=dims, coords=coords)


def _labels(image: xr.DataArray) -> xr.DataArray:
    """The label of each plane, or None."""
    dims = [dim for dim in STACK_DIMS if dim in image.dims]
    labels = np.full([image.sizes[dim] for dim in dims], None, dtype=object)
    for position, label in zip(planes(image), image.attrs.get("slice_labels") or [], strict=False):
        labels[tuple(position[dim] for dim in dims)] = label
    return xr.DataArray(labels, dims=dims)


def _attrs(image: xr.DataArray, layout: _Layout, labels: list[str | None]) -> dict[str, Any]:
    """The metadata, as far as they hold for the planes in another order."""
    gone = {"slice_labels", "spacing"}
    if "row" in layout.hosts:
        gone |= {"roi", "region", "overlay"}
    if "ch" in layout.hosts:
        gone |= {"luts", "mode", "display_ranges"}
    attrs = {key: value for key, value in image.attrs.items() if key not in gone}
    ranges = image.attrs.get("display_ranges")
    if ranges and size(image, "ch") == layout.patterns("ch"):
        lows, highs = zip(*ranges, strict=True)
        attrs["display_ranges"] = [(min(lows), max(highs))]
    if any(labels):
        attrs["slice_labels"] = labels
    return attrs


def _calibrate(result: xr.DataArray, image: xr.DataArray, layout: _Layout) -> None:
    """Give `result` the calibration of the image that it was arranged from, in place."""
    units = dict(image.attrs.get("units", {}))
    steps, origins = {}, {}
    for dim in ("t", "pln", "row", "col"):
        there = dict(image.coords).get(dim)
        if there is not None and there.dtype.kind not in "iuf":
            # Names or dates, which ImageJ's axes do not have.
            image = image.drop_vars(dim)
            there = None
        step = pixel_size(image, dim)
        if there is not None and there.size:
            origins[dim] = -float(np.atleast_1d(there.data)[0]) / step
        known = step != 1 or dim in units
        steps[dim] = step * layout.patterns(dim) if dim == "t" and known else step
    if "t" in origins:
        origins["t"] *= pixel_size(image, "t") / steps["t"]
    set_calibration(result, steps, units, origins)

"""What stacks of an image share: their calibration and their background, and which have light."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import xarray as xr

from zsfiji.errors import UserError
from zsfiji.images.axes import size
from zsfiji.images.parts import PATTERN, Position, named, pixels_of
from zsfiji.reconstruction.bands import NoLight
from zsfiji.services.over_parts import Group
from zsfiji.services.sim import straight
from zsfiji.services.sim.calibration import Calibration
from zsfiji.services.sim.finding import calibrate, dark_level
from zsfiji.services.sim.given import Given
from zsfiji.words import counted

T = TypeVar("T")

_log = logging.getLogger(__name__)


def calibration_for(image: xr.DataArray, where: Sequence[Position], given: Given) -> Calibration:
    """The calibration of some stacks of patterns of an image; see :func:`known_or_found`."""
    dark = None if given.known else background_for(image, where, given.background)
    return known_or_found(image, where, given.known, lambda stack: calibrate(stack, given, dark))


def background_for(image: xr.DataArray, where: Sequence[Position], given: float | None) -> float:
    """Grey level without light: the given one, or that of the darkest place of some stacks.

    That of one alone may have haze everywhere, and be brighter than all of another one.
    """
    if given is not None:
        return given
    return min(dark_level(pixels_of(image, position, PATTERN)) for position in where)


def found_in_one(
    image: xr.DataArray,
    where: Sequence[Position],
    find: Callable[[np.ndarray], T],
    part: Sequence[str] = PATTERN,
) -> T:
    """What is found in the part in the middle, or in the nearest one that has light.

    Parameters
    ----------
    image : xarray.DataArray
        The raw image.
    where : sequence of dict
        Positions of the parts.
    find : callable
        Takes a part; raises NoLight if a frame of it has none.
    part : sequence of str
        Axes of a part.

    Raises
    ------
    UserError
        If no part has light in all frames.
    """
    dark: NoLight | None = None
    places = _from_middle(where)
    for position in places:
        try:
            found = find(pixels_of(image, position, part))
        except NoLight as error:
            dark = dark or error
            continue
        if dark is not None:
            _log.warning(
                "The patterns were looked for in %s: there is no light above the background in %s.",
                named(position),
                named(places[0]),
            )
        return found
    assert dark is not None, "there are parts"
    if all(size(image, str(dim)) == 1 for dim in places[0]):
        raise dark
    elsewhere = ", as elsewhere" if len(where) > 1 else ""
    raise UserError(f"In {named(places[0])}{elsewhere}: {dark}")


def lit(image: xr.DataArray, group: Group, calibration: Calibration) -> list[np.ndarray]:
    """The chosen stacks of a group that have light in all frames, to learn from.

    Parameters
    ----------
    image : xarray.DataArray
        The raw image.
    group : Group
        Its positions; if no chosen one has light, that of :func:`lit_middle` is taken.
    calibration : Calibration
        Has the background.

    Raises
    ------
    UserError
        If none has.
    """
    chosen = group.pixels(image, PATTERN)
    light = [stack for stack in chosen if straight.lit(calibration.above(stack))]
    return light or [lit_middle(image, group.positions, calibration)]


def lit_middle(
    image: xr.DataArray,
    where: Sequence[Position],
    calibration: Calibration,
    part: Sequence[str] = PATTERN,
) -> np.ndarray:
    """The part in the middle of some positions, or the nearest one that has light in all frames.

    Raises
    ------
    UserError
        If none has.
    """
    for position in _from_middle(where):
        stack = pixels_of(image, position, part)
        if straight.lit(calibration.above(stack)):
            return stack
    raise UserError(
        f"There is no light above the background of {calibration.record.background:.4g} in all "
        "frames. Check the background, or acquire again."
    )


def _from_middle(where: Sequence[Position]) -> list[Position]:
    """The positions, the nearest to the middle first."""
    middle = len(where) // 2
    return [where[n] for n in sorted(range(len(where)), key=lambda n: abs(n - middle))]


def known_or_found(
    image: xr.DataArray,
    where: Sequence[Position],
    known: Sequence[Calibration],
    find: Callable[[np.ndarray], Calibration],
    part: Sequence[str] = PATTERN,
) -> Calibration:
    """The calibration of some parts of an image.

    Parameters
    ----------
    image : xarray.DataArray
        The raw image.
    where : sequence of dict
        Positions of the parts, all of one channel.
    known : sequence of Calibration
        Given ones, one for each channel of the image or a single one; may be empty.
    find : callable
        Takes a part and gives its calibration; called if none is known, see :func:`found_in_one`.
    part : sequence of str
        Axes of a part.

    Raises
    ------
    UserError
        If what is known is for another number of channels, angles or phases, or no part has light.
    """
    if not known:
        return found_in_one(image, where, find, part)
    if len(known) not in (1, size(image, "ch")):
        raise UserError(
            f"The saved parameters are for {counted(len(known), 'channel')} and the image has "
            f"{size(image, 'ch')}. Find the patterns of this image."
        )
    found = known[where[0].get("ch", 0) if len(known) > 1 else 0]
    there = (size(image, "ang"), size(image, "pha"))
    saved = (found.patterns.angles, found.patterns.frames)
    if there != saved:
        raise UserError(
            f"The saved parameters are for {saved[0]} angles x {saved[1]} phases and the image has "
            f"{there[0]} x {there[1]}. Find the patterns of this image, or give its order."
        )
    here = (size(image, "row"), size(image, "col"))
    if found.record.shape and found.record.shape != here:
        rows, cols = found.record.shape
        _log.warning(
            "The saved parameters are of an image of %d x %d pixels, and this one has %d x %d: the "
            "phases of the patterns are right only if both begin at the same pixel of the camera.",
            cols,
            rows,
            here[1],
            here[0],
        )
    lit_middle(image, where, found, part)
    return found

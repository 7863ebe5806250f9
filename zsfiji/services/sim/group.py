"""The calibration of stacks that share one: given ones, or what is found in the middle one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr

from zsfiji.errors import UserError
from zsfiji.images.axes import size
from zsfiji.images.parts import PATTERN, Position, middle_part
from zsfiji.services.sim.calibration import Calibration
from zsfiji.services.sim.finding import calibrate
from zsfiji.services.sim.given import Given
from zsfiji.words import counted

_log = logging.getLogger(__name__)


def calibration_for(image: xr.DataArray, where: Sequence[Position], given: Given) -> Calibration:
    """The calibration of some stacks of patterns of an image; see :func:`known_or_found`."""
    return known_or_found(image, where, given.known, lambda stack: calibrate(stack, given))


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
        Takes a part and gives its calibration; called for the middle one if none is known.
    part : sequence of str
        Axes of a part.

    Raises
    ------
    UserError
        If what is known is for another number of channels, angles or phases.
    """
    if not known:
        return find(middle_part(image, where, part))
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
    return found

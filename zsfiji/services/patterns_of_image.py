"""The patterns of an image that a model is applied to: their phases are others in each image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import xarray as xr

from zsfiji import progress
from zsfiji.images.parts import PATTERN, groups
from zsfiji.learning.models import Model
from zsfiji.services import over_parts
from zsfiji.services.sim.calibration import Calibration
from zsfiji.services.sim.capture import Calibrated
from zsfiji.services.sim.given import Given
from zsfiji.services.sim.group import calibration_for

S = TypeVar("S")
U = TypeVar("U", bound=Calibrated)


def for_image(
    model: Model[S, U],
    image: xr.DataArray,
    with_patterns: Callable[[U, Calibration], U],
    known: Sequence[Calibration] = (),
    background: float | None = None,
) -> Model[S, U]:
    """Give a model the patterns of another image than the one that it was fitted to.

    Parameters
    ----------
    model : Model
        Its settings say what it was fitted per; its units have the optics.
    image : xarray.DataArray
        The raw image that it will be applied to.
    with_patterns : callable
        Takes a unit and a calibration, and gives the unit with that one.
    known : sequence of Calibration
        Given ones, as in :class:`.Given`; without them the patterns are found in the image.
    background : float, optional
        Grey level without light; measured if it is not known. That of the image that the model was
        fitted to may be another one.

    Raises
    ------
    UserError
        If the image, or what is given, does not fit the model.
    """
    per = model.settings.fit_per  # type: ignore[attr-defined]
    found = groups(image, per, PATTERN)
    over_parts.require_as_many(
        len(model.units), len(found), "channel" if per == "channel" else "stack"
    )
    progress.report(0, "Finding patterns")
    units = []
    for unit, where in zip(model.units, found, strict=True):
        given = _through_the_lens(unit.calibration, background, tuple(known))
        units.append(with_patterns(unit, calibration_for(image, where, given)))
    return replace(model, units=tuple(units))


def _through_the_lens(
    fitted: Calibration, background: float | None, known: tuple[Calibration, ...]
) -> Given:
    """What is known of an image that has the optics of another one."""
    layout = _layout_of(fitted)
    return Given(fitted.transfer, fitted.record.pixel, background, layout, known=known)


def _layout_of(calibration: Calibration) -> str:
    """Name of the layout that a calibration is of."""
    patterns = calibration.patterns
    if patterns.waves == 1:
        return "two-beam"
    return "three-beam" if patterns.waves == 2 else "hexagonal"

"""What ``Blind SIM...`` does once its options are read."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import xarray as xr

from zsfiji.commands import restore as common
from zsfiji.commands.inputs import calibrated
from zsfiji.commands.outcome import Outcome, Table
from zsfiji.commands.pattern_table import or_nan, pattern_table
from zsfiji.commands.sim import cutoff_of
from zsfiji.commands.untold import PSF, arranged, with_psf
from zsfiji.errors import UserError
from zsfiji.parameters.pixel_sizes import PixelSizes

if TYPE_CHECKING:
    from zsfiji.learning.models import Model
    from zsfiji.parameters.model_files import ModelFiles
    from zsfiji.parameters.sim import RawOrder, UntoldOptics
    from zsfiji.services.blind_sim.restorer import Restorer
    from zsfiji.services.blind_sim.service import Given
    from zsfiji.services.blind_sim.settings import Settings

_FINDING = 0.4
"""Part of the progress that finding patterns and counting iterations is. Measured."""


def reconstructed(
    image: xr.DataArray,
    order: RawOrder,
    optics: UntoldOptics,
    *,
    settings: Settings,
    files: ModelFiles,
    wanted: tuple[str, ...],
    uncertainty: bool,
    device: str,
) -> Outcome:
    """Find the specimen of a raw image.

    Parameters
    ----------
    image : xarray.DataArray
        As it was opened.
    order, optics : RawOrder, UntoldOptics
        How it is arranged, and what is known of the microscope.
    settings : Settings
        Of the method.
    files : ModelFiles
        A model to apply, and where what was found goes.
    wanted : tuple of str
        Names of the windows that are wanted besides the emitter.
    uncertainty : bool
        Whether that of the emitter is wanted.
    device : str
        Where to compute.

    Raises
    ------
    UserError
        If the image cannot be reconstructed.
    """
    from zsfiji.services.blind_sim.results import psf_shown
    from zsfiji.services.blind_sim.service import BlindSim, for_image

    image = calibrated(image, PixelSizes(pixel_size=optics.pixel_size))
    given = _given(image, order, optics)
    raw = arranged(image, order, optics.background)
    method = BlindSim(wanted)
    model, start = common.loaded_or_fitted(
        method,
        raw,
        settings,
        given,
        files=files,
        share=common.trained_share(_FINDING, uncertainty),
        device=device,
    )
    title = str(image.attrs.get("title") or "image")

    def served(loaded: Model[Settings, Restorer], other: xr.DataArray) -> Model[Settings, Restorer]:
        return for_image(loaded, other, optics.background)

    outcome = common.apply(
        method,
        model,
        raw,
        bit_depth="32-bit",
        uncertainty=uncertainty,
        adapt=served if files.apply_model is not None else None,
        tables=lambda serving: (table(f"{title} patterns", serving),),
        device=device,
        start=start,
    )
    images = outcome.images
    if PSF in wanted:
        channels = model.units if model.settings.fit_per == "channel" else model.units[:1]
        planes = [psf_shown(one.calibration.transfer) for one in channels]
        images = with_psf(images, planes, image)
    return replace(outcome, images=images)


def _given(image: xr.DataArray, order: RawOrder, optics: UntoldOptics) -> Given:
    """What is known of the microscope."""
    from zsfiji.physics.optics.spacing import spacing_micrometres
    from zsfiji.reconstruction.cutoff import HIGHEST
    from zsfiji.services.blind_sim.service import Given
    from zsfiji.services.blind_sim.stacks import Optics

    told = optics.na is not None and optics.emission is not None
    if (optics.na is None) != (optics.emission is None):
        raise UserError(
            "The cut-off of the lens follows from its numerical aperture and the emission: give "
            "both 'na' and 'emission', or none of them."
        )
    try:
        pixel = spacing_micrometres(image, ("row", "col"))[1]
    except UserError:
        if told:
            raise
        pixel = math.nan
    cutoff = None
    if optics.na is not None and optics.emission is not None:
        cutoff = cutoff_of(optics.na, optics.emission, pixel, most=HIGHEST)
    known = Optics(optics.background, cutoff, None, order.pattern)
    return Given(known, pixel)


def table(title: str, model: Model[Settings, Restorer]) -> Table:
    """What was found as a table, a row for each wave, each number with its standard error."""
    units = model.units

    def cells(unit: int, angle: int, wave: int) -> dict[str, float]:
        record = units[unit].record
        found = units[unit].calibration.waves[angle][wave]
        doubt = or_nan(record.wave_vector_error[angle][wave])
        # Of the frequency, and of the direction in radians.
        relative = doubt / found.frequency if found.frequency else math.nan
        spacing = 1 / found.frequency if found.frequency else math.nan
        period = 1 / record.found.cutoff
        return {
            "Spacing (px)": spacing,
            "Error (px)": spacing * relative,
            "Spacing (nm)": found.spacing,
            "Direction (deg)": found.direction,
            "Error (deg)": math.degrees(relative),
            "Modulation": found.modulation,
            "Modulation error": or_nan(found.error),
            "Cut-off period (px)": period,
            "Cut-off error (px)": or_nan(record.cutoff_error) * period,
            "Damping": record.found.damping,
        }

    calibrations = [unit.calibration for unit in units]
    return pattern_table(title, calibrations, model.settings.fit_per, cells)

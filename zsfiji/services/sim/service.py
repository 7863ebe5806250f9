"""SIM reconstruction as a method: its fit finds the patterns, and nothing is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import xarray as xr

from zsfiji.compute.device import choose
from zsfiji.errors import UserError
from zsfiji.images.axes import size
from zsfiji.images.parts import PATTERN, require_contrast, require_pixels, require_size
from zsfiji.learning.models import Model, model_of
from zsfiji.quality.report import Report
from zsfiji.reconstruction.drift import Drift
from zsfiji.services import over_parts
from zsfiji.services.method import Method, Restored
from zsfiji.services.sim.calibration import Calibration, Record
from zsfiji.services.sim.capture import capture, captured
from zsfiji.services.sim.given import Given
from zsfiji.services.sim.group import calibration_for
from zsfiji.services.sim.reconstructor import RESULTS, SCALE, Reconstructor
from zsfiji.services.sim.report import calibration_report, drift_said, haze_said
from zsfiji.services.sim.settings import Settings

SMALLEST = 32
"""Least rows and columns of a raw image: a pattern has ten lines there. Not tuned."""

FAINTEST = 1e-4
"""Least that the largest value of a raw image may be: at a tenth of it results are still those of
the same image in other units, at a thousandth they are not."""


class Sim:
    """The method.

    Parameters
    ----------
    results : sequence of str
        Those of :data:`.RESULTS` that are wanted; the others are not computed.
    """

    name = "sim"
    settings_type = Settings
    record_type = Record

    def __init__(self, results: Sequence[str] = RESULTS) -> None:
        self._results = tuple(results)

    def unit(self, record: Record, tensors: Mapping[str, torch.Tensor]) -> Reconstructor:
        """Make a unit from what a file keeps of it."""
        return Reconstructor(Calibration(record))

    def fit(
        self, image: xr.DataArray, settings: Settings, given: Given, *, device: str = "auto"
    ) -> Model[Settings, Reconstructor]:
        """Find the patterns of an image, or take those that are given; see :class:`.Method`."""
        require_raw(image)

        def fit_one(group: over_parts.Group) -> Reconstructor:
            return Reconstructor(calibration_for(image, group.positions, given))

        units = over_parts.fit(
            image,
            fit_one,
            fit_per=settings.fit_per,
            part=PATTERN,
            first="Finding patterns",
        )
        return model_of(self, settings, image, units)

    def apply(
        self, model: Model[Settings, Reconstructor], image: xr.DataArray, *, device: str = "auto"
    ) -> Restored:
        """Reconstruct an image; see :class:`.Method`.

        Returns
        -------
        Restored
            The wanted ones of :data:`.RESULTS`, on half the pixel size, in grey levels above the
            background.
        """
        require_raw(image)
        where = choose(device)
        drifts: list[Drift] = []
        shares: list[float] = []

        def restore_one(
            unit: Reconstructor,
            stack: np.ndarray,
            channel: int | None,
            results: Mapping[str, np.ndarray],
        ) -> None:
            found, drift = unit.reconstruct(stack, model.settings, where, self._results)
            drifts.append(drift)
            if model.settings.quality == "iterative" and "sim" in found:
                light = float(unit.calibration.above(stack).mean())
                if light > 0:
                    shares.append(1 - float(found["sim"].mean()) / light)
            for name, values in found.items():
                results[name][:] = values

        images = over_parts.apply(
            image,
            model.units,
            restore_one,
            outputs(self._results),
            fit_per=model.settings.fit_per,
            part=PATTERN,
            label="Reconstructing",
        )
        units = [unit.calibration for unit in model.units]
        report = calibration_report(units, image, model.settings.fit_per)
        notes = (*drift_said(drifts, image), *haze_said(shares), *report.notes)
        return Restored(images, Report(notes, report.metrics))

    def simulate(
        self,
        model: Model[Settings, Reconstructor],
        restored: Mapping[str, xr.DataArray],
        seed: int,
    ) -> xr.DataArray:
        """Simulate the raw image of the reconstructed specimen; see :class:`.Method`."""
        return captured(restored["sim"], model, capture, seed=seed)


def outputs(names: tuple[str, ...]) -> tuple[over_parts.Output, ...]:
    """Results on the finer grid, which do not have the axes of the patterns."""
    return tuple(over_parts.Output(name, SCALE, ("ang", "pha")) for name in names)


def require_raw(image: xr.DataArray) -> None:
    """Refuse what is no raw SIM image.

    Raises
    ------
    UserError
        If it has no patterns, is too small, has no contrast in a frame, is not finite, or has
        values that are much too small or too large.
    """
    require_pixels(image, faintest=FAINTEST)
    require_contrast(image)
    if size(image, "pha") < 2:
        raise UserError(
            "The image has no patterns: a raw SIM image has several phases for each angle. Open "
            "the raw stack of the microscope, not a reconstruction."
        )
    _require_structure(image)
    require_size(image, SMALLEST, "A reconstruction needs")


def _require_structure(image: xr.DataArray) -> None:
    """Refuse an image with a frame of one value: dark, saturated, or lost when it was saved."""
    over = [dim for dim in ("pln", "row", "col") if dim in image.dims]
    flat = image.min(over).data == image.max(over).data
    if not flat.any():
        return
    left = [str(dim) for dim in image.dims if dim not in over]
    place = dict(zip(left, np.argwhere(flat)[0], strict=True))
    raise UserError(
        f"All pixels of phase {place.get('pha', 0) + 1} of angle {place.get('ang', 0) + 1} have "
        "the same value: the frame is dark, saturated or lost. Acquire again, or remove the time "
        "point."
    )


METHOD: Method[Settings, Given, Reconstructor] = Sim()

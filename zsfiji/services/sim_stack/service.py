"""Reconstruction of 3D-SIM stacks as a method; nothing is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import torch
import xarray as xr

from zsfiji.compute.device import choose, with_fallback
from zsfiji.errors import UserError
from zsfiji.images.axes import PATTERN_DIMS, size
from zsfiji.images.parts import STACK
from zsfiji.learning.models import Model, model_of
from zsfiji.physics.sim.optics import RadialTransfer
from zsfiji.physics.sim.optics_3d import StackTransfer
from zsfiji.quality.report import Report
from zsfiji.reconstruction.drift import Drift
from zsfiji.reconstruction.estimate_3d import estimate_stack
from zsfiji.reconstruction.frames import require_different
from zsfiji.services import over_parts
from zsfiji.services.method import Method, Restored
from zsfiji.services.sim.calibration import Calibration
from zsfiji.services.sim.capture import captured
from zsfiji.services.sim.finding import record_of
from zsfiji.services.sim.group import background_for, known_or_found
from zsfiji.services.sim.reconstructor import RESULTS
from zsfiji.services.sim.report import calibration_report, drift_said
from zsfiji.services.sim.service import outputs, require_raw
from zsfiji.services.sim.settings import Settings
from zsfiji.services.sim.straight import measured, moved, turned
from zsfiji.services.sim_stack.given import StackGiven, stack_layout
from zsfiji.services.sim_stack.reconstructor import (
    StackReconstructor,
    StackRecord,
    require_quality,
)
from zsfiji.words import counted

PATTERN_STACK = (*PATTERN_DIMS, *STACK)
"""The axes of a part."""

FEWEST = 4
"""Least slices of a stack: fewer do not tell the axial frequencies apart. Not tuned."""


class SimStack:
    """The method.

    Parameters
    ----------
    results : sequence of str
        Those of :data:`.RESULTS` that are wanted; the others are not computed.
    """

    name = "sim-stack"
    settings_type = Settings
    record_type = StackRecord

    def __init__(self, results: Sequence[str] = RESULTS) -> None:
        self._results = tuple(results)

    def unit(self, record: StackRecord, tensors: Mapping[str, torch.Tensor]) -> StackReconstructor:
        """Make a unit from what a file keeps of it."""
        return StackReconstructor(record, tensors)

    def fit(
        self, image: xr.DataArray, settings: Settings, given: StackGiven, *, device: str = "auto"
    ) -> Model[Settings, StackReconstructor]:
        """Find the patterns of an image, or take those that are given; see :class:`.Method`."""
        require_stack(image)
        require_quality(settings)

        def fit_one(group: over_parts.Group) -> StackReconstructor:
            def find(stack: np.ndarray) -> Calibration:
                planes = [
                    {**position, "pln": z}
                    for position in group.positions
                    for z in range(size(image, "pln"))
                ]
                return _found(stack, given, background_for(image, planes, given.background))

            calibration = known_or_found(image, group.positions, given.known, find, PATTERN_STACK)
            record = StackRecord(calibration.record, given.optics)
            return StackReconstructor.of(record, given.table)

        units = over_parts.fit(
            image,
            fit_one,
            fit_per=settings.fit_per,
            part=PATTERN_STACK,
            first="Finding patterns",
        )
        return model_of(self, settings, image, units)

    def apply(
        self,
        model: Model[Settings, StackReconstructor],
        image: xr.DataArray,
        *,
        device: str = "auto",
    ) -> Restored:
        """Reconstruct an image; see :class:`.Method`.

        Returns
        -------
        Restored
            As of :class:`zsfiji.services.sim.service.Sim`, with all slices.
        """
        require_stack(image)
        chosen = choose(device)
        drifts: list[Drift] = []

        def restore_one(
            unit: StackReconstructor,
            stack: np.ndarray,
            channel: int | None,
            results: Mapping[str, np.ndarray],
        ) -> None:
            found, drift = with_fallback(
                lambda where: unit.reconstruct(stack, model.settings, where, self._results), chosen
            )
            drifts.append(drift)
            for name, values in found.items():
                results[name][:] = values

        images = over_parts.apply(
            image,
            model.units,
            restore_one,
            outputs(self._results),
            fit_per=model.settings.fit_per,
            part=PATTERN_STACK,
            label="Reconstructing",
        )
        units = [unit.calibration for unit in model.units]
        report = calibration_report(units, image, model.settings.fit_per)
        notes = (*drift_said(drifts, image, PATTERN_STACK), *report.notes)
        return Restored(images, Report(notes, report.metrics))

    def simulate(
        self,
        model: Model[Settings, StackReconstructor],
        restored: Mapping[str, xr.DataArray],
        seed: int,
    ) -> xr.DataArray:
        """Simulate the raw image of the reconstructed specimen; see :class:`.Method`."""
        return captured(restored["sim"], model, StackReconstructor.capture, part=STACK, seed=seed)


def _found(stack: np.ndarray, given: StackGiven, background: float) -> Calibration:
    """The patterns of a stack (angle, frame, pln, row, col)."""
    angles, frames, slices = stack.shape[:3]
    layout = stack_layout(given.layout, angles, frames)
    for number in range(slices):
        require_different(stack[:, :, number], empty=True)
    above = torch.from_numpy(np.asarray(stack, np.float32) - np.float32(background))
    transfer_of = partial(_transfer, given, slices, layout.waves)
    transfer = RadialTransfer(transfer_of(0.0).cutoff)
    # The regression takes the specimen for the same in all angles.
    drift = measured(above, transfer)
    found = estimate_stack(moved(above, drift), transfer_of, layout)
    record = record_of(
        found.plane,
        turned(found.patterns, drift, -1),
        found.error,
        transfer,
        above[:, :, slices // 2],
        noise_variance=found.noise_variance,
        background=background,
        background_given=given.background is not None,
        pixel=given.optics.pixel,
    )
    return Calibration(record)


def _transfer(given: StackGiven, slices: int, waves: int, line: float) -> StackTransfer:
    return given.optics.transfer(given.table, slices, line, waves)


def require_stack(image: xr.DataArray) -> None:
    """Refuse what is no raw 3D-SIM stack.

    Raises
    ------
    UserError
        If it is no raw SIM image, or has too few slices.
    """
    require_raw(image)
    require_slices(image)


def require_slices(image: xr.DataArray) -> None:
    """Refuse too few slices; a UserError says so."""
    slices = size(image, "pln")
    if slices < FEWEST:
        raise UserError(
            f"The image has {counted(slices, 'slice')}, and 3D-SIM needs at least {FEWEST}. Choose "
            "'dimensions=2d', or another order if its slices are mixed with the patterns."
        )


METHOD: Method[Settings, StackGiven, StackReconstructor] = SimStack()

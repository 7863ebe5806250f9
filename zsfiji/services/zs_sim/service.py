"""``ZS-SIM Denoise...``: fit to an image, apply to it or to others of its kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
import xarray as xr

from zsfiji.compute.device import choose, with_fallback
from zsfiji.images.parts import (
    PATTERN,
    PLANE,
    require_contrast,
    require_pixels,
    require_size,
)
from zsfiji.learning.models import Model, model_of
from zsfiji.physics.camera.model import NOTHING_KNOWN, KnownCamera
from zsfiji.quality.report import Findings
from zsfiji.reconstruction.drift import Drift
from zsfiji.services import over_parts, patterns_of_image
from zsfiji.services.method import Method, Restored
from zsfiji.services.sim.calibration import Calibration
from zsfiji.services.sim.capture import capture, captured
from zsfiji.services.sim.given import Given as SimGiven
from zsfiji.services.sim.group import calibration_for, lit
from zsfiji.services.sim.report import calibration_report, drift_said
from zsfiji.services.sim.service import outputs, require_raw
from zsfiji.services.zs_sim.fit import fit_parts
from zsfiji.services.zs_sim.restorer import Record, Restorer
from zsfiji.services.zs_sim.settings import SMALLEST, TRAINING_PIXELS, Settings
from zsfiji.words import counted

NAME = "zs-sim"
"""Name of the denoised result."""

RECONSTRUCTION = "sim"
"""Name of the reconstruction that it was made of."""


@dataclass(frozen=True)
class Given:
    """What is given beside the image.

    Attributes
    ----------
    sim : zsfiji.services.sim.given.Given, optional
        Optics of a raw SIM image; without it the image is not one.
    camera : KnownCamera
        What is known about the camera.
    """

    sim: SimGiven | None = None
    camera: KnownCamera = NOTHING_KNOWN


class ZsSim:
    """ZS-SIM: zero-shot denoising of SIM reconstructions, and of single images."""

    name = "zs-sim"
    settings_type = Settings
    record_type = Record

    def unit(self, record: Record, tensors: Mapping[str, torch.Tensor]) -> Restorer:
        """Make a restorer from its record and its tensors."""
        return Restorer.of(record, tensors)

    def fit(
        self, image: xr.DataArray, settings: Settings, given: Given, *, device: str = "auto"
    ) -> Model[Settings, Restorer]:
        """Train a network on an image; see :class:`.Method`."""
        _require(image, sim=given.sim is not None)
        chosen = choose(device)
        part = _part(given.sim is not None)

        def fit_one(group: over_parts.Group) -> Restorer:
            calibration = None
            if given.sim is not None:
                calibration = calibration_for(image, group.positions, given.sim)
                stacks = lit(image, group, calibration)
            else:
                stacks = group.pixels(image, part)
            where = f" in {settings.fit_per} {group.number + 1}" if group.count > 1 else ""

            def work(device: torch.device) -> Restorer:
                return fit_parts(
                    stacks,
                    settings,
                    given.camera,
                    calibration,
                    device=device,
                    label=group.label,
                    where=where,
                )

            return with_fallback(work, chosen)

        units = over_parts.fit(
            image,
            fit_one,
            fit_per=settings.fit_per,
            pixels=TRAINING_PIXELS,
            part=part,
            first="Measuring the noise" if given.sim is None else "Finding patterns",
        )
        return model_of(self, settings, image, units)

    def apply(
        self, model: Model[Settings, Restorer], image: xr.DataArray, *, device: str = "auto"
    ) -> Restored:
        """Reconstruct and denoise an image with the patterns of the model; see :class:`.Method`.

        :func:`for_image` gives a model the patterns of another image than the one it was fitted to.

        Returns
        -------
        Restored
            Of raw SIM images two images on a grid of half the pixel size, "sim" (the reconstruction
            that the network got) and "zs-sim", without the axes of the patterns; of others
            "zs-sim" on the grid of the image.
        """
        sim = model.units[0].record.sim is not None
        _require(image, sim=sim)
        chosen = choose(device)
        findings = Findings()
        part, per = _part(sim), model.settings.fit_per
        drifts: list[Drift] = []

        def restore_one(
            unit: Restorer,
            part: np.ndarray,
            channel: int | None,
            results: Mapping[str, np.ndarray],
        ) -> None:
            whole, denoised, drift = with_fallback(partial(unit.restore, part), chosen)
            results[NAME][:] = denoised
            if drift is not None:
                results[RECONSTRUCTION][:] = whole
                drifts.append(drift)
            else:
                findings.add(unit.record.noise, whole, denoised, channel)
            findings.remark(_stopped(unit.record))

        images = over_parts.apply(
            image,
            model.units,
            restore_one,
            outputs((RECONSTRUCTION, NAME)) if sim else (over_parts.Output(NAME),),
            fit_per=per,
            part=part,
        )
        first = model.units[0].record
        report = findings.report(steps=float(first.steps), best_step=float(first.best))
        if sim:
            known = calibration_report([unit.calibration for unit in model.units], image, per)
            report = type(report)(
                (*drift_said(drifts, image), *report.notes, *known.notes),
                {**report.metrics, **known.metrics},
            )
        return Restored(images, report)

    def simulate(
        self, model: Model[Settings, Restorer], restored: Mapping[str, xr.DataArray], seed: int
    ) -> xr.DataArray:
        """Simulate another capture of the denoised image; see :class:`.Method`."""
        if model.units[0].record.sim is not None:
            return captured(restored[NAME], model, capture, seed=seed)
        return over_parts.simulate(restored[NAME], model, lambda unit: unit.record.noise, seed=seed)


METHOD: Method[Settings, Given, Restorer] = ZsSim()


def _part(sim: bool) -> tuple[str, ...]:
    """The axes of a part."""
    return PATTERN if sim else PLANE


def for_image(
    model: Model[Settings, Restorer],
    image: xr.DataArray,
    known: Sequence[Calibration] = (),
    background: float | None = None,
) -> Model[Settings, Restorer]:
    """Give a model the patterns of another image; see :func:`.patterns_of_image.for_image`.

    A model of images that are not raw SIM images stays as it is.
    """
    if model.units[0].record.sim is None:
        return model
    require_raw(image)
    return patterns_of_image.for_image(model, image, _with_patterns, known, background)


def _with_patterns(unit: Restorer, found: Calibration) -> Restorer:
    return replace(unit, record=replace(unit.record, sim=found.record))


def _require(image: xr.DataArray, *, sim: bool) -> None:
    if sim:
        require_raw(image)
        return
    require_pixels(image)
    require_contrast(image)
    require_size(image, SMALLEST, "ZS-SIM needs")


def _stopped(record: Record) -> str:
    """Say where the training was stopped."""
    if record.best == 0:
        return (
            "The network did not help: its input alone was better than after any of "
            f"{counted(record.steps, 'step')}. The result is that input."
        )
    return (
        f"Early stopping: the network is that after step {record.best} of {record.steps}, where it "
        "told data with independent noise best."
    )

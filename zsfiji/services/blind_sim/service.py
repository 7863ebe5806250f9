"""Blind SIM as a method: it finds patterns, optics and noise, and learns from the image itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
import xarray as xr

from zsfiji import progress
from zsfiji.compute.device import choose, with_fallback
from zsfiji.images.axes import size
from zsfiji.images.parts import PATTERN
from zsfiji.learning.models import Model, model_of
from zsfiji.physics.sim.grid import SCALE
from zsfiji.physics.sim.optics import illumination
from zsfiji.quality.report import Report
from zsfiji.reconstruction import blind
from zsfiji.reconstruction.blind import Fitted, Known
from zsfiji.reconstruction.drift import Drift
from zsfiji.services import over_parts, patterns_of_image
from zsfiji.services.blind_sim import stacks
from zsfiji.services.blind_sim.capture import capture
from zsfiji.services.blind_sim.report import beyond_reach, said
from zsfiji.services.blind_sim.restorer import Record, Restorer
from zsfiji.services.blind_sim.results import EMITTER, outputs
from zsfiji.services.blind_sim.settings import Settings
from zsfiji.services.blind_sim.stacks import Optics
from zsfiji.services.blind_sim.start import Start, learned
from zsfiji.services.method import Method, Restored
from zsfiji.services.sim.capture import captured
from zsfiji.services.sim.finding import record_of, tuples
from zsfiji.services.sim.group import background_for, found_in_one
from zsfiji.services.sim.report import calibration_report, drift_said
from zsfiji.services.sim.service import require_raw

RESULTS = ("illumination", "background", "residual", "linear", EMITTER)
"""Names of the results, the main one last."""


@dataclass(frozen=True)
class Given:
    """What is known besides an image; nothing has to be.

    Attributes
    ----------
    optics : Optics
        Of the microscope.
    pixel : float
        Width of a pixel in micrometres; NaN if it is not known.
    """

    optics: Optics
    pixel: float = math.nan


class BlindSim:
    """The method.

    Parameters
    ----------
    wanted : sequence of str
        Those of :data:`RESULTS` that are wanted; the emitter always is.
    """

    name = "blind_sim"
    settings_type = Settings
    record_type = Record

    def __init__(self, wanted: tuple[str, ...] = RESULTS) -> None:
        self._wanted = wanted

    def unit(self, record: Record, tensors: Mapping[str, torch.Tensor]) -> Restorer:
        """Make a unit from what a file keeps of it."""
        return Restorer(record, None if record.start is None else Start.of(record.start, tensors))

    def fit(
        self, image: xr.DataArray, settings: Settings, given: Given, *, device: str = "auto"
    ) -> Model[Settings, Restorer]:
        """Find patterns and optics of an image, and train a network on it; see :class:`.Method`."""
        require_raw(image)
        chosen = choose(device)

        def fit_one(group: over_parts.Group) -> Restorer:
            dark = background_for(image, group.positions, given.optics.background)
            optics = replace(given.optics, background=dark)

            def find(stack: np.ndarray) -> Restorer:
                return with_fallback(
                    lambda where: _found(stack, settings, given, optics, where), chosen
                )

            return found_in_one(image, group.positions, find)

        units = over_parts.fit(
            image,
            fit_one,
            fit_per=settings.fit_per,
            part=PATTERN,
            first="Finding patterns",
        )
        return model_of(self, settings, image, units)

    def apply(
        self, model: Model[Settings, Restorer], image: xr.DataArray, *, device: str = "auto"
    ) -> Restored:
        """Find the specimen of an image; see :class:`.Method`.

        Returns
        -------
        Restored
            The wanted ones of :data:`RESULTS`: the light of the patterns relative to its mean, the
            background in grey levels, the residual in standard deviations of the noise, the
            emitter as linear SIM would show it, and the emitter itself, both in grey levels above
            the background.
        """
        require_raw(image)
        chosen = choose(device)
        # Slices of a stack show different planes; time points of a plane are alike.
        warm = model.settings.fit_per == "channel" and size(image, "pln") == 1
        before: dict[int, torch.Tensor] = {}
        drifts: list[Drift] = []
        iterations: list[int] = []
        misfits: list[float] = []
        beyond: list[float] = []

        def restore_one(
            unit: Restorer,
            stack: np.ndarray,
            channel: int | None,
            results: Mapping[str, np.ndarray],
        ) -> None:
            last = before.get(channel or 0) if warm else None
            fitted, drift = with_fallback(
                lambda where: unit.restore(
                    stack, where, iterations=model.settings.iterations, before=last
                ),
                chosen,
            )
            # Where there is no light, there is no start for the next one.
            if drift.lit:
                before[channel or 0] = fitted.surroundings
            drifts.append(drift)
            iterations.append(fitted.iterations)
            misfits.append(float(fitted.residual.mean()))
            known = unit.calibration
            reach = known.transfer.cutoff + known.used.finest
            beyond.append(beyond_reach(fitted.specimen.cpu().numpy(), known.transfer.cutoff, reach))
            for name, values in results.items():
                values[:] = _result(name, fitted)

        images = over_parts.apply(
            image,
            model.units,
            restore_one,
            outputs(self._wanted),
            fit_per=model.settings.fit_per,
            part=PATTERN,
            label="Reconstructing",
        )
        units = [unit.calibration for unit in model.units]
        found = calibration_report(units, image, model.settings.fit_per, told=False)
        misfit = float(np.mean(misfits))
        own = said(
            model.units,
            iterations=iterations[:1],
            misfit=misfit,
            beyond=max(beyond),
            counted_here=model.settings.iterations == 0,
            asked=model.settings.network != "none",
        )
        metrics = {
            "cutoff": units[0].record.cutoff,
            "cutoff_error": model.units[0].record.cutoff_error,
            "damping": units[0].record.damping,
            "iterations": float(iterations[0]),
            "network": float(model.units[0].start is not None),
            "misfit": misfit,
            "beyond": max(beyond),
        }
        notes = (*drift_said(drifts, image), *own, *found.notes)
        return Restored(images, Report(notes, {**found.metrics, **metrics}))

    def simulate(
        self, model: Model[Settings, Restorer], restored: Mapping[str, xr.DataArray], seed: int
    ) -> xr.DataArray:
        """Simulate the raw image of the specimen; see :class:`.Method`."""
        return captured(
            restored[EMITTER],
            model,
            lambda unit, specimen, draws: capture(unit.known, specimen, draws),
            scale=SCALE,
            seed=seed,
        )


def for_image(
    model: Model[Settings, Restorer], image: xr.DataArray, background: float | None = None
) -> Model[Settings, Restorer]:
    """Give a model the patterns of another image; see :func:`.patterns_of_image.for_image`."""
    require_raw(image)
    return patterns_of_image.for_image(
        model, image, lambda unit, found: unit.with_patterns(found.record), background=background
    )


def _found(
    stack: np.ndarray, settings: Settings, given: Given, optics: Optics, device: torch.device
) -> Restorer:
    """Patterns, optics, noise, and how many iterations it bears; `optics` have a background."""
    stacks.check(stack)
    with progress.part(0, 0.15):
        found = stacks.find(stack, optics)
    frames = torch.from_numpy(np.asarray(stack, np.float32)).to(device)
    with progress.part(0.15, 0.4):
        refined, errors = blind.with_refined(found, frames)
    search = found.search
    shown = errors.wave_vector_error.where(search.found, torch.tensor(-1.0).double())
    record = record_of(
        search,
        refined.patterns,
        search.modulation_error,
        found.transfer,
        found.above(torch.from_numpy(np.asarray(stack, np.float32))),
        noise_variance=search.noise_variance,
        background=found.background,
        background_given=given.optics.background is not None,
        pixel=given.pixel,
    )
    error = found.cutoff_error if math.isfinite(found.cutoff_error) else -1.0
    unit = Restorer(Record(record, error, tuples(shown), max(settings.iterations, 1)))
    if settings.iterations:
        return unit
    with progress.part(0.4, 1):
        number, start = learned(unit.known, record, stack, settings, device)
    of_start = None if start is None else start.record
    return Restorer(Record(record, error, tuples(shown), number, of_start), start)


def _result(name: str, fitted: Fitted[Known]) -> np.ndarray:
    """One of :data:`RESULTS`."""
    rows, cols = (int(n) for n in fitted.residual.shape)
    if name == EMITTER:
        made = fitted.specimen
    elif name == "linear":
        made = fitted.linear
    elif name == "residual":
        made = fitted.residual.sqrt()
    elif name == "background":
        made = torch.full((SCALE * rows, SCALE * cols), fitted.background)
    else:
        made = illumination(fitted.patterns, (rows, cols), SCALE)
    found: np.ndarray = made.cpu().numpy()
    return found


METHOD: Method[Settings, Given, Restorer] = BlindSim()

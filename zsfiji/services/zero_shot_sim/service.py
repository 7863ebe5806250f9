"""``Zero-Shot SIM...``: fit to a raw SIM image, apply to it or to others of its kind."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import torch
import xarray as xr

from zsfiji.compute.device import choose, with_fallback
from zsfiji.images.axes import size
from zsfiji.images.parts import PATTERN
from zsfiji.learning.denoiser import Denoiser
from zsfiji.learning.models import Model, load_weights, model_of
from zsfiji.quality.report import Report
from zsfiji.reconstruction.drift import Drift
from zsfiji.services import over_parts, patterns_of_image
from zsfiji.services.method import Method, Restored
from zsfiji.services.sim.calibration import Calibration
from zsfiji.services.sim.capture import captured
from zsfiji.services.sim.given import Given
from zsfiji.services.sim.group import calibration_for, lit
from zsfiji.services.sim.report import calibration_report, drift_said
from zsfiji.services.sim.service import outputs, require_raw
from zsfiji.services.zero_shot_sim.fit import fit_restorer, require_patterns
from zsfiji.services.zero_shot_sim.report import said
from zsfiji.services.zero_shot_sim.restorer import Record, Restorer
from zsfiji.services.zero_shot_sim.settings import CONSTANTS, INPUTS, Settings

RESULTS = ("automatic", "zero-shot")
"""Names of the results: the automatic reconstruction, and that of the network."""


class ZeroShotSim:
    """Our own SIM: a network that learns from the raw image how to improve its reconstruction."""

    name = "zero_shot_sim"
    settings_type = Settings
    record_type = Record

    def unit(self, record: Record, tensors: Mapping[str, torch.Tensor]) -> Restorer:
        """Make a restorer from its record and its weights."""
        network = Denoiser(INPUTS)
        load_weights(network, tensors)
        return Restorer(record, network)

    def fit(
        self, image: xr.DataArray, settings: Settings, given: Given, *, device: str = "auto"
    ) -> Model[Settings, Restorer]:
        """Find the patterns of an image and train a network on it; see :class:`.Method`."""
        require_raw(image)
        chosen = choose(device)

        def fit_one(group: over_parts.Group) -> Restorer:
            calibration = calibration_for(image, group.positions, given)
            stacks = lit(image, group, calibration)
            return with_fallback(
                lambda where: fit_restorer(
                    stacks, calibration, settings=settings, device=where, label=group.label
                ),
                chosen,
            )

        pixels = CONSTANTS.fields * math.prod(size(image, dim) for dim in PATTERN)
        units = over_parts.fit(
            image,
            fit_one,
            fit_per=settings.fit_per,
            pixels=pixels,
            part=PATTERN,
            first="Finding patterns",
        )
        return model_of(self, settings, image, units)

    def apply(
        self, model: Model[Settings, Restorer], image: xr.DataArray, *, device: str = "auto"
    ) -> Restored:
        """Reconstruct an image with the patterns of the model; see :class:`.Method`.

        :func:`for_image` gives a model the patterns of another image than the one it was fitted to.

        Returns
        -------
        Restored
            :data:`RESULTS`, on half the pixel size, in grey levels above the background.
        """
        require_raw(image)
        chosen = choose(device)
        for unit in model.units:
            unit.to(chosen)
        drifts: list[Drift] = []

        def restore_one(
            unit: Restorer,
            stack: np.ndarray,
            channel: int | None,
            results: Mapping[str, np.ndarray],
        ) -> None:
            unit.require_fit((stack.shape[0], stack.shape[1]))
            work = partial(unit.restore, stack, label="Reconstructing")
            *found, drift = with_fallback(work, chosen)
            drifts.append(drift)
            for name, values in zip(RESULTS, found, strict=True):
                results[name][:] = values

        images = over_parts.apply(
            image,
            model.units,
            restore_one,
            outputs(RESULTS),
            fit_per=model.settings.fit_per,
            part=PATTERN,
            label="Reconstructing",
        )
        known = calibration_report(
            [unit.calibration for unit in model.units], image, model.settings.fit_per
        )
        notes, metrics = said([unit.record for unit in model.units])
        sentences = (*drift_said(drifts, image), *known.notes, *notes)
        return Restored(images, Report(sentences, {**known.metrics, **metrics}))

    def simulate(
        self,
        model: Model[Settings, Restorer],
        restored: Mapping[str, xr.DataArray],
        seed: int,
    ) -> xr.DataArray:
        """Simulate the raw image of the reconstructed specimen; see :class:`.Method`."""
        return captured(restored[RESULTS[-1]], model, Restorer.capture, seed=seed)


METHOD: Method[Settings, Given, Restorer] = ZeroShotSim()


def for_image(
    model: Model[Settings, Restorer],
    image: xr.DataArray,
    known: Sequence[Calibration] = (),
    background: float | None = None,
) -> Model[Settings, Restorer]:
    """Give a model the patterns of another image; see :func:`.patterns_of_image.for_image`.

    Raises
    ------
    UserError
        If no pattern is found in the image as well.
    """
    require_raw(image)
    for unit in model.units:
        unit.require_fit((size(image, "ang"), size(image, "pha")))
    return patterns_of_image.for_image(model, image, _with_patterns, known, background)


def _with_patterns(unit: Restorer, found: Calibration) -> Restorer:
    require_patterns(found)
    return unit.with_patterns(found.record)

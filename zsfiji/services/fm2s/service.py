"""``FM2S Denoise...``: fit to an image, apply to it or to others of its kind."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import torch
import xarray as xr

from zsfiji.compute.device import choose, with_fallback
from zsfiji.images.parts import require_contrast, require_pixels, require_size
from zsfiji.learning.models import Model, load_weights, model_of
from zsfiji.quality.report import Findings
from zsfiji.services import over_parts
from zsfiji.services.fm2s.presets import preset
from zsfiji.services.fm2s.restorers import (
    FittedRecord,
    FittedRestorer,
    PublishedRecord,
    PublishedRestorer,
    Restorer,
)
from zsfiji.services.fm2s.settings import TRAINING_PIXELS, Settings
from zsfiji.services.method import Method, Restored
from zsfiji.services.noise_check import NoiseCheck

OUTPUT = over_parts.Output("fm2s")

SMALLEST_PUBLISHED = 16
"""Least rows and columns for the published training, which otherwise learns the border and shifts
the light. An image of 5 x 200 pixels came out 30 % too bright, one of 8 x 200 6 % too dark, one of
16 x 200 1 %."""


class Fm2s:
    """FM2S (Liu et al., arXiv:2412.10031), with the authors' constants or with measured noise."""

    name = "fm2s"
    settings_type = Settings
    record_type = PublishedRecord | FittedRecord

    def unit(
        self, record: PublishedRecord | FittedRecord, tensors: Mapping[str, torch.Tensor]
    ) -> Restorer:
        """Make a restorer from its record and its weights."""
        restorer: Restorer
        if isinstance(record, PublishedRecord):
            restorer = PublishedRestorer.of(record)
        else:
            restorer = FittedRestorer.of(record)
        if restorer.network is not None:
            load_weights(restorer.network, tensors)
        return restorer

    def fit(
        self, image: xr.DataArray, settings: Settings, given: None = None, *, device: str = "auto"
    ) -> Model[Settings, Restorer]:
        """Train a network on an image; see :class:`.Method`."""
        require_pixels(image)
        require_contrast(image)
        chosen = choose(device)
        if settings.modality != "auto":
            preset(settings.modality, settings.average)
            require_size(
                image,
                SMALLEST_PUBLISHED,
                "With the authors' constants FM2S needs",
                "choose a larger region, or modality=auto",
            )

        def fit_one(group: over_parts.Group) -> Restorer:
            planes = group.pixels(image)

            def work(where: torch.device) -> Restorer:
                if settings.modality == "auto":
                    return FittedRestorer.fit(
                        planes,
                        settings.quality,
                        seed=settings.seed,
                        device=where,
                        label=group.label,
                    )
                return PublishedRestorer.fit(
                    planes,
                    preset(settings.modality, settings.average),
                    settings.quality,
                    eight_bit=image.dtype == np.uint8,
                    seed=settings.seed,
                    device=where,
                    label=group.label,
                )

            return with_fallback(work, chosen)

        units = over_parts.fit(image, fit_one, fit_per=settings.fit_per, pixels=TRAINING_PIXELS)
        return model_of(self, settings, image, units)

    def apply(
        self, model: Model[Settings, Restorer], image: xr.DataArray, *, device: str = "auto"
    ) -> Restored:
        """Denoise an image; see :class:`.Method`."""
        require_pixels(image)
        chosen = choose(device)
        findings = Findings()
        other_noise = NoiseCheck(model, image)

        def restore_one(
            unit: Restorer,
            noisy: np.ndarray,
            channel: int | None,
            results: Mapping[str, np.ndarray],
        ) -> None:
            restored = with_fallback(partial(unit.restore, noisy), chosen)
            results[OUTPUT.name][:] = restored
            findings.add(unit.noise, noisy, restored, channel)
            for sentence in other_noise(unit.noise, noisy, channel):
                findings.remark(sentence)
            remark = _remark(unit, model.settings)
            if remark is not None:
                findings.remark(remark)

        results = over_parts.apply(
            image, model.units, restore_one, (OUTPUT,), fit_per=model.settings.fit_per
        )
        return Restored(results, findings.report())

    def simulate(
        self, model: Model[Settings, Restorer], restored: Mapping[str, xr.DataArray], seed: int
    ) -> xr.DataArray:
        """Simulate another capture of a denoised image; see :class:`.Method`."""
        return over_parts.simulate(restored[OUTPUT.name], model, lambda unit: unit.noise, seed=seed)


METHOD: Method[Settings, None, Restorer] = Fm2s()


def _remark(unit: Restorer, settings: Settings) -> str | None:
    """Say which constants were used, or why there is no network."""
    if isinstance(unit, PublishedRestorer):
        p, average = unit.preset, settings.average
        captures = "single captures" if average == 1 else f"means of {average} captures"
        return (
            f"The authors' constants for {settings.modality} images, {captures}: "
            f"k_g {p.gaussian:g}, k_p {p.poisson:g}, lambda_p {p.overall:g}."
        )
    if unit.network is None and unit.noise.floor > 0:
        return "The image is too small to train a network on: only the filters were used."
    return None

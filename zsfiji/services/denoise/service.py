"""``Zero-Shot Denoise...``: fit to an image, apply to it or to others of its kind."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import torch
import xarray as xr

from zsfiji.compute.device import choose, with_fallback
from zsfiji.images.parts import require_contrast, require_pixels
from zsfiji.learning.denoiser import Denoiser
from zsfiji.learning.models import Model, load_weights, model_of
from zsfiji.physics.camera import defects as defective_pixels
from zsfiji.physics.camera.model import NOTHING_KNOWN, KnownCamera
from zsfiji.quality.report import Findings
from zsfiji.quality.residual import structure_put_back, uncertain
from zsfiji.services import over_parts
from zsfiji.services.denoise.fit import fit_restorer, network_weight
from zsfiji.services.denoise.objective import INPUTS
from zsfiji.services.denoise.restorer import Record, Restorer, restore
from zsfiji.services.denoise.settings import SYMMETRIES, TRAINING_PIXELS, Settings
from zsfiji.services.method import Method, Restored
from zsfiji.services.noise_check import NoiseCheck

OUTPUT = over_parts.Output("denoised")


class ZeroShotDenoise:
    """Our own denoiser: noise measured in the image, filters that use it, and a network."""

    name = "denoise"
    settings_type = Settings
    record_type = Record

    def unit(self, record: Record, tensors: Mapping[str, torch.Tensor]) -> Restorer:
        """Make a restorer from its record and its weights."""
        restorer = Restorer(
            record.noise,
            record.d,
            record.working,
            record.centre,
            record.weight,
            doubted=record.doubted,
        )
        if record.trained:
            restorer.network = Denoiser(INPUTS)
            load_weights(restorer.network, tensors)
        return restorer

    def fit(
        self,
        image: xr.DataArray,
        settings: Settings,
        given: KnownCamera = NOTHING_KNOWN,
        *,
        device: str = "auto",
    ) -> Model[Settings, Restorer]:
        """Measure the noise of an image and train a network on it; see :class:`.Method`.

        `given` is what is known about the camera.
        """
        require_pixels(image)
        require_contrast(image)
        chosen = choose(device)

        def fit_one(group: over_parts.Group) -> Restorer:
            planes = group.pixels(image)
            return with_fallback(
                lambda where: fit_restorer(
                    planes, settings=settings, known=given, device=where, label=group.label
                ),
                chosen,
            )

        units = over_parts.fit(
            image,
            fit_one,
            fit_per=settings.fit_per,
            pixels=TRAINING_PIXELS,
            first="Measuring the noise",
        )
        return model_of(self, settings, image, units)

    def apply(
        self, model: Model[Settings, Restorer], image: xr.DataArray, *, device: str = "auto"
    ) -> Restored:
        """Denoise an image; see :class:`.Method`."""
        require_pixels(image)
        chosen = choose(device)
        symmetries = SYMMETRIES[model.settings.quality]
        findings = Findings()
        other_noise = NoiseCheck(model, image)
        defects = 0
        shares: list[float] = []
        for unit in model.units:
            unit.to(chosen)

        def restore_one(
            unit: Restorer,
            noisy: np.ndarray,
            channel: int | None,
            results: Mapping[str, np.ndarray],
        ) -> None:
            nonlocal defects
            plane = with_fallback(
                partial(restore, unit, noisy, symmetries=symmetries, label="Denoising"), chosen
            )
            results[OUTPUT.name][:] = plane.values
            defects += plane.defects
            shares.append(plane.put_back)
            findings.add(unit.noise, plane.sound, plane.values, channel)
            said = uncertain(unit.noise, unit.doubted)
            if not unit.doubted:
                said += other_noise(unit.noise, noisy, channel)
            for sentence in said:
                findings.remark(sentence)
            if unit.network is None and unit.noise.floor > 0:
                findings.remark(_without_network(unit))

        results = over_parts.apply(
            image, model.units, restore_one, (OUTPUT,), fit_per=model.settings.fit_per
        )
        if defects:
            findings.remark(defective_pixels.note(defects))
        for sentence in structure_put_back(max(shares)):
            findings.remark(sentence)
        report = findings.report(
            working_resolution=float(model.units[0].d),
            network_share=model.units[0].weight,
            defects=float(defects),
            spared=max(shares),
        )
        return Restored(results, report)

    def simulate(
        self, model: Model[Settings, Restorer], restored: Mapping[str, xr.DataArray], seed: int
    ) -> xr.DataArray:
        """Simulate another capture of a denoised image; see :class:`.Method`."""
        return over_parts.simulate(restored[OUTPUT.name], model, lambda unit: unit.noise, seed=seed)


METHOD: Method[Settings, KnownCamera, Restorer] = ZeroShotDenoise()


def _without_network(unit: Restorer) -> str:
    """Say why only the filters were used."""
    if network_weight(unit) == 0:
        return (
            "The noise is correlated even at the coarsest resolution, so a network could not "
            "separate it from structure: only the filters were used."
        )
    return "The image is too small to train a network on: only the filters were used."

"""``FM2S Denoise...``: fit to an image, apply to it or to others of its kind."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
import xarray as xr

from zsfiji.compute.device import choose, with_fallback
from zsfiji.errors import UserError
from zsfiji.images import parts
from zsfiji.images.restored import Restored
from zsfiji.learning.models import Model
from zsfiji.quality.residual import Findings
from zsfiji.services.fm2s.presets import MODALITIES, preset
from zsfiji.services.fm2s.published import RECIPES
from zsfiji.services.fm2s.units import FittedUnit, PublishedUnit, Unit
from zsfiji.services.units import fit_units, load_weights, restore_planes

METHOD = "fm2s"
"""Name of the method in its model files."""

QUALITIES = tuple(RECIPES)
"""The choices of `quality`, the fastest first."""

TRAINING_PIXELS = 16 * 2**20
"""Pixels of a stack or movie that are looked at in a training, at most: bounds the memory."""


def fit(
    image: xr.DataArray,
    *,
    modality: str = "auto",
    average: int = 1,
    quality: str = "standard",
    fit_per: str = "channel",
    seed: int = 0,
    device: str = "auto",
) -> Model:
    """Train a network on an image.

    Parameters
    ----------
    image : xarray.DataArray
        Any of the axes t, pln, row, col, ch; any unit and scale.
    modality : {"auto", "confocal", "twophoton", "widefield", "base"}
        "auto" measures the noise in the image; the others are the published method with the
        authors' constants.
    average : {1, 2, 4, 8, 16}
        How many captures were averaged into the image; without meaning for "auto".
    quality : {"quick", "standard", "best"}
        How long to train. For a preset, "standard" does the published steps on patches, and
        "best" on the whole image, as published.
    fit_per : {"channel", "plane"}
        One model for each channel, shared by all slices and frames, or one for each plane.
    seed : int
        Seed of the initial weights and of all draws.
    device : {"auto", "cpu", "cuda", "mps"}
        Where to compute.

    Returns
    -------
    Model
        Weights, constants and noise calibration.

    Raises
    ------
    UserError
        If the image or a setting does not serve.
    Cancelled
        If the user asked to stop.
    """
    _validate(modality, average, quality)
    parts.require_pixels(image)
    parts.require_contrast(image)
    chosen = choose(device)
    settings = {
        "modality": modality,
        "average": average,
        "quality": quality,
        "fit_per": fit_per,
        "seed": seed,
    }

    def fit_one(stack: list[np.ndarray], label: str) -> Unit:
        def work(where: torch.device) -> Unit:
            if modality == "auto":
                return FittedUnit.fit(stack, quality, seed=seed, device=where, label=label)
            return PublishedUnit.fit(
                stack,
                preset(modality, average),
                quality,
                eight_bit=image.dtype == np.uint8,
                seed=seed,
                device=where,
                label=label,
            )

        return with_fallback(work, chosen)

    return fit_units(METHOD, image, settings, fit_one, pixels=TRAINING_PIXELS)


def apply(model: Model, image: xr.DataArray, *, device: str = "auto") -> Restored:
    """Restore an image with a fitted model; nothing is trained.

    Parameters
    ----------
    model : Model
        What :func:`fit` gave, for this image or one of the same kind: same detector, gain and
        optics.
    image : xarray.DataArray
        With as many channels (or planes) as the model was fitted to.
    device : {"auto", "cpu", "cuda", "mps"}
        Where to compute.

    Returns
    -------
    Restored
        The image, 32-bit, in its own unit, with notes and figures.

    Raises
    ------
    UserError
        If the image does not serve or does not fit the model.
    Cancelled
        If the user asked to stop.
    """
    parts.require_pixels(image)
    chosen = choose(device)
    findings = Findings()

    def restore_one(unit: Unit, noisy: np.ndarray, channel: int | None) -> np.ndarray:
        restored = with_fallback(partial(unit.restore, noisy), chosen)
        findings.add(unit.noise, noisy, restored, channel)
        _remark(findings, unit, model.settings)
        return restored

    result = restore_planes(model, image, _units(model), restore_one)
    return Restored(result, findings.sentences(), findings.metrics())


def _remark(findings: Findings, unit: Unit, settings: dict[str, Any]) -> None:
    """Say which constants were used, and what could not be done."""
    if isinstance(unit, PublishedUnit):
        p, average = unit.preset, settings["average"]
        captures = "single captures" if average == 1 else f"means of {average} captures"
        findings.remark(
            f"The authors' constants for {settings['modality']} images, {captures}: "
            f"k_g {p.gaussian:g}, k_p {p.poisson:g}, lambda_p {p.overall:g}."
        )
    elif unit.network is None and unit.noise.floor > 0:
        findings.remark(
            "The image is too small to train a network on; it was denoised by the filters only."
        )


def _units(model: Model) -> list[Unit]:
    """Build the units of a model, networks on the CPU."""
    kind = FittedUnit if model.settings["modality"] == "auto" else PublishedUnit
    units: list[Unit] = []
    for number, stored in enumerate(model.settings["units"]):
        unit = kind.from_settings(stored)
        if unit.network is not None:
            load_weights(unit.network, model, number)
        units.append(unit)
    return units


def _validate(modality: str, average: int, quality: str) -> None:
    if quality not in QUALITIES:
        raise UserError(f"There is no quality '{quality}'. Choose one of {', '.join(QUALITIES)}.")
    if modality not in MODALITIES:
        raise UserError(
            f"There is no modality '{modality}'. Choose one of {', '.join(MODALITIES)}."
        )
    if modality != "auto":
        preset(modality, average)

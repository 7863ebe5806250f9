"""``FM2S Denoise...``: fit to an image, apply to it or to others of its kind."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
import xarray as xr

import zsfiji
from zsfiji import progress
from zsfiji.errors import UserError
from zsfiji.images import restoring
from zsfiji.images.axes import count, planes, size
from zsfiji.images.restored import Restored
from zsfiji.learning.checkpoints import Model
from zsfiji.learning.device import choose, with_fallback
from zsfiji.physics.residual import Findings
from zsfiji.services.fm2s.presets import MODALITIES, preset
from zsfiji.services.fm2s.published import RECIPES
from zsfiji.services.fm2s.units import FittedUnit, PublishedUnit, Unit

METHOD = "fm2s"
"""Name of the method in its model files."""

QUALITIES = tuple(RECIPES)
"""The choices of `quality`, the fastest first."""

_TRAINING_PIXELS = 16 * 2**20


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
    restoring.require_pixels(image)
    restoring.require_contrast(image)
    chosen = choose(device)
    groups = restoring.groups(image, fit_per)
    settings: dict[str, Any] = {
        "modality": modality,
        "average": average,
        "quality": quality,
        "fit_per": fit_per,
        "seed": seed,
        "version": zsfiji.__version__,
        "fitted_to": restoring.described(image),
        "units": [],
    }
    tensors: dict[str, torch.Tensor] = {}
    for number, positions in enumerate(groups):
        with progress.part(number / len(groups), (number + 1) / len(groups)):
            label = "Training" if len(groups) == 1 else f"Training {number + 1} of {len(groups)}"
            progress.report(0, label)
            unit = _fit_group(image, positions, settings, chosen, label)
        settings["units"].append(unit.as_settings())
        if unit.network is not None:
            for name, value in unit.network.state_dict().items():
                tensors[f"{number}.{name}"] = value.detach().cpu().contiguous()
    return Model(METHOD, settings, tensors)


def apply(model: Model, image: xr.DataArray, *, device: str = "auto") -> Restored:
    """Restore an image with a fitted model; nothing is fitted anew.

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
    restoring.require_pixels(image)
    chosen = choose(device)
    per_plane = model.settings["fit_per"] == "plane"
    units = _units(model)
    expected = count(image) if per_plane else size(image, "ch")
    if len(units) != expected:
        raise UserError(
            f"The model was fitted to {len(units)} {'planes' if per_plane else 'channels'} and the "
            f"image has {expected}. Fit a model to this image, or choose one of its kind."
        )
    result = np.empty(image.shape, dtype=np.float32)
    findings = Findings()
    total = count(image)
    for number, position in enumerate(planes(image)):
        progress.report(number / total, "Denoising")
        with progress.part(number / total, (number + 1) / total):
            channel = None if per_plane else position.get("ch", 0)
            unit = units[number if channel is None else channel]
            noisy = restoring.pixels_of(image, position)
            restored = with_fallback(partial(unit.restore, noisy), chosen)
        result[restoring.place(image, position)] = restored
        findings.add(unit.noise, noisy, restored, channel)
        _remark(findings, unit, model.settings)
    progress.report(1, "Denoising")
    return Restored(image.copy(data=result), findings.sentences(), findings.figures())


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
            "The image is too small to train a network on; it was denoised by filters alone."
        )


def _fit_group(
    image: xr.DataArray,
    positions: list[restoring.Position],
    settings: dict[str, Any],
    device: torch.device,
    label: str,
) -> Unit:
    """Fit one unit to the planes at `positions`, or to some of them, spread evenly."""
    chosen = restoring.spread(positions, image, _TRAINING_PIXELS)
    stack = [restoring.pixels_of(image, p) for p in chosen]
    modality, quality, seed = (settings[key] for key in ("modality", "quality", "seed"))

    def work(where: torch.device) -> Unit:
        if modality == "auto":
            return FittedUnit.fit(stack, quality, seed=seed, device=where, label=label)
        return PublishedUnit.fit(
            stack,
            preset(modality, settings["average"]),
            quality,
            eight_bit=image.dtype == np.uint8,
            seed=seed,
            device=where,
            label=label,
        )

    return with_fallback(work, device)


def _units(model: Model) -> list[Unit]:
    """Build the units of a model, networks on the CPU."""
    kind = FittedUnit if model.settings["modality"] == "auto" else PublishedUnit
    units: list[Unit] = []
    for number, stored in enumerate(model.settings["units"]):
        unit = kind.from_settings(stored)
        if unit.network is not None:
            prefix = f"{number}."
            weights = {
                name[len(prefix) :]: value
                for name, value in model.tensors.items()
                if name.startswith(prefix)
            }
            try:
                unit.network.load_state_dict(weights)
            except RuntimeError as error:
                raise UserError("The model is damaged: its weights do not fit.") from error
            unit.network.eval()
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

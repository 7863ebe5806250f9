"""``Zero-Shot Denoise...``: fit to an image, apply to it or to others of its kind."""

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
from zsfiji.physics.defects import FAR
from zsfiji.physics.noise import Noise
from zsfiji.physics.residual import Findings
from zsfiji.services.denoise.network import Denoiser
from zsfiji.services.denoise.objective import INPUTS
from zsfiji.services.denoise.pipeline import STEPS, Unit, fit_unit, network_weight, restore

METHOD = "denoise"
"""Name of the method in its model files."""

QUALITIES = tuple(STEPS)
"""The choices of `quality`, the fastest first."""

_TRAINING_PIXELS = 32 * 2**20


def fit(
    image: xr.DataArray,
    *,
    quality: str = "standard",
    fit_per: str = "channel",
    resolution: int = 0,
    seed: int = 0,
    device: str = "auto",
) -> Model:
    """Measure the noise of an image and train a network on it.

    Parameters
    ----------
    image : xarray.DataArray
        Any of the axes t, pln, row, col, ch; any unit and scale.
    quality : {"quick", "standard", "best"}
        How long to train.
    fit_per : {"channel", "plane"}
        One model for each channel, shared by all slices and frames, or one for each plane.
    resolution : int
        Pixels that the noise spreads over, 1 to 4; 0 measures it.
    seed : int
        Seed of the initial weights and of all draws.
    device : {"auto", "cpu", "cuda", "mps"}
        Where to compute.

    Returns
    -------
    Model
        Noise calibration and weights.

    Raises
    ------
    UserError
        If the image or a setting does not serve.
    Cancelled
        If the user asked to stop.
    """
    _validate(image, quality, resolution)
    chosen = choose(device)
    groups = restoring.groups(image, fit_per)
    settings: dict[str, Any] = {
        "quality": quality,
        "fit_per": fit_per,
        "resolution": resolution,
        "seed": seed,
        "version": zsfiji.__version__,
        "fitted_to": restoring.described(image),
        "units": [],
    }
    tensors: dict[str, torch.Tensor] = {}
    for number, positions in enumerate(groups):
        with progress.part(number / len(groups), (number + 1) / len(groups)):
            label = "Training" if len(groups) == 1 else f"Training {number + 1} of {len(groups)}"
            progress.report(0, "Measuring the noise")
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
    units = _units(model, chosen)
    expected = count(image) if per_plane else size(image, "ch")
    if len(units) != expected:
        raise UserError(
            f"The model was fitted to {len(units)} {'planes' if per_plane else 'channels'} and the "
            f"image has {expected}. Fit a model to this image, or choose one of its kind."
        )
    result = np.empty(image.shape, dtype=np.float32)
    findings = Findings()
    total, defects = count(image), 0
    for number, position in enumerate(planes(image)):
        progress.report(number / total, "Denoising")
        with progress.part(number / total, (number + 1) / total):
            channel = position.get("ch", 0)
            unit = units[number if per_plane else channel]
            noisy = restoring.pixels_of(image, position)
            restored, replaced = with_fallback(
                partial(restore, unit, noisy, label="Denoising"), chosen
            )
        result[restoring.place(image, position)] = restored
        defects += replaced
        findings.add(unit.noise, noisy, restored, None if per_plane else channel)
        if unit.network is None and unit.noise.floor > 0:
            findings.remark(_without_network(unit))
    if defects:
        findings.remark(
            f"Pixels taken for defects of the camera, for they stand out alone by more than {FAR:g} "
            f"standard deviations, and replaced by their neighbours: {defects}."
        )
    progress.report(1, "Denoising")
    figures = findings.figures() | {
        "working_resolution": float(units[0].d),
        "network_share": units[0].weight,
        "defects": float(defects),
    }
    return Restored(image.copy(data=result), findings.sentences(), figures)


def _without_network(unit: Unit) -> str:
    """Say why filters alone made the result."""
    if network_weight(unit) == 0:
        return (
            "The noise stays correlated at the coarsest resolution, so a network could not tell it "
            "from structure: the filters alone were used."
        )
    return "The image is too small to train a network on: the filters alone were used."


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
    return with_fallback(
        lambda d: fit_unit(
            stack,
            quality=settings["quality"],
            resolution=settings["resolution"],
            seed=settings["seed"],
            device=d,
            label=label,
        ),
        device,
    )


def _units(model: Model, device: torch.device) -> list[Unit]:
    """Build the units of a model, networks on `device`."""
    units = []
    for number, stored in enumerate(model.settings["units"]):
        unit = Unit(
            noise=Noise.from_settings(stored["noise"]),
            d=stored["d"],
            working=Noise.from_settings(stored["working"]),
            centre=stored["centre"],
            weight=stored["weight"],
        )
        prefix = f"{number}."
        weights = {
            name[len(prefix) :]: value
            for name, value in model.tensors.items()
            if name.startswith(prefix)
        }
        if weights:
            network = Denoiser(INPUTS)
            try:
                network.load_state_dict(weights)
            except RuntimeError as error:
                raise UserError("The model is damaged: its weights do not fit.") from error
            unit.network = network.to(device).to(memory_format=torch.channels_last).eval()
        units.append(unit)
    return units


def _validate(image: xr.DataArray, quality: str, resolution: int) -> None:
    if quality not in QUALITIES:
        raise UserError(f"There is no quality '{quality}'. Choose one of {', '.join(QUALITIES)}.")
    if resolution not in range(5):
        raise UserError(f"The noise correlation is {resolution}; it has to be 0 (measure) to 4.")
    restoring.require_pixels(image)
    restoring.require_contrast(image)

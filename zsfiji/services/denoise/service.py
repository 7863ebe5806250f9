"""``Zero-Shot Denoise...``: fit to an image, apply to it or to others of its kind."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
import xarray as xr

from zsfiji.compute.device import choose, with_fallback
from zsfiji.errors import UserError
from zsfiji.images import parts
from zsfiji.images.restored import Restored
from zsfiji.learning.models import Model
from zsfiji.physics.camera.defects import said
from zsfiji.physics.camera.model import Known
from zsfiji.physics.noise import Noise
from zsfiji.quality.residual import Findings, spared, uncertain
from zsfiji.services.denoise.network import Denoiser
from zsfiji.services.denoise.objective import INPUTS
from zsfiji.services.denoise.pipeline import STEPS, Unit, fit_unit, network_weight, restore
from zsfiji.services.units import fit_units, has_weights, load_weights, restore_planes

METHOD = "denoise"
"""Name of the method in its model files."""

QUALITIES = tuple(STEPS)
"""The choices of `quality`, the fastest first."""

TRAINING_PIXELS = 32 * 2**20
"""Pixels of a stack or movie that are looked at in a training, at most: bounds the memory."""


def fit(
    image: xr.DataArray,
    *,
    quality: str = "standard",
    fit_per: str = "channel",
    noise_correlation: int = 0,
    gain: float | None = None,
    background: float | None = None,
    read_variance: float | None = None,
    dark: np.ndarray | None = None,
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
    noise_correlation : int
        Pixels that the noise spreads over, 1 to 4; 0 measures it.
    gain : float, optional
        Grey levels per photoelectron; measured without it.
    background : float, optional
        Grey level of no light.
    read_variance : float, optional
        Variance of a pixel without light, in grey levels squared; it needs `background`.
    dark : numpy.ndarray, optional
        A frame (or several) taken without light, which gives both.
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
    _validate(image, quality, noise_correlation)
    chosen = choose(device)
    known = Known(gain, read_variance, background, dark)
    settings = {
        "quality": quality,
        "fit_per": fit_per,
        "noise_correlation": noise_correlation,
        "seed": seed,
    }

    def fit_one(stack: list[np.ndarray], label: str) -> Unit:
        return with_fallback(
            lambda where: fit_unit(
                stack,
                quality=quality,
                noise_correlation=noise_correlation,
                seed=seed,
                device=where,
                label=label,
                known=known,
            ),
            chosen,
        )

    return fit_units(
        METHOD, image, settings, fit_one, pixels=TRAINING_PIXELS, first="Measuring the noise"
    )


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
    units = _units(model, chosen)
    findings = Findings()
    defects = 0
    shares: list[float] = []

    def restore_one(unit: Unit, noisy: np.ndarray, channel: int | None) -> np.ndarray:
        nonlocal defects
        plane = with_fallback(partial(restore, unit, noisy, label="Denoising"), chosen)
        defects += plane.defects
        shares.append(plane.spared)
        findings.add(unit.noise, noisy, plane.values, channel)
        for sentence in uncertain(unit.noise, unit.doubted):
            findings.remark(sentence)
        if unit.network is None and unit.noise.floor > 0:
            findings.remark(_without_network(unit))
        return plane.values

    result = restore_planes(model, image, units, restore_one)
    if defects:
        findings.remark(said(defects))
    for sentence in spared(max(shares)):
        findings.remark(sentence)
    metrics = findings.metrics() | {
        "working_resolution": float(units[0].d),
        "network_share": units[0].weight,
        "defects": float(defects),
        "spared": max(shares),
    }
    return Restored(result, findings.sentences(), metrics)


def _without_network(unit: Unit) -> str:
    """Say why filters alone made the result."""
    if network_weight(unit) == 0:
        return (
            "The noise stays correlated at the coarsest resolution, so a network could not "
            "separate it from structure: only the filters were used."
        )
    return "The image is too small to train a network on: only the filters were used."


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
            doubted=stored.get("doubted", False),
        )
        if has_weights(model, number):
            network = Denoiser(INPUTS)
            load_weights(network, model, number)
            unit.network = network.to(device).to(memory_format=torch.channels_last)
        units.append(unit)
    return units


def _validate(image: xr.DataArray, quality: str, noise_correlation: int) -> None:
    if quality not in QUALITIES:
        raise UserError(f"There is no quality '{quality}'. Choose one of {', '.join(QUALITIES)}.")
    if noise_correlation not in range(5):
        raise UserError(
            f"The noise correlation is {noise_correlation}; it has to be 0 (measure) to 4."
        )
    parts.require_pixels(image)
    parts.require_contrast(image)

"""What is said of a training and of its results."""

from __future__ import annotations

import numpy as np
import xarray as xr

from zsfiji.deconvolution import brightness, guard
from zsfiji.images.axes import STACK_DIMS
from zsfiji.learning.models import Model
from zsfiji.physics.camera import defects
from zsfiji.physics.noise import Noise
from zsfiji.quality import residual, sharpening
from zsfiji.services.zs_deconvnet.pipeline import Unit


def finished_early(model: Model) -> list[str]:
    """Say that the user has ended a training, if so."""
    steps = model.settings["steps"]
    counts = [(u["steps"], u.get("planned", steps)) for u in model.settings["units"]]
    done, planned = min(counts, key=lambda count: count[0] / count[1])
    return [f"The training was finished after {done} of {planned} steps."] * (done < planned)


def noise_said(noise: Noise, noisy: np.ndarray) -> str:
    """Say what noise was found, in a plane or in the middle slice of a stack."""
    middle = noisy if noisy.ndim == 2 else noisy[len(noisy) // 2]
    found = residual.noise_found(noise, middle)
    if noise.white:
        return found
    return (
        f"{found} Correlated noise is harder to separate from structure of the same size than "
        "white noise: do not rely on fine detail."
    )


def of_training(model: Model, image: xr.DataArray) -> tuple[str, ...]:
    """Say what a training has found.

    Parameters
    ----------
    model : Model
        The trained model.
    image : xarray.DataArray
        The image that it was fitted to.

    Returns
    -------
    tuple of str
        Whether it was ended early, and the noise of each channel, or of the first plane where
        each has a network of its own.
    """
    units = [Noise.from_settings(unit["noise"]) for unit in model.settings["units"]]
    per_plane = model.settings["fit_per"] == "plane"
    noise: dict[int | None, str] = {}
    for number, found in enumerate(units[:1] if per_plane else units):
        dims = [d for d in STACK_DIMS if d != "pln" or model.settings["axes"] == 2]
        first = {**dict.fromkeys(dims, 0), "ch": number}
        noisy = image.isel(first, missing_dims="ignore")
        noise[None if per_plane else number] = noise_said(found, np.asarray(noisy.data))
    return (*finished_early(model), *residual.by_channel(noise))


class Notes:
    """Gathers what is to be said about the planes of an image."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.found: list[sharpening.Verdict] = []
        self.light: list[tuple[brightness.Brightness, brightness.Brightness]] = []
        self.noise: dict[int | None, str] = {}
        self.first: Unit | None = None
        self.saturated = 0.0
        self.defects = 0
        self.spared = 0.0
        self.missing: list[guard.Missing] = []
        self.uncertain: dict[str, None] = {}

    def add(
        self,
        unit: Unit,
        noisy: np.ndarray,
        found: sharpening.Verdict,
        channel: int | None,
        light: tuple[brightness.Brightness, brightness.Brightness],
    ) -> None:
        """Take in one plane; of an empty one, as a movie may have, nothing can be said.

        `light` is that of the denoised and of the deconvolved one.
        """
        if noisy.min() == noisy.max():
            return
        self.first = self.first or unit
        self.found.append(found)
        self.light.append(light)
        noise = unit.camera.noise
        self.uncertain |= dict.fromkeys(residual.uncertain(noise, unit.doubted))
        if channel not in self.noise:
            self.noise[channel] = noise_said(noise, noisy)
        if noise.saturation is not None:
            self.saturated = max(self.saturated, float(np.mean(noisy >= noise.saturation)))

    def guarded(self, spared: float, missing: guard.Missing | None) -> None:
        """Take in what :mod:`.guard` found in one plane; None where nothing was deconvolved."""
        self.spared = max(self.spared, spared)
        self.missing += [missing] if missing is not None else []

    def sentences(self, total: int) -> tuple[str, ...]:
        """What was found, the most important first."""
        said = finished_early(self.model)
        blunt = sum(f.sharpening < sharpening.SHARPER for f in self.found)
        if blunt:
            of = "" if total == 1 else f" in {blunt} of {total} planes"
            said.append(
                f"Not sharpened{of}: the noise leaves too little to deconvolve, and the denoised "
                "image is given instead. Train longer, or acquire the image with more light."
            )
        for which, name in enumerate(("denoised image", "deconvolved image")):
            said += brightness.said([both[which] for both in self.light], name, total)
        for name, residuals in (
            ("denoised image", [f.denoised for f in self.found]),
            ("deconvolved image, blurred again", [f.blurred for f in self.found]),
        ):
            spoken = residual.judge_all([r for r in residuals if r is not None])
            if spoken:
                said.append(f"The {name}: {spoken[0].lower()}{spoken[1:]}")
        said += residual.spared(self.spared)
        said += guard.said(self.missing)
        said += self.uncertain
        if self.saturated > 0:
            said.append(residual.saturation_found(self.saturated))
        if self.defects:
            said.append(defects.said(self.defects))
        said += residual.by_channel(self.noise)
        return tuple(said)

    def metrics(self) -> dict[str, float]:
        """Give numbers for tables: of the first unit, the others as means over the planes."""
        if self.first is None:
            return {}
        metrics = {
            "noise_gain": self.first.camera.noise.gain,
            "noise_intercept": self.first.camera.noise.intercept,
            "noise_white": float(self.first.camera.noise.white),
            "dark_level": self.first.camera.dark_level,
            "saturated": self.saturated,
            "defects": float(self.defects),
            "spared": self.spared,
            "unexplained": max((m.after for m in self.missing), default=0.0),
            "sharpening": float(np.mean([f.sharpening for f in self.found])),
        }
        for name, all_found in (
            ("denoised", [f.denoised for f in self.found]),
            ("reblurred", [f.blurred for f in self.found]),
        ):
            there = [r for r in all_found if r is not None]
            if there:
                metrics[f"{name}_residual_variance"] = float(np.mean([r.variance for r in there]))
                metrics[f"{name}_residual_excess"] = float(np.mean([r.excess for r in there]))
        return metrics

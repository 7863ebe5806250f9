"""The methods of two-stage networks: fit to an image, apply to it or to others of its kind."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import torch
import xarray as xr

from zsfiji.compute.device import choose, with_fallback
from zsfiji.compute.scratch import scratch_array
from zsfiji.deconvolution.tiles import Results
from zsfiji.errors import UserError
from zsfiji.images.axes import size
from zsfiji.images.parts import (
    PLANE,
    STACK,
    groups,
    place,
    require_contrast,
    require_pixels,
    require_size,
)
from zsfiji.learning.models import Model, model_of
from zsfiji.physics.optics.spacing import spacing_micrometres
from zsfiji.quality.report import Report
from zsfiji.quality.residual import by_channel
from zsfiji.services import over_parts
from zsfiji.services.checked_deconvolution import restore_checked
from zsfiji.services.deconvolution_report import DeconvolutionFindings, noise_said
from zsfiji.services.method import Restored
from zsfiji.services.noise_check import NoiseCheck
from zsfiji.services.two_stage.fit import Given, Plan, decide, fit_part
from zsfiji.services.two_stage.restorer import Record, Restorer, Restorers
from zsfiji.services.two_stage.settings import FEWEST_SLICES, TwoStageSettings
from zsfiji.words import counted

SMALLEST = 32
"""Pixels that a plane has to have at least along each side: less is a PSF wide. Not tuned."""

TRAINING_PIXELS = 16 * 2**20
"""Pixels of a channel that are looked at in a training, at most: bounds the memory."""

_SAME_SIZE = 0.02
"""Relative difference of pixel sizes that still are the same: calibrations are rounded."""

AnyRestorer = Restorer[Any]

S = TypeVar("S", bound=TwoStageSettings)


class TwoStage(Generic[S]):
    """A method whose networks denoise and deconvolve, trained on the image itself.

    Parameters
    ----------
    restorers : mapping
        The restorers, by kind of network and number of axes.
    """

    name: ClassVar[str]
    """Name of the method in model files."""

    settings_type: type[S]
    """The dataclass of its settings."""

    record_type = Record

    positions: ClassVar[int] = 4
    """Flips and rotations that a result is the mean over. Eight take twice as long for little."""

    def __init__(self, restorers: Restorers) -> None:
        self._restorers = restorers

    def plan(self, image: xr.DataArray, settings: S, given: Given) -> Plan:
        """Decide what is trained; see :func:`.fit.decide`."""
        return decide(image, settings, given, self._restorers)

    def unit(self, record: Record, tensors: Mapping[str, torch.Tensor]) -> AnyRestorer:
        """Make a restorer from what a model keeps of it."""
        return self._restorers[record.kind, record.axes].of(record, tensors)

    def fit(
        self, image: xr.DataArray, settings: S, given: Given, *, device: str = "auto"
    ) -> Model[S, AnyRestorer]:
        """Measure the noise of an image and train networks on it; see :class:`.Method`."""
        _require(image)
        require_contrast(image)
        chosen = choose(device)
        planned = self.plan(image, settings, given)
        start = given.start
        if start is not None:
            networks = len(groups(image, settings.fit_per, planned.part))
            _require_same_kind(start, image, planned, networks)

        def fit_one(group: over_parts.Group) -> AnyRestorer:
            work = partial(
                fit_part,
                group.pixels(image, planned.part),
                group,
                plan=planned,
                settings=settings,
                camera=given.camera,
                start=None if start is None else start.units[group.number],
                raw=given.raw,
            )
            return with_fallback(lambda where: work(device=where), chosen)

        units = over_parts.fit(
            image,
            fit_one,
            fit_per=settings.fit_per,
            pixels=TRAINING_PIXELS,
            part=planned.part,
            first="Measuring the noise",
        )
        return model_of(self, settings, image, units)

    def apply(
        self,
        model: Model[S, AnyRestorer],
        image: xr.DataArray,
        *,
        device: str = "auto",
        symmetries: int | None = None,
    ) -> Restored:
        """Denoise and deconvolve an image with a fitted model; see :class:`.Method`.

        Finish now has no result of less work to give here, so all parts are done; cancel stops it.

        Parameters
        ----------
        model, image, device
            See :class:`.Method`.
        symmetries : {1, 2, 4, 8}, optional
            Flips and rotations that the results are means over: more is slower and a little better.
            By default :attr:`positions`.

        Returns
        -------
        Restored
            Two images, "denoised" and "deconvolved", with the mean of the image; of a deconvolved
            stack what the camera would see has that mean, light from beyond it included. The pixel
            size of the deconvolved one is divided by `upsample`. Where nothing was sharpened, it
            is the denoised image on that grid, and the notes say so.
        """
        _require(image)
        require_contrast(image)
        chosen = choose(device)
        _require_fit(model, image)
        record = first_record(model)
        part = PLANE if record.axes == 2 else STACK
        outputs = (
            over_parts.Output("denoised"),
            over_parts.Output("deconvolved", record.upsample),
        )
        reblurred = None if record.axes == 2 else scratch_array(_shape(image))
        findings = DeconvolutionFindings(finished_early(model))
        other_noise = NoiseCheck(model, image)

        def restore_one(
            unit: AnyRestorer,
            pixels: np.ndarray,
            channel: int | None,
            results: Mapping[str, np.ndarray],
        ) -> None:
            unit.to(chosen)
            into = Results(results["denoised"], results["deconvolved"], reblurred)
            made = restore_checked(unit, pixels, into, symmetries or self.positions)
            findings.add(made, channel)
            if not made.doubted:
                findings.remark(other_noise(unit.record.noise, pixels, channel))
            into.release()

        images = over_parts.apply(
            image,
            model.units,
            restore_one,
            outputs,
            fit_per=model.settings.fit_per,
            part=part,
            label="Deconvolving",
            convert=False,
        )
        return Restored(images, findings.report())

    def simulate(
        self,
        model: Model[S, AnyRestorer],
        restored: Mapping[str, xr.DataArray],
        seed: int,
    ) -> xr.DataArray:
        """Simulate another capture of the denoised image; see :class:`.Method`."""
        return over_parts.simulate(
            restored["denoised"],
            model,
            lambda unit: unit.record.noise,
            part=PLANE if first_record(model).axes == 2 else STACK,
            seed=seed,
        )


def training_report(model: Model[Any, AnyRestorer], image: xr.DataArray) -> Report:
    """Say what a training has found.

    Parameters
    ----------
    model : Model
        The trained model.
    image : xarray.DataArray
        The image that it was fitted to.

    Returns
    -------
    Report
        Whether the training was ended early, and the noise of each channel, or of the first part
        where each has a network of its own; metrics of the first network.
    """
    record = first_record(model)
    part = PLANE if record.axes == 2 else STACK
    per_part = model.settings.fit_per == "plane"
    where = groups(image, model.settings.fit_per, part)
    noise: dict[int | None, str] = {}
    for number, unit in enumerate(model.units[:1] if per_part else model.units):
        noisy = np.asarray(image.data[place(image, where[number][0])])
        noise[None if per_part else number] = noise_said(unit.record.noise, noisy)
    metrics = {
        "noise_gain": record.noise.gain,
        "dark_level": record.dark_level,
        "steps": float(record.steps),
    }
    if record.losses:
        metrics["loss"] = record.losses[-1][1]
    return Report((*finished_early(model), *by_channel(noise)), metrics)


def finished_early(model: Model[Any, AnyRestorer]) -> list[str]:
    """Say that the user has ended a training, if so."""
    counts = [(unit.record.steps, unit.record.planned) for unit in model.units]
    done, planned = min(counts, key=lambda count: count[0] / count[1])
    return [f"The training was finished after {done} of {planned} steps."] * (done < planned)


def _shape(image: xr.DataArray) -> tuple[int, ...]:
    return tuple(size(image, dim) for dim in STACK)


def _require(image: xr.DataArray) -> None:
    require_pixels(image)
    require_size(image, SMALLEST, "Deconvolution needs")


def _require_same_kind(
    start: Model[Any, AnyRestorer], image: xr.DataArray, planned: Plan, networks: int
) -> None:
    """Refuse to continue the training of other networks than the planned ones."""
    kinds = {(u.kind, u.axes, u.record.upsample) for u in start.units}
    wanted = planned.restorer
    if kinds != {(wanted.kind, wanted.axes, planned.upsample)} or len(start.units) != networks:
        first = start.units[0].record
        raise UserError(
            f"The model to continue from has {counted(len(start.units), 'network')} of the kind "
            f"'{first.kind}' in {first.axes}D with an upsampling of {first.upsample}. The image "
            f"and the settings ask for {networks} of the kind '{wanted.kind}' in {wanted.axes}D "
            f"with {planned.upsample}. Change the settings, or start a new training."
        )
    _require_same_pixels(first_record(start), image)


def _require_fit(model: Model[Any, AnyRestorer], image: xr.DataArray) -> None:
    """Refuse an image of another kind than the model was fitted to."""
    record = first_record(model)
    slices = size(image, "pln")
    if record.axes == 3 and slices < FEWEST_SLICES:
        raise UserError(
            f"The model is for stacks in 3D and the image has {counted(slices, 'slice')}. "
            f"It needs at least {FEWEST_SLICES}; choose a model for 2D."
        )
    _require_same_pixels(record, image)


def first_record(model: Model[Any, AnyRestorer]) -> Record:
    """The record of the first unit; all have the same kind of network."""
    return model.units[0].record


def _require_same_pixels(record: Record, image: xr.DataArray) -> None:
    fitted = record.spacing
    spacing = spacing_micrometres(image, STACK[-record.axes :])
    if any(abs(a / b - 1) > _SAME_SIZE for a, b in zip(spacing, fitted, strict=True)):
        shown = [" x ".join(f"{1000 * v:.4g}" for v in s[::-1]) for s in (fitted, spacing)]
        raise UserError(
            f"The model was fitted to pixels of {shown[0]} nm and the image has {shown[1]} nm. "
            "Fit a model to this image, or correct its pixel size under Image > Properties..."
        )

"""The training: what is decided before it, what is measured, and the restorer that it gives."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
import xarray as xr

from zsfiji.compute.slices import middle_slices, spread_slices
from zsfiji.errors import UserError
from zsfiji.images.parts import PLANE, STACK
from zsfiji.learning.loop import DivergedError, train
from zsfiji.learning.models import Model
from zsfiji.learning.patches import structured_part
from zsfiji.physics.camera.defects import repaired_image
from zsfiji.physics.camera.doubt import measure_for_training
from zsfiji.physics.camera.model import NOTHING_KNOWN, KnownCamera
from zsfiji.physics.optics.degradation import Degradation
from zsfiji.physics.optics.kernel import DIMS, Psf
from zsfiji.physics.optics.matching import choose_axes, match_to_image
from zsfiji.physics.optics.spacing import spacing_micrometres
from zsfiji.services.over_parts import Group
from zsfiji.services.two_stage.network import run
from zsfiji.services.two_stage.restorer import Restorer, Restorers
from zsfiji.services.two_stage.settings import FEWEST_SLICES, TwoStageSettings
from zsfiji.services.two_stage.task import RawImage, Task, Terms

TRIES = 3
"""Seeds that are tried when trainings die or diverge. Not tuned."""

LARGEST_STACK = 64 * 2**20
"""Voxels of a stack that is trained on at most, of a larger one its middle: bounds the memory."""

ENERGY = 0.99
"""Share of the light of a PSF that is kept: the haze of the rest is wider than most images. Chosen
by eye."""

_PROBE_EDGE, _PROBE_SLICES = 64, 16
"""Size in pixels of the part in which a network is tried: bounds the time. Not tuned."""

_NOISE_SLICES = 16
"""Slices of a stack that its noise is measured in: bounds the time."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Given:
    """What is given beside the image.

    Attributes
    ----------
    psfs : sequence of Psf
        Point spread functions on any grid: one for all channels, or one each.
    camera : KnownCamera
        What is known about the camera.
    start : Model, optional
        A model to continue the training of.
    raw : RawImage, optional
        The raw image that the image was reconstructed from.
    """

    psfs: Sequence[Psf]
    camera: KnownCamera = NOTHING_KNOWN
    start: Model[Any, Restorer[Any]] | None = None
    raw: RawImage | None = None


@dataclass(frozen=True)
class Plan:
    """What is trained, as image, PSFs and settings decide.

    Attributes
    ----------
    restorer : type of Restorer
        The restorer.
    upsample : int
        Pixels of the deconvolved image to a pixel of the image, along rows and along columns.
    steps : int
        Steps of the training.
    spacing : tuple of float
        Pixel sizes in micrometres along the axes of a part.
    psfs : sequence of Psf
        The PSFs on the fine grid of the image.
    terms : Terms
        The weights of the published objectives.
    paired : sequence of Psf
        The PSFs at twice the slice spacing, to learn from pairs of slices; empty for recorruption.
    """

    restorer: type[Restorer[Any]]
    upsample: int
    steps: int
    spacing: tuple[float, ...]
    psfs: Sequence[Psf]
    terms: Terms = field(default_factory=Terms)
    paired: Sequence[Psf] = ()

    @property
    def part(self) -> tuple[str, ...]:
        """The axes of what a restorer restores in one piece."""
        return PLANE if self.restorer.axes == 2 else STACK


def decide(
    image: xr.DataArray, settings: TwoStageSettings, given: Given, restorers: Restorers
) -> Plan:
    """Decide what is trained.

    Parameters
    ----------
    image : xarray.DataArray
        The image.
    settings : TwoStageSettings
        The settings.
    given : Given
        PSFs, camera and start.
    restorers : mapping
        The restorers to choose from.

    Raises
    ------
    UserError
        If the PSFs, the stack or its calibration do not serve.
    """
    axes = choose_axes(image, given.psfs, settings.dimensions, FEWEST_SLICES)
    return Plan(
        restorers[settings.kind, axes],
        settings.upsample,
        settings.planned_steps(axes),
        spacing_micrometres(image, DIMS[-axes:]),
        match_to_image(given.psfs, image, upsample=settings.upsample, axes=axes, energy=ENERGY),
    )


def fit_part(
    images: list[np.ndarray],
    group: Group,
    device: torch.device,
    *,
    plan: Plan,
    settings: TwoStageSettings,
    camera: KnownCamera,
    start: Restorer[Any] | None,
    raw: RawImage | None = None,
) -> Restorer[Any]:
    """Measure the noise of some planes or stacks, and train a restorer on them.

    Parameters
    ----------
    images : list of numpy.ndarray
        float32 (row, col) or (pln, row, col), of one channel.
    group : Group
        Where they are.
    device : torch.device
        Where to train.
    plan : Plan
        What is trained.
    settings : TwoStageSettings
        The settings.
    camera : KnownCamera
        What is known about the camera.
    start : Restorer, optional
        A restorer to continue the training of.
    raw : RawImage, optional
        The raw image that they were reconstructed from. The noise is then measured in that: a
        reconstruction has next to none at the frequencies at which that of a camera shows.

    Returns
    -------
    Restorer
        On the CPU.

    Raises
    ------
    UserError
        If the image does not serve, or no seed works.
    """
    where = f" in {settings.fit_per} {group.number + 1}" if group.count > 1 else ""
    if plan.restorer.axes == 3:
        images = [middle_slices(stack, LARGEST_STACK, FEWEST_SLICES) for stack in images]
    if group.count > 1 and min(i.min() for i in images) == max(i.max() for i in images):
        raise UserError(
            f"All pixels{where} have the same value, so there is nothing to restore. Leave "
            "it out: Image > Duplicate... takes some of the channels, slices or frames."
        )
    made = None
    if raw is not None:
        made = raw(group, plan.part, pairs=not plan.paired)
        measured, doubted = made.camera, False
    else:
        some = [plane for image in images for plane in spread_slices(image, _NOISE_SLICES)]
        measured, doubted = measure_for_training(some, camera, where)
        images = [repaired_image(image, measured.noise)[0] for image in images]
    task = Task.of(
        images,
        measured,
        _optics(plan.psfs, group.channel, plan.upsample),
        plan.spacing,
        elsewhere=plan.restorer.elsewhere,
        terms=plan.terms,
        pairs=_optics(plan.paired, group.channel, plan.upsample) if plan.paired else None,
        recorrupted=None if made is None else made.pairs,
        device=device,
    )
    found = fit_restorer(
        plan.restorer, task, steps=plan.steps, seed=settings.seed, label=group.label, start=start
    )
    found.to(torch.device("cpu"))
    return replace(found, record=replace(found.record, doubted=doubted))


def fit_restorer(
    kind: type[Restorer[Any]],
    task: Task,
    *,
    steps: int,
    seed: int,
    label: str,
    start: Restorer[Any] | None = None,
) -> Restorer[Any]:
    """Train a restorer.

    A training that diverges, or whose network dies (gives the same value everywhere, as rectified
    linear units may), is started again with the next seed.

    Parameters
    ----------
    kind : type of Restorer
        The restorer.
    task : Task
        What it learns from, on the device of the training.
    steps : int
        Training steps.
    seed : int
        Seed of weights and draws.
    label : str
        What to tell the user.
    start : Restorer, optional
        A restorer of the same kind to continue the training of.

    Returns
    -------
    Restorer
        With its network on the device of the task.

    Raises
    ------
    UserError
        If no seed works.
    """
    for attempt in range(TRIES):
        number = seed + attempt
        begun = kind.begin(task, number) if start is None else start.continued(task, number)
        try:
            trained = _train(begun, task, steps, label, ready=start is not None)
            if trained is not None:
                return trained
            what = "failed (the network gives the same value everywhere)"
        except DivergedError:
            what = "diverged"
        _log.warning("The training with seed %d %s; trying another seed.", number, what)
    raise UserError(
        f"The training failed with {TRIES} seeds in a row. Check whether single pixels of the "
        "image are extremely bright and whether the given background is right."
    )


def _train(
    restorer: Restorer[Any], task: Task, steps: int, label: str, *, ready: bool
) -> Restorer[Any] | None:
    """Train the network of a restorer in place; None if it died."""
    network, multiple = restorer.network, restorer.network.multiple
    probe = _brightest(task)
    rows, cols = (n // multiple * multiple for n in probe.shape[-2:])
    probe = probe[None, ..., :rows, :cols]
    given = restorer.scale.to_network(probe if restorer.axes == 2 else probe[:, None])

    def dead(done: int = 0) -> bool:
        with torch.no_grad():
            results = run(network, given)
        return any(bool(r.min() == r.max()) for r in results)

    training = restorer.training(task, steps, ready=ready)
    average = training.average
    shown = restorer if average is None else replace(restorer, network=average)
    history = train(
        network,
        training.objective,
        training.schedule,
        label=label,
        preview=lambda: shown.preview(task.data),
        stop=dead,
        average=average,
    )
    if dead():
        return None
    record = restorer.record.trained(history.steps, steps, history.losses)
    return replace(restorer, record=record)


def _brightest(task: Task) -> torch.Tensor:
    """The part of the first image around its brightest structure: (slices, row, col)."""
    light = task.data[0].amax(0).cpu()
    mine = task.places[task.places[:, 0] == 0]
    centre = mine[light[mine[:, 1], mine[:, 2]].argmax()]
    slices = min(task.data.shape[1], _PROBE_SLICES)
    voxels = slices * _PROBE_EDGE**2
    return structured_part(task.data, centre[None], 0, voxels=voxels, slices=slices)


def _optics(psfs: Sequence[Psf], channel: int, upsample: int) -> Degradation:
    """The optics of a channel; one PSF may be for all channels."""
    values = psfs[channel % len(psfs)].values
    return Degradation(torch.from_numpy(values.astype(np.float32)), upsample)

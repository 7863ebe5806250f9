"""What the commands of SIMFormer do once their options are read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from zsfiji.commands import restore as common
from zsfiji.commands.outcome import Curve, Outcome, Plot
from zsfiji.commands.untold import PSF, arranged, with_psf
from zsfiji.errors import UserError

if TYPE_CHECKING:
    from torch import nn

    from zsfiji.learning.models import Model
    from zsfiji.parameters.sim import RawOrder
    from zsfiji.services.simformer.kinds import Kind
    from zsfiji.services.simformer.settings import Settings
    from zsfiji.services.simformer.trained import Trained
    from zsfiji.services.simformer.training import Course


_AS_LONG = {True: 8.0, False: 3.0}
"""How many times as long the fit of an image takes as that of a capture of it, whose start and
number of iterations are known; with a network of the image's own and without. Measured."""


def model_of(path: Path | None, *, student: bool) -> Model[Settings, Trained]:
    """A model: the file of the user, or the shipped one.

    Raises
    ------
    UserError
        If the file does not serve.
    """
    from zsfiji.services.simformer.service import Simformer
    from zsfiji.services.simformer.shipped import path_of

    chosen = path if path is not None else path_of(student=student)
    return common.load(Simformer(student=student), chosen)


def reconstructed(
    image: xr.DataArray,
    order: RawOrder,
    background: float | None,
    *,
    model: Path | None,
    student: bool,
    fit: bool,
    wanted: tuple[str, ...],
    device: str,
    iterations: int = 0,
    own_network: bool = False,
    seed: int = 0,
    uncertainty: bool = False,
) -> Outcome:
    """Restore a raw image.

    Parameters
    ----------
    image : xarray.DataArray
        As it was opened.
    order : RawOrder
        How it is arranged.
    background : float or None
        Grey level without light.
    model : Path or None
        The model; without it the shipped one.
    student : bool
        Whether that is one of SIMFormer+.
    fit : bool
        Whether the result is fitted to the frames.
    wanted : tuple of str
        Names of the windows that are wanted besides the emitter.
    device : str
        Where to compute.
    iterations : int
        Of the fit; 0 as many as the noise bears.
    own_network : bool
        Whether a network that learns from the image alone gives the fit other starts.
    seed : int
        Of that network, and of the draws that choose a start.
    uncertainty : bool
        Whether the uncertainty of the emitter is wanted as well.

    Raises
    ------
    UserError
        If it is wanted without a fit, or the image, the model or an option does not serve.
    """
    from zsfiji.services.blind_sim.stacks import Optics
    from zsfiji.services.simformer.service import Simformer

    if uncertainty and not fit:
        # Of dark places as few as 30 % of the errors would be within two standard deviations.
        raise UserError(
            "The uncertainty needs the fit: the network alone can be wrong in the same way for "
            "each capture, which no capture shows. Give 'fit=true', or 'uncertainty=false'."
        )
    trained = model_of(model, student=student)
    raw = arranged(image, order, background)
    method = Simformer(
        student=student,
        optics=Optics(background=background, layout=order.pattern),
        fit=fit,
        iterations=iterations or None,
        own_network=own_network,
        seed=seed,
        wanted=wanted,
    )
    outcome = common.apply(
        method,
        trained,
        raw,
        bit_depth="32-bit",
        uncertainty=uncertainty,
        again=method.again(),
        as_long=_AS_LONG[own_network] if fit and not iterations else 1.0,
        device=device,
    )
    if PSF not in wanted:
        return outcome
    planes = [method.psfs[channel] for channel in sorted(method.psfs)]
    return Outcome(with_psf(outcome.images, planes, image), outcome.notes, outcome.metrics)


def learnt(
    losses: tuple[tuple[int, float], ...], steps: int, planned: int, saved: Path | None
) -> Outcome:
    """What a training says.

    Parameters
    ----------
    losses : tuple of (int, float)
        Step and loss.
    steps, planned : int
        That were done, and that were to be done.
    saved : Path or None
        Where the model is.
    """
    notes = [f"{steps:,} of {planned:,} training steps were done."]
    if saved is not None:
        notes.append(f"The model is saved as {saved}.")
    metrics = {"Steps": float(steps)}
    if not losses:
        return Outcome((), tuple(notes), metrics)
    last = [loss for _, loss in losses[-max(1, len(losses) // 10) :]]
    metrics["Loss"] = float(np.mean(last))
    x, y = (tuple(float(one[n]) for one in losses) for n in (0, 1))
    plot = Plot("SIMFormer training", "Training step", "Loss (a.u.)", (Curve("loss", x, y),))
    return Outcome((), tuple(notes), metrics, (plot,))


def trained(settings: Settings, save: Path, kept: Path | None, *, device: str) -> Outcome:
    """Train a network on simulated stacks, and save it.

    Parameters
    ----------
    settings : Settings
        How.
    save : Path
        Where the model goes.
    kept : Path or None
        Where the state of the training is.
    device : str
        Where to compute.

    Raises
    ------
    UserError
        If a file cannot be written: that is asked first.
    """
    from zsfiji.commands.device_lock import device_lock
    from zsfiji.compute.device import choose
    from zsfiji.services.simformer.kinds import kind_of
    from zsfiji.services.simformer.training import train_network

    target, kept = _writable(save, kept)
    kind, where = kind_of(settings.network), choose(device)
    network = kind.make(settings.seed).to(where)
    with device_lock(str(where)):
        course = train_network(kind, network, settings, kept=kept)
    return _saved(kind, network, target, settings, course, student=False)


def distilled(
    model: Path | None,
    save: Path,
    kept: Path | None,
    *,
    steps: int,
    seed: int,
    shots: float,
    gaussian: float,
    device: str,
) -> Outcome:
    """Teach a student, and save it; see :func:`trained`.

    Parameters
    ----------
    model : Path or None
        The teacher; without it the shipped model.
    steps, seed : int
        How long, and the seed.
    shots, gaussian : float
        See :class:`zsfiji.services.simformer.distilling.Augmentation`.
    save, kept, device
        As for :func:`trained`.
    """
    from zsfiji.commands.device_lock import device_lock
    from zsfiji.compute.device import choose
    from zsfiji.services.simformer.distilling import Augmentation
    from zsfiji.services.simformer.settings import Settings
    from zsfiji.services.simformer.training import distil

    teacher = model_of(model, student=False)
    target, kept = _writable(save, kept)
    unit, where = teacher.units[0], choose(device)
    kind = unit.kind
    student = kind.make(seed, student=True).to(where)
    settings = Settings(network=teacher.settings.network, steps=steps, seed=seed)
    with device_lock(str(where)):
        course = distil(
            kind,
            unit.network.to(where),
            student,
            settings,
            augmentation=Augmentation(shots, gaussian),
            kept=kept,
        )
    return _saved(kind, student, target, settings, course, student=True)


def _saved(
    kind: Kind,
    network: nn.Module,
    target: Path,
    settings: Settings,
    course: Course,
    *,
    student: bool,
) -> Outcome:
    """Save a network after its training, and say how that went."""
    from zsfiji.services.simformer.service import save_network

    save_network(
        network,
        kind.name,
        target,
        student=student,
        settings=settings,
        steps=course.steps,
        losses=course.losses,
    )
    return learnt(course.losses, course.steps, course.planned, target)


def _writable(save: Path, kept: Path | None) -> tuple[Path, Path | None]:
    """Where model and state go, if they can."""
    from zsfiji.images.files import require_writable, user_path

    target = common.model_path(save)
    assert target is not None, "the model is to be saved"
    if kept is not None:
        kept = user_path(kept)
        require_writable(kept)
    return target, kept

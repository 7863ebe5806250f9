"""What the commands that denoise and deconvolve do once their options are read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from zsfiji.commands import restore
from zsfiji.commands.colours import Colours, colours
from zsfiji.commands.inputs import known_camera, psfs
from zsfiji.commands.outcome import Curve, Outcome, Plot
from zsfiji.errors import UserError
from zsfiji.parameters.source import Source
from zsfiji.services.two_stage.settings import TwoStageSettings

if TYPE_CHECKING:
    import xarray as xr

    from zsfiji.commands.reconstructed import Reconstructed
    from zsfiji.learning.models import Model
    from zsfiji.parameters.camera import CameraOptions
    from zsfiji.parameters.output import DenoisedAndDeconvolved
    from zsfiji.parameters.psf import PsfGrid
    from zsfiji.physics.optics.kernel import Psf
    from zsfiji.services.two_stage.fit import Given
    from zsfiji.services.two_stage.restorer import Restorer
    from zsfiji.services.two_stage.service import TwoStage

S = TypeVar("S", bound=TwoStageSettings)

_TRAINING = 0.9
"""Part of the progress that the training is. Chosen by eye."""


def train(
    method: TwoStage[S],
    image: xr.DataArray,
    psf: Source | None,
    *,
    settings: S,
    camera: CameraOptions,
    psf_grid: PsfGrid,
    start: Path | None,
    save: Path | None,
    device: str,
    share: float,
    raw: Reconstructed | None = None,
) -> tuple[Model[S, Restorer[Any]], tuple[str, ...]]:
    """Train a model, and save it where that is wanted.

    Parameters
    ----------
    method : TwoStage
        The method.
    image : xarray.DataArray
        The image.
    psf : Source, optional
        Its point spread function; without it that of the reconstruction.
    settings, camera, psf_grid
        The options.
    start, save : Path or None
        A model to continue from, and where to save this one.
    device : str
        Where to compute.
    share : float
        Part of the progress that the training is.
    raw : Reconstructed, optional
        Of a raw SIM image, of which `image` is the reconstruction.

    Returns
    -------
    Model
        The model.
    tuple of str
        Which PSF it was, and where the model is.
    """
    from zsfiji.images.axes import size
    from zsfiji.physics.optics.measure import describe
    from zsfiji.physics.optics.origin import note
    from zsfiji.physics.optics.spacing import spacing_micrometres
    from zsfiji.services.two_stage.fit import Given

    target = restore.model_path(save)
    if psf is not None:
        found = _psfs(image, psf, psf_grid, upsample=settings.upsample)
    else:
        assert raw is not None, "a PSF is needed for other images"
        found = raw.psfs
    earlier = None if start is None else restore.load(method, start)
    known = known_camera(camera)

    def given(parts: Colours) -> Given:
        each = len(found) == size(image, "ch")
        psfs = [found[n] for n in parts.kept] if each else found
        return Given(psfs, known, earlier, None if raw is None else raw.raw)

    model = restore.fit(method, image, settings, given, save=save, device=device, share=share)
    pixel = spacing_micrometres(image, ("col",))[0]
    about: tuple[str, ...] = (f"{describe(found[0])}. {note(found[0], pixel)}",)
    if raw is not None:
        about += raw.notes
    return model, about if target is None else (*about, f"The model is saved as {target}.")


def learnt(
    image: xr.DataArray, model: Model[Any, Restorer[Any]], about: tuple[str, ...]
) -> Outcome:
    """Say what a training has found.

    Parameters
    ----------
    image : xarray.DataArray
        The image.
    model : Model
        The model that was fitted to it.
    about : tuple of str
        What :func:`train` said.

    Returns
    -------
    Outcome
        Notes, the numbers of the noise, and the course of the loss; no image.
    """
    from zsfiji.services.two_stage.service import training_report

    parts = colours(image, model)
    report = training_report(model, parts.work)
    notes = (*report.notes, *parts.notes, *about)
    return Outcome((), notes, dict(report.metrics), (_course(image, model),))


def predict(
    method: TwoStage[S],
    image: xr.DataArray,
    model: Model[S, Restorer[Any]],
    output: DenoisedAndDeconvolved,
    *,
    device: str,
    start: float = 0.0,
) -> Outcome:
    """Apply a model.

    Parameters
    ----------
    method : TwoStage
        The method.
    image : xarray.DataArray
        The image.
    model : Model
        The model.
    output : DenoisedAndDeconvolved
        What to give.
    device : {"auto", "cpu", "cuda", "mps"}
        Where to compute.
    start : float
        Part of the progress that has been before.

    Returns
    -------
    Outcome
        The images, the deconvolved one last.
    """
    return restore.apply(
        method,
        model,
        image,
        results=None if output.results == "both" else (output.results,),
        bit_depth=output.bit_depth,
        uncertainty=output.uncertainty,
        device=device,
        start=start,
    )


def train_and_predict(
    method: TwoStage[S],
    image: xr.DataArray,
    learnt_from: xr.DataArray,
    psf: Source | None,
    *,
    settings: S,
    camera: CameraOptions,
    psf_grid: PsfGrid,
    start: Path | None,
    save: Path | None,
    output: DenoisedAndDeconvolved,
    device: str,
    raw: Reconstructed | None = None,
) -> Outcome:
    """Train a model and apply it.

    Parameters
    ----------
    image : xarray.DataArray
        The image that is restored.
    learnt_from : xarray.DataArray
        What the model is trained on: the image, or more.
    method, psf, settings, camera, psf_grid, start, save, output, device, raw
        See :func:`train` and :func:`predict`.

    Returns
    -------
    Outcome
        The images, the deconvolved one last, and the notes of both.
    """
    share = restore.trained_share(_TRAINING, output.uncertainty)
    model, about = train(
        method,
        learnt_from,
        psf,
        settings=settings,
        camera=camera,
        psf_grid=psf_grid,
        start=start,
        save=save,
        device=device,
        share=share,
        raw=raw,
    )
    restored = predict(method, image, model, output, device=device, start=share)
    return replace(restored, notes=(*restored.notes, *about))


def _psfs(image: xr.DataArray, psf: Source, grid: PsfGrid, *, upsample: int) -> list[Psf]:
    from zsfiji.images.axes import size
    from zsfiji.physics.optics.spacing import spacing_micrometres

    dims = ("pln", "row", "col") if size(image, "pln") > 1 else ("row", "col")
    try:
        spacing = spacing_micrometres(image, dims)
    except UserError:
        # Slices that are deconvolved one by one need no calibrated distance.
        spacing = spacing_micrometres(image, dims[-2:])
    fine = [*spacing[:-2], *(s / upsample for s in spacing[-2:])]
    return psfs(psf, grid, onto=fine)


def _course(image: xr.DataArray, model: Model[Any, Restorer[Any]]) -> Plot:
    curves = []
    for number, unit in enumerate(model.units):
        name = "loss" if len(model.units) == 1 else f"network {number + 1}"
        losses = unit.record.losses
        x, y = (tuple(float(loss[n]) for loss in losses) for n in (0, 1))
        curves.append(Curve(name, x, y))
    title = f"{image.attrs.get('title') or 'image'} training"
    return Plot(title, "Training step", "Loss (a.u.)", tuple(curves))

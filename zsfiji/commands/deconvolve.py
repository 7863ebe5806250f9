"""What the commands of ZS-DeconvNet do once their options are read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsfiji.commands import restore
from zsfiji.commands.colours import Colours, colours
from zsfiji.commands.inputs import known_camera, psfs
from zsfiji.commands.outcome import Curve, Outcome, Plot
from zsfiji.errors import UserError
from zsfiji.parameters.source import Source

if TYPE_CHECKING:
    import xarray as xr

    from zsfiji.learning.models import Model
    from zsfiji.parameters.camera import CameraOptions
    from zsfiji.parameters.output import DenoisedAndDeconvolved
    from zsfiji.parameters.psf import PsfGrid
    from zsfiji.physics.optics.kernel import Psf
    from zsfiji.services.zs_deconvnet.fit import Given
    from zsfiji.services.zs_deconvnet.restorer import Restorer
    from zsfiji.services.zs_deconvnet.settings import Settings


def train(
    image: xr.DataArray,
    psf: Source,
    *,
    settings: Settings,
    camera: CameraOptions,
    psf_grid: PsfGrid,
    start: Path | None,
    save: Path | None,
    device: str,
    share: float,
) -> tuple[Model[Settings, Restorer[Any]], tuple[str, ...]]:
    """Train a model, and save it where that is wanted.

    Parameters
    ----------
    image : xarray.DataArray
        The image.
    psf : Source
        Its point spread function.
    settings, camera, psf_grid
        The options.
    start, save : Path or None
        A model to continue from, and where to save this one.
    device : str
        Where to compute.
    share : float
        Part of the progress that the training is.

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
    from zsfiji.services.zs_deconvnet.fit import Given
    from zsfiji.services.zs_deconvnet.service import METHOD

    target = restore.model_path(save)
    found = _psfs(image, psf, psf_grid, upsample=settings.upsample)
    earlier = None if start is None else load(start)
    known = known_camera(camera)

    def given(parts: Colours) -> Given:
        each = len(found) == size(image, "ch")
        return Given([found[n] for n in parts.kept] if each else found, known, earlier)

    model = restore.fit(METHOD, image, settings, given, save=save, device=device, share=share)
    pixel = spacing_micrometres(image, ("col",))[0]
    about = (f"{describe(found[0])}. {note(found[0], pixel)}",)
    return model, about if target is None else (*about, f"The model is saved as {target}.")


def learnt(
    image: xr.DataArray, model: Model[Settings, Restorer[Any]], about: tuple[str, ...]
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
    from zsfiji.services.zs_deconvnet.service import training_report

    parts = colours(image, model)
    report = training_report(model, parts.work)
    notes = (*report.notes, *parts.notes, *about)
    return Outcome((), notes, dict(report.metrics), (_course(image, model),))


def load(path: Path) -> Model[Settings, Restorer[Any]]:
    """Read a model of this method."""
    from zsfiji.services.zs_deconvnet.service import METHOD

    return restore.load(METHOD, path)


def predict(
    image: xr.DataArray,
    model: Model[Settings, Restorer[Any]],
    output: DenoisedAndDeconvolved,
    *,
    device: str,
    start: float = 0.0,
) -> Outcome:
    """Apply a model.

    Parameters
    ----------
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
    from zsfiji.services.zs_deconvnet.service import METHOD

    return restore.apply(
        METHOD,
        model,
        image,
        results=None if output.results == "both" else (output.results,),
        bit_depth=output.bit_depth,
        uncertainty=output.uncertainty,
        device=device,
        start=start,
    )


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


def _course(image: xr.DataArray, model: Model[Settings, Restorer[Any]]) -> Plot:
    curves = []
    for number, unit in enumerate(model.units):
        name = "loss" if len(model.units) == 1 else f"network {number + 1}"
        losses = unit.record.losses
        x, y = (tuple(float(loss[n]) for loss in losses) for n in (0, 1))
        curves.append(Curve(name, x, y))
    title = f"{image.attrs.get('title') or 'image'} training"
    return Plot(title, "Training step", "Loss (a.u.)", tuple(curves))

"""What the commands of ZS-DeconvNet do once their options are read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsfiji import progress
from zsfiji.commands.colours import colours
from zsfiji.commands.device_lock import device_lock
from zsfiji.commands.inputs import dark_frame, psfs
from zsfiji.commands.outcome import Curve, Outcome, Plot, result_title
from zsfiji.commands.restore import model_path, with_depth
from zsfiji.errors import UserError
from zsfiji.parameters.source import Source

if TYPE_CHECKING:
    import xarray as xr

    from zsfiji.learning.models import Model
    from zsfiji.parameters.camera import CameraOptions
    from zsfiji.parameters.output import DenoisedAndDeconvolved
    from zsfiji.parameters.psf import PsfGrid
    from zsfiji.physics.optics.kernel import Psf
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
) -> tuple[Model, tuple[str, ...]]:
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
    from zsfiji.compute.device import choose
    from zsfiji.images.axes import size
    from zsfiji.learning import models
    from zsfiji.physics.optics.measure import describe
    from zsfiji.physics.optics.origin import said
    from zsfiji.physics.optics.spacing import spacing_micrometres
    from zsfiji.services.zs_deconvnet import service

    target = model_path(save)
    parts = colours(image)
    work = parts.work
    found = _psfs(image, psf, psf_grid, upsample=settings.upsample)
    if len(found) == size(image, "ch"):
        found = [found[n] for n in parts.kept]
    earlier = None if start is None else load(start)
    with device_lock(str(choose(device))), progress.part(0, share):
        model = service.fit(
            work,
            found,
            quality=settings.quality,
            network=settings.network,
            steps=settings.steps,
            upsample=settings.upsample,
            dimensions=settings.dimensions,
            pairs=settings.pairs,
            fit_per=settings.fit_per,
            hessian=settings.hessian,
            gain=camera.gain,
            read_variance=camera.read_variance,
            background=camera.background,
            dark=dark_frame(camera.dark),
            start=earlier,
            seed=settings.seed,
            device=device,
        )
    pixel = spacing_micrometres(image, ("col",))[0]
    about = (f"{describe(found[0])}. {said(found[0], pixel)}",)
    if target is None:
        return model, about
    models.save(model, target)
    return model, (*about, f"The model is saved as {target}.")


def learnt(image: xr.DataArray, model: Model, about: tuple[str, ...]) -> Outcome:
    """What to say about a training.

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
    from zsfiji.services.zs_deconvnet.notes import of_training

    parts = colours(image, model)
    notes = (*of_training(model, parts.work), *parts.notes, *about)
    return Outcome((), notes, _metrics(model), (_course(image, model),))


def load(path: Path) -> Model:
    """Read a model of this method."""
    from zsfiji.learning import models
    from zsfiji.services.zs_deconvnet import service

    return models.load(path, service.METHOD)


def predict(
    image: xr.DataArray,
    model: Model,
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
    from zsfiji.compute.device import choose
    from zsfiji.learning import models
    from zsfiji.services.zs_deconvnet import service

    chosen = choose(device)
    parts = colours(image, model)
    with device_lock(str(chosen)), progress.part(start, 1):
        both = service.apply(model, parts.work, device=device)
    title = str(image.attrs.get("title") or "image")
    images = []
    for name, restored in (("denoised", both.denoised), ("deconvolved", both.deconvolved)):
        if output.results not in ("both", name):
            continue
        pixels = parts.put_back(restored.image, image)
        result = pixels.copy(data=with_depth(pixels, image, output.bit_depth))
        result.attrs["title"] = result_title(title, name)
        result.attrs["properties"] = {
            **result.attrs.get("properties", {}),
            "zsfiji.model": models.digest(model),
            "zsfiji.device": str(chosen),
            "zsfiji.seed": str(model.settings["seed"]),
        }
        if output.bit_depth == "32-bit":
            result.attrs.pop("rgb", None)
        images.append(result)
    last = both.denoised if output.results == "denoised" else both.deconvolved
    return Outcome(tuple(images), last.notes + parts.notes, dict(last.metrics))


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


def _metrics(model: Model) -> dict[str, float]:
    first: dict[str, Any] = model.settings["units"][0]
    metrics = {
        "noise_gain": first["noise"]["gain"],
        "dark_level": first["camera_dark_level"],
        "steps": float(first["steps"]),
    }
    if first["losses"]:
        metrics["loss"] = first["losses"][-1][1]
    return metrics


def _course(image: xr.DataArray, model: Model) -> Plot:
    units = model.settings["units"]
    curves = []
    for number, unit in enumerate(units):
        name = "loss" if len(units) == 1 else f"network {number + 1}"
        x, y = zip(*unit["losses"], strict=True) if unit["losses"] else ((), ())
        curves.append(Curve(name, tuple(map(float, x)), tuple(map(float, y))))
    title = f"{image.attrs.get('title') or 'image'} training"
    return Plot(title, "Training step", "Loss (a.u.)", tuple(curves))

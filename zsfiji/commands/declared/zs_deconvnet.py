"""``ZS-DeconvNet Train...``, ``Predict...`` and ``Restore...``: the published method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from zsfiji.commands.declare import command
from zsfiji.parameters.camera import CameraOptions
from zsfiji.parameters.declare import ParameterGroup, Shown
from zsfiji.parameters.device import Device
from zsfiji.parameters.model_files import MoreImages, SaveModel, StartModel
from zsfiji.parameters.output import (
    BOTH,
    BOTH_BYTES,
    DECONVOLVED_BYTES,
    DenoisedAndDeconvolved,
)
from zsfiji.parameters.pixel_sizes import PixelSizes
from zsfiji.parameters.psf import PointSpread, PsfGrid
from zsfiji.services.zs_deconvnet.settings import Settings

if TYPE_CHECKING:
    import xarray as xr

    from zsfiji.commands.outcome import Outcome

NewModel = Annotated[
    Path,
    Field(
        description="Where to save the model. The file gets the ending .zsfiji unless it has one."
    ),
    Shown("Save model as", path="save"),
]

TrainedModel = Annotated[
    Path,
    Field(description="A model that ZS-DeconvNet Train... or Restore... has saved."),
    Shown("Model", path="open"),
]


@dataclass(frozen=True, kw_only=True)
class RestoreFiles(ParameterGroup):
    """Model files of ZS-DeconvNet Restore....

    Attributes
    ----------
    start_model : Path, optional
        A model to continue training from.
    save_model : Path, optional
        Where the trained model goes.
    """

    start_model: StartModel = None
    save_model: SaveModel = None


@dataclass(frozen=True, kw_only=True)
class TrainFiles(ParameterGroup):
    """What ZS-DeconvNet Train... learns from besides the image.

    Attributes
    ----------
    more_images : Path, optional
        A folder with further images.
    start_model : Path, optional
        A model to continue training from.
    """

    more_images: MoreImages = None
    start_model: StartModel = None


def _training(sizes: Mapping[str, int], *, settings: Settings) -> float:
    from zsfiji.services.zs_deconvnet.duration import seconds

    return seconds(sizes, settings, applied=0)


def _restoring(
    sizes: Mapping[str, int], *, settings: Settings, output: DenoisedAndDeconvolved
) -> float:
    from zsfiji.services.duration import times_applied
    from zsfiji.services.zs_deconvnet.duration import seconds

    return seconds(sizes, settings, applied=times_applied(output.uncertainty))


@command(
    label="ZS-DeconvNet Restore...",
    suffixes=BOTH,
    result_bytes=BOTH_BYTES,
    duration=_restoring,
    on_request=("uncertainty",),
    request_bytes=DECONVOLVED_BYTES,
)
def zs_deconvnet_restore(
    image: xr.DataArray,
    *,
    psf: PointSpread,
    settings: Settings,
    camera: CameraOptions,
    pixel_sizes: PixelSizes,
    psf_grid: PsfGrid,
    files: RestoreFiles,
    output: DenoisedAndDeconvolved,
    device: Device = "auto",
) -> Outcome:
    """Denoise and deconvolve an image with ZS-DeconvNet, trained on this image, as published.

    The method of Qiao, Zeng et al. (Nature Communications 2024): a network is trained on this one
    image, stack or time-lapse and gives two images, the denoised one and the deconvolved one on a
    grid of half the pixel size. Zero-Shot Deconvolve... gives the same two images by our own
    method. Where the noise leaves nothing to sharpen, the notes in the Log say so.
    """
    from zsfiji.commands import deconvolve as body
    from zsfiji.commands.inputs import calibrated
    from zsfiji.services.zs_deconvnet.service import METHOD

    image = calibrated(image, pixel_sizes)
    return body.train_and_predict(
        METHOD,
        image,
        image,
        psf,
        settings=settings,
        camera=camera,
        psf_grid=psf_grid,
        start=files.start_model,
        save=files.save_model,
        output=output,
        device=device,
    )


@command(label="ZS-DeconvNet Train...", result_bytes=0, duration=_training)
def zs_deconvnet_train(
    image: xr.DataArray,
    *,
    psf: PointSpread,
    save_model: NewModel,
    settings: Settings,
    camera: CameraOptions,
    pixel_sizes: PixelSizes,
    psf_grid: PsfGrid,
    files: TrainFiles,
    device: Device = "auto",
) -> Outcome:
    """Train a network on an image and save it, for ZS-DeconvNet Predict... and further images.

    The model serves images of the same kind: same camera and settings, same optics and pixel
    size, any number of rows and columns.
    """
    from zsfiji.commands import deconvolve as body
    from zsfiji.commands.inputs import with_more_images
    from zsfiji.services.zs_deconvnet.service import METHOD

    image = with_more_images(image, files.more_images, pixel_sizes)
    model, about = body.train(
        METHOD,
        image,
        psf,
        settings=settings,
        camera=camera,
        psf_grid=psf_grid,
        start=files.start_model,
        save=save_model,
        device=device,
        share=1.0,
    )
    return body.learnt(image, model, about)


@command(
    label="ZS-DeconvNet Predict...",
    suffixes=BOTH,
    result_bytes=BOTH_BYTES,
    on_request=("uncertainty",),
    request_bytes=DECONVOLVED_BYTES,
)
def zs_deconvnet_predict(
    image: xr.DataArray,
    *,
    model: TrainedModel,
    pixel_sizes: PixelSizes,
    output: DenoisedAndDeconvolved,
    device: Device = "auto",
) -> Outcome:
    """Denoise and deconvolve an image with a model trained on another one of the same kind.

    Nothing is trained, so it takes seconds. The PSF is in the model.
    """
    from zsfiji.commands import deconvolve as body
    from zsfiji.commands.inputs import calibrated
    from zsfiji.commands.restore import load
    from zsfiji.services.zs_deconvnet.service import METHOD

    image = calibrated(image, pixel_sizes)
    return body.predict(METHOD, image, load(METHOD, model), output, device=device)

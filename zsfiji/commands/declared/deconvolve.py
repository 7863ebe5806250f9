"""``Zero-Shot Deconvolve...``: our own deconvolution, the one to start with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zsfiji.commands.declare import command
from zsfiji.parameters.camera import CameraOptions
from zsfiji.parameters.device import Device
from zsfiji.parameters.model_files import ModelFiles, MoreImages, StartModel
from zsfiji.parameters.output import (
    BOTH,
    BOTH_BYTES,
    DECONVOLVED_BYTES,
    DenoisedAndDeconvolved,
)
from zsfiji.parameters.pixel_sizes import PixelSizes
from zsfiji.parameters.psf import PsfGrid, TrainingPointSpread
from zsfiji.services.deconvolve.settings import Settings

if TYPE_CHECKING:
    import xarray as xr

    from zsfiji.commands.outcome import Outcome


@dataclass(frozen=True, kw_only=True)
class Files(ModelFiles):
    """Model files of Zero-Shot Deconvolve..., and what it learns from besides the image.

    Attributes
    ----------
    start_model : Path, optional
        A model to continue training from.
    more_images : Path, optional
        A folder with further images.
    """

    start_model: StartModel = None
    more_images: MoreImages = None


def _duration(
    sizes: Mapping[str, int], *, settings: Settings, files: Files, output: DenoisedAndDeconvolved
) -> float:
    from zsfiji.services.deconvolve.duration import seconds
    from zsfiji.services.duration import times_applied

    train = files.apply_model is None
    return seconds(sizes, settings, train=train, applied=times_applied(output.uncertainty))


@command(
    label="Zero-Shot Deconvolve...",
    suffixes=BOTH,
    result_bytes=BOTH_BYTES,
    duration=_duration,
    on_request=("uncertainty",),
    request_bytes=DECONVOLVED_BYTES,
)
def deconvolve(
    image: xr.DataArray,
    *,
    psf: TrainingPointSpread = None,
    settings: Settings,
    camera: CameraOptions,
    pixel_sizes: PixelSizes,
    psf_grid: PsfGrid,
    files: Files,
    output: DenoisedAndDeconvolved,
    device: Device = "auto",
) -> Outcome:
    """Denoise and deconvolve an image, learning from nothing but the image and its PSF.

    The noise is measured in the image. A small network is trained on this one image, stack or
    time-lapse: on pairs of images with independent noise, through the optics, and on examples
    with known truth that are made of the image itself. It gives two images: the denoised one, and
    the deconvolved one on a grid of half the pixel size. Where the noise leaves nothing to
    sharpen, the notes in the Log say so. A model that was saved is applied to further images
    without a PSF: that is in the model.
    """
    from zsfiji.commands import deconvolve as body
    from zsfiji.commands.inputs import calibrated, with_more_images
    from zsfiji.commands.restore import load
    from zsfiji.services.deconvolve.service import METHOD

    calibrated_image = calibrated(image, pixel_sizes)
    if files.apply_model is not None:
        model = load(METHOD, files.apply_model)
        return body.predict(METHOD, calibrated_image, model, output, device=device)
    assert psf is not None, "it is needed without a model"
    return body.train_and_predict(
        METHOD,
        calibrated_image,
        with_more_images(image, files.more_images, pixel_sizes),
        psf,
        settings=settings,
        camera=camera,
        psf_grid=psf_grid,
        start=files.start_model,
        save=files.save_model,
        output=output,
        device=device,
    )

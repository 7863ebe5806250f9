"""``Zero-Shot Deconvolve...``: our own deconvolution, the one to start with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from zsfiji.commands.declare import command
from zsfiji.parameters.camera import CameraOptions
from zsfiji.parameters.device import Device
from zsfiji.parameters.model_files import ModelFiles, MoreImages, StartModel
from zsfiji.parameters.output import DenoisedAndDeconvolved
from zsfiji.parameters.pixel_sizes import PixelSizes
from zsfiji.parameters.psf import PsfGrid, TrainingPointSpread
from zsfiji.services.deconvolve.settings import Settings

if TYPE_CHECKING:
    import xarray as xr

    from zsfiji.commands.outcome import Outcome

# Two results of 32 bits, one of them with four times the pixels. Large ones lie in a file until
# they are handed over.
_RESULTS = 20
_REQUEST = 16
_MEMORY = 8

_TRAINING = 0.9
"""Part of the progress that the training is. Chosen by eye."""


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
    suffixes=("denoised", "deconvolved"),
    memory=_MEMORY,
    result_bytes=_RESULTS,
    duration=_duration,
    on_request=("uncertainty",),
    request_bytes=_REQUEST,
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
    from zsfiji.commands.restore import load, trained_share
    from zsfiji.services.deconvolve.service import METHOD

    calibrated_image = calibrated(image, pixel_sizes)
    if files.apply_model is not None:
        model = load(METHOD, files.apply_model)
        return body.predict(METHOD, calibrated_image, model, output, device=device)
    assert psf is not None, "it is needed without a model"
    share = trained_share(_TRAINING, output.uncertainty)
    model, about = body.train(
        METHOD,
        with_more_images(image, files.more_images, pixel_sizes),
        psf,
        settings=settings,
        camera=camera,
        psf_grid=psf_grid,
        start=files.start_model,
        save=files.save_model,
        device=device,
        share=share,
    )
    restored = body.predict(METHOD, calibrated_image, model, output, device=device, start=share)
    return replace(restored, notes=(*restored.notes, *about))

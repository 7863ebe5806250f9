"""``ZS-DeconvNet Train...``, ``Predict...`` and ``Restore...``: the published method."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from zsfiji import progress
from zsfiji.commands.declare import command
from zsfiji.commands.raw_planes import require_patterns
from zsfiji.errors import UserError
from zsfiji.parameters.camera import CameraOptions
from zsfiji.parameters.declare import ParameterGroup, Shown
from zsfiji.parameters.device import Device
from zsfiji.parameters.model_files import MoreImages, SaveModel, StartModel
from zsfiji.parameters.optics import Emission, NumericalAperture
from zsfiji.parameters.output import (
    BOTH,
    BOTH_BYTES,
    DECONVOLVED_BYTES,
    DenoisedAndDeconvolved,
)
from zsfiji.parameters.pixel_sizes import PixelSizes
from zsfiji.parameters.psf import PointSpreadUnlessSim, PsfGrid
from zsfiji.parameters.sim import (
    Angles,
    Beams,
    Damping,
    FrameOrder,
    Otf,
    Phases,
    RawOrder,
    RealSlices,
    SimOptics,
)
from zsfiji.services.zs_deconvnet.settings import Settings

if TYPE_CHECKING:
    import xarray as xr

    from zsfiji.commands.outcome import Outcome
    from zsfiji.commands.reconstructed import Reconstructed

_BEFORE_TRAINING, _BEFORE_APPLYING = 0.1, 0.5
"""Part of the progress that the reconstruction of a raw SIM image is. Chosen by eye."""

NewModel = Annotated[
    Path,
    Field(
        description="Where to save the model. The file gets the ending .zsfiji unless it has one."
    ),
    Shown("Save model as", path="save"),
]

SimBackground = Annotated[
    float | None,
    Field(
        description="Grey level of the camera without light, of a raw SIM image. Empty: measured "
        "in the image."
    ),
    Shown("Background (SIM)", unit="grey levels", advanced=True),
]

TrainedModel = Annotated[
    Path,
    Field(description="A model that ZS-DeconvNet Train... or Restore... has saved."),
    Shown("Model", path="open"),
]


Mode = Annotated[
    Literal["widefield", "sim"],
    Field(
        description="widefield: the image as the camera took it. sim: a raw SIM image, which is "
        "reconstructed by the automatic filter of SIM Reconstruct...; the network learns from "
        "reconstructions of recorrupted frames. The PSF may then be left empty: that of the "
        "reconstruction is taken."
    ),
    Shown("Kind of image"),
]


@dataclass(frozen=True, kw_only=True)
class SimFrames(ParameterGroup):
    """Whether the image is a raw SIM image, and what is to be known of one.

    Attributes
    ----------
    mode : {"widefield", "sim"}
        Kind of the image; the rest is for "sim" only.
    na, emission, damping, otf
        See :class:`zsfiji.parameters.sim.SimOptics`.
    order, angles, phases, slices, pattern
        See :class:`zsfiji.parameters.sim.RawOrder`.
    """

    mode: Mode = "widefield"
    na: Annotated[NumericalAperture, Shown("Numerical aperture (SIM)", advanced=True)] = 1.4
    emission: Annotated[Emission, Shown("Emission (SIM)", unit="nm", advanced=True)] = 525.0
    damping: Damping = 0.3
    otf: Otf = None
    order: Annotated[FrameOrder, Shown("Order of the frames (SIM)", advanced=True)] = "auto"
    angles: Annotated[Angles, Shown("Angles (SIM, 0 = auto)", advanced=True)] = 0
    phases: Annotated[Phases, Shown("Phases (SIM, 0 = auto)", advanced=True)] = 0
    slices: RealSlices = 0
    pattern: Beams = "auto"

    def optics(self, sizes: PixelSizes, background: float | None) -> SimOptics:
        """The optics, with the pixel size and the background of other options."""
        return SimOptics(
            na=self.na,
            emission=self.emission,
            pixel_size=sizes.pixel_size,
            background=background,
            damping=self.damping,
            otf=self.otf,
        )

    def arrangement(self) -> RawOrder:
        """How the frames are arranged."""
        return RawOrder(
            order=self.order,
            angles=self.angles,
            phases=self.phases,
            slices=self.slices,
            pattern=self.pattern,
        )


def _fits(sizes: Mapping[str, int], *, frames: SimFrames) -> None:
    if frames.mode == "sim":
        require_patterns(sizes, order=frames.arrangement())


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


def _training(sizes: Mapping[str, int], *, settings: Settings, frames: SimFrames) -> float:
    from zsfiji.services.zs_deconvnet.duration import seconds

    return seconds(_restored(sizes, frames), settings, applied=0)


def _restoring(
    sizes: Mapping[str, int],
    *,
    settings: Settings,
    frames: SimFrames,
    output: DenoisedAndDeconvolved,
) -> float:
    from zsfiji.services.duration import times_applied
    from zsfiji.services.zs_deconvnet.duration import seconds

    applied = times_applied(output.uncertainty)
    return seconds(_restored(sizes, frames), settings, applied=applied)


def _restored(sizes: Mapping[str, int], frames: SimFrames) -> Mapping[str, int]:
    """The axes of what the networks get."""
    if frames.mode == "widefield":
        return sizes
    from zsfiji.commands.reconstructed import fine_sizes

    return fine_sizes(sizes)


@contextmanager
def _raw(
    image: xr.DataArray,
    frames: SimFrames,
    camera: CameraOptions,
    sizes: PixelSizes,
    *,
    upsample: int,
    seed: int,
    device: str,
    share: float,
) -> Iterator[Reconstructed | None]:
    """Reconstruct a raw SIM image, a `share` of the progress; the block is the rest of it.

    Gives None for other images, of which the block is all.
    """
    if frames.mode == "widefield":
        yield None
        return
    from zsfiji.commands.inputs import calibrated, known_camera
    from zsfiji.commands.reconstructed import reconstructed

    with progress.part(0, share):
        raw = reconstructed(
            image,
            frames.arrangement(),
            frames.optics(sizes, camera.background),
            known_camera(camera),
            upsample=upsample,
            seed=seed,
            device=device,
        )
    # Only now the slices are those of the specimen, and not of the patterns.
    spacing = PixelSizes(slice_spacing=sizes.slice_spacing)
    with progress.part(share, 1):
        yield replace(raw, image=calibrated(raw.image, spacing))


@command(
    label="ZS-DeconvNet Restore...",
    fits=_fits,
    suffixes=BOTH,
    result_bytes=BOTH_BYTES,
    duration=_restoring,
    on_request=("uncertainty",),
    request_bytes=DECONVOLVED_BYTES,
)
def zs_deconvnet_restore(
    image: xr.DataArray,
    *,
    psf: PointSpreadUnlessSim = None,
    settings: Settings,
    camera: CameraOptions,
    pixel_sizes: PixelSizes,
    psf_grid: PsfGrid,
    frames: SimFrames,
    files: RestoreFiles,
    output: DenoisedAndDeconvolved,
    device: Device = "auto",
) -> Outcome:
    """Denoise and deconvolve an image with ZS-DeconvNet, trained on this image, as published.

    The method of Qiao, Zeng et al. (Nature Communications 2024): a network is trained on this one
    image, stack or time-lapse and gives two images, the denoised one and the deconvolved one on a
    grid of half the pixel size. Zero-Shot Deconvolve... gives the same two images by our own
    method. Where the noise leaves nothing to sharpen, the notes in the Log say so. With mode=sim a
    raw SIM image is reconstructed first, and its reconstruction restored.
    """
    from zsfiji.commands import deconvolve as body
    from zsfiji.commands.inputs import calibrated
    from zsfiji.services.zs_deconvnet.service import METHOD

    with _raw(
        image,
        frames,
        camera,
        pixel_sizes,
        upsample=settings.upsample,
        seed=settings.seed,
        device=device,
        share=_BEFORE_TRAINING,
    ) as raw:
        image = calibrated(image, pixel_sizes) if raw is None else raw.image
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
            raw=raw,
        )


@command(label="ZS-DeconvNet Train...", fits=_fits, result_bytes=0, duration=_training)
def zs_deconvnet_train(
    image: xr.DataArray,
    *,
    psf: PointSpreadUnlessSim = None,
    save_model: NewModel,
    settings: Settings,
    camera: CameraOptions,
    pixel_sizes: PixelSizes,
    psf_grid: PsfGrid,
    frames: SimFrames,
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

    if frames.mode == "sim" and files.more_images is not None:
        raise UserError(
            "Further images are for wide-field images: each raw SIM image has patterns of its "
            "own. Leave the folder empty."
        )
    with _raw(
        image,
        frames,
        camera,
        pixel_sizes,
        upsample=settings.upsample,
        seed=settings.seed,
        device=device,
        share=_BEFORE_TRAINING,
    ) as raw:
        if raw is None:
            image = with_more_images(image, files.more_images, pixel_sizes)
        else:
            image = raw.image
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
            raw=raw,
        )
    return body.learnt(image, model, about)


@command(
    label="ZS-DeconvNet Predict...",
    fits=_fits,
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
    background: SimBackground = None,
    frames: SimFrames,
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

    trained = load(METHOD, model)
    with _raw(
        image,
        frames,
        CameraOptions(background=background),
        pixel_sizes,
        upsample=1,
        seed=0,
        device=device,
        share=_BEFORE_APPLYING,
    ) as raw:
        image = calibrated(image, pixel_sizes) if raw is None else raw.image
        outcome = body.predict(METHOD, image, trained, output, device=device)
    return outcome if raw is None else replace(outcome, notes=(*outcome.notes, *raw.notes))

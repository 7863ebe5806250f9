"""``ZS-DeconvNet Train...``, ``Predict...`` and ``Restore...``: denoise and deconvolve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from zsfiji.commands._declare import Shown, command
from zsfiji.commands._parameters import (
    AdvancedDark,
    Background,
    BitDepth,
    Device,
    FitPer,
    Gain,
    ImagePixel,
    ImageSpacing,
    ReadVariance,
    SaveModel,
    Seed,
)
from zsfiji.commands._source import Source

if TYPE_CHECKING:
    import xarray as xr

    from zsfiji.commands._outcome import Outcome

_SUFFIXES = ("denoised", "deconvolved")
# Two results of 32 bits, one of them with four times the pixels. Large ones lie in a file until
# they are handed over.
_RESULTS = 20
_MEMORY = 8

PointSpread = Annotated[
    Source,
    Field(
        description="The point spread function: an open image, as PSF Generator... and PSF from "
        "Beads... make it, or a file (TIFF, NPY, or an OTF in MRC). It is brought to the pixels of "
        "the image by the calibrations of both."
    ),
    Shown("PSF"),
]

Quality = Annotated[
    Literal["quick", "standard", "paper"],
    Field(
        description="How long to train: quick about a minute, standard several minutes, paper the "
        "published network for its published 50,000 steps (10,000 in 3D), which needs a GPU or "
        "takes days."
    ),
    Shown("Quality"),
]

Dimensions = Annotated[
    Literal["auto", "2d", "3d"],
    Field(
        description="2d restores slice by slice, 3d stacks as a whole. auto takes 3d where the PSF "
        "is a stack and the image has at least five slices."
    ),
    Shown("Dimensions"),
]

Upsample = Annotated[
    Literal[1, 2],
    Field(
        description="Pixels of the deconvolved image per pixel of the image, along rows and "
        "columns. 2 gives the finer grid that resolution beyond the camera's pixels needs."
    ),
    Shown("Upsampling"),
]

Results = Annotated[
    Literal["both", "denoised", "deconvolved"],
    Field(description="Which of the two images to give."),
    Shown("Results", advanced=True),
]

Network = Annotated[
    Literal["auto", "fast", "published"],
    Field(
        description="auto takes the network of the quality: our fast one, or for paper the "
        "published one."
    ),
    Shown("Network", advanced=True),
]

Steps = Annotated[
    int,
    Field(ge=0, le=1_000_000, description="Steps of the training. 0: as many as the quality has."),
    Shown("Steps (0 = auto)", advanced=True),
]

Pairs = Annotated[
    Literal["auto", "slices", "recorruption"],
    Field(
        description="What the published network learns from in 3D: pairs of neighbouring slices, "
        "which needs many slices close to each other, or pairs made by adding noise."
    ),
    Shown("Training pairs (3D)", advanced=True),
]

Hessian = Annotated[
    float | None,
    Field(
        ge=0,
        le=100,
        description="Weight of the Hessian regulariser. Empty: the published 0.02 (0.1 in 3D) for "
        "the published network, and none for the fast one.",
    ),
    Shown("Hessian weight", advanced=True),
]

PsfPixel = Annotated[
    float | None,
    Field(
        ge=0.1,
        le=100_000,
        description="Pixel size of the PSF, if its file does not contain it (NPY files do not).",
    ),
    Shown("Pixel size of the PSF", unit="nm", advanced=True),
]

PsfSlices = Annotated[
    float | None,
    Field(
        ge=0.1,
        le=100_000,
        description="Slice spacing (z step) of a 3D PSF, if its file does not contain it.",
    ),
    Shown("Slice spacing of the PSF", unit="nm", advanced=True),
]

Continue = Annotated[
    Path | None,
    Field(
        description="A model saved earlier for the same kind of image. The training continues "
        "from it."
    ),
    Shown("Continue training from", advanced=True, path="open"),
]

MoreImages = Annotated[
    Path | None,
    Field(
        description="A folder with further images of the same kind (same camera, optics, pixel "
        "size, channels and slices), which the network learns from as well."
    ),
    Shown("Folder of further images", advanced=True, path="folder"),
]

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


def _duration(sizes: Mapping[str, int], values: Mapping[str, Any]) -> float:
    from zsfiji.services.zs_deconvnet.duration import seconds

    keys = ("quality", "network", "steps", "upsample", "dimensions", "fit_per")
    return seconds(sizes, **{key: values[key] for key in keys}, restore="results" in values)


@command(
    label="ZS-DeconvNet Restore...",
    suffixes=_SUFFIXES,
    memory=_MEMORY,
    result_bytes=_RESULTS,
    duration=_duration,
)
def zs_deconvnet_restore(
    image: xr.DataArray,
    *,
    psf: PointSpread,
    quality: Quality = "quick",
    dimensions: Dimensions = "auto",
    upsample: Upsample = 2,
    fit_per: FitPer = "channel",
    seed: Seed = 0,
    network: Network = "auto",
    steps: Steps = 0,
    pairs: Pairs = "auto",
    gain: Gain = None,
    background: Background = None,
    read_variance: ReadVariance = None,
    dark: AdvancedDark = None,
    hessian: Hessian = None,
    pixel_size: ImagePixel = None,
    slice_spacing: ImageSpacing = None,
    psf_pixel: PsfPixel = None,
    psf_spacing: PsfSlices = None,
    start_model: Continue = None,
    save_model: SaveModel = None,
    results: Results = "both",
    bit_depth: BitDepth = "auto",
    device: Device = "auto",
) -> Outcome:
    """Denoise and deconvolve an image, learning from nothing but the image and its PSF.

    A network is trained on this one image, stack or time-lapse, by the method of Qiao, Zeng et
    al. (Nature Communications 2024), and gives two images: the denoised one, and the deconvolved
    one on a grid of half the pixel size. Where the noise leaves nothing to sharpen, the notes in
    the Log say so.
    """
    from zsfiji.commands import _zs_deconvnet as body
    from zsfiji.commands._sources import calibrated

    image = calibrated(image, pixel_size, slice_spacing)
    model, about = body.train(
        image,
        psf,
        body.Training(quality, network, steps, upsample, dimensions, pairs, fit_per, hessian, seed),
        body.Detector(gain, background, read_variance, dark),
        body.PsfGrid(psf_pixel, psf_spacing),
        start=start_model,
        save=save_model,
        device=device,
        share=0.9,
    )
    restored = body.predict(image, model, results, bit_depth, device, start=0.9)
    return replace(restored, notes=(*restored.notes, *about))


@command(label="ZS-DeconvNet Train...", memory=_MEMORY, result_bytes=0, duration=_duration)
def zs_deconvnet_train(
    image: xr.DataArray,
    *,
    psf: PointSpread,
    save_model: NewModel,
    quality: Quality = "quick",
    dimensions: Dimensions = "auto",
    upsample: Upsample = 2,
    fit_per: FitPer = "channel",
    seed: Seed = 0,
    network: Network = "auto",
    steps: Steps = 0,
    pairs: Pairs = "auto",
    gain: Gain = None,
    background: Background = None,
    read_variance: ReadVariance = None,
    dark: AdvancedDark = None,
    hessian: Hessian = None,
    pixel_size: ImagePixel = None,
    slice_spacing: ImageSpacing = None,
    psf_pixel: PsfPixel = None,
    psf_spacing: PsfSlices = None,
    more_images: MoreImages = None,
    start_model: Continue = None,
    device: Device = "auto",
) -> Outcome:
    """Train a network on an image and save it, for ZS-DeconvNet Predict... and further images.

    The model serves images of the same kind: same camera and settings, same optics and pixel
    size, any number of rows and columns.
    """
    from zsfiji.commands import _zs_deconvnet as body
    from zsfiji.commands._sources import calibrated, images_in, joined

    image = calibrated(image, pixel_size, slice_spacing)
    if more_images is not None:
        others = images_in(more_images, image)
        image = joined([image, *(calibrated(i, pixel_size, slice_spacing) for i in others)])
    model, about = body.train(
        image,
        psf,
        body.Training(quality, network, steps, upsample, dimensions, pairs, fit_per, hessian, seed),
        body.Detector(gain, background, read_variance, dark),
        body.PsfGrid(psf_pixel, psf_spacing),
        start=start_model,
        save=save_model,
        device=device,
        share=1.0,
    )
    return body.learnt(image, model, about)


@command(label="ZS-DeconvNet Predict...", suffixes=_SUFFIXES, memory=_MEMORY, result_bytes=_RESULTS)
def zs_deconvnet_predict(
    image: xr.DataArray,
    *,
    model: TrainedModel,
    pixel_size: ImagePixel = None,
    slice_spacing: ImageSpacing = None,
    results: Results = "both",
    bit_depth: BitDepth = "auto",
    device: Device = "auto",
) -> Outcome:
    """Denoise and deconvolve an image with a model trained on another one of the same kind.

    Nothing is trained, so it takes seconds. The PSF is in the model.
    """
    from zsfiji.commands import _zs_deconvnet as body
    from zsfiji.commands._sources import calibrated

    image = calibrated(image, pixel_size, slice_spacing)
    return body.predict(image, body.load(model), results, bit_depth, device)

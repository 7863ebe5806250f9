"""``Zero-Shot Denoise...``: our own denoiser, the one to start with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsfiji.commands.declare import command
from zsfiji.commands.duration import of_training
from zsfiji.parameters.camera import CameraOptions
from zsfiji.parameters.device import Device
from zsfiji.parameters.model_files import ModelFiles
from zsfiji.parameters.output import BitDepth, Uncertainty
from zsfiji.services.denoise.settings import Settings

if TYPE_CHECKING:
    import xarray as xr

    from zsfiji.commands.outcome import Outcome


@command(
    label="Zero-Shot Denoise...",
    suffixes=("denoised",),
    duration=of_training("denoise", Settings),
    on_request=("uncertainty",),
    plane_memory=50,
)
def denoise(
    image: xr.DataArray,
    *,
    settings: Settings,
    camera: CameraOptions,
    files: ModelFiles,
    bit_depth: BitDepth = "auto",
    uncertainty: Uncertainty = False,
    device: Device = "auto",
) -> Outcome:
    """Remove the noise of a fluorescence image, learning from nothing but the image itself.

    The noise is measured in the image (its growth with brightness, its read-out part, its
    correlation between neighbours) and stabilised; filters that know the noise make a first
    estimate; a small network learns from neighbouring pixels to correct it, and both are blended.
    Works on 8, 16 and 32 bit, RGB and hyperstacks; intensities keep their unit.
    """
    from zsfiji.commands.inputs import known_camera
    from zsfiji.commands.restore import restore
    from zsfiji.services.denoise.service import METHOD

    return restore(
        METHOD,
        image,
        settings,
        known_camera(camera),
        files=files,
        bit_depth=bit_depth,
        uncertainty=uncertainty,
        device=device,
    )

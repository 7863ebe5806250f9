"""``FM2S Denoise...``: the published single-image method, with its presets and without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsfiji.commands.declare import command
from zsfiji.commands.duration import of_training
from zsfiji.parameters.device import Device
from zsfiji.parameters.model_files import ModelFiles
from zsfiji.parameters.output import BitDepth, Uncertainty
from zsfiji.services.fm2s.settings import Settings

if TYPE_CHECKING:
    import xarray as xr

    from zsfiji.commands.outcome import Outcome


@command(
    label="FM2S Denoise...",
    suffixes=("fm2s",),
    duration=of_training("fm2s", Settings),
    on_request=("uncertainty",),
)
def fm2s(
    image: xr.DataArray,
    *,
    settings: Settings,
    files: ModelFiles,
    bit_depth: BitDepth = "auto",
    uncertainty: Uncertainty = False,
    device: Device = "auto",
) -> Outcome:
    """Denoise a fluorescence image with FM2S, a network of 3,529 to 8,034 parameters.

    The published method of Liu et al. (arXiv:2412.10031): the network learns to undo synthetic
    noise put on a pre-denoised copy of the image, with the authors' constants. The modality auto
    is our variant, with the noise measured in the image. FM2S is here for comparison with the
    published method and for its very small models; Zero-Shot Denoise... is our own denoiser.
    """
    from zsfiji.commands.restore import restore
    from zsfiji.services.fm2s.service import METHOD

    return restore(
        METHOD,
        image,
        settings,
        None,
        files=files,
        bit_depth=bit_depth,
        uncertainty=uncertainty,
        device=device,
    )

"""``ZS-SIM Denoise...``: the published method for SIM reconstructions and for single images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from zsfiji.commands.declare import command
from zsfiji.commands.duration import of_training
from zsfiji.commands.raw_planes import require_patterns
from zsfiji.parameters.declare import Shown
from zsfiji.parameters.device import Device
from zsfiji.parameters.model_files import ModelFiles
from zsfiji.parameters.output import Uncertainty
from zsfiji.parameters.sim import RawOrder, SavedParameters, SimOptics
from zsfiji.services.zs_sim.settings import Settings

if TYPE_CHECKING:
    import xarray as xr

    from zsfiji.commands.outcome import Outcome

Mode = Annotated[
    Literal["sim", "image"],
    Field(
        description="sim: a raw SIM image, which is reconstructed. image: any other image, such as "
        "one of a scanning electron microscope. Optics and order of the frames are for sim only."
    ),
    Shown("Kind of image"),
]

Reconstruction = Annotated[
    bool,
    Field(description="Also the noisy reconstruction that the network got."),
    Shown("Reconstruction without the network"),
]


@command(
    label="ZS-SIM Denoise...",
    fits=require_patterns,
    suffixes=("zs-sim",),
    duration=of_training("zs_sim", Settings),
    on_request=("uncertainty", "reconstruction"),
    suffix_of=(("reconstruction", "sim"),),
    memory=16,
)
def zs_sim(
    image: xr.DataArray,
    *,
    mode: Mode = "sim",
    optics: SimOptics,
    order: RawOrder,
    settings: Settings,
    files: ModelFiles,
    use_parameters: SavedParameters = None,
    reconstruction: Reconstruction = False,
    uncertainty: Uncertainty = False,
    device: Device = "auto",
) -> Outcome:
    """Reconstruct and denoise a raw SIM image with ZS-SIM, trained on this image.

    The published method: a small network learns to tell one of four reconstructions, each made of
    every second pixel of every second row, from another, and is applied to the reconstruction of
    all pixels. What is not published is our choice. ZS-SIM is here for comparison; Zero-Shot
    SIM... is our own method. Single images, such as those of scanning electron microscopes, are
    denoised without a reconstruction.
    """
    from zsfiji.commands.restore import restore
    from zsfiji.physics.camera.model import KnownCamera
    from zsfiji.services.zs_sim.service import METHOD, NAME, RECONSTRUCTION, Given, for_image

    camera = KnownCamera(dark_level=optics.background)
    names = [RECONSTRUCTION, NAME] if reconstruction else [NAME]
    if mode == "sim":
        from zsfiji.commands import sim as body

        image, known = body.opened(image, order, optics, use_parameters)
        given = Given(known, camera)
        saved = known.known
    else:
        given, saved = Given(None, camera), ()
    return restore(
        METHOD,
        image,
        settings,
        given,
        files=files,
        results=names,
        bit_depth="32-bit" if mode == "sim" else "auto",
        uncertainty=uncertainty,
        adapt=lambda model, other: for_image(model, other, saved, optics.background),
        device=device,
    )

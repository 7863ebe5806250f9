"""``Blind SIM...``: a raw SIM image of which nothing is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from zsfiji.commands.declare import command
from zsfiji.commands.duration import of_training
from zsfiji.commands.raw_planes import require_patterns
from zsfiji.parameters.declare import Shown
from zsfiji.parameters.device import Device
from zsfiji.parameters.model_files import ModelFiles
from zsfiji.parameters.output import Uncertainty
from zsfiji.parameters.sim import (
    BACKGROUND_IMAGE,
    FEWEST_FRAMES,
    EmitterWindows,
    RawOrder,
    UntoldOptics,
)
from zsfiji.services.blind_sim.settings import Settings

if TYPE_CHECKING:
    import xarray as xr

    from zsfiji.commands.outcome import Outcome

Linear = Annotated[
    bool,
    Field(
        description="Also the emitter without what lies beyond the reach of linear SIM, as a lens "
        "of that resolution would show it: to compare with other reconstructions."
    ),
    Shown("Emitter within linear SIM"),
]

_WINDOWS = EmitterWindows(residual=True)


@command(
    label="Blind SIM...",
    fits=require_patterns,
    suffixes=("emitter",),
    duration=of_training("blind_sim", Settings),
    on_request=("uncertainty", "illumination", "background_image", "residual", "linear", "psf"),
    suffix_of=(BACKGROUND_IMAGE,),
    memory=60,
    plane_memory=1300,
    together=FEWEST_FRAMES,
    result_bytes=4,
    request_bytes=9,
)
def blind_sim(
    image: xr.DataArray,
    *,
    order: RawOrder,
    optics: UntoldOptics,
    settings: Settings,
    files: ModelFiles,
    windows: EmitterWindows = _WINDOWS,
    linear: Linear = True,
    uncertainty: Uncertainty = False,
    device: Device = "auto",
) -> Outcome:
    """Reconstruct raw SIM with pixels three times smaller; optics and patterns need not be known.

    Patterns, lens and noise are found in the image. The specimen is the one that explains all
    frames, found by iterations that stop before they amplify the noise. Nothing is learnt from
    other images. A table gives spacing, direction and modulation of the patterns and the cut-off of
    the lens with their errors; the residual map shows where the specimen does not explain the
    frames.
    """
    from zsfiji.commands.blind_sim import reconstructed

    return reconstructed(
        image,
        order,
        optics,
        settings=settings,
        files=files,
        wanted=(*windows.wanted, "linear") if linear else windows.wanted,
        uncertainty=uncertainty,
        device=device,
    )

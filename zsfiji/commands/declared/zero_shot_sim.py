"""``Zero-Shot SIM...``: our own SIM, the one for the best image."""

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
from zsfiji.parameters.sim import FEWEST_FRAMES, RawOrder, SavedParameters, SimOptics
from zsfiji.services.zero_shot_sim.settings import Settings

if TYPE_CHECKING:
    import xarray as xr

    from zsfiji.commands.outcome import Outcome

Automatic = Annotated[
    bool,
    Field(
        description="Also the automatic reconstruction, which the network started from: what the "
        "network changed shows beside it."
    ),
    Shown("Automatic reconstruction"),
]


_OPTICS = SimOptics(damping=0)
"""The damping of the OTF is measured: simulated images of 500 photons whose lens was not the one
that was told gained 5 dB by it."""


@command(
    label="Zero-Shot SIM...",
    fits=require_patterns,
    suffixes=("zero-shot",),
    duration=of_training("zero_shot_sim", Settings),
    on_request=("uncertainty", "automatic"),
    memory=16,
    plane_memory=600,
    together=FEWEST_FRAMES,
    result_bytes=2,
    request_bytes=2,
)
def zero_shot_sim(
    image: xr.DataArray,
    *,
    optics: SimOptics = _OPTICS,
    order: RawOrder,
    settings: Settings,
    use_parameters: SavedParameters = None,
    files: ModelFiles,
    automatic: Automatic = False,
    uncertainty: Uncertainty = False,
    device: Device = "auto",
) -> Outcome:
    """Reconstruct a raw SIM image with less noise, learning from nothing but the image itself.

    The patterns are found in the image. A small network is trained on this one image or
    time-lapse: on pairs of reconstructions with independent noise, and on raw images that are
    simulated from its own result. It corrects the automatic reconstruction. What it adds and what
    does not come again with other noise is damped. The result has half the pixel size.
    """
    from zsfiji.commands import sim as body
    from zsfiji.commands.restore import restore
    from zsfiji.services.zero_shot_sim.service import METHOD, RESULTS, for_image

    raw, given = body.opened(image, order, optics, use_parameters)
    return restore(
        METHOD,
        raw,
        settings,
        given,
        files=files,
        results=RESULTS if automatic else RESULTS[-1:],
        bit_depth="32-bit",
        uncertainty=uncertainty,
        adapt=lambda model, other: for_image(model, other, given.known, given.background),
        device=device,
    )

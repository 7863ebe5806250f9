"""The vision transformer on a whole raw stack."""

from __future__ import annotations

import torch

from zsfiji.compute.blending import by_blended_tiles
from zsfiji.compute.device import autocast
from zsfiji.services.simformer.vit.configuration import FRAMES
from zsfiji.services.simformer.vit.network import Simformer


def painted(
    network: Simformer, frames: torch.Tensor, label: str | None = None
) -> dict[str, torch.Tensor]:
    """What a network makes of nine frames.

    Parameters
    ----------
    network : Simformer
        The network, in evaluation mode.
    frames : torch.Tensor
        (9, row, col): 0 is dark, about 1 is bright.
    label : str, optional
        What to report as progress; nothing without it.

    Returns
    -------
    dict
        What the network gives, the emitter last; see :class:`.network.Painted`.
    """
    device = next(network.parameters()).device
    network.eval()

    def work(tile: torch.Tensor) -> torch.Tensor:
        with autocast(device):
            found = network(tile[None].to(device))
        several = (found.illumination, found.background, found.emitter)
        return torch.cat([image[0].float().cpu() for image in several if image is not None])

    whole = by_blended_tiles(work, frames, tile=network.configuration.crop, label=label)
    made = {}
    if len(whole) > 1:
        with torch.no_grad():
            made["psf"] = network.psf()[0, 0].cpu()
        made["illumination"] = whole[:FRAMES]
        made["background"] = whole[FRAMES]
    made["emitter"] = whole[-1]
    return made

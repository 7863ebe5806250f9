"""The compact network on a whole raw stack."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from zsfiji.compute.tiling import by_tiles
from zsfiji.physics.sim.grid import SCALE
from zsfiji.physics.sim.optics import RadialTransfer
from zsfiji.physics.sim.patterns import Patterns
from zsfiji.services.simformer.compact import MULTIPLE, Compact
from zsfiji.services.simformer.front import features

TILE = 336 * SCALE
"""Edge of a tile in fine pixels: bounds the memory."""

WHOLE = 2**18
"""Most raw pixels of an image that is not divided into tiles."""


@torch.no_grad()
def emitter(
    network: Compact,
    stack: torch.Tensor,
    patterns: Patterns,
    transfer: RadialTransfer,
    *,
    gain: float,
    read_variance: float,
    label: str | None = None,
) -> torch.Tensor:
    """Find the specimen of a raw stack.

    Parameters
    ----------
    network : Compact
        The network, on the device where to compute.
    stack : torch.Tensor
        float32 (angle, phase, row, col): light above the offset of the camera, in any unit.
    patterns : Patterns
        Of the stack, with its first pixel as origin.
    transfer : RadialTransfer
        Of the lens.
    gain, read_variance : float
        Variance of a pixel is gain times light plus read variance, in the unit of the stack.
    label : str, optional
        What to report as progress.

    Returns
    -------
    torch.Tensor
        float32 (3 row, 3 col): light of the specimen in the unit of the stack, as a mean frame
        would have it without blur and without background; not negative.
    """
    seen = features(stack, patterns, transfer, gain, read_variance, network.size.images)

    def work(tile: torch.Tensor) -> torch.Tensor:
        images = tile[None].contiguous(memory_format=torch.channels_last)
        found: torch.Tensor = network(images, seen.noise.to(tile)[None])
        return found[0]

    rows, cols = stack.shape[-2:]
    if rows * cols <= WHOLE:
        fill = [SCALE * (-n % MULTIPLE) for n in (rows, cols)]
        whole = F.pad(seen.images, (0, fill[1], 0, fill[0]), mode="replicate")
        return work(whole)[0, : SCALE * rows, : SCALE * cols] * seen.unit
    found = by_tiles(
        work,
        seen.images,
        tile=TILE,
        margin=network.reach * SCALE,
        multiple=MULTIPLE * SCALE,
        network=network,
        label=label,
    )
    return found[0] * seen.unit

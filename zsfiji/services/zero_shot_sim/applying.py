"""The network on a whole image, and what of its result the data support."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from zsfiji.compute.device import autocast
from zsfiji.compute.rings import ring_sizes, ring_total
from zsfiji.compute.spectra import independent_share
from zsfiji.compute.tiling import by_tiles
from zsfiji.learning.denoiser import MARGIN, MULTIPLE
from zsfiji.reconstruction.borders import extended, extended_shape, taper
from zsfiji.reconstruction.power import RINGS, fine_rings

TILE = 512
"""Edge in fine pixels of the network's tiles: bounds the memory, no result depends on it."""

_SURE = 2.0
"""Standard errors by which a share of the network has to be less than 1 to be lowered."""


def corrected(network: nn.Module, features: torch.Tensor, label: str | None = None) -> torch.Tensor:
    """The network's result (fine row, fine col) for reconstructions (input, fine row, fine col).

    Their noise has the directions of the patterns, so they are not turned.
    """

    def work(tile: torch.Tensor) -> torch.Tensor:
        with autocast(tile.device):
            whole: torch.Tensor = network(tile[None].contiguous(memory_format=torch.channels_last))
        return whole[0].float()

    found = by_tiles(
        work, features, tile=TILE, margin=MARGIN, multiple=MULTIPLE, network=network, label=label
    )
    return found[0]


@dataclass(frozen=True)
class Comparison:
    """Results of one noisy set of frames, and a target with independent noise.

    Attributes
    ----------
    automatic, network : torch.Tensor
        Reconstructions of the first set, (fine row, fine col).
    target : torch.Tensor
        Linear reconstruction of the other set, with its noise.
    passed : numpy.ndarray
        (RINGS + 1,): what the filter of the target passes at each frequency.
    """

    automatic: torch.Tensor
    network: torch.Tensor
    target: torch.Tensor
    passed: np.ndarray


def support(comparisons: Sequence[Comparison], reach: float) -> tuple[float, ...]:
    """How much of what the network changes comes again in data with other noise.

    In each ring of frequencies the change that the network makes to the automatic reconstruction
    is compared with the target: their regression is 1 for detail that is in the specimen as it is
    shown, and 0 for detail that is made up, whatever the noise of the target.

    Parameters
    ----------
    comparisons : sequence of Comparison
        All of one shape.
    reach : float
        Highest frequency of the reconstruction, in cycles per raw pixel.

    Returns
    -------
    tuple of float
        For each ring the share of the change to be kept, 0 to 1: 1 unless the data say less.
    """
    shape = (comparisons[0].target.shape[0], comparisons[0].target.shape[1])
    device = comparisons[0].target.device
    ring = fine_rings(shape, reach, device)
    window = taper(shape, device)
    count = ring_sizes(ring, RINGS).double()
    agreed, energy = torch.zeros_like(count), torch.zeros_like(count)
    missed = torch.zeros_like(count)

    def spectrum(image: torch.Tensor) -> torch.Tensor:
        return torch.fft.rfft2((image - image.mean()) * window)

    def summed(values: torch.Tensor) -> torch.Tensor:
        return ring_total(values.double(), ring, RINGS)

    for one in comparisons:
        passed = torch.from_numpy(one.passed).to(count)
        automatic, change = spectrum(one.automatic), spectrum(one.network - one.automatic)
        at = torch.cat([passed, passed[-1:]])[ring].to(change.real)
        left = spectrum(one.target) - at * automatic
        agreed += summed((at * change.conj() * left).real)
        energy += summed((at * change).abs().square())
        missed += summed((left - at * change).abs().square())
    share = agreed / energy.clamp_min(1e-20)
    modes = (count * independent_share(window)).clamp_min(1)
    error = (missed / energy.clamp_min(1e-20) / modes).sqrt()
    kept = (share + _SURE * error).clamp(0, 1)
    kept[0] = 1.0
    return tuple(float(v) for v in kept)


def kept(
    automatic: torch.Tensor, network: torch.Tensor, shares: Sequence[float], reach: float
) -> torch.Tensor:
    """The automatic reconstruction with as much of the network's changes as the data support."""
    if min(shares) >= 1:
        return network
    rows, cols = network.shape
    field = extended_shape((rows, cols))
    # One margin for both axes, which are extended by different lengths.
    margin = min(field[0] - rows, field[1] - cols) // 2
    change = extended(network - automatic, field, margin)
    ring = fine_rings(field, reach, network.device)
    gains = torch.tensor([*shares, shares[-1]], dtype=network.dtype, device=network.device)
    smooth = torch.fft.irfft2(torch.fft.rfft2(change) * gains[ring], s=field)
    return automatic + smooth[margin : margin + rows, margin : margin + cols]

"""The training objective: pairs of neighbouring pixels of the noisy image.

In each 2 x 2 cell of a region one pixel is chosen at random for the input; the mean of its
horizontal and its vertical neighbour is the target. Both are images of half the size that show the
same structure with independent noise (after Huang et al., Neighbor2Neighbor, CVPR 2021, without the
regulariser; the mean of two neighbours has the same expectation as a random one of them, and half
of the noise variance).

The network also gets the chosen pixels after the DCT filter, and learns to correct the filter. The
filter does not use the target, so the noise of the pair stays independent.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from zsfiji import progress
from zsfiji.compute.device import autocast, generator
from zsfiji.learning.patches import random_patches
from zsfiji.physics.filters.dct import dct_denoise
from zsfiji.physics.noise import Noise
from zsfiji.services.denoise.settings import DRAWS_PER_PIXEL

INPUTS = 2
"""Channels of the network's input: the noisy image and the filtered one."""

_REGION = 512
"""Edge in pixels of the regions in which pairs are made: bounds the memory. Not tuned."""

_RIM = 6
"""Pixels at each side of a patch that do not count for the loss, because they lack context. From
the prototype."""

_NEIGHBOURS = ((1, 2), (0, 3), (0, 3), (1, 2))
"""The horizontal and the vertical neighbour of each of the four pixels of a cell, row by row."""


def to_network(stabilised: torch.Tensor, noise: Noise) -> torch.Tensor:
    """The network's input for a stabilised plane (height, width): shape (2, height, width)."""
    return torch.stack([stabilised, dct_denoise(stabilised, noise.spectrum, grids=1)])


def neighbour_pair(
    region: torch.Tensor, source: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Make two half-size images of the same structure with independent noise.

    Parameters
    ----------
    region : torch.Tensor
        Shape (height, width), both even.
    source : torch.Generator
        Random numbers, on the CPU.

    Returns
    -------
    noisy, target : torch.Tensor
        Shape (height / 2, width / 2) each.
    """
    cells = F.pixel_unshuffle(region[None], 2)
    drawn = torch.randint(4, (1, *cells.shape[1:]), generator=source).to(region.device)
    across, down = torch.tensor(_NEIGHBOURS, device=region.device)[drawn].unbind(-1)
    target = (cells.gather(0, across) + cells.gather(0, down)) / 2
    return cells.gather(0, drawn)[0], target[0]


def examples(
    planes: Sequence[torch.Tensor], noise: Noise, pixels: int, *, seed: int, label: str
) -> torch.Tensor:
    """Make pairs from regions all over the planes; large images do not take longer.

    Parameters
    ----------
    planes : sequence of torch.Tensor
        Stabilised, shape (height, width) each, at least 16 x 16, on one device.
    noise : Noise
        Noise at their resolution.
    pixels : int
        Number of half-size pixels to make, about.
    seed : int
        Seed of places and pairs.
    label : str
        What is being done, in words for the user.

    Returns
    -------
    torch.Tensor
        Shape (pairs, 3, height, width): noisy, filtered, target; height and width are multiples
        of 4.
    """
    source = generator(seed)
    shortest = [min(p.shape[axis] for p in planes) for axis in (0, 1)]
    tall, wide = (min(_REGION, length) // 8 * 8 for length in shortest)
    there = sum(p.shape[0] * p.shape[1] for p in planes)
    count = max(1, round(4 * min(pixels, DRAWS_PER_PIXEL * there / 4) / (tall * wide)))
    made: list[torch.Tensor] = []
    for number in range(count):
        progress.report(number / count, label)
        if made and progress.finish_requested():
            break
        # The planes one after the other; places and pairs at random.
        plane = planes[number % len(planes)]
        top, left = (
            int(torch.randint(length - edge + 1, (1,), generator=source))
            for length, edge in zip(plane.shape, (tall, wide), strict=True)
        )
        noisy, target = neighbour_pair(plane[top : top + tall, left : left + wide], source)
        made.append(torch.cat([to_network(noisy, noise), target[None]]))
    return torch.stack(made)


class PairObjective:
    """The mean squared error between the network's result and the neighbours.

    Parameters
    ----------
    network : torch.nn.Module
        The network, on the device of the pairs.
    pairs : torch.Tensor
        The result of :func:`examples`, scaled for the network.
    patch : int
        Edge of the patches, a multiple of 4.
    batch : int
        Patches per step.
    seed : int
        Seed of places, flips and rotations.
    """

    def __init__(
        self, network: nn.Module, pairs: torch.Tensor, *, patch: int, batch: int, seed: int
    ) -> None:
        self.network, self.pairs, self.batch = network, pairs, batch
        self.edge = min(patch, *pairs.shape[-2:])
        self.rim = _RIM if self.edge >= 6 * _RIM else 0
        self._places = generator(seed)

    def __call__(self, step: int) -> torch.Tensor:
        """Loss of a step."""
        patches = random_patches(self.pairs, self.batch, self.edge, self._places)
        inputs = patches[:, :INPUTS].contiguous(memory_format=torch.channels_last)
        with autocast(self.pairs.device):
            result = self.network(inputs)
        error = (result.float() - patches[:, INPUTS:]).square()
        inside = slice(self.rim, self.edge - self.rim)
        return error[..., inside, inside].mean()

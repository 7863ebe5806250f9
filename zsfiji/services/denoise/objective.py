"""The training objective: every second pixel of the noisy image, and what lies around it.

Every second pixel of every second row is an image of half the size, whose noise does not depend on
that of the other pixels. The network gets it, before and after the filters, and learns to correct
the filters: its result should be the mean of the pixels around each of its pixels, which show
nearly the same structure with independent noise (after Huang et al., Neighbor2Neighbor, CVPR 2021,
without the regulariser, and with regular pixels instead of random ones).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from zsfiji import progress
from zsfiji.compute.device import autocast, generator
from zsfiji.learning.patches import random_patches
from zsfiji.physics.filters.both import refined
from zsfiji.physics.noise import Noise

INPUTS = 2
"""Channels of the network's input: the noisy image and the filtered one."""

_REGION = 512
"""Edge in pixels of the regions in which pairs are made: bounds the memory. Not tuned."""

_RIM = 6
"""Pixels at each side of a patch that do not count for the loss, because they lack context. From
the prototype."""

_LATTICES = ((0, 0), (1, 1), (0, 1), (1, 0))
"""First row and column of the images of every second pixel, the most different ones first."""

_DIRECT = 1.25
"""Weight of the four direct neighbours in the target; that of the diagonal ones is negative. With 1
the target is blurred more, with 1.5 its noise is stronger; both gave 0.01 dB less."""


def to_network(stabilised: torch.Tensor, smooth: torch.Tensor) -> torch.Tensor:
    """The network's input for a plane and its filtered version: shape (2, height, width)."""
    return torch.stack([stabilised, smooth])


def neighbour_pair(
    region: torch.Tensor, first: tuple[int, int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Make two half-size images of the same structure with independent noise.

    Parameters
    ----------
    region : torch.Tensor
        Shape (height, width), both even.
    first : tuple of int
        First row and column of the pixels that are taken, 0 or 1.

    Returns
    -------
    noisy, target : torch.Tensor
        Shape (height / 2, width / 2) each.
    """
    height, width = region.shape
    around = F.pad(region[None, None], (1, 1, 1, 1), mode="reflect")[0, 0]

    def at(down: int, across: int) -> torch.Tensor:
        top, left = first[0] + 1 + down, first[1] + 1 + across
        return around[top : top + height - first[0] : 2, left : left + width - first[1] : 2]

    direct = (at(-1, 0) + at(1, 0) + at(0, -1) + at(0, 1)) / 4
    diagonal = (at(-1, -1) + at(-1, 1) + at(1, -1) + at(1, 1)) / 4
    return at(0, 0).contiguous(), _DIRECT * direct + (1 - _DIRECT) * diagonal


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
    wanted = min(pixels, there) / (tall * wide / 4)
    lattices = _LATTICES[: max(1, min(4, round(wanted)))]
    count = max(1, round(wanted / len(lattices)))
    made: list[torch.Tensor] = []
    for number in range(count):
        # The planes one after the other; places at random.
        plane = planes[number % len(planes)]
        top, left = (
            int(torch.randint(length - edge + 1, (1,), generator=source))
            for length, edge in zip(plane.shape, (tall, wide), strict=True)
        )
        for first in lattices:
            progress.report(len(made) / (count * len(lattices)), label)
            if made and progress.finish_requested():
                break
            noisy, target = neighbour_pair(plane[top : top + tall, left : left + wide], first)
            made.append(torch.cat([to_network(noisy, refined(noisy, noise)), target[None]]))
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

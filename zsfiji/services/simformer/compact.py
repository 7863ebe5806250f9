"""The compact network: a U-Net on the raw grid, with its result on the three times finer one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from zsfiji.learning.initial import init_uniform, zero_init
from zsfiji.physics.sim.grid import SCALE
from zsfiji.services.simformer.front import IMAGES, RIDGES

MULTIPLE = 4
"""Rows and columns have to be multiples of so many raw pixels: it downsamples twice."""

BASE = RIDGES.index(0.3)
"""The image that the network corrects."""

_SHARP = 4.0
"""Sharpness of the softplus at the end."""

_LEAK = 0.01
"""Slope that is added to it in training: without one, a network whose result became dark
everywhere stayed dark."""


@dataclass(frozen=True)
class Size:
    """How large a compact network is.

    Attributes
    ----------
    width : int
        Channels at the scale of the raw image; twice and four times as many at the coarser ones.
    blocks : tuple of int
        Residual blocks on the way down and up again at the first two scales (each), and at the
        coarsest.
    head : int
        Channels on the fine grid; 0 for a network that computes on coarser grids only.
    images : tuple of int
        Which images of :mod:`.front` it sees; 1, which it corrects, has to be among them.
    """

    width: int = 40
    blocks: tuple[int, int, int] = (1, 2, 3)
    head: int = 12
    images: tuple[int, ...] = IMAGES


STUDENT = Size(width=32, blocks=(1, 1, 0), head=0, images=(0, BASE, 3))
"""That of the student: it sees three images, and has no block on the coarsest grid and no
convolution on the fine one."""


class _Block(nn.Module):
    """Two convolutions beside their input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        change: torch.Tensor = self.second(F.leaky_relu(self.first(image), 0.1))
        return image + change


def _blocks(width: int, number: int) -> nn.Sequential:
    return nn.Sequential(*(_Block(width) for _ in range(number)))


class Compact(nn.Module):
    """The network.

    Parameters
    ----------
    size : Size
        How large.
    seed : int
        Of the initial weights.
    """

    def __init__(self, size: Size, seed: int = 0) -> None:
        super().__init__()
        wide, (outer, middle, inner) = size.width, size.blocks
        self.size = size
        self._base = size.images.index(BASE)
        self.stem = nn.Conv2d(len(size.images) * SCALE**2 + 2, wide, 3, padding=1)
        self.down = nn.ModuleList([_blocks(wide, outer), _blocks(2 * wide, middle)])
        self.coarser = nn.ModuleList(
            [nn.Conv2d(wide, 2 * wide, 2, 2), nn.Conv2d(2 * wide, 4 * wide, 2, 2)]
        )
        self.inner = _blocks(4 * wide, inner)
        self.finer = nn.ModuleList(
            [nn.Conv2d(4 * wide, 8 * wide, 1), nn.Conv2d(2 * wide, 4 * wide, 1)]
        )
        self.up = nn.ModuleList([_blocks(2 * wide, middle), _blocks(wide, outer)])
        if size.head:
            self.widen = nn.Conv2d(wide, size.head * SCALE**2, 3, padding=1)
            self.head = nn.Conv2d(size.head + len(size.images), 16, 3, padding=1)
            self.last = nn.Conv2d(16, 1, 3, padding=1)
        else:
            self.last = nn.Conv2d(wide, SCALE**2, 3, padding=1)
        init_uniform(self, seed)
        for block in self.modules():
            if isinstance(block, _Block):
                zero_init(block.second)
        zero_init(self.last)

    @property
    def reach(self) -> int:
        """Radius of the receptive field in raw pixels."""
        outer, middle, inner = self.size.blocks
        # Besides the blocks: first and last convolutions, and pixels that share a coarse one.
        return 4 * 2 * inner + 2 * 2 * 2 * middle + 2 * 2 * outer + 7

    def forward(self, images: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Give the emitter.

        Parameters
        ----------
        images : torch.Tensor
            (stack, image, 3 row, 3 col), rows and columns multiples of :data:`MULTIPLE`.
        noise : torch.Tensor
            (stack, 2).

        Returns
        -------
        torch.Tensor
            (stack, 1, 3 row, 3 col), in the unit of the images; not negative but in training.
        """
        squeezed = _squeezed(images)
        seen = F.pixel_unshuffle(squeezed, SCALE)
        known = (0.25 * noise)[..., None, None].expand(-1, -1, *seen.shape[-2:])
        now = self.stem(torch.cat([seen, known], 1))
        first = self.down[0](now)
        second = self.down[1](self.coarser[0](first))
        third = self.inner(self.coarser[1](second))
        second = self.up[0](second + F.pixel_shuffle(self.finer[0](third), 2))
        first = self.up[1](first + F.pixel_shuffle(self.finer[1](second), 2))
        if self.size.head:
            fine = F.pixel_shuffle(self.widen(first), SCALE)
            fine = F.leaky_relu(self.head(torch.cat([fine, squeezed], 1)), 0.1)
            change = self.last(fine)
        else:
            change = F.pixel_shuffle(self.last(first), SCALE)
        found = change + images[:, self._base : self._base + 1]
        if self.size.head:
            found = F.softplus(found, beta=_SHARP) + _LEAK * found
        else:
            # On the fine grid a softplus takes as long as two convolutions on the raw one.
            found = F.leaky_relu(found, _LEAK)
        return found if self.training else found.clamp_min(0)


def take_over(network: Compact, other: Compact) -> None:
    """Give a network the weights of another one, in place.

    Parameters
    ----------
    network : Compact
        As `other`, but for images that that one does not see, which have no weight at first, and
        for blocks that it has not.
    other : Compact
        The network that has learnt.
    """
    kept = network.state_dict()
    weights = {name: values for name, values in other.state_dict().items() if name in kept}
    stem = torch.zeros_like(network.stem.weight)
    each = SCALE**2
    for place, image in enumerate(other.size.images):
        there = network.size.images.index(image)
        stem[:, there * each : (there + 1) * each] = other.stem.weight[
            :, place * each : (place + 1) * each
        ]
    # The last two channels tell the noise.
    stem[:, -2:] = other.stem.weight[:, -2:]
    network.load_state_dict({**weights, "stem.weight": stem.detach()})


def _squeezed(images: torch.Tensor) -> torch.Tensor:
    """Reconstructions with the weakest ridges have large values: a square root tames them.

    The sign of x times twice (sqrt(1 + |x|) - 1).
    """
    return 2 * images / (1 + (1 + images.abs()).sqrt())

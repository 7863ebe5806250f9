"""What the network learns from: pairs of neighbouring pixels of the noisy image.

In every 2 x 2 cell of a patch one pixel is drawn for the input and a horizontal or vertical
neighbour of it for the target: two images of half the size that show the same and whose noise is
independent (Huang et al., Neighbor2Neighbor, CVPR 2021; here without its regulariser).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from zsfiji.learning.augment import random_patches
from zsfiji.learning.device import autocast, generator

RIM = 6
"""Pixels at the border of a patch that do not count: they lack context."""

_PAIRS = ((0, 1), (1, 0), (0, 2), (2, 0), (1, 3), (3, 1), (2, 3), (3, 2))


def neighbour_pairs(
    patches: torch.Tensor, source: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw two half-size images from each patch.

    Parameters
    ----------
    patches : torch.Tensor
        Shape (count, 1, size, size), `size` even.
    source : torch.Generator
        Random numbers, on the device of the patches.

    Returns
    -------
    noisy, target : torch.Tensor
        Shape (count, 1, size / 2, size / 2) each.
    """
    cells = F.pixel_unshuffle(patches, 2)
    pairs = torch.tensor(_PAIRS, device=patches.device)
    shape = (cells.shape[0], 1, *cells.shape[2:])
    drawn = torch.randint(len(_PAIRS), shape, generator=source, device=patches.device)
    chosen = pairs[drawn]
    return cells.gather(1, chosen[..., 0]), cells.gather(1, chosen[..., 1])


def neighbour_objective(
    network: nn.Module, planes: torch.Tensor, *, patch: int, batch: int, seed: int
) -> Callable[[int], torch.Tensor]:
    """Make the training objective.

    Parameters
    ----------
    network : torch.nn.Module
        The network, on the device of the planes.
    planes : torch.Tensor
        Shape (planes, 1, height, width), scaled as the network wants it.
    patch : int
        Edge of the half-size images.
    batch : int
        Patches a step.
    seed : int
        Seed of places, turns and pairs.

    Returns
    -------
    callable
        Takes the step and gives the loss.
    """
    places = generator(seed)
    draws = generator(seed + 1, planes.device)
    edge = min(2 * patch, planes.shape[-2] // 8 * 8, planes.shape[-1] // 8 * 8)
    rim = RIM if edge >= 8 * RIM else 0

    def objective(step: int) -> torch.Tensor:
        patches = random_patches(planes, batch, edge, places)
        noisy, target = neighbour_pairs(patches, draws)
        noisy = noisy.contiguous(memory_format=torch.channels_last)
        with autocast(planes.device):
            result = network(noisy)
        error = (result.float() - target).square()
        return error[..., rim : edge // 2 - rim, rim : edge // 2 - rim].mean()

    return objective

"""The objective of ZS-SIM: a symmetric loss and a mutual SSIM (docs/methods/zs-sim.md, 2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from zsfiji.compute.device import autocast, generator
from zsfiji.learning.patches import random_patches

MUTUAL = 0.003
"""Weight of the SSIM term: much more makes the network smooth everything (docs/methods/zs-sim.md,
3)."""

_WINDOW, _SIGMA = 11, 1.5
"""Edge of the window of the SSIM and the standard deviation of its Gaussian, as Wang et al. (IEEE
Trans. Image Process. 13, 600, 2004) have them."""

_STABLE = (0.01**2, 0.03**2)
"""Their constants, for images between 0 and 1."""


class PairObjective:
    """The loss between two random views of a part, in both directions.

    Parameters
    ----------
    network : torch.nn.Module
        The network, on the device of the views.
    views : torch.Tensor
        Shape (parts, 4, row, col), scaled for the network.
    pairs : sequence of (int, int)
        The pairs of views to draw from.
    patch : int
        Edge of a patch in pixels; at least that of the SSIM's window.
    seed : int
        Seed of the pairs and places.
    mutual : float
        Weight of the SSIM term.
    """

    def __init__(
        self,
        network: nn.Module,
        views: torch.Tensor,
        pairs: Sequence[tuple[int, int]],
        patch: int,
        seed: int,
        mutual: float = MUTUAL,
    ) -> None:
        self._network, self._views, self._patch, self._mutual = network, views, patch, mutual
        self._pairs = pairs
        self.generators = {"patches": generator(seed)}

    def __call__(self, step: int) -> torch.Tensor:
        """Give the loss of a step."""
        draws = self.generators["patches"]
        one, other = self._pairs[int(torch.randint(len(self._pairs), (), generator=draws))]
        # No flips: the noise of a reconstruction has the directions of the patterns.
        patch = random_patches(self._views, 1, self._patch, draws, symmetries=(0,))
        pair = patch[0, [one, other], None]
        with autocast(pair.device):
            found = self._network(pair.contiguous(memory_format=torch.channels_last)).float()
        return loss(found, pair, self._mutual)


def loss(found: torch.Tensor, pair: torch.Tensor, mutual: float = MUTUAL) -> torch.Tensor:
    """The loss of a denoised pair.

    Parameters
    ----------
    found : torch.Tensor
        The two denoised views, (2, 1, row, col).
    pair : torch.Tensor
        The two views themselves.
    mutual : float
        Weight of the SSIM term.

    Returns
    -------
    torch.Tensor
        ``(|f(a) - b|^2 + |f(b) - a|^2) / 2 + mutual (1 - SSIM(f(a), f(b)))``, squares as means over
        the pixels.
    """
    symmetric = (found - pair.flip(0)).square().mean()
    if not mutual:
        return symmetric
    return symmetric + mutual * (1 - ssim(found[:1], found[1:]))


def ssim(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Structural similarity of images between 0 and 1 with a gradient: a mean over windows.

    :func:`zsfiji.quality.metrics.ssim` is the metric, without a gradient.

    Parameters
    ----------
    first, second : torch.Tensor
        Shape (count, 1, row, col), at least 11 of each.

    Returns
    -------
    torch.Tensor
        A scalar; 1 for equal images.
    """
    place = torch.arange(_WINDOW, device=first.device) - _WINDOW // 2
    weights = torch.exp(-0.5 * (place / _SIGMA).square())
    weights = (weights / weights.sum()).to(first)

    def mean(image: torch.Tensor) -> torch.Tensor:
        return F.conv2d(F.conv2d(image, weights[None, None, None]), weights[None, None, :, None])

    mean_1, mean_2 = mean(first), mean(second)
    variance_1 = mean(first.square()) - mean_1.square()
    variance_2 = mean(second.square()) - mean_2.square()
    covariance = mean(first * second) - mean_1 * mean_2
    light, contrast = _STABLE
    same = (2 * mean_1 * mean_2 + light) * (2 * covariance + contrast)
    largest = (mean_1.square() + mean_2.square() + light) * (variance_1 + variance_2 + contrast)
    return (same / largest).mean()

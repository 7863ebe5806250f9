"""Pairs of noisy images with independent noise, made of one (Pang et al., CVPR 2021)."""

from __future__ import annotations

import torch
import torch.nn.functional as F

BOX = 5
"""Edge of the mean filter H in equation 3 (docs/methods/zs-deconvnet.md, 1.2), as published."""


def local_mean(images: torch.Tensor) -> torch.Tensor:
    """Mean of each pixel of (..., row, col) and of those around it: what its noise depends on."""
    planes = images.reshape(-1, 1, *images.shape[-2:])
    # The published filter assumes zeros outside, which is wrong for two pixels at the border.
    mean = F.avg_pool2d(planes, BOX, 1, BOX // 2, count_include_pad=False)
    return mean.reshape(images.shape)


def pair(
    noisy: torch.Tensor, added: torch.Tensor, alpha: float | torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Add noise to an image, and subtract the same noise.

    Parameters
    ----------
    noisy : torch.Tensor
        The image.
    added : torch.Tensor
        Noise of the same variance as that of the image, independent of it.
    alpha : float or torch.Tensor
        It is multiplied by this in the first image, and divided by it in the second.

    Returns
    -------
    torch.Tensor, torch.Tensor
        Images of which the noise is not correlated.
    """
    return noisy + alpha * added, noisy - added / alpha

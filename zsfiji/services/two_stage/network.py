"""How a network of two stages is run."""

from __future__ import annotations

import torch
from torch import nn

from zsfiji.compute.device import autocast
from zsfiji.learning.unet import Pair


def run(network: nn.Module, image: torch.Tensor) -> Pair:
    """Run a two-stage network in the precision of its device.

    Parameters
    ----------
    network : torch.nn.Module
        Gives a denoised and a deconvolved batch.
    image : torch.Tensor
        Shape (batch, channels, row, col) or (batch, channels, pln, row, col), on its device.

    Returns
    -------
    denoised, sharp : torch.Tensor
        32-bit.
    """
    memory = torch.channels_last if image.ndim == 4 else torch.channels_last_3d
    with autocast(image.device):
        denoised, sharp = network(image.contiguous(memory_format=memory))
    return denoised.float(), sharp.float()

"""The network of ZS-SIM: convolutions with attention between them (docs/methods/zs-sim.md, 3).

The published figure has Conv - LeakyReLU - CBAM - Conv - LeakyReLU - CBAM - Conv; CBAM is that of
Woo et al., "CBAM: Convolutional Block Attention Module", ECCV 2018.
"""

from __future__ import annotations

import torch
from torch import nn

from zsfiji.learning.initial import init_uniform, zero_init
from zsfiji.learning.unet import last_convolution

CHANNELS = 48
"""Channels between the convolutions: ours, as in the nearest published zero-shot network."""

REDUCTION = 16
"""By how much the channel attention narrows, as published for CBAM."""

SPATIAL = 7
"""Edge of the kernel of the spatial attention, as published for CBAM."""

SLOPE = 0.2
"""Slope of the rectified linear units below zero."""

MARGIN = 2 * (1 + SPATIAL // 2)
"""Radius of the receptive field in pixels."""

_MEMORY = 0.02
"""Share of the newest patch in the running mean of the channel attention."""


class ZsSimNetwork(nn.Module):
    """The network; 22,085 parameters.

    It takes and gives batches (batch, 1, row, col) and subtracts what it finds to be noise.

    Parameters
    ----------
    seed : int
        Seed of the initial weights.
    channels : int
        Channels between the convolutions.
    """

    def __init__(self, seed: int = 0, channels: int = CHANNELS) -> None:
        super().__init__()
        self.noise = nn.Sequential(
            nn.Conv2d(1, channels, 3, padding=1),
            nn.LeakyReLU(SLOPE),
            Attention(channels),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.LeakyReLU(SLOPE),
            Attention(channels),
        )
        init_uniform(self, seed)
        # At first the network returns its input.
        last = last_convolution(2, channels, 1, 1)
        zero_init(last)
        self.noise.append(last)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Denoise a batch."""
        return image - self.noise(image)


class Attention(nn.Module):
    """CBAM: weights for the channels, then weights for the pixels.

    The weights of the channels come from means and maxima over the whole input. While training,
    this is a patch. Afterwards their running mean over the patches is used, so that a result does
    not depend on the size of the image or of its tiles.

    Parameters
    ----------
    channels : int
        Channels of the input.
    """

    mean_weights: torch.Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow = max(1, channels // REDUCTION)
        self.shared = nn.Sequential(
            nn.Conv2d(channels, narrow, 1, bias=False),
            nn.ReLU(),
            nn.Conv2d(narrow, channels, 1, bias=False),
        )
        self.spatial = nn.Conv2d(2, 1, SPATIAL, padding=SPATIAL // 2, bias=False)
        self.register_buffer("mean_weights", torch.full((1, channels, 1, 1), 0.5))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Weight features (batch, channels, row, col)."""
        if self.training:
            mean = features.mean((-2, -1), keepdim=True)
            largest = features.amax((-2, -1), keepdim=True)
            weights = torch.sigmoid(self.shared(mean) + self.shared(largest))
            self.mean_weights.lerp_(weights.detach().float().mean(0, keepdim=True), _MEMORY)
        else:
            weights = self.mean_weights.to(features.dtype)
        features = features * weights
        both = torch.cat([features.mean(1, keepdim=True), features.amax(1, keepdim=True)], 1)
        found: torch.Tensor = features * torch.sigmoid(self.spatial(both))
        return found

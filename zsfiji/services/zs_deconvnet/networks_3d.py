"""The published network for stacks.

It takes a batch of stacks (batch, channels, slice, row, column) and gives two batches of one
channel: the denoised stacks, and the deconvolved ones on a grid that is `upsample` times as fine
along rows and columns.
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from zsfiji.deconvolution.tiles import DeconvolvingNetwork
from zsfiji.learning.initial import init_glorot
from zsfiji.learning.unet import Pair, convolution, last_convolution, repeated

_SLOPE = 0.2
"""Slope of the rectified linear units below zero, as published."""

_conv = partial(convolution, 3)


class PublishedRCAN(DeconvolvingNetwork):
    """The two-stage RCAN of the paper: 2,003,490 parameters (docs/methods/zs-deconvnet.md, 2.3).

    Its channel attention takes means over the whole input, so the results depend a little on the
    size of tiles.

    Parameters
    ----------
    upsample : int
        1 or 2. The number of parameters is the same.
    seed : int
        Seed of the initial weights.
    """

    multiple = 1
    margin = 24

    def __init__(self, upsample: int = 2, seed: int = 0) -> None:
        super().__init__()
        self.upsample = upsample
        self.stage1, self.stage2 = _Attentive(1), _Attentive(upsample)
        init_glorot(self, seed)

    def forward(self, stack: torch.Tensor) -> Pair:
        """Denoise and deconvolve stacks of one channel."""
        denoised = self.stage1(stack)
        return denoised, self.stage2(denoised)


class _Attentive(nn.Module):
    """Two groups of two blocks with channel attention between convolutions."""

    def __init__(self, upsample: int) -> None:
        super().__init__()
        self.upsample = upsample
        self.first = _conv(1, 64)
        self.blocks = nn.ModuleList([_Block() for _ in range(4)])
        self.merge, self.last = _conv(64, 64), last_convolution(3, 64, 1)

    def forward(self, stack: torch.Tensor) -> torch.Tensor:
        first = features = self.first(stack)
        for block in self.blocks:
            features = block(features)
        features = features + first
        if self.upsample > 1:
            features = repeated(features, self.upsample)
        features = F.leaky_relu(self.merge(features), _SLOPE)
        return F.leaky_relu(self.last(features), _SLOPE)


class _Block(nn.Module):
    """Two convolutions, channel attention, and the input added (a residual block)."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = _conv(64, 64), _conv(64, 64)
        self.squeeze, self.expand = nn.Conv3d(64, 4, 1), nn.Conv3d(4, 64, 1)

    def forward(self, stack: torch.Tensor) -> torch.Tensor:
        features = F.leaky_relu(self.one(stack), _SLOPE)
        features = F.leaky_relu(self.two(features), _SLOPE)
        means = features.mean((-3, -2, -1), keepdim=True)
        weights = torch.sigmoid(self.expand(F.relu(self.squeeze(means))))
        return stack + features * weights

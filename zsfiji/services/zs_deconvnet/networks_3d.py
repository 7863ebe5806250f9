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


PUBLISHED_WIDTH, COMPACT_WIDTH = 64, 16
"""Channels of the published network, and of that of the same shape that serves on a processor."""

_SQUEEZED = 4
"""Channels inside the channel attention, as published: also for the narrow network, where fewer
than this would be one."""


class PublishedRCAN(DeconvolvingNetwork):
    """The two-stage RCAN of the paper, in the published width or narrower.

    With the published 64 channels it has 2,003,490 parameters (docs/methods/zs-deconvnet.md, 2.3).

    Its channel attention takes means over the whole input, so the results depend a little on the
    size of tiles.

    Parameters
    ----------
    upsample : int
        1 or 2. The number of parameters is the same.
    width : int
        Channels of the convolutions.
    seed : int
        Seed of the initial weights.
    """

    multiple = 1
    margin = 24

    def __init__(self, upsample: int = 2, width: int = PUBLISHED_WIDTH, seed: int = 0) -> None:
        super().__init__()
        self.upsample = upsample
        self.stage1, self.stage2 = _Attentive(1, width), _Attentive(upsample, width)
        init_glorot(self, seed)

    def forward(self, stack: torch.Tensor) -> Pair:
        """Denoise and deconvolve stacks of one channel."""
        denoised = self.stage1(stack)
        return denoised, self.stage2(denoised)


class _Attentive(nn.Module):
    """Two groups of two blocks with channel attention between convolutions."""

    def __init__(self, upsample: int, width: int) -> None:
        super().__init__()
        self.upsample = upsample
        self.first = _conv(1, width)
        self.blocks = nn.ModuleList([_Block(width) for _ in range(4)])
        self.merge, self.last = _conv(width, width), last_convolution(3, width, 1)

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

    def __init__(self, width: int) -> None:
        super().__init__()
        self.one, self.two = _conv(width, width), _conv(width, width)
        self.squeeze = nn.Conv3d(width, _SQUEEZED, 1)
        self.expand = nn.Conv3d(_SQUEEZED, width, 1)

    def forward(self, stack: torch.Tensor) -> torch.Tensor:
        features = F.leaky_relu(self.one(stack), _SLOPE)
        features = F.leaky_relu(self.two(features), _SLOPE)
        means = features.mean((-3, -2, -1), keepdim=True)
        weights = torch.sigmoid(self.expand(F.relu(self.squeeze(means))))
        return stack + features * weights

"""The published network for planes.

It takes a batch of planes and gives two of one channel: the denoised planes, of the same size, and
the deconvolved ones, on a grid that is `upsample` times as fine.
"""

from __future__ import annotations

import itertools
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from zsfiji.deconvolution.tiles import DeconvolvingNetwork
from zsfiji.learning.initial import init_glorot
from zsfiji.learning.unet import Pair, convolution, last_convolution

_conv = partial(convolution, 2)


PUBLISHED_WIDTH, COMPACT_WIDTH = 32, 8
"""Channels at the finest scale of the published U-Nets, and of those of the same shape that serve
on a processor; all other numbers of channels grow with it."""


class PublishedUNet(DeconvolvingNetwork):
    """The two-stage U-Net of the paper, in the published width or narrower.

    With the published 32 channels it has 13,109,010 parameters, with 8 it has 820,902
    (docs/methods/zs-deconvnet.md, 1.5).

    Stage 1 denoises; stage 2 is a second U-Net that deconvolves the result of stage 1. All units
    are rectified linear units, those of the results too. So results are not negative, and they can
    die (be zero everywhere): see :func:`zsfiji.services.two_stage.fit.fit_restorer`.

    Parameters
    ----------
    upsample : int
        1 or 2. The number of parameters is the same.
    width : int
        Channels of the first convolutions, even.
    seed : int
        Seed of the initial weights.
    """

    multiple = 16
    margin = 160

    def __init__(self, upsample: int = 2, width: int = PUBLISHED_WIDTH, seed: int = 0) -> None:
        super().__init__()
        self.upsample = upsample
        narrow, wide = width // 2, 4 * width
        self.stage1 = _UNet(width)
        self.last1 = last_convolution(2, narrow, 1)
        self.stage2 = _UNet(width)
        self.tail = nn.ModuleList([_conv(narrow, wide), _conv(wide, wide)])
        self.last2 = last_convolution(2, wide, 1)
        init_glorot(self, seed)

    def forward(self, image: torch.Tensor) -> Pair:
        """Denoise and deconvolve (batch, 1, height, width), sides that are multiples of 16."""
        denoised = F.relu(self.last1(self.stage1(image)))
        features = self.stage2(denoised)
        if self.upsample > 1:
            features = F.interpolate(features, scale_factor=self.upsample)
        for layer in self.tail:
            features = F.relu(layer(features))
        return denoised, F.relu(self.last2(features))


class _UNet(nn.Module):
    """Four levels of three convolutions and a bottom of two; 1 channel in, half the width out."""

    def __init__(self, width: int) -> None:
        super().__init__()
        widths = (width, 2 * width, 4 * width, 8 * width)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        channels = 1
        for level in widths:
            self.down.append(_chain(channels, level, level, level))
            channels = level
        self.bottom = _chain(channels, 2 * channels, channels)
        for level in reversed(widths):
            self.up.append(_chain(channels + level, level, level // 2, level // 2))
            channels = level // 2

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        kept = []
        for level in self.down:
            image = level(image)
            kept.append(image)
            image = F.max_pool2d(image, 2)
        image = self.bottom(image)
        for level in self.up:
            image = level(torch.cat([F.interpolate(image, scale_factor=2), kept.pop()], 1))
        return image


def _chain(*channels: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(channels):
        layers += [_conv(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers)

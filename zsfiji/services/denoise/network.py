"""The network that is trained on the one image."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from zsfiji.learning.initial import draw_weights

MULTIPLE = 4
"""Heights and widths have to be multiples of this."""

MARGIN = 28
"""Pixels around a pixel that its result depends on."""


class Denoiser(nn.Module):
    """Two scales, half and a quarter of the image's, and a residual connection.

    After specs/zero_shot_denoise.md, section 5.5; what it adds, it adds to the last of its input
    channels, the filtered image. 141,124 parameters with two inputs and the default width.

    Parameters
    ----------
    inputs : int
        Channels of the input.
    width : int
        Channels at half scale; the quarter scale has twice as many.
    seed : int
        Seed of the initial weights.
    """

    def __init__(self, inputs: int, *, width: int = 32, seed: int = 0) -> None:
        super().__init__()
        wide = 2 * width
        self.outer = nn.ModuleList([_conv(4 * inputs, width), _conv(width, width)])
        self.inner = nn.ModuleList([_conv(width, wide, 2), _conv(wide, wide), _conv(wide, wide)])
        self.widen = nn.Conv2d(wide, 4 * width, 1)
        self.merge = nn.ModuleList([_conv(2 * width, width), _conv(width, width)])
        self.last = _conv(width, 4)
        draw_weights(self, seed)
        nn.init.zeros_(self.last.weight)
        if self.last.bias is not None:
            nn.init.zeros_(self.last.bias)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Give (batch, 1, height, width) for (batch, inputs, height, width), values about 0."""
        features = F.pixel_unshuffle(image, 2)
        for layer in self.outer:
            features = F.leaky_relu(layer(features), 0.1)
        deep = features
        for layer in self.inner:
            deep = F.leaky_relu(layer(deep), 0.1)
        deep = F.leaky_relu(F.pixel_shuffle(self.widen(deep), 2), 0.1)
        features = torch.cat([features, deep], 1)
        for layer in self.merge:
            features = F.leaky_relu(layer(features), 0.1)
        return image[:, -1:] + F.pixel_shuffle(self.last(features), 2)


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, 1)

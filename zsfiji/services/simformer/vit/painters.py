"""The convolutional decoders: from tokens to images on the fine grid."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from zsfiji.services.simformer.vit.configuration import FRAMES, Configuration

_SHARP = 4.0
"""How sharply a correction of the wide-field image is cut off at zero."""


class Painter(nn.Module):
    """Doubles the grid of the tokens until it is the fine one.

    Parameters
    ----------
    configuration : Configuration
        The sizes.
    planes : int
        Planes of the result.
    """

    def __init__(self, configuration: Configuration, planes: int) -> None:
        super().__init__()
        self._grid = (configuration.groups, configuration.side, configuration.side)
        width = configuration.groups * configuration.decoder_width
        levels = []
        for channels in configuration.painters:
            layers = []
            for _ in range(configuration.convolutions):
                layers.append(nn.Conv2d(width, channels, 3, 1, 1))
                width = channels
            levels.append(nn.ModuleList(layers))
        self.levels = nn.ModuleList(levels)
        self.last = nn.Conv2d(width, planes, 1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Give (batch, planes, fine row, fine col) for tokens (batch, token, width)."""
        image = tokens.unflatten(1, self._grid).permute(0, 1, 4, 2, 3).flatten(1, 2)
        for level in self.levels:
            image = F.interpolate(image, scale_factor=2, mode="bilinear", align_corners=False)
            for layer in level:  # type: ignore[attr-defined]
                image = F.gelu(layer(image), approximate="tanh")
        painted: torch.Tensor = self.last(image)
        return painted


def as_emitter(painted: torch.Tensor, wide_field: torch.Tensor | None) -> torch.Tensor:
    """Light of the specimen, not negative.

    Parameters
    ----------
    painted : torch.Tensor
        (batch, 1, fine row, fine col).
    wide_field : torch.Tensor or None
        The image that is corrected; None where there is none.
    """
    if wide_field is None:
        return F.softplus(painted)
    return F.softplus(painted + wide_field, beta=_SHARP)


def as_illumination(painted: torch.Tensor) -> torch.Tensor:
    """Light of each frame, its mean over the frames 1 everywhere: (batch, FRAMES, row, col)."""
    return FRAMES * torch.softmax(painted, 1)


def as_background(painted: torch.Tensor, size: int) -> torch.Tensor:
    """Smooth light, not negative: a moving average over squares.

    At the edges it is the mean over what lies in the image. In the published program it is a third
    of the mean, and less near the edges.

    Parameters
    ----------
    painted : torch.Tensor
        (batch, 1, row, col).
    size : int
        Odd edge of the square.
    """
    light = F.softplus(painted)
    for window in ((size, 1), (1, size)):
        reach = tuple(n // 2 for n in window)
        light = _mean(light, window, (reach[0], reach[1]))
    return light


def _mean(image: torch.Tensor, window: tuple[int, int], reach: tuple[int, int]) -> torch.Tensor:
    # The pooling of torch allows no more padding than half of the window, which this is.
    return F.avg_pool2d(image, window, 1, reach, count_include_pad=False)

"""The network of FM2S: three convolutions (docs/methods/fm2s.md, section 3)."""

from __future__ import annotations

import torch
from torch import nn

from zsfiji.compute.device import generator
from zsfiji.learning.unet import last_convolution

MARGIN = 5
"""Radius of the receptive field, in pixels."""


def build(inputs: int, outputs: int, seed: int) -> nn.Sequential:
    """Make the network, with torch's default initial weights.

    3,529 parameters with 1 channel in and out, 4,430 with 2, 8,034 with 6.

    Parameters
    ----------
    inputs, outputs : int
        Number of channels that it takes and gives.
    seed : int
        Seed of the initial weights.

    Returns
    -------
    torch.nn.Sequential
        Takes (count, inputs, height, width) and gives (count, outputs, height, width); zeros are
        assumed beyond the border.
    """
    network = nn.Sequential(
        nn.Conv2d(inputs, 24, 5, padding=2),
        nn.LeakyReLU(1e-3),
        nn.Conv2d(24, 12, 3, padding=1),
        nn.LeakyReLU(1e-3),
        last_convolution(2, 12, outputs, 5),
    )
    source = generator(seed)
    with torch.no_grad():
        for layer in network:
            if isinstance(layer, nn.Conv2d):
                # Uniform weights after Kaiming with the slope sqrt(5) have this bound.
                bound = (layer.in_channels * layer.kernel_size[0] ** 2) ** -0.5
                for values in (layer.weight, layer.bias):
                    assert values is not None
                    values.copy_(torch.rand(values.shape, generator=source) * 2 * bound - bound)
    return network.to(memory_format=torch.channels_last)

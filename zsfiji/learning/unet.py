"""The small U-Net of which the fast networks for planes and for stacks are made."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

Pair = tuple[torch.Tensor, torch.Tensor]


class TwoScales(nn.Module):
    """A U-Net of two scales: that of its input, and half of it along rows and columns.

    Slices are not downsampled. For stacks, three of the convolutions extend over three slices, the
    others over one.

    Parameters
    ----------
    axes : int
        2 for planes, 3 for stacks.
    inputs, width, outputs : int
        Channels of the input, at the fine scale (twice as many at the coarse one), of the result.
    slope : float
        Negative slope of the LeakyReLU.
    """

    def __init__(self, axes: int, inputs: int, width: int, outputs: int, slope: float) -> None:
        super().__init__()
        self.slope = slope
        wide = 2 * width

        def deep(inputs: int, outputs: int, stride: int = 1) -> nn.Module:
            return convolution(axes, inputs, outputs, stride)

        def flat(inputs: int, outputs: int) -> nn.Module:
            return convolution(axes, inputs, outputs, across=1)

        self.outer = nn.ModuleList([deep(inputs, width), flat(width, width)])
        self.inner = nn.ModuleList([deep(width, wide, 2), deep(wide, wide), flat(wide, wide)])
        self.widen = (nn.Conv2d if axes == 2 else nn.Conv3d)(wide, 4 * width, 1)
        self.merge = nn.ModuleList([flat(2 * width, width), flat(width, width)])
        self.last = last_convolution(axes, width, outputs, across=1)

    def forward(self, image: torch.Tensor) -> Pair:
        """Give the last features and the result, both of the size of the image."""
        for layer in self.outer:
            image = F.leaky_relu(layer(image), self.slope)
        deep = image
        for layer in self.inner:
            deep = F.leaky_relu(layer(deep), self.slope)
        deep = F.leaky_relu(depth_to_space(self.widen(deep), 2), self.slope)
        image = torch.cat([image, deep], 1)
        for layer in self.merge:
            image = F.leaky_relu(layer(image), self.slope)
        return image, self.last(image)


def convolution(
    axes: int, inputs: int, outputs: int, stride: int = 1, across: int = 3
) -> nn.Conv2d | nn.Conv3d:
    """Make a 3 x 3 convolution that keeps the size, or divides rows and columns by `stride`.

    Parameters
    ----------
    axes : int
        2 for planes, 3 for stacks.
    inputs, outputs : int
        Channels.
    stride : int
        Of rows and columns.
    across : {1, 3}
        Slices that it extends over, for stacks.
    """
    if axes == 2:
        return nn.Conv2d(inputs, outputs, 3, stride, 1)
    return nn.Conv3d(inputs, outputs, (across, 3, 3), (1, stride, stride), (across // 2, 1, 1))


class _In32Bit2d(nn.Conv2d):
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        with torch.autocast(features.device.type, enabled=False):
            return super().forward(features.float())


class _In32Bit3d(nn.Conv3d):
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        with torch.autocast(features.device.type, enabled=False):
            return super().forward(features.float())


def last_convolution(
    axes: int, inputs: int, outputs: int, size: int = 3, across: int = 3
) -> nn.Conv2d | nn.Conv3d:
    """Make the last convolution, which computes in 32 bits even if the others have 16.

    A bfloat16 has 8 bits of precision, which would cause visible steps in smooth regions.

    Parameters
    ----------
    axes : int
        2 for planes, 3 for stacks.
    inputs, outputs : int
        Channels.
    size : int
        Odd edge of the kernel along rows and columns; the size of the image stays.
    across : {1, 3}
        Slices that it extends over, for stacks.
    """
    if axes == 2:
        return _In32Bit2d(inputs, outputs, size, padding=size // 2)
    return _In32Bit3d(
        inputs, outputs, (across, size, size), padding=(across // 2, size // 2, size // 2)
    )


def space_to_depth(image: torch.Tensor, factor: int) -> torch.Tensor:
    """Turn squares of `factor` x `factor` pixels of each plane or slice into channels.

    Takes (batch, channel, row, column) or (batch, channel, slice, row, column).
    """
    if image.ndim == 4:
        return F.pixel_unshuffle(image, factor)
    flat = F.pixel_unshuffle(image.transpose(1, 2).flatten(0, 1), factor)
    return flat.unflatten(0, (image.shape[0], image.shape[2])).transpose(1, 2)


def depth_to_space(image: torch.Tensor, factor: int) -> torch.Tensor:
    """Take back :func:`space_to_depth`."""
    if image.ndim == 4:
        return F.pixel_shuffle(image, factor)
    flat = F.pixel_shuffle(image.transpose(1, 2).flatten(0, 1), factor)
    return flat.unflatten(0, (image.shape[0], image.shape[2])).transpose(1, 2)


def repeated(image: torch.Tensor, factor: int) -> torch.Tensor:
    """Repeat the rows and columns of planes, or of the slices of stacks, `factor` times."""
    if factor == 1:
        return image
    return F.interpolate(image, scale_factor=(1,) * (image.ndim - 4) + (factor, factor))

"""The small network that is trained on one image, for denoising and for zero-shot SIM."""

from __future__ import annotations

import torch

from zsfiji.learning.initial import init_uniform, zero_init
from zsfiji.learning.unet import TwoScales, depth_to_space, space_to_depth

MULTIPLE = 4
"""Heights and widths have to be multiples of this: the network downsamples twice."""

MARGIN = 28
"""Radius of the receptive field in pixels."""


class Denoiser(TwoScales):
    """A U-Net of two scales, half and a quarter of the image, with a residual connection.

    Its output is added to the last of its input channels, which is an estimate already. 141,124
    parameters with two inputs and the default width. See docs/methods/zero-shot-denoise.md, section
    5.

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
        super().__init__(2, 4 * inputs, width, 4, 0.1)
        init_uniform(self, seed)
        zero_init(self.last)

    def forward(self, image: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Give (batch, 1, height, width) for (batch, inputs, height, width), values around 0."""
        _, change = super().forward(space_to_depth(image, 2))
        return image[:, -1:] + depth_to_space(change, 2)

"""The networks for planes: the published one and a small fast one.

Both take a batch of planes and give two of one channel: the denoised planes, of the same size, and
the deconvolved ones, on a grid that is `upsample` times as fine.
"""

from __future__ import annotations

import itertools
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from zsfiji.compute.device import autocast
from zsfiji.deconvolution.tiles import DeconvolvingNetwork
from zsfiji.learning.initial import init_glorot, init_uniform, zero_init
from zsfiji.learning.unet import Pair, TwoScales, convolution, last_convolution
from zsfiji.physics.optics.degradation import Degradation

INVERSE_REACH = 10
"""Radius of the linear inverse filter in pixels of the image. Chosen by eye: the filter is small
beyond it for usual PSFs."""

_RIDGE = 0.05
"""Epsilon of the inverse filter, for optics that pass 1 at frequency 0. Chosen by eye."""

_SLOPE = 0.2
"""Slope of the fast network's rectified linear units below zero: that of the published network for
stacks. Not tuned."""

_GRID = 128
"""Pixels of the periodic grid on which the inverse filter is computed: several times its size."""

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
    die (be zero everywhere): see :func:`zsfiji.services.zs_deconvnet.fit.fit_restorer`.

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


class FastNet(DeconvolvingNetwork):
    """Two stages at half the resolution of the image; stage 2 takes the features of stage 1.

    Between them a fixed linear filter undoes the optics as far as such a filter can. Its result is
    an input of stage 2.

    Parameters
    ----------
    upsample : int
        1 or 2.
    width : int
        Channels at half scale; the quarter scale inside each stage has twice as many.
    seed : int
        Seed of the initial weights.
    """

    multiple = 4
    margin = 48

    def __init__(self, upsample: int = 2, width: int = 32, seed: int = 0) -> None:
        super().__init__()
        self.upsample = upsample
        self.stage1 = TwoScales(2, 8, width, 4, _SLOPE)
        fine = upsample**2
        self.stage2 = TwoScales(2, 12 + width + 4 * fine, width, 4 * fine, _SLOPE)
        self.inverse: torch.Tensor
        edge = 2 * INVERSE_REACH + 1
        nearest = torch.zeros(fine, 1, edge, edge)
        nearest[..., INVERSE_REACH, INVERSE_REACH] = 1
        self.register_buffer("inverse", nearest)
        init_uniform(self, seed)
        # At first both stages return their input.
        for stage in (self.stage1, self.stage2):
            zero_init(stage.last)

    def forward(self, image: torch.Tensor) -> Pair:
        """Denoise and deconvolve.

        Parameters
        ----------
        image : torch.Tensor
            Shape (batch, 2, height, width), sides that are multiples of 4: the image on the scale
            of the results, and the same with stabilised noise.
        """
        cells = F.pixel_unshuffle(image, 2)
        features, change = self.stage1(cells)
        denoised_cells = cells[:, :4] + change
        denoised = F.pixel_shuffle(denoised_cells, 2)
        around = F.pad(denoised.detach().float(), (INVERSE_REACH,) * 4, mode="replicate")
        with torch.autocast(image.device.type, enabled=False):
            linear = F.pixel_shuffle(F.conv2d(around, self.inverse), self.upsample)
        linear_cells = F.pixel_unshuffle(linear, 2 * self.upsample)
        inputs = [cells, denoised_cells, features, linear_cells.to(features.dtype)]
        _, change = self.stage2(torch.cat(inputs, 1))
        # Not added to the linear result: stage 2 would have nothing to learn at first, and its
        # units would die (all negative).
        coarse = F.interpolate(denoised, scale_factor=self.upsample)
        return denoised, coarse + F.pixel_shuffle(change, 2 * self.upsample)


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


def inverse_filter(degradation: Degradation) -> torch.Tensor:
    r"""Make the filter that undoes the optics, :math:`A'(AA' + \epsilon)^{-1}`.

    Parameters
    ----------
    degradation : Degradation
        The optics, of two axes.

    Returns
    -------
    torch.Tensor
        For :attr:`FastNet.inverse`: shape (upsample squared, 1, size, size), a filter of sum 1
        for each pixel of the fine grid inside a pixel of the image.
    """
    fine = degradation.upsample
    middle = _GRID // 2
    point = torch.zeros(1, 1, _GRID, _GRID)
    point[..., middle, middle] = 1
    response = degradation(degradation.adjoint(point)) * fine**2
    spectrum = torch.fft.fft2(torch.fft.ifftshift(response, dim=(-2, -1))).real.clamp_min(0)
    weights = torch.fft.fftshift(torch.fft.ifft2(1 / (spectrum + _RIDGE)).real, dim=(-2, -1))
    impulse_response = F.pixel_unshuffle(degradation.adjoint(weights), fine)[0, :, None]
    # `conv2d` correlates, so its kernel is the impulse response flipped along both axes.
    near = slice(middle - INVERSE_REACH, middle + INVERSE_REACH + 1)
    kernel = impulse_response[..., near, near].flip(-2, -1)
    return kernel / kernel.sum((-2, -1), keepdim=True)


def _chain(*channels: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(channels):
        layers += [_conv(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers)

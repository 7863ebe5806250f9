"""Our small network for planes.

It takes a batch of planes and gives two of one channel: the denoised planes, of the same size, and
the deconvolved ones, on a grid that is `upsample` times as fine.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from zsfiji.deconvolution.tiles import DeconvolvingNetwork
from zsfiji.learning.initial import init_uniform, zero_init
from zsfiji.learning.unet import Pair, TwoScales
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

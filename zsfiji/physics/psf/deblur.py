"""A quick classical deconvolution whose every pixel depends on its surroundings only."""

from __future__ import annotations

import torch

from zsfiji import progress
from zsfiji.physics.psf.operator import Degradation


def deblur(
    light: torch.Tensor, optics: Degradation, iterations: int, background: float
) -> torch.Tensor:
    r"""Deconvolve by Richardson-Lucy with momentum.

    :math:`x \leftarrow v\; \frac{1}{A'1} A'\frac{y + b}{A v + b}` with
    :math:`v = x + \frac{i}{i+3}(x - x_{before})`

    The momentum is Nesterov's, which is the same everywhere, and it begins with the image itself:
    tiles of an image give what the whole image gives.

    Parameters
    ----------
    light : torch.Tensor
        (..., row, col), or (..., pln, row, col) for optics of three axes: what was measured, with
        little noise, above the level of no light. Values below zero count as zero.
    optics : Degradation
        From the grid of the result to that of `light`.
    iterations : int
        How many. With momentum they count for their square, about.
    background : float
        Light that every pixel is thought to have besides, more than zero. It keeps the noise of
        dark places down; the variance of read noise in units of the gain is right.

    Returns
    -------
    torch.Tensor
        On the fine grid, not negative.
    """
    fine = optics.upsample
    measured = light.clamp_min(0) + background
    before = now = light.clamp_min(0).repeat_interleave(fine, -2).repeat_interleave(fine, -1)
    # What has reached zero can not come back: a product stays zero.
    least = 1e-3 * background
    for i in range(iterations):
        progress.stop_if_cancelled()
        ahead = (now + i / (i + 3) * (now - before)).clamp_min(least)
        ratio = measured / (optics(ahead) + background).clamp_min(background)
        before, now = now, ahead * optics.adjoint(ratio) * fine**2
    return now.clamp_min(0)

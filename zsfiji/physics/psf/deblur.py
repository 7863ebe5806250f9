"""A quick classical deconvolution whose every pixel depends on its surroundings only."""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from scipy.fft import next_fast_len

from zsfiji import progress
from zsfiji.physics.psf.operator import Degradation


def deblur(
    light: torch.Tensor,
    optics: Degradation,
    iterations: int,
    background: float,
    label: str | None = None,
) -> torch.Tensor:
    r"""Deconvolve by Richardson-Lucy with momentum.

    :math:`x \leftarrow v\; A'\frac{y + b}{A v + b}` with
    :math:`v = x + \frac{i}{i+3}(x - x_{before})`

    The momentum is Nesterov's, which is the same everywhere, and it begins with :math:`A'y`, the
    image blurred once more: tiles of an image give what the whole image gives, and noise finer
    than the PSF is not there from the beginning.

    An iteration is much quicker than one with the operators of `optics`: blurring by the PSF and
    binning are done at once, each of the pixels that share a pixel of the camera having a PSF of
    its own on the grid of the camera. Outside the image is its mirror image.

    Parameters
    ----------
    light : torch.Tensor
        (..., row, col), or (..., pln, row, col) for optics of three axes: what was measured, above
        the level of no light. Noise may take it below zero as far as the background allows.
    optics : Degradation
        From the grid of the result to that of `light`.
    iterations : int
        How many. With momentum they count for their square, about.
    background : float
        Light that every pixel is thought to have besides, more than zero. It keeps the noise of
        dark places down; the variance of read noise in units of the gain is right.
    label : str, optional
        What to report as progress; nothing without it.

    Returns
    -------
    torch.Tensor
        On the fine grid, not negative.
    """
    fine, axes = optics.upsample, optics.psf.ndim
    dims = tuple(range(-axes, 0))
    shape = light.shape[-axes:]
    size = tuple(
        next_fast_len(n + 2 * reach, real=True)
        for n, reach in zip(shape, optics.margin, strict=True)
    )
    for dim, length in zip(dims, size, strict=True):
        light = _mirrored(light, dim, length)
    transfer = _transfer(optics, size, light)
    measured = (light + background).clamp_min(0)

    # The pixels of the fine grid that share a pixel of the camera lie on an axis of their own.
    def blurred(specimen: torch.Tensor) -> torch.Tensor:
        spectrum = (torch.fft.rfftn(specimen, dim=dims) * transfer).sum(-axes - 1)
        return torch.fft.irfftn(spectrum, s=size, dim=dims)

    def spread(image: torch.Tensor) -> torch.Tensor:
        spectrum = torch.fft.rfftn(image, dim=dims).unsqueeze(-axes - 1) * transfer.conj()
        return torch.fft.irfftn(spectrum, s=size, dim=dims).mul_(fine**2)

    before = now = spread(light.clamp_min(0)).clamp_min_(0)
    # What has reached zero can not come back: a product stays zero.
    least = 1e-3 * background
    for i in range(iterations):
        progress.stop_if_cancelled()
        if label is not None:
            progress.report(i / iterations, label)
        ahead = torch.lerp(before, now, 1 + i / (i + 3)).clamp_min_(least)
        ratio = measured / blurred(ahead).add_(background).clamp_min_(background)
        before, now = now, ahead.mul_(spread(ratio))
    for dim, length in zip(dims, shape, strict=True):
        now = now.narrow(dim, 0, length)
    return F.pixel_shuffle(now.movedim(-axes - 1, -3), fine).squeeze(-3).clamp_min(0)


def _mirrored(light: torch.Tensor, dim: int, length: int) -> torch.Tensor:
    """Go on behind the end with the mirror image, of the end first and of the beginning last."""
    n = light.shape[dim]
    place = torch.arange(length, device=light.device)
    place = torch.where(place < n + (length - n + 1) // 2, place, place - length) % (2 * n)
    return light.index_select(dim, torch.minimum(place, 2 * n - 1 - place))


def _transfer(optics: Degradation, size: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
    """Spectra of the PSFs, each binned, of the pixels that share one of the camera."""
    fine, psf = optics.upsample, optics.psf.to(like.dtype).to(like.device)
    dims = tuple(range(-psf.ndim, 0))
    whole = (*size[:-2], fine * size[-2], fine * size[-1])
    # The border may reach round the whole of a small image.
    for dim, length in zip(dims, whole, strict=True):
        n = psf.shape[dim]
        place = (torch.arange(n, device=psf.device) - n // 2) % length
        wrapped = psf.new_zeros([length if d == dim else psf.shape[d] for d in dims])
        psf = wrapped.index_add_(dim, place, psf)
    for dim in (-2, -1):
        psf = torch.stack([psf.roll(-shift, dim) for shift in range(fine)]).mean(0)
    phases = [
        psf.roll(shifts, (-2, -1))[..., ::fine, ::fine]
        for shifts in itertools.product(range(fine), repeat=2)
    ]
    return torch.fft.rfftn(torch.stack(phases), dim=dims)

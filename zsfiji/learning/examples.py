"""Sharp examples made from the image itself: the restored image, shrunk and rotated.

Shrunk to half its size, the restored image shows the same kind of structure, twice as sharp as the
optics allow. It is blurred and made noisy as in the microscope, and the network learns to restore
it. No other image is needed: the structures of a specimen look similar at neighbouring scales (the
idea of Glasner, Bagon and Irani, ICCV 2009, for photographs). Where this prior does not fit the
image, equation 6 corrects it, which is trained at the same time. Specimens have no preferred
direction, but patterns that a network makes along the pixel grid have one: in examples rotated by
any angle it cannot learn them.

docs/methods/deconvolve.md, section 2, says how examples are used.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

BRIGHT = 0.995
"""Quantile at which the brightness of examples and image is matched. Chosen by eye."""

_LEAST_SLICES = 6
"""Slices that a shrunk stack must have left; otherwise only rows and columns are shrunk. Not
tuned."""


def shrink(restored: torch.Tensor, factor: float = 2.0) -> torch.Tensor:
    """Shrink light (..., 1, row, col) or (..., 1, pln, row, col); a factor of 1 changes nothing.

    Stacks with few slices keep all of them.
    """
    if factor == 1:
        return restored
    if restored.ndim == 5 and restored.shape[2] >= _LEAST_SLICES * factor:
        # Linear in depth, where the PSF is long and no detail is lost.
        slices = int(restored.shape[2] / factor)
        size = (slices, *restored.shape[-2:])
        restored = F.interpolate(restored, size=size, mode="trilinear", align_corners=False)
    flat = restored.reshape(-1, 1, *restored.shape[-2:])
    flat = F.interpolate(flat, scale_factor=1 / factor, mode="bilinear", antialias=True)
    return flat.reshape(*restored.shape[:-2], *flat.shape[-2:])


def rotate(light: torch.Tensor, angle: float) -> torch.Tensor:
    """Rotate light around its middle; beyond the borders it is mirrored.

    Parameters
    ----------
    light : torch.Tensor
        Shape (planes, channels, row, col), not negative.
    angle : float
        In radians.

    Returns
    -------
    torch.Tensor
        Of the same shape, with cubic interpolation; negative values become zero.
    """
    rows, cols = light.shape[-2:]
    along, across = math.cos(angle), math.sin(angle)
    rotation = [[along, -across * rows / cols, 0.0], [across * cols / rows, along, 0.0]]
    grid = F.affine_grid(
        light.new_tensor(rotation).expand(len(light), 2, 3), list(light.shape), align_corners=False
    )
    rotated = F.grid_sample(
        light, grid, mode="bicubic", padding_mode="reflection", align_corners=False
    )
    return rotated.clamp_min(0)


def scrambled(light: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """Make random texture with the power spectrum of light.

    Lines, rings and edges of a specimen are in the phases of its spectrum. Random phases leave
    nothing that could be told from the image beyond what the optics pass.

    Parameters
    ----------
    light : torch.Tensor
        Shape (planes, 1, row, col).
    draw : torch.Generator
        Random numbers, on the CPU.

    Returns
    -------
    torch.Tensor
        Of the same shape, not negative: a Gaussian random field on twice its standard deviation.
    """
    spectrum = torch.fft.rfft2(light - light.mean((-2, -1), keepdim=True))
    white = torch.fft.rfft2(torch.randn(light.shape, generator=draw).to(light))
    phases = white / white.abs().clamp_min(1e-12)
    field = torch.fft.irfft2(spectrum.abs() * phases, s=light.shape[-2:])
    return (field + 2 * field.std((-2, -1), keepdim=True)).clamp_min(0)


def background(denoised: torch.Tensor, reach: int) -> torch.Tensor:
    """Estimate the smooth background: light out of focus, in the medium, in wide structures.

    If it were shrunk together with the structure in focus, the structure would lose its contrast.

    Parameters
    ----------
    denoised : torch.Tensor
        Light in planes (planes, 1, row, col), not negative.
    reach : int
        Half of the largest width of structure, in pixels.

    Returns
    -------
    torch.Tensor
        A grey-scale opening with a square of ``2 reach + 1`` pixels, then a mean over such squares;
        not more than `denoised`, and not negative.
    """
    reach = min(reach, (min(denoised.shape[-2:]) - 1) // 2)
    opened = _highest(-_highest(-denoised, reach), reach)
    smooth = F.pad(opened, (reach,) * 4, mode="reflect")
    smooth = F.avg_pool2d(F.avg_pool2d(smooth, (2 * reach + 1, 1), 1), (1, 2 * reach + 1), 1)
    return smooth.minimum(denoised).clamp_min(0)


def _highest(image: torch.Tensor, reach: int) -> torch.Tensor:
    """Maximum filter over squares, separately along rows and columns."""
    image = F.max_pool2d(image, (2 * reach + 1, 1), 1, (reach, 0))
    return F.max_pool2d(image, (1, 2 * reach + 1), 1, (0, reach))


def matched(sharp: torch.Tensor, blurred: torch.Tensor, denoised: torch.Tensor) -> torch.Tensor:
    """Scale examples so that, blurred, they are as bright as the image.

    Parameters
    ----------
    sharp : torch.Tensor
        Examples, minus the grey level without light.
    blurred : torch.Tensor
        The same, blurred and binned.
    denoised : torch.Tensor
        The denoised image, minus the grey level without light.

    Returns
    -------
    torch.Tensor
        The scaled examples.
    """
    return sharp * (bright(denoised) / bright(blurred).clamp_min(1e-12))


def bright(image: torch.Tensor) -> torch.Tensor:
    """The quantile :data:`BRIGHT` of an image."""
    values = image.flatten()
    values = values[:: max(1, values.numel() // 2**20)]
    return torch.quantile(values, BRIGHT)

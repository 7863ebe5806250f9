"""Examples to learn deconvolution from, made of the image itself: restored, shrunk and rotated.

Shrink what the microscope blurs to a width w to half its size, and it is half as wide: an image of
the same kind of structure, twice as sharp as the optics allow. Blurred and made noisy as by the
microscope, it is an example whose truth is known. No other image is needed: the structures of a
specimen look alike at neighbouring scales (the idea of Glasner, Bagon and Irani, ICCV 2009, for
photographs). Equation 6 of the ZS-DeconvNet paper, which is part of the loss too, limits the harm
where this prior does not hold. Specimens have no preferred direction, but patterns that a network
makes along the pixel grid have one. Rotation by any angle keeps them from being learnt.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from zsfiji.compute.tiling import mirrored

BRIGHT = 0.995
"""The quantile at which the brightness of examples and image is matched. Not tuned."""

LARGEST = {2: 1024, 3: 384}
"""Longest sides of what examples are made of, for planes and for stacks: bounds the time."""

_MOST_SLICES = 48
"""Slices of a stack that examples are made of, at most: bounds the time."""

_LEAST_SLICES = 6
"""Slices that a shrunk stack has at least. Not tuned."""


def shrink(restored: torch.Tensor, factor: float = 2.0) -> torch.Tensor:
    """Shrink light (..., 1, row, col) or (..., 1, pln, row, col); 1 leaves it as it is.

    Stacks keep their slices where these are too few to lose some.
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
    """Rotate light about its middle, with its mirror image beyond the borders.

    Parameters
    ----------
    light : torch.Tensor
        Shape (planes, channels, row, col), not negative.
    angle : float
        In radians.

    Returns
    -------
    torch.Tensor
        Of the same shape, cubically interpolated and cut off at zero.
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


def background(denoised: torch.Tensor, reach: int) -> torch.Tensor:
    """Give the light that varies slowly: out of focus, in the medium, in wide structures.

    It is no image of structure in focus, and shrinking it with the structure would drown that.

    Parameters
    ----------
    denoised : torch.Tensor
        Light in planes (planes, 1, row, col), not negative.
    reach : int
        Half the width in pixels that structure is narrower than.

    Returns
    -------
    torch.Tensor
        A grey opening with a square of twice `reach`, smoothed by it; not more than `denoised`,
        and not negative.
    """
    reach = min(reach, (min(denoised.shape[-2:]) - 1) // 2)
    opened = _highest(-_highest(-denoised, reach), reach)
    smooth = F.pad(opened, (reach,) * 4, mode="reflect")
    smooth = F.avg_pool2d(F.avg_pool2d(smooth, (2 * reach + 1, 1), 1), (1, 2 * reach + 1), 1)
    return smooth.minimum(denoised).clamp_min(0)


def _highest(image: torch.Tensor, reach: int) -> torch.Tensor:
    """Give the highest values in squares, row by row and column by column."""
    image = F.max_pool2d(image, (2 * reach + 1, 1), 1, (reach, 0))
    return F.max_pool2d(image, (1, 2 * reach + 1), 1, (0, reach))


def matched(sharp: torch.Tensor, blurred: torch.Tensor, denoised: torch.Tensor) -> torch.Tensor:
    """Scale examples so that the camera would see them as bright as the image.

    Parameters
    ----------
    sharp : torch.Tensor
        Examples, above the level of no light.
    blurred : torch.Tensor
        What the camera sees of them.
    denoised : torch.Tensor
        The image without its noise, above the level of no light.

    Returns
    -------
    torch.Tensor
        The examples, scaled.
    """
    return sharp * (bright(denoised) / bright(blurred).clamp_min(1e-12))


def bright(image: torch.Tensor) -> torch.Tensor:
    """Give the value that only the brightest pixels reach."""
    values = image.flatten()
    values = values[:: max(1, values.numel() // 2**20)]
    return torch.quantile(values, BRIGHT)


def pad_mirrored(data: torch.Tensor, size: int, multiple: int = 1) -> torch.Tensor:
    """Continue images by their mirror image where they are smaller than `size` pixels.

    Parameters
    ----------
    data : torch.Tensor
        Shape (..., row, col).
    size : int
        The least height and width, a multiple of `multiple`.
    multiple : int
        Larger heights and widths are cut to multiples of this.

    Returns
    -------
    torch.Tensor
        The images, the same ones where nothing is to do.
    """
    for axis in (-2, -1):
        data = _continued(data, axis, max(size, data.shape[axis] // multiple * multiple))
    return data


def _continued(data: torch.Tensor, axis: int, size: int) -> torch.Tensor:
    length = data.shape[axis]
    if length == size:
        return data
    index = torch.from_numpy(mirrored(0, size, length)).to(data.device)
    return data.index_select(axis, index)


def middle(data: torch.Tensor, axes: int) -> torch.Tensor:
    """Cut images to their middle, which bounds what examples cost; sides are multiples of 4.

    Parameters
    ----------
    data : torch.Tensor
        Shape (count, 1, row, col), or (count, pln, row, col) for stacks.
    axes : int
        2 for planes, 3 for stacks, of which less is taken.

    Returns
    -------
    torch.Tensor
        A view.
    """
    for axis in range(-axes, 0):
        length = data.shape[axis]
        kept = min(length, _MOST_SLICES) if axis == -3 else min(length, LARGEST[axes]) // 4 * 4
        data = data.narrow(axis, (length - kept) // 2, kept)
    return data

"""Sharp images that the image itself provides: its restored self, shrunk.

What the microscope blurs to a width w, shrunk to half its size, is half as wide: an image of the
same kind of structure, twice as sharp as the optics allow. It is blurred and made noisy as the
microscope does it, and the network learns to find it again. No other image is needed: the
structures of a specimen look alike at two scales near each other (the idea of Glasner, Bagon and
Irani, ICCV 2009, for photographs), and what of this prior does not fit the image is kept in
check by equation 6, which goes on beside it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from zsfiji.learning.tiling import mirrored

BRIGHT = 0.995
"""The quantile that exemplars and image are matched at."""

_LARGEST = 2048


def shrink(restored: torch.Tensor, factor: int = 2) -> torch.Tensor:
    """Shrink planes of light, means over `factor` x `factor` pixels of (planes, 1, row, col)."""
    return F.avg_pool2d(restored, factor)


def matched(sharp: torch.Tensor, blurred: torch.Tensor, denoised: torch.Tensor) -> torch.Tensor:
    """Scale exemplars so that the camera would see them as bright as the image.

    Parameters
    ----------
    sharp : torch.Tensor
        Exemplars, above the level of no light.
    blurred : torch.Tensor
        What the camera sees of them.
    denoised : torch.Tensor
        The image without its noise, above the level of no light.

    Returns
    -------
    torch.Tensor
        The exemplars, scaled.
    """
    return sharp * (bright(denoised) / bright(blurred).clamp_min(1e-12))


def bright(image: torch.Tensor) -> torch.Tensor:
    """Give the value that only the brightest pixels reach."""
    values = image.flatten()
    values = values[:: max(1, values.numel() // 2**20)]
    return torch.quantile(values, BRIGHT)


def at_least(planes: torch.Tensor, size: int) -> torch.Tensor:
    """Continue planes by their mirror image where they are smaller than `size` pixels.

    Parameters
    ----------
    planes : torch.Tensor
        Shape (planes, channels, height, width).
    size : int
        The least height and width.

    Returns
    -------
    torch.Tensor
        The planes, the same ones where they are large enough.
    """
    for axis in (-2, -1):
        length = planes.shape[axis]
        if length < size:
            index = torch.from_numpy(mirrored(0, size, length)).to(planes.device)
            planes = planes.index_select(axis, index)
    return planes


def middle(planes: torch.Tensor) -> torch.Tensor:
    """Cut planes to their middle, which bounds what exemplars cost; even heights and widths."""
    for axis in (-2, -1):
        length = planes.shape[axis]
        kept = min(length, _LARGEST) // 4 * 4
        planes = planes.narrow(axis, (length - kept) // 2, kept)
    return planes

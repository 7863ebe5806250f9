r"""How raw frames come about: :math:`Y_p = \mathrm{pool}_3((E L_p) * h + B)`.

The emitter :math:`E`, the illumination :math:`L` and the background :math:`B` are on the three
times finer grid. Everything is a tensor with gradients.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from zsfiji.physics.sim.grid import SCALE
from zsfiji.physics.sim.optics import illumination as light_of
from zsfiji.physics.sim.patterns import Patterns


def predicted(
    emitter: torch.Tensor,
    illumination: torch.Tensor,
    psf: torch.Tensor,
    background: torch.Tensor,
) -> torch.Tensor:
    """The frames that a camera would show.

    Beyond the border the light is mirrored. In the published program there is none, and the rims of
    every tile are dark.

    Parameters
    ----------
    emitter : torch.Tensor
        (stack, 1, 3 row, 3 col).
    illumination : torch.Tensor
        (stack, frame, 3 row, 3 col).
    psf : torch.Tensor
        (stack or 1, 1, size, size), an odd size, the sum 1.
    background : torch.Tensor
        (stack, 1, 3 row, 3 col), or of a shape that goes with it.

    Returns
    -------
    torch.Tensor
        (stack, frame, row, col).
    """
    blurred = convolved(emitter * illumination, psf)
    return F.avg_pool2d(blurred + background, SCALE)


def convolved(image: torch.Tensor, psf: torch.Tensor) -> torch.Tensor:
    """Blur images (stack, frame, row, col) that are continued as their own mirror images."""
    reach = psf.shape[-1] // 2
    wide = F.pad(image, (reach,) * 4, mode="reflect")
    shape = (int(wide.shape[-2]), int(wide.shape[-1]))
    spectrum = torch.fft.rfft2(wide) * torch.fft.rfft2(psf, s=shape)
    # The first pixel of the kernel, not its centre, is at the origin.
    whole = torch.fft.irfft2(spectrum, s=shape)
    return whole[..., 2 * reach :, 2 * reach :]


def sinusoids(patterns: Patterns, shape: tuple[int, int]) -> torch.Tensor:
    """The light of known patterns on the fine grid: (frame, 3 row, 3 col), about 1."""
    return light_of(patterns, shape, SCALE).flatten(0, 1)

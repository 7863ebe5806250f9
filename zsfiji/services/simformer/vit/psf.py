"""The PSF that belongs to the network: a deep image prior, or a pupil with few parameters."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from zsfiji.physics.sim.grid import SCALE

CUTOFF = 1 / 3
"""Cut-off at the start of a training, in cycles per raw pixel: NA 1.3 at 488 nm on 62.6 nm."""

_CHANNELS = (32, 48, 96, 96, 48)
_SLOPE = 0.01
_POINTS = 33
"""Points across the pupil. With 65 the PSF differs by 0.1 % of its peak."""

_FINER = 8
"""Points across one of those, at the edge of the pupil."""

_ABERRATIONS = 6


class ImagePrior(nn.Module):
    """A small network that makes the PSF of a fixed image of noise (Ulyanov et al., CVPR 2018).

    The published one has three slices to a kernel, but a single slice, so two thirds of its weights
    are never used; these are left out.

    Parameters
    ----------
    size : int
        Odd edge of the PSF in fine pixels.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("noise", torch.randn(1, _CHANNELS[0], size, size))
        self.layers = nn.ModuleList([nn.Conv2d(a, b, 3, 1, 1) for a, b in pairwise(_CHANNELS)])
        # One sample only, so this is the batch norm of the published network.
        self.norms = nn.ModuleList([nn.GroupNorm(c, c) for c in _CHANNELS[1:-1]])
        self.last = nn.Conv2d(_CHANNELS[-1], 1, 3, 1, 1)

    def forward(self) -> torch.Tensor:
        """Give (1, 1, size, size), its sum 1."""
        image = self.get_buffer("noise")
        for number, layer in enumerate(self.layers):
            image = layer(image)
            if number < len(self.norms):
                image = self.norms[number](image)
            image = F.leaky_relu(image, _SLOPE)
        return self.last(image).flatten().softmax(0).reshape(1, 1, self.size, self.size)


class Pupil(nn.Module):
    """A round pupil whose cut-off and aberrations are learnt.

    Parameters
    ----------
    size : int
        Odd edge of the PSF in fine pixels.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.log_cutoff = nn.Parameter(torch.tensor(math.log(CUTOFF)))
        self.aberrations = nn.Parameter(torch.zeros(_ABERRATIONS))

    def forward(self) -> torch.Tensor:
        """Give (1, 1, size, size), its sum 1."""
        return psf_of_pupil(self.log_cutoff.exp()[None], self.size, self.aberrations)


def psf_of_pupil(
    cutoff: torch.Tensor, size: int, aberrations: torch.Tensor | None = None
) -> torch.Tensor:
    """The PSF of a round lens on the fine grid; gradients flow through it.

    Parameters
    ----------
    cutoff : torch.Tensor
        (batch,): highest frequency that the lens passes, in cycles per raw pixel.
    size : int
        Odd edge in fine pixels.
    aberrations : torch.Tensor, optional
        (6,): phases in radians (root mean square over the pupil): defocus, two of astigmatism, two
        of coma, spherical aberration.

    Returns
    -------
    torch.Tensor
        (batch, 1, size, size), the sum of each 1.
    """
    open_, modes = _pupil(cutoff.device)
    phase = open_.new_zeros(open_.shape)
    if aberrations is not None:
        phase = torch.einsum("m,myx->yx", aberrations, modes)
    field = torch.polar(open_, phase)
    rho = _across(_POINTS, cutoff.device)
    place = torch.arange(size, device=cutoff.device) - size // 2
    angle = 2 * math.pi * (cutoff / (2 * SCALE))[:, None, None] * place[:, None] * rho
    wave = torch.polar(torch.ones_like(angle), angle)
    light = (wave @ field @ wave.transpose(1, 2)).abs().square()[:, None]
    return light / light.sum((-2, -1), keepdim=True)


def _across(points: int, device: torch.device) -> torch.Tensor:
    """Centres of points across a pupil, from -1 to 1."""
    return (torch.arange(points, device=device) + 0.5) * (2 / points) - 1


def _pupil(device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """How much of each point of the pupil is open, and Zernike polynomials there."""
    fine = _across(_POINTS * _FINER, device)
    inside = (fine[:, None].square() + fine.square() <= 1).float()
    open_ = F.avg_pool2d(inside[None], _FINER)[0]
    y = _across(_POINTS, device)[:, None]
    x = y.T
    r = y.square() + x.square()
    modes = [
        math.sqrt(3) * (2 * r - 1),
        math.sqrt(6) * 2 * x * y,
        math.sqrt(6) * (x.square() - y.square()),
        math.sqrt(8) * (3 * r - 2) * y,
        math.sqrt(8) * (3 * r - 2) * x,
        math.sqrt(5) * (6 * r.square() - 6 * r + 1),
    ]
    return open_, torch.stack(modes)

"""Drift of the specimen between the angles of a raw SIM image."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from zsfiji.physics.sim.optics import RadialTransfer, frequencies, turns
from zsfiji.physics.sim.patterns import TURN
from zsfiji.reconstruction.bands import Bands, at_rings, ring_means, ring_numbers, squared
from zsfiji.reconstruction.correlation import climbed

_FARTHEST = 8
"""Largest drift in pixels that is looked for."""

_MATTERS = 0.25
"""Drift in pixels from which the angles are aligned. Not tuned."""

_SURE = 5.0
"""Standard errors from which a drift is no chance."""


@dataclass(frozen=True, eq=False)
class Drift:
    """How far the specimen moved.

    Attributes
    ----------
    shifts : torch.Tensor
        float64 (angle, 2): place of the specimen in each angle, in pixels along rows and columns,
        less that in the mean of all angles.
    error : float
        Standard error of a component.
    lit: bool
        Whether there was light in all frames: without it no drift can be measured.
    """

    shifts: torch.Tensor
    error: float
    lit: bool = True

    @property
    def range(self) -> float:
        """Largest distance between two angles, in pixels."""
        return float(torch.cdist(self.shifts, self.shifts).max())

    @property
    def matters(self) -> bool:
        """Whether the drift is large enough to be corrected, and no chance."""
        return self.range > max(_MATTERS, _SURE * self.error)


def unknown(angles: int) -> Drift:
    """The drift between the angles of a stack without light: none that matters."""
    return Drift(torch.zeros(angles, 2, dtype=torch.float64), math.inf, lit=False)


def drift(bands: Bands, transfer: RadialTransfer) -> Drift:
    """Measure the drift, by the correlation of each angle's light with the mean of all.

    Parameters
    ----------
    bands : Bands
        The bands.
    transfer : RadialTransfer
        The OTF.
    """
    zero = bands.zero
    row, col = frequencies(bands.shape, half=False, device=zero.device)
    radius = torch.hypot(row, col)
    mean = zero.mean(0)
    power, _ = ring_means(squared(zero).mean(0), ring_numbers(radius))
    light = (power - bands.zero_noise).clamp_min(0)
    # Gaussian light in Gaussian noise: the cross-spectrum is weighted by the inverse of its noise.
    weight = at_rings(light / (power * bands.zero_noise).clamp_min(1e-30), radius)
    weight = weight * ((radius < transfer.cutoff) & (radius > 0))
    information = float((weight * squared(mean) * (TURN * row).square()).sum())
    error = 1 / math.sqrt(max(information, 1e-30))
    shifts = torch.stack([_shift(weight * band * mean.conj(), row, col) for band in zero])
    return Drift(shifts - shifts.mean(0), error)


def _shift(cross: torch.Tensor, row: torch.Tensor, col: torch.Tensor) -> torch.Tensor:
    """Where the correlation is highest, float64 (2,), in pixels."""
    places = torch.fft.ifft2(cross).real
    far = min(_FARTHEST, min(cross.shape) // 4)
    near = torch.arange(-far, far + 1, device=cross.device)
    window = places[near[:, None] % cross.shape[0], near % cross.shape[1]].cpu()
    at = divmod(int(window.argmax()), len(near))
    start = near.cpu()[torch.tensor(at)].double()

    def value(rows: torch.Tensor, cols: torch.Tensor) -> torch.Tensor:
        along, across = (
            turns(shift, axis.flatten().cpu().double()).to(cross.device)
            for shift, axis in ((rows, row), (cols, col))
        )
        return (along @ cross @ across.T).real.clamp_min(0).cpu()

    return climbed(value, start, (0.25, 0.25), rounds=2)


def aligned(bands: Bands, shifts: torch.Tensor) -> torch.Tensor:
    """Mean of the light of all angles, where the specimen is in each of them.

    Parameters
    ----------
    bands : Bands
        The bands.
    shifts : torch.Tensor
        float64 (angle, 2): :attr:`Drift.shifts`.

    Returns
    -------
    torch.Tensor
        complex64 (angle, row, col).
    """
    row, col = frequencies(bands.shape, half=False, device=bands.zero.device)

    def moved(band: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        along, across = (float(s) for s in shift)
        return band * torch.exp(-1j * TURN * (along * row + across * col))

    middle = torch.stack(
        [moved(band, -shift) for band, shift in zip(bands.zero, shifts, strict=True)]
    ).mean(0)
    return torch.stack([moved(middle, shift) for shift in shifts]).to(bands.zero.dtype)

r"""The phase of each frame by itself, where the frames tell more than equal steps.

A specimen is estimated from the light that is not modulated (Wiener filter), and its bands are
moved by :math:`\pm k`. Each frame is a sum of these templates; least squares over all frequencies
give its phases (the idea of Wicker et al., Opt. Express 21, 2032, 2013, with the light of all
frames as the template). The deviations from equal steps are shrunk by their own reliability: what
noise alone gives is taken for equal steps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch

from zsfiji.compute.spectra import regridded
from zsfiji.physics.sim.optics import RadialTransfer, frequencies
from zsfiji.physics.sim.patterns import TURN
from zsfiji.reconstruction.bands import Bands, at_rings, ring_means, ring_numbers, squared
from zsfiji.reconstruction.points import grid, moved

_CENTRE = 0.15
"""Frequencies below this, over the cut-off, are left out: haze, and unequal brightness."""

_SURE = 3.0
"""Standard errors by which the mean squared deviation of all frames has to be above that of noise
before it is believed."""


_ALIKE = 4.0
"""Variance of a sum over frequencies, over that of independent ones: the window makes neighbours
alike, and structure is alike by chance. On 24 simulated stacks with equal steps, phases were then
left equal in all but one (of 1000 photons), whose phases became 0.2 degrees worse."""


class Waves(NamedTuple):
    """The waves of an angle, as far as they are known.

    Attributes
    ----------
    vectors : torch.Tensor
        float64 (wave, 2), in cycles per pixel.
    strengths : torch.Tensor
        complex128 (wave,): modulation and phase.
    orders : list of int
        Harmonic of each wave over the frames: all waves move together.
    """

    vectors: torch.Tensor
    strengths: torch.Tensor
    orders: list[int]


def phase_deviations(
    bands: Bands,
    zero: torch.Tensor,
    zero_noise: float,
    transfer: RadialTransfer,
    waves: Sequence[Waves],
) -> torch.Tensor:
    """Deviation of the phases of the frames from equal steps.

    Parameters
    ----------
    bands : Bands
        The bands, with their frames.
    zero : torch.Tensor
        complex64 (angle, row, col): the zeroth band that each angle is compared with; a single one
        for all if the specimen did not move.
    zero_noise : float
        Power of its noise in one frequency.
    transfer : RadialTransfer
        The OTF.
    waves : sequence of Waves
        One for each angle.

    Returns
    -------
    torch.Tensor
        float64 (angle, frame), in radians of harmonic 1, with a mean of 0 in each angle; 0 where
        the frames are too noisy to tell.
    """
    templates = _Templates(bands, zero, zero_noise, transfer)
    frames = bands.frames.shape[1]
    number = torch.arange(frames, dtype=torch.float64)
    found, errors = [], []
    for angle, here in enumerate(waves):
        fits, spread = templates.fitted(angle, torch.fft.fft2(bands.frames[angle]), here.vectors)
        total, weight = (torch.zeros(frames, dtype=torch.float64) for _ in range(2))
        for wave, order in enumerate(here.orders):
            expected = here.strengths[wave] * torch.exp(1j * TURN * order * number / frames)
            turn = (fits[wave] * expected.conj()).angle()
            precision = fits[wave].abs().square() / spread[wave].square().clamp_min(1e-30)
            total += order * turn * precision
            weight += order**2 * precision
        deviation = total / weight.clamp_min(1e-30)
        found.append(deviation - deviation.mean())
        errors.append(weight.clamp_min(1e-30).rsqrt())
    deviation, error = torch.stack(found), torch.stack(errors)
    return deviation * _reliability(deviation, error)


def _reliability(deviation: torch.Tensor, error: torch.Tensor) -> float:
    """Share of the variance of the deviations that is not noise; 0 if it may be all noise."""
    free = deviation.shape[0] * (deviation.shape[1] - 1)
    excess = float((deviation / error).square().sum()) / free
    if excess < 1 + _SURE * math.sqrt(2 / free):
        return 0.0
    return 1 - 1 / excess


class _Templates:
    """What the frames are sums of."""

    def __init__(
        self, bands: Bands, zero: torch.Tensor, zero_noise: float, transfer: RadialTransfer
    ) -> None:
        self._shape = bands.shape
        self._zero, self._transfer = zero, transfer
        row, col = frequencies(bands.shape, half=False, device=zero.device)
        self._radius = torch.hypot(row, col)
        self._otf = transfer(row, col)
        self._grid = grid(bands.shape, transfer)
        power, _ = ring_means(squared(zero).mean(0), ring_numbers(self._radius))
        light = at_rings((power - zero_noise).clamp_min(0), self._radius)
        inside = (self._radius < transfer.cutoff) & (self._otf > 0.02)
        # The specimen where its light is above noise.
        gain = torch.where(inside, light / (light + zero_noise) / self._otf, 0.0)
        self._specimen = torch.fft.ifft2(regridded(zero * gain, self._grid))
        self._keep = inside & (self._radius > _CENTRE * transfer.cutoff)
        # Modulated light that the specimen without it does not tell is like noise.
        rings = ring_numbers(self._radius)
        unknown, _ = ring_means(squared(bands.orders).mean((0, 1)), rings)
        self._weight = at_rings(1 / unknown.clamp_min(bands.order_noise), self._radius)[self._keep]

    def _moved(self, angle: int, vector: torch.Tensor) -> torch.Tensor:
        """The band of the specimen moved by a wave vector, at the frequencies that are used."""
        image = self._specimen[angle % len(self._specimen)]
        spectrum = torch.fft.fft2(moved(image, vector, self._shape))
        return (regridded(spectrum, self._shape) * self._otf)[self._keep]

    def fitted(
        self, angle: int, spectra: torch.Tensor, vectors: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Strength of each wave in each frame, up to a factor, and its standard error.

        Returns
        -------
        torch.Tensor, torch.Tensor
            complex128 (wave, frame) and float64 (wave, 1).
        """
        parts = [self._zero[angle % len(self._zero)][self._keep]]
        for vector in vectors:
            parts += [self._moved(angle, vector), self._moved(angle, -vector)]
        design = torch.stack(parts)
        weighted = (design.conj() * self._weight).to(design.dtype)
        gram = (weighted @ design.T).cpu().to(torch.complex128)
        seen = torch.stack([frame[self._keep] for frame in spectra])
        strengths = torch.linalg.pinv(gram) @ (weighted @ seen.T).cpu().to(torch.complex128)
        rest = seen - strengths.T.to(design.device, design.dtype) @ design
        # Sums over frequencies that the window makes alike have more spread than independent ones.
        left = float((squared(rest) * self._weight).mean()) * _ALIKE
        error = (torch.linalg.pinv(gram).diagonal().real * left / 2).clamp_min(0).sqrt()
        return 2 * strengths[1::2], 2 * error[1::2, None]

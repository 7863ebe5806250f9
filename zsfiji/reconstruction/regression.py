r"""Phase and modulation of a wave: regression of its band on the zeroth one.

Where both have signal, the band of the wave, moved back by k, is
:math:`c\,H(q + k) / H(q)` times the zeroth band, with :math:`c = m e^{i\varphi}`. Each frequency
is weighted as the likelihood of a Gaussian specimen weights it, and what noise adds to the power of
the zeroth band is taken out (errors in variables), or the modulation would be too low.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from zsfiji.compute.spectra import regridded
from zsfiji.physics.sim.optics import RadialTransfer, frequencies
from zsfiji.reconstruction import points
from zsfiji.reconstruction.bands import Bands, at_rings, ring_means, ring_numbers, squared

_CENTRE = 0.15
"""Frequencies below this, over the cut-off, are left out in both bands: haze, and leaks."""

_DARK = 0.02
"""OTF below which a frequency says nothing."""

_UNKNOWN = 0.1
"""Relative error of the power of the noise at the frequencies of the light: it is measured beyond
them. Not tuned: pixels of unequal gain and resampling change it by so much in real images."""

_CLEAR = 3.0
"""Standard errors by which the power of a ring is above noise, to have signal."""


class Fit(NamedTuple):
    """What a regression found.

    Attributes
    ----------
    modulation : float
        Modulation depth.
    phase : float
        In radians, at the first pixel.
    error : float
        Standard error of the modulation, from noise and from what is not known of the noise;
        infinite where the bands have nothing in common.
    phase_error : float
        Standard error of the phase in radians; infinite likewise.
    """

    modulation: float
    phase: float
    error: float
    phase_error: float


_NOTHING = Fit(0.0, 0.0, math.inf, math.inf)


class Regression:
    """Regression of bands on the zeroth one.

    Parameters
    ----------
    bands : Bands
        The bands.
    zero : torch.Tensor
        complex64 (angle, row, col): the zeroth band that each angle is compared with; a single
        one for all if the specimen did not move.
    zero_noise : float
        Power of its noise in one frequency.
    transfer : RadialTransfer
        The OTF.
    """

    def __init__(
        self, bands: Bands, zero: torch.Tensor, zero_noise: float, transfer: RadialTransfer
    ) -> None:
        self._bands, self._zero, self._zero_noise = bands, zero, zero_noise
        self._transfer = transfer
        device = zero.device
        self._grid = points.grid(bands.shape, transfer)
        self._row, self._col = frequencies(bands.shape, half=False, device=device)
        self._radius = torch.hypot(self._row, self._col)
        self._otf = transfer(self._row, self._col)
        rings = ring_numbers(self._radius)
        power, count = ring_means(squared(zero).mean(0), rings)
        doubt = _CLEAR * zero_noise / (count.clamp_min(1) * len(zero) / 2).sqrt()
        signal = torch.where(power - zero_noise > doubt, power - zero_noise, 0.0)
        self._signal = at_rings(signal, self._radius)

    def __call__(self, angle: int, order: int, wave_vector: torch.Tensor) -> Fit:
        """Phase and modulation of a wave.

        Parameters
        ----------
        angle, order : int
            The band.
        wave_vector : torch.Tensor
            float64 (2,), in cycles per pixel.
        """
        bands, noise = self._bands, self._zero_noise
        device = self._zero.device
        along, across = (float(k) for k in wave_vector)
        other = torch.hypot(self._row + along, self._col + across)
        moved = self._transfer(self._row + along, self._col + across)
        centre = _CENTRE * self._transfer.cutoff
        keep = (self._otf > _DARK) & (moved > _DARK) & (self._radius > centre) & (other > centre)
        keep &= self._signal > 0
        if not bool(keep.any()):
            return _NOTHING
        inside = frequencies(bands.shape, half=False, device=device)
        light = (torch.hypot(*inside) < self._transfer.cutoff).float()
        spectrum = regridded(bands.order(angle, order) * light, self._grid)
        image = points.moved(torch.fft.ifft2(spectrum), -wave_vector, bands.shape)
        side = regridded(torch.fft.fft2(image), bands.shape)[keep]
        zero = self._zero[angle % len(self._zero)][keep]
        seen = squared(zero)
        ratio = moved[keep] / self._otf[keep]
        signal = self._signal[keep]
        strength, fit = 0.5, _NOTHING
        for _ in range(3):
            # Both bands given a specimen of the power P: w = P H0 H1 / det of their covariance.
            behind = strength**2 * ratio.square() * signal * noise
            weight = signal * ratio / (behind + bands.order_noise * (signal + noise))
            top = (weight * zero.conj() * side).sum()
            low = float((weight * ratio * (seen - noise)).sum())
            if low <= 0:
                return _NOTHING
            found = complex(top) / low
            strength = min(abs(found), 1.0)
            spread = bands.order_noise + (strength * ratio).square() * noise
            variance = float((weight.square() * seen * spread).sum()) / 2
            error = math.sqrt(variance) / low
            # Too much noise taken out of the light looks like modulation.
            taken = _UNKNOWN * abs(found) * float((weight * ratio).sum()) * noise / low
            fit = Fit(
                abs(found),
                math.atan2(found.imag, found.real),
                math.hypot(error, taken),
                error / max(abs(found), 1e-12),
            )
        return fit

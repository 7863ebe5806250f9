r"""Finding the patterns of a raw 3D-SIM stack.

The wave vectors are those of the sum of all slices, where a stack is a raw image like any other.
Phases and modulation are measured in the stack, by regression of each band on that of the lens, as
:mod:`zsfiji.reconstruction.regression` does in a plane: in the sum of all slices hardly anything is
left of the first order, whose pattern changes along the axis.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from zsfiji.physics.sim.optics import RadialTransfer, frequencies, places, plane_waves
from zsfiji.physics.sim.optics_3d import StackTransfer
from zsfiji.physics.sim.patterns import Patterns
from zsfiji.reconstruction.borders import taper
from zsfiji.reconstruction.layouts import Layout
from zsfiji.reconstruction.search import Estimate, estimate
from zsfiji.reconstruction.wiener import unmixing

_DARK = 0.01
"""OTF below which a frequency says nothing."""

_CENTRE = 0.35
"""Lateral frequencies below this, over the cut-off, are left out in both bands. There the OTF
changes fast along the axis, which the few slices of a stack do not resolve: with 0.15 the contrast
of the first order in simulated stacks of 12 and 16 slices came out a third to a fifth too low, with
0.35 by 4 % on average (and up to a quarter where filaments lie mostly outside the stack)."""


@dataclass(frozen=True, eq=False)
class StackEstimate:
    """The patterns found in a raw stack.

    Attributes
    ----------
    patterns : Patterns
        In pixels of the raw image.
    error : torch.Tensor
        float64 (angle, wave): standard error of the modulation; infinite where nothing tells it.
    noise_variance : float
        Variance of a raw pixel, mean over the stack.
    plane : Estimate
        What was found in the sum of the slices: significance, and whether a wave was found.
    """

    patterns: Patterns
    error: torch.Tensor
    noise_variance: float
    plane: Estimate


def estimate_stack(
    stack: torch.Tensor,
    transfer_of: Callable[[float], StackTransfer],
    layout: Layout = Layout.THREE_BEAM,
) -> StackEstimate:
    """Find the wave vectors, phases and modulation of a raw stack.

    Parameters
    ----------
    stack : torch.Tensor
        float32 (angle, frame, pln, row, col), the background taken off.
    transfer_of : callable
        Takes the frequency of the finest wave in cycles per raw pixel, and gives the OTFs for a
        field of as many slices as the stack has.
    layout : Layout
        The beams that make the pattern.

    Returns
    -------
    StackEstimate
        The patterns.

    Raises
    ------
    UserError
        If a frame has no light above the background, or the pattern that was found is finer than
        light can make.
    """
    slices = int(stack.shape[2])
    lens = transfer_of(0.0)
    if lens.slices != slices:
        raise ValueError(f"an OTF of {lens.slices} slices for {slices}")
    flat = RadialTransfer(lens.cutoff, curve=lens.projected())
    plane = estimate(stack.sum(2), flat, layout)
    noise = plane.noise_variance / slices
    patterns = plane.patterns
    transfer = transfer_of(patterns.finest)
    modulation, error = patterns.modulation.clone(), torch.full_like(patterns.modulation, math.inf)
    phases = patterns.phases.clone()
    bands = _Bands(stack, transfer, patterns, noise)
    for angle in range(patterns.angles):
        for wave in range(patterns.waves):
            found, spread = bands.contrast(angle, wave)
            modulation[angle, wave], error[angle, wave] = abs(found), spread
            phases[angle, wave] += math.atan2(found.imag, found.real)
    patterns = replace(patterns, modulation=modulation, phases=phases)
    return StackEstimate(patterns, error, noise, plane)


class _Bands:
    """Spectra of the bands of a stack."""

    def __init__(
        self, stack: torch.Tensor, transfer: StackTransfer, patterns: Patterns, noise: float
    ) -> None:
        self._transfer, self._patterns, self._noise = transfer, patterns, noise
        self._shape = (int(stack.shape[-2]), int(stack.shape[-1]))
        self._row, self._col = frequencies(self._shape, half=False)
        self._lens = transfer(0, self._row, self._col, 1)
        window = taper(self._shape) * taper((int(stack.shape[2]), 8))[:, 4][:, None, None]
        self._light = float(window.square().sum())
        # With full contrast the bands come out with theirs.
        full = replace(patterns, modulation=torch.ones_like(patterns.modulation))
        self._rows, _ = unmixing(full)
        self._stack = stack
        self._window = window
        centre = torch.stack([self._mixed(angle, 0) for angle in range(patterns.angles)])
        # The light that is not modulated is the same for all angles.
        self._zero = torch.fft.fftn(centre.mean(0))
        self._zero_noise = self._power(0).mean() / patterns.angles

    def _mixed(self, angle: int, band: int) -> torch.Tensor:
        row = self._rows[angle][band].to(torch.complex64)
        frames = (self._stack[angle] - self._stack[angle].mean()).to(torch.complex64)
        return torch.einsum("f,fzyx->zyx", row, frames) * self._window

    def _power(self, band: int) -> torch.Tensor:
        """Noise of a band in a frequency, for each angle."""
        rows = torch.stack([rows[band].abs().square().sum() for rows in self._rows])
        return self._noise * self._light * rows

    def contrast(self, angle: int, wave: int) -> tuple[complex, float]:
        """Contrast and turn of a wave, and the standard error of the contrast."""
        transfer, cutoff = self._transfer, self._transfer.cutoff
        vector = self._patterns.wave_vectors[angle, wave]
        along, across = (float(k) for k in vector)
        order = transfer.order_of(wave, self._patterns.waves)
        moved = transfer(order, self._row + along, self._col + across, 1)
        back = plane_waves(-vector, *places(self._shape, 1))
        spectrum = torch.fft.fftn(self._mixed(angle, 1 + 2 * wave) * back)
        near = torch.hypot(self._row, self._col)
        far = torch.hypot(self._row + along, self._col + across)
        keep = (self._lens.abs() > _DARK) & (moved.abs() > _DARK)
        keep &= (near > _CENTRE * cutoff) & (far > _CENTRE * cutoff)
        if not bool(keep.any()):
            return 0j, math.inf
        model = (moved * self._zero)[keep]
        seen = (self._lens * spectrum)[keep]
        zero_noise = float(self._zero_noise) * moved.abs().square()[keep]
        power = float(self._power(1 + 2 * wave)[angle])
        side_noise = power * self._lens.abs().square()[keep]
        strength, error = 0.5, math.inf
        found = 0j
        for _ in range(3):
            weight = 1 / (side_noise + strength**2 * zero_noise)
            low = float((weight * (model.abs().square() - zero_noise)).sum())
            if low <= 0:
                return 0j, math.inf
            found = complex((weight * model.conj() * seen).sum()) / low
            strength = min(abs(found), 1.5)
            spread = side_noise + strength**2 * zero_noise
            error = math.sqrt(float((weight.square() * model.abs().square() * spread).sum()) / 2)
            error /= low
        return found, error

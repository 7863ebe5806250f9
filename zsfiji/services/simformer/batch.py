"""Simulated raw stacks to learn from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from zsfiji.physics.sim.optics import RadialTransfer
from zsfiji.physics.sim.patterns import Patterns


@dataclass(frozen=True, eq=False)
class Imaging:
    """Patterns and optics of the stacks of a batch.

    Attributes
    ----------
    wave_vectors : torch.Tensor
        64-bit (stack, angle, 2): cycles per raw pixel along rows and columns.
    phases : torch.Tensor
        64-bit (stack, angle, phase): radians at the centre of the first raw pixel.
    modulation : torch.Tensor
        64-bit (stack, angle).
    cutoff, damping : torch.Tensor
        64-bit (stack,): of the lens, see :class:`~zsfiji.physics.sim.optics.RadialTransfer`.
    """

    wave_vectors: torch.Tensor
    phases: torch.Tensor
    modulation: torch.Tensor
    cutoff: torch.Tensor
    damping: torch.Tensor

    def patterns(self, stack: int) -> Patterns:
        """The patterns of one stack."""
        phases = self.phases[stack][:, None]
        return Patterns(
            self.wave_vectors[stack][:, None],
            phases,
            self.modulation[stack][:, None],
            torch.ones(phases.shape[0], phases.shape[2], dtype=torch.float64),
        )

    def transfer(self, stack: int) -> RadialTransfer:
        """The OTF of one stack."""
        return RadialTransfer(float(self.cutoff[stack]), float(self.damping[stack]))


@dataclass(frozen=True, eq=False)
class Batch:
    """Raw stacks with their truth.

    Attributes
    ----------
    frames : torch.Tensor
        float32 (stack, angle, phase, row, col): in photoelectrons, with noise and background.
    emitter : torch.Tensor
        float32 (stack, 1, 3 row, 3 col): the specimen, in photoelectrons of a mean frame.
    true : Imaging
        What the frames were made with.
    given : Imaging
        The same as it is known after it has been estimated.
    gain, read_variance : torch.Tensor
        float32 (stack,): variance of a pixel is gain times light plus read variance, as known.
    """

    frames: torch.Tensor
    emitter: torch.Tensor
    true: Imaging
    given: Imaging
    gain: torch.Tensor
    read_variance: torch.Tensor

    def to(self, device: torch.device) -> Batch:
        """The images on a device; numbers stay where they are."""
        return replace(self, frames=self.frames.to(device), emitter=self.emitter.to(device))

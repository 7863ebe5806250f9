r"""The illumination patterns of a raw SIM image.

The frames of one angle share the waves of their pattern and differ in phase:

.. math::
    I_{dn}(r) = a_{dn} \Bigl(1 + \sum_w m_{dw} \cos(2\pi k_{dw} r + \varphi_{dwn})\Bigr)

(Gustafsson, J. Microsc. 198, 82, 2000). Two-beam SIM has one wave to an angle. Three-beam SIM has
two, the second one twice as fine. A hexagonal pattern has a single "angle" with three waves.
Lengths are in pixels of the raw image; the centre of its first pixel is the origin.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

TURN = 2 * math.pi
"""A full turn in radians."""


@dataclass(frozen=True, eq=False)
class Patterns:
    """The patterns of all frames; 64-bit tensors.

    Attributes
    ----------
    wave_vectors : torch.Tensor
        (angle, wave, 2): cycles per pixel along rows and columns.
    phases : torch.Tensor
        (angle, wave, frame), in radians, at the origin.
    modulation : torch.Tensor
        (angle, wave): modulation depth, 1 where the light is zero between the lines of one wave.
    brightness : torch.Tensor
        (angle, frame): relative brightness of the frames, with a mean of 1.
    """

    wave_vectors: torch.Tensor
    phases: torch.Tensor
    modulation: torch.Tensor
    brightness: torch.Tensor

    @property
    def angles(self) -> int:
        """Number of angles."""
        return int(self.phases.shape[0])

    @property
    def waves(self) -> int:
        """Number of waves of an angle."""
        return int(self.phases.shape[1])

    @property
    def frames(self) -> int:
        """Number of frames (phases) of an angle."""
        return int(self.phases.shape[2])

    @property
    def finest(self) -> float:
        """The highest spatial frequency of the patterns, in cycles per pixel: mean over angles."""
        return float(self.wave_vectors.norm(dim=-1).amax(1).mean())

    def moved(self, row: float, col: float) -> Patterns:
        """The same patterns with their origin at another pixel, such as the corner of a crop."""
        along = self.wave_vectors @ torch.tensor([row, col], dtype=torch.float64)
        return replace(self, phases=self.phases + TURN * along[..., None])

    def centre(self, angle: int, band: int) -> torch.Tensor:
        """Where a band of :meth:`mixing` lies: float32 (2,), 0 or k or -k of a wave."""
        if band == 0:
            return torch.zeros(2)
        vector = self.wave_vectors[angle, (band - 1) // 2].float()
        return vector if band % 2 else -vector

    def only(self, angle: int) -> Patterns:
        """The patterns of one angle."""
        part = slice(angle, angle + 1)
        return Patterns(
            self.wave_vectors[part],
            self.phases[part],
            self.modulation[part],
            self.brightness[part],
        )

    def where(self, found: torch.Tensor) -> Patterns:
        """The same; waves that are not among the found ones (angle, wave) have no modulation."""
        return replace(self, modulation=self.modulation * found.double())

    def mixed(
        self, angle: int, frame: int, plain: torch.Tensor, bands: Sequence[torch.Tensor]
    ) -> torch.Tensor:
        r"""A frame of mean brightness, made of band images.

        Parameters
        ----------
        angle, frame : int
            Which one.
        plain : torch.Tensor
            The blurred specimen, (..., row, col).
        bands : sequence of torch.Tensor
            For each wave the blurred specimen times :math:`e^{2\pi i k r}`, complex.
        """
        image = plain.clone()
        for wave, band in enumerate(bands):
            turn = torch.exp(1j * self.phases[angle, wave, frame]).to(band.dtype)
            image += float(self.modulation[angle, wave]) * (turn * band).real
        return image

    def mixing(self, angle: int) -> torch.Tensor:
        """How the bands of an angle are mixed in its frames.

        Returns
        -------
        torch.Tensor
            Complex (frame, 1 + 2 waves): for the light that is not modulated, then for each wave
            the band moved by +k and that moved by -k.
        """
        half = 0.5 * self.modulation[angle, :, None] * torch.exp(1j * self.phases[angle])
        columns = [torch.ones_like(half[0])]
        for wave in half:
            columns += [wave, wave.conj()]
        return torch.stack(columns, 1) * self.brightness[angle, :, None]

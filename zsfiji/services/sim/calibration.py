"""What is known of a raw SIM image once its patterns are found: all that a reconstruction takes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from zsfiji.physics.sim.optics import RadialTransfer
from zsfiji.physics.sim.patterns import Patterns

WEAK = 0.1
"""Modulation below which a wave is not used: its noise would be amplified more than ten times."""

UNSURE = 0.5
"""Largest standard error of a modulation, as a share of it, with which a wave is used."""

Numbers = tuple[float, ...]


MOST_READ = 10.0
"""Most that :attr:`Record.read` is, over the mean light. Steps of iterations become smaller the
more it is, and without a limit the result stayed flat. Images with so much read noise came out as
well with 30, and 0.7 to 2 dB worse with 100."""


@dataclass(frozen=True)
class Record:
    """Calibration of a raw SIM image as plain numbers, as files have it.

    Attributes
    ----------
    wave_vectors : tuple
        (angle, wave, 2), in cycles per pixel along rows and columns.
    phases : tuple
        (angle, wave, frame), in radians at the centre of the first pixel.
    modulation, modulation_error, significance : tuple
        (angle, wave); an error that is not known is negative.
    found : tuple
        (angle, wave): whether the wave is in the image beyond doubt.
    brightness : tuple
        (angle, frame).
    contrast : tuple
        (angle,): modulation contrast to noise (MCNR).
    cutoff, damping : float
        Of the OTF, in cycles per pixel.
    curve : tuple
        A measured OTF from 0 to the cut-off; empty without one.
    light_beyond : float
        Light beyond the cut-off: about 1 if the optics are right.
    background : float
        Grey level without light.
    background_given : bool
        Whether the user gave it.
    noise_variance : float
        Variance of a raw pixel, in grey levels squared, mean over the image.
    gain, read_variance : float
        Variance of a pixel for a unit of light, and without light.
    light : float
        Mean of the raw image above the background.
    pixel : float
        Width of a pixel in micrometres.
    shape : tuple of int
        Rows and columns of the image; empty where an earlier version did not keep them.
    """

    wave_vectors: tuple[tuple[Numbers, ...], ...]
    phases: tuple[tuple[Numbers, ...], ...]
    modulation: tuple[Numbers, ...]
    modulation_error: tuple[Numbers, ...]
    significance: tuple[Numbers, ...]
    found: tuple[tuple[bool, ...], ...]
    brightness: tuple[Numbers, ...]
    contrast: Numbers
    cutoff: float
    damping: float
    curve: Numbers
    light_beyond: float
    background: float
    background_given: bool
    noise_variance: float
    gain: float
    read_variance: float
    light: float
    pixel: float
    shape: tuple[int, ...] = ()

    @property
    def read(self) -> float:
        """Light whose noise is as large as that without light; see :class:`.Joint`.

        Where the noise does not grow with the light, no light is: then :data:`MOST_READ`.
        """
        return min(self.read_variance / max(self.gain, 1e-12), MOST_READ * self.light)


@dataclass(frozen=True)
class Wave:
    """A wave of a pattern.

    Attributes
    ----------
    vector : (float, float)
        Cycles per pixel along rows and columns.
    phase : float
        In the first frame, in radians.
    modulation, error, significance, found
        See :class:`Record`.
    pixel : float
        Width of a pixel in micrometres.
    """

    vector: Numbers
    phase: float
    modulation: float
    error: float
    significance: float
    found: bool
    pixel: float

    @property
    def frequency(self) -> float:
        """Cycles per pixel."""
        return math.hypot(*self.vector)

    @property
    def spacing(self) -> float:
        """Distance of its lines in nanometres; NaN for a frequency of 0."""
        return 1000 * self.pixel / self.frequency if self.frequency else math.nan

    @property
    def direction(self) -> float:
        """Of the wave vector in degrees, 0 to 180, from columns to rows."""
        return math.degrees(math.atan2(*self.vector)) % 180

    @property
    def sure(self) -> bool:
        """Whether it was found, with a modulation that is known well enough."""
        return self.found and 0 <= self.error <= UNSURE * self.modulation

    @property
    def usable(self) -> bool:
        """Whether it is sure, and strong enough to be used."""
        return self.sure and self.modulation >= WEAK


@dataclass(frozen=True)
class Calibration:
    """A record, and what is computed from it.

    Attributes
    ----------
    record : Record
        The numbers.
    """

    record: Record

    @cached_property
    def patterns(self) -> Patterns:
        """All patterns, those that were not found included."""
        r = self.record
        vectors, phases, modulation, brightness = (
            torch.tensor(v, dtype=torch.float64)
            for v in (r.wave_vectors, r.phases, r.modulation, r.brightness)
        )
        return Patterns(vectors, phases, modulation, brightness)

    @cached_property
    def used(self) -> Patterns:
        """The patterns that an image is reconstructed with; waves of no use have modulation 0."""
        limited = replace(self.patterns, modulation=self.patterns.modulation.clamp(max=1))
        return limited.where(torch.tensor(self.usable))

    @cached_property
    def waves(self) -> list[list[Wave]]:
        """(angle, wave): all waves, those that were not found included."""
        r = self.record
        return [
            [
                Wave(
                    vector,
                    r.phases[angle][wave][0],
                    r.modulation[angle][wave],
                    r.modulation_error[angle][wave],
                    r.significance[angle][wave],
                    r.found[angle][wave],
                    r.pixel,
                )
                for wave, vector in enumerate(vectors)
            ]
            for angle, vectors in enumerate(r.wave_vectors)
        ]

    @property
    def usable(self) -> list[list[bool]]:
        """(angle, wave): whether the wave was found and is strong enough to be used."""
        return [[wave.usable for wave in waves] for waves in self.waves]

    @property
    def reach(self) -> float:
        """Highest frequency of a reconstruction, in cycles per pixel: that of :class:`.Wiener`."""
        used = [[wave.frequency for wave in waves if wave.usable] for waves in self.waves]
        finest = [max(frequencies) for frequencies in used if frequencies]
        return self.record.cutoff + (sum(finest) / len(finest) if finest else 0.0)

    @property
    def transfer(self) -> RadialTransfer:
        """The OTF."""
        curve = np.array(self.record.curve) if self.record.curve else None
        return RadialTransfer(self.record.cutoff, self.record.damping, curve)

    def above(self, stack: np.ndarray) -> torch.Tensor:
        """A raw stack (angle, frame, row, col) without the background."""
        return torch.from_numpy(np.asarray(stack, np.float32) - np.float32(self.record.background))

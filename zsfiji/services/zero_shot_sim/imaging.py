"""What is needed to simulate and reconstruct raw images of one size: optics, patterns, noise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch

from zsfiji.compute.device import poisson
from zsfiji.physics.sim.patterns import Patterns
from zsfiji.reconstruction import power
from zsfiji.reconstruction.joint import Joint
from zsfiji.reconstruction.power import Power
from zsfiji.reconstruction.richardson_lucy import Estimate
from zsfiji.reconstruction.wiener import Wiener
from zsfiji.services.sim.calibration import Calibration
from zsfiji.services.sim.reconstructor import image_formation
from zsfiji.services.zero_shot_sim.settings import CONSTANTS

_BRIGHT = 0.999
"""Quantile of the automatic reconstruction that is 1 for the network. From the prototype."""


@dataclass(frozen=True)
class Level:
    """What the linear reconstructions of all images of one kind have in common.

    Attributes
    ----------
    power : Power
        Power spectrum of the specimen.
    unit : float
        Grey levels that are 1 for the network.
    """

    power: Power
    unit: float


class Imaging:
    """The image formation of a field, and its linear reconstructions.

    Parameters
    ----------
    calibration : Calibration
        Optics and noise.
    patterns : Patterns
        Those of the whole image, moved if it was.
    level : Level
        Power of the specimen, and the scale of the network.
    shape : (int, int)
        Rows and columns of the raw field.
    corner : (int, int)
        Its first pixel in the image.
    device : torch.device
        Where to compute.

    Attributes
    ----------
    wiener : Wiener
        The linear reconstruction.
    gain, read_variance : float
        Variance of the noise for a unit of light, and without light.
    """

    def __init__(
        self,
        calibration: Calibration,
        patterns: Patterns,
        level: Level,
        shape: tuple[int, int],
        device: torch.device,
        corner: tuple[int, int] = (0, 0),
    ) -> None:
        self._whole, self._corner = patterns, corner
        patterns = patterns.moved(float(corner[0]), float(corner[1]))
        self.level = level
        self.gain, self.read_variance = calibration.record.gain, calibration.record.read_variance
        self.wiener = Wiener(patterns, shape, calibration.transfer, device=device)
        self._patterns, self._calibration = patterns, calibration
        noise = calibration.record.noise_variance
        self.ridge = level.power.ridge(self.wiener, noise)

    def of(self, patterns: Patterns, corner: tuple[int, int]) -> bool:
        """Whether it is that of a field at this place of an image with these patterns."""
        return patterns is self._whole and corner == self._corner

    @cached_property
    def joint(self) -> Joint:
        """The image formation, for simulated images."""
        return image_formation(
            self._calibration,
            self._patterns,
            self.wiener.shape,
            self.ridge.device,
            haze=None,
        )

    def features(self, stack: torch.Tensor) -> torch.Tensor:
        """What the network sees of a raw stack: (input, fine row, fine col)."""
        numerator = self.wiener.numerator(stack)
        found = [self.wiener.solve(numerator, gain * self.ridge) for gain in CONSTANTS.gains]
        return torch.stack(found) / self.level.unit

    def reconstructed(self, stack: torch.Tensor, gain: float) -> torch.Tensor:
        """A linear reconstruction on the scale of the network: (1, fine row, fine col)."""
        numerator = self.wiener.numerator(stack)
        return self.wiener.solve(numerator, gain * self.ridge)[None] / self.level.unit

    def capture(
        self, specimen: torch.Tensor, haze: torch.Tensor | None, draws: torch.Generator
    ) -> torch.Tensor:
        """Simulate a raw stack.

        Parameters
        ----------
        specimen : torch.Tensor
            On the whole fine grid of :attr:`joint`.
        haze : torch.Tensor, optional
            Light that was taken off the image (row, col): only its noise is in the result.
        draws : torch.Generator
            For the noise, on the device of the specimen.

        Returns
        -------
        torch.Tensor
            (angle, frame, row, col), without background.
        """
        light = self.joint.predict(Estimate(specimen, None)).clamp_min(0)
        return light + self.noise(light if haze is None else light + haze, draws)

    def noise(self, light: torch.Tensor, draws: torch.Generator) -> torch.Tensor:
        """Noise of photons and of the camera.

        Other than for :meth:`.Camera.capture` the grey level without light is known, so that each
        of both has its own distribution.
        """
        gain = self.gain
        normal = torch.randn(light.shape, generator=draws, device=light.device)
        read = self.read_variance**0.5 * normal
        if gain <= 0:
            return read
        counts = poisson(light / gain, draws)
        return gain * counts - light + read


def measured(calibration: Calibration, patterns: Patterns, stack: torch.Tensor) -> Level:
    """Measure the power of a raw stack without background."""
    shape = (int(stack.shape[-2]), int(stack.shape[-1]))
    wiener = Wiener(patterns, shape, calibration.transfer, device=stack.device)
    variance = calibration.record.noise_variance
    found = power.fit(wiener, stack, variance)
    automatic = wiener.solve(wiener.numerator(stack), found.ridge(wiener, variance))
    some = automatic.flatten()[:: max(1, automatic.numel() // 2**20)]
    unit = float(torch.quantile(some, _BRIGHT))
    return Level(found, max(unit, variance**0.5))

"""Reconstruction of one stack of patterns whose calibration is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from zsfiji.physics.sim.optics import Blur, illumination
from zsfiji.reconstruction import power, stopping
from zsfiji.reconstruction.joint import Joint
from zsfiji.reconstruction.wiener import Notch, Wiener
from zsfiji.services.sim.calibration import Calibration, Record
from zsfiji.services.sim.settings import Settings

SCALE = 2
"""Pixels of a result to a raw one, along rows and along columns."""


class Reconstructor:
    """A unit: a calibration, with operators that are made once for each size of an image.

    Parameters
    ----------
    calibration : Calibration
        Patterns and optics.
    """

    def __init__(self, calibration: Calibration) -> None:
        self.calibration = calibration
        self._operators: dict[tuple[object, ...], Wiener | Joint] = {}

    @property
    def record(self) -> Record:
        """What a file keeps of it."""
        return self.calibration.record

    def tensors(self) -> dict[str, torch.Tensor]:
        """None: all is in the record."""
        return {}

    def wiener(
        self,
        shape: tuple[int, int],
        device: torch.device,
        *,
        modulated: bool = True,
        classical: Settings | None = None,
    ) -> Wiener:
        """The linear reconstruction of an image of this shape, or its wide-field filter.

        Parameters
        ----------
        shape : (int, int)
            Rows and columns of the raw image.
        device : torch.device
            Where to compute.
        modulated : bool
            Whether the bands that the patterns moved are used, or only the wide-field image.
        classical : Settings, optional
            The classical filter with these settings, instead of the automatic one.
        """
        key = (shape, device, modulated, classical)
        if key not in self._operators:
            patterns = self.calibration.used
            if not modulated:
                patterns = replace(patterns, modulation=torch.zeros_like(patterns.modulation))
            notch = None
            if classical is not None and classical.notch > 0:
                notch = Notch(classical.notch, classical.notch_width * self.record.pixel)
            self._operators[key] = Wiener(
                patterns,
                shape,
                self.calibration.transfer,
                weights="noise" if classical is None else "equal",
                notch=notch,
                device=device,
            )
        found = self._operators[key]
        assert isinstance(found, Wiener)
        return found

    def joint(self, shape: tuple[int, int], device: torch.device) -> Joint:
        """The image formation for iterative reconstruction."""
        key = (shape, device)
        if key not in self._operators:
            self._operators[key] = Joint(
                self.calibration.used,
                self.calibration.transfer,
                shape,
                self.record.read_variance / max(self.record.gain, 1e-12),
                device=device,
            )
        found = self._operators[key]
        assert isinstance(found, Joint)
        return found

    def reconstruct(self, stack: np.ndarray, settings: Settings, device: torch.device) -> Images:
        """Reconstruct a stack.

        Parameters
        ----------
        stack : numpy.ndarray
            (angle, frame, row, col), in grey levels.
        settings : Settings
            The method.
        device : torch.device
            Where to compute.

        Returns
        -------
        dict of str to numpy.ndarray
            "widefield", "filtered" (the wide-field image by the same filter without the patterns)
            and "sim": float32 (2 row, 2 col), in grey levels above the background.
        """
        above = self.calibration.above(stack).to(device)
        shape = (int(above.shape[-2]), int(above.shape[-1]))
        noise = self.record.noise_variance
        wide = self.wiener(shape, device, modulated=False)
        centre = wide.numerator(above)
        images = {
            "widefield": _finer(above, self.calibration),
            "filtered": wide.solve(centre, power.fit(wide, above, noise).ridge(wide, noise)),
        }
        if settings.quality == "iterative":
            joint = self.joint(shape, device)
            variance = stopping.noise_variance(above, self.record.gain, self.record.read_variance)
            choice = stopping.choose(
                joint, above, variance, seed=settings.seed, label="Counting iterations"
            )
            found = joint.run(above, choice.iterations, share=choice.share, label="Reconstructing")
            images["sim"] = joint.shown(found.specimen)
        elif settings.quality == "classical":
            filter_ = self.wiener(shape, device, classical=settings)
            # A constant of 1 is as large as the squared OTF of all bands at frequency 0.
            ridge = settings.wiener**2 * float(filter_.density[0, 0])
            images["sim"] = filter_.solve(filter_.numerator(above), ridge)
        else:
            automatic = self.wiener(shape, device)
            ridge_ = power.fit(automatic, above, noise).ridge(automatic, noise)
            images["sim"] = automatic.solve(automatic.numerator(above), ridge_)
        return {name: image.cpu().numpy() for name, image in images.items()}


Images = Mapping[str, np.ndarray]


def _finer(above: torch.Tensor, calibration: Calibration) -> torch.Tensor:
    """The mean of all frames on the finer grid, by interpolation."""
    patterns = calibration.patterns
    bright = patterns.brightness.to(above.device, torch.float32)[..., None, None]
    mean = (above / bright).mean((0, 1))[None, None]
    return torch.nn.functional.interpolate(
        mean, scale_factor=SCALE, mode="bicubic", align_corners=False
    )[0, 0]


def capture(calibration: Calibration, specimen: np.ndarray, draws: torch.Generator) -> np.ndarray:
    """Simulate the raw stack of a specimen.

    Parameters
    ----------
    calibration : Calibration
        Patterns, optics, background and noise.
    specimen : numpy.ndarray
        (2 row, 2 col), in grey levels above the background; values below zero count as zero.
    draws : torch.Generator
        For the noise.

    Returns
    -------
    numpy.ndarray
        (angle, frame, row, col), float32, in grey levels.
    """
    rows, cols = (n // SCALE for n in specimen.shape)
    blur = Blur(calibration.transfer, (rows, cols), SCALE)
    light = illumination(calibration.used, (rows, cols), SCALE)
    there = torch.from_numpy(np.asarray(specimen, np.float32)).clamp_min(0)
    expected = blur.down(light * there).clamp_min(0)
    noise = (calibration.record.gain * expected + calibration.record.read_variance).sqrt()
    noisy = expected + noise * torch.randn(expected.shape, generator=draws)
    found: np.ndarray = noisy.numpy() + np.float32(calibration.record.background)
    return found

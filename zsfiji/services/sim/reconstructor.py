"""Reconstruction of one stack of patterns whose calibration is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import torch

from zsfiji.physics.sim.patterns import Patterns
from zsfiji.reconstruction.drift import Drift
from zsfiji.reconstruction.joint import HAZE, Joint
from zsfiji.reconstruction.wiener import Notch, Wiener
from zsfiji.services.sim.calibration import Calibration, Record
from zsfiji.services.sim.iterative import explained
from zsfiji.services.sim.linear import automatic_ridge, classical_ridge, wiener_of
from zsfiji.services.sim.settings import Settings
from zsfiji.services.sim.straight import straightened

T = TypeVar("T")

SCALE = 2
"""Pixels of a result to a raw one, along rows and along columns."""

RESULTS = ("widefield", "filtered", "sim")
"""Names of the results, the main one last: the wide-field image, the same sharpened by the filter
without the patterns, and the reconstruction."""


class Reconstructor:
    """A unit: a calibration, with operators that are made once for each size of an image.

    Parameters
    ----------
    calibration : Calibration
        Patterns and optics.
    """

    def __init__(self, calibration: Calibration) -> None:
        self.calibration = calibration
        self._operators: dict[tuple[object, ...], Any] = {}

    @property
    def record(self) -> Record:
        """What a file keeps of it."""
        return self.calibration.record

    def tensors(self) -> dict[str, torch.Tensor]:
        """None: all is in the record."""
        return {}

    def reconstruct(
        self,
        stack: np.ndarray,
        settings: Settings,
        device: torch.device,
        results: Sequence[str] = RESULTS,
    ) -> tuple[Images, Drift]:
        """Reconstruct a stack.

        Parameters
        ----------
        stack : numpy.ndarray
            (angle, frame, row, col), in grey levels.
        settings : Settings
            The method.
        device : torch.device
            Where to compute.
        results : sequence of str
            Those of :data:`RESULTS` that are wanted.

        Returns
        -------
        dict of str to numpy.ndarray
            float32 (2 row, 2 col), in grey levels above the background.
        Drift
            How the specimen moved between the angles; where that matters, it was corrected.
        """
        above = self.calibration.above(stack).to(device)
        calibration = self.calibration
        above, patterns, drift = straightened(above, calibration.used, calibration.transfer)

        def made(name: str) -> torch.Tensor:
            if name == "widefield":
                return widefield(above, patterns)
            if name == "filtered":
                return self._linear(above, patterns, modulated=False)
            if settings.quality == "iterative":
                return self._iterative(above, patterns, settings.seed)
            if settings.quality == "classical":
                return self._classical(above, patterns, settings)
            return self._linear(above, patterns)

        return {name: made(name).cpu().numpy() for name in results}, drift

    def _linear(
        self, above: torch.Tensor, patterns: Patterns, *, modulated: bool = True
    ) -> torch.Tensor:
        """By the filter that is fitted to the image; without modulation of the wide field only."""
        used = patterns
        if not modulated:
            used = replace(patterns, modulation=torch.zeros_like(patterns.modulation))

        def make() -> Wiener:
            return wiener_of(self.calibration, used, above)

        wiener = self._kept(make, patterns, above, "linear", modulated)
        ridge = automatic_ridge(wiener, above, self.calibration)
        return wiener.solve(wiener.numerator(above), ridge)

    def _classical(
        self, above: torch.Tensor, patterns: Patterns, settings: Settings
    ) -> torch.Tensor:
        """By the filter with a constant and a notch that are set by hand."""
        notch = Notch(settings.notch, settings.notch_width * self.record.pixel)

        def make() -> Wiener:
            there = notch if notch.strength > 0 else None
            return wiener_of(self.calibration, patterns, above, classical=True, notch=there)

        wiener = self._kept(make, patterns, above, "classical", notch)
        return wiener.solve(wiener.numerator(above), classical_ridge(wiener, settings.wiener))

    def _iterative(self, above: torch.Tensor, patterns: Patterns, seed: int) -> torch.Tensor:
        """By joint Richardson-Lucy deconvolution."""

        def make() -> Joint:
            return image_formation(self.calibration, patterns, _shape(above), above.device)

        joint = self._kept(make, patterns, above, "iterative")
        record = self.record
        return explained(joint, above, record.gain, record.read_variance, seed=seed)

    def _kept(
        self, make: Callable[[], T], patterns: Patterns, above: torch.Tensor, *key: object
    ) -> T:
        """An operator, made once for all images of a size that have not drifted."""
        if patterns is not self.calibration.used:
            return make()
        whole = (*key, _shape(above), above.device)
        if whole not in self._operators:
            self._operators[whole] = make()
        found: T = self._operators[whole]
        return found


Images = Mapping[str, np.ndarray]


def image_formation(
    calibration: Calibration,
    patterns: Patterns,
    shape: tuple[int, int],
    device: torch.device,
    *,
    haze: float | None = HAZE,
) -> Joint:
    """All frames of an image of this shape as a function of its specimen.

    Parameters
    ----------
    calibration : Calibration
        Optics and noise.
    patterns : Patterns
        Its patterns, moved if the image was.
    shape : (int, int)
        Rows and columns of the raw image.
    device : torch.device
        Where to compute.
    haze : float or None
        Smoothness of light that is not modulated, in pixels; None for none of it.
    """
    read = calibration.record.read
    return Joint(patterns, calibration.transfer, shape, read, haze=haze, device=device)


def _shape(above: torch.Tensor) -> tuple[int, int]:
    return int(above.shape[-2]), int(above.shape[-1])


def widefield(above: torch.Tensor, patterns: Patterns) -> torch.Tensor:
    """The mean of all frames on the finer grid, by interpolation slice by slice.

    Parameters
    ----------
    above : torch.Tensor
        (angle, frame, row, col) or (angle, frame, pln, row, col), without background.
    patterns : Patterns
        Have the brightness of the frames.

    Returns
    -------
    torch.Tensor
        (2 row, 2 col) or (pln, 2 row, 2 col).
    """
    bright = patterns.brightness.to(above.device, torch.float32)
    mean = (above / bright[(...,) + (None,) * (above.ndim - 2)]).mean((0, 1))
    slices = mean.reshape(-1, 1, *mean.shape[-2:])
    fine = torch.nn.functional.interpolate(
        slices, scale_factor=SCALE, mode="bicubic", align_corners=False
    )
    return fine.reshape(*mean.shape[:-2], *fine.shape[-2:])

"""What was learnt about a channel, and how it restores a raw stack."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch

from zsfiji.errors import UserError
from zsfiji.learning.denoiser import Denoiser
from zsfiji.physics.sim.patterns import Patterns
from zsfiji.reconstruction import richardson_lucy, stopping
from zsfiji.reconstruction.drift import Drift
from zsfiji.services.sim.calibration import Calibration
from zsfiji.services.sim.calibration import Record as CalibrationRecord
from zsfiji.services.sim.reconstructor import image_formation
from zsfiji.services.sim.straight import straightened
from zsfiji.services.zero_shot_sim.applying import corrected, kept
from zsfiji.services.zero_shot_sim.imaging import Imaging, Level
from zsfiji.services.zero_shot_sim.specimens import sharpened

SHARPENED = 10
"""Iterations by which a result is sharpened before it is captured again. Not tuned."""


@dataclass(frozen=True)
class Record:
    """What a model file has of a restorer besides the weights; see :class:`Restorer`.

    Attributes
    ----------
    calibration : CalibrationRecord
        Patterns and optics.
    level : Level
        Power of the specimen, scale of the network.
    support : tuple of float
        What is kept of the network's changes, for each ring of frequencies.
    haze : {"keep", "remove"}
        Whether haze is taken off.
    """

    calibration: CalibrationRecord
    level: Level
    support: tuple[float, ...]
    haze: str


@dataclass
class Restorer:
    """What was learnt about one channel (or one stack of patterns).

    Attributes
    ----------
    record : Record
        Everything but the weights.
    network : Denoiser
        The network.
    """

    record: Record
    network: Denoiser
    _made: dict[tuple[object, ...], Imaging] = field(default_factory=dict)

    @cached_property
    def calibration(self) -> Calibration:
        """Patterns, optics and noise."""
        return Calibration(self.record.calibration)

    def tensors(self) -> dict[str, torch.Tensor]:
        """The weights."""
        return self.network.state_dict()

    def with_patterns(self, found: CalibrationRecord) -> Restorer:
        """The same network for another image, whose patterns have other phases."""
        return Restorer(replace(self.record, calibration=found), self.network)

    def to(self, device: torch.device) -> None:
        """Move the network, in the memory format that is fastest for its convolutions."""
        self.network.to(device).to(memory_format=torch.channels_last)

    def imaging(self, patterns: Patterns, shape: tuple[int, int], device: torch.device) -> Imaging:
        """The image formation for images of a shape, made once for all that have not drifted."""
        if patterns is not self.calibration.used:
            return Imaging(self.calibration, patterns, self.record.level, shape, device)
        key = (shape, device)
        if key not in self._made:
            made = Imaging(self.calibration, patterns, self.record.level, shape, device)
            self._made = {key: made}
        return self._made[key]

    def restore(
        self, stack: np.ndarray, device: torch.device, label: str | None = None
    ) -> tuple[np.ndarray, np.ndarray, Drift]:
        """Restore a raw stack.

        Parameters
        ----------
        stack : numpy.ndarray
            (angle, frame, row, col), in grey levels.
        device : torch.device
            Where to compute.
        label : str, optional
            What to report as progress; nothing without it.

        Returns
        -------
        numpy.ndarray, numpy.ndarray
            The automatic reconstruction and the network's: float32 (2 row, 2 col), in grey levels
            above the background.
        Drift
            How far the specimen moves between the angles.
        """
        part = prepared(self.calibration, stack, device, remove=self.record.haze == "remove")
        above = part.stack
        shape = (int(above.shape[-2]), int(above.shape[-1]))
        imaging = self.imaging(part.patterns, shape, device)
        features = imaging.features(above)
        result = corrected(self.network, features, label)
        automatic = features[-1]
        result = kept(automatic, result, self.record.support, imaging.wiener.reach)
        unit = self.record.level.unit
        return (automatic * unit).cpu().numpy(), (result * unit).cpu().numpy(), part.drift

    def capture(self, seen: np.ndarray, draws: torch.Generator) -> np.ndarray:
        """Simulate a raw stack of what a result shows.

        Parameters
        ----------
        seen : numpy.ndarray
            (2 row, 2 col), in grey levels above the background.
        draws : torch.Generator
            For the noise.

        Returns
        -------
        numpy.ndarray
            float32 (angle, frame, row, col), in grey levels.
        """
        shape = (seen.shape[0] // 2, seen.shape[1] // 2)
        imaging = self.imaging(self.calibration.used, shape, torch.device("cpu"))
        whole = imaging.joint.whole(torch.from_numpy(np.asarray(seen, np.float32)))
        # The result is seen by a lens already: the optics would blur it twice.
        (specimen,) = sharpened(whole, imaging.joint, (SHARPENED,)).values()
        stack = imaging.capture(specimen, None, draws) + self.record.calibration.background
        found: np.ndarray = stack.numpy()
        return found

    def require_fit(self, frames: tuple[int, int]) -> None:
        """Refuse other angles or phases (how many of each) than the model was fitted to.

        Raises
        ------
        UserError
            If it has.
        """
        patterns = self.calibration.patterns
        fitted = (patterns.angles, patterns.frames)
        if frames != fitted:
            raise UserError(
                f"The model was fitted to {fitted[0]} angles x {fitted[1]} phases and the image "
                f"has {frames[0]} x {frames[1]}. Fit a model to this image, or give its order."
            )


class Part(NamedTuple):
    """A raw stack that is ready to be reconstructed.

    Attributes
    ----------
    stack : torch.Tensor
        (angle, frame, row, col), without background and haze, its angles at one place.
    patterns : Patterns
        Its patterns.
    drift : Drift
        How far the specimen moved between the angles.
    haze : torch.Tensor or None
        The haze that was taken off, (row, col).
    """

    stack: torch.Tensor
    patterns: Patterns
    drift: Drift
    haze: torch.Tensor | None


def prepared(
    calibration: Calibration, stack: np.ndarray, device: torch.device, *, remove: bool
) -> Part:
    """Prepare a raw stack.

    Parameters
    ----------
    calibration : Calibration
        Patterns, optics and noise.
    stack : numpy.ndarray
        (angle, frame, row, col), in grey levels.
    device : torch.device
        Where to compute.
    remove : bool
        Whether light that is not modulated is taken off.
    """
    above = calibration.above(stack).to(device)
    above, patterns, drift = straightened(above, calibration.used, calibration.transfer)
    if not remove:
        return Part(above, patterns, drift, None)
    record = calibration.record
    shape = (int(above.shape[-2]), int(above.shape[-1]))
    joint = image_formation(calibration, patterns, shape, device)
    variance = stopping.noise_variance(above, record.gain, record.read_variance)
    choice = stopping.choose(joint, above, variance, label="Finding haze")
    haze = joint.haze(richardson_lucy.run(joint, above, choice.iterations, share=choice.share))
    bright = patterns.brightness.to(above)[..., None, None]
    return Part(above - bright * haze, patterns, drift, haze)

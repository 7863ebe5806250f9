"""Finding the patterns of a raw stack, with its background and its noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from zsfiji.physics.sim.optics import RadialTransfer
from zsfiji.physics.sim.patterns import Patterns
from zsfiji.reconstruction.search import Estimate, estimate
from zsfiji.services.sim.calibration import Calibration, Record
from zsfiji.services.sim.given import Given

_DARK = 4.0
"""Standard deviation in pixels of the Gaussian before the darkest place is taken as background."""


def calibrate(stack: np.ndarray, given: Given) -> Calibration:
    """Find the patterns of a raw stack.

    Parameters
    ----------
    stack : numpy.ndarray
        (angle, frame, row, col), in grey levels.
    given : Given
        Optics and camera.

    Returns
    -------
    Calibration
        Also of patterns that were not found: :attr:`Calibration.usable` says so.
    """
    background = dark_level(stack) if given.background is None else given.background
    above = torch.from_numpy(np.asarray(stack, np.float32) - np.float32(background))
    found = estimate(above, given.transfer, given.layout_of(stack.shape[0], stack.shape[1]))
    record = record_of(
        found,
        found.patterns,
        found.modulation_error,
        given.transfer,
        noise_variance=found.noise_variance,
        background=background,
        background_given=given.background is not None,
        light=float(above.mean()),
        pixel=given.pixel,
    )
    return Calibration(record)


def dark_level(stack: np.ndarray) -> float:
    """Grey level of the darkest place of the mean of all frames, where no more is known."""
    mean = np.asarray(stack, np.float32).mean((0, 1))
    return float(gaussian_filter(mean, _DARK).min())


def record_of(
    found: Estimate,
    patterns: Patterns,
    error: torch.Tensor,
    transfer: RadialTransfer,
    *,
    noise_variance: float,
    background: float,
    background_given: bool,
    light: float,
    pixel: float,
) -> Record:
    """The record of patterns that were found.

    Parameters
    ----------
    found : Estimate
        The search: significance, and what was found.
    patterns : Patterns
        The patterns.
    error : torch.Tensor
        (angle, wave): standard error of the modulation; infinite where it is not known.
    transfer : RadialTransfer
        The OTF.
    noise_variance, background, background_given, light, pixel
        See :class:`.Record`.
    """
    known = torch.where(error.isfinite(), error, torch.tensor(-1.0).double())
    curve = () if transfer.curve is None else tuple(float(v) for v in transfer.curve)
    return Record(
        _tuples(patterns.wave_vectors),
        _tuples(patterns.phases),
        _tuples(patterns.modulation),
        _tuples(known),
        _tuples(found.significance),
        _tuples(found.found),
        _tuples(patterns.brightness),
        transfer.cutoff,
        transfer.damping,
        curve,
        background,
        background_given,
        noise_variance,
        light,
        pixel,
    )


def _tuples(values: torch.Tensor) -> Any:
    """A tensor as nested tuples."""

    def nested(entry: Any) -> Any:
        return tuple(nested(e) for e in entry) if isinstance(entry, list) else entry

    return nested(values.tolist())

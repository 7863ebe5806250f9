"""Finding the patterns of a raw stack, with its background and its noise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from zsfiji.physics.sim.optics import RadialTransfer
from zsfiji.physics.sim.patterns import Patterns
from zsfiji.quality.mcnr import mcnr
from zsfiji.reconstruction.damping import measured_damping
from zsfiji.reconstruction.frames import require_different
from zsfiji.reconstruction.noise import noise_line
from zsfiji.reconstruction.search import Estimate, estimate
from zsfiji.services.sim.calibration import Calibration, Record
from zsfiji.services.sim.given import Given, layouts_of

_DARK = 4.0
"""Standard deviation in pixels of the Gaussian before the darkest place is taken as background."""


def calibrate(stack: np.ndarray, given: Given, dark: float | None = None) -> Calibration:
    """Find the patterns of a raw stack, and the damping of the OTF if that is asked for.

    Parameters
    ----------
    stack : numpy.ndarray
        (angle, frame, row, col), in grey levels.
    given : Given
        Optics and camera.
    dark : float, optional
        Grey level without light where it is not given: that of the darkest place of the stack by
        default. Of several stacks it is that of all: the camera is the same.

    Returns
    -------
    Calibration
        Also of patterns that were not found: :attr:`Calibration.usable` says so.

    Raises
    ------
    UserError
        If two frames are copies, a frame has no light, or there are too few phases.
    """
    require_different(stack)
    if dark is None:
        dark = dark_level(stack) if given.background is None else given.background
    first = _with_otf(stack, given, dark)
    if not given.measure_damping or given.transfer.curve is not None:
        return first
    if not any(any(waves) for waves in first.usable):
        return first
    noise = first.record.noise_variance
    found = measured_damping(first.above(stack), first.used, given.transfer, noise)
    known = replace(given, transfer=replace(given.transfer, damping=found.damping))
    return _with_otf(stack, known, dark)


def _with_otf(stack: np.ndarray, given: Given, background: float) -> Calibration:
    """The patterns, with the OTF that is given."""
    above = torch.from_numpy(np.asarray(stack, np.float32) - np.float32(background))
    layouts = layouts_of(given.layout, stack.shape[0], stack.shape[1])
    found = estimate(above, given.transfer, layouts)
    record = record_of(
        found,
        found.patterns,
        found.modulation_error,
        given.transfer,
        above,
        noise_variance=found.noise_variance,
        background=background,
        background_given=given.background is not None,
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
    above: torch.Tensor,
    *,
    noise_variance: float,
    background: float,
    background_given: bool,
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
    above : torch.Tensor
        (angle, frame, row, col): the stack they were found in, without background.
    noise_variance, background, background_given, pixel
        See :class:`.Record`.
    """
    known = torch.where(error.isfinite(), error, torch.tensor(-1.0).double())
    curve = () if transfer.curve is None else tuple(float(v) for v in transfer.curve)
    light = float(above.mean())
    # Where the lens passes all that the pixels show, the read noise cannot be told from the rest.
    gain, read = noise_line(above, transfer) or (noise_variance / max(light, 1e-12), 0.0)
    return Record(
        wave_vectors=tuples(patterns.wave_vectors),
        phases=tuples(patterns.phases),
        modulation=tuples(patterns.modulation),
        modulation_error=tuples(known),
        significance=tuples(found.significance),
        found=tuples(found.found),
        brightness=tuples(patterns.brightness),
        contrast=tuples(mcnr(above, noise_variance, patterns.waves)),
        cutoff=transfer.cutoff,
        damping=transfer.damping,
        curve=curve,
        light_beyond=found.light_beyond,
        background=background,
        background_given=background_given,
        noise_variance=noise_variance,
        gain=gain,
        read_variance=read,
        light=light,
        pixel=pixel,
        shape=(int(above.shape[-2]), int(above.shape[-1])),
    )


def tuples(values: torch.Tensor) -> Any:
    """A tensor as nested tuples."""

    def nested(entry: Any) -> Any:
        return tuple(nested(e) for e in entry) if isinstance(entry, list) else entry

    return nested(values.tolist())

"""Finding the patterns of a raw stack, with its background and its noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from zsfiji.quality.mcnr import mcnr
from zsfiji.reconstruction.frames import require_different
from zsfiji.reconstruction.noise import noise_line
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

    Raises
    ------
    UserError
        If two frames are copies, a frame has no light, or there are too few phases.
    """
    require_different(stack)
    background = dark_level(stack) if given.background is None else given.background
    above = torch.from_numpy(np.asarray(stack, np.float32) - np.float32(background))
    found = estimate(above, given.transfer, given.layout_of(stack.shape[0], stack.shape[1]))
    light = float(above.mean())
    # Where the lens passes all that the pixels show, the read noise cannot be told from the rest.
    noise = noise_line(above, given.transfer) or (found.noise_variance / max(light, 1e-12), 0.0)
    contrast = mcnr(above, found.noise_variance, found.patterns.waves)
    return Calibration(_record(found, given, background, light, noise, contrast))


def dark_level(stack: np.ndarray) -> float:
    """Grey level of the darkest place of the mean of all frames, where no more is known."""
    mean = np.asarray(stack, np.float32).mean((0, 1))
    return float(gaussian_filter(mean, _DARK).min())


def _record(
    found: Estimate,
    given: Given,
    background: float,
    light: float,
    noise: tuple[float, float],
    contrast: torch.Tensor,
) -> Record:
    patterns = found.patterns
    error = torch.where(
        found.modulation_error.isfinite(), found.modulation_error, torch.tensor(-1.0).double()
    )
    transfer = given.transfer
    curve = () if transfer.curve is None else tuple(float(v) for v in transfer.curve)
    return Record(
        _tuples(patterns.wave_vectors),
        _tuples(patterns.phases),
        _tuples(patterns.modulation),
        _tuples(error),
        _tuples(found.significance),
        _tuples(found.found),
        _tuples(patterns.brightness),
        _tuples(contrast),
        transfer.cutoff,
        transfer.damping,
        curve,
        background,
        given.background is not None,
        found.noise_variance,
        *noise,
        light,
        given.pixel,
    )


def _tuples(values: torch.Tensor) -> Any:
    """A tensor as nested tuples."""

    def nested(entry: Any) -> Any:
        return tuple(nested(e) for e in entry) if isinstance(entry, list) else entry

    return nested(values.tolist())

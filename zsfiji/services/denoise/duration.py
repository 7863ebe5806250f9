"""How long ``Zero-Shot Denoise...`` takes.

The constants are seconds that were measured on the reference computer, see
:mod:`zsfiji.services.duration`.
"""

from __future__ import annotations

from collections.abc import Mapping

from zsfiji.services import duration as common
from zsfiji.services.denoise.settings import (
    PIXELS,
    STEPS,
    TRAINING_PIXELS,
    Settings,
)

_STEP = 0.076
"""A training step. Measured."""

_PAIRS = 1.5e-6
"""Making one pixel of the pairs. Measured."""

_MEASURING = 7e-7
"""Measuring the noise, per pixel. Measured."""

_RESTORING = 1.7e-5
"""Restoring one pixel of the image. Measured."""


def seconds(
    sizes: Mapping[str, int], settings: Settings, *, train: bool, applied: int = 1
) -> float:
    """Estimate the time on the reference computer.

    Parameters
    ----------
    sizes : mapping
        Axis -> length of the image.
    settings : Settings
        The settings of the training.
    train : bool
        Whether a network is trained, or only applied.
    applied : int
        How often it is applied.
    """
    found = common.START + applied * _RESTORING * common.pixels(sizes) * common.planes(sizes)
    if train:
        sampled = common.sampled(sizes, settings.fit_per, TRAINING_PIXELS)
        found += common.networks(sizes, settings.fit_per) * (
            _MEASURING * sampled
            + _PAIRS * min(PIXELS[settings.quality], sampled)
            + _STEP * STEPS[settings.quality]
        )
    return found

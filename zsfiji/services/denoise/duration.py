"""How long ``Zero-Shot Denoise...`` takes.

The constants are seconds that were measured on the reference computer, see
:mod:`zsfiji.services.duration`.
"""

from __future__ import annotations

from collections.abc import Mapping

from zsfiji.services import duration as common
from zsfiji.services.denoise.settings import (
    BATCH,
    LOOK,
    PIXELS,
    TRAINING_PIXELS,
    Settings,
    steps,
)

_PATCH = 0.0095
"""A patch of a training step. Measured."""

_FILTERS = 1.2e-5
"""Filtering one pixel. Measured."""

_NETWORK = 8e-6
"""The network for one pixel, in its eight positions. Measured."""

_MEASURING = 3e-6
"""Measuring the noise, per pixel. Measured."""


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
    restoring = _FILTERS + _NETWORK
    found = common.START + applied * restoring * common.pixels(sizes) * common.planes(sizes)
    if train:
        sampled = common.sampled(sizes, settings.fit_per, TRAINING_PIXELS)
        found += common.networks(sizes, settings.fit_per) * (
            _MEASURING * sampled
            + _FILTERS * min(PIXELS[settings.quality], sampled)
            + _PATCH * BATCH[settings.quality] * steps(settings.quality, sampled)
            + restoring * min(LOOK**2, common.pixels(sizes))
        )
    return found

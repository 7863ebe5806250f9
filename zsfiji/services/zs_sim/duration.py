"""How long ``ZS-SIM Denoise...`` takes.

The constants are seconds that were measured on the reference computer, see
:mod:`zsfiji.services.duration`.
"""

from __future__ import annotations

from collections.abc import Mapping

from zsfiji.services import duration as common
from zsfiji.services.zs_sim.settings import STEPS, TRAINING_PIXELS, Settings

_STEP = 0.065
"""A training step. Measured."""

_LOOKS = 10.0
"""Trying the network during a training. Measured."""

_MEASURING = 1e-6
"""Noise, patterns and reconstructions, for a pixel of the raw image. Measured."""

_RESTORING = 3e-6
"""Denoising, for a pixel of the raw image. Measured."""


def seconds(
    sizes: Mapping[str, int], settings: Settings, *, train: bool, applied: int = 1
) -> float:
    """Estimate the time on the reference computer, without early stopping.

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
    if not train:
        return found
    one = _MEASURING * common.sampled(sizes, "channel", TRAINING_PIXELS)
    one += _STEP * STEPS[settings.quality] + _LOOKS
    networks = sizes.get("ch", 1)
    if settings.fit_per == "plane":
        # The image may be none of SIM.
        networks = common.raw_stacks(sizes, surely=False)
    return found + one * networks

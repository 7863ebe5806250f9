"""How long ``Zero-Shot Denoise...`` takes; see :mod:`zsfiji.services.duration`."""

from __future__ import annotations

from collections.abc import Mapping

from zsfiji.services import duration as common
from zsfiji.services.denoise.fit import PIXELS, STEPS
from zsfiji.services.denoise.objective import OFTEN
from zsfiji.services.denoise.service import TRAINING_PIXELS
from zsfiji.services.denoise.settings import Settings

_STEP = 0.076
"""A step of training."""

_PAIRS = 1.5e-6
"""A pixel of the pairs that are trained on."""

_MEASURING = 7e-7
"""The noise, for each pixel that it is measured in."""

_RESTORING = 1.7e-5
"""A pixel of the image."""


def seconds(sizes: Mapping[str, int], settings: Settings, *, train: bool) -> float:
    """Estimate the time on the reference computer.

    Parameters
    ----------
    sizes : mapping
        Axis -> length of the image.
    settings : Settings
        Of the training.
    train : bool
        Whether a network is trained, and not only applied.
    """
    found = common.START + _RESTORING * common.pixels(sizes) * common.planes(sizes)
    if train:
        sampled = common.sampled(sizes, settings.fit_per, TRAINING_PIXELS)
        found += common.networks(sizes, settings.fit_per) * (
            _MEASURING * sampled
            + _PAIRS * min(PIXELS[settings.quality], OFTEN // 4 * sampled)
            + _STEP * STEPS[settings.quality]
        )
    return found

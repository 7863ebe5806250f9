"""How long ``FM2S Denoise...`` takes.

The constants are seconds that were measured on the reference computer, see
:mod:`zsfiji.services.duration`.
"""

from __future__ import annotations

from collections.abc import Mapping

from zsfiji.services import duration as common
from zsfiji.services.fm2s.recipes import RECIPES
from zsfiji.services.fm2s.settings import DRAWS, PIXELS, STEPS, TRAINING_PIXELS, Settings

_STEP = 0.025
"""A training step with the measured noise (auto). Measured."""

_EXAMPLES = 2.4e-5
"""Making one synthetic pixel for it. Measured."""

_PUBLISHED_STEP = 1.1e-6
"""A training step of the published method, per pixel of the patch. Measured."""

_MEASURING = 7e-7
"""Measuring the noise, per pixel. Measured."""

_RESTORING = 1e-5
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
    if not train:
        return found
    sampled = common.sampled(sizes, settings.fit_per, TRAINING_PIXELS)
    one = _MEASURING * sampled
    if settings.modality == "auto":
        one += (
            _EXAMPLES * min(PIXELS[settings.quality], DRAWS * sampled)
            + _STEP * STEPS[settings.quality]
        )
    else:
        recipe = RECIPES[settings.quality]
        seen = common.pixels(sizes) if recipe.patch is None else recipe.patch**2
        one += recipe.steps * _PUBLISHED_STEP * min(seen, common.pixels(sizes))
    return found + one * common.networks(sizes, settings.fit_per)

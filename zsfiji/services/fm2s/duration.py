"""How long ``FM2S Denoise...`` takes; see :mod:`zsfiji.services.duration`."""

from __future__ import annotations

from collections.abc import Mapping

from zsfiji.services import duration as common
from zsfiji.services.fm2s.fitted import DRAWS, PIXELS, STEPS
from zsfiji.services.fm2s.published import RECIPES
from zsfiji.services.fm2s.service import TRAINING_PIXELS
from zsfiji.services.fm2s.settings import Settings

_STEP = 0.025
"""A step of training without constants."""

_EXAMPLES = 2.4e-5
"""A synthetic pixel that it trains on."""

_PUBLISHED_STEP = 1.1e-6
"""A step of the published method, for each pixel that it sees."""

_MEASURING = 7e-7
"""The noise, for each pixel that it is measured in."""

_RESTORING = 1e-5
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

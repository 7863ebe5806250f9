"""How long ``Zero-Shot SIM...`` takes; see :mod:`zsfiji.services.duration`."""

from __future__ import annotations

from collections.abc import Mapping

from zsfiji.services import duration as common
from zsfiji.services.zero_shot_sim.settings import CONSTANTS, STEPS, Settings

_FINDING = 1.2e-5
"""Finding the patterns, per raw pixel. Measured."""

_STEP = 0.02
"""A training step. Measured."""

_CAPTURE = 3.7e-6
"""Simulating and reconstructing an example or a pair, per raw pixel. Measured."""

_APPLYING = 9e-6
"""Reconstruction and network, per raw pixel. Measured."""

_HAZE = 1e-4
"""Finding haze, per raw pixel. Measured."""


def seconds(
    sizes: Mapping[str, int], settings: Settings, *, train: bool, applied: int = 1
) -> float:
    """Estimate the time on the reference computer.

    Parameters
    ----------
    sizes : mapping
        Axis -> length of the image, as it was opened: patterns may be slices or frames of it.
    settings : Settings
        The settings of the training.
    train : bool
        Whether a network is trained, or only applied.
    applied : int
        How often it is applied.
    """
    pixels = common.pixels(sizes)
    stacks = common.raw_stacks(sizes)
    per_stack = _APPLYING + (_HAZE if settings.haze == "remove" else 0.0)
    networks = stacks if settings.fit_per == "plane" else sizes.get("ch", 1)
    found = common.START + applied * per_stack * pixels * stacks + networks * _FINDING * pixels
    if train:
        field = min(pixels, CONSTANTS.field**2)
        made = CONSTANTS.pairs + CONSTANTS.renewals * CONSTANTS.examples
        found += networks * (_STEP * STEPS[settings.quality] + _CAPTURE * field * made)
    return found

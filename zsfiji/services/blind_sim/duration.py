"""How long ``Blind SIM...`` takes; see :mod:`zsfiji.services.duration`."""

from __future__ import annotations

from collections.abc import Mapping

from zsfiji.services import duration as common
from zsfiji.services.blind_sim.settings import Settings
from zsfiji.services.zero_shot_sim import duration as zero_shot_sim
from zsfiji.services.zero_shot_sim.settings import Settings as Training

_FINDING = 3.0
"""Finding patterns and optics of a channel. Measured."""

_ITERATION = 1.3e-6
"""An iteration, per raw pixel. Measured."""

_COUNTED, _USUAL, _REFINING = 100, 70, 48
"""Iterations until their number is known, how many it usually is, and those between which patterns
are refined."""

_STARTS = 4
"""Starts of the network that iterations are counted from."""

_SIDE = 256
"""Longest side of what patterns are refined and iterations are counted in."""


def seconds(
    sizes: Mapping[str, int], settings: Settings, *, train: bool, applied: int = 1
) -> float:
    """Estimate the time on the reference computer.

    Parameters
    ----------
    sizes : mapping
        Axis -> length of the image, as it was opened: patterns may be slices or frames of it.
    settings : Settings
        The settings.
    train : bool
        Whether patterns are found, or those of a model are used.
    applied : int
        How often it is applied.
    """
    pixels, stacks = common.pixels(sizes), common.raw_stacks(sizes)
    number = settings.iterations or _USUAL
    found = common.START + applied * stacks * number * _ITERATION * pixels
    if train:
        units = stacks if settings.fit_per == "plane" else sizes.get("ch", 1)
        starts = _STARTS if settings.network != "none" else 0
        before = _preparing(pixels, None if settings.iterations else starts)
        found += units * (_FINDING + before)
        if settings.network != "none" and not settings.iterations:
            training = Training(quality=settings.network, fit_per=settings.fit_per)
            found += zero_shot_sim.seconds(sizes, training, train=True, applied=1 + applied)
    return found


def fitting(pixels: float, starts: int | None) -> float:
    """Estimate the time of one fit with its patterns refined, on the reference computer.

    Parameters
    ----------
    pixels : float
        Raw pixels.
    starts : int or None
        Starts that iterations are counted from, besides a flat one; None if their number is known.
    """
    return _preparing(pixels, starts) + _USUAL * _ITERATION * pixels


def _preparing(pixels: float, starts: int | None) -> float:
    """Refining patterns, and counting iterations from a flat start and from others."""
    before = _REFINING
    if starts is not None:
        # From the others fewer iterations are counted.
        before += _COUNTED + starts * _USUAL
    return before * _ITERATION * min(pixels, _SIDE**2)

"""What the estimates of computing times have in common.

Each service has a module ``duration``, which gives seconds on the reference computer: one core of
an x86 server processor with AVX-512 and without bfloat16. They were measured as processor time of
``fit`` and ``apply`` with different numbers of steps, and are derived from the constants that say
how long is trained, so that they follow those. How much faster this computer is than the reference
stands in :mod:`zsfiji.commands.duration`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from zsfiji.images.axes import STACK_DIMS

START = 2.0
"""Seconds before anything else, whatever the image."""

_FRAMES = 9
"""Frames of a raw SIM image that does not say how many there are."""

ROUNDS = 3
"""Captures that are simulated and restored for an uncertainty: a fourth one changes the share of
pixels whose error lies within two standard deviations by 0.5 % at most."""


def pixels(sizes: Mapping[str, int]) -> int:
    """Pixels of a plane of an image, whose `sizes` are axis -> length."""
    return sizes["row"] * sizes["col"]


def planes(sizes: Mapping[str, int]) -> int:
    """Planes of an image."""
    return math.prod(sizes.get(dim, 1) for dim in STACK_DIMS)


def raw_stacks(sizes: Mapping[str, int], *, surely: bool = True) -> int:
    """How many raw SIM images an image has, whose patterns may be slices or frames of it.

    Parameters
    ----------
    sizes : mapping
        Axis -> length.
    surely : bool
        Whether it is known to be raw. If not, each plane counts as one unless they may be patterns.
    """
    there = planes(sizes)
    patterns = sizes.get("ang", 1) * sizes.get("pha", 1)
    if patterns > 1:
        return there // patterns
    return there if there % _FRAMES and not surely else max(1, there // _FRAMES)


def networks(sizes: Mapping[str, int], fit_per: str) -> int:
    """How many networks are trained, one for each channel or one for each plane."""
    return planes(sizes) if fit_per == "plane" else sizes.get("ch", 1)


def times_applied(uncertainty: bool) -> int:
    """How often a model is applied, with or without the uncertainty of its result."""
    return 1 + ROUNDS * uncertainty


def sampled(sizes: Mapping[str, int], fit_per: str, most: int) -> int:
    """Pixels that each network is fitted to, of which there are `most` at most."""
    there = pixels(sizes) * (planes(sizes) // networks(sizes, fit_per))
    return max(pixels(sizes), min(there, most))

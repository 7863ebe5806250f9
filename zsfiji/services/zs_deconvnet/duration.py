"""How long the commands of ZS-DeconvNet take; see :mod:`zsfiji.services.duration`."""

from __future__ import annotations

from collections.abc import Mapping

from zsfiji.services import duration as common
from zsfiji.services.zs_deconvnet.settings import FEWEST_SLICES, Settings

_STEP = {("fast", 2): 0.11, ("published", 2): 8.1, ("fast", 3): 0.58, ("published", 3): 48.0}
"""A step of training, by network and number of axes, for an upsampling of 2."""

_BEFORE = {2: 12.0, 3: 50.0}
"""Measuring the noise and the first deconvolutions, before and between the steps."""

_RESTORING = {
    ("fast", 2): 8e-6,
    ("published", 2): 5.8e-4,
    ("fast", 3): 7e-5,
    ("published", 3): 2e-3,
}
"""Both results, for a pixel of the image; that of the published network for stacks is a guess."""

_COARSE = 0.75
"""Share of the work that an upsampling of 1 leaves."""


def seconds(sizes: Mapping[str, int], settings: Settings, *, applied: int) -> float:
    """Estimate the time on the reference computer.

    Parameters
    ----------
    sizes : mapping
        Axis -> length of the image.
    settings : Settings
        The settings. Where the PSF decides on the dimensions, it is taken for a stack.
    applied : int
        How often it is applied.
    """
    slices, dimensions = sizes.get("pln", 1), settings.dimensions
    deep = dimensions == "3d" or (dimensions == "auto" and slices >= FEWEST_SLICES)
    axes = 3 if deep else 2
    parts = {k: n for k, n in sizes.items() if k != "pln"} if deep else sizes
    one = _BEFORE[axes] + settings.planned_steps(axes) * _STEP[settings.kind, axes]
    found = one * common.networks(parts, settings.fit_per)
    pixels = common.pixels(sizes) * common.planes(sizes)
    found += applied * _RESTORING[settings.kind, axes] * pixels
    return common.START + found * (1.0 if settings.upsample == 2 else _COARSE)

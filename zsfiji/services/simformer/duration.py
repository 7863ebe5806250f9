"""How long SIMFormer takes; see :mod:`zsfiji.services.duration`."""

from __future__ import annotations

from collections.abc import Mapping

from zsfiji.services import duration as common
from zsfiji.services.blind_sim.duration import fitting
from zsfiji.services.simformer.settings import FINE_STEPS, OWN
from zsfiji.services.zero_shot_sim import duration as zero_shot_sim

_FINDING = 2.0
"""Finding patterns and optics, for each stack. Measured."""

_NETWORK, _STUDENT = 1.2e-5, 4e-6
"""Networks, per raw pixel. Measured with 512 x 112 pixels."""

_STARTS, _ALONE = 4, 2
"""Starts that are compared, with a network of the image's own and without."""

_STEP = 0.33
"""A step of the compact network. Measured."""


def reconstructing(
    sizes: Mapping[str, int],
    *,
    fit: bool,
    own_network: bool = False,
    student: bool = False,
    applied: int = 1,
) -> float:
    """Estimate the time of a reconstruction on the reference computer.

    Parameters
    ----------
    sizes : mapping
        Axis -> length of the image, as it was opened: patterns may be slices or frames of it.
    fit : bool
        Whether it is fitted to the frames.
    own_network : bool
        Whether a network learns from the image for that.
    student : bool
        Whether the network is that of SIMFormer+.
    applied : int
        How often it is applied, each time but the first one to a simulated capture.
    """
    pixels, stacks = common.pixels(sizes), common.raw_stacks(sizes)
    each = applied * (_FINDING + (_STUDENT if student else _NETWORK) * pixels)
    if fit:
        each += fitting(pixels, _STARTS if own_network else _ALONE)
        each += (applied - 1) * fitting(pixels, None)
    found = common.START + stacks * each
    if own_network:
        found += zero_shot_sim.seconds(sizes, OWN, train=True, applied=2) - common.START
    return found


def fine_tuning(sizes: Mapping[str, int], steps: int) -> float:
    """Estimate the time of a training on one image on the reference computer."""
    return common.START + _FINDING * common.raw_stacks(sizes) + _STEP * (steps or FINE_STEPS)

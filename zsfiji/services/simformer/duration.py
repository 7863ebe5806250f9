"""How long SIMFormer takes; see :mod:`zsfiji.services.duration`."""

from __future__ import annotations

from collections.abc import Mapping

from zsfiji.services import duration as common
from zsfiji.services.simformer.settings import FINE_STEPS

_FINDING = 2.0
"""Finding patterns and optics, for each stack. Measured."""

_NETWORK, _STUDENT = 1.2e-5, 4e-6
"""Networks, per raw pixel. Measured with 512 x 112 pixels."""

_FIT = 4e-4
"""The fit to the frames, per raw pixel. A guess from 84 iterations and their counting at
64 x 64 pixels."""

_STEP = 0.33
"""A step of the compact network. Measured."""


def reconstructing(sizes: Mapping[str, int], *, fit: bool, student: bool = False) -> float:
    """Estimate the time of a reconstruction on the reference computer.

    Parameters
    ----------
    sizes : mapping
        Axis -> length of the image, as it was opened: patterns may be slices or frames of it.
    fit : bool
        Whether it is fitted to the frames.
    student : bool
        Whether the network is that of SIMFormer+.
    """
    each = (_STUDENT if student else _NETWORK) + (_FIT if fit else 0.0)
    return common.START + common.raw_stacks(sizes) * (_FINDING + each * common.pixels(sizes))


def fine_tuning(sizes: Mapping[str, int], steps: int) -> float:
    """Estimate the time of a training on one image on the reference computer."""
    return common.START + _FINDING * common.raw_stacks(sizes) + _STEP * (steps or FINE_STEPS)

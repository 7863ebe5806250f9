"""How long ``Zero-Shot Deconvolve...`` takes; see :mod:`zsfiji.services.duration`."""

from __future__ import annotations

from collections.abc import Mapping

from zsfiji.services.deconvolve.settings import FAST_PLANES, KIND, Settings
from zsfiji.services.two_stage import duration as common
from zsfiji.services.two_stage.duration import Costs

_COSTS = {
    (KIND, 2): Costs(2.0, 0.06, 8e-6, 5e-5, FAST_PLANES.field**2),
    (KIND, 3): Costs(50.0, 0.58, 7e-5),
}


def seconds(sizes: Mapping[str, int], settings: Settings, *, train: bool, applied: int) -> float:
    """Estimate the time on the reference computer.

    Parameters
    ----------
    sizes : mapping
        Axis -> length of the image.
    settings : Settings
        The settings.
    train : bool
        Whether a network is trained, and not only applied.
    applied : int
        How often it is applied.
    """
    return common.seconds(sizes, settings, _COSTS, train=train, applied=applied)

"""How long the commands of ZS-DeconvNet take; see :mod:`zsfiji.services.duration`."""

from __future__ import annotations

from collections.abc import Mapping

from zsfiji.services.two_stage import duration as common
from zsfiji.services.two_stage.duration import Costs
from zsfiji.services.zs_deconvnet.settings import Settings

_COSTS = {
    ("compact", 2): Costs(3.0, 0.225, 2.5e-5),
    ("compact", 3): Costs(3.0, 2.9, 2e-5),
    ("published", 2): Costs(3.0, 8.1, 1.5e-4),
    ("published", 3): Costs(3.0, 48.0, 5e-4),
}
"""By kind and axes. What the published network for stacks takes for a result is a guess."""


def seconds(sizes: Mapping[str, int], settings: Settings, *, applied: int) -> float:
    """Estimate the time on the reference computer.

    Parameters
    ----------
    sizes : mapping
        Axis -> length of the image.
    settings : Settings
        The settings.
    applied : int
        How often the network is applied.
    """
    return common.seconds(sizes, settings, _COSTS, applied=applied)

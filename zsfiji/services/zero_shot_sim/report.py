"""What a user should know about what the network did."""

from __future__ import annotations

from collections.abc import Sequence

from zsfiji.services.sim.calibration import Calibration
from zsfiji.services.zero_shot_sim.applying import RINGS
from zsfiji.services.zero_shot_sim.restorer import Record

_DOUBTFUL = 0.5
"""Share of the network's changes below which detail is not to be believed."""


def said(records: Sequence[Record]) -> tuple[tuple[str, ...], dict[str, float]]:
    """Say how much of what the network changed the data support.

    Returns
    -------
    tuple of str, dict
        Sentences and metrics.
    """
    notes: list[str] = []
    for number, record in enumerate(records):
        low = [ring for ring, share in enumerate(record.support) if share < _DOUBTFUL]
        if not low:
            continue
        reach = Calibration(record.calibration).reach
        period = 1000 * record.calibration.pixel * RINGS / (max(low[0], 1) * reach)
        name = f"Channel {number + 1}: " if len(records) > 1 else ""
        notes.append(
            f"{name}Detail finer than {period:.0f} nm that the network added does not come again "
            "with other noise. It was damped; acquire the image with more light to see it."
        )
    first = records[0]
    metrics = {
        "support": min(first.support),
        "gain": first.calibration.gain,
        "read_variance": first.calibration.read_variance,
    }
    return tuple(notes), metrics

"""What a user should know about what the network did."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

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
        limit = doubtful_from(record)
        if limit is None:
            continue
        period = 1000 * record.calibration.pixel / limit
        name = f"Channel {number + 1}: " if len(records) > 1 else ""
        notes.append(name + doubt(f"{period:.0f} nm"))
    first = records[0]
    metrics = {
        "support": min(first.support),
        "gain": first.calibration.gain,
        "read_variance": first.calibration.read_variance,
    }
    return tuple(notes), metrics


def doubtful_from(record: Record) -> float | None:
    """Frequency in cycles per pixel from which on the data do not support the network, or None.

    Single rings say nothing: where the network changes next to nothing, or in small images, they
    are low by chance. So it is the first low ring from which on most are.
    """
    low = np.asarray(record.support) < _DOUBTFUL
    reach = Calibration(record.calibration).reach
    for ring in np.flatnonzero(low):
        if low[ring:].mean() > 0.5:
            return max(int(ring), 1) * reach / RINGS
    return None


def doubt(length: str) -> str:
    """Say so, with the length that belongs to that frequency."""
    return (
        f"Detail finer than {length} that the network added does not come again with other noise. "
        "It was damped; acquire the image with more light to see it."
    )

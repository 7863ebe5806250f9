"""Pixels that the detector cut off at its largest value."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def find_saturation(planes: Sequence[np.ndarray]) -> tuple[float | None, float]:
    """Tell whether the brightest pixels were cut off.

    Parameters
    ----------
    planes : sequence of numpy.ndarray
        The planes, of one detector.

    Returns
    -------
    value : float or None
        The value that they were cut off at; None if they were not.
    share : float
        Share of all pixels that have it.
    """
    top = max(float(p.max()) for p in planes)
    low = min(float(p.min()) for p in planes)
    if top == low:
        return None, 0.0
    count = sum(int(np.count_nonzero(p == top)) for p in planes)
    # An uncut histogram thins out towards its end; a cut one piles up there.
    near = top - 0.02 * (top - low)
    below = sum(int(np.count_nonzero((p >= near) & (p < top))) for p in planes)
    if count < 8 or count <= below:
        return None, 0.0
    return top, count / sum(p.size for p in planes)

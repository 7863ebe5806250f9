"""Saturated pixels: those that the detector clipped at its largest value.

The limits of :func:`find_saturation` (8 pixels, the upper 2 percent of the range) are those of a
prototype; they were not tuned.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def find_saturation(planes: Sequence[np.ndarray]) -> tuple[float | None, float]:
    """Find out whether the brightest pixels are saturated.

    Parameters
    ----------
    planes : sequence of numpy.ndarray
        The planes, all from one detector.

    Returns
    -------
    value : float or None
        The value at which they were clipped; None if they are not saturated.
    share : float
        Share of all pixels that have this value.
    """
    top = max(float(p.max()) for p in planes)
    low = min(float(p.min()) for p in planes)
    if top == low:
        return None, 0.0
    count = sum(int(np.count_nonzero(p == top)) for p in planes)
    # A histogram becomes thin towards its upper end; a clipped one has a peak there.
    near = top - 0.02 * (top - low)
    below = sum(int(np.count_nonzero((p >= near) & (p < top))) for p in planes)
    if not below:
        # Images of few photons have no other value as near: then the next lower one counts.
        lower = max(float(p[p < top].max(initial=low)) for p in planes)
        below = sum(int(np.count_nonzero(p == lower)) for p in planes)
    if count < 8 or count <= below:
        return None, 0.0
    return top, count / sum(p.size for p in planes)

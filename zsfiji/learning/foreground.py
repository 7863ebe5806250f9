"""Find pixels with structure, on which training patches are centred.

The published rule, see docs/methods/zs-deconvnet.md, 1.3.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

_FINE, _COARSE = 3.0, 50.0
"""Standard deviations in pixels of the two Gaussians, as published."""

_SHARE = 0.07
"""Threshold relative to the maximum of their difference, as published."""

_LEAST = 200
"""Least number of pixels; the threshold is lowered for it. The published program takes 1000. Not
tuned."""

_MOST = 100_000
"""Most pixels of all planes together: bounds the memory. Not tuned."""


def centres(planes: list[np.ndarray], elsewhere: float) -> torch.Tensor:
    """Choose pixels that training patches may be centred on.

    The foreground is where a difference of Gaussians of 3 and 50 pixels is above 7 percent of its
    maximum, or the 200 pixels with the highest values (docs/methods/zs-deconvnet.md, 1.3).

    Parameters
    ----------
    planes : list of numpy.ndarray
        float32 (row, col), all of one size.
    elsewhere : float
        Share of pixels that are drawn from the whole plane instead, so that the background is
        learnt too; less than 1.

    Returns
    -------
    torch.Tensor
        Integers (places, 3): plane, row, column.
    """
    draws = np.random.default_rng(0)
    most = _MOST // len(planes) + 1
    places = []
    for number, plane in enumerate(planes):
        contrast = gaussian_filter(plane, _FINE) - gaussian_filter(plane, _COARSE)
        wanted = min(_LEAST, contrast.size // 4)
        enough = float(np.partition(contrast.ravel(), -wanted)[-wanted])
        level = min(_SHARE * float(contrast.max()), enough)
        found = np.argwhere(contrast >= level)
        if len(found) > most:
            found = found[draws.choice(len(found), most, replace=False)]
        places.append(np.column_stack([np.full(len(found), number), found]))
    chosen = np.concatenate(places)
    extra = int(len(chosen) * elsewhere / (1 - elsewhere))
    limits = (len(planes), *planes[0].shape)
    anywhere = np.column_stack([draws.integers(0, n, extra) for n in limits])
    return torch.from_numpy(np.concatenate([chosen, anywhere]).astype(np.int64))

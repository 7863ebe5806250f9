"""Which part of a large raw image is looked at: the one with most structure."""

from __future__ import annotations

import torch
from torch.nn.functional import avg_pool2d

from zsfiji.images.middle import middle

_PIXEL = 2
"""Pixels that are averaged along rows and columns before the search: the finest detail stays."""

_AROUND = 9
"""Edge in these pixels of the surroundings from which detail differs. Not tuned."""

_OVER_NOISE = 4.0
"""Median absolute differences below which a difference is taken for noise."""

_STEP = 8
"""Places of the window to its length, along rows and along columns."""

_WORTH = 1.5
"""Structure over that of the middle from which another place is taken. Not tuned."""


def with_structure(stack: torch.Tensor, side: int) -> tuple[slice, slice]:
    """Find the part of a raw image that shows most structure.

    Parameters
    ----------
    stack : torch.Tensor
        float32 (..., row, col), the background taken off.
    side : int
        Longest edge of the part, in pixels.

    Returns
    -------
    slice, slice
        Rows and columns: the middle, unless there is much more structure elsewhere.
    """
    rows, cols = (int(n) for n in stack.shape[-2:])
    inside = middle((rows, cols), side)
    usual = (slice(*inside[0].indices(rows)[:2]), slice(*inside[1].indices(cols)[:2]))
    if max(rows, cols) <= side:
        return usual
    # The root makes the noise of photons the same everywhere.
    mean = stack.reshape(-1, rows, cols).mean(0).clamp_min(0).sqrt()
    small = avg_pool2d(mean[None], _PIXEL)
    around = avg_pool2d(small, _AROUND, 1, _AROUND // 2, count_include_pad=False)
    differences = (small - around)[0].abs()
    found = (differences - _OVER_NOISE * differences.median()).clamp_min(0).double()
    # One bright pixel is no structure.
    found = torch.minimum(found, found.flatten().topk(_AROUND).values[-1])
    total = torch.nn.functional.pad(found.cumsum(0).cumsum(1), (1, 0, 1, 0)).cpu()

    def structure(part: tuple[slice, slice]) -> float:
        (top, left), (bottom, right) = (
            [edge // _PIXEL for edge in edges]
            for edges in zip(*((cut.start, cut.stop) for cut in part), strict=True)
        )
        return float(
            total[bottom, right] - total[top, right] - total[bottom, left] + total[top, left]
        )

    step = max(side // _STEP, 1)
    places = [
        (slice(top, min(top + side, rows)), slice(left, min(left + side, cols)))
        for top in {*range(0, max(rows - side, 0), step), max(rows - side, 0)}
        for left in {*range(0, max(cols - side, 0), step), max(cols - side, 0)}
    ]
    best = max(places, key=structure)
    return best if structure(best) > _WORTH * structure(usual) else usual

"""Non-local means: averaging of pixels with similar surroundings, in growing neighbourhoods.

After Kervrann and Boulanger, IEEE TIP 15 (2006) 2866: each pass compares patches of the previous
result, in units of its remaining variance, and averages the noisy pixels of a window twice as wide.
Their choice of the window for each pixel changed none of our results by more than 0.01 dB and is
left out.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from zsfiji.compute.tiling import by_tiles

REACHES = (1, 2, 4)
"""Half-widths of the windows in the passes, each twice the previous one. Not tuned."""

_RADIUS = 3
"""Half-width of the patches that are compared: 7 x 7 pixels, as usual. Not tuned."""

_SIMILAR = 0.85
"""Mean squared difference, in variances, at which the weight of a pixel has fallen to 1/e.

Two patches of the same structure have 1 on average. The result is the same within 0.03 dB for 0.65
to 1.1.
"""

MARGIN = sum(REACHES) + len(REACHES) * _RADIUS
"""Pixels around a pixel on which its result depends."""

_TILE = 512
"""Edge of a tile in pixels: bounds the memory, no result depends on it."""


def patch_denoise(
    plane: torch.Tensor, *, strength: float = 1.0, label: str | None = None
) -> torch.Tensor:
    """Denoise a stabilised plane.

    Parameters
    ----------
    plane : torch.Tensor
        Shape (height, width), white noise of standard deviation 1, on any device.
    strength : float
        Factor on the standard deviation of the noise.
    label : str, optional
        What to report to the user as progress; without it nothing is reported.

    Returns
    -------
    torch.Tensor
        float32, of the same shape and on the same device.
    """

    def work(tile: torch.Tensor) -> torch.Tensor:
        return _passes(tile[0] / strength)[None] * strength

    return by_tiles(work, plane[None], tile=_TILE, margin=MARGIN, label=label)[0]


def _passes(noisy: torch.Tensor) -> torch.Tensor:
    estimate, uncertain = noisy, torch.ones_like(noisy)
    for reach in REACHES:
        estimate, uncertain = _average(noisy, estimate, uncertain, reach)
    return estimate


def _average(
    noisy: torch.Tensor, estimate: torch.Tensor, uncertain: torch.Tensor, reach: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Average over windows of ``2 reach + 1`` pixels; gives the result and its variance."""
    height, width = noisy.shape
    # A pair of pixels has one weight, so half of the shifts are enough.
    shifts = [
        (row, col)
        for row in range(reach + 1)
        for col in range(-reach, reach + 1)
        if row > 0 or col > 0
    ]
    # A pixel has the weight that another one with the same surroundings would have. With a weight
    # of 1 a pixel that stands out would be kept unchanged.
    own = math.exp(-1 / _SIMILAR)
    total, weights = own * noisy, torch.full_like(noisy, own)
    squares = torch.full_like(noisy, own**2)
    inside = {
        (row, abs(col)): 1 / _box_sum(noisy.new_ones(height - row, width - abs(col)))
        for row, col in shifts
        if row < height and abs(col) < width
    }
    for row, col in shifts:
        here = (slice(0, height - row), slice(max(0, -col), width - max(0, col)))
        there = (slice(row, height), slice(max(0, col), width - max(0, -col)))
        if height <= row or width <= abs(col):
            continue
        difference = (estimate[here] - estimate[there]).square_()
        difference /= uncertain[here] + uncertain[there]
        mean = _box_sum(difference).mul_(inside[row, abs(col)])
        weight = mean.mul_(-1 / _SIMILAR).exp_()
        square = weight.square()
        for at, other in ((here, there), (there, here)):
            total[at] += weight * noisy[other]
            weights[at] += weight
            squares[at] += square
    return total / weights, squares / weights.square()


def _box_sum(values: torch.Tensor) -> torch.Tensor:
    """Sum over a patch around each pixel; at the border over the part inside the image."""
    # Sums of pairs of sums: pooling in torch adds all pixels of each patch, ten times as slowly.
    reach = 2 * _RADIUS
    for axis in (0, 1):
        pad = (0, 0, _RADIUS, _RADIUS) if axis == 0 else (_RADIUS, _RADIUS)
        one = F.pad(values, pad)
        length = values.shape[axis]
        two = one.narrow(axis, 0, length + reach - 1) + one.narrow(axis, 1, length + reach - 1)
        four = two.narrow(axis, 0, length + reach - 3) + two.narrow(axis, 2, length + reach - 3)
        values = four.narrow(axis, 0, length) + two.narrow(axis, 4, length)
        values += one.narrow(axis, 6, length)
    return values

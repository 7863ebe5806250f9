"""Apply a function that needs tiles of a fixed size, and blend the tiles where they overlap.

Functions without a limited receptive field, such as transformers with learnt places, give each tile
another result near its rims. There is no margin that could be cut off, so neighbouring tiles are
averaged with smooth weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from zsfiji import progress
from zsfiji.compute.tiling import pad_mirrored

_LEAST = 1e-3
"""Weight at the very rim of a tile, where there may be no other one."""


def by_blended_tiles(
    function: Callable[[torch.Tensor], torch.Tensor],
    plane: torch.Tensor,
    *,
    tile: int,
    overlap: float = 0.5,
    label: str | None = None,
) -> torch.Tensor:
    """Apply `function` to tiles of one size.

    Parameters
    ----------
    function : callable
        Takes (channels, tile, tile), and gives any number of channels on a grid that is an integer
        multiple of that.
    plane : torch.Tensor
        (channels, row, col). One that is smaller than a tile is continued as its mirror image.
    tile : int
        Edge of a tile in pixels.
    overlap : float
        Least share of a tile that it has in common with the next one, from 0 to less than 1.
    label : str, optional
        What to report as progress; nothing without it.

    Returns
    -------
    torch.Tensor
        (channels of the result, scale row, scale col), without a gradient: means with Hann windows
        as weights.

    Raises
    ------
    Cancelled
        If the user asked to stop.
    """
    height, width = plane.shape[-2:]
    rows, cols = (_starts(n, tile, overlap) for n in (height, width))
    whole = pad_mirrored(plane, tile)
    total = weights = torch.empty(0)
    with torch.inference_mode():
        for number, (top, left) in enumerate((r, c) for r in rows for c in cols):
            progress.stop_if_cancelled()
            found = function(whole[:, top : top + tile, left : left + tile]).float()
            scale = found.shape[-1] // tile
            if not len(total):
                shape = (scale * int(whole.shape[-2]), scale * int(whole.shape[-1]))
                total = found.new_zeros(found.shape[0], *shape)
                weights = found.new_zeros(shape)
                window = _hann(scale * tile).to(found)
            down, across = (slice(scale * s, scale * (s + tile)) for s in (top, left))
            total[:, down, across] += found * window
            weights[down, across] += window
            if label is not None:
                progress.report((number + 1) / (len(rows) * len(cols)), label)
    # A tensor made in inference mode cannot be used in a training; a clone outside of it can.
    return (total / weights)[:, : scale * height, : scale * width].clone()


def _starts(length: int, tile: int, overlap: float) -> list[int]:
    """First pixels of tiles, spaced evenly."""
    if length <= tile:
        return [0]
    count = 1 + math.ceil((length - tile) / max(1.0, (1 - overlap) * tile))
    return [round(n * (length - tile) / (count - 1)) for n in range(count)]


def _hann(size: int) -> torch.Tensor:
    """Weights (size, size), symmetric."""
    edge = torch.sin(math.pi * (torch.arange(size) + 0.5) / size).square()
    return torch.outer(edge, edge).clamp_min(_LEAST)

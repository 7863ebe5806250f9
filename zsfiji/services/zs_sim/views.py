"""Four views of an image: every second pixel of every second row, brought back to full size.

Each view has noise of its own, because no pixel is in two of them. It is enlarged by doubling its
pixels (blocks of 2 x 2), and the blocks are moved *to where the pixels are*: exactly by half a
pixel up or down and left or right. Without the move the views would be displaced against each
other by a pixel (docs/methods/zs-sim.md, 2).
"""

from __future__ import annotations

from typing import NamedTuple

import torch


class Offset(NamedTuple):
    """First row and first column of a view: 0 or 1."""

    row: int
    col: int


OFFSETS = (Offset(0, 0), Offset(1, 0), Offset(1, 1), Offset(0, 1))
"""The four views, each beside the next one."""

PAIRS = tuple((i, j) for i in range(4) for j in range(i + 1, 4))
"""All pairs of two views."""

PAIRS_OF_OTHER_ROWS = tuple((i, j) for i, j in PAIRS if OFFSETS[i].row != OFFSETS[j].row)
"""Pairs without a common row: noise along the rows of a scanned image is not the same in both."""

PAIRS_OF_OTHER_COLUMNS = tuple((i, j) for i, j in PAIRS if OFFSETS[i].col != OFFSETS[j].col)
"""Pairs without a common column."""

_REACH = 6
"""Pixels of a view on each side that an interpolated value is made of: less than 1 % is beyond."""


def views(image: torch.Tensor) -> torch.Tensor:
    """Give the four views of images.

    Parameters
    ----------
    image : torch.Tensor
        Shape (..., row, col), at least two of each; odd numbers are possible.

    Returns
    -------
    torch.Tensor
        Shape (4, ..., row, col), in the order of :data:`OFFSETS`. Beyond its first and last pixels
        a view has the value of the nearest one.
    """
    return torch.stack([view(image, offset) for offset in OFFSETS])


def view(image: torch.Tensor, offset: Offset) -> torch.Tensor:
    """One view of images (..., row, col), of the same shape."""
    rows, cols = image.shape[-2:]
    taken = image[..., offset.row :: 2, offset.col :: 2]
    tall = _enlarged(taken.transpose(-1, -2), offset.row, rows).transpose(-1, -2)
    return _enlarged(tall, offset.col, cols)


def _enlarged(samples: torch.Tensor, first: int, length: int) -> torch.Tensor:
    """Values at the pixels 0 to `length` along the last axis, of samples at every second one."""
    pixel = torch.arange(length, device=samples.device) - first
    near = pixel.div(2, rounding_mode="floor")
    result: torch.Tensor | None = None
    total = torch.zeros(length, device=samples.device)
    for tap in range(1 - _REACH, 1 + _REACH):
        weight = _weight(pixel - 2 * (near + tap))
        there = samples[..., (near + tap).clamp(0, samples.shape[-1] - 1)] * weight
        result, total = there if result is None else result + there, total + weight
    assert result is not None
    return result / total


def _weight(distance: torch.Tensor) -> torch.Tensor:
    """Weight of a sample at a whole distance in pixels of the image.

    A block of two pixels has the transfer ``cos(pi f)`` and lies half a pixel beside its sample.
    This is the filter with that transfer and without that shift, times a window.
    """
    n = distance.float()
    sign = 1 - 2 * (distance.abs() % 2).float()
    window = 1 - (n / (2 * _REACH + 1)).square()
    return sign / (1 - 4 * n.square()) * window

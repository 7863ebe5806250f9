"""Points in real space that serve for bands, fewer than the pixels of the image.

The bands of an image end at the cut-off of the lens, so that their products need no more points
than the band of the product has frequencies.
"""

from __future__ import annotations

import math

import torch
from scipy.fft import next_fast_len

from zsfiji.physics.sim.optics import RadialTransfer, plane_waves

FARTHEST = 1.25
"""Highest frequency of a pattern over the cut-off that is searched (TIRF: above 1)."""


def grid(shape: tuple[int, int], transfer: RadialTransfer) -> tuple[int, int]:
    """Points in real space that a product of two bands needs to be correlated without aliases."""
    rows, cols = (
        int(next_fast_len(math.ceil((2 + FARTHEST) * transfer.cutoff * n) + 2)) for n in shape
    )
    return rows, cols


def points_along(side: int, points: int) -> torch.Tensor:
    """Places of so many points along a side of the image, in pixels: float64 (points,)."""
    return torch.arange(points, dtype=torch.float64) * (side / points)


def moved(image: torch.Tensor, vector: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    """An image on points, times the wave of a wave vector: its spectrum moves by that.

    Parameters
    ----------
    image : torch.Tensor
        Complex (row, col), on the points of a :func:`grid`.
    vector : torch.Tensor
        float64 (2,), in cycles per pixel.
    shape : (int, int)
        Rows and columns of the image in pixels.
    """
    rows, cols = (
        points_along(side, points).to(image.device)
        for side, points in zip(shape, image.shape, strict=True)
    )
    return image * plane_waves(vector, rows[:, None], cols[None, :])

"""Overlapping blocks of an image, as DCT coefficients, in which noise is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn


@dataclass(frozen=True)
class Blocks:
    """Blocks from all over the planes.

    Attributes
    ----------
    mean : numpy.ndarray
        Mean value of each block, float64 (blocks,).
    energy : numpy.ndarray
        Squared orthonormal DCT coefficients, float32 (blocks, size, size).
    uncut : float
        Share of the blocks that have no saturated pixels; only those were taken.
    """

    mean: NDArray[np.float64]
    energy: NDArray[np.float32]
    uncut: float = 1.0

    def __len__(self) -> int:
        return len(self.mean)

    def where(self, chosen: NDArray[np.bool_]) -> Blocks:
        """Some of the blocks."""
        return Blocks(self.mean[chosen], self.energy[chosen], self.uncut)


def blocks(
    planes: Sequence[np.ndarray],
    size: int,
    *,
    apart: int,
    most: int,
    saturation: float | None = None,
    tolerated: float = 0.0,
    fewest: int = 16,
) -> Blocks:
    """Take overlapping blocks.

    Parameters
    ----------
    planes : sequence of numpy.ndarray
        Shapes (row, col), at least `size` pixels each way.
    size : int
        Edge of the blocks in pixels.
    apart : int
        Distance of neighbouring blocks in pixels; larger where there would be too many.
    most : int
        How many blocks to take from all planes together, about.
    saturation : float, optional
        Blocks with pixels of this value or more are left out, if others are left.
    tolerated : float
        Share of a block's pixels that may be saturated.
    fewest : int
        Number of unsaturated blocks that count as enough.

    Returns
    -------
    Blocks
        The blocks.
    """
    share = max(most // len(planes), 16)
    parts = []
    for plane in planes:
        step = apart
        while (plane.shape[0] // step) * (plane.shape[1] // step) > share:
            step += 1
        view = np.lib.stride_tricks.sliding_window_view(plane, (size, size))[::step, ::step]
        parts.append(view.reshape(-1, size, size).astype(np.float32))
    values = np.concatenate(parts)
    uncut = 1.0
    if saturation is not None:
        free = (values >= saturation).mean((1, 2)) <= tolerated
        if free.sum() >= fewest:
            values, uncut = values[free], float(free.mean())
    # Without subtraction a large mean would cost the coefficients their precision in float32.
    mean = values.mean((1, 2), dtype=np.float64)
    energy = dctn(values - mean[:, None, None].astype(np.float32), axes=(1, 2), norm="ortho")
    energy *= energy
    return Blocks(mean, energy, uncut)

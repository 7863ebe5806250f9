"""A cell as a perfect camera would see it: the demo's specimen, in pixels."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

_STEP = 0.25
"""Distance in pixels between the points of a filament, which are counted in each pixel. Not
tuned."""


def cell(size: int = 256, *, filaments: int = 40, vesicles: int = 60, seed: int = 0) -> np.ndarray:
    """Brightness of a cell with cytoskeleton and vesicles, as a perfect camera would see it.

    Filaments are smooth random curves, vesicles discs of 1 to 3 pixels radius, over a smooth
    haze; a Gaussian stands for the PSF. All numbers were chosen by eye.

    Parameters
    ----------
    size : int
        Rows and columns in pixels.
    filaments, vesicles : int
        How many of each.
    seed : int
        Seed of the random numbers.

    Returns
    -------
    numpy.ndarray
        float32 (row, col), 0.02 (background) to 1.
    """
    rng = np.random.default_rng(seed)
    image = np.zeros((size, size))
    for _ in range(filaments):
        length = int(rng.uniform(0.4, 1.2) * size / _STEP)
        heading = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.012, length))
        rows = rng.uniform(0, size) + _STEP * np.cumsum(np.sin(heading))
        cols = rng.uniform(0, size) + _STEP * np.cumsum(np.cos(heading))
        counts, _, _ = np.histogram2d(rows, cols, bins=size, range=[[0, size], [0, size]])
        image += rng.uniform(0.5, 1.5) * _STEP * counts
    row, col = np.mgrid[:size, :size]
    for _ in range(vesicles):
        distance = np.hypot(row - rng.uniform(0, size), col - rng.uniform(0, size))
        image += rng.uniform(0.3, 1.0) * np.clip(rng.uniform(1, 3) + 0.5 - distance, 0, 1)
    image = gaussian_filter(image, 1.2)
    image += 0.3 * gaussian_filter(image, size / 12)
    image /= np.percentile(image, 99.9)
    return np.clip(0.02 + 0.98 * image, 0, 1).astype(np.float32)

"""Draw structures, given as points in nanometres, on a grid of any pixel size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

STEP = 15.65
"""Distance in nm between the points of a line: less than its width, so that it is smooth."""


@dataclass(frozen=True)
class Grid:
    """A grid that specimens are drawn on.

    Attributes
    ----------
    shape : tuple of int
        (row, col), or (pln, row, col).
    pixel, slice_spacing : float
        Size of a pixel along rows and columns, and distance of the slices, in nm.
    """

    shape: tuple[int, ...]
    pixel: float
    slice_spacing: float

    @property
    def spacing(self) -> NDArray[np.float64]:
        """Size of a pixel in nm along each axis."""
        return np.array((self.slice_spacing, self.pixel, self.pixel)[-len(self.shape) :])

    @property
    def size(self) -> NDArray[np.float64]:
        """Rows and columns in nm."""
        return np.array(self.shape[-2:]) * self.pixel

    @property
    def depth(self) -> float:
        """Depth of a stack in nm; 0 for a plane."""
        return self.shape[0] * self.slice_spacing if len(self.shape) == 3 else 0.0


@dataclass(frozen=True)
class Strokes:
    """Points of equal light.

    Attributes
    ----------
    points : numpy.ndarray
        (points, 3): depth, row and column in nm from the corner of the first pixel. The depth does
        not matter on a plane.
    light : float
        Light of each point.
    width : float
        Standard deviation in nm of the Gaussian that each point is.
    """

    points: NDArray[np.float64]
    light: float
    width: float


def draw(strokes: Iterable[Strokes], grid: Grid) -> NDArray[np.float64]:
    """Draw points: the light of each pixel, per square nanometre.

    Parameters
    ----------
    strokes : iterable of Strokes
        What is drawn.
    grid : Grid
        Where.

    Returns
    -------
    numpy.ndarray
        The shape of the grid. Points outside are left out.
    """
    total = np.zeros(grid.shape)
    by_width = sorted(strokes, key=lambda stroke: stroke.width)
    # One width after the other: a fine grid of many slices is large.
    for width, alike in groupby(by_width, key=lambda stroke: stroke.width):
        layer = np.zeros(grid.shape)
        for stroke in alike:
            _lay(layer, stroke.points, stroke.light, grid)
        total += gaussian_filter(layer, width / grid.spacing)
    return total / grid.pixel**2


def bright(image: NDArray, pixel: float, over: Sequence[float] = (0.995,)) -> NDArray[np.float64]:
    """Quantiles of the density, averaged over about 30 nm, so that the grid does not matter.

    Parameters
    ----------
    image : numpy.ndarray
        (..., row, col).
    pixel : float
        Size of a pixel in nm.
    over : sequence of float
        Which quantiles, 0 to 1.
    """
    factor = max(1, round(30 / pixel))
    rows, cols = (n - n % factor for n in image.shape[-2:])
    blocks = image[..., :rows, :cols].reshape(
        *image.shape[:-2], rows // factor, factor, cols // factor, factor
    )
    return np.quantile(blocks.mean((-3, -1)), over)


def _lay(image: NDArray, points: NDArray, light: float, grid: Grid) -> None:
    """Add points, each distributed over the nearest pixels by linear weights."""
    # The middle of the first pixel is half a pixel from the corner.
    points = points[:, -image.ndim :] / grid.spacing - 0.5
    low = np.floor(points).astype(int)
    inside = ((low >= 0) & (low < np.array(image.shape) - 1)).all(1)
    low, part = low[inside], (points - low)[inside]
    for corner in np.ndindex(*(2,) * image.ndim):
        share = np.prod(np.where(np.array(corner) == 1, part, 1 - part), axis=1)
        np.add.at(image, tuple((low + np.array(corner)).T), light * share)

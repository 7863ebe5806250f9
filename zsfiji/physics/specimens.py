"""Simulated specimens with known ground truth, to measure denoising and deconvolution on.

The sizes in :func:`specimen` are those of structures in cells, for pixels of about 30 nm: filaments
2 pixels wide, tubules 5, vesicles (shells) of 3 to 9 pixels radius, and an endoplasmic reticulum of
tubules 3 pixels wide. These and all other numbers (how many, how curved, how bright) were chosen by
eye.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from scipy.spatial import Voronoi

KINDS = ("filaments", "tubules", "vesicles", "reticulum")
"""The choices of :func:`specimen`."""

_AREA = 512.0**2
"""Area in pixels that the numbers of curves and cells in this module refer to: 512 x 512."""

_STEP = 0.5
"""Distance in pixels between the points of a curve: fine enough for smooth lines. Not tuned."""

_HAZE = 0.03
"""Density of the uniform haze, relative to the 99.5 percent quantile. Chosen by eye."""

_CELL_STEP = 0.25
"""Distance in pixels between the points of a filament of :func:`cell`, which are counted in each
pixel. Not tuned."""


def specimen(
    kind: str, shape: Sequence[int], *, seed: int = 0, flatness: float = 3.0
) -> NDArray[np.float64]:
    """Make a random distribution of fluorophores.

    Parameters
    ----------
    kind : str
        One of :data:`KINDS`.
    shape : sequence of int
        (row, col), or (pln, row, col) for a specimen with depth.
    seed : int
        Seed of the random numbers.
    flatness : float
        For a specimen with depth: the slice spacing, in pixels of the other axes.

    Returns
    -------
    numpy.ndarray
        Density of that shape, with the 99.5 percent quantile 1 above a faint haze.
    """
    draws = np.random.default_rng(seed)
    size = np.asarray(shape[-2:], dtype=float)
    depth = float(shape[0]) * flatness if len(shape) == 3 else 0.0
    number = float(np.prod(size)) / _AREA
    width = {"filaments": 0.8, "tubules": 2.0, "vesicles": 1.0, "reticulum": 1.2}[kind]
    if kind in ("filaments", "tubules"):
        curves = [_curve(draws, size, depth) for _ in range(max(2, round(38 * number)))]
    elif kind == "vesicles":
        curves = [_shell(draws, size, depth) for _ in range(max(4, round(250 * number)))]
    else:
        curves = _network(draws, size, depth, max(12, round(350 * number)))
    image = np.zeros(tuple(shape))
    for points in curves:
        _lay(image, points, draws.uniform(0.4, 1.6), flatness)
    spread = (width / flatness, width, width) if len(shape) == 3 else (width, width)
    image = gaussian_filter(image, spread)
    return image / np.quantile(image, 0.995) + _HAZE


def cell(size: int = 256, *, filaments: int = 40, vesicles: int = 60, seed: int = 0) -> np.ndarray:
    """Brightness of a cell with cytoskeleton and vesicles, as a perfect camera would see it.

    Filaments are smooth random curves, vesicles discs of 1 to 3 pixels radius, over a smooth
    haze; a Gaussian stands for the PSF.

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
        length = int(rng.uniform(0.4, 1.2) * size / _CELL_STEP)
        heading = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.012, length))
        rows = rng.uniform(0, size) + _CELL_STEP * np.cumsum(np.sin(heading))
        cols = rng.uniform(0, size) + _CELL_STEP * np.cumsum(np.cos(heading))
        counts, _, _ = np.histogram2d(rows, cols, bins=size, range=[[0, size], [0, size]])
        image += rng.uniform(0.5, 1.5) * _CELL_STEP * counts
    row, col = np.mgrid[:size, :size]
    for _ in range(vesicles):
        distance = np.hypot(row - rng.uniform(0, size), col - rng.uniform(0, size))
        image += rng.uniform(0.3, 1.0) * np.clip(rng.uniform(1, 3) + 0.5 - distance, 0, 1)
    image = gaussian_filter(image, 1.2)
    image += 0.3 * gaussian_filter(image, size / 12)
    image /= np.percentile(image, 99.9)
    return np.clip(0.02 + 0.98 * image, 0, 1).astype(np.float32)


def _curve(draws: np.random.Generator, size: NDArray, depth: float) -> NDArray:
    """A smooth random line, (points, 3): depth, row, column in fine pixels."""
    length = int(2 * size.max() / _STEP)
    # The curvature is correlated over about 16 pixels.
    kicks = gaussian_filter1d(draws.normal(size=length), 32) * 0.03
    heading = draws.uniform(0, 2 * np.pi) + np.cumsum(kicks) * _STEP * 4
    row = draws.uniform(0, size[0]) + _STEP * np.cumsum(np.sin(heading))
    col = draws.uniform(0, size[1]) + _STEP * np.cumsum(np.cos(heading))
    tilt = draws.uniform(-0.15, 0.15)
    height = draws.uniform(0, depth) + tilt * _STEP * np.arange(length)
    return np.column_stack([height, row, col])


def _shell(draws: np.random.Generator, size: NDArray, depth: float) -> NDArray:
    """The shell of a sphere, or its ring in a plane."""
    radius = draws.uniform(3, 9)
    centre = np.array([draws.uniform(0, depth), *(draws.uniform(0, size))])
    if depth == 0:
        angle = np.linspace(0, 2 * np.pi, int(16 * radius), endpoint=False)
        ring = np.column_stack([np.zeros_like(angle), np.sin(angle), np.cos(angle)])
        return centre + radius * ring
    points = draws.normal(size=(int(12 * radius**2), 3))
    return centre + radius * points / np.linalg.norm(points, axis=1, keepdims=True)


def _network(draws: np.random.Generator, size: NDArray, depth: float, cells: int) -> list[NDArray]:
    """The edges of a Voronoi diagram, wavy."""
    diagram = Voronoi(draws.uniform(0, 1, (cells, 2)) * size)
    edges = []
    for first, second in diagram.ridge_vertices:
        if min(first, second) < 0:
            continue
        a, b = diagram.vertices[first], diagram.vertices[second]
        length = float(np.hypot(*(b - a)))
        if not 1 < length < size.max() / 4:
            continue
        steps = int(length / _STEP) + 2
        line = a + (b - a) * np.linspace(0, 1, steps)[:, None]
        line = line + gaussian_filter1d(draws.normal(size=(steps, 2)), 6, axis=0) * 2
        middle = 0.5 * depth + 0.2 * depth * np.sin(line.sum(1) / 60)
        edges.append(np.column_stack([middle, line]))
    return edges


def _lay(image: NDArray, points: NDArray, strength: float, flatness: float) -> None:
    """Add points, each distributed over the nearest pixels by linear weights."""
    points = points / np.array([flatness, 1.0, 1.0]) if image.ndim == 3 else points[:, 1:]
    low = np.floor(points).astype(int)
    inside = ((low >= 0) & (low < np.array(image.shape) - 1)).all(1)
    low, part = low[inside], (points - low)[inside]
    for corner in np.ndindex(*(2,) * image.ndim):
        share = np.prod(np.where(np.array(corner) == 1, part, 1 - part), axis=1)
        np.add.at(image, tuple((low + np.array(corner)).T), strength * _STEP * share)

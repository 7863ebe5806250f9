"""The kinds of specimens.

The sizes are those of structures in cells: filaments 60 nm wide, tubules 150, vesicles (shells) of
90 to 280 nm radius, and an endoplasmic reticulum of tubules 90 nm wide. Each of these four looks
similar at neighbouring scales. The others do not: structures of mixed sizes, spots of all
brightnesses on haze, random texture with detail beyond the cut-off of a light microscope, and lines
of known distance. These and all other numbers (how many, how curved, how bright) were chosen by
eye.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import Voronoi

from zsfiji.parameters.specimens import Kind
from zsfiji.physics.specimens.drawing import STEP, Grid, Strokes, bright, draw
from zsfiji.physics.specimens.lines import crossings, line_pairs, lines_of

KINDS: tuple[str, ...] = get_args(Kind)
"""The choices of :func:`specimen`."""

_UNIT = 2 * STEP
"""Size in nm of the pixels that the first four kinds were designed on; on these pixels they are
still what they were, so that measurements can be compared."""

_AREA = (512 * _UNIT) ** 2
"""Area in square nm that the numbers of curves and cells in this module refer to."""

_WIDTHS = {"filaments": 0.8, "tubules": 2.0, "vesicles": 1.0, "reticulum": 1.2}
"""Standard deviations of the lines, in these pixels."""

_HAZE = 0.03
"""Density of the uniform haze, relative to the 99.5 percent quantile."""

_FINEST = 100.0
"""Shortest period of the texture in nm: half of the shortest that an objective of NA 1.3 passes at
525 nm."""

_COARSE = 600.0
"""Period in nm from which the texture falls with the frequency. Chosen by eye, as of chromatin."""

_FAINTEST = 1 / 16
"""Brightness of the faintest structure of mixed sizes and of the faintest spot, relative to the
brightest."""


def specimen(
    kind: str,
    shape: Sequence[int],
    *,
    seed: int = 0,
    pixel: float = 31.3,
    slice_spacing: float = 93.9,
) -> NDArray[np.float64]:
    """Make a random distribution of fluorophores.

    A field of the same size in nanometres has the same structures on every grid.

    Parameters
    ----------
    kind : str
        One of :data:`KINDS`. In a stack the lines of "pairs" and "crossings" lie in its middle.
    shape : sequence of int
        (row, col), or (pln, row, col) for a specimen with depth.
    seed : int
        Seed of the random numbers.
    pixel, slice_spacing : float
        Size of a pixel along rows and columns, and distance of the slices, in nm.

    Returns
    -------
    numpy.ndarray
        Density of that shape: 1 above a faint haze is its 99.5 percent quantile, in pixels of about
        30 nm.
    """
    draws = np.random.default_rng(seed)
    grid = Grid(tuple(shape), pixel, slice_spacing)
    if kind == "texture":
        image = _texture(draws, grid)
    elif kind == "spots":
        image = _spots(draws, grid)
    else:
        image = draw(_strokes(kind, draws, grid, seed), grid)
    # A small field may have hardly any structure, or none.
    unit = bright(image, pixel)[0] or image.max() or 1.0
    return image / unit + _HAZE


def _strokes(kind: str, draws: np.random.Generator, grid: Grid, seed: int) -> list[Strokes]:
    number = float(np.prod(grid.size)) / _AREA
    if kind == "mixed":
        return _mixed(draws, grid, number)
    if kind == "pairs":
        pairs = line_pairs(grid.size, seed)
        return [stroke for pair in pairs for stroke in lines_of(pair, grid.depth / 2)]
    if kind == "crossings":
        return crossings(grid.size, seed, grid.depth / 2)[0]
    if kind in ("filaments", "tubules"):
        curves = [_curve(draws, grid) for _ in range(max(2, round(38 * number)))]
    elif kind == "vesicles":
        radii = (
            _shell(draws, grid, 3 * _UNIT, 9 * _UNIT) for _ in range(max(4, round(250 * number)))
        )
        curves = list(radii)
    else:
        curves = _network(draws, grid, max(12, round(350 * number)))
    width = _WIDTHS[kind] * _UNIT
    # Their places were counted from the middle of the first pixel.
    first = np.array([grid.slice_spacing / 2, STEP, STEP])
    return [Strokes(points + first, draws.uniform(0.4, 1.6), width) for points in curves]


def _mixed(draws: np.random.Generator, grid: Grid, number: float) -> list[Strokes]:
    """Lines, shells and solid bodies of all sizes and brightnesses."""
    strokes = []
    for width in (20.0, 60.0, 160.0):
        for _ in range(max(1, round(16 * number))):
            # A line of twice the width has twice the light of the same density.
            light = _faint(draws) * width / 20
            strokes.append(Strokes(_curve(draws, grid), light, width))
    for _ in range(max(8, round(160 * number))):
        radius = float(np.exp(draws.uniform(np.log(60), np.log(700))))
        points = _shell(draws, grid, radius, radius)
        if draws.random() < 0.5:
            points = _filled(draws, points)
        strokes.append(Strokes(points, 2 * _faint(draws), 30.0))
    return strokes


def _faint(draws: np.random.Generator) -> float:
    """A brightness between the faintest and 1, all factors equally likely."""
    return float(np.exp(draws.uniform(np.log(_FAINTEST), 0)))


def _filled(draws: np.random.Generator, shell: NDArray) -> NDArray:
    """Points of a shell moved inwards, so that they fill it."""
    centre = shell.mean(0)
    axes = 2 if np.ptp(shell[:, 0]) == 0 else 3
    inwards = draws.random((4, len(shell), 1)) ** (1 / axes)
    return (centre + inwards * (shell - centre)).reshape(-1, 3)


def _spots(draws: np.random.Generator, grid: Grid) -> NDArray[np.float64]:
    """Spots smaller than the resolution, of all brightnesses, on uneven haze as bright as they."""
    number = float(np.prod(grid.size)) / _AREA

    def places(count: int) -> NDArray:
        return draws.uniform(0, 1, (count, 3)) * (grid.depth, *grid.size)

    spots = [Strokes(p[None], _faint(draws), 20.0) for p in places(max(8, round(400 * number)))]
    clouds = [
        Strokes(p[None], draws.uniform(60, 240), 1000.0) for p in places(max(3, round(25 * number)))
    ]
    return draw(spots + clouds, grid)


def _texture(draws: np.random.Generator, grid: Grid) -> NDArray[np.float64]:
    """Random texture like speckle: the square of a complex Gaussian field, periodic in the field.

    It is never negative, its standard deviation is about its mean, and it has all frequencies up to
    the finest, with phases that nothing can tell beyond those that are seen.
    """
    size = np.array([n * s for n, s in zip(grid.shape, grid.spacing, strict=True)])
    # The same frequencies in the same order on every grid; those of the square are twice as high.
    most = [int(n / (2 * _FINEST)) for n in size]
    orders = np.meshgrid(*(np.arange(-m, m + 1) for m in most), indexing="ij")
    frequency = np.sqrt(sum((o / n) ** 2 for o, n in zip(orders, size, strict=True)))
    waves = draws.normal(size=(2, *frequency.shape))
    amplitude = 1 / (1 + (frequency * _COARSE) ** 2)
    amplitude[frequency > 1 / (2 * _FINEST)] = 0
    spectrum = np.zeros(grid.shape, dtype=complex)
    kept = np.logical_and.reduce(
        [np.abs(o) * 2 < n for o, n in zip(orders, grid.shape, strict=True)]
    )
    # A shift by half a pixel: places are counted from the corner of the first pixel.
    shift = sum(o / n for o, n in zip(orders, grid.shape, strict=True))
    values = amplitude * (waves[0] + 1j * waves[1]) * np.exp(1j * np.pi * shift)
    spectrum[tuple(o[kept] for o in orders)] = values[kept]
    return np.square(np.abs(np.fft.ifftn(spectrum)))


def _curve(draws: np.random.Generator, grid: Grid) -> NDArray:
    """A smooth random line, (points, 3): depth, row, column in nm."""
    length = round(2 * grid.size.max() / STEP)
    # The curvature is correlated over about half a micrometre.
    kicks = gaussian_filter1d(draws.normal(size=length), 32) * 0.03
    heading = draws.uniform(0, 2 * np.pi) + np.cumsum(kicks) * 2
    row = draws.uniform(0, grid.size[0]) + STEP * np.cumsum(np.sin(heading))
    col = draws.uniform(0, grid.size[1]) + STEP * np.cumsum(np.cos(heading))
    tilt = draws.uniform(-0.15, 0.15)
    height = draws.uniform(0, grid.depth) + tilt * STEP * np.arange(length)
    return np.column_stack([height, row, col])


def _shell(draws: np.random.Generator, grid: Grid, least: float, most: float) -> NDArray:
    """The shell of a sphere of such a radius in nm, or its ring in a plane."""
    radius = draws.uniform(least, most)
    centre = np.array([draws.uniform(0, grid.depth), *(draws.uniform(0, grid.size))])
    if grid.depth == 0:
        angle = np.linspace(0, 2 * np.pi, int(16 * radius / _UNIT), endpoint=False)
        ring = np.column_stack([np.zeros_like(angle), np.sin(angle), np.cos(angle)])
        return centre + radius * ring
    points = draws.normal(size=(int(12 * (radius / _UNIT) ** 2), 3))
    return centre + radius * points / np.linalg.norm(points, axis=1, keepdims=True)


def _network(draws: np.random.Generator, grid: Grid, cells: int) -> list[NDArray]:
    """The edges of a Voronoi diagram, wavy."""
    diagram = Voronoi(draws.uniform(0, 1, (cells, 2)) * grid.size)
    edges = []
    for first, second in diagram.ridge_vertices:
        if min(first, second) < 0:
            continue
        a, b = diagram.vertices[first], diagram.vertices[second]
        length = float(np.hypot(*(b - a)))
        if not _UNIT < length < grid.size.max() / 4:
            continue
        steps = int(length / STEP) + 2
        line = a + (b - a) * np.linspace(0, 1, steps)[:, None]
        line = line + gaussian_filter1d(draws.normal(size=(steps, 2)), 6, axis=0) * 2 * _UNIT
        middle = 0.5 * grid.depth + 0.2 * grid.depth * np.sin(line.sum(1) / (60 * _UNIT))
        edges.append(np.column_stack([middle, line]))
    return edges

"""Lines of known distance: parallel pairs, and the arms of crossings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zsfiji.physics.specimens.drawing import STEP, Strokes

DISTANCES = (0.0, 80.0, 100.0, 120.0, 140.0, 160.0, 180.0, 200.0, 220.0, 240.0, 270.0, 300.0)
"""Distances in nm between the two lines of a pair; 0 is a single line. From less than half of the
resolution of an objective of high numerical aperture to 1.5 times that."""

WIDTH = 15.0
"""Standard deviation of a line in nm: about that of a labelled microtubule."""

_PAIR, _CELL = 600.0, 1000.0
"""Length of a pair, and edge of the square that each has for itself, in nm. Chosen by eye."""

_ARM, _CROSSING_CELL = 800.0, 1700.0
"""Length of an arm of a crossing, and edge of its square, in nm. Chosen by eye."""

_ANGLES = (24.0, 45.0)
"""Angles between crossing lines in degrees, at which the ends of the arms are more than 300 nm
apart."""

_ALONG = 40.0
"""Length in nm over which the distance of two arms counts as the same."""


@dataclass(frozen=True)
class LinePair:
    """A place where two lines have a known distance.

    Attributes
    ----------
    row, col : float
        The middle between the lines, in nm from the corner of the first pixel.
    angle : float
        Direction of the lines in radians, from the axis of the columns towards that of the rows.
    distance : float
        Between the lines in nm; 0 for a single line.
    length : float
        Length in nm over which they have this distance.
    """

    row: float
    col: float
    angle: float
    distance: float
    length: float

    @property
    def along(self) -> NDArray[np.float64]:
        """Unit vector (row, col) of the lines."""
        return np.array([np.sin(self.angle), np.cos(self.angle)])

    @property
    def across(self) -> NDArray[np.float64]:
        """Unit vector (row, col) from one line to the other."""
        return np.array([np.cos(self.angle), -np.sin(self.angle)])


def line_pairs(size: NDArray[np.float64], seed: int = 0) -> list[LinePair]:
    """Pairs of straight parallel lines, in random directions.

    Parameters
    ----------
    size : numpy.ndarray
        Rows and columns of the field in nm. Each square of 1000 nm has one pair.
    seed : int
        Seed of places and directions.

    Returns
    -------
    list of LinePair
        With the distances :data:`DISTANCES` in equal numbers, as far as there is room.
    """
    draws = np.random.default_rng(seed)
    middles = _middles(size, _CELL, draws)
    # The middles come in random order.
    return [
        LinePair(row, col, draws.uniform(0, np.pi), DISTANCES[n % len(DISTANCES)], _PAIR)
        for n, (row, col) in enumerate(middles)
    ]


def crossings(
    size: NDArray[np.float64], seed: int = 0, height: float = 0.0
) -> tuple[list[Strokes], list[LinePair]]:
    """Straight lines that cross, and the places where their arms have the known distances.

    Parameters
    ----------
    size : numpy.ndarray
        Rows and columns of the field in nm. Each square of 1700 nm has one crossing.
    seed : int
        Seed of places, directions and angles.
    height : float
        Depth of the lines in nm.

    Returns
    -------
    strokes : list of Strokes
        The lines.
    pairs : list of LinePair
        Two for each crossing and distance above 0: one on each side.
    """
    draws = np.random.default_rng(seed)
    strokes, pairs = [], []
    for row, col in _middles(size, _CROSSING_CELL, draws):
        bisector, half = draws.uniform(0, np.pi), np.radians(draws.uniform(*_ANGLES)) / 2
        for turn in (-half, half):
            line = LinePair(row, col, bisector + turn, 0.0, 2 * _ARM)
            strokes += lines_of(line, height)
        for distance in DISTANCES[1:]:
            away = distance / (2 * np.tan(half))
            for side in (-away, away):
                where = (row + side * np.sin(bisector), col + side * np.cos(bisector))
                pairs.append(LinePair(*where, bisector, distance, _ALONG))
    return strokes, pairs


def lines_of(pair: LinePair, height: float) -> list[Strokes]:
    """The two lines of a pair, or the single line.

    Parameters
    ----------
    pair : LinePair
        What to draw.
    height : float
        Depth in nm.
    """
    steps = np.arange(-pair.length / 2, pair.length / 2 + STEP / 2, STEP)[:, None]
    offsets = (0.0,) if pair.distance == 0 else (-pair.distance / 2, pair.distance / 2)
    strokes = []
    for offset in offsets:
        plane = np.array([pair.row, pair.col]) + steps * pair.along + offset * pair.across
        points = np.column_stack([np.full(len(plane), height), plane])
        strokes.append(Strokes(points, STEP, WIDTH))
    return strokes


def _middles(
    size: NDArray[np.float64], cell: float, draws: np.random.Generator
) -> NDArray[np.float64]:
    """Middles of squares that fill the field, in random order."""
    rows, cols = (max(1, int(n // cell)) for n in size)
    edges = np.array(size) / (rows, cols)
    grid = np.stack(np.meshgrid(np.arange(rows), np.arange(cols), indexing="ij"), -1)
    middles = (grid.reshape(-1, 2) + 0.5) * edges
    # A fraction of a pixel decides about the distance of lines on a grid: it is random.
    return draws.permutation(middles) + draws.uniform(-40, 40, middles.shape)

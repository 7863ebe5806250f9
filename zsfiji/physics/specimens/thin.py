"""The thin specimens that SIMFormer was published with, and others like them to learn from.

Curves, hollow tubes and rings of 20 to 170 nm, as its authors simulate them (Wang et al.,
arXiv:2511.22053): Bezier curves of 3 to 5 points, the walls of Bezier tubes, and ellipses of six
arcs of different brightness. Mixtures, dots and blobs are our own. They are drawn without
anti-aliasing on a grid of about 5 nm and averaged to the wanted one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

THIN_KINDS = ("curve", "tube", "ring", "mixture", "dots", "blobs")
"""The choices of :func:`thin_specimen`. The first three are the published ones."""

_UNIT = 62.6 / 6
"""Pixel in nm of the published drawings; widths and radii are counted in it."""

_FIELD = 256 * 62.6
"""Width in nm of the published field, which the numbers of curves and rings refer to."""

_STEP = _UNIT / 2
"""Pixel in nm of our drawings."""

_POINTS = 60
"""Points of a drawn curve."""

_OUTSIDE = 0.15
"""How far the points of a curve may lie outside the field, in its width."""

_WIDTHS = {"curve": 1.0, "tube": 3.0, "ring": 3.0}
"""Standard widths of the published sweeps: of a curve in two units, of a tube in four, and the
smaller radius of a ring in two."""


def thin_specimen(
    kind: str,
    shape: tuple[int, int],
    *,
    draws: np.random.Generator,
    pixel: float = 62.6 / 3,
    field: float | None = None,
    width: float | None = None,
) -> NDArray[np.float32]:
    """Draw thin random structures.

    Parameters
    ----------
    kind : str
        One of :data:`THIN_KINDS`.
    shape : (int, int)
        Rows and columns.
    draws : numpy.random.Generator
        The random numbers.
    pixel : float
        Size of a pixel in nm.
    field : float, optional
        Width in nm of a square field of which a random part of the wanted size is drawn; by default
        the field is as wide as the image. Curves extend over the field.
    width : float, optional
        Of curve, tube or ring, in the units of the published sweeps: 1 to 5.

    Returns
    -------
    numpy.ndarray
        float32 (row, col), 0 to 1.
    """
    over = max(1, round(pixel / _STEP))
    step = pixel / over
    size = np.array(shape) * pixel
    whole = np.maximum(size, 0.0 if field is None else field)
    first = draws.uniform(0, 1, 2) * (whole - size)
    canvas = _Canvas((shape[0] * over, shape[1] * over), step, first, whole)
    _PAINTERS[kind](canvas, draws, width)
    drawn = np.asarray(canvas.image, np.float32)
    mean = drawn.reshape(shape[0], over, shape[1], over).mean((1, 3)) / 255
    sigma = _UNIT * (draws.uniform(0.5, 1) if kind == "ring" else 1.0) / pixel
    if sigma > 0.3:
        mean = gaussian_filter(mean, sigma)
    return mean


class _Canvas:
    """A drawing in nanometres from the corner of a field."""

    def __init__(self, shape: tuple[int, int], step: float, first: NDArray, whole: NDArray) -> None:
        self.image = Image.new("F", (shape[1], shape[0]), 0)
        self.whole = whole
        self._draw = ImageDraw.Draw(self.image)
        self._step, self._first = step, first

    @property
    def length(self) -> float:
        """Width of the field over that of the published one."""
        return float(np.sqrt(self.whole.prod())) / _FIELD

    @property
    def area(self) -> float:
        """Area of the field over that of the published one."""
        return self.length**2

    def place(self, draws: np.random.Generator) -> NDArray:
        """A random place (row, col)."""
        return draws.uniform(0, 1, 2) * self.whole

    def line(self, points: NDArray, light: float, width: float) -> None:
        """Draw through points (n, 2)."""
        there = ((points - self._first) / self._step)[:, ::-1]
        pixels = max(1, round(width / self._step))
        self._draw.line([tuple(p) for p in there], fill=light, width=pixels, joint="curve")

    def disc(self, middle: NDArray, radius: float, light: float) -> None:
        """Draw a disc."""
        row, col = (middle - self._first) / self._step
        size = radius / self._step
        self._draw.ellipse([col - size, row - size, col + size, row + size], fill=light)


def _bezier(canvas: _Canvas, draws: np.random.Generator) -> NDArray:
    """A curve of 3 to 5 random control points: (points, 2) in nm."""
    ends = draws.uniform(-_OUTSIDE, 1 + _OUTSIDE, (draws.integers(3, 6), 2)) * canvas.whole
    along = np.linspace(0, 1, _POINTS)[:, None]
    left: Sequence[NDArray] = [point + 0 * along for point in ends]
    while len(left) > 1:
        left = [a * (1 - along) + b * along for a, b in pairwise(left)]
    return left[0]


def _curves(canvas: _Canvas, draws: np.random.Generator, width: float | None) -> None:
    wide = 2 * (width or _WIDTHS["curve"]) * _UNIT
    for _ in range(max(2, round(20 * canvas.length * draws.uniform(0.6, 1.4)))):
        canvas.line(_bezier(canvas, draws), draws.uniform(160, 255), wide)


def _tubes(
    canvas: _Canvas, draws: np.random.Generator, width: float | None, hollow: bool = True
) -> None:
    wide = 4 * (width or _WIDTHS["tube"]) * _UNIT
    number = max(2, round(int(draws.integers(15, 25)) * canvas.length))
    lines = [_bezier(canvas, draws) for _ in range(number)]
    light = draws.uniform(160, 255)
    for line in lines:
        canvas.line(line, light, wide)
    if hollow:
        for line in lines:
            canvas.line(line, 0.0, max(_STEP, wide - 4 * _UNIT))


def _rings(canvas: _Canvas, draws: np.random.Generator, width: float | None) -> None:
    least = width or _WIDTHS["ring"]
    for _ in range(max(3, round(int(draws.integers(100, 200)) * canvas.area))):
        radius = 2 * draws.uniform(least, least + 1) * _UNIT
        flat, turn, middle = draws.uniform(0.7, 1), draws.uniform(0, math.pi), canvas.place(draws)
        angle = np.linspace(0, 2 * math.pi, 37)
        col, row = radius * np.cos(angle), radius * flat * np.sin(angle)
        cos, sin = math.cos(turn), math.sin(turn)
        points = middle + np.stack([col * sin + row * cos, col * cos - row * sin], 1)
        for arc in range(6):
            part = points[6 * arc : 6 * arc + 7]
            canvas.line(part, draws.uniform(60, 255), 1.5 * _UNIT)


def _discs(canvas: _Canvas, draws: np.random.Generator, largest: float, most: int) -> None:
    for _ in range(max(3, round(int(draws.integers(30, most)) * canvas.area))):
        radius = draws.uniform(0.5, largest) * _UNIT
        canvas.disc(canvas.place(draws), radius, draws.uniform(30, 255))


def _mixture(canvas: _Canvas, draws: np.random.Generator, width: float | None) -> None:
    if draws.random() < 0.3:
        _discs(canvas, draws, 60, 150)
    if draws.random() < 0.5:
        _tubes(canvas, draws, width, hollow=False)
    _curves(canvas, draws, draws.uniform(0.7, 4))
    if draws.random() < 0.4:
        _rings(canvas, draws, draws.uniform(1, 6))
    if draws.random() < 0.4:
        _discs(canvas, draws, 2, 400)


_PAINTERS = {
    "curve": _curves,
    "tube": _tubes,
    "ring": _rings,
    "mixture": _mixture,
    "dots": lambda canvas, draws, width: _discs(canvas, draws, 2, 1500),
    "blobs": lambda canvas, draws, width: _discs(canvas, draws, 30, 400),
}

"""The curve of a training's loss, with axes, as a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from zsfiji.bridge.start.classes import jc

X_LABEL, Y_LABEL = "Training step", "Loss (a.u.)"
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 12, 8, 36
"""Margins in pixels: room for numbers of six characters on the left, numbers and a name below."""

_FONT, _TICK = 11, 4
"""Size of the letters and length of a tick, in pixels."""

_BACKGROUND, _INK, _FAINT, _TEXT = 0xFFFFFF, 0x2060C0, 0xC8C8C8, 0x303030
"""Colours, 0xRRGGBB; the curve has the first one of :mod:`zsfiji.bridge.ui.plots`."""


def picture(points: Sequence[tuple[int, float]], width: int, height: int) -> Any:
    """Draw a loss over the steps of a training.

    Parameters
    ----------
    points : sequence of (int, float)
        Step and loss, at least two, the steps rising.
    width, height : int
        Size in pixels.

    Returns
    -------
    java.awt.image.BufferedImage
        The picture, with numbers and names at both axes.
    """
    inner = (width - _LEFT - _RIGHT, height - _TOP - _BOTTOM)
    limits = loss_limits([loss for _, loss in points])
    image = to_image(np.full((height, width), _BACKGROUND, np.uint32))
    drawing = image.createGraphics()
    try:
        hints = jc.RenderingHints
        drawing.setRenderingHint(hints.KEY_TEXT_ANTIALIASING, hints.VALUE_TEXT_ANTIALIAS_ON)
        drawing.drawImage(to_image(draw_curve(points, *inner, limits)), _LEFT, _TOP, None)
        drawing.setColor(jc.Color(_TEXT))
        drawing.setFont(jc.Font("SansSerif", jc.Font.PLAIN, _FONT))
        _draw_axes(drawing, points, limits, width, height)
    finally:
        drawing.dispose()
    return image


def _draw_axes(
    drawing: Any,
    points: Sequence[tuple[int, float]],
    limits: tuple[float, float],
    width: int,
    height: int,
) -> None:
    metrics = drawing.getFontMetrics()
    floor = height - _BOTTOM
    first, last = points[0][0], points[-1][0]
    for value, text in ticks(first, last, 3):
        x = _LEFT + round((value - first) / max(last - first, 1) * (width - _LEFT - _RIGHT - 1))
        drawing.drawLine(x, floor, x, floor + _TICK)
        half = metrics.stringWidth(text) // 2
        drawing.drawString(text, min(x - half, width - 2 * half - 2), floor + _TICK + _FONT)
    low, high = limits
    for value, text in ticks(low, high, 3):
        y = floor - 1 - round((value - low) / (high - low) * (floor - _TOP - 1))
        drawing.drawLine(_LEFT - _TICK, y, _LEFT, y)
        drawing.drawString(text, _LEFT - _TICK - 2 - metrics.stringWidth(text), y + _FONT // 2 - 1)
    middle = (_LEFT + width - _RIGHT - metrics.stringWidth(X_LABEL)) // 2
    drawing.drawString(X_LABEL, middle, height - 5)
    middle = (_TOP + floor + metrics.stringWidth(Y_LABEL)) // 2
    drawing.rotate(-math.pi / 2)
    drawing.drawString(Y_LABEL, -middle, _FONT)
    drawing.rotate(math.pi / 2)


def loss_limits(losses: Sequence[float]) -> tuple[float, float]:
    """The range that is drawn.

    Losses spread over magnitudes at first and over percents later; the first steps of a training
    would press the rest flat.
    """
    low, high = float(np.min(losses)), float(np.percentile(losses, 98))
    return (low, high) if high > low else (low, low + (abs(low) or 1.0))


def ticks(low: float, high: float, count: int) -> list[tuple[float, str]]:
    """Round numbers of a range and how they are written.

    Parameters
    ----------
    low, high : float
        The range.
    count : int
        How many are wanted at least; up to two and a half times as many may come.

    Returns
    -------
    list of (float, str)
        Values that are 1, 2 or 5 times a power of ten apart.
    """
    if not high > low:
        return [(low, f"{low:.4g}")]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = max(power * m for m in (1, 2, 5) if power * m <= rough * (1 + 1e-9))
    values = [n * step for n in range(math.ceil(low / step), math.floor(high / step) + 1)]
    # As many digits as tell neighbours apart.
    largest = max((abs(v) for v in values), default=0.0)
    if 1e-3 <= largest < 1e6:
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        return [(v, f"{v:.{digits}f}") for v in values]
    return [(v, f"{v:.3g}") for v in values]


def draw_curve(
    points: Sequence[tuple[int, float]], width: int, height: int, limits: tuple[float, float]
) -> np.ndarray:
    """Draw the curve itself.

    Parameters
    ----------
    points : sequence of (int, float)
        Step and loss, at least two.
    width, height : int
        Size in pixels.
    limits : (float, float)
        Losses at the lower and at the upper edge.

    Returns
    -------
    numpy.ndarray
        The picture, (height, width), 0xRRGGBB.
    """
    drawn = np.full((height, width), _BACKGROUND, np.uint32)
    drawn[[0, -1], :] = _FAINT
    drawn[:, [0, -1]] = _FAINT
    steps, loss = np.array(points, float).T
    low, high = limits
    x = (steps - steps[0]) / max(steps[-1] - steps[0], 1e-9) * (width - 1)
    columns = np.arange(1, width - 1)
    # Each step sees another part of the image; only the mean of some tells how it goes.
    for values, colour in ((loss, _FAINT), (_smooth(loss), _INK)):
        level = np.clip((np.interp(columns, x, values) - low) / (high - low), 0, 1)
        rows = np.rint((1 - level) * (height - 1)).astype(int)
        for column, row, before in zip(columns, rows, np.r_[rows[0], rows[:-1]], strict=True):
            top = min(row, before, height - 2)
            drawn[top : max(row, before) + 2, column] = colour
    return drawn


def _smooth(values: np.ndarray) -> np.ndarray:
    """The mean of each value and those before it, the late ones weighing more."""
    weight = min(1.0, 8 / len(values))
    smooth = values.copy()
    for place in range(1, len(values)):
        smooth[place] += (1 - weight) * (smooth[place - 1] - values[place])
    return smooth


def to_image(pixels: np.ndarray) -> Any:
    """A picture, 0xRRGGBB (height, width), as Java has it."""
    from jpype import JArray, JInt

    height, width = pixels.shape
    image = jc.BufferedImage(width, height, jc.BufferedImage.TYPE_INT_RGB)
    flat = JArray(JInt)(np.ascontiguousarray(pixels, np.uint32).view(np.int32).ravel())
    image.setRGB(0, 0, width, height, flat, 0, width)
    return image

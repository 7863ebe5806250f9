"""Plots of a command's outcome, as windows of ImageJ."""

from __future__ import annotations

from typing import Any

from zsfiji.bridge.start.classes import jc
from zsfiji.commands.outcome import Plot

_COLOURS = ("#2060c0", "#c03020", "#208040")
_LINE_WIDTH = 2


def show(plot: Plot) -> Any:
    """Open a plot, which ImageJ can zoom, list and save.

    Parameters
    ----------
    plot : Plot
        What to draw.

    Returns
    -------
    ij.ImagePlus
        Its image.
    """
    from jpype import JArray, JDouble

    window = jc.Plot(plot.title, plot.x_label, plot.y_label)
    for number, curve in enumerate(plot.curves):
        window.setColor(_COLOURS[number % len(_COLOURS)])
        window.setLineWidth(_LINE_WIDTH)
        shape = "circle" if curve.points else "line"
        window.add(shape, JArray(JDouble)(list(curve.x)), JArray(JDouble)(list(curve.y)))
    window.setColor("black")
    window.setLineWidth(1)
    window.setLimitsToFit(False)
    if len(plot.curves) > 1:
        window.addLegend("\n".join(curve.label for curve in plot.curves))
    window.show()
    return window.getImagePlus()

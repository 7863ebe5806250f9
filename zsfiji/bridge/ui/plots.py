"""Plots of a command's outcome, as windows of ImageJ."""

from __future__ import annotations

from typing import Any

from zsfiji.bridge.start.classes import jc
from zsfiji.commands.outcome import Plot

_COLOURS = ("#2060c0", "#c03020", "#208040")
"""Blue, red and green that are dark enough for a white ground; chosen by eye."""

_LINE_WIDTH = 2
"""Of the curves, in pixels; axes have 1."""


def drawing(plot: Plot) -> dict[str, Any]:
    """How a plot is drawn with ImageJ's ``ij.gui.Plot``, by us or by a stock Fiji.

    Parameters
    ----------
    plot : Plot
        What to draw.

    Returns
    -------
    dict
        ``title``, ``x_label``, ``y_label``; ``legend``, empty for a single curve; ``curves``: list
        of {"colour", "width", "shape", "x", "y"}.
    """
    curves = [
        {
            "colour": _COLOURS[number % len(_COLOURS)],
            "width": _LINE_WIDTH,
            "shape": "circle" if curve.points else "line",
            "x": list(curve.x),
            "y": list(curve.y),
        }
        for number, curve in enumerate(plot.curves)
    ]
    legend = "\n".join(c.label for c in plot.curves) if len(plot.curves) > 1 else ""
    return {
        "title": plot.title,
        "x_label": plot.x_label,
        "y_label": plot.y_label,
        "legend": legend,
        "curves": curves,
    }


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

    drawn = drawing(plot)
    window = jc.Plot(drawn["title"], drawn["x_label"], drawn["y_label"])
    for curve in drawn["curves"]:
        window.setColor(curve["colour"])
        window.setLineWidth(curve["width"])
        window.add(curve["shape"], JArray(JDouble)(curve["x"]), JArray(JDouble)(curve["y"]))
    window.setColor("black")
    window.setLineWidth(1)
    window.setLimitsToFit(False)
    if drawn["legend"]:
        window.addLegend(drawn["legend"])
    window.show()
    return window.getImagePlus()

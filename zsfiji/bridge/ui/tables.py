"""Tables of a command's outcome, as windows of ImageJ."""

from __future__ import annotations

import math
from typing import Any

from zsfiji.bridge.start.classes import jc
from zsfiji.commands.outcome import Table

DIGITS = 3
"""Decimal places."""


_COLUMN, _HEIGHT = 100, 240
"""Width of a column and height of a window in pixels. Chosen by eye: ImageJ opens too narrow
ones."""


def listing(table: Table) -> dict[str, Any]:
    """A table as plain values for JSON, to be shown by us or by a stock Fiji.

    Parameters
    ----------
    table : Table
        What to show.

    Returns
    -------
    dict
        ``title``, ``columns``, ``digits``; ``rows``: lists of numbers and texts, a dash for what
        is no number; ``width`` and ``height`` of the window in pixels.
    """
    rows = [
        ["-" if isinstance(v, float) and not math.isfinite(v) else v for v in row]
        for row in table.rows
    ]
    return {
        "title": table.title,
        "columns": list(table.columns),
        "digits": DIGITS,
        "rows": rows,
        "width": _COLUMN * len(table.columns),
        "height": _HEIGHT,
    }


def show(table: Table) -> Any:
    """Open a table, which ImageJ can sort, plot and save as CSV.

    Parameters
    ----------
    table : Table
        What to show.

    Returns
    -------
    java.awt.Window
        Its window.
    """
    listed = listing(table)
    results = jc.ResultsTable()
    results.setPrecision(listed["digits"])
    for row in listed["rows"]:
        results.addRow()
        for column, value in zip(listed["columns"], row, strict=True):
            results.addValue(column, value if isinstance(value, str) else float(value))
    results.showRowNumbers(False)
    results.show(listed["title"])
    window = jc.WindowManager.getWindow(listed["title"])
    window.setSize(listed["width"], listed["height"])
    return window

"""What a command gives back to whoever ran it."""

from __future__ import annotations

from dataclasses import dataclass, field

import xarray as xr


@dataclass(frozen=True)
class Curve:
    """Points of a plot.

    Attributes
    ----------
    label : str
        What it is, for the legend.
    x, y : tuple of float
        Equally many.
    points : bool
        Whether it is drawn as circles, and not as a line.
    """

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    points: bool = False


@dataclass(frozen=True)
class Plot:
    """A plot to show.

    Attributes
    ----------
    title, x_label, y_label : str
        Texts, with units.
    curves : tuple of Curve
        At least one.
    """

    title: str
    x_label: str
    y_label: str
    curves: tuple[Curve, ...]


@dataclass(frozen=True)
class Table:
    """A table to show.

    Attributes
    ----------
    title : str
        Its title.
    columns : tuple of str
        Heads of the columns, with units.
    rows : tuple of tuple
        Numbers and texts, as many in each row as there are columns.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[float | str, ...], ...]


@dataclass(frozen=True)
class Outcome:
    """The images a command made, and what it has to say.

    Attributes
    ----------
    images : tuple of xarray.DataArray
        The results, complete with metadata and provenance, in the order in which their windows
        open: the last one is the active image afterwards.
    notes : tuple of str
        Sentences for the user, the most important first.
    metrics : dict
        What the notes say in numbers: name -> value.
    plots : tuple of Plot
        Shown where there are windows.
    tables : tuple of Table
        Shown as a window, or printed where there are none.
    """

    images: tuple[xr.DataArray, ...] = ()
    notes: tuple[str, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)
    plots: tuple[Plot, ...] = ()
    tables: tuple[Table, ...] = ()


def result_title(title: str, suffix: str) -> str:
    """Name of a result: "cells.tif" and "denoised" make "cells-denoised"."""
    stem, dot, ending = title.rpartition(".")
    if dot and stem and 2 <= len(ending) <= 4 and ending.isalnum():
        title = stem
    return f"{title}-{suffix}"

"""The table of the patterns that were found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

from zsfiji.commands.outcome import Table
from zsfiji.services.sim.calibration import Calibration
from zsfiji.services.sim.report import verdict

_UNIT = {"channel": "Channel", "plane": "Stack"}
"""What patterns were found per -> head of the column that counts those."""

_UNLESS_ALIKE = (*_UNIT.values(), "Wave")
_UNLESS_UNKNOWN = ("Spacing (nm)",)
"""Columns that are left out where all rows have the same, or no row has a number."""


class Cells(Protocol):
    """What a table says of a wave."""

    def __call__(self, unit: int, angle: int, wave: int) -> Mapping[str, float]:
        """Column -> number of a wave; all are counted from 0."""


def pattern_table(title: str, units: Sequence[Calibration], per: str, cells: Cells) -> Table:
    """A table with a row for each wave: which it is, its verdict, and some numbers.

    Parameters
    ----------
    title : str
        Its title.
    units : sequence of Calibration
        One for each channel, or for each stack of patterns.
    per : {"channel", "plane"}
        Which of both.
    cells : callable
        Gives the numbers of a wave.
    """
    rows: list[dict[str, float | str]] = []
    for count, unit in enumerate(units):
        for angle, waves in enumerate(unit.waves):
            for number, wave in enumerate(waves):
                place = {_UNIT[per]: count + 1, "Angle": angle + 1, "Wave": number + 1}
                said = {"Verdict": verdict(wave)}
                rows.append({**place, **said, **cells(count, angle, number)})

    def says_something(column: str) -> bool:
        values = [row[column] for row in rows]
        if column in _UNLESS_ALIKE:
            return len(set(values)) > 1
        return column not in _UNLESS_UNKNOWN or not all(math.isnan(float(v)) for v in values)

    kept = tuple(filter(says_something, rows[0]))
    return Table(title, kept, tuple(tuple(row[column] for column in kept) for row in rows))


def or_nan(error: float) -> float:
    """An error as a table has it; one that is not known is negative in a record."""
    return error if error >= 0 else math.nan

"""Numbers and time spans in words, and sentences in lines."""

from __future__ import annotations

import re
import textwrap

_COLUMNS = 72
"""Characters of a line in a log: it can be read without scrolling to the side."""

_INDENT = "    "


def counted(number: int, noun: str, several: str = "") -> str:
    """A number and what it counts, as "1 channel" or "3 channels".

    Parameters
    ----------
    number : int
        How many.
    noun : str
        What, in the singular.
    several : str
        The plural where it is not the singular with an s.
    """
    return f"{number} {noun if number == 1 else several or f'{noun}s'}"


def time_span(seconds: float) -> str:
    """A time span as a person says it: 12 s, 3 min 20 s, 2 h 5 min.

    Parameters
    ----------
    seconds : float
        Its length; less than a second becomes 1 s.
    """
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def in_lines(text: str) -> str:
    """Put each sentence of a text on lines of its own, all but the first one indented."""
    lines: list[str] = []
    for sentence in re.split(r"(?<=[.?!]) +(?=[A-Z])", text):
        indent = _INDENT if lines else ""
        lines += textwrap.wrap(
            sentence,
            _COLUMNS,
            initial_indent=indent,
            subsequent_indent=_INDENT,
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(lines)

"""Numbers and time spans in words, and sentences in lines."""

from __future__ import annotations

import re


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
    """Put each sentence of a text on a line of its own; all but the first are indented."""
    return re.sub(r"(?<=[.?!]) +(?=[A-Z])", "\n    ", text)

"""Numbers with their nouns."""

from __future__ import annotations


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

"""Whether an image fits into the memory, before it is read."""

from __future__ import annotations

import psutil

from zsfiji.errors import UserError

_SHARE = 0.8
"""Share of the free memory that an image may take. Chosen by eye: the rest is for the work."""

_GIB = 2**30


def require_memory(what: str, needed: int, remedy: str) -> None:
    """Refuse an image that would not fit.

    Parameters
    ----------
    what : str
        What is to be read: the subject of the message.
    needed : int
        Bytes that it takes.
    remedy : str
        What the user can do, a sentence.

    Raises
    ------
    UserError
        If less memory is free.
    """
    free = psutil.virtual_memory().available
    if needed > _SHARE * free:
        raise UserError(
            f"{what} needs {needed / _GIB:.1f} GB and {free / _GIB:.1f} GB of memory are free. "
            f"{remedy}"
        )

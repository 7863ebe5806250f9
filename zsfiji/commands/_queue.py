"""One job at a time on a device: two trainings at once would only slow each other down."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from zsfiji import progress

_busy: dict[str, threading.Lock] = {}
_guard = threading.Lock()


@contextmanager
def turn(device: str) -> Iterator[None]:
    """Wait for the device, then hold it for the length of the block.

    Parameters
    ----------
    device : str
        Name of the device.

    Raises
    ------
    Cancelled
        If the user stops the job while it waits.
    """
    with _guard:
        lock = _busy.setdefault(device, threading.Lock())
    while not lock.acquire(timeout=0.1):
        progress.report(0, "Waiting for the job before it", waiting=True)
    try:
        yield
    finally:
        lock.release()

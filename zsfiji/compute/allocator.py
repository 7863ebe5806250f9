"""Keeping memory in the process while a job or a training runs.

Each step on the CPU allocates and frees the same large blocks. The C library of Linux gives such
blocks back to the system at once and asks for them again, and the system clears every page anew: a
quarter to a third of the time of a training step (benchmarks/training_time.py), a quarter of
iterative SIM of 1024 x 1024 pixels, half of a linear reconstruction of 2048 x 2048.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# From malloc.h: the parameters of mallopt, and the values that they have in a new process.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_USUAL_TRIM, _USUAL_MMAPS = 128 * 1024, 65536
_NEVER_TRIM, _NO_MMAPS = 2**31 - 1, 0

_lock = threading.Lock()
_inside = 0
"""Blocks that are running: one may lie inside another, or run in another thread."""


@contextmanager
def memory_kept() -> Iterator[None]:
    """Keep freed memory for the next allocation while the block runs, and give it back after it.

    Does nothing but on Linux with the GNU C library. Memory is then freed in fewer places, so a
    block that allocates ever larger pieces would need more of it.
    """
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if library is None or not hasattr(library, "mallopt") or not hasattr(library, "malloc_trim"):
        yield
        return
    global _inside
    with _lock:
        _inside += 1
        library.mallopt(_TRIM_THRESHOLD, _NEVER_TRIM)
        library.mallopt(_MMAP_MAX, _NO_MMAPS)
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                library.mallopt(_TRIM_THRESHOLD, _USUAL_TRIM)
                library.mallopt(_MMAP_MAX, _USUAL_MMAPS)
                library.malloc_trim(0)

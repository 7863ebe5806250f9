"""Arrays for results that may be larger than the memory."""

from __future__ import annotations

import math
import tempfile

import numpy as np

IN_MEMORY = 2**30
"""Bytes up to which a result lies in memory."""


def room(shape: tuple[int, ...]) -> np.ndarray:
    """Make a float32 array; a large one lies in a temporary file, gone with the array."""
    if math.prod(shape) * 4 <= IN_MEMORY:
        return np.empty(shape, dtype=np.float32)
    with tempfile.TemporaryFile(prefix="zsfiji-") as file:
        return np.memmap(file, dtype=np.float32, mode="w+", shape=shape)

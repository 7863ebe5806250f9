"""Arrays for results that may be larger than the memory."""

from __future__ import annotations

import math
import mmap
import os
import shutil
import tempfile

import numpy as np

from zsfiji.errors import UserError

IN_MEMORY = 2**29
"""Bytes up to which a result lies in memory. Not tuned."""

_LEFT_FREE = 2**28
"""Bytes that a scratch file leaves free on the disk. Not tuned."""


def scratch_array(shape: tuple[int, ...]) -> np.ndarray:
    """Make a float32 array; a large one is in a temporary file, deleted together with the array.

    Raises
    ------
    UserError
        If the disk is too full for the file. Nothing is left there.
    """
    size = math.prod(shape) * 4
    if size <= IN_MEMORY:
        return np.empty(shape, dtype=np.float32)
    folder = tempfile.gettempdir()
    try:
        free = shutil.disk_usage(folder).free
        if free < size + _LEFT_FREE:
            raise OSError(f"{free / 2**30:.1f} GB are free")
        with tempfile.TemporaryFile(prefix="zsfiji-") as file:
            # Reserve all of it now: if the disk is full when a page is written, the process ends.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            file.truncate(size)
            mapped = mmap.mmap(file.fileno(), size)
    except OSError as error:
        raise UserError(
            f"The result needs {size / 2**30:.1f} GB in the temporary folder {folder}, and the "
            f"disk is too full ({error}). Free disk space, set the environment variable "
            "TMPDIR (on Windows TEMP) to a folder on another disk, or process a part of the image."
        ) from error
    return np.frombuffer(mapped, dtype=np.float32).reshape(shape)


def release(array: np.ndarray) -> None:
    """Take what was written into a scratch array out of the memory, where a file has it.

    Parameters
    ----------
    array : numpy.ndarray
        What :func:`scratch_array` gave, or a view of it.
    """
    base: object = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, memoryview):
        base = base.obj
    if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)

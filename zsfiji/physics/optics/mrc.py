"""Reading MRC files, of electron microscopy and in the variant of DeltaVision and Priism.

The layout is that of the MRC2014 standard (Cheng et al., J. Struct. Biol. 192, 146, 2015). The
variant has the same first 24 words: sizes, type of the values, cell, extended header.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zsfiji.errors import UserError

_HEADER = 1024
"""Bytes of the header."""

_DELTAVISION = -16224
"""The number at byte 96 by which DeltaVision's variant is recognised."""

_TYPES = {0: "i1", 1: "i2", 2: "f4", 4: "c8", 6: "u2"}
"""Mode of the header -> numpy type of the values."""


@dataclass(frozen=True)
class Mrc:
    """Content of an MRC file.

    Attributes
    ----------
    values : numpy.ndarray
        (section, row, column); complex numbers are pairs of 32-bit floats.
    cell : tuple of float
        The three numbers of the header for the pixel size, along section, row and column.
        DeltaVision's variant has the pixel size, in micrometres or, for an OTF, in cycles per
        micrometre. Electron microscopy has the size of the whole field, which is converted to the
        pixel size in micrometres.
    """

    values: NDArray
    cell: tuple[float, float, float]


def read_mrc(path: str | Path) -> Mrc:
    """Read an MRC file in either byte order.

    Raises
    ------
    UserError
        If the file cannot be read, is not an MRC file, or is incomplete.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"There is no file {path}. Choose another one.")
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path.name} cannot be read: {error.strerror or error}") from error
    for order in "<>":
        found = _parse(raw, order)
        if found is not None:
            return found
    raise UserError(
        f"{path.name} is not an MRC file, is damaged, or has a type of values that zsfiji does not "
        "read. Save it as 32-bit TIFF instead."
    )


def _parse(raw: bytes, order: str) -> Mrc | None:
    if len(raw) < _HEADER:
        return None
    words = np.frombuffer(raw, order + "i4", 24)
    shape = tuple(int(n) for n in words[2::-1])
    kind = _TYPES.get(int(words[3]))
    extended = int(words[23])
    if kind is None or min(shape) < 1 or extended < 0:
        return None
    dtype = np.dtype(order + kind)
    # Python's integers: nonsense sizes must not overflow to plausible ones.
    count = shape[0] * shape[1] * shape[2]
    if _HEADER + extended + count * dtype.itemsize > len(raw):
        return None
    values = np.frombuffer(raw, dtype, count, _HEADER + extended).reshape(shape)
    cell = [float(c) for c in np.frombuffer(raw, order + "f4", 3, 40)[::-1]]
    if np.frombuffer(raw, order + "i2", 1, 96)[0] != _DELTAVISION:
        samples = [max(int(n), 1) for n in words[9:6:-1]]
        cell = [1e-4 * whole / n for whole, n in zip(cell, samples, strict=True)]  # angstroms
    return Mrc(values.astype(dtype.newbyteorder("=")), (cell[0], cell[1], cell[2]))

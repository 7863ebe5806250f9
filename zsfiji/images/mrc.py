"""Reading MRC files, of electron microscopy and in the variant of DeltaVision and Priism.

The layout is that of the MRC2014 standard (Cheng et al., J. Struct. Biol. 192, 146, 2015). The
variant has the same first 24 words: sizes, type of the values, cell, extended header. Further on it
has numbers of time points and wavelengths (the IVE library of UCSF), where the standard has others.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from zsfiji.errors import UserError
from zsfiji.images.axes import as_image, set_calibration

IMAGE_ENDINGS = (".mrc", ".dv")
"""Extensions of MRC files that are taken for images."""

MRC_ENDINGS = (*IMAGE_ENDINGS, ".otf")
"""Extensions of all MRC files."""

_HEADER = 1024
"""Bytes of the header."""

_DELTAVISION = -16224
"""The number at byte 96 by which DeltaVision's variant is recognised."""

_TYPES = {0: "i1", 1: "i2", 2: "f4", 4: "c8", 6: "u2"}
"""Mode of the header -> numpy type of the values."""

_TIMES, _SEQUENCE, _WAVES = 90, 91, 98
"""Where DeltaVision's variant has them, in 16-bit words."""

_SEQUENCES = (("ch", "t", "pln"), ("t", "pln", "ch"), ("t", "ch", "pln"))
"""How its sections follow each other, from the slowest axis to the fastest."""

_PLAUSIBLE = (1e-5, 100.0)
"""Pixel sizes in micrometres that a header may mean; files often have something else there."""

_UNSET = 1e-4
"""Micrometres: a pixel of one angstrom is what programs write that know no pixel size."""


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
    axes : dict
        Time points, channels and slices in the order of the sections, the slowest first.
    """

    values: NDArray
    cell: tuple[float, float, float]
    axes: dict[str, int]


def read_mrc(path: str | Path) -> Mrc:
    """Read an MRC file in either byte order.

    Raises
    ------
    UserError
        If the file cannot be read, is not an MRC file, or is incomplete.
    """
    path = Path(path)
    if not os.path.isfile(path):
        raise UserError(f"There is no file {path}. Choose another one.")
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER)
        for order in "<>":
            found = _parse(path, header, order)
            if found is not None:
                return found
    except OSError as error:
        raise UserError(f"{path.name} cannot be read: {error.strerror or error}") from error
    raise UserError(
        f"{path.name} is not an MRC file, is damaged or incomplete, or has a type of values that "
        "zsfiji does not read. Save it as 32-bit TIFF instead."
    )


def read_image(path: str | Path) -> xr.DataArray:
    """Read an image in an MRC file.

    Returns
    -------
    xarray.DataArray
        With the axes that the file has; a file of electron microscopy has slices. The first row of
        the file is the lowest one of the image. The pixel size is left out where it cannot be one.

    Raises
    ------
    UserError
        As :func:`read_mrc`, and if it holds an OTF.
    """
    mrc = read_mrc(path)
    values = mrc.values[:, ::-1]
    if values.dtype.kind == "c":
        raise UserError(
            f"{Path(path).name} holds complex numbers, as an OTF does, and no image. Choose "
            "another file."
        )
    if values.dtype == np.int16 and int(values.min()) >= 0:
        # ImageJ's pixels of 16 bit have no sign.
        values = values.astype(np.uint16)
    kept = {dim: n for dim, n in mrc.axes.items() if n > 1}
    image = as_image(values.reshape(*kept.values(), *values.shape[1:]), (*kept, "row", "col"))
    low, high = _PLAUSIBLE
    steps = {
        dim: step
        for dim, step in zip(("pln", "row", "col"), mrc.cell, strict=True)
        if dim in image.dims and low <= step <= high and not math.isclose(step, _UNSET)
    }
    set_calibration(image, steps, dict.fromkeys(steps, "micron"))
    return image


def _parse(path: Path, header: bytes, order: str) -> Mrc | None:
    """The content of a file in a byte order; None if it is no MRC file in that order."""
    if len(header) < _HEADER:
        return None
    words = np.frombuffer(header, order + "i4", 24)
    shape = tuple(int(n) for n in words[2::-1])
    kind = _TYPES.get(int(words[3]))
    extended = int(words[23])
    if kind is None or min(shape) < 1 or extended < 0:
        return None
    dtype = np.dtype(order + kind)
    # Python's integers: nonsense sizes must not overflow to plausible ones.
    count = shape[0] * shape[1] * shape[2]
    if _HEADER + extended + count * dtype.itemsize > path.stat().st_size:
        return None
    halves = np.frombuffer(header, order + "i2")
    cell = [float(c) for c in np.frombuffer(header, order + "f4", 3, 40)[::-1]]
    axes = {"pln": shape[0]}
    if halves[48] == _DELTAVISION:
        axes = _sections(shape[0], halves)
        if kind == "i1":
            dtype = np.dtype("u1")
    else:
        samples = [max(int(n), 1) for n in words[9:6:-1]]
        cell = [1e-4 * whole / n for whole, n in zip(cell, samples, strict=True)]  # angstroms
    values = np.fromfile(path, dtype, count, offset=_HEADER + extended).reshape(shape)
    native = values.astype(dtype.newbyteorder("="), copy=False)
    return Mrc(native, (cell[0], cell[1], cell[2]), axes)


def _sections(number: int, halves: NDArray[np.int16]) -> dict[str, int]:
    """The axes of DeltaVision's sections; slices where its numbers do not fit together."""
    times, waves, sequence = (max(int(halves[n]), 0) for n in (_TIMES, _WAVES, _SEQUENCE))
    times, waves = max(times, 1), max(waves, 1)
    if sequence >= len(_SEQUENCES) or number % (times * waves):
        return {"pln": number}
    lengths = {"t": times, "ch": waves, "pln": number // (times * waves)}
    return {dim: lengths[dim] for dim in _SEQUENCES[sequence]}

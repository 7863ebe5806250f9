"""PSFs and OTFs from files: TIFF, NPY and MRC."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zsfiji.errors import UserError
from zsfiji.physics.psf.calibration import micrometres
from zsfiji.physics.psf.kernel import Psf
from zsfiji.physics.psf.otf import RadialOtf, from_otf
from zsfiji.physics.psf.prepare import prepare

if TYPE_CHECKING:
    import tifffile

_TIFF = (".tif", ".tiff")
_MRC = (".mrc", ".dv", ".otf")
_DELTAVISION = -16224  # the mark of the format of DeltaVision and Priism, at byte 96


def read_psf(
    path: str | Path,
    spacing: Sequence[float] | None = None,
    *,
    grid: Sequence[float] | None = None,
    background: float | None = None,
) -> Psf:
    """Read a PSF, or the PSF of an OTF.

    Parameters
    ----------
    path : str or Path
        A TIFF or NPY file with a PSF, or an MRC file with a PSF or a radially averaged OTF.
    spacing : sequence of float, optional
        Pixel sizes of the file in micrometres, (row, col) or (pln, row, col). Needed for NPY and
        for a TIFF that does not tell them; it overrules what the file says. An OTF tells its own.
    grid : sequence of float, optional
        Pixel sizes in micrometres on which the PSF of an OTF is wanted. Needed for OTFs only.
    background : float, optional
        See :func:`.prepare.prepare`.

    Returns
    -------
    Psf
        On the grid of the file, or on `grid` for an OTF.

    Raises
    ------
    UserError
        If the file is not there, cannot be read, holds no PSF, or its pixel size is not known.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"There is no PSF file {path}. Choose another one.")
    suffix = path.suffix.lower()
    if suffix in _MRC:
        transfer = read_otf(path) if _is_complex(path) else None
        if transfer is not None:
            if grid is None:
                raise UserError(
                    f"{path.name} is an OTF. Give the pixel size on which its PSF is wanted."
                )
            return from_otf(transfer, grid)
        values, own = _read_mrc(path)
    elif suffix in _TIFF:
        values, own = _read_tiff(path)
    elif suffix == ".npy":
        values, own = _read_npy(path), None
    else:
        raise UserError(
            f"{path.name} is no PSF file that can be read. "
            "Use a TIFF, an NPY or an MRC file (.tif, .npy, .mrc, .dv, .otf)."
        )
    values = values.reshape(_without_leading_ones(values.shape))
    spacing = spacing or own
    if spacing is None:
        raise UserError(
            f"{path.name} does not tell its pixel size. Give the pixel size of the PSF in nm"
            + (" and its slice spacing." if values.ndim == 3 else ".")
        )
    if len(spacing) != values.ndim:
        if len(spacing) == 2 and values.ndim == 3:
            raise UserError(
                f"{path.name} is a stack of {values.shape[0]} slices whose spacing is not known. "
                "Give the slice spacing of the PSF."
            )
        spacing = spacing[-values.ndim :]
    return prepare(values, spacing, background=background)


def read_otf(path: str | Path) -> RadialOtf:
    """Read a radially averaged OTF as the 2D- and 3D-SIM programs of many laboratories write it.

    The MRC file holds complex numbers: (1, kr) of a 2D OTF, (order, kr, kz) of a 3D one, of which
    the first order is the wide-field OTF, in either byte order. Its header has the steps in
    cycles a micrometre.

    Raises
    ------
    UserError
        If the file cannot be read or holds no such OTF.
    """
    path = Path(path)
    values, header = _open_mrc(path)
    steps = tuple(float(header.cella[axis]) for axis in ("x", "y"))
    if values.dtype.kind != "c":
        raise UserError(f"{path.name} holds no complex numbers, so it is no OTF.")
    values = values.astype(np.complex128).reshape(_without_leading_ones(values.shape))
    if values.ndim == 3:
        values = values[0]
    if values.ndim == 1:
        steps = steps[:1]
    elif values.ndim == 2:
        steps = steps[::-1]
    if values.ndim not in (1, 2) or values.shape[0] < 8:
        raise UserError(
            f"{path.name} has {' x '.join(map(str, values.shape))} values, which is no radially "
            "averaged OTF."
        )
    if not all(np.isfinite(s) and 0 < s < 10 for s in steps):
        raise UserError(
            f"{path.name} does not tell the steps of its OTF in cycles a micrometre, "
            "which belong into its header as the pixel size."
        )
    return RadialOtf(values, steps)


def _without_leading_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    while len(shape) > 1 and shape[0] == 1:
        shape = shape[1:]
    return shape


def _read_tiff(path: Path) -> tuple[NDArray, tuple[float, ...] | None]:
    import tifffile

    try:
        with tifffile.TiffFile(path) as tiff:
            return tiff.asarray(), _tiff_spacing(tiff)
    except (tifffile.TiffFileError, ValueError, OSError) as error:
        raise UserError(f"{path.name} cannot be read as a TIFF: {error}") from error


def _tiff_spacing(tiff: tifffile.TiffFile) -> tuple[float, ...] | None:
    # ImageJ's resolution counts pixels in a unit; that of other TIFFs is mostly a default.
    tags = tiff.pages.first.tags
    described = tiff.imagej_metadata or {}
    factor = micrometres(str(described.get("unit", "")))
    if factor is None or "XResolution" not in tags or "YResolution" not in tags:
        return None
    resolutions = [tags[name].value for name in ("YResolution", "XResolution")]
    if any(pixels == 0 for pixels, _ in resolutions):
        return None
    lateral = tuple(factor * units / pixels for pixels, units in resolutions)
    depth = float(described.get("spacing", 0)) * factor
    return (depth, *lateral) if depth > 0 else lateral


def _read_npy(path: Path) -> NDArray:
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise UserError(f"{path.name} cannot be read as an NPY file: {error}") from error


def _is_complex(path: Path) -> bool:
    return _open_mrc(path)[0].dtype.kind == "c"


def _open_mrc(path: Path) -> tuple[NDArray, np.recarray]:
    import mrcfile

    if not path.is_file():
        raise UserError(f"There is no file {path}. Choose another one.")
    try:
        # Microscopes write a dialect of the format of electron microscopy: hence permissive.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            with mrcfile.open(path, permissive=True) as mrc:
                if mrc.data is None:
                    raise UserError(f"{path.name} is no MRC file, or a damaged one.")
                return mrc.data.copy(), mrc.header.copy()
    except (ValueError, OSError) as error:
        raise UserError(f"{path.name} cannot be read as an MRC file: {error}") from error


def _read_mrc(path: Path) -> tuple[NDArray, tuple[float, ...] | None]:
    values, header = _open_mrc(path)
    values = values.reshape(_without_leading_ones(values.shape))
    size = [float(header.cella[axis]) for axis in ("z", "y", "x")]
    mark = header.extra1.tobytes()[:2]
    if _DELTAVISION not in (np.frombuffer(mark, "<i2")[0], np.frombuffer(mark, ">i2")[0]):
        # Electron microscopy has the size of the whole field, in angstroms.
        counts = [max(int(header[name]), 1) for name in ("mz", "my", "mx")]
        size = [1e-4 * whole / n for whole, n in zip(size, counts, strict=True)]
    spacing = tuple(size[-values.ndim :])
    return values, spacing if all(s > 0 for s in spacing) else None

"""PSFs and OTFs from files: TIFF, NPY and MRC."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zsfiji.errors import UserError
from zsfiji.images.axes import size
from zsfiji.images.mrc import MRC_ENDINGS, Mrc, read_mrc
from zsfiji.images.tiff import read
from zsfiji.physics.optics.kernel import Psf
from zsfiji.physics.optics.otf import RadialOtf, from_otf
from zsfiji.physics.optics.prepare import prepare
from zsfiji.physics.optics.spacing import spacing_micrometres
from zsfiji.words import counted


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
        A TIFF, a picture or an NPY file with a PSF, or an MRC file (.mrc, .dv, .otf) with a PSF
        or a radially averaged OTF.
    spacing : sequence of float, optional
        Pixel sizes of the file in micrometres, (row, col) or (pln, row, col). Needed for NPY and
        for a TIFF that does not contain them; it replaces those in the file. An OTF contains its
        own.
    grid : sequence of float, optional
        Pixel sizes in micrometres of the PSF that is made from an OTF. Needed for OTFs only.
    background : float, optional
        See :func:`.prepare.prepare`.

    Returns
    -------
    Psf
        On the grid of the file, or on `grid` for an OTF.

    Raises
    ------
    UserError
        If the file is missing, cannot be read, contains no PSF, or its pixel size is not known.
    """
    path = Path(path)
    if not os.path.isfile(path):
        raise UserError(f"There is no PSF file {path}. Choose another one.")
    suffix = path.suffix.lower()
    own: tuple[float, ...] | None
    properties: Mapping[str, str] = {}
    if suffix in MRC_ENDINGS:
        mrc = read_mrc(path)
        if mrc.values.dtype.kind == "c":
            if grid is None:
                raise UserError(
                    f"{path.name} is an OTF. Give the pixel size that its PSF should have."
                )
            return from_otf(_radial_otf(mrc, path.name), grid)
        values, own = mrc.values, _pixel_sizes(mrc.cell)
    elif suffix == ".npy":
        values, own = _read_npy(path), None
    else:
        values, own, properties = _read_image(path)
    values = values.reshape(_without_leading_ones(values.shape))
    spacing = spacing or own
    if spacing is None:
        raise UserError(
            f"{path.name} does not contain its pixel size. Give the pixel size of the PSF in nm"
            + (" and its slice spacing." if values.ndim == 3 else ".")
        )
    if len(spacing) != values.ndim:
        if len(spacing) == 2 and values.ndim == 3:
            raise UserError(
                f"{path.name} is a stack of {counted(values.shape[0], 'slice')} whose spacing is "
                "not known. "
                "Give the slice spacing of the PSF."
            )
        spacing = spacing[-values.ndim :]
    return prepare(values, spacing, background=background, properties=properties)


def _radial_otf(mrc: Mrc, name: str) -> RadialOtf:
    """The radially averaged OTF in the format of many 2D- and 3D-SIM programs.

    The file contains complex numbers: (1, kr) for a 2D OTF, (order, kr, kz) for a 3D one, whose
    first order is the wide-field OTF. Its header has the steps in cycles per micrometre.
    """
    values = mrc.values.astype(np.complex128)
    values = values.reshape(_without_leading_ones(values.shape))
    if values.ndim == 3:
        values = values[0]
    steps = mrc.cell[-1:] if values.ndim == 1 else mrc.cell[-2:]
    if values.shape[0] < 8:
        raise UserError(
            f"{name} has {' x '.join(map(str, values.shape))} values, too few for a radially "
            "averaged OTF. Choose another file."
        )
    if not all(np.isfinite(s) and 0 < s < 10 for s in steps):
        raise UserError(
            f"{name} does not contain the steps of its OTF, which belong into its header as the "
            "pixel size, in cycles per micrometre. Choose another file."
        )
    return RadialOtf(values, steps)


def _without_leading_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    while len(shape) > 1 and shape[0] == 1:
        shape = shape[1:]
    return shape


def _pixel_sizes(cell: tuple[float, ...]) -> tuple[float, ...] | None:
    """The pixel sizes in a header that are set, None without them."""
    if not all(step > 0 for step in cell[-2:]):
        return None
    return cell if cell[0] > 0 else cell[-2:]


def _read_image(path: Path) -> tuple[NDArray, tuple[float, ...] | None, Mapping[str, str]]:
    """Pixels, pixel sizes if the file contains them, and ImageJ properties."""
    image = read(path)
    several = [dim for dim in image.dims if dim not in ("row", "col")]
    if size(image, "ch") > 1 or len(several) > 1:
        raise UserError(
            f"{path.name} has the axes {', '.join(map(str, image.dims))}. A PSF is one image, or "
            "one stack of slices, of a single channel."
        )
    # The axis of a stack is taken for slices here, whatever the file calls it.
    image = image.rename(dict.fromkeys(several, "pln"))
    properties = image.attrs.get("properties", {})
    try:
        spacing = spacing_micrometres(image, ("row", "col"))
    except UserError:
        return image.data, None, properties
    with suppress(UserError):
        spacing = (*spacing_micrometres(image, [str(d) for d in image.dims][:-2]), *spacing)
    return image.data, spacing, properties


def _read_npy(path: Path) -> NDArray:
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise UserError(f"{path.name} cannot be read as an NPY file: {error}") from error

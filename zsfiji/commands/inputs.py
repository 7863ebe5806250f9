"""What options give as input: calibrations, folders of images, dark frames, PSFs."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zsfiji.errors import UserError
from zsfiji.images.files import user_path
from zsfiji.parameters.output import BOTH
from zsfiji.parameters.source import Source
from zsfiji.words import counted

if TYPE_CHECKING:
    import xarray as xr

    from zsfiji.parameters.camera import CameraOptions
    from zsfiji.parameters.pixel_sizes import PixelSizes
    from zsfiji.parameters.psf import PsfGrid
    from zsfiji.physics.camera.model import KnownCamera
    from zsfiji.physics.optics.kernel import Psf

_NM = 1000
_MOST_IMAGES = 32
_SAME_PIXEL = 0.02
_RESULTS = (*BOTH, "uncertainty")
"""Suffixes of the results of the commands that learn from a folder."""


def calibrated(image: xr.DataArray, sizes: PixelSizes) -> xr.DataArray:
    """The image with the pixel size and the slice spacing that options give."""
    from zsfiji.physics.optics.spacing import with_spacing

    lateral, axial = (
        None if v is None else v / _NM for v in (sizes.pixel_size, sizes.slice_spacing)
    )
    return with_spacing(image, lateral, axial)


def image_files(folder: Path, results: Collection[str]) -> list[Path]:
    """The images of a folder, without its subfolders and hidden files, by name.

    Parameters
    ----------
    folder : Path
        The folder.
    results : collection of str
        Suffixes, as "denoised", of results that are left out where they lie beside their image.

    Raises
    ------
    UserError
        If the folder cannot be read.
    """
    from zsfiji.commands.outcome import result_title
    from zsfiji.images import tiff

    try:
        files = sorted(p for p in folder.iterdir() if p.suffix.lower() in tiff.ENDINGS)
    except OSError as error:
        raise UserError(f"{folder} cannot be read: {error.strerror or error}.") from error
    # macOS keeps a hidden file beside each on foreign disks. A link may lead nowhere.
    images = [p for p in files if not p.name.startswith(".") and os.path.isfile(p)]
    made = {f"{result_title(p.name, result)}.tif" for p in images for result in results}
    return [p for p in images if p.name not in made]


def images_in(folder: Path, image: xr.DataArray) -> list[xr.DataArray]:
    """The images of a folder without `image` itself; of more than 32 an even selection.

    Raises
    ------
    UserError
        If there is none, or one cannot be read.
    """
    from zsfiji.images import tiff

    folder = user_path(folder)
    if not os.path.isdir(folder):
        raise UserError(f"There is no folder {folder}.")
    own = str(image.attrs.get("path") or "")
    files = [
        p
        for p in image_files(folder, _RESULTS)
        if not (os.path.exists(own) and os.path.samefile(p, own))
    ]
    if not files:
        raise UserError(
            f"There is no further image in the folder {folder} ({', '.join(tiff.ENDINGS)})."
        )
    return [tiff.read(p) for p in files[:: -(-len(files) // _MOST_IMAGES)]]


def with_more_images(image: xr.DataArray, folder: Path | None, sizes: PixelSizes) -> xr.DataArray:
    """The calibrated image, with the images of a folder as further frames if there is one.

    Raises
    ------
    UserError
        If the folder has none, or one of another kind.
    """
    image = calibrated(image, sizes)
    if folder is None:
        return image
    return joined([image, *(calibrated(other, sizes) for other in images_in(folder, image))])


def joined(images: Sequence[xr.DataArray]) -> xr.DataArray:
    """Images of one kind as the frames of one, cut to the size that all of them have.

    Parameters
    ----------
    images : sequence of xarray.DataArray
        The first one gives the title and the calibration.

    Raises
    ------
    UserError
        If one has other channels, slices, SIM patterns or pixel sizes than the first.
    """
    import xarray as xr

    from zsfiji.images.axes import DIMS, STACK_DIMS, pixel_size, size

    same = {"ch": "channel", "pln": "slice", "ang": "angle", "pha": "phase"}
    first = images[0]
    rows, cols = (min(i.sizes[d] for i in images) for d in ("row", "col"))
    frames = []
    for image in images:
        name = image.attrs.get("title", "One of the images")
        for dim, what in same.items():
            if size(image, dim) != size(first, dim):
                raise UserError(
                    f"{name} has {counted(size(image, dim), what)}, and the first image "
                    f"{size(first, dim)}. Train on images of one kind."
                )
        for dim in ("row", "col", "pln"):
            steps = [pixel_size(i, dim) for i in (first, image)]
            units = [i.attrs.get("units", {}).get(dim) for i in (first, image)]
            if units[0] != units[1] or abs(steps[1] / steps[0] - 1) > _SAME_PIXEL:
                raise UserError(
                    f"{name} has pixels of another size than the first image. Give 'pixel_size' "
                    "for all, or train on images of one kind."
                )
        part = image.isel(row=slice(rows), col=slice(cols)).drop_vars(list(image.coords))
        missing = {d: 1 for d in STACK_DIMS if d not in part.dims}
        frames.append(part.expand_dims(missing).transpose(*DIMS))
    whole = xr.concat(frames, "t").squeeze([d for d in same if size(first, d) == 1])
    kept = {d: first.coords[d][: whole.sizes[d]] for d in first.coords if d in whole.dims}
    kept.pop("t", None)
    return whole.assign_coords(kept).assign_attrs(
        {k: v for k, v in first.attrs.items() if k in ("title", "units", "spacing", "rgb")}
    )


def dark_frame(source: Source | None) -> np.ndarray | None:
    """The pixels of a dark frame, or of a stack of them; None if there is none."""
    if source is None:
        return None
    image = source.image
    if image is None:
        from zsfiji.images import tiff

        image = tiff.read(source.path)
    return np.asarray(image.data)


def known_camera(options: CameraOptions) -> KnownCamera:
    """What the options tell of the camera; the rest is measured."""
    from zsfiji.physics.camera.model import KnownCamera

    return KnownCamera(
        options.gain, options.read_variance, options.background, dark_frame(options.dark)
    )


def psfs(source: Source, grid: PsfGrid, *, onto: Sequence[float]) -> list[Psf]:
    """The point spread functions that an option names.

    Parameters
    ----------
    source : Source
        An open image or a file: TIFF, NPY, or an OTF in MRC. Of an image with several channels
        each is the PSF of the channel of the same number.
    grid : PsfGrid
        Its pixel size and slice spacing, where they are not to be read from the image or file.
    onto : sequence of float
        Pixel sizes in micrometres of the image to restore, (row, col) or (pln, row, col), on
        which the PSF of an OTF is made.

    Returns
    -------
    list of Psf
        One, or one for each channel.

    Raises
    ------
    UserError
        If it is no PSF, or its pixel size is not known.
    """
    from zsfiji.images.axes import size
    from zsfiji.physics.optics.files import read_psf
    from zsfiji.physics.optics.prepare import prepare, prepare_image

    spacing = _spacing(grid)
    if source.image is None:
        return [read_psf(source.path, spacing, grid=onto)]
    image = source.image
    if size(image, "ch") > 1:
        channels = [image.isel(ch=n) for n in range(size(image, "ch"))]
    else:
        channels = [image]
    if spacing is None:
        return [prepare_image(one) for one in channels]
    found = []
    for one in channels:
        values = one.squeeze().data
        if values.ndim == 3 and len(spacing) == 2:
            raise UserError(f"The PSF {source.text} is a stack: give its slice spacing as well.")
        properties = one.attrs.get("properties")
        found.append(prepare(values, spacing[-values.ndim :], properties=properties))
    return found


def _spacing(grid: PsfGrid) -> tuple[float, ...] | None:
    """Pixel sizes in micrometres, (row, col) or (pln, row, col); None where none is given."""
    if grid.psf_pixel is None:
        if grid.psf_spacing is not None:
            raise UserError(
                "The slice spacing of the PSF is given without its pixel size. Give both."
            )
        return None
    lateral = (grid.psf_pixel / _NM, grid.psf_pixel / _NM)
    return lateral if grid.psf_spacing is None else (grid.psf_spacing / _NM, *lateral)

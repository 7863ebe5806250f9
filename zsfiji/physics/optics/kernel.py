"""A point spread function: its values on a grid, and the size of a pixel of that grid."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from zsfiji.errors import UserError

if TYPE_CHECKING:
    from zsfiji.physics.optics.microscope import Optics

DIMS = ("pln", "row", "col")

Origin = Literal["calculated", "measured", "OTF", "unknown"]

ORIGIN_PROPERTY = "zsfiji.psf"
"""ImageJ property of the image of a PSF: its :attr:`Psf.origin`."""

OPTICS_PROPERTY = "zsfiji.optics"
"""ImageJ property of the image of a calculated PSF: its :attr:`Psf.optics`, as JSON."""


@dataclass(frozen=True)
class Psf:
    """A PSF that is ready for convolution.

    Made by :mod:`.pupil`, :mod:`.files`, :mod:`.beads` and :func:`.prepare.prepare`, which
    guarantee what is said here.

    Attributes
    ----------
    values : numpy.ndarray
        (row, col) or (pln, row, col), float64, not negative, of sum 1, every size odd, the centre
        at the middle pixel. Slices are in the order of increasing depth in the specimen.
        Along rows and columns each value is the mean over the area of its pixel, as in a camera
        image: the PSF includes the pixel once.
    spacing : tuple of float
        Size of a pixel in micrometres along each axis.
    origin : {"calculated", "measured", "OTF", "unknown"}
        Where it comes from: from optics, a camera, a file with an OTF, or another file.
    optics : Optics, optional
        What it was calculated from, so that it can be calculated on another grid.
    own : tuple of int, optional
        Sizes of the image that it was read from, for messages.
    """

    values: NDArray[np.float64]
    spacing: tuple[float, ...]
    origin: Origin = "unknown"
    optics: Optics | None = None
    own: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.values.ndim not in (2, 3) or len(self.spacing) != self.values.ndim:
            raise ValueError(f"{self.values.ndim} axes, {len(self.spacing)} pixel sizes")
        if any(n % 2 == 0 for n in self.values.shape):
            raise ValueError(f"even size in {self.values.shape}")


def normalised(values: NDArray[np.floating], spacing: Sequence[float]) -> Psf:
    """Make a :class:`Psf` from odd-sized, centred `values`: negative ones become 0, the sum 1."""
    light = np.clip(np.asarray(values, dtype=np.float64), 0, None)
    total = light.sum()
    if not np.isfinite(total) or total <= 0:
        raise UserError("The PSF holds no light: all its values are zero or below.")
    return Psf(light / total, tuple(float(s) for s in spacing))


def part(psf: Psf, where: Any) -> Psf:
    """A part of a PSF around the same centre, of sum 1; the other attributes stay.

    Parameters
    ----------
    psf : Psf
        The PSF.
    where : index
        A Python slice for each axis, or the number of the slice in focus.
    """
    values = psf.values[where]
    light = normalised(values, psf.spacing[-values.ndim :])
    return replace(psf, values=light.values, spacing=light.spacing)


def focal_plane(psf: Psf) -> Psf:
    """The slice in focus of a 3D PSF: the PSF of a thin specimen. A 2D PSF stays as it is."""
    if psf.values.ndim == 2:
        return psf
    return part(psf, psf.values.shape[0] // 2)


def as_image(psf: Psf, title: str) -> xr.DataArray:
    """The PSF as an image to show: 32-bit, calibrated in microns, the origin at its centre.

    Its properties, which a TIFF keeps, say where it comes from.
    """
    dims = DIMS[-psf.values.ndim :]
    coords = {
        dim: (np.arange(n) - n // 2) * step
        for dim, n, step in zip(dims, psf.values.shape, psf.spacing, strict=True)
    }
    attrs: dict[str, Any] = {
        "title": title,
        "units": dict.fromkeys(dims, "micron"),
        "mode": "grayscale",
        "display_ranges": [(0.0, float(psf.values.max()))],
    }
    properties: dict[str, str] = {}
    if psf.origin != "unknown":
        properties[ORIGIN_PROPERTY] = psf.origin
    if psf.optics is not None:
        properties[OPTICS_PROPERTY] = json.dumps(asdict(psf.optics))
    if properties:
        attrs["properties"] = properties
    return xr.DataArray(psf.values.astype(np.float32), dims=dims, coords=coords, attrs=attrs)

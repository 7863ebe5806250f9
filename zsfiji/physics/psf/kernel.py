"""A point spread function: its values on a grid, and the size of a pixel of that grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from zsfiji.errors import UserError

DIMS = ("pln", "row", "col")


@dataclass(frozen=True)
class Psf:
    """A PSF fit for convolution.

    Made by :mod:`.optics`, :mod:`.files`, :mod:`.beads` and :func:`.prepare.prepare`, which see
    to what is promised here.

    Attributes
    ----------
    values : numpy.ndarray
        (row, col) or (pln, row, col), float64, not negative, of sum 1, every size odd, the centre
        at the middle pixel. Slices run into the specimen.
    spacing : tuple of float
        Size of a pixel in micrometres along each axis.
    """

    values: NDArray[np.float64]
    spacing: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.values.ndim not in (2, 3) or len(self.spacing) != self.values.ndim:
            raise ValueError(f"{self.values.ndim} axes, {len(self.spacing)} pixel sizes")
        if any(n % 2 == 0 for n in self.values.shape):
            raise ValueError(f"even size in {self.values.shape}")


def normalised(values: NDArray[np.floating], spacing: Sequence[float]) -> Psf:
    """Make a :class:`Psf` of odd-sized, centred `values`: no light below zero, and a sum of 1."""
    light = np.clip(np.asarray(values, dtype=np.float64), 0, None)
    total = light.sum()
    if not np.isfinite(total) or total <= 0:
        raise UserError("The PSF holds no light: all its values are zero or below.")
    return Psf(light / total, tuple(float(s) for s in spacing))


def focal_plane(psf: Psf) -> Psf:
    """The slice in focus of a 3D PSF: the PSF of a thin specimen. A 2D PSF comes back as it is."""
    if psf.values.ndim == 2:
        return psf
    return normalised(psf.values[psf.values.shape[0] // 2], psf.spacing[1:])


def as_image(psf: Psf, title: str) -> xr.DataArray:
    """The PSF as an image to show: 32-bit, calibrated in microns, the origin at its centre."""
    dims = DIMS[-psf.values.ndim :]
    coords = {
        dim: (np.arange(n) - n // 2) * step
        for dim, n, step in zip(dims, psf.values.shape, psf.spacing, strict=True)
    }
    attrs = {
        "title": title,
        "units": dict.fromkeys(dims, "micron"),
        "mode": "grayscale",
        "display_ranges": [(0.0, float(psf.values.max()))],
    }
    return xr.DataArray(psf.values.astype(np.float32), dims=dims, coords=coords, attrs=attrs)

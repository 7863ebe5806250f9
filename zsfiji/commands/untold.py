"""Raw SIM images of which no optics are told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from zsfiji.commands import raw_order
from zsfiji.commands.outcome import result_title
from zsfiji.images.axes import pixel_size, set_calibration
from zsfiji.physics.sim.grid import SCALE
from zsfiji.physics.sim.optics import RadialTransfer

if TYPE_CHECKING:
    from zsfiji.parameters.sim import RawOrder

PSF = "psf"
"""Name of the window of the PSF."""

_CUTOFFS = (0.22, 0.32, 0.45)
"""Cut-offs in cycles per pixel that orders are tried with: each finds patterns from half of it to
1.25 times."""


def arranged(image: xr.DataArray, order: RawOrder, background: float | None = None) -> xr.DataArray:
    """Give a raw SIM image the axes of its angles and phases; see :func:`.raw_order.arranged`."""
    return raw_order.arranged(image, order, [RadialTransfer(c) for c in _CUTOFFS], background)


def with_psf(
    images: Sequence[xr.DataArray], planes: Sequence[np.ndarray], raw: xr.DataArray
) -> tuple[xr.DataArray, ...]:
    """Put a window with PSFs before the main one, which is the last.

    Parameters
    ----------
    images : sequence of xarray.DataArray
        The other windows.
    planes : sequence of numpy.ndarray
        A PSF on the fine grid for each channel.
    raw : xarray.DataArray
        The raw image, which gives title and calibration.
    """
    made = xr.DataArray(np.stack(planes, -1), dims=("row", "col", "ch"))
    if len(planes) == 1:
        made = made.isel(ch=0)
    made.attrs["title"] = result_title(str(raw.attrs.get("title") or "image"), PSF)
    step = {dim: pixel_size(raw, dim) / SCALE for dim in ("row", "col")}
    units = raw.attrs.get("units", {})
    set_calibration(made, step, {dim: units[dim] for dim in step if dim in units})
    return (*images[:-1], made, images[-1])

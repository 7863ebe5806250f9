"""Simulated raw images of a reconstructed specimen, for the uncertainty of results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import numpy as np
import torch
import xarray as xr

from zsfiji.compute.device import generator
from zsfiji.images.axes import DIMS, PATTERN_DIMS, size
from zsfiji.images.parts import PLANE, pixels_of, place, positions
from zsfiji.services.sim.calibration import Calibration
from zsfiji.services.sim.reconstructor import SCALE


class Calibrated(Protocol):
    """A unit of a method for raw SIM images."""

    @property
    def calibration(self) -> Calibration:
        """Patterns, optics and noise."""


U = TypeVar("U", bound=Calibrated)


def captured(
    specimen: xr.DataArray,
    units: Sequence[U],
    record: Callable[[U, np.ndarray, torch.Generator], np.ndarray],
    *,
    per_plane: bool,
    seed: int,
) -> xr.DataArray:
    """Simulate the raw image of a specimen.

    Parameters
    ----------
    specimen : xarray.DataArray
        A reconstruction, on half the pixel size, in grey levels above the background.
    units : sequence
        One for each channel, or for each plane.
    record : callable
        Takes a unit, a specimen (2 row, 2 col) and random numbers, and gives a raw stack in grey
        levels.
    per_plane : bool
        Which of both.
    seed : int
        Seed of the noise.

    Returns
    -------
    xarray.DataArray
        float32, in grey levels, with the axes of the patterns.
    """
    patterns = units[0].calibration.patterns
    sizes = {str(dim): int(n) for dim, n in specimen.sizes.items()}
    sizes |= {dim: sizes[dim] // SCALE for dim in PLANE}
    sizes |= dict(zip(PATTERN_DIMS, (patterns.angles, patterns.frames), strict=True))
    dims = [dim for dim in DIMS if dim in sizes]
    raw = xr.DataArray(np.zeros([sizes[dim] for dim in dims], np.float32), dims=dims)
    draws = generator(seed)
    for number, position in enumerate(positions(specimen)):
        unit = units[number if per_plane else position.get("ch", 0)]
        stack = record(unit, pixels_of(specimen, position), draws)
        raw.data[place(raw, {d: n for d, n in position.items() if size(raw, str(d)) > 1})] = stack
    return raw

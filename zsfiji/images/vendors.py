"""The calibration in TIFF files of microscopes: Zeiss LSM and MetaMorph STK.

Both give axis -> spacing and axis -> unit, for the axes that the file calibrates.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

_PER_METRE = 1e6
"""Micrometres."""

_PER_SECOND = 1000
"""Milliseconds."""


def of_lsm(meta: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, str]]:
    """Calibration of an LSM file.

    Parameters
    ----------
    meta : mapping
        tifffile's ``lsm_metadata``: voxel sizes in metres, the time between frames in seconds.
    """
    keys = {"col": "VoxelSizeX", "row": "VoxelSizeY", "pln": "VoxelSizeZ"}
    steps = {dim: _PER_METRE * float(meta.get(key) or 0) for dim, key in keys.items()}
    # The key is spelt like this in the format.
    return _told({**steps, "t": float(meta.get("TimeIntervall") or 0)}, "micron")


def of_stk(meta: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, str]]:
    """Calibration of an STK file.

    Parameters
    ----------
    meta : mapping
        tifffile's ``stk_metadata``: pixel sizes in a unit of their own, for each plane its distance
        to the next slice in that unit, and the time of day in milliseconds.
    """
    steps = {}
    unit = str(meta.get("CalibrationUnits") or "").strip()
    if meta.get("SpatialCalibration") and unit:
        steps = {
            "col": float(meta.get("XCalibration") or 0),
            "row": float(meta.get("YCalibration") or 0),
            "pln": abs(float(np.median(meta.get("ZDistance", 0.0)))),
        }
    times = np.atleast_1d(meta.get("TimeCreated", 0.0)).astype(float)
    if len(times) > 1:
        steps["t"] = float(times[-1] - times[0]) / (len(times) - 1) / _PER_SECOND
    return _told(steps, unit)


def _told(steps: Mapping[str, float], unit: str) -> tuple[dict[str, float], dict[str, str]]:
    known = {dim: step for dim, step in steps.items() if step > 0 and np.isfinite(step)}
    return known, {dim: "sec" if dim == "t" else unit for dim in known}

"""The spectrum of a reconstruction, with the peaks of its patterns marked."""

from __future__ import annotations

import numpy as np
import xarray as xr
from roifile import ROI_TYPE, ImagejRoi
from scipy.ndimage import uniform_filter

from zsfiji.images.axes import set_calibration
from zsfiji.services.sim.calibration import Calibration
from zsfiji.services.sim.reconstructor import SCALE

_SIDE = 512
"""Longest side in pixels: larger ones would cover the other windows."""

_MARK = 0.03
"""Radius of a mark, as a share of the width. Chosen by eye."""

_FOUND, _LOST, _LENS = b"\xff\x30\xd0\x30", b"\xff\xe0\x40\x30", b"\xff\xff\xd0\x20"
"""Green, red and yellow: alpha, red, green, blue."""

_TAPER = 16
"""Pixels of the border that fade, so that it makes no cross. Chosen by eye."""


def spectrum(image: np.ndarray, calibration: Calibration) -> xr.DataArray:
    """The logarithm of the power spectrum, frequency 0 in the middle.

    Parameters
    ----------
    image : numpy.ndarray
        (row, col): a reconstruction.
    calibration : Calibration
        Its patterns.

    Returns
    -------
    xarray.DataArray
        float32 (row, col), square, calibrated in cycles per micrometre. An overlay has
        a yellow circle at the cut-off of the lens, and a circle on each side at the frequency of
        each pattern: green where the pattern is used, red where not.
    """
    window = np.outer(*(_faded(n) for n in image.shape))
    bare = (image - image.mean()) * window
    fine = max(image.shape)
    power = np.abs(np.fft.fftshift(np.fft.fft2(bare, (fine, fine)))) ** 2
    coarser = -(-fine // _SIDE)
    # Of an odd number of pixels around each that is kept, so that frequency 0 stays in the middle.
    first = fine // 2 % coarser
    power = uniform_filter(power, coarser | 1)[first::coarser, first::coarser]
    side = len(power)
    shown = np.log10(np.maximum(power, power.max() * 1e-12)).astype(np.float32)
    steps = [SCALE / fine * coarser] * 2
    centre = [fine // 2 // coarser] * 2
    marks = [_oval(centre, [calibration.record.cutoff / s for s in steps], _LENS, "cut-off")]
    radius = [_MARK * side] * 2
    for angle, waves in enumerate(calibration.waves, 1):
        for wave in waves:
            for sign in (1, -1):
                at = [c + sign * v / s for c, v, s in zip(centre, wave.vector, steps, strict=True)]
                colour = _FOUND if wave.usable else _LOST
                marks.append(_oval(at, radius, colour, f"angle {angle}"))
    result = xr.DataArray(shown, dims=("row", "col"), attrs={"overlay": marks})
    low, high = np.percentile(shown, (20, 99.9))
    result.attrs["display_ranges"] = [(float(low), float(high))]
    step = {d: s / calibration.record.pixel for d, s in zip(("row", "col"), steps, strict=True)}
    origins = dict(zip(("row", "col"), (float(c) for c in centre), strict=True))
    set_calibration(result, step, {"row": "1/micron", "col": "1/micron"}, origins)
    return result


def _faded(length: int) -> np.ndarray:
    width = min(_TAPER, length // 4)
    window = np.ones(length)
    window[:width] = np.sin((np.arange(width) + 0.5) / width * np.pi / 2) ** 2
    window[length - width :] = window[:width][::-1]
    return window


def _oval(centre: list[int] | list[float], radii: list[float], colour: bytes, name: str) -> bytes:
    """An ImageJ ROI."""
    (row, col), (down, across) = centre, radii
    roi = ImagejRoi(
        roitype=ROI_TYPE.OVAL,
        top=round(row - down),
        bottom=round(row + down),
        left=round(col - across),
        right=round(col + across),
        n_coordinates=0,
        stroke_color=colour,
        stroke_width=1,
        name=name,
    )
    encoded: bytes = roi.tobytes()
    return encoded

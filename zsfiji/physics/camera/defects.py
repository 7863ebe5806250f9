"""Single defective pixels: dead, hot, or hit by a cosmic ray.

They are too far from their neighbours for noise, so filters keep them and put rings around them.
The optics spread every point of light over neighbouring pixels, so a pixel that stands out alone is
not light.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import uniform_filter

from zsfiji.compute.scratch import scratch_array
from zsfiji.compute.slices import slicewise
from zsfiji.physics.filters.anscombe import Stabiliser
from zsfiji.physics.noise import Noise

FAR = 6.0
"""Standard deviations by which a defective pixel differs from the median of its neighbours.

Not tuned: Gaussian noise has about one such pixel in 500 million.
"""

_SPREAD = 1.5
"""Standard deviations by which the four nearest pixels may differ from the ring around them. Chosen
by eye."""

_SHARE = 0.15
"""The same as a share of the defect's own deviation, for very bright defects; on the stabilised
scale, where a hundredth of the light is a tenth of the value. Chosen by eye."""

_MOST = 0.02
"""Share of the pixels above which outliers are texture and not defects. Chosen by eye."""

_MOST_SUSPECTS = 0.05
"""The same for the candidates of the first, quick test. Saturation adds some. Chosen by eye."""

_RING = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], dtype=bool)
"""The eight neighbours of a pixel."""

_OUTER = np.pad(np.zeros((3, 3), dtype=bool), 1, constant_values=True)
"""The sixteen pixels around these."""


def note(count: int) -> str:
    """Say how many pixels were replaced."""
    return (
        f"Single pixels that differ from their neighbours by more than {FAR:g} standard "
        f"deviations, taken for defects of the camera and replaced by their neighbours: {count}."
    )


def repaired(plane: np.ndarray, noise: Noise) -> tuple[np.ndarray, int]:
    """Replace defective pixels by the median of their eight neighbours.

    Parameters
    ----------
    plane : numpy.ndarray
        float32 (row, col).
    noise : Noise
        Its noise.

    Returns
    -------
    plane : numpy.ndarray
        The plane itself where nothing had to be replaced.
    count : int
        Number of pixels replaced; 0 for correlated noise.
    """
    # What has correlated the noise has also spread the defects over several pixels.
    if noise.floor == 0 or not noise.white or min(plane.shape) < 5:
        return plane, 0
    stabilised = Stabiliser.of(noise).forward(plane)
    # A quick test first: an outlier differs from the mean of its 3 x 3 pixels by 8/9 of its excess.
    outlier = np.abs(stabilised - uniform_filter(stabilised, 3, mode="mirror")) > FAR / 2
    rows, cols = np.nonzero(outlier)
    if len(rows) == 0 or len(rows) > _MOST_SUSPECTS * plane.size:
        return plane, 0
    windows = _around(stabilised, rows, cols, 2)
    near = windows[:, 1:4, 1:4][:, _RING]
    distance = np.abs(windows[:, 2, 2] - np.nanmedian(near, axis=1))
    far = distance > FAR
    # Light, or the lack of it, is seen in the neighbours too.
    cross = np.nanmean(windows[:, [1, 3, 2, 2], [2, 2, 1, 3]], axis=1)
    # A very bright defect may lie on structure; its own light would be in proportion to it.
    beside = np.maximum(_SPREAD, _SHARE * distance)
    alone = np.abs(cross - np.nanmedian(windows[:, _OUTER], axis=1)) < beside
    rows, cols = rows[far & alone], cols[far & alone]
    if len(rows) == 0 or len(rows) > _MOST * plane.size:
        return plane, 0
    result = plane.copy()
    result[rows, cols] = np.nanmedian(_around(plane, rows, cols, 1)[:, _RING], axis=1)
    return result, len(rows)


def _around(plane: np.ndarray, rows: np.ndarray, cols: np.ndarray, reach: int) -> np.ndarray:
    """Squares around pixels of a plane, NaN beyond its borders: (pixel, row, col)."""
    edge = 2 * reach + 1
    wider = np.pad(plane, reach, constant_values=np.nan)
    return np.lib.stride_tricks.sliding_window_view(wider, (edge, edge))[rows, cols]


def repaired_image(image: np.ndarray, noise: Noise) -> tuple[np.ndarray, int]:
    """Replace the defective pixels of a plane or of each slice of a stack.

    Deconvolution would put rings around such a pixel.

    Parameters
    ----------
    image : numpy.ndarray
        (row, col) or (pln, row, col), of any type.
    noise : Noise
        Its noise.

    Returns
    -------
    image : numpy.ndarray
        The image itself if nothing had to be replaced, otherwise a float32 copy.
    count : int
        Number of pixels replaced.
    """
    result, count = image, 0
    for number, plane in enumerate(slicewise(image)):
        repaired_plane, found = repaired(np.asarray(plane, np.float32), noise)
        if found and result is image:
            result = scratch_array(image.shape)
            for into, source in zip(slicewise(result), slicewise(image), strict=True):
                into[:] = source
        if found:
            slicewise(result)[number] = repaired_plane
            count += found
    return result, count

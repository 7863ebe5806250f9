"""Whether noise that seems correlated is noise, or fine structure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from zsfiji.images.middle import middle
from zsfiji.physics.camera.calibration.calibrate import least_noise
from zsfiji.physics.filters.anscombe import Stabiliser
from zsfiji.physics.filters.both import filtered
from zsfiji.physics.filters.structure import Shape, shape
from zsfiji.physics.noise import SURE, Noise

_LOOK = 512
"""Edge of the middle of a plane that is looked at."""


def believed(noise: Noise, planes: Sequence[NDArray[np.float32]]) -> tuple[Noise, bool]:
    """Give the noise to restore with, at the resolution of the image.

    Correlated noise that the image does not tell from fine structure is tried: where a filter that
    believes in it takes structure out, the noise is what there is at least.

    Parameters
    ----------
    noise : Noise
        What was measured.
    planes : sequence of numpy.ndarray
        float32 (row, col), that it was measured in.

    Returns
    -------
    noise : Noise
        As measured, or white noise of confidence 0.
    doubted : bool
        Whether it is the latter.
    """
    if noise.white or noise.floor == 0 or noise.confidence >= SURE:
        return noise, False
    plane = planes[len(planes) // 2]
    part = plane[middle(plane.shape, _LOOK)]
    stabiliser = Stabiliser.of(noise)
    smooth = filtered(torch.from_numpy(stabiliser.forward(part)), noise)
    if shape(part, stabiliser.inverse(smooth.numpy()), noise) is Shape.NOISE:
        return noise, False
    return least_noise(planes), True

"""Find out whether noise that seems to be correlated is noise, or fine structure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from zsfiji.errors import UserError
from zsfiji.images.middle import middle
from zsfiji.physics.camera.calibration.calibrate import least_noise
from zsfiji.physics.camera.model import Camera, KnownCamera, measure
from zsfiji.physics.filters.anscombe import Stabiliser
from zsfiji.physics.filters.both import filtered
from zsfiji.physics.filters.structure import Shape, shape
from zsfiji.physics.noise import SURE, Noise

_LOOK = 512
"""Edge in pixels of the middle of a plane, which is used: bounds the time. Not tuned."""

_SATURATED = 0.3
"""Share of saturated pixels above which a network cannot learn from an image. Chosen by eye."""


def noise_to_use(noise: Noise, planes: Sequence[NDArray[np.float32]]) -> tuple[Noise, bool]:
    """Give the noise to restore with, at the resolution of the image.

    Correlated noise that cannot be told from fine structure is tested: if a filter with this noise
    removes structure, a lower limit of the noise is used instead.

    Parameters
    ----------
    noise : Noise
        The measured noise.
    planes : sequence of numpy.ndarray
        float32 (row, col), in which it was measured.

    Returns
    -------
    noise : Noise
        As measured, or white noise of confidence 0.
    doubted : bool
        Whether it is the lower limit.
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


def measure_for_training(
    planes: list[NDArray[np.float32]], known: KnownCamera, where: str = ""
) -> tuple[Camera, bool]:
    """Measure the noise for a method that learns from it.

    Parameters
    ----------
    planes : list of numpy.ndarray
        float32 (row, col), of one channel.
    known : KnownCamera
        What is given about the camera.
    where : str
        Names the part of the image in messages, such as " in channel 2".

    Returns
    -------
    camera : Camera
        The camera, with the noise to use.
    doubted : bool
        Whether that is a lower limit; see :func:`noise_to_use`.

    Raises
    ------
    UserError
        If there is no noise, or too many pixels are saturated.
    """
    camera = measure(planes, known)
    noise, doubted = noise_to_use(camera.noise, planes)
    if noise.floor == 0:
        raise UserError(
            f"No noise was found{where or ' in the image'}. The method learns from noise, "
            "which filtered, compressed or simulated images may not have."
        )
    if noise.saturated > _SATURATED:
        raise UserError(
            f"{noise.saturated:.0%} of the pixels{where} are saturated, so the "
            "brightness of the specimen is not known. Acquire the image again with less "
            "exposure or gain, or select a region that is not saturated."
        )
    return camera.with_noise(noise), doubted

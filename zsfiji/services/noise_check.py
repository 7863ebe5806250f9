"""Whether a model serves an image: it has learnt the noise of one detector and its settings."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from zsfiji.compute.slices import middle_slice
from zsfiji.images.middle import middle
from zsfiji.learning.models import Fitted, Model
from zsfiji.physics.camera.calibration.calibrate import calibrate
from zsfiji.physics.noise import SURE, Noise

_OTHER = 1.6
"""Factor between two variances from which on they are called different: each is right within 1.5 in
99.6 % of the images (benchmarks/noise_calibration.py)."""

_LOOK = 256
"""Edge in pixels of the middle in which the noise is measured: bounds the time. Not tuned."""


class NoiseCheck:
    """Compares the noise of an image with that which a model has learnt, once for each channel.

    Parameters
    ----------
    model : Model
        The model.
    image : xarray.DataArray
        The image that it is applied to. Where that is the one it was fitted to, as for a model
        that was never in a file, nothing is measured.
    """

    def __init__(self, model: Model[Any, Any], image: xr.DataArray) -> None:
        named = bool(model.fitted_to.title)
        self._same = not model.stored or (named and model.fitted_to == Fitted.of(image))
        self._looked: set[int | None] = set()

    def __call__(self, noise: Noise, part: np.ndarray, channel: int | None) -> list[str]:
        """Say that a part has other noise, if that is certain.

        Parameters
        ----------
        noise : Noise
            What the model has learnt.
        part : numpy.ndarray
            (row, col) or (pln, row, col), in the unit of the image.
        channel : int or None
            Its channel, from 0; None where each part has a noise of its own.
        """
        if self._same or channel in self._looked or noise.floor == 0 or not noise.white:
            return []
        self._looked.add(channel)
        plane = middle_slice(part)
        plane = plane[middle(plane.shape, _LOOK)].astype(np.float32)
        found = calibrate([plane])
        if found.floor == 0 or not found.white or found.confidence < SURE:
            return []
        levels = np.quantile(plane, (0.5, 0.95))
        factors = found.variance(levels) / noise.variance(levels)
        if not (factors.min() > _OTHER or factors.max() < 1 / _OTHER):
            return []
        return [
            f"The noise has {float(np.sqrt(factors.prod())):.2g} times the variance of that which "
            "the model has learnt: the image was acquired in another way. Train on it instead."
        ]

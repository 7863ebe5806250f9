"""Variance stabilisation: pixel values whose noise has the standard deviation 1 everywhere.

The generalised Anscombe transform and the closed-form approximation of its exact unbiased inverse
(Mäkitalo and Foi, IEEE TIP 22 (2013) 91), written for a variance ``gain * y + intercept``, so that
the offset of the camera and its read noise need not be known separately.

Below the darkest value of the image (half of its smallest variance) the square root continues as
its tangent: pixels that the read noise took below it keep their noise, and nothing is clipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from zsfiji.physics.noise import Noise

_DARK = 0.375
"""The 3/8 of Anscombe's transform."""

_Q = 1.5**0.5
"""Root of 3/2, in the coefficients of the inverse (Mäkitalo and Foi)."""

_PART = 2**20
"""Pixels that are processed at once: bounds the memory, no result depends on it."""

Values = TypeVar("Values", bound=Any)
"""A numpy array or a torch tensor; :meth:`Stabiliser.root` takes both."""


@dataclass(frozen=True)
class Stabiliser:
    """The transform for noise with a given gain and intercept, and its inverse.

    Attributes
    ----------
    gain, intercept : float
        Variance of a pixel of the value y: ``gain * y + intercept``. A gain of 0 means Gaussian
        noise, for which the transform is a division.
    knee : float
        Variance, in units of ``gain**2``, below which the transform is a straight line.
    """

    gain: float
    intercept: float
    knee: float = _DARK

    @classmethod
    def of(cls, noise: Noise) -> Stabiliser:
        """Give the transform for `noise`, whose variance must not be zero."""
        if noise.gain > 0:
            return cls(noise.gain, noise.intercept, max(_DARK, noise.floor / noise.gain**2))
        return cls(0.0, max(noise.intercept, noise.floor))

    def forward(self, values: np.ndarray) -> np.ndarray:
        """Stabilise.

        Parameters
        ----------
        values : numpy.ndarray
            Pixel values, any shape.

        Returns
        -------
        numpy.ndarray
            float32 of the same shape, in units of the noise's standard deviation.
        """
        y = np.asarray(values)
        result = np.empty(y.shape, dtype=np.float32)
        # Some rows at a time: in double precision a large plane would fill the memory.
        for rows in _parts(y):
            result[rows] = self.root(y[rows].astype(np.float64))
        return result

    def root(self, values: Values) -> Values:
        """Stabilise an array or a tensor in its own precision and on its own device."""
        if self.gain == 0:
            return values / self.intercept**0.5
        t = values / self.gain + (_DARK + self.intercept / self.gain**2)
        return 2 * t.clip(self.knee, None) ** 0.5 + (t - self.knee).clip(None, 0) / self.knee**0.5

    def inverse(self, stabilised: np.ndarray) -> np.ndarray:
        """Exact unbiased inverse: the expected pixel value for a mean stabilised value.

        Parameters
        ----------
        stabilised : numpy.ndarray
            Denoised stabilised values, any shape.

        Returns
        -------
        numpy.ndarray
            Of the same shape, in the unit of the image; at least float32.
        """
        z = np.asarray(stabilised)
        result = np.empty(z.shape, dtype=np.result_type(z, np.float32))
        for rows in _parts(z):
            result[rows] = self._grey(z[rows].astype(np.float64))
        return result

    def _grey(self, z: np.ndarray) -> np.ndarray:
        if self.gain == 0:
            return z * np.sqrt(self.intercept)
        lowest = 2 * self.knee**0.5
        d = np.maximum(z, lowest)
        t = d**2 / 4 + _Q / (4 * d) - 11 / (8 * d**2) + 5 * _Q / (8 * d**3) - 1 / 8
        slope = lowest / 2 - _Q / (4 * lowest**2) + 11 / (4 * lowest**3) - 15 * _Q / (8 * lowest**4)
        t = t + np.minimum(z - lowest, 0) * slope
        return (t - self.intercept / self.gain**2) * self.gain


def _parts(values: np.ndarray) -> Iterator[Any]:
    """Slices along the first axis of about a million values each."""
    if values.size <= _PART:
        yield ...
        return
    rows = max(1, _PART * len(values) // values.size)
    for start in range(0, len(values), rows):
        yield slice(start, start + rows)

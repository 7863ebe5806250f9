"""Simpler shapes fitted to a measured PSF, to reduce its noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.interpolate import CubicSpline
from scipy.optimize import curve_fit

from zsfiji.errors import UserError
from zsfiji.physics.optics.kernel import Psf, normalised
from zsfiji.physics.optics.measure import fwhm

_ANGLES = 64
"""Number of directions for the mean: enough for rings with a radius of some 20 pixels. Not
tuned."""


def round_lateral(psf: Psf) -> Psf:
    """The mean of a PSF over all directions in the plane, slice by slice."""
    values = psf.values
    height, width = psf.spacing[-2:]
    middle = [n // 2 for n in values.shape[-2:]]
    step = min(height, width) / 2
    reach = min(m * s for m, s in zip(middle, (height, width), strict=True))
    radius = np.arange(0, reach + step / 2, step)
    angle = np.linspace(0, 2 * np.pi, _ANGLES, endpoint=False)
    rows = middle[0] + np.outer(radius, np.sin(angle)) / height
    columns = middle[1] + np.outer(radius, np.cos(angle)) / width
    y = (np.arange(values.shape[-2]) - middle[0]) * height
    x = (np.arange(values.shape[-1]) - middle[1]) * width
    distance = np.hypot(y[:, None], x[None, :])

    def turned(plane: NDArray[np.float64]) -> NDArray[np.float64]:
        profile = ndimage.map_coordinates(plane, [rows, columns], order=3, mode="nearest")
        spread = CubicSpline(radius, profile.mean(axis=1))(np.minimum(distance, radius[-1]))
        return np.where(distance <= radius[-1] + step, spread, 0.0)

    if values.ndim == 2:
        return normalised(turned(values), psf.spacing)
    return normalised(np.stack([turned(plane) for plane in values]), psf.spacing)


def gaussian(psf: Psf) -> Psf:
    """The Gaussian that fits a PSF best (least squares), with a width for every axis.

    Raises
    ------
    UserError
        If the fit fails.
    """
    axes = [(np.arange(n) - n // 2) * s for n, s in zip(psf.values.shape, psf.spacing, strict=True)]
    grid = np.meshgrid(*axes, indexing="ij")
    squares = np.stack([g.ravel() ** 2 for g in grid])
    height = float(psf.values.max())

    def model(squares: NDArray[np.float64], top: float, *sigma: float) -> NDArray[np.float64]:
        return top * np.exp(-0.5 * (squares / np.square(sigma)[:, None]).sum(axis=0))

    guess = [1.0, *(w / 2.355 for w in fwhm(psf))]
    try:
        found, _ = curve_fit(model, squares, psf.values.ravel() / height, p0=guess)
    except RuntimeError as error:
        raise UserError(
            "No Gaussian fits the beads. Average them without a fit, and check the result."
        ) from error
    return normalised(model(squares, *found).reshape(psf.values.shape), psf.spacing)

"""How close an image is to the ground truth, and how much structure a residual has.

All functions take planes of shape (row, col). The data range must be given; it is never guessed
from the pixels, because PSNR and SSIM depend on it.
"""

from __future__ import annotations

import numpy as np
from skimage.metrics import (
    normalized_root_mse,
    peak_signal_noise_ratio,
    structural_similarity,
)

from zsfiji.errors import UserError


def psnr(truth: np.ndarray, image: np.ndarray, *, data_range: float) -> float:
    """Peak signal-to-noise ratio in dB.

    Parameters
    ----------
    truth, image : numpy.ndarray
        Shape (row, col), the same unit.
    data_range : float
        Distance from the smallest to the largest possible value, 255 for 8 bit.

    Returns
    -------
    float
        In dB; infinite for equal images.
    """
    truth, image = _pair(truth, image)
    if np.array_equal(truth, image):
        return float("inf")
    return float(peak_signal_noise_ratio(truth, image, data_range=data_range))


def ssim(truth: np.ndarray, image: np.ndarray, *, data_range: float) -> float:
    """Structural similarity, mean over windows of 7 x 7 pixels; 1 for equal images.

    Parameters
    ----------
    truth, image : numpy.ndarray
        Shape (row, col), both at least 7, the same unit.
    data_range : float
        See :func:`psnr`.
    """
    truth, image = _pair(truth, image)
    return float(structural_similarity(truth, image, data_range=data_range))


def nrmse(truth: np.ndarray, image: np.ndarray) -> float:
    """Root mean square error over the root mean square of `truth`; 0 for equal images."""
    truth, image = _pair(truth, image)
    return float(normalized_root_mse(truth, image, normalization="euclidean"))


def aligned(image: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Fit gain and offset of `image` to `truth` by least squares.

    Two exposures differ in brightness, which would hide how well the structure agrees.

    Parameters
    ----------
    image, truth : numpy.ndarray
        Shape (row, col).

    Returns
    -------
    numpy.ndarray
        float64 ``a * image + b``; a constant image becomes the mean of the truth.
    """
    truth, image = _pair(truth, image)
    spread = image.var()
    if spread == 0:
        return np.full_like(image, truth.mean())
    gain = ((image - image.mean()) * (truth - truth.mean())).mean() / spread
    return gain * (image - image.mean()) + truth.mean()


def autocorrelation(residual: np.ndarray, reach: int = 5) -> np.ndarray:
    """Correlation of the pixels of a residual with those some rows and columns away.

    Parameters
    ----------
    residual : numpy.ndarray
        What a restoration has removed, shape (row, col); its mean is subtracted.
    reach : int
        Largest distance in pixels.

    Returns
    -------
    numpy.ndarray
        Shape (2 reach + 1, 2 reach + 1), 1 in the middle; 0 elsewhere for white noise, within
        about ``1 / sqrt(number of pixels)``. Distances beyond the image are 0.
    """
    field = np.asarray(residual, dtype=np.float64)
    field = field - field.mean()
    rows, cols = field.shape
    result = np.zeros((2 * reach + 1, 2 * reach + 1))
    variance = (field**2).mean()
    if variance == 0:
        result[reach, reach] = 1
        return result
    # Padding by the reach avoids the wrap-around of the transform.
    shape = (rows + reach, cols + reach)
    power = np.abs(np.fft.rfft2(field, shape)) ** 2
    sums = np.fft.irfft2(power, shape)
    for row in range(-min(reach, rows - 1), min(reach, rows - 1) + 1):
        for col in range(-min(reach, cols - 1), min(reach, cols - 1) + 1):
            pairs = (rows - abs(row)) * (cols - abs(col))
            result[reach + row, reach + col] = sums[row, col] / pairs / variance
    return result


def _pair(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if np.shape(first) != np.shape(second):
        raise UserError(
            f"The images are {np.shape(first)} and {np.shape(second)} pixels; "
            "only images of the same size can be compared."
        )
    return np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)

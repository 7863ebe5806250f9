"""Common denoisers, to compare ours with.

Each takes a plane of shape (row, col), any unit and scale, and gives a float32 one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from scipy.ndimage import gaussian_filter, median_filter

from zsfiji.quality.metrics import psnr

SIGMAS = (0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0)
"""Standard deviations in pixels from which :func:`best_sigma` chooses. They include the best ones
on the FMD images."""


def gaussian(plane: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian filter of the standard deviation `sigma` pixels."""
    return gaussian_filter(np.asarray(plane, dtype=np.float32), sigma)


def best_sigma(
    pairs: Iterable[tuple[np.ndarray, np.ndarray]],
    *,
    data_range: float,
    sigmas: Sequence[float] = SIGMAS,
) -> float:
    """Find the single Gaussian that is best on a set of images with known ground truth.

    This is the strongest form of the baseline: a user has no ground truth to choose with.

    Parameters
    ----------
    pairs : iterable of (noisy, truth)
        The images, shape (row, col) each.
    data_range : float
        See :func:`zsfiji.quality.metrics.psnr`.
    sigmas : sequence of float
        Standard deviations to choose from.

    Returns
    -------
    float
        The one with the highest mean PSNR.
    """
    scores = [
        [psnr(truth, gaussian(noisy, sigma), data_range=data_range) for sigma in sigmas]
        for noisy, truth in pairs
    ]
    return float(sigmas[int(np.mean(scores, axis=0).argmax())])


def median(plane: np.ndarray, width: int = 3) -> np.ndarray:
    """Median filter over `width` x `width` pixels."""
    return median_filter(np.asarray(plane, dtype=np.float32), width)


def non_local_means(plane: np.ndarray) -> np.ndarray:
    """Non-local means of scikit-image on square roots, where shot noise is the same everywhere.

    The noise is measured in the diagonal differences, which contain little structure. The strength
    and the sizes are those of scikit-image's example (0.8 sigma, 5 and 6 pixels).
    """
    from skimage.restoration import denoise_nl_means

    plane = np.asarray(plane, dtype=np.float32)
    low = plane.min()
    root = np.sqrt(plane - low)
    diagonal = (root[:-1, :-1] - root[1:, :-1] - root[:-1, 1:] + root[1:, 1:]) / 2
    sigma = float(np.sqrt((diagonal**2).mean()))
    if sigma == 0:
        return plane
    result = denoise_nl_means(
        root, h=0.8 * sigma, sigma=sigma, patch_size=5, patch_distance=6, fast_mode=True
    )
    # The mean of squares is the square of the mean plus the variance.
    return (result**2 + (sigma**2 + low)).astype(np.float32)


def ndsafir(plane: np.ndarray) -> np.ndarray:
    """ND-SAFIR with its own calibration of Poisson-Gaussian noise.

    Boulanger et al., IEEE TMI 29 (2010) 442; the package ``ndsafir``. If the calibration finds no
    noise that grows with the brightness, the version for Gaussian noise is used.
    """
    from ndsafir import calibrate_poisson_gaussian, denoise_gaussian, denoise_poisson_gaussian

    plane = np.asarray(plane, dtype=np.float32)
    # Its constants are for grey levels of 8 bit: pixels between 0 and 1 would be blurred.
    low, scale = plane.min(), (np.ptp(plane) or 1) / 255
    plane = np.ascontiguousarray((plane - low) / scale)
    gain, offset = (float(value) for value in np.ravel(calibrate_poisson_gaussian(plane))[:2])
    if np.isfinite(gain) and gain > 0:
        result = denoise_poisson_gaussian(plane, gains=[gain], offsets=[offset])
    else:
        result = denoise_gaussian(plane)
    return np.asarray(result * scale + low, dtype=np.float32)

"""Detail of an image against the truth: contrast of faint structure, power beyond the cut-off."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, maximum_filter

FAINT = (1 / 12, 1 / 6)
"""Brightness of faint structure above its surroundings: about an eighth of the brightest."""

BRIGHTEST = (1 / 2, 1.0)
"""Brightness of the brightest structure, to compare with."""

BEYOND = (1.3, 1.7)
"""Frequencies beyond the cut-off, in units of it, that the optics do not pass."""

_TOP = 0.999
"""Quantile of the brightness above the surroundings that counts as the brightest structure."""

_FEWEST = 50
"""Fewest pixels of faint structure for which a contrast is given. Not tuned."""


class Beyond(NamedTuple):
    """What an image has beyond the cut-off.

    Attributes
    ----------
    power : float
        Its power there, relative to that of the truth: 1 is right, 0 is nothing.
    correlation : float
        Correlation with the truth there, -1 to 1: power without correlation is invented.
    """

    power: float
    correlation: float


def contrast(
    image: NDArray,
    truth: NDArray,
    size: float,
    brightness: tuple[float, float] = FAINT,
    *,
    brightest: float | None = None,
) -> float:
    r"""Share of the true contrast that structure of some brightness has in an image.

    Structure is what stands out from its surroundings, a mean with a Gaussian weight. Where the
    brightest true structure within one `size` lies in the range, the image is compared with the
    truth: :math:`\sum i t / \sum t^2` of the two above their surroundings. Noise that has nothing
    to do with the truth does not change it, on average.

    Parameters
    ----------
    image, truth : numpy.ndarray
        Shape (row, col), in the same unit.
    size : float
        Width of the PSF (FWHM) in pixels: the surroundings are the mean over about five of them.
    brightness : tuple of float
        Lowest and highest brightness above the surroundings, relative to `brightest`.
    brightest : float, optional
        The brightness that counts as 1, in the unit of the images; by default that of the brightest
        structure in the truth.

    Returns
    -------
    float
        1 is right, 0 is lost; NaN if there is too little structure of this brightness.
    """
    own, true = (_above_surroundings(x, 2 * size) for x in (image, truth))
    # Brightness is judged at the resolution of the optics, as the camera sees a thin line.
    seen = gaussian_filter(true, size / 2.355)
    nearby = maximum_filter(seen, size=2 * round(size) + 1)
    top = np.quantile(seen, _TOP) if brightest is None else brightest
    low, high = (limit * top for limit in brightness)
    # Around bright structure the surroundings are too bright and dark rims appear.
    chosen = (nearby >= low) & (nearby <= high)
    chosen &= maximum_filter(nearby, size=2 * round(size) + 1) <= high
    if chosen.sum() < _FEWEST:
        return float("nan")
    return float((own * true)[chosen].sum() / np.square(true)[chosen].sum())


def beyond_cutoff(
    image: NDArray,
    truth: NDArray,
    cutoff: float,
    band: tuple[float, float] = BEYOND,
) -> Beyond:
    """Compare the power of an image with that of the truth, beyond the cut-off of the optics.

    Parameters
    ----------
    image, truth : numpy.ndarray
        Shape (row, col), in the same unit.
    cutoff : float
        Highest frequency that the optics pass, in cycles per pixel: 2 NA / emission.
    band : tuple of float
        Lowest and highest frequency, in units of the cut-off.

    Returns
    -------
    Beyond
        Power and correlation; NaN where the grid does not have these frequencies.
    """
    if band[1] * cutoff > 0.5:
        return Beyond(float("nan"), float("nan"))
    window = np.outer(*(np.hanning(n) for n in truth.shape))
    one, two = (np.fft.rfft2((x - np.mean(x)) * window) for x in (image, truth))
    rows, cols = np.fft.fftfreq(truth.shape[0])[:, None], np.fft.rfftfreq(truth.shape[1])
    frequency = np.hypot(rows, cols)
    ring = (frequency >= band[0] * cutoff) & (frequency <= band[1] * cutoff)
    own, true = (float(np.square(np.abs(x[ring])).sum()) for x in (one, two))
    shared = float((one[ring] * two[ring].conj()).real.sum())
    both = np.sqrt(own * true)
    return Beyond(own / true if true else float("nan"), shared / both if both else 0.0)


def _above_surroundings(image: NDArray, width: float) -> NDArray[np.float64]:
    plane = np.asarray(image, dtype=np.float64)
    return plane - gaussian_filter(plane, width)

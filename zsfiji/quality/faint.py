"""Where faint structure loses contrast: no denoiser can tell it from noise that is stronger."""

from __future__ import annotations

import numpy as np

from zsfiji.images.middle import middle
from zsfiji.physics.noise import Noise, radial_frequency

_KEPT = 2.0
"""Brightness above the background, in standard deviations of the noise there, from which structure
of the size of the PSF keeps most of its contrast. benchmarks/contrast.py, structures of mixed sizes
with 2 to 50 photons: Zero-Shot Denoise keeps 0.52 to 0.81 of it below 1, and 0.89 or more above 2;
of the brightest filaments with 5 photons 0.85."""

_LOW = 0.16
"""Frequency in cycles per pixel, below which the noise decides about structure that is a few pixels
wide. As in :mod:`zsfiji.physics.filters.both`."""

_MATTERS = 1 / 8
"""Share of the brightest structure, below which it is not worth saying. Chosen by eye."""

_TOP = 0.999
"""Quantile of the brightness that counts as the brightest. Chosen by eye."""

_MOST_PIXELS = 1024
"""Edge in pixels of the middle by which large planes are judged: bounds the time. Not tuned."""


def faintest(noise: Noise, restored: np.ndarray) -> float:
    """Brightness above the background below which structure may have lost contrast.

    Parameters
    ----------
    noise : Noise
        The noise of the plane before it was restored.
    restored : numpy.ndarray
        Shape (row, col), in the unit of the image.

    Returns
    -------
    float
        In that unit; 0 if even an eighth of the brightest structure keeps its contrast.
    """
    plane = restored[middle(restored.shape, _MOST_PIXELS)]
    background, top = (float(v) for v in np.quantile(plane, (0.5, _TOP)))
    low = float(noise.spectrum[radial_frequency(len(noise.spectrum)) < _LOW].mean())
    limit = _KEPT * float(np.sqrt(noise.variance(background) * low))
    return limit if limit > _MATTERS * (top - background) else 0.0


def faint_said(limit: float) -> list[str]:
    """Say below which brightness structure may have lost contrast, if it matters."""
    if limit <= 0:
        return []
    return [
        f"Fine structure that stands out by less than about {limit:.2g} from the background may "
        "have lost contrast: the noise there is nearly as strong."
    ]

"""Whether detail that the optics do not pass is the same in two results of independent noise.

A network that has learnt what such specimens look like adds detail finer than the optics pass. The
image supports it as far as it comes again when the noise is another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from zsfiji.physics.optics.degradation import Degradation

SIDE = 128
"""Edge in pixels of the middle of an image that is compared: bounds the time. Not tuned."""

AGREES = 0.5
"""Correlation from which detail counts as the same, as for a result and the truth."""

MUCH = 0.01
"""Share of the power from which detail is worth a word. Chosen by eye."""

_PASSED = 0.02
"""Modulus of the OTF below which detail is lost. Chosen by eye: a measured PSF has its noise."""


class Agreement(NamedTuple):
    """How far two results agree on detail that the optics do not pass.

    Attributes
    ----------
    share : float
        Power of that detail, relative to all that varies in the image.
    correlation : float
        Correlation of that detail in both results, -1 to 1.
    """

    share: float
    correlation: float


def agreement(degradation: Degradation, first: np.ndarray, second: np.ndarray) -> Agreement:
    """Compare two deconvolved planes of one specimen.

    Parameters
    ----------
    degradation : Degradation
        The optics, of two axes.
    first, second : numpy.ndarray
        Shape (row, col), on the fine grid, of captures with independent noise.

    Returns
    -------
    Agreement
        The result; of images that are smaller than the PSF no power.
    """
    shape = first.shape
    if any(p > n for p, n in zip(degradation.psf.shape, shape, strict=True)):
        return Agreement(0.0, 1.0)
    lost = torch.fft.rfft2(degradation.psf.cpu().float(), s=shape).abs().numpy() < _PASSED
    window = np.outer(*(np.hanning(n) for n in shape))
    one, two = (np.fft.rfft2((image - image.mean()) * window) for image in (first, second))
    powers = [np.square(np.abs(spectrum)) for spectrum in (one, two)]
    total, there = (
        float(np.sqrt(powers[0][where].sum() * powers[1][where].sum())) for where in (..., lost)
    )
    if total == 0 or there == 0:
        return Agreement(0.0, 1.0)
    shared = float((one[lost] * two[lost].conj()).real.sum())
    return Agreement(there / total, shared / there)


def notes(found: Sequence[Agreement]) -> list[str]:
    """Warn of the plane with most detail that is not the same again."""
    doubtful = [each for each in found if each.share > MUCH and each.correlation < AGREES]
    if not doubtful:
        return []
    worst = min(doubtful, key=lambda each: each.correlation)
    return [
        "Detail finer than the optics pass is not the same in results of two captures that were "
        f"simulated from the image (correlation {max(worst.correlation, 0):.1f}): do not believe "
        "it, or acquire the image with more light."
    ]

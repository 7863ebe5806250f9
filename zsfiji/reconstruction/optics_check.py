"""Whether a raw SIM image can have been taken with the optics that were given."""

from __future__ import annotations

import torch

from zsfiji.physics.sim.optics import RadialTransfer, frequencies
from zsfiji.reconstruction.bands import Bands, squared

_NEAR, _FAR = (1.08, 1.25), (1.4, 1.8)
"""Frequencies over the cut-off at which there may be light if the cut-off is wrong, and at which
there is none."""

_ENOUGH = 200
"""Frequencies that each of both needs to have."""

_LIGHT = 1.5
"""Ratio from which there is light beyond the cut-off. Not tuned: real images with the right optics
have 0.9 to 1.1."""


def light_beyond(bands: Bands, transfer: RadialTransfer) -> float:
    """Power just beyond the cut-off over that far beyond it.

    Both are relative to the bands of the pattern, which have the same noise but for what all frames
    share: the noise of resampled images is not white.

    Parameters
    ----------
    bands : Bands
        The bands.
    transfer : RadialTransfer
        The OTF.

    Returns
    -------
    float
        About 1 with the right optics; 1 too if the camera samples no frequencies that far.
    """
    radius = torch.hypot(*frequencies(bands.shape, half=False, device=bands.zero.device))
    zero, orders = squared(bands.zero).mean(0), squared(bands.orders).mean((0, 1))
    ratios = []
    for low, high in (_NEAR, _FAR):
        ring = (radius > low * transfer.cutoff) & (radius < high * transfer.cutoff)
        if int(ring.sum()) < _ENOUGH:
            return 1.0
        ratios.append(float(zero[ring].mean()) / max(float(orders[ring].mean()), 1e-30))
    return ratios[0] / max(ratios[1], 1e-30)


def optics_said(beyond: float, cutoff: float) -> list[str]:
    """Say what speaks against the optics.

    Parameters
    ----------
    beyond : float
        From :func:`light_beyond`.
    cutoff : float
        Of the OTF, in cycles per pixel.
    """
    sentences = []
    if beyond > _LIGHT:
        sentences.append(
            "The image has detail that a lens with these options cannot resolve: the numerical "
            "aperture is higher, the emission is shorter, or the pixels are smaller than given."
        )
    if cutoff > 0.5:
        sentences.append(
            f"The pixels are {2 * cutoff:.2f} times as wide as the lens needs: the finest detail "
            "appears as coarser stripes (aliasing). Use a higher magnification, or correct "
            "'pixel_size' (that in the specimen)."
        )
    return sentences

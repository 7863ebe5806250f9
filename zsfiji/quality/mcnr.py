"""Modulation contrast to noise (MCNR): how far the stripes of a raw SIM image stand out of noise.

After Ball et al., Sci. Rep. 5, 15915 (2015), SIMcheck: the frames are made to have equal noise
(Anscombe), each pixel is followed over the frames of an angle, and what follows the pattern is
compared with the noise.
"""

from __future__ import annotations

import math

import torch
from scipy.ndimage import gaussian_filter
from skimage.filters import threshold_otsu

_BLUR = 2.0
"""Standard deviation in pixels of the Gaussian before specimen and background are told apart."""

LOW, GOOD, EXCELLENT = 4.0, 8.0, 12.0
"""Values from which SIMcheck calls the contrast low to moderate, good and excellent."""


def mcnr(stack: torch.Tensor, noise_variance: float, orders: int = 1) -> torch.Tensor:
    r"""Contrast to noise of the stripes, an angle.

    :math:`2 \sqrt{\sum_h a_h^2 - \text{noise}}`, with the amplitude :math:`a_h` of harmonic h over
    the frames in units of the noise: the height of the stripes over the standard deviation of a
    pixel, as root mean square over the specimen (Otsu's threshold of the blurred light). What
    noise adds to the amplitudes is taken out. A pattern near the cut-off of the lens has low
    values whatever its modulation: the lens hardly passes it.

    Parameters
    ----------
    stack : torch.Tensor
        float32 (angle, frame, row, col), the background taken off.
    noise_variance : float
        Mean variance of its pixels.
    orders : int
        Number of harmonics of the pattern: 1 for two beams, 2 for three, 3 if hexagonal.

    Returns
    -------
    torch.Tensor
        float64 (angle,).
    """
    frames = stack.shape[1]
    light = stack.double()
    bright = light.mean((2, 3), keepdim=True)
    light = light * (light.mean() / bright.clamp_min(1e-12))
    gain = noise_variance / max(float(light.mean()), 1e-12)
    # Anscombe: the square root of photons has the same noise everywhere.
    root = 2 * (light.clamp_min(0) / gain + 3 / 8).sqrt()
    number = torch.arange(frames, dtype=torch.float64, device=stack.device)
    power = torch.zeros_like(root[:, 0])
    for order in range(1, orders + 1):
        turn = 2 * math.pi * order * number / frames
        cos, sin = ((2 / frames) * f(turn)[:, None, None] for f in (torch.cos, torch.sin))
        power += (cos * root).sum(1).square() + (sin * root).sum(1).square()
    seen = gaussian_filter(light.mean((0, 1)).cpu().numpy(), _BLUR)
    specimen = torch.from_numpy(seen >= threshold_otsu(seen)).to(stack.device)
    # Each amplitude has two parts with the variance 2 / frames of the noise.
    excess = power[:, specimen].mean(1) - orders * 4 / frames
    return 2 * excess.clamp_min(0).sqrt().cpu()


def mcnr_said(value: float) -> str:
    """SIMcheck's word for a value."""
    if value < LOW:
        return "inadequate"
    if value < GOOD:
        return "low to moderate"
    return "good" if value < EXCELLENT else "excellent"

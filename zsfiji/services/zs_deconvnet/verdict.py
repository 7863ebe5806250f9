"""What is honestly to be said about a deconvolved plane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from zsfiji.physics import residual
from zsfiji.physics.noise import Noise
from zsfiji.physics.psf.operator import Degradation

SHARPER = 1.15
"""Least growth of the power at the frequencies that the optics weaken, for a sharpened image."""

_PASSED = (0.1, 0.6)
_MOST_PIXELS = 1024


@dataclass(frozen=True)
class Verdict:
    """How a deconvolved plane compares with the noisy and the denoised one.

    Attributes
    ----------
    sharpening : float
        Power of the deconvolved over that of the denoised plane, at the frequencies that the
        optics weaken to between 10 and 60 percent. 1 is not sharpened; an ideal inverse has 3 to
        100.
    denoised, blurred : Residual or None
        What the noisy plane has beyond the denoised one, and beyond the deconvolved one seen
        through the optics again.
    """

    sharpening: float
    denoised: residual.Residual | None
    blurred: residual.Residual | None


def judge(
    noise: Noise,
    degradation: Degradation,
    noisy: np.ndarray,
    denoised: np.ndarray,
    sharp: np.ndarray,
) -> Verdict:
    """Compare; big planes by their middle.

    Parameters
    ----------
    noise : Noise
        The noise of the plane.
    degradation : Degradation
        The optics.
    noisy, denoised : numpy.ndarray
        Shape (row, col).
    sharp : numpy.ndarray
        Shape (row * upsample, col * upsample).

    Returns
    -------
    Verdict
        What was found.
    """
    fine = degradation.upsample
    cut = [
        slice(
            max(0, (n - _MOST_PIXELS) // 2), max(0, (n - _MOST_PIXELS) // 2) + min(n, _MOST_PIXELS)
        )
        for n in noisy.shape
    ]
    noisy, denoised = noisy[tuple(cut)], denoised[tuple(cut)]
    sharp = sharp[tuple(slice(c.start * fine, c.stop * fine) for c in cut)]
    blurred = degradation(torch.from_numpy(np.ascontiguousarray(sharp))).numpy()
    inside = tuple(
        slice(m, n - m) if n > 4 * m else slice(None)
        for m, n in zip(degradation.margin[-2:], noisy.shape, strict=True)
    )
    return Verdict(
        sharpening(degradation, denoised, sharp),
        residual.residual(noise, noisy[inside], denoised[inside]),
        residual.residual(noise, noisy[inside], blurred[inside]),
    )


def sharpening(degradation: Degradation, denoised: np.ndarray, sharp: np.ndarray) -> float:
    """Ratio of powers, see :class:`Verdict`; planes of one size after upsampling."""
    plain = torch.from_numpy(enlarged(denoised, degradation.upsample))
    powers = []
    for image in (plain, torch.from_numpy(np.ascontiguousarray(sharp))):
        window = torch.outer(*(torch.hann_window(n, periodic=False) for n in image.shape))
        powers.append(torch.fft.rfft2((image - image.mean()) * window).abs().square())
    psf = degradation.psf.float()
    psf = psf.sum(0) if psf.ndim == 3 else psf
    passed = torch.fft.rfft2(psf, s=plain.shape).abs() if _holds(psf, plain) else None
    if passed is None:
        return 1.0
    band = (passed > _PASSED[0]) & (passed < _PASSED[1])
    before = float(powers[0][band].sum())
    return float(powers[1][band].sum()) / before if before > 0 else 1.0


def enlarged(plane: np.ndarray, factor: int) -> np.ndarray:
    """Interpolate a plane to the fine grid, pixel centres in place."""
    if factor == 1:
        return plane
    image = torch.from_numpy(np.ascontiguousarray(plane))[None, None]
    larger = F.interpolate(image, scale_factor=factor, mode="bicubic", align_corners=False)
    return larger[0, 0].numpy()


def _holds(psf: torch.Tensor, image: torch.Tensor) -> bool:
    return all(p <= n for p, n in zip(psf.shape, image.shape, strict=True))

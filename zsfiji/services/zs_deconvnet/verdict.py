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
_LARGEST = {2: 1024, 3: 256}
"""Longest sides that are looked at, of planes and of stacks."""

_MOST_SLICES = 48


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
    """Compare; what is big by its middle, the residuals of stacks by their middle slice.

    Parameters
    ----------
    noise : Noise
        The noise of the image.
    degradation : Degradation
        The optics.
    noisy, denoised : numpy.ndarray
        Shape (row, col) or (pln, row, col).
    sharp : numpy.ndarray
        The same, with `upsample` times the rows and columns.

    Returns
    -------
    Verdict
        What was found.
    """
    fine, largest = degradation.upsample, _LARGEST[noisy.ndim]
    if noisy.ndim == 3:
        first = max(0, (len(noisy) - _MOST_SLICES) // 2)
        noisy, denoised, sharp = (x[first : first + _MOST_SLICES] for x in (noisy, denoised, sharp))
    (top, tall), (left, wide) = ((max(0, (n - largest) // 2), largest) for n in noisy.shape[-2:])
    rows, cols = slice(top, top + tall), slice(left, left + wide)
    noisy, denoised = noisy[..., rows, cols].astype(np.float32), denoised[..., rows, cols]
    rows, cols = (slice(c.start * fine, c.stop * fine) for c in (rows, cols))
    sharp = sharp[..., rows, cols]
    blurred = degradation(torch.from_numpy(np.ascontiguousarray(sharp))).numpy()
    inside = tuple(
        slice(m, n - m) if n > 4 * m else slice(None)
        for m, n in zip(degradation.margin[-2:], noisy.shape[-2:], strict=True)
    )
    planes = (noisy, denoised, blurred)
    if noisy.ndim == 3:
        planes = tuple(stack[len(stack) // 2] for stack in planes)
    one, two, three = (p[inside] for p in planes)
    return Verdict(
        sharpening(degradation, denoised, sharp),
        residual.residual(noise, one, two),
        residual.residual(noise, one, three),
    )


def sharpening(degradation: Degradation, denoised: np.ndarray, sharp: np.ndarray) -> float:
    """Ratio of powers, see :class:`Verdict`; of stacks the mean along z is looked at.

    Parameters
    ----------
    degradation : Degradation
        The optics.
    denoised, sharp : numpy.ndarray
        Planes, or stacks.

    Returns
    -------
    float
        The ratio; 1 where the image is smaller than the PSF.
    """
    psf = degradation.psf.float()
    if denoised.ndim == 3:
        psf, denoised, sharp = psf.sum(0), denoised.mean(0), sharp.mean(0)
    plain = torch.from_numpy(enlarged(denoised, degradation.upsample))
    if any(p > n for p, n in zip(psf.shape, plain.shape, strict=True)):
        return 1.0
    passed = torch.fft.rfft2(psf, s=plain.shape).abs()
    band = (passed > _PASSED[0]) & (passed < _PASSED[1])
    window = torch.outer(*(torch.hann_window(n, periodic=False) for n in plain.shape))
    powers = []
    for image in (plain, torch.from_numpy(np.ascontiguousarray(sharp))):
        spectrum = torch.fft.rfft2((image - image.mean()) * window)
        powers.append(float(spectrum.abs().square()[band].sum()))
    return powers[1] / powers[0] if powers[0] > 0 else 1.0


def enlarged(image: np.ndarray, factor: int) -> np.ndarray:
    """Interpolate rows and columns to the fine grid, pixel centres in place."""
    if factor == 1:
        return image
    planes = torch.from_numpy(np.ascontiguousarray(image)).reshape(-1, 1, *image.shape[-2:])
    larger = F.interpolate(planes, scale_factor=factor, mode="bicubic", align_corners=False)
    return larger.reshape(*image.shape[:-2], *larger.shape[-2:]).numpy()

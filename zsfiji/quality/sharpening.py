"""Judge whether a deconvolved plane or stack is sharpened, and whether it explains the image."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from zsfiji.physics.noise import Noise
from zsfiji.physics.optics.degradation import Degradation
from zsfiji.quality import residual

SHARPER = 1.15
"""Least growth of the power at the frequencies that the optics weaken, for a sharpened image.
Chosen by eye."""

_PASSED = (0.1, 0.6)
"""Range of the OTF's modulus at those frequencies. Chosen by eye."""

_LARGEST = {2: 1024, 3: 256}
"""Longest sides of the middle that is judged, for planes and for stacks: bounds the time. Not
tuned."""

_MOST_SLICES = 48
"""Most slices in the middle that are judged. Not tuned."""

_JUDGED = 7
"""Number of slices whose residuals are judged. Not tuned."""


@dataclass(frozen=True)
class Verdict:
    """How a deconvolved plane compares with the noisy and the denoised one.

    Attributes
    ----------
    sharpening : float
        Power of the deconvolved plane over that of the denoised one, at the frequencies that the
        optics weaken to between 10 and 60 percent. 1 means not sharpened; an ideal inverse has 3 to
        100.
    denoised, blurred : Residual or None
        Residuals of the denoised plane, and of the deconvolved one blurred again; for stacks the
        means over some slices.
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
    reblurred: np.ndarray | None = None,
) -> Verdict:
    """Compare; large images by their middle, the residuals of stacks by some of their slices.

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
    reblurred : numpy.ndarray, optional
        `sharp`, blurred and binned; by default it is computed here.

    Returns
    -------
    Verdict
        The result.
    """
    fine, largest = degradation.upsample, _LARGEST[noisy.ndim]
    if noisy.ndim == 3:
        first = max(0, (len(noisy) - _MOST_SLICES) // 2)
        some = slice(first, first + _MOST_SLICES)
        noisy, denoised, sharp = noisy[some], denoised[some], sharp[some]
        reblurred = None if reblurred is None else reblurred[some]
    (top, tall), (left, wide) = ((max(0, (n - largest) // 2), largest) for n in noisy.shape[-2:])
    rows, cols = slice(top, top + tall), slice(left, left + wide)
    noisy, denoised = noisy[..., rows, cols].astype(np.float32), denoised[..., rows, cols]
    blurred = None if reblurred is None else reblurred[..., rows, cols]
    inside: tuple[Any, ...] = ()
    rows, cols = (slice(c.start * fine, c.stop * fine) for c in (rows, cols))
    sharp = sharp[..., rows, cols]
    if blurred is None:
        blurred = degradation(torch.from_numpy(np.ascontiguousarray(sharp))).numpy()
        inside = (..., *away_from_borders(degradation, noisy.shape))
    return Verdict(
        sharpening(degradation, denoised, sharp),
        _mean_residual(noise, noisy[inside], denoised[inside]),
        _mean_residual(noise, noisy[inside], blurred[inside]),
    )


def away_from_borders(degradation: Degradation, shape: tuple[int, ...]) -> tuple[slice, ...]:
    """Rows and columns without light from beyond the image, but at least half of them."""
    margins = (min(m, n // 4) for m, n in zip(degradation.margin[-2:], shape[-2:], strict=True))
    return tuple(slice(m, n - m) for m, n in zip(margins, shape[-2:], strict=True))


def _mean_residual(noise: Noise, noisy: np.ndarray, result: np.ndarray) -> residual.Residual | None:
    """The residual of a plane, or the mean of those of some slices of a stack."""
    if noisy.ndim == 2:
        return residual.residual(noise, noisy, result)
    chosen = np.unique(np.linspace(0, len(noisy) - 1, _JUDGED).round().astype(int))
    each = [residual.residual(noise, noisy[n], result[n]) for n in chosen]
    found = [one for one in each if one is not None]
    if not found:
        return None
    return residual.Residual(
        *(float(np.mean([getattr(one, f.name) for one in found])) for f in fields(found[0]))
    )


def sharpening(degradation: Degradation, denoised: np.ndarray, sharp: np.ndarray) -> float:
    """Ratio of powers, see :class:`Verdict`; for stacks that of the means along z.

    Parameters
    ----------
    degradation : Degradation
        The optics.
    denoised, sharp : numpy.ndarray
        Planes, or stacks.

    Returns
    -------
    float
        The ratio; 1 if the image is smaller than the PSF.
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
    """Interpolate rows and columns to the fine grid, with the pixel centres aligned."""
    if factor == 1:
        return image
    planes = torch.from_numpy(np.ascontiguousarray(image)).reshape(-1, 1, *image.shape[-2:])
    larger = F.interpolate(planes, scale_factor=factor, mode="bicubic", align_corners=False)
    return larger.reshape(*image.shape[:-2], *larger.shape[-2:]).numpy()

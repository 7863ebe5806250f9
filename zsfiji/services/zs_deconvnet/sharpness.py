"""Make exemplars as sharp as the image says the specimen is.

The mean of all that may have been, which a network gives, is blunter than the specimen: the
spectrum of what the camera would see of it falls short of the spectrum of the image less that of
its noise. Richardson and Lucy's iteration with a narrow Gaussian sharpens it without taking light
below zero, and is stopped where the two spectra agree best. Structures that are wide by themselves
stay as they are.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import torch

from zsfiji.physics.psf.operator import Degradation

_RINGS = 40
_FIRST_RING = 3
_CERTAIN = 3.0
_MOST_CERTAIN = 20.0
_ITERATIONS = 16
_SIDE = 256
_SMALL = 1e-4
_SLACK = 0.3


def width(degradation: Degradation) -> float:
    """Give the full width at half maximum of the lateral PSF, in pixels of its grid."""
    psf = degradation.psf
    plane = psf.sum(0) if psf.ndim == 3 else psf
    area = float((plane >= plane.max() / 2).sum())
    return 2 * math.sqrt(area / math.pi)


def as_sharp_as_seen(
    detail: torch.Tensor,
    background: torch.Tensor,
    noisy: torch.Tensor,
    variance: torch.Tensor,
    degradation: Degradation,
) -> torch.Tensor:
    """Sharpen restored planes until the camera would see the spectrum that it did see.

    Parameters
    ----------
    detail, background : torch.Tensor
        Restored light on the fine grid, shape (planes, 1, row, col), what is sharp in it and what
        is not; their sum is the restored plane. Not negative.
    noisy, variance : torch.Tensor
        The image and the variance of its noise, white, on the camera's grid and in the same unit.
    degradation : Degradation
        The optics.

    Returns
    -------
    torch.Tensor
        The detail, sharpened.
    """
    fine = degradation.upsample
    iterations = _iterations(
        _middle(detail[:1], _SIDE * fine),
        _middle(background[:1], _SIDE * fine),
        _middle(noisy[:1], _SIDE),
        _middle(variance[:1], _SIDE),
        degradation,
    )
    if iterations == 0:
        return detail
    return next(itertools.islice(_sharper(detail, degradation), iterations, None))


def _iterations(
    detail: torch.Tensor,
    background: torch.Tensor,
    noisy: torch.Tensor,
    variance: torch.Tensor,
    degradation: Degradation,
) -> int:
    """Find how many iterations make the spectra agree best."""
    rows, cols = (torch.hann_window(n, periodic=False) for n in noisy.shape[-2:])
    window = torch.outer(rows, cols).to(noisy)
    power, count = _power(noisy, window)
    signal = power - (variance * window.square()).sum(dim=(-2, -1)).mean()
    error = power * (2 / count).sqrt()
    certain = (signal > _CERTAIN * error) & (torch.arange(_RINGS + 1).to(error) >= _FIRST_RING)
    if not certain.any() or not bool(detail.mean() > 0):
        return 0
    weight = (signal / error).clamp(max=_MOST_CERTAIN).square()[certain]
    scores: list[float] = []

    for sharper in itertools.islice(_sharper(detail, degradation), _ITERATIONS + 1):
        ratio = _power(degradation(sharper + background), window)[0][certain] / signal[certain]
        scores.append(float((ratio.clamp_min(1e-6).log().square() * weight).mean()))
        if scores[-1] > min(scores[-3:]):
            break
    # The least that does nearly as well: what is too sharp is believed in too much.
    enough = min(scores) + _SLACK * (scores[0] - min(scores))
    return next(i for i, score in enumerate(scores) if score <= enough)


def _sharper(detail: torch.Tensor, degradation: Degradation) -> Iterator[torch.Tensor]:
    """Give the detail, and what each iteration with a narrow Gaussian makes of it."""
    narrow = Degradation(_gaussian(width(degradation) / 5).to(detail))
    least = _SMALL * float(detail.mean())
    estimate = detail
    while True:
        yield estimate
        estimate = estimate * narrow.blur_adjoint(
            (detail + least) / (narrow.blur(estimate) + least)
        )


def _power(planes: torch.Tensor, window: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean power of planes (planes, 1, row, col) in rings up to Nyquist, and the rings' sizes."""
    spectrum = torch.fft.rfft2((planes - planes.mean()) * window)
    power = spectrum.abs().square().mean(dim=(0, 1))
    down = torch.fft.fftfreq(planes.shape[-2])[:, None]
    across = torch.fft.rfftfreq(planes.shape[-1])
    ring = (torch.hypot(down, across) * 2 * _RINGS).round().long().clamp_max(_RINGS + 1)
    ring = ring.ravel().to(power.device)
    count = torch.bincount(ring, minlength=_RINGS + 2)[: _RINGS + 1].clamp_min(1)
    total = torch.zeros(_RINGS + 2, device=power.device).index_add_(0, ring, power.ravel())
    return total[: _RINGS + 1] / count, count


def _gaussian(sigma: float) -> torch.Tensor:
    half = math.ceil(4 * sigma)
    profile = torch.exp(-0.5 * (torch.arange(-half, half + 1) / sigma).square())
    return torch.outer(profile, profile)


def _middle(planes: torch.Tensor, side: int) -> torch.Tensor:
    for axis in (-2, -1):
        length = planes.shape[axis]
        kept = min(length, side)
        planes = planes.narrow(axis, (length - kept) // 2, kept)
    return planes

"""Make exemplars as sharp as the image says the specimen is.

The mean of all that may have been, which a network gives, is blunter than the specimen: the
spectrum of what the camera would see of it falls short of the spectrum of the image less that of
its noise. Richardson and Lucy's iteration with a narrow Gaussian sharpens it without taking light
below zero, and is stopped where the two spectra agree best. What has become finer than the image
is, as shrunk exemplars of structures that are wide by themselves, is blurred instead.
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
_BLURS = (2.0, 1.4, 1.0, 0.7, 0.5)


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
    chosen = _choice(
        _middle(detail[:1], _SIDE * fine),
        _middle(background[:1], _SIDE * fine),
        _middle(noisy[:1], _SIDE),
        _middle(variance[:1], _SIDE),
        degradation,
    )
    return next(itertools.islice(_graded(detail, degradation), chosen, None))


def _choice(
    detail: torch.Tensor,
    background: torch.Tensor,
    noisy: torch.Tensor,
    variance: torch.Tensor,
    degradation: Degradation,
) -> int:
    """Find which of :func:`_graded` has the spectrum of the image, in shape."""
    window, seen_window = _window(noisy), _window(degradation(detail))
    power, count = _power(noisy, window)
    signal = power - (variance * window.square()).sum(dim=(-2, -1)).mean()
    error = power * (2 / count).sqrt()
    certain = (signal > _CERTAIN * error) & (torch.arange(_RINGS + 1).to(error) >= _FIRST_RING)
    if not certain.any() or not bool(detail.mean() > 0):
        return len(_BLURS)
    weight = (signal / error).clamp(max=_MOST_CERTAIN).square()[certain]
    weight = weight / weight.sum()
    scores: list[float] = []
    for graded in itertools.islice(_graded(detail, degradation), len(_BLURS) + _ITERATIONS + 1):
        seen = _power(degradation(graded + background), seen_window)[0][certain]
        ratio = (seen / signal[certain]).clamp_min(1e-9).log()
        ratio = ratio - (ratio * weight).sum()
        scores.append(float((ratio.square() * weight).sum()))
        if len(scores) > len(_BLURS) + 1 and scores[-1] > min(scores[-3:]):
            break
    return scores.index(min(scores))


def _graded(detail: torch.Tensor, degradation: Degradation) -> Iterator[torch.Tensor]:
    """Give the detail blurred less and less, itself, and sharpened more and more."""
    unit = width(degradation) / 5
    for blur in _BLURS:
        yield Degradation(_gaussian(blur * unit).to(detail)).blur(detail)
    yield from _sharper(detail, degradation)


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


def _window(planes: torch.Tensor) -> torch.Tensor:
    rows, cols = (torch.hann_window(n, periodic=False) for n in planes.shape[-2:])
    return torch.outer(rows, cols).to(planes)


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
        kept = min(length, side) // 2 * 2
        planes = planes.narrow(axis, (length - kept) // 2, kept)
    return planes

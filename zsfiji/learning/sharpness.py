"""Make examples as sharp as the image says the specimen is.

The mean of all that may have been, which a network gives, is blunter than the specimen: the
spectrum of what the camera would see of it falls short of the spectrum of the image less that of
its noise. Richardson and Lucy's iteration with a narrow Gaussian sharpens it without taking light
below zero, and is stopped where the two spectra agree best. What has become finer than the image
is, as shrunk examples of structures that are wide by themselves, is blurred instead.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize

from zsfiji.physics.optics.degradation import Degradation

_RINGS = 40
"""Rings of a spectrum up to the Nyquist frequency. Not tuned."""

_FIRST_RING = 3
"""Rings left out at the lowest frequencies, which tell of brightness and not of sharpness. Chosen
by eye."""

_UNSURE = 1.0
"""Log-likelihoods that differ by less are taken for equal. Not tuned."""

_HOPELESS = 5.0
"""Log-likelihood below the best one at which no further grade is tried: saves time."""

_NOISE_ERROR = 0.03
"""Standard deviation of the error of the measured noise, as the logarithm of its variance. Chosen
by eye: a few per cent."""

_FAR = 10.0
"""The unit of a spectrum is off by a factor of e to this at most: bounds the search."""

_ITERATIONS = 16
"""Most iterations of the sharpening. Not tuned."""

_SIDE = 256
"""Edge in pixels of the image of the middle by which sharpness is judged: bounds the time."""

_SMALL = 1e-4
"""Light, in the mean, that keeps divisions stable. Not tuned."""

_BLURS = (0.5, 0.7, 1.0, 1.4, 2.0)
"""Standard deviations of the grades of blur, in fifths of the width of the PSF. Chosen by eye."""


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
    if chosen < 0:
        return _blunter(detail, degradation, -chosen)
    return next(itertools.islice(_sharper(detail, degradation), chosen, None))


def _choice(
    detail: torch.Tensor,
    background: torch.Tensor,
    noisy: torch.Tensor,
    variance: torch.Tensor,
    degradation: Degradation,
) -> int:
    """Find how many iterations of :func:`_sharper` give the spectrum of the image, in shape.

    Of those that the image can not tell apart it is the one that changes least; less than zero
    stands for :func:`_blunter`.
    """
    window, reblurred_window = _window(noisy), _window(degradation(detail))
    power, count = _power(noisy, window)
    noise = float((variance * window.square()).sum(dim=(-2, -1)).mean())
    if not bool(detail.mean() > 0):
        return 0
    overlap = window.square().mean().square() / window.pow(4).mean()
    observed = power.double().cpu().numpy()[_FIRST_RING:]
    number = (count * overlap).double().cpu().numpy()[_FIRST_RING:]
    sharper = itertools.islice(_sharper(detail, degradation), _ITERATIONS + 1)
    blunter = (_blunter(detail, degradation, which + 1) for which in range(len(_BLURS)))
    costs: dict[int, float] = {}
    for sign, first, side in ((1, 0, sharper), (-1, 1, blunter)):
        for which, graded in enumerate(side, first):
            reblurred = _power(degradation(graded + background), reblurred_window)[0]
            reblurred_rings = reblurred.double().cpu().numpy()[_FIRST_RING:]
            costs[sign * which] = _whittle(observed, number, reblurred_rings, noise)
            if costs[sign * which] > min(costs.values()) + _HOPELESS:
                break
    least = min(costs.values())
    return min((which for which in costs if costs[which] - least < _UNSURE), key=abs)


def _whittle(observed: NDArray, number: NDArray, reblurred: NDArray, noise: float) -> float:
    """Give the negative logarithm of the likelihood of a spectrum (Whittle, 1953).

    The power of each ring is a mean of `number` squares about what is seen, in a unit that is
    free, and white noise, whose power is known but for a few percent.
    """

    def cost(logs: NDArray) -> tuple[float, NDArray]:
        light, white = np.exp(logs) * np.array([1.0, noise])
        expected = light * reblurred + white
        known = logs[1] / _NOISE_ERROR
        slope = number * (1 - observed / expected) / expected
        value = float((number * (np.log(expected) + observed / expected)).sum()) + known**2 / 2
        return value, np.array(
            [(slope * light * reblurred).sum(), (slope * white).sum() + known / _NOISE_ERROR]
        )

    square = max(float((reblurred * reblurred).sum()), _SMALL)
    start = max(float(((observed - noise) * reblurred).sum()) / square, _SMALL)
    begin = np.array([np.log(start), 0.0])
    near = [(value - _FAR, value + _FAR) for value in begin]
    return float(minimize(cost, begin, jac=True, bounds=near, method="L-BFGS-B").fun)


def _blunter(detail: torch.Tensor, degradation: Degradation, grade: int) -> torch.Tensor:
    """Give the detail blurred by a Gaussian, a wider one for each grade from 1 on."""
    sigma = _BLURS[grade - 1] * width(degradation) / 5
    return Degradation(_gaussian(sigma).to(detail)).blur(detail)


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

"""Make examples as sharp as the specimen, by the spectrum of the image.

A network gives the mean of all possible specimens, which is less sharp than the specimen itself:
blurred again, it has less power at high frequencies than the image minus its noise. Richardson-Lucy
iterations with a narrow Gaussian sharpen it without negative values, and stop where the two spectra
agree best. Examples that are sharper than the image, such as shrunk images of structures that are
wide themselves, are blurred instead.

The constants were chosen by eye on simulated specimens, unless said otherwise; no measurement of
other values is kept (docs/methods/deconvolve.md, section 2).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from zsfiji.compute.rings import ring_mean, ring_of, ring_sizes
from zsfiji.compute.spectra import independent_share
from zsfiji.physics.optics.degradation import Degradation

_RINGS = 40
"""Rings of frequencies up to Nyquist. Not tuned."""

_FIRST_RING = 3
"""First ring that is compared. Haze and the window have most of their power in the rings below. Not
tuned."""

_UNSURE = 1.0
"""Difference of log-likelihoods below which two grades of sharpness fit equally well. Not tuned."""

_HOPELESS = 5.0
"""Difference of log-likelihoods from the best, above which further grades are not tried: saves
three quarters of the time, together with the faster opening."""

_NOISE_ERROR = 0.03
"""Assumed standard error of the logarithm of the noise power. Not tuned."""

_FAR = 10.0
"""Range of the logarithms of both powers around their first guess. Bounds the search; not tuned."""

_SCORINGS, _HALVINGS, _SETTLED = 30, 6, 1e-4
"""Most steps of the fit of two powers, most halvings of a step, and the gain in likelihood below
which it ends. Not tuned."""

_ITERATIONS = 16
"""Most iterations of Richardson-Lucy. Chosen by eye."""

_SIDE = 256
"""Longest side in pixels of the part that is compared: bounds the time. Not tuned."""

_SMALL = 1e-4
"""Relative to the mean: avoids division by zero. Not tuned."""

_BLURS = (0.5, 0.7, 1.0, 1.4, 2.0)
"""Standard deviations of the blurs, in fifths of the width of the PSF. Chosen by eye."""


def width(degradation: Degradation) -> float:
    """Give the full width at half maximum of the lateral PSF, in pixels of its grid."""
    psf = degradation.psf
    plane = psf.sum(0) if psf.ndim == 3 else psf
    area = float((plane >= plane.max() / 2).sum())
    return 2 * math.sqrt(area / math.pi)


def matching_grade(
    detail: torch.Tensor,
    background: torch.Tensor,
    noisy: torch.Tensor,
    variance: torch.Tensor,
    degradation: Degradation,
) -> int:
    """Find how much to sharpen or blur restored planes to give them the spectrum of the image.

    Parameters
    ----------
    detail, background : torch.Tensor
        Structure and smooth background of restored planes on the fine grid, shape
        (planes, 1, row, col); their sum is the restored planes. Not negative. The first plane is
        looked at.
    noisy, variance : torch.Tensor
        The image and the variance of its noise, white, on the camera's grid and in the same unit.
    degradation : Degradation
        The optics.

    Returns
    -------
    int
        The grade for :func:`graded`.
    """
    fine = degradation.upsample
    return _choice(
        _middle(detail[:1], _SIDE * fine),
        _middle(background[:1], _SIDE * fine),
        _middle(noisy[:1], _SIDE),
        _middle(variance[:1], _SIDE),
        degradation,
    )


def graded(detail: torch.Tensor, degradation: Degradation, grade: int) -> torch.Tensor:
    """Sharpen planes by so many iterations, or blur them by a negative grade."""
    if grade < 0:
        return _blurred(detail, degradation, -grade)
    return next(itertools.islice(_sharpened(detail, degradation), grade, None))


def _choice(
    detail: torch.Tensor,
    background: torch.Tensor,
    noisy: torch.Tensor,
    variance: torch.Tensor,
    degradation: Degradation,
) -> int:
    """Find how many iterations of :func:`_sharpened` give the shape of the image's spectrum.

    Of those that fit equally well, the one with the smallest change; a negative number is a grade
    of :func:`_blurred`.
    """
    window, reblurred_window = _window(noisy), _window(degradation(detail))
    power, count = _power(noisy, window)
    noise = float((variance * window.square()).sum(dim=(-2, -1)).mean())
    if not bool(detail.mean() > 0):
        return 0
    observed = power.double().cpu().numpy()[_FIRST_RING:]
    number = (count * independent_share(window)).double().cpu().numpy()[_FIRST_RING:]
    sharpened = itertools.islice(_sharpened(detail, degradation), _ITERATIONS + 1)
    blurred = (_blurred(detail, degradation, which + 1) for which in range(len(_BLURS)))
    costs: dict[int, float] = {}
    for sign, first, side in ((1, 0, sharpened), (-1, 1, blurred)):
        for which, changed in enumerate(side, first):
            reblurred = _power(degradation(changed + background), reblurred_window)[0]
            rings = reblurred.double().cpu().numpy()[_FIRST_RING:]
            costs[sign * which] = whittle(observed, number, rings, noise)
            if costs[sign * which] > min(costs.values()) + _HOPELESS:
                break
    least = min(costs.values())
    return min((which for which in costs if costs[which] - least < _UNSURE), key=abs)


def whittle(observed: NDArray, number: NDArray, reblurred: NDArray, noise: float) -> float:
    """Negative log-likelihood of a spectrum (Whittle, 1953).

    The power in each ring is a mean over `number` squares. Its expectation is the reblurred power,
    with a free factor, plus white noise, whose power is known within a few percent.
    """

    def cost(logs: NDArray) -> tuple[float, NDArray, NDArray]:
        light, white = np.exp(logs) * np.array([1.0, noise])
        expected = light * reblurred + white
        prior = logs[1] / _NOISE_ERROR
        value = float((number * (np.log(expected) + observed / expected)).sum()) + prior**2 / 2
        shares = np.stack([light * reblurred, np.full_like(reblurred, white)]) / expected
        slope = shares @ (number * (1 - observed / expected)) + [0, prior / _NOISE_ERROR]
        curvature = shares * number @ shares.T + np.diag([_SMALL, _NOISE_ERROR**-2])
        return value, slope, curvature

    square = max(float((reblurred * reblurred).sum()), _SMALL)
    start = max(float(((observed - noise) * reblurred).sum()) / square, _SMALL)
    begin = logs = np.array([np.log(start), 0.0])
    best, slope, curvature = cost(logs)
    for _ in range(_SCORINGS):
        # Fisher scoring; a step that is too long is halved.
        step = np.clip(np.linalg.solve(curvature, slope), -1, 1)
        for share in 0.5 ** np.arange(_HALVINGS):
            tried = np.clip(logs - share * step, begin - _FAR, begin + _FAR)
            found = cost(tried)
            if found[0] <= best:
                break
        gain = best - found[0]
        if gain <= 0:
            break
        logs, (best, slope, curvature) = tried, found
        if gain < _SETTLED:
            break
    return best


def _blurred(detail: torch.Tensor, degradation: Degradation, grade: int) -> torch.Tensor:
    """The detail blurred by a Gaussian, which is wider for each grade from 1 on."""
    sigma = _BLURS[grade - 1] * width(degradation) / 5
    return Degradation(_gaussian(sigma).to(detail)).blur(detail)


def _sharpened(detail: torch.Tensor, degradation: Degradation) -> Iterator[torch.Tensor]:
    """The detail, then the result of each iteration with a narrow Gaussian."""
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
    ring = ring_of(torch.hypot(down, across) * 2, _RINGS).to(power.device)
    return ring_mean(power, ring, _RINGS), ring_sizes(ring, _RINGS).clamp_min(1)


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

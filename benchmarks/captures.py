"""Random simulated captures with known noise: structure, optics, haze and a camera, from a seed.

The noise calibration and the "never worse" check are measured on them. Each capture has one of
:data:`KINDS`, a numerical aperture of 0.3 to 1.49, camera pixels of 0.5 to 1.5 times the Nyquist
pixel, 2 to 2000 photons, a gain of 0.2 to 10 grey levels, a read noise of 0.5 to 5 electrons and
out-of-focus light up to twice that in focus. A fifth has noise that a filter has correlated, a
tenth is saturated. Structures are made on a grid three times as fine as the camera's pixels. All
ranges were chosen by eye, to cover what microscopes give.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, rfft2
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from zsfiji.physics.noise import dct_spectrum

KINDS = ("filaments", "rings", "network", "blobs", "texture", "spots", "empty")

OFFSET = 100.0
"""Grey level without light, of every camera here."""

ROUNDING = 1 / 12
"""Variance of rounding to whole grey levels."""

_BLOCK = 8
"""Edge in pixels of the blocks of :attr:`Capture.spectrum`, as in the calibration."""

_FINE = 3
"""Pixels of the specimen per pixel of the camera, along rows and along columns."""

_BRIGHT_BLUR = 79 / 108
"""Standard deviation of the Gaussian PSF of the bright captures, in camera pixels."""


@dataclass(frozen=True)
class Capture:
    """A simulated capture and its truth.

    Attributes
    ----------
    name : str
        A description, for tables.
    kind : str
        One of :data:`KINDS`, or "bright".
    noisy, truth : numpy.ndarray
        float32 (row, col): what the camera gives, and its expectation, in grey levels.
    gain, intercept : float
        The variance of a pixel of the expectation m is ``gain * m + intercept``, rounding to whole
        grey levels included.
    spectrum : numpy.ndarray or None
        Power of the noise in the coefficients of a DCT of 8 x 8 pixels, mean 1, without that of the
        rounding; None where pixels have independent noise.
    saturation : float or None
        The value at which pixels were clipped.
    photons : float
        Photons of the brightest half percent of the pixels.
    sampling : float
        Pixel size over the Nyquist pixel size.
    """

    name: str
    kind: str
    noisy: NDArray[np.float32]
    truth: NDArray[np.float32]
    gain: float
    intercept: float
    spectrum: NDArray[np.float64] | None
    saturation: float | None
    photons: float
    sampling: float

    def variance(self, mean: float) -> float:
        """The true variance of pixels of the expectation `mean`."""
        return self.gain * mean + self.intercept

    @property
    def white(self) -> bool:
        """Whether pixels have independent noise."""
        return self.spectrum is None

    @property
    def shot(self) -> float:
        """Share of shot noise in the variance at the 95 % quantile of brightness."""
        low, high = np.quantile(self.truth, (0.05, 0.95))
        return float(self.gain * (high - low) / self.variance(float(high)))


def structure(kind: str, edge: int, draws: np.random.Generator) -> NDArray[np.float64]:
    """Make a random distribution of fluorophores on a periodic grid, shape (edge, edge)."""
    image = np.zeros((edge, edge))
    area = (edge / 768) ** 2

    def number(low: float, high: float) -> int:
        return max(1, round(_log_uniform(draws, low, high) * area))

    if kind == "filaments":
        lines, length = number(15, 250), edge
        heading = draws.uniform(0, 2 * np.pi, (lines, 1))
        heading = heading + np.cumsum(draws.normal(0, 0.03, (lines, length)), 1)
        steps = np.stack([np.sin(heading), np.cos(heading)])
        _count(image, draws.uniform(0, edge, (2, lines, 1)) + np.cumsum(steps, 2), 1.0)
    elif kind == "rings":
        rings = number(40, 1500)
        radius = draws.uniform(3, 18, (rings, 1))
        angle = np.linspace(0, 2 * np.pi, 160, endpoint=False)
        ring = radius * np.stack([np.sin(angle), np.cos(angle)])[:, None]
        strength = draws.lognormal(0, 0.5, (rings, 1)) * radius / 10
        _count(image, draws.uniform(0, edge, (2, rings, 1)) + ring, strength)
    elif kind == "network":
        seeds = draws.uniform(0, edge, (number(150, 2500), 2))
        grid = np.stack(np.meshgrid(*[np.arange(edge)] * 2, indexing="ij"), -1).reshape(-1, 2)
        nearest, second = cKDTree(seeds, boxsize=edge).query(grid, k=2)[0].T
        image = np.exp(-(((second - nearest) / draws.uniform(2, 5)) ** 2)).reshape(edge, edge)
    elif kind == "blobs":
        where = draws.integers(0, edge, (2, number(5, 60)))
        image[tuple(where)] = draws.lognormal(0, 0.7, where.shape[1])
        image = gaussian_filter(image, draws.uniform(12, 50), mode="wrap")
    elif kind == "texture":
        image = gaussian_filter(draws.normal(size=image.shape), draws.uniform(1, 6), mode="wrap")
        image /= image.std()
        if draws.random() < 0.5:
            image = np.exp(draws.uniform(0.3, 1) * image)
        else:
            image = np.maximum(1 + draws.uniform(0.2, 0.6) * image, 0)
        if draws.random() < 0.6:
            field = gaussian_filter(draws.normal(size=image.shape), edge / 10, mode="wrap")
            image = image * np.clip(0.5 + field / field.std(), 0.02, None)
    elif kind == "spots":
        where = draws.integers(0, edge, (2, number(20, 600)))
        image[tuple(where)] = draws.lognormal(0, 0.6, where.shape[1])
    else:
        field = gaussian_filter(draws.normal(size=image.shape), edge / 6, mode="wrap")
        image = np.clip(1 + draws.uniform(0, 0.3) * field / field.std(), 0, None)
        if draws.random() < 0.5:
            image[edge // 2 : edge // 2 + 40, 100:140] += 2
    return image


def draw(seed: int, size: int = 256) -> Capture:
    """Make a capture of `size` x `size` pixels; the kinds alternate with the seed."""
    draws = np.random.default_rng(seed)
    kind = KINDS[seed % len(KINDS)]
    sampling = draws.uniform(0.5, 1.5)
    light = _through_optics(structure(kind, size * _FINE, draws), sampling)
    photons = _log_uniform(draws, 2, 2000)
    haze = draws.uniform(0, 2)
    out_of_focus = gaussian_filter(light, 25, mode="wrap")
    light = light + haze * np.quantile(light, 0.995) * out_of_focus / max(out_of_focus.max(), 1e-9)
    light *= photons / np.quantile(light, 0.995)
    gain, read = _log_uniform(draws, 0.2, 10), draws.uniform(0.5, 5)
    transfer = _filter(size, draws) if draws.random() < 0.2 else None
    cut = draws.uniform(0.005, 0.05) if draws.random() < 0.1 else 0.0
    name = f"{seed} {kind} u{sampling:.2f} {photons:.0f}ph g{gain:.2f} r{read:.1f} haze{haze:.1f}"
    return expose(name, kind, light, gain, read, draws, transfer, cut, photons, sampling)


def expose(
    name: str,
    kind: str,
    light: NDArray[np.float64],
    gain: float,
    read: float,
    draws: np.random.Generator,
    transfer: NDArray[np.complex128] | None = None,
    cut: float = 0.0,
    photons: float = 0.0,
    sampling: float = 1.0,
) -> Capture:
    """Simulate a capture of `light`, in photons per pixel, by a 16-bit camera.

    Parameters
    ----------
    name, kind, photons, sampling
        As in :class:`Capture`.
    light : numpy.ndarray
        Expected photons, shape (row, col).
    gain : float
        Grey levels per photoelectron.
    read : float
        Standard deviation of the read noise, in electrons.
    draws : numpy.random.Generator
        Random numbers.
    transfer : numpy.ndarray, optional
        Transfer function of a filter that the noise goes through, shape (row, col).
    cut : float
        Share of the pixels that are saturated.
    """
    noise = gain * (draws.poisson(light) - light + draws.normal(0, read, light.shape))
    power, spectrum = 1.0, None
    if transfer is not None:
        noise = np.fft.ifft2(np.fft.fft2(noise) * transfer).real
        power = float((np.abs(transfer) ** 2).mean())
        lags = np.arange(1 - _BLOCK, _BLOCK)
        spectrum = dct_spectrum(np.fft.ifft2(np.abs(transfer) ** 2).real[np.ix_(lags, lags)])
    truth = gain * light + OFFSET
    image = np.clip(np.rint(truth + noise), 0, 65535)
    saturation = None
    if cut > 0:
        saturation = float(np.rint(np.quantile(image, 1 - cut)))
        image = np.minimum(image, saturation)
    intercept = power * ((gain * read) ** 2 - gain * OFFSET) + ROUNDING
    return Capture(
        name + (" correlated" if transfer is not None else "") + (" cut" if cut > 0 else ""),
        kind,
        image.astype(np.float32),
        truth.astype(np.float32),
        gain * power,
        intercept,
        spectrum,
        saturation,
        photons,
        sampling,
    )


def bright(size: int = 320) -> list[Capture]:
    """Good images of the most common kind: 60x / 1.4, 108 nm pixels, 150 to 2000 photons."""
    captures = []
    area = (size / 320) ** 2
    for kind in ("network", "filaments"):
        draws = np.random.default_rng(5)
        if kind == "network":
            seeds = draws.uniform(0, 4 * size, (round(2500 * area), 2))
            grid = np.stack(np.meshgrid(*[np.arange(4 * size)] * 2, indexing="ij"), -1)
            nearest, second = cKDTree(seeds).query(grid.reshape(-1, 2), k=2)[0].T
            image = np.exp(-(((second - nearest) / 4) ** 2)).reshape(4 * size, 4 * size)
        else:
            image = np.zeros((4 * size, 4 * size))
            heading = draws.uniform(0, 2 * np.pi, (round(160 * area), 1))
            heading = heading + np.cumsum(draws.normal(0, 0.02, (len(heading), 900)), 1)
            steps = np.stack([np.sin(heading), np.cos(heading)])
            starts = draws.uniform(0, 4 * size, (2, len(heading), 1))
            _count(image, starts + np.cumsum(steps, 2), 1.0)
        light = gaussian_filter(image, 4 * _BRIGHT_BLUR).reshape(size, 4, size, 4).mean((1, 3))
        for photons in (150.0, 500.0, 2000.0):
            scaled = light * photons / np.quantile(light, 0.995)
            name = f"bright {kind} {photons:.0f}ph"
            captures.append(
                expose(name, "bright", scaled, 2.0, 1.6, draws, photons=photons, sampling=1.15)
            )
    return captures


def psf(capture: Capture, upsample: int) -> NDArray[np.float64]:
    """Give the PSF of a capture on a grid `upsample` times as fine as the camera's.

    Each value is the mean over a pixel of that grid. The PSF is periodic, like the light of
    :func:`draw`.
    """
    edge = len(capture.truth) * upsample - 1
    axis = np.fft.fftfreq(edge)
    frequency = np.hypot(axis[:, None], axis) * upsample
    if capture.kind == "bright":
        otf = np.exp(-2 * (np.pi * _BRIGHT_BLUR * frequency) ** 2)
    else:
        otf = _otf(frequency, capture.sampling)
    otf = otf * np.outer(np.sinc(axis), np.sinc(axis))
    return np.fft.fftshift(np.fft.ifft2(otf).real).clip(0)


def _log_uniform(draws: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(draws.uniform(np.log(low), np.log(high))))


def _count(image: NDArray, points: NDArray, strength: float | NDArray) -> None:
    """Add points (row and column first), periodic at the borders."""
    row, col = np.floor(points).astype(int) % len(image)
    np.add.at(image, (row, col), np.broadcast_to(strength, row.shape))


def _through_optics(image: NDArray[np.float64], sampling: float) -> NDArray[np.float64]:
    """Blur by an ideal incoherent OTF and integrate over the camera's pixels."""
    edge = len(image)
    frequency = np.hypot(np.fft.fftfreq(edge)[:, None], np.fft.rfftfreq(edge)) * _FINE
    blurred = np.maximum(irfft2(rfft2(image) * _otf(frequency, sampling), image.shape), 0)
    return blurred.reshape(edge // _FINE, _FINE, edge // _FINE, _FINE).mean((1, 3))


def _otf(frequency: NDArray[np.float64], sampling: float) -> NDArray[np.float64]:
    """The ideal incoherent OTF, at frequencies in cycles per camera pixel."""
    # For the Nyquist pixel the cut-off is at half a cycle per pixel.
    q = np.minimum(frequency / (0.5 * sampling), 1)
    return 2 / np.pi * (np.arccos(q) - q * np.sqrt(1 - q * q))


def _filter(size: int, draws: np.random.Generator) -> NDArray[np.complex128]:
    """A filter that correlates noise: a blur, an interpolated shift, or a box over two pixels."""
    w = 2 * np.pi * np.fft.fftfreq(size)
    kind = draws.choice(["blur", "shift", "round blur", "box"], p=[0.4, 0.3, 0.2, 0.1])
    if kind == "blur":
        one = np.exp(-0.5 * (draws.uniform(0.5, 1) * w) ** 2)
        return np.outer(one, one).astype(complex)
    if kind == "round blur":
        # Not separable, as in resampled or demosaiced images.
        radius = np.hypot(w[:, None], w)
        return (1 / (1 + (radius * draws.uniform(0.5, 1.2)) ** 2)).astype(complex)
    shares = draws.uniform(0.3, 0.5, 2) if kind == "shift" else (0.5, 0.5)
    rows, cols = (1 - d + d * np.exp(-1j * w) for d in shares)
    return np.outer(rows, cols)

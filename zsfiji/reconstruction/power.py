"""The power spectrum of the specimen, fitted to the image: it makes the constant of the filter.

The best linear filter has as its constant the power of the noise over that of the specimen, at
each frequency (Wiener 1949). The noise is known. The power of the specimen is taken to be
:math:`e^a / (1 + (k / k_0)^2)^b`, fitted by Whittle's likelihood to what the noise leaves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize

from zsfiji.compute.rings import ring_mean, ring_of, ring_sizes
from zsfiji.physics.sim.optics import frequencies
from zsfiji.reconstruction.borders import taper
from zsfiji.reconstruction.wiener import Wiener

RINGS = 40
"""Rings of frequencies up to the reach. Not tuned."""

_FEWEST = 8
"""A ring with fewer frequencies says nothing."""

_FIRST = 2
"""The innermost rings have the mean and the taper."""

WEAKEST = 1e-3
"""Frequencies with less of the largest density are left out: almost no light comes through."""

_USUAL, _HOLD = math.log(1.5), 1e-3
"""Logarithm of an exponent b that images usually have, and how strongly the fit is held to it: it
decides only where noise leaves two or three rings."""

_START = (0.02, 0.05, 0.15)
"""Frequencies k0 in cycles per raw pixel at which the fit begins."""

_LEAST_CORNER = 1e-3
"""Least corner in cycles per raw pixel. Of a specimen whose power has no corner in any ring, the
fit went on to smaller and smaller ones, with which 32-bit numbers overflow."""

_FARTHEST = 80.0
"""Logarithms beyond this are where the fit is lost: they would overflow."""

_LEAST = 1e-6
"""Least power of the specimen where the fit begins, in powers of the noise."""


@dataclass(frozen=True)
class Power:
    """Power spectrum of a specimen.

    Attributes
    ----------
    height : float
        Power at low frequencies: of the mean square of a pixel's value per frequency.
    corner : float
        Frequency in cycles per raw pixel above which it falls.
    exponent : float
        How steeply it falls.
    """

    height: float
    corner: float
    exponent: float

    def __call__(self, frequency: torch.Tensor) -> torch.Tensor:
        """The power at some frequencies."""
        falls = self.exponent * torch.log1p((frequency / self.corner).square())
        return self.height * torch.exp(-falls)

    def ridge(self, wiener: Wiener, noise: float) -> torch.Tensor:
        """The constant of the filter at each frequency, for a variance of the raw pixels."""
        return noise / self(wiener.frequency).clamp_min(1e-30)


@dataclass(frozen=True)
class Rings:
    """What a raw stack shows in rings of frequencies.

    Its power is `through` times that of the specimen, plus the variance of a raw pixel.

    Attributes
    ----------
    frequency : numpy.ndarray
        In cycles per raw pixel.
    power : numpy.ndarray
        Mean power in the ring, in the unit of the stack, squared.
    through : numpy.ndarray
        Share of the power of the specimen that comes through optics and patterns.
    number : numpy.ndarray
        Frequencies in the ring.
    """

    frequency: np.ndarray
    power: np.ndarray
    through: np.ndarray
    number: np.ndarray


def rings(wiener: Wiener, stack: torch.Tensor) -> Rings:
    """Measure the power of a raw stack; see :func:`fit` for the parameters."""
    window = taper(wiener.shape, stack.device)
    bare = (stack - stack.mean((-2, -1), keepdim=True).mean()) * window
    numerator = wiener.numerator(bare, periodic=True)
    # The mean square of the tapered noise is that of the noise times that of the taper, of which
    # the extended field has less.
    share = float(window.square().sum()) / math.prod(wiener.field)
    used = wiener.density > WEAKEST * wiener.density.max()
    return averaged(
        numerator[used],
        wiener.density[used],
        wiener.frequency[used] / wiener.reach,
        wiener.reach,
        math.prod(wiener.blur.fine) * share,
    )


def averaged(
    numerator: torch.Tensor,
    density: torch.Tensor,
    share: torch.Tensor,
    reach: float,
    light: float,
) -> Rings:
    """Average the power of a numerator of the filter over rings of frequencies.

    Parameters
    ----------
    numerator, density : torch.Tensor
        (frequency,): numerator of the filter, and its denominator without the constant, where light
        comes through.
    share : torch.Tensor
        (frequency,): modulus of the frequency over `reach`.
    reach : float
        Highest frequency of the result.
    light : float
        Mean square of a frequency of the numerator over the density, for noise of variance 1.
    """
    ring = ring_of(share, RINGS).clamp_max(RINGS)

    def mean(values: torch.Tensor) -> np.ndarray:
        return ring_mean(values.double(), ring, RINGS).cpu().numpy()

    whitened = mean(numerator.abs().square() / density.clamp_min(1e-30)) / light
    number = ring_sizes(ring, RINGS).double().cpu().numpy()
    kept = (number > _FEWEST) & (np.arange(RINGS + 1) >= _FIRST)
    frequency = np.arange(RINGS + 1) / RINGS * reach
    return Rings(frequency[kept], whitened[kept], mean(density)[kept], number[kept])


def fine_rings(shape: tuple[int, int], reach: float, device: torch.device) -> torch.Tensor:
    """The ring of each frequency of a fine image (:func:`torch.fft.rfft2`).

    Parameters
    ----------
    shape : (int, int)
        Rows and columns, two to a raw pixel.
    reach : float
        Frequency of the last ring, in cycles per raw pixel.
    device : torch.device
        Where to compute.

    Returns
    -------
    torch.Tensor
        int64; `RINGS` + 1 beyond the reach.
    """
    row, col = frequencies(shape, device=device)
    return ring_of(2 * torch.hypot(row, col) / reach, RINGS)


def fit(wiener: Wiener, stack: torch.Tensor, noise: float) -> Power:
    """Fit the power spectrum of what a raw stack shows.

    Parameters
    ----------
    wiener : Wiener
        The reconstruction.
    stack : torch.Tensor
        (angle, frame, row, col), without background.
    noise : float
        Variance of the noise of a raw pixel, mean over the image.

    Returns
    -------
    Power
        In the unit of the stack, squared.
    """
    return fitted(rings(wiener, stack), noise)


def fitted(found: Rings, noise: float) -> Power:
    """Fit the power spectrum of the specimen to rings, for a variance of the raw pixels."""

    def cost(values: np.ndarray) -> float:
        expected = found.through * _model(values, found.frequency) + noise
        fit_ = (found.number * (np.log(expected) + found.power / expected)).sum()
        return float(fit_ / found.number.sum() + _HOLD * (values[2] - _USUAL) ** 2)

    first = max((found.power[0] - noise) / found.through[0], _LEAST * noise)
    best = min(
        (
            minimize(
                cost,
                np.array([math.log(first), math.log(corner), _USUAL]),
                method="Nelder-Mead",
                options={"maxiter": 600, "xatol": 1e-3, "fatol": 1e-7},
            )
            for corner in _START
        ),
        key=lambda result: float(result.fun),
    )
    return Power(*_bounded(best.x))


def _model(values: np.ndarray, frequency: np.ndarray) -> np.ndarray:
    height, corner, exponent = _bounded(values)
    modelled: np.ndarray = height / (1 + (frequency / corner) ** 2) ** exponent
    return modelled


def _bounded(values: np.ndarray) -> tuple[float, float, float]:
    """Height, corner and exponent, of their logarithms."""
    height, corner, exponent = np.exp(np.clip(values, -_FARTHEST, _FARTHEST)).tolist()
    return height, max(corner, _LEAST_CORNER), exponent

r"""Measure how much an OTF is damped, in a raw SIM image itself.

Where two bands overlap they show the same detail of the specimen, through the OTF at different
frequencies: :math:`C_0(q) = H(q) S(q)` and :math:`C_1(q) = c H(q + k) S(q)`. So their ratio tells
how the OTF falls, whatever the specimen is. The damping is the one whose OTF makes both agree best,
as exactly as the noise lets them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import minimize_scalar

from zsfiji.compute.spectra import independent_share, regridded
from zsfiji.physics.sim.optics import RadialTransfer, frequencies, places, plane_waves
from zsfiji.physics.sim.patterns import Patterns
from zsfiji.reconstruction.borders import taper
from zsfiji.reconstruction.wiener import unmixing
from zsfiji.reconstruction.window import with_structure

STRONGEST = 0.02
"""Strongest damping that is looked for."""

_SIDE = 512
"""Longest side in pixels of the part that is looked at: bounds the time."""

_BINS = 32
"""Steps of the distance from the centre of each band. Not tuned."""

CENTRE = 0.15
"""Frequencies below this, over the cut-off, are left out in both bands: haze is there."""

_DARK = 0.02
"""Ideal OTF below which a frequency says nothing."""

_PRIOR = 0.7
"""Standard deviation of the logarithm of the damping around the one that is told: lenses differ by
a factor of two. Not tuned."""

_STEPS, _FINER = 13, 2
"""Dampings that are tried, evenly in their logarithm, and how often finer ones around the best."""


class Measured(NamedTuple):
    """A damping, and the standard error of its logarithm."""

    damping: float
    error: float


class Overlap(NamedTuple):
    """Sums over frequencies of two bands, by the distances from their centres.

    Attributes
    ----------
    zero, side, product, number : numpy.ndarray
        (bins * bins,): power of the band without modulation, that of the band of a wave moved back,
        product of the first with the conjugate of the second, and number of independent
        frequencies; by the distance from the centre of the first one, then of the second one.
    noise : (float, float)
        Power of the noise of both in one frequency.
    """

    zero: np.ndarray
    side: np.ndarray
    product: np.ndarray
    number: np.ndarray
    noise: tuple[float, float]


def measured_damping(
    stack: torch.Tensor, patterns: Patterns, transfer: RadialTransfer, noise: float
) -> Measured:
    """Measure the damping of an OTF.

    Parameters
    ----------
    stack : torch.Tensor
        (angle, frame, row, col), without background.
    patterns : Patterns
        Its patterns; waves with modulation 0 are left out.
    transfer : RadialTransfer
        The OTF that is told. A measured one is not questioned.
    noise : float
        Variance of a raw pixel.

    Returns
    -------
    Measured
        The most probable damping, at most 1, given the one that is told.
    """
    told = math.log(transfer.damping)
    if transfer.curve is not None:
        return Measured(transfer.damping, 0.0)
    ideal = replace(transfer, damping=1.0)

    def tells(frequency: torch.Tensor) -> torch.Tensor:
        bright = ideal.lens(frequency) > _DARK
        return bright & (frequency > CENTRE * transfer.cutoff)

    sums = overlaps(stack, patterns, noise, tells, transfer.cutoff, _BINS)

    def cost(log: float) -> float:
        return _cost(sums, transfer, math.exp(log)) + 0.5 * ((log - told) / _PRIOR) ** 2

    tried = np.linspace(math.log(STRONGEST), 0.0, _STEPS)
    costs = np.array([cost(log) for log in tried])
    # The mean of the posterior distribution, and its width; with much light it is narrow.
    for _ in range(_FINER):
        at = int(costs.argmin())
        near = tried[max(at - 1, 0)], tried[min(at + 1, len(tried) - 1)]
        more = np.linspace(*near, _STEPS)
        tried = np.concatenate([tried, more])
        costs = np.concatenate([costs, [cost(log) for log in more]])
    order = np.argsort(tried)
    tried, costs = tried[order], costs[order]
    # Where the bands differ by more than noise, as of a specimen that moves, less is certain.
    modes = sum(float(one.number.sum()) for one in sums)
    costs /= max(1.0, costs.min() / max(modes, 1.0))
    weight = np.exp(costs.min() - costs) * np.gradient(tried)
    weight /= weight.sum()
    mean = float((weight * tried).sum())
    return Measured(math.exp(mean), math.sqrt(float((weight * (tried - mean) ** 2).sum())))


def overlaps(
    stack: torch.Tensor,
    patterns: Patterns,
    noise: float,
    tells: Callable[[torch.Tensor], torch.Tensor],
    reach: float,
    bins: int,
) -> list[Overlap]:
    """Compare the band of each wave with the light that is not modulated.

    Parameters
    ----------
    stack : torch.Tensor
        (angle, frame, row, col), without background.
    patterns : Patterns
        Its patterns; waves with modulation 0 are left out.
    noise : float
        Variance of a raw pixel.
    tells : callable
        Says of distances from the centre of a band, in cycles per pixel, which are used.
    reach : float
        Largest distance that has a bin of its own; those beyond are in the last one.
    bins : int
        Steps of the distance.
    """
    rows, cols = with_structure(stack, _SIDE)
    stack = stack[..., rows, cols]
    patterns = patterns.moved(rows.start, cols.start)
    shape = (int(stack.shape[-2]), int(stack.shape[-1]))
    window = taper(shape, stack.device)
    independent = independent_share(window)
    power = noise * float(window.square().sum())
    bare = (stack - stack.mean()) * window
    unmix, counts = unmixing(patterns)
    row, col = frequencies((2 * shape[0], 2 * shape[1]), half=False, device=stack.device)
    row, col = 2 * row, 2 * col
    radius = torch.hypot(row, col)
    # Half a fine pixel from those of the transform: only bands of one image are compared.
    fine = places(shape, device=stack.device)
    centres = []
    variance = []
    for angle in range(patterns.angles):
        weights = unmix[angle][0].to(stack.device, torch.complex64)
        centres.append(torch.einsum("f,fyx->yx", weights, bare[angle].to(torch.complex64)))
        variance.append(float(unmix[angle][0].abs().square().sum()))
    centre = _finer(torch.stack(centres).mean(0))
    centre_noise = power * sum(variance) / len(variance) ** 2
    found = []
    for angle in range(patterns.angles):
        for wave in range(patterns.waves):
            if float(counts[angle][1 + 2 * wave]) == 0:
                continue
            weights = unmix[angle][1 + 2 * wave]
            band = torch.einsum(
                "f,fyx->yx",
                weights.to(stack.device, torch.complex64),
                bare[angle].to(torch.complex64),
            )
            vector = patterns.wave_vectors[angle, wave]
            k = [float(v) for v in vector]
            side = torch.fft.fft2(torch.fft.ifft2(_finer(band)) * plane_waves(-vector, *fine))
            other = torch.hypot(row + k[0], col + k[1])
            keep = tells(radius) & tells(other)
            if int(keep.sum()) < bins:
                continue
            found.append(
                _summed(
                    centre[keep],
                    side[keep],
                    radius[keep] / reach,
                    other[keep] / reach,
                    # The transform of the finer grid has the same values.
                    (centre_noise, power * float(weights.abs().square().sum())),
                    independent,
                    bins,
                )
            )
    return found


def _finer(band: torch.Tensor) -> torch.Tensor:
    """Spectrum of an image on twice as many pixels, so that a move does not wrap around."""
    rows, cols = band.shape
    return regridded(torch.fft.fft2(band), (2 * rows, 2 * cols))


def _summed(
    zero: torch.Tensor,
    side: torch.Tensor,
    radius: torch.Tensor,
    other: torch.Tensor,
    noise: tuple[float, float],
    independent: float,
    bins: int,
) -> Overlap:
    place = (radius * bins).long().clamp(max=bins - 1) * bins
    place = place + (other * bins).long().clamp(max=bins - 1)

    def total(values: torch.Tensor) -> np.ndarray:
        sums = torch.zeros(bins**2, dtype=torch.float64, device=values.device)
        found: np.ndarray = sums.index_add_(0, place, values.double()).cpu().numpy()
        return independent * found

    product = zero * side.conj()
    return Overlap(
        total(zero.abs().square()),
        total(side.abs().square()),
        total(product.real) + 1j * total(product.imag),
        total(torch.ones_like(radius)),
        noise,
    )


def _cost(sums: Sequence[Overlap], transfer: RadialTransfer, damping: float) -> float:
    """Half of the squared disagreement of all pairs of bands, in variances of the noise."""
    share = (torch.arange(_BINS, dtype=torch.float64) + 0.5) / _BINS
    frequency = share * transfer.cutoff
    # The camera's pixel, in the mean over all directions.
    pixel = torch.sinc(frequency / math.sqrt(2)).square()
    otf = (replace(transfer, damping=damping).lens(frequency) * pixel).numpy()
    here, there = (m.ravel() for m in np.meshgrid(otf, otf, indexing="ij"))
    total = 0.0
    for one in sums:
        turned = np.exp(-1j * np.angle((here * there * one.product).sum()))
        cross = (one.product * turned).real

        def disagreement(log: float, one: Overlap = one, cross: np.ndarray = cross) -> float:
            c = math.exp(log)
            variance = (c * there) ** 2 * one.noise[0] + here**2 * one.noise[1]
            missed = (c * there) ** 2 * one.zero - 2 * c * there * here * cross
            missed = missed + here**2 * one.side
            return float((missed / variance).sum())

        best = minimize_scalar(disagreement, bounds=(-2.0, 2.0), method="bounded")
        total += float(best.fun)
    return total

r"""The OTF of a raw SIM image of which nothing is told: its cut-off and its damping.

Where two bands overlap, they show the same detail of the specimen through two places of the OTF:
:math:`C_0(q) = H(q) S(q)` and :math:`C_1(q) = c\,H(q + k) S(q)`. So their ratio tells the shape of
the OTF whatever the specimen is, and where one or the other goes out tells its cut-off. The light
of the specimen is taken to be Gaussian with a power of its own in each bin of :math:`|q|` and
:math:`|q + k|`; its best value has a closed form, and what remains is a likelihood of the OTF.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize

from zsfiji.physics.sim.optics import RadialTransfer
from zsfiji.physics.sim.patterns import Patterns
from zsfiji.reconstruction.damping import CENTRE, STRONGEST, Overlap, overlaps

LOWEST, HIGHEST = 0.1, 0.5
"""Cut-offs that are looked for, in cycles per pixel: beyond the highest one the pixels of the
camera fold frequencies over each other."""

_BINS = 44
"""Steps of the distance from the centre of each band, up to the highest cut-off."""

_STARTS = (0.85, 1.0, 1.15)
"""Cut-offs over the one that is guessed, at which the search begins."""

_CHANCE = 0.3
"""What noise adds to the likelihood in a bin with light, on average: half of the chi-squared of one
degree of freedom, where it is positive."""

_CLEAR = 8.0
"""Gain of the logarithm of the likelihood from which a lens is said to be damped. Not tuned:
simulated ideal lenses gained up to 2, and a real one 200."""

_STEP = 0.03
"""Step of the logarithm of the cut-off by which its error is measured."""

_KNOWN = 0.005
"""Relative error of the cut-off that more light does not make less: the power in a bin is not the
same everywhere. Simulated stacks of 100 photons have so much."""


@dataclass(frozen=True)
class Found:
    """An OTF that was found.

    Attributes
    ----------
    transfer : RadialTransfer
        The OTF.
    error : float
        Standard error of the cut-off, relative to it; infinite if the image does not tell.
    """

    transfer: RadialTransfer
    error: float


def found_transfer(
    stack: torch.Tensor,
    patterns: Patterns,
    guess: RadialTransfer,
    noise: float,
    *,
    cutoff: bool = True,
    damping: bool = True,
) -> Found:
    """Find the OTF in which the bands of a raw image agree.

    Parameters
    ----------
    stack : torch.Tensor
        (angle, frame, row, col), without background.
    patterns : Patterns
        Its patterns; waves with modulation 0 are left out.
    guess : RadialTransfer
        Where the search begins.
    noise : float
        Variance of a raw pixel.
    cutoff, damping : bool
        Which of both are looked for; the others are those of the guess.

    Returns
    -------
    Found
        The most probable one; an ideal lens unless the image says otherwise.
    """
    least = CENTRE * guess.cutoff
    sums = overlaps(stack, patterns, noise, lambda f: (f > least) & (f < HIGHEST), HIGHEST, _BINS)
    if not sums or guess.curve is not None:
        return Found(guess, math.inf)
    if not damping:
        best = _Fit(sums, guess, cutoff, damped=False)
    else:
        ideal = RadialTransfer(guess.cutoff)
        best, damped = (_Fit(sums, ideal, cutoff, damped=d) for d in (False, True))
        if damped.cost < best.cost - _CLEAR:
            best = damped
    return Found(best.transfer, best.error() if cutoff else 0.0)


class _Fit:
    """The best OTF of a kind, with the strength of each wave."""

    def __init__(
        self, sums: Sequence[Overlap], guess: RadialTransfer, cutoff: bool, damped: bool
    ) -> None:
        self._sums, self._guess = sums, guess
        self._cutoff, self._damped = cutoff, damped
        tried = [self._from(factor) for factor in (_STARTS if cutoff else (1.0,))]
        self.cost, self._values = min(tried, key=lambda one: one[0])
        self.transfer = self._transfer(self._values)

    def _from(self, factor: float) -> tuple[float, NDArray[np.float64]]:
        first = math.log(min(self._guess.cutoff * factor, 0.99 * HIGHEST))
        start = np.array(
            [first] * self._cutoff + [math.log(0.7)] * self._damped + [0.0] * len(self._sums)
        )
        simplex = np.vstack([start, start + 0.1 * np.eye(len(start))])
        options = {"initial_simplex": simplex, "maxiter": 500, "xatol": 1e-3, "fatol": 1e-2}
        found = minimize(self._of, start, method="Nelder-Mead", options=options)
        return float(found.fun), found.x

    def _transfer(self, values: NDArray[np.float64]) -> RadialTransfer:
        cutoff = math.exp(values[0]) if self._cutoff else self._guess.cutoff
        damping = self._guess.damping
        if self._damped:
            damping = math.exp(-abs(values[int(self._cutoff)]))
        return RadialTransfer(cutoff, damping)

    def _of(self, values: NDArray[np.float64]) -> float:
        transfer = self._transfer(values)
        if not LOWEST <= transfer.cutoff <= HIGHEST or transfer.damping < STRONGEST:
            return math.inf
        strengths = np.exp(np.clip(values[-len(self._sums) :], -5, 5))
        return -_likelihood(self._sums, transfer, strengths)

    def error(self) -> float:
        """Standard error of the cut-off, relative to it, from the bend of the likelihood."""
        sides = []
        for factor in (math.exp(-_STEP), math.exp(_STEP)):
            there = replace(self.transfer, cutoff=self.transfer.cutoff * factor)
            sides.append(_Fit(self._sums, there, False, self._damped).cost)
        bend = (sum(sides) - 2 * self.cost) / _STEP**2
        if not 0 < bend < math.inf:
            return math.inf
        return math.hypot(1 / math.sqrt(bend), _KNOWN)


def _likelihood(
    sums: Sequence[Overlap], transfer: RadialTransfer, strengths: NDArray[np.float64]
) -> float:
    r"""Logarithm of the likelihood of an OTF.

    In a bin the pair of bands has the covariance :math:`P v v^* + N` with the direction
    :math:`v = (H_0, c H_1)` and the noise :math:`N`. With the best power :math:`P \ge 0` its
    logarithm is :math:`n (\rho - 1 - \ln \rho)`, where :math:`\rho` is the power in the direction
    of v over that of noise.
    """
    frequency = (torch.arange(_BINS, dtype=torch.float64) + 0.5) * (HIGHEST / _BINS)
    # The camera's pixel, in the mean over all directions.
    pixel = torch.sinc(frequency / math.sqrt(2)).square()
    otf = (transfer.lens(frequency) * pixel).numpy()
    here, there = (m.ravel() for m in np.meshgrid(otf, otf, indexing="ij"))
    total = 0.0
    for one, strength in zip(sums, strengths, strict=True):
        first, second = here / one.noise[0], strength * there / one.noise[1]
        turned = np.exp(-1j * np.angle((here * there * one.product).sum()))
        power = first**2 * one.zero + second**2 * one.side
        power = power + 2 * first * second * (one.product * turned).real
        light = here * first + strength * there * second
        used = (one.number > 0) & (light > 1e-9 * light.max())
        number = one.number[used]
        ratio = np.maximum(power[used] / (number * light[used]), 1.0)
        total += float((number * (ratio - 1 - np.log(ratio)) - _CHANCE).sum())
    return total

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
from zsfiji.reconstruction.points import FARTHEST

LOWEST, HIGHEST = 0.1, 0.5
"""Cut-offs that are looked for, in cycles per pixel: beyond the highest one the pixels of the
camera fold frequencies over each other. None is so low that the lens could not have made the
pattern."""

_BINS = 44
"""Steps of the distance from the centre of each band, up to the highest cut-off."""

_STARTS = ((0.85, 1.0), (1.0, 1.0), (1.15, 1.0))
"""Cut-offs over the one that is guessed, and dampings, at which the search begins."""

_AGAIN = ((1.0, 0.7), (1.05, 0.5), (1.1, 0.3), (1.2, 0.1))
"""The same for a damped lens, over the cut-off of the ideal one that explains the image best: that
is lower."""

_CHANCE = 0.3
"""What noise adds to the likelihood in a bin with light, on average: half of the chi-squared of one
degree of freedom, where it is positive."""

_CLEAR = 8.0
"""Gain of the logarithm of the likelihood from which a lens is said to be damped. Not tuned:
simulated ideal lenses gained up to 2, and a real one 200."""

_STEPS, _REACH = (0.3, 0.1), 4
"""Steps of the logarithm of the strength of a wave, first wide ones, and how many to each side."""

_STEP = 0.03
"""Step of the logarithm of the cut-off by which its error is measured."""

_OUTSIDE = 1e18
"""Cost of what is out of range, in the search: more than any lens has."""

_KNOWN = 0.005
"""Relative error of the cut-off that more light does not make less: the power in a bin is not the
same everywhere. Simulated stacks of 100 photons have so much."""


_FREQUENCY = (torch.arange(_BINS, dtype=torch.float64) + 0.5) * (HIGHEST / _BINS)
"""Middles of the bins."""

_PIXEL = torch.sinc(_FREQUENCY / math.sqrt(2)).square()
"""Transfer of the camera's pixel, in the mean over all directions."""


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
    waves = [_Wave(one) for one in sums]
    finest = float(patterns.wave_vectors.norm(dim=-1)[patterns.modulation > 0].amax())
    lowest = min(max(LOWEST, finest / FARTHEST), 0.9 * HIGHEST) if cutoff else LOWEST
    if not damping:
        best = _Fit(waves, guess, _STARTS, lowest, cutoff, damped=False)
    else:
        best = _Fit(waves, RadialTransfer(guess.cutoff), _STARTS, lowest, cutoff, damped=False)
        damped = _Fit(waves, best.transfer, _AGAIN, lowest, cutoff, damped=True)
        if damped.cost < best.cost - _CLEAR:
            best = damped
    return Found(best.transfer, best.error() if cutoff else 0.0)


class _Wave:
    """What the bands of a wave say of an OTF, in the bins that have frequencies."""

    def __init__(self, sums: Overlap) -> None:
        there = np.flatnonzero(sums.number)
        self._first, self._second = np.divmod(there, _BINS)
        self._zero, self._side = sums.zero[there], sums.side[there]
        self._product, self._number = sums.product[there], sums.number[there]
        self._noise = sums.noise

    def likelihood(self, otf: NDArray[np.float64]) -> float:
        r"""Logarithm of the likelihood of an OTF, with the best strength of the wave.

        In a bin the pair of bands has the covariance :math:`P v v^* + N` with the direction
        :math:`v = (H_0, c H_1)` and the noise :math:`N`. With the best power :math:`P \ge 0` its
        logarithm is :math:`n (\rho - 1 - \ln \rho)`, where :math:`\rho` is the power in the
        direction of v over that of noise.
        """
        here, there = otf[self._first], otf[self._second]
        turned = np.exp(-1j * np.angle((here * there * self._product).sum()))
        first, second = here / self._noise[0], there / self._noise[1]
        powers = (
            first**2 * self._zero,
            2 * first * second * (self._product * turned).real,
            second**2 * self._side,
        )
        lights = here * first, there * second

        def of(strengths: NDArray[np.float64]) -> NDArray[np.float64]:
            c = strengths[:, None]
            light = lights[0] + c**2 * lights[1]
            used = light > 1e-9 * light.max()
            power = powers[0] + c * powers[1] + c**2 * powers[2]
            ratio = np.maximum(power / (self._number * np.where(used, light, 1.0)), 1.0)
            each = self._number * (ratio - 1 - np.log(ratio)) - _CHANCE
            found: NDArray[np.float64] = np.where(used, each, 0.0).sum(1)
            return found

        middle = 0.0
        for step in _STEPS:
            logs = middle + step * np.arange(-_REACH, _REACH + 1)
            values = of(np.exp(logs))
            at = int(values.argmax())
            middle = float(logs[at])
        if not 0 < at < len(values) - 1:
            return float(values[at])
        # The top of a parabola through the best three, so that it has no corners.
        left, best, right = values[at - 1 : at + 2]
        bend = left - 2 * best + right
        return float(best - (right - left) ** 2 / (8 * bend)) if bend < 0 else float(best)


class _Fit:
    """The best OTF of a kind."""

    def __init__(
        self,
        waves: Sequence[_Wave],
        guess: RadialTransfer,
        starts: Sequence[tuple[float, float]],
        lowest: float,
        cutoff: bool,
        damped: bool,
    ) -> None:
        self._waves, self._guess, self._lowest = waves, guess, lowest
        self._cutoff, self._damped = cutoff, damped
        self.cost, self.transfer = self._of(np.array([])), guess
        if not cutoff and not damped:
            return
        tried = [self._from(factor if cutoff else 1.0, damping) for factor, damping in starts]
        self.cost, values = min(tried, key=lambda one: one[0])
        self.transfer = self._transfer(values)

    def _from(self, factor: float, damping: float) -> tuple[float, NDArray[np.float64]]:
        cutoff = max(self._guess.cutoff * factor, 1.01 * self._lowest)
        first = math.log(min(cutoff, 0.99 * HIGHEST))
        start = np.array([first] * self._cutoff + [math.log(damping)] * self._damped)
        simplex = np.vstack([start, start + 0.1 * np.eye(len(start))])
        options = {"initial_simplex": simplex, "maxiter": 200, "xatol": 1e-3, "fatol": 1e-2}
        # The simplex is compared by differences: none may be infinite.
        found = minimize(
            lambda values: min(self._of(values), _OUTSIDE),
            start,
            method="Nelder-Mead",
            options=options,
        )
        return float(found.fun), found.x

    def _transfer(self, values: NDArray[np.float64]) -> RadialTransfer:
        cutoff = math.exp(values[0]) if self._cutoff and len(values) else self._guess.cutoff
        damping = self._guess.damping
        if self._damped and len(values):
            damping = math.exp(-abs(values[-1]))
        return RadialTransfer(cutoff, damping)

    def _of(self, values: NDArray[np.float64]) -> float:
        transfer = self._transfer(values)
        if not self._lowest <= transfer.cutoff <= HIGHEST or transfer.damping < STRONGEST:
            return math.inf
        otf = (transfer.lens(_FREQUENCY) * _PIXEL).numpy()
        return -sum(wave.likelihood(otf) for wave in self._waves)

    def error(self) -> float:
        """Standard error of the cut-off, relative to it, from the bend of the likelihood."""
        sides = []
        for factor in (math.exp(-_STEP), math.exp(_STEP)):
            there = replace(self.transfer, cutoff=self.transfer.cutoff * factor)
            sides.append(
                _Fit(self._waves, there, _AGAIN[:2], self._lowest, False, self._damped).cost
            )
        bend = (sum(sides) - 2 * self.cost) / _STEP**2
        if not 0 < bend < math.inf:
            return math.inf
        return math.hypot(1 / math.sqrt(bend), _KNOWN)

r"""Where a pattern's wave vector lies: the correlation of whitened bands.

The band of a wave is :math:`C_1(q) = m e^{i\varphi} H(q) S(q - k)`, that of the light that is not
modulated :math:`C_0(q) = H(q) S(q)`. The correlation of both has a peak at k (Gustafsson, J.
Microsc. 198, 82, 2000). Here each band is weighted by what its frequencies can tell (a Wiener
filter that whitens the specimen), and the power of the correlation is divided by the variance that
bands without relation would give. So it says how significant a peak is.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from zsfiji.compute.spectra import regridded
from zsfiji.physics.sim.optics import RadialTransfer, frequencies, turns
from zsfiji.physics.sim.patterns import TURN
from zsfiji.reconstruction.bands import Bands, at_rings, ring_means, ring_numbers, squared
from zsfiji.reconstruction.points import grid, points_along

_CENTRE = 0.12
"""Width of the middle of a wave's spectrum that is left out, over the cut-off: there leaks what is
not modulated, if the brightness of the frames is not quite even."""

_DARK = 0.02
"""Least OTF to divide by."""

_LEFT = 0.01
"""What is left of the middle."""

_TINY = 1e-30
"""Least power: not to divide by zero where frames are constant or the same."""

_REACH = 4
"""Steps to each side of a zoom."""


class Correlation:
    """Whitened bands of a raw image in real space, to be correlated at any wave vector.

    Parameters
    ----------
    bands : Bands
        The bands.
    zero : torch.Tensor
        complex64 (angle, row, col): the zeroth band that each angle is compared with; a single
        one for all if the specimen did not move.
    zero_noise : float
        Power of its noise in one frequency.
    transfer : RadialTransfer
        The OTF.
    matched : bool
        Whether frequencies count as in the likelihood of a Gaussian specimen, which tells best
        where a peak is. Whitened bands tell best whether it is one.
    """

    def __init__(
        self,
        bands: Bands,
        zero: torch.Tensor,
        zero_noise: float,
        transfer: RadialTransfer,
        *,
        matched: bool = False,
    ) -> None:
        self.shape = bands.shape
        self._bands, self._zero = bands, zero
        device = zero.device
        row, col = frequencies(self.shape, half=False, device=device)
        radius = torch.hypot(row, col)
        self.grid = grid(self.shape, transfer)
        otf = transfer(row, col)
        rings = ring_numbers(radius)
        zero_power, _ = ring_means(squared(zero).mean(0), rings)
        order_power, _ = ring_means(squared(bands.orders).mean((0, 1)), rings)
        light = (zero_power - zero_noise).clamp_min(1e-3 * zero_noise)
        inside = (radius < transfer.cutoff).float()
        centre = _CENTRE * transfer.cutoff
        outer = 1 - (1 - _LEFT) * torch.exp(-radius.square() / (2 * centre**2))
        zero_filter = (light.sqrt() / zero_power.clamp_min(zero_noise))[rings] * inside
        if matched:
            zero_filter = zero_filter * light.sqrt()[rings] / otf.clamp_min(_DARK) * outer
        order_filter = otf / order_power.clamp_min(bands.order_noise)[rings] * inside * outer
        self._zero_filter = zero_filter / zero_filter.max()
        self._order_filter = order_filter / order_filter.max()
        self._first = self._spread(self._zero_filter * zero).conj()
        self._null = self._expected(zero_power[rings], order_power[rings])
        self._products: dict[tuple[int, int], torch.Tensor] = {}

    def _spread(self, spectrum: torch.Tensor) -> torch.Tensor:
        return torch.fft.ifft2(regridded(spectrum, self.grid))

    def _expected(self, zero_power: torch.Tensor, order_power: torch.Tensor) -> torch.Tensor:
        """Power of the correlation of bands without relation, by the number of the ring."""
        zero = self._spread((self._zero_filter.square() * zero_power).to(torch.complex64))
        order = self._spread((self._order_filter.square() * order_power).to(torch.complex64))
        rows, cols = self.grid
        power = torch.fft.fft2(zero.conj() * order).real.clamp_min(0) / (rows * cols)
        means, _ = ring_means(power, ring_numbers(self.radius(1)))
        return means.clamp_min(max(1e-12 * float(means.max()), _TINY))

    def product(self, angle: int, order: int) -> torch.Tensor:
        """One band times the conjugate of the other in real space: complex64 on the grid."""
        if order < 0:
            return self.product(angle, -order).conj()
        if (angle, order) not in self._products:
            spectrum = self._order_filter * self._bands.orders[angle, order - 1]
            self._products[angle, order] = self._first[angle % len(self._first)] * self._spread(
                spectrum
            )
        return self._products[angle, order]

    def wave_vectors(self, zoom: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Along rows (n, 1) and columns (1, m) of :meth:`significance`, in cycles per pixel."""
        rows, cols = (
            torch.fft.fftfreq(zoom * points, device=self._first.device) * points / side
            for points, side in zip(self.grid, self.shape, strict=True)
        )
        return rows[:, None], cols[None, :]

    def radius(self, zoom: int) -> torch.Tensor:
        """Frequency of each place of :meth:`significance`, in cycles per pixel."""
        return torch.hypot(*self.wave_vectors(zoom))

    def significance(self, angle: int, order: int, zoom: int) -> torch.Tensor:
        """Power of the correlation over what unrelated bands give: about exp(-Q) by chance.

        Parameters
        ----------
        angle, order : int
            The band.
        zoom : int
            Steps to the natural spacing of frequencies, 1 / side of the image.

        Returns
        -------
        torch.Tensor
            float32, in the order of :func:`torch.fft.fft2`.
        """
        size = tuple(zoom * n for n in self.grid)
        power = squared(torch.fft.fft2(self.product(angle, order), s=size))
        return power / at_rings(self._null, self.radius(zoom))

    def at(self, angle: int, order: int, rows: torch.Tensor, cols: torch.Tensor) -> torch.Tensor:
        """The correlation at all pairs of wave vectors.

        Parameters
        ----------
        angle, order : int
            The band.
        rows, cols : torch.Tensor
            float64 (n,) and (m,), in cycles per pixel.

        Returns
        -------
        torch.Tensor
            complex64 (n, m).
        """
        device = self._first.device
        along, across = (
            turns(-vector, points_along(side, points)).to(device)
            for vector, side, points in zip((rows, cols), self.shape, self.grid, strict=True)
        )
        return (along @ self.product(angle, order) @ across.T).cpu()

    def doubt(self, angle: int, order: int, height: float) -> float:
        """Standard error of the components of a wave vector, from the height of its peak.

        That of the frequency of a wave in white noise, seen where the product has its light. In
        cycles per pixel.
        """
        light = self.product(angle, order).abs()
        extents = []
        for axis, side in enumerate(self.shape):
            along = light.sum(1 - axis).cpu().double() + _TINY
            place = points_along(side, len(along))
            mean = float((along * place).sum() / along.sum())
            extents.append(float((along * (place - mean).square()).sum() / along.sum()))
        return 1 / (TURN * math.sqrt(2 * max(height, 1e-6) * min(extents)))

    def null(self, frequency: float) -> float:
        """Power of the correlation of unrelated bands at a frequency, in cycles per pixel."""
        return float(at_rings(self._null.cpu(), torch.tensor(frequency)))


def climbed(
    value: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    start: torch.Tensor,
    step: tuple[float, float],
    rounds: int = 3,
) -> torch.Tensor:
    """Where a function of wave vectors is highest near a start, by zooming.

    Parameters
    ----------
    value : callable
        Of rows (n,) and columns (m,) in cycles per pixel: values (n, m), not negative.
    start : torch.Tensor
        float64 (2,).
    step : (float, float)
        First spacing of the search, along rows and columns.
    rounds : int
        How often the spacing is made finer, by a factor of 6.
    """
    here = start.clone()
    spacing = torch.tensor(step, dtype=torch.float64)
    offsets = torch.arange(-_REACH, _REACH + 1, dtype=torch.float64)
    for _ in range(rounds):
        found = value(here[0] + offsets * spacing[0], here[1] + offsets * spacing[1]).double()
        i, j = divmod(int(found.argmax()), len(offsets))
        here = here + spacing * torch.stack([offsets[i], offsets[j]])
        if 0 < i < len(offsets) - 1 and 0 < j < len(offsets) - 1:
            # The top of a parabola through the logarithm of three values, in each direction.
            logs = found.clamp_min(1e-30).log()
            here = here + spacing * torch.stack(
                [_vertex(logs[i - 1 : i + 2, j]), _vertex(logs[i, j - 1 : j + 2])]
            )
            spacing = spacing / 6
    return here


def _vertex(three: torch.Tensor) -> torch.Tensor:
    bend = three[0] - 2 * three[1] + three[2]
    if float(bend) >= 0:
        return torch.zeros((), dtype=three.dtype)
    return (0.5 * (three[0] - three[2]) / bend).clamp(-1, 1)

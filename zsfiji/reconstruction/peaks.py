"""The peaks of all waves of a raw SIM image: each for itself, or searched together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as functional
from scipy.stats import gamma

from zsfiji.physics.sim.optics import RadialTransfer
from zsfiji.reconstruction.correlation import FARTHEST, Correlation
from zsfiji.reconstruction.layouts import Member

NEAREST = 0.5
"""Lowest frequency of the finest wave over the cut-off that is searched."""

_TOLERANCE = 0.01
"""Standard deviation of a wave vector from its place in the arrangement, over the cut-off."""

_REACH = 3
"""Standard deviations of it that are searched."""

_SURE = 6.0
"""Logarithm of how improbable a peak has to be among all places where it could be."""

_CUT = 4.0
"""Significance above which a place does not count more for the mean about it."""

_ABOUT = 6
"""Steps of the spectrum to each side of a place that the mean is taken over."""

_ALIKE = 0.05
"""Relative difference between the frequencies of waves that need no equal directions."""


class Peak(NamedTuple):
    """The peak of a wave.

    Attributes
    ----------
    member : Member
        The wave.
    wave_vector : torch.Tensor
        float64 (2,), in cycles per pixel.
    height : float
        Power over that of unrelated bands: exp(-height) is the chance of one place.
    found : bool
        Whether it is too high to be chance and fits the others.
    """

    member: Member
    wave_vector: torch.Tensor
    height: float
    found: bool


class _Map(NamedTuple):
    """Significance over all wave vectors, the zero frequency in the middle."""

    values: torch.Tensor
    raised: torch.Tensor
    """The same, each place raised to the best of its neighbourhood less its distance."""


class Peaks:
    """Search for the waves of a raw image.

    Parameters
    ----------
    correlation : Correlation
        Its bands.
    transfer : RadialTransfer
        The OTF.
    """

    def __init__(self, correlation: Correlation, transfer: RadialTransfer) -> None:
        self._correlation, self._cutoff = correlation, transfer.cutoff
        self._zoom = 2
        rows, cols = correlation.wave_vectors(self._zoom)
        self._rows, self._cols = torch.fft.fftshift(rows.cpu()), torch.fft.fftshift(cols.cpu())
        self._radius = torch.hypot(self._rows, self._cols)
        self._maps: dict[tuple[int, int, float], _Map] = {}

    def best(self, arrangements: Sequence[list[Member]]) -> list[Peak]:
        """The peaks of the arrangement that the image shows best."""
        found = [self._together(members) for members in arrangements]
        return max(found, key=lambda peaks: sum(peak.height for peak in peaks))

    def _zone(self, stretch: float) -> torch.Tensor:
        low, high = NEAREST * stretch * self._cutoff, FARTHEST * stretch * self._cutoff
        return (self._radius > low) & (self._radius < high)

    def _map(self, member: Member) -> _Map:
        key = (member.angle, abs(member.order), member.stretch)
        if key not in self._maps:
            values = self._correlation.significance(member.angle, abs(member.order), self._zoom)
            values = torch.fft.fftshift(values.cpu())
            zone = self._zone(member.stretch)
            # Specimens are no white noise: what unrelated bands give holds but for a factor.
            values *= math.log(2) / float(values[zone].median())
            values = torch.where(zone, values / self._about(values).clamp_min(1.0), 0.0)
            sign = torch.maximum(values, self._opposite(values))
            self._maps[key] = _Map(values, self._raised(sign, member.stretch))
        return self._maps[key]

    def _about(self, values: torch.Tensor) -> torch.Tensor:
        """Mean about each place, of values that are cut off lest a peak decides."""
        low = values.clamp_max(_CUT)[None, None]
        side = self._zoom * _ABOUT
        low = functional.pad(low, (side, side, side, side), mode="circular")
        mean = functional.avg_pool2d(low, (2 * side + 1, 1), stride=1)
        return functional.avg_pool2d(mean, (1, 2 * side + 1), stride=1)[0, 0]

    def _opposite(self, values: torch.Tensor) -> torch.Tensor:
        """The values at -k."""
        turned = torch.fft.ifftshift(values).flip(0, 1).roll((1, 1), (0, 1))
        return torch.fft.fftshift(turned)

    def _deviation(self, stretch: float) -> float:
        return _TOLERANCE * self._cutoff * stretch

    def _raised(self, values: torch.Tensor, stretch: float) -> torch.Tensor:
        """The highest value less the squared distance over twice the variance (a dilation)."""
        deviation = self._deviation(stretch)
        for axis, places in enumerate((self._rows, self._cols)):
            spacing = float(places.flatten()[1] - places.flatten()[0])
            best = values
            for i in range(1, int(_REACH * deviation / spacing) + 1):
                fall = (i * spacing / deviation) ** 2 / 2
                for shift in (-i, i):
                    best = torch.maximum(best, values.roll(shift, axis) - fall)
            values = best
        return values

    def _index(self, vectors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Nearest places (row, col) of vectors (n, 2)."""
        found = []
        for axis, places in enumerate((self._rows, self._cols)):
            line = places.flatten()
            spacing = (line[-1] - line[0]) / (len(line) - 1)
            at = ((vectors[:, axis] - line[0]) / spacing).round().long()
            found.append(at.clamp(0, len(line) - 1))
        return found[0], found[1]

    def _together(self, members: list[Member]) -> list[Peak]:
        """Peaks that fit the arrangement."""
        half = self._zone(1.0) & (self._rows >= 0)
        at = torch.nonzero(half)
        base = torch.stack([self._rows.flatten()[at[:, 0]], self._cols.flatten()[at[:, 1]]], 1)
        total = torch.zeros(len(base))
        for member in members:
            row, col = self._index(_turned(base, member))
            total += self._map(member).raised[row, col]
        middle = base[int(total.argmax())]
        peaks = [self._near(member, _turned(middle[None], member)[0]) for member in members]
        return self._judged(peaks, float(total.max()), len(base) / self._zoom**2)

    def _near(self, member: Member, middle: torch.Tensor) -> Peak:
        """The best peak about a place or its opposite."""
        values = self._map(member).values
        deviation = self._deviation(member.stretch)
        best: Peak | None = None
        for sign in (1, -1):
            away = (self._rows - sign * middle[0]) ** 2 + (self._cols - sign * middle[1]) ** 2
            near = values - away / (2 * deviation**2)
            near = torch.where(away < (_REACH * 1.5 * deviation) ** 2, near, -math.inf)
            at = divmod(int(near.argmax()), values.shape[1])
            if best is None or float(near[at]) > best.height:
                vector = torch.tensor([float(self._rows[at[0], 0]), float(self._cols[0, at[1]])])
                best = Peak(member, vector.double(), float(near[at]), False)
        assert best is not None
        # The band of -h is at -k.
        vector = best.wave_vector if member.order > 0 else -best.wave_vector
        return best._replace(wave_vector=vector)

    def _judged(self, peaks: list[Peak], total: float, places: float) -> list[Peak]:
        """Say which peaks are too high for chance."""
        rows, cols = self._correlation.shape
        judged = []
        windows = [
            max(4 * math.pi * self._deviation(p.member.stretch) ** 2 * rows * cols, 2.0)
            for p in peaks
        ]
        trials = math.log(places) + sum(math.log(n) for n in windows[1:])
        together = -float(gamma.logsf(total, len(peaks))) - trials > _SURE
        for peak, window in zip(peaks, windows, strict=True):
            alone = peak.height > math.log(places) + _SURE
            judged.append(
                peak._replace(found=alone or (together and peak.height > math.log(window) + 3))
            )
        return judged


def _turned(vectors: torch.Tensor, member: Member) -> torch.Tensor:
    """Where a wave lies if the finest one of the first angle lies at vectors (n, 2)."""
    cos, sin = math.cos(member.turn), math.sin(member.turn)
    rows, cols = vectors[:, 0], vectors[:, 1]
    # Directions are counted from columns to rows.
    return member.stretch * torch.stack([rows * cos + cols * sin, cols * cos - rows * sin], 1)

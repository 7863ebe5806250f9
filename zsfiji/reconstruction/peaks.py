"""The peaks of all waves of a raw SIM image: each for itself, or searched together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from scipy.stats import gamma

from zsfiji.physics.sim.optics import RadialTransfer
from zsfiji.reconstruction.correlation import Correlation
from zsfiji.reconstruction.layouts import Member
from zsfiji.reconstruction.points import FARTHEST

NEAREST = 0.5
"""Lowest frequency of the finest wave over the cut-off that is searched."""

_SAMPLED = 0.68
"""Highest frequency that is searched, in cycles per pixel: just inside the spectrum's corner."""

_TOLERANCE = 0.01
"""Standard deviation of a wave vector from its place in the arrangement, over the cut-off."""

_REACH = 3
"""Standard deviations of it that are searched."""

_SURE = 7.5
"""Logarithm of how improbable a peak has to be among all places where it could be. Of 76 simulated
stacks without a pattern, four were above 5 and one above 6: structure is no white noise."""

_MORE = 2.0
"""What each wave of an arrangement has to add to the logarithm of its evidence. Not tuned."""

_TINY = 1e-30
"""Least significance to divide by: that of frames that are the same is 0."""

_LIKELY = 3.0
"""The same of a peak in its place, once all waves together are no chance."""

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


def best_peaks(
    correlation: Correlation,
    transfer: RadialTransfer,
    arrangements: Sequence[list[Member]],
    nearest: float = NEAREST,
) -> list[Peak]:
    """Find the waves of a raw image.

    Parameters
    ----------
    correlation : Correlation
        Its bands.
    transfer : RadialTransfer
        The OTF.
    arrangements : sequence of list of Member
        How the waves may belong together.
    nearest : float
        Lowest frequency of the finest wave over the cut-off that is searched.

    Returns
    -------
    list of Peak
        The peaks of the arrangement that the image shows best.
    """
    most = max(len(members) for members in arrangements)
    for zoom in (1, 2):
        # Peaks that are clear and fit each other need no search on the finer grid.
        search = _Search(correlation, transfer.cutoff, zoom, nearest)
        alone = search.alone(arrangements)
        if alone is not None and len(alone) == most:
            return alone
    return search.together(arrangements)


class _Search:
    """Search for waves on a grid of `zoom` steps to the natural spacing of frequencies."""

    def __init__(self, correlation: Correlation, cutoff: float, zoom: int, nearest: float) -> None:
        self._correlation, self._cutoff, self._zoom = correlation, cutoff, zoom
        self._nearest = nearest
        rows, cols = correlation.wave_vectors(zoom)
        self._rows, self._cols = torch.fft.fftshift(rows.cpu()), torch.fft.fftshift(cols.cpu())
        self._radius = torch.hypot(self._rows, self._cols)
        self._maps: dict[tuple[int, int, float], torch.Tensor] = {}
        self._raised: dict[tuple[int, int, float], torch.Tensor] = {}

    def alone(self, arrangements: Sequence[list[Member]]) -> list[Peak] | None:
        """The highest peak of each wave, if all are clear and fit an arrangement."""
        best: list[Peak] | None = None
        for members in arrangements:
            peaks = [self._highest(member) for member in members]
            if all(peak.found for peak in peaks) and self._fits(peaks):
                best = max(best or peaks, peaks, key=_evidence)
        return best

    def together(self, arrangements: Sequence[list[Member]]) -> list[Peak]:
        """The peaks of the arrangement that all waves together show best."""
        joint = max((self._together(members) for members in arrangements), key=_evidence)
        own = max(
            ([self._highest(member) for member in members] for members in arrangements),
            key=_evidence,
        )
        if not all(peak.found for peak in own) or not _alike(own):
            return joint
        # Unequal angles need to be improbable by chance in spite of all places they could be at.
        more = math.log(self._places(1.0) / self._window(1.0)) * (len(own) - 1) + _SURE
        return own if _total(own) > _total(joint) + more else joint

    def _places(self, stretch: float) -> float:
        """Places in the zone of a wave, at the natural spacing of frequencies."""
        return max(float(self._zone(stretch).sum()) / self._zoom**2, 1.0)

    def _window(self, stretch: float) -> float:
        """Places that fit the other waves, of k and of -k."""
        rows, cols = self._correlation.shape
        return max(4 * math.pi * self._deviation(stretch) ** 2 * rows * cols, 2.0)

    def _highest(self, member: Member) -> Peak:
        values = self._map(member)
        at = divmod(int(values.argmax()), values.shape[1])
        height = float(values[at])
        clear = height > math.log(self._places(member.stretch)) + _SURE
        return Peak(member, self._vector(member, at), height, clear)

    def _vector(self, member: Member, at: tuple[int, int]) -> torch.Tensor:
        vector = torch.tensor([float(self._rows[at[0], 0]), float(self._cols[0, at[1]])])
        # The band of -h is at -k.
        return vector.double() if member.order > 0 else -vector.double()

    def _fits(self, peaks: Sequence[Peak]) -> bool:
        """Whether the peaks are where the arrangement has them."""
        bases: list[torch.Tensor] = []
        for peak in peaks:
            turn = peak.member._replace(turn=-peak.member.turn, stretch=1 / peak.member.stretch)
            base = _turned(peak.wave_vector[None], turn)[0]
            bases.append(base if not bases or float(base @ bases[0]) >= 0 else -base)
        middle = torch.stack(bases).mean(0)
        far = max(float((base - middle).norm()) for base in bases)
        return far < _REACH * self._deviation(1.0)

    def _zone(self, stretch: float) -> torch.Tensor:
        low, high = self._nearest * self._cutoff, min(FARTHEST * self._cutoff, _SAMPLED)
        return (self._radius > stretch * low) & (self._radius < stretch * high)

    def _map(self, member: Member) -> torch.Tensor:
        """Significance over all wave vectors, the zero frequency in the middle."""
        key = (member.angle, abs(member.order), member.stretch)
        if key not in self._maps:
            values = self._correlation.significance(member.angle, abs(member.order), self._zoom)
            values = torch.fft.fftshift(values.cpu())
            zone = self._zone(member.stretch)
            # Specimens are no white noise: what unrelated bands give holds but for a factor.
            values *= math.log(2) / max(float(values[zone].median()), _TINY)
            about = self._about(values).clamp_min(1.0)
            self._maps[key] = torch.where(zone, values / about, 0.0)
        return self._maps[key]

    def _neighbourhood(self, member: Member) -> torch.Tensor:
        """The same of k or -k, each place raised to the best about it less its distance."""
        key = (member.angle, abs(member.order), member.stretch)
        if key not in self._raised:
            values = self._map(member)
            values = torch.maximum(values, self._opposite(values))
            self._raised[key] = self._dilated(values, member.stretch)
        return self._raised[key]

    def _about(self, values: torch.Tensor) -> torch.Tensor:
        """Mean about each place, of values that are cut off lest a peak decides."""
        side = self._zoom * _ABOUT
        mean = values.clamp_max(_CUT)
        for axis in (0, 1):
            # Sums over a window as differences of sums from the edge, around the corner.
            last = mean.shape[axis]
            places = torch.arange(-side - 1, last + side, device=mean.device) % last
            wide = mean.index_select(axis, places).cumsum(axis)
            width = 2 * side + 1
            mean = (wide.narrow(axis, width, last) - wide.narrow(axis, 0, last)) / width
        return mean

    def _opposite(self, values: torch.Tensor) -> torch.Tensor:
        """The values at -k."""
        turned = torch.fft.ifftshift(values).flip(0, 1).roll((1, 1), (0, 1))
        return torch.fft.fftshift(turned)

    def _deviation(self, stretch: float) -> float:
        return _TOLERANCE * self._cutoff * stretch

    def _dilated(self, values: torch.Tensor, stretch: float) -> torch.Tensor:
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
            total += self._neighbourhood(member)[row, col]
        middle = base[int(total.argmax())]
        peaks = [self._near(member, _turned(middle[None], member)[0]) for member in members]
        return self._judged(peaks, float(total.max()))

    def _near(self, member: Member, middle: torch.Tensor) -> Peak:
        """The best peak about a place or its opposite."""
        values = self._map(member)
        deviation = self._deviation(member.stretch)
        best: Peak | None = None
        for sign in (1, -1):
            away = (self._rows - sign * middle[0]) ** 2 + (self._cols - sign * middle[1]) ** 2
            near = values - away / (2 * deviation**2)
            near = torch.where(away < (_REACH * 1.5 * deviation) ** 2, near, -math.inf)
            at = divmod(int(near.argmax()), values.shape[1])
            if best is None or float(near[at]) > best.height:
                best = Peak(member, self._vector(member, at), float(near[at]), False)
        assert best is not None
        return best

    def _judged(self, peaks: list[Peak], total: float) -> list[Peak]:
        """Say which peaks are too high for chance."""
        places = self._places(1.0)
        windows = [self._window(peak.member.stretch) for peak in peaks]
        trials = math.log(places) + sum(math.log(n) for n in windows[1:])
        together = -float(gamma.logsf(total, len(peaks))) - trials > _SURE
        judged = []
        for peak, window in zip(peaks, windows, strict=True):
            alone = peak.height > math.log(places) + _SURE
            fits = together and peak.height > math.log(window) + _LIKELY
            judged.append(peak._replace(found=alone or fits))
        return judged


def _total(peaks: Sequence[Peak]) -> float:
    return sum(peak.height for peak in peaks)


def _evidence(peaks: Sequence[Peak]) -> tuple[float, float]:
    """How much speaks for an arrangement: its waves that are no chance, before all others."""
    found = sum(peak.height - _SURE for peak in peaks if peak.found)
    # A wave more has to add something.
    return found - _MORE * len(peaks) if found else 0.0, _total(peaks)


def _alike(peaks: Sequence[Peak]) -> bool:
    """Whether the waves have the same frequency, but for what they should differ by."""
    lengths = [float(peak.wave_vector.norm()) / peak.member.stretch for peak in peaks]
    return max(lengths) < (1 + _ALIKE) * min(lengths)


def _turned(vectors: torch.Tensor, member: Member) -> torch.Tensor:
    """Where a wave lies if the finest one of the first angle lies at vectors (n, 2)."""
    cos, sin = math.cos(member.turn), math.sin(member.turn)
    rows, cols = vectors[:, 0], vectors[:, 1]
    # Directions are counted from columns to rows.
    return member.stretch * torch.stack([rows * cos + cols * sin, cols * cos - rows * sin], 1)

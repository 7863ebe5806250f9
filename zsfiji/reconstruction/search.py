"""Finding the illumination patterns of a raw SIM image in the image itself."""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from zsfiji.physics.sim.optics import RadialTransfer
from zsfiji.physics.sim.patterns import TURN, Patterns
from zsfiji.reconstruction.bands import Bands, noise_power, separated, separated_again
from zsfiji.reconstruction.correlation import Correlation, climbed
from zsfiji.reconstruction.drift import Drift, aligned, drift
from zsfiji.reconstruction.layouts import Layout, arrangements
from zsfiji.reconstruction.optics_check import light_beyond
from zsfiji.reconstruction.peaks import NEAREST, Peak, best_peaks
from zsfiji.reconstruction.phases import Waves, phase_deviations
from zsfiji.reconstruction.regression import Fit, Regression

_EDGE = 10
"""Pixels that the image fades over where peaks are climbed: light at the borders tells most of
where they are. With the 20 of the search the errors of wave vectors were 7 to 14 % larger; in the
search itself 10 made false peaks."""


_FIRST, _THEN = (0.5, 1.0), (0.1, 0.4)
"""Steps of the spectrum by which the climb begins, and with other weights begins again; and how
many it may lead away. In 216 simulated stacks of 40 to 192 pixels peaks went up to 0.72 steps, or,
in those below 96, more than 1 and up to 8: nearly all of these left the wave for structure."""


@dataclass(frozen=True, eq=False)
class Estimate:
    """The patterns found in a raw SIM image, and how sure they are.

    Attributes
    ----------
    patterns : Patterns
        In pixels of the raw image. A pattern that was not found has the most probable values all
        the same: see `found`.
    significance : torch.Tensor
        float64 (angle, wave): height of the peak of each wave in the correlation of bands, in
        standard deviations of what unrelated bands give.
    found : torch.Tensor
        bool (angle, wave): whether the peak is too high to be chance and fits the others.
    modulation_error : torch.Tensor
        float64 (angle, wave): standard error; infinite where nothing tells the modulation.
    wave_vector_error : torch.Tensor
        float64 (angle, wave): standard error of each component, in cycles per pixel.
    phase_error : torch.Tensor
        float64 (angle, wave): standard error in the middle of the image, in radians.
    noise_variance : float
        Variance of a raw pixel, in the image's unit squared.
    drift : Drift
        How far the specimen moved between the angles.
    light_beyond : float
        Light beyond the cut-off, see :func:`.optics_check.light_beyond`: about 1 if the optics are
        the true ones.
    """

    patterns: Patterns
    significance: torch.Tensor
    found: torch.Tensor
    modulation_error: torch.Tensor
    wave_vector_error: torch.Tensor
    phase_error: torch.Tensor
    noise_variance: float
    drift: Drift
    light_beyond: float

    @property
    def spacing(self) -> torch.Tensor:
        """float64 (angle, wave): distance between the lines of each wave, in pixels."""
        return 1 / self.patterns.wave_vectors.norm(dim=-1)

    @property
    def direction(self) -> torch.Tensor:
        """float64 (angle, wave): of the wave vectors in degrees, 0 to 180, from columns to rows."""
        rows, cols = self.patterns.wave_vectors.unbind(-1)
        return torch.rad2deg(torch.atan2(rows, cols)) % 180


def estimate(
    stack: torch.Tensor,
    transfer: RadialTransfer,
    layout: Layout | Sequence[Layout] = Layout.TWO_BEAM,
    *,
    noise: float | None = None,
    nearest: float = NEAREST,
) -> Estimate:
    """Find the wave vectors, phases and modulation of a raw SIM image.

    Parameters
    ----------
    stack : torch.Tensor
        float32 (angle, frame, row, col), the background taken off.
    transfer : RadialTransfer
        The OTF.
    layout : Layout or sequence of Layout
        The beams that make the pattern, or several that may: the number of waves of the result
        says which.
    noise : float, optional
        Variance of a raw pixel; measured in the image if it is not given.
    nearest : float
        Lowest frequency of the finest wave over the cut-off that is searched.

    Returns
    -------
    Estimate
        The patterns of the whole image, measured where it has most structure.

    Raises
    ------
    UserError
        If a frame has no light above the background.
    """
    return Search(stack, transfer, layout, noise=noise, nearest=nearest).estimate()


class Search:
    """The search for the waves of a raw SIM image; see :func:`estimate`.

    It takes most of the time of an estimate. Phases, modulation and exact places of the waves are
    measured when they are asked for.

    Attributes
    ----------
    peaks : list of Peak
        The waves.
    """

    def __init__(
        self,
        stack: torch.Tensor,
        transfer: RadialTransfer,
        layout: Layout | Sequence[Layout] = Layout.TWO_BEAM,
        *,
        noise: float | None = None,
        nearest: float = NEAREST,
    ) -> None:
        angles, frames = int(stack.shape[0]), int(stack.shape[1])
        self._stack, self._transfer, self._noise = stack, transfer, noise
        self._bands = separated(stack, transfer, noise)
        self._moved = drift(self._bands, transfer)
        self._light = _light(self._bands, transfer, self._moved)
        self._correlation = Correlation(self._bands, *self._light, transfer)
        layouts = [layout] if isinstance(layout, Layout) else layout
        possible = [a for each in layouts for a in arrangements(each, angles, frames)]
        self.peaks = best_peaks(self._correlation, transfer, possible, nearest=nearest)

    @property
    def evidence(self) -> float:
        """Squared significance of all waves."""
        return sum(max(peak.height, 0.0) for peak in self.peaks)

    @property
    def patterned(self) -> bool:
        """Whether any wave was found."""
        return any(peak.found for peak in self.peaks)

    def estimate(self) -> Estimate:
        """Measure the waves."""
        transfer, bands, light = self._transfer, self._bands, self._light
        peaks = _climbed(self._correlation, self.peaks, _FIRST)
        # Other weights tell the place better, but have higher peaks beside it.
        wide = separated(self._stack, transfer, self._noise, edge=_EDGE)
        lit = _light(wide, transfer, self._moved)
        peaks = _climbed(Correlation(wide, *lit, transfer, matched=True), peaks, _THEN)
        fits = _fitted(Regression(bands, *light, transfer), peaks)
        deviations = _deviations(bands, light, transfer, peaks, fits)
        if bool(deviations.any()):
            bands = separated_again(bands, deviations, sorted({abs(p.member.order) for p in peaks}))
            light = _light(bands, transfer, self._moved)
            fits = _fitted(Regression(bands, *light, transfer), peaks)
        beyond = light_beyond(bands, transfer)
        return _estimate(bands, self._correlation, peaks, fits, deviations, self._moved, beyond)


def _light(bands: Bands, transfer: RadialTransfer, moved: Drift) -> tuple[torch.Tensor, float]:
    """The light that is not modulated, for each angle or for all, and the power of its noise.

    It is the same for all angles but for drift; their mean has less noise than that of one.
    """
    zero = aligned(bands, moved.shifts) if moved.matters else bands.zero.mean(0, keepdim=True)
    # Noise that all frames share (pixels of unequal gain) does not average out.
    return zero, max(bands.zero_noise / len(bands.zero), noise_power(zero[:1], transfer))


def _fitted(regression: Regression, peaks: Sequence[Peak]) -> list[Fit]:
    return [regression(p.member.angle, p.member.order, p.wave_vector) for p in peaks]


def _deviations(
    bands: Bands,
    light: tuple[torch.Tensor, float],
    transfer: RadialTransfer,
    peaks: Sequence[Peak],
    fits: Sequence[Fit],
) -> torch.Tensor:
    """Deviations of the phases from equal steps, (angle, frame); 0 if a pattern was not found."""
    if not all(peak.found for peak in peaks):
        return torch.zeros_like(bands.brightness)
    waves = []
    for angle in range(len(bands.zero)):
        here = [(p, f) for p, f in zip(peaks, fits, strict=True) if p.member.angle == angle]
        vectors = torch.stack([p.wave_vector for p, _ in here])
        strengths = [f.modulation * cmath.exp(1j * f.phase) for _, f in here]
        waves.append(Waves(vectors, torch.tensor(strengths), [p.member.order for p, _ in here]))
    return phase_deviations(bands, *light, transfer, waves)


def _climbed(
    correlation: Correlation, peaks: Sequence[Peak], steps: tuple[float, float]
) -> list[Peak]:
    """Move the peaks to the top about them; one that would leave its place stays there.

    `steps` of the spectrum: those by which the climb begins, and the farthest that it may lead.
    """
    rows, cols = correlation.shape
    first, farthest = steps
    step = (first / rows, first / cols)
    sides = torch.tensor([rows, cols], dtype=torch.float64)
    best = []
    for angle in sorted({peak.member.angle for peak in peaks}):
        here = [peak for peak in peaks if peak.member.angle == angle]
        tied = len({peak.member.stretch for peak in here}) > 1
        for group in [here] if tied else [[peak] for peak in here]:
            finest = max(group, key=lambda peak: peak.member.stretch)
            start = finest.wave_vector
            top = climbed(_height(correlation, group), start, step)
            if float(((top - start) * sides).norm()) > farthest:
                top = start
            best += [peak._replace(wave_vector=peak.member.stretch * top) for peak in group]
    return best


def _height(
    correlation: Correlation, group: Sequence[Peak]
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """The height of the peaks of waves in fixed proportion, of the wave vector of the finest."""
    nulls = [correlation.null(float(peak.wave_vector.norm())) for peak in group]

    def value(rows: torch.Tensor, cols: torch.Tensor) -> torch.Tensor:
        total = torch.zeros(len(rows), len(cols))
        for peak, null in zip(group, nulls, strict=True):
            angle, _, order, _, stretch = peak.member
            found = correlation.at(angle, order, stretch * rows, stretch * cols)
            total += found.abs().square() / null
        return total

    return value


def _estimate(
    bands: Bands,
    correlation: Correlation,
    peaks: Sequence[Peak],
    fits: Sequence[Fit],
    deviations: torch.Tensor,
    moved: Drift,
    beyond: float,
) -> Estimate:
    angles, frames = (int(n) for n in bands.brightness.shape)
    size = (angles, len(peaks) // angles)
    vectors = torch.zeros(*size, 2, dtype=torch.float64)
    phases = torch.zeros(*size, frames, dtype=torch.float64)
    modulation, significance, error, turn, place = torch.zeros(5, *size, dtype=torch.float64)
    found = torch.zeros(size, dtype=torch.bool)
    equal = torch.arange(frames, dtype=torch.float64) * (TURN / frames)
    for peak, fit in zip(peaks, fits, strict=True):
        member = peak.member
        at = (member.angle, member.wave)
        vectors[at], found[at] = peak.wave_vector, peak.found
        phases[at] = fit.phase + member.order * (equal + deviations[member.angle])
        modulation[at], error[at] = fit.modulation, fit.error
        turn[at] = fit.phase_error
        significance[at] = math.sqrt(max(peak.height, 0.0))
        place[at] = correlation.doubt(member.angle, member.order, peak.height)
    patterns = Patterns(vectors, phases, modulation, bands.brightness)
    top, left = bands.corner
    return Estimate(
        patterns.moved(-top, -left),
        significance,
        found,
        error,
        place,
        turn,
        bands.noise * bands.level**2,
        moved,
        beyond,
    )
